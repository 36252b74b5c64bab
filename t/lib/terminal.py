#!/usr/bin/env python3
"""Runs a program on a terminal of its own and plays the person in front.

terminal.py OUTPUT COLUMNS LINES STEPS... -- PROGRAM ARGS...
Steps: wait:TEXT (until it was shown, 20 s at most), key:X, signal:NAME,
size:COLUMNSxLINES, forget (what was shown so far is not waited for),
touch:FILE (tells others how far we are).
What was shown goes to OUTPUT.  Prints how the program ended ("exit 0",
"signal 15") and whether the terminal's mode is what it was ("mode same").
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


def set_size(fd, columns, lines):
    fcntl.ioctl(fd, termios.TIOCSWINSZ,
                struct.pack("HHHH", int(lines), int(columns), 0, 0))


def main():
    output, columns, lines = sys.argv[1:4]
    cut = sys.argv.index("--")
    steps, program = sys.argv[4:cut], sys.argv[cut + 1:]
    master, slave = pty.openpty()
    set_size(slave, columns, lines)
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.close(master)
        os.login_tty(slave) if hasattr(os, "login_tty") else login(slave)
        os.execvp(program[0], program)
    shown = bytearray()
    start = 0
    limit = time.monotonic() + 20

    def read_some(seconds):
        if select.select([master], [], [], seconds)[0]:
            try:
                shown.extend(os.read(master, 65536))
            except OSError:
                pass

    for step in steps:
        word, _, value = step.partition(":")
        if word == "wait":
            while value.encode() not in shown[start:]:
                if time.monotonic() > limit:
                    print("not shown:", value)
                    os.kill(pid, signal.SIGKILL)
                    break
                read_some(0.1)
        elif word == "key":
            os.write(master, value.encode())
        elif word == "signal":
            os.kill(pid, getattr(signal, "SIG" + value))
        elif word == "size":
            set_size(slave, *value.split("x"))
            # The kernel tells the terminal's own group, not one of ours.
            os.kill(pid, signal.SIGWINCH)
        elif word == "touch":
            open(value, "w").close()
        elif word == "forget":
            start = len(shown)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > limit:
            os.kill(pid, signal.SIGKILL)
        read_some(0.05)
    read_some(0)
    after = termios.tcgetattr(slave)
    with open(output, "wb") as f:
        f.write(shown)
    if os.WIFSIGNALED(status):
        print("signal", os.WTERMSIG(status))
    else:
        print("exit", os.WEXITSTATUS(status))
    print("mode", "same" if after == before else "changed")


def login(slave):
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in 0, 1, 2:
        os.dup2(slave, fd)


main()
