#!/usr/bin/env python3
"""hostile_client.py - clients of the status socket that mean no good

    hostile_client.py SOCKET silent N    connects N times and says nothing
    hostile_client.py SOCKET flood N     N connections, each sends requests for
                                         as long as they are taken, reads nothing
    hostile_client.py SOCKET garbage N   N connections with bytes of all sorts
    hostile_client.py SOCKET hurry N     N requests at once on one connection,
                                         all answers are read and counted

silent and flood print "ready" when all are there and end with their standard
input; garbage ends by itself; hurry prints "answers N".
"""
import random
import select
import socket
import sys
import time


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(path)
    return s


def wait_for_end():
    print("ready", flush=True)
    sys.stdin.read()


def silent(path, n):
    held = [connect(path) for _ in range(n)]
    wait_for_end()
    return held


def flood(path, n):
    held = [connect(path) for _ in range(n)]
    for s in held:
        s.setblocking(False)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        writable = select.select([], held, [], 0.1)[1]
        for s in writable:
            try:
                s.send(b"json\nmetrics\nworkers\n" * 200)
            except BlockingIOError:
                pass
            except OSError:  # we were thrown out: once more
                held.remove(s)
                s.close()
                try:
                    held.append(connect(path))
                    held[-1].setblocking(False)
                except OSError:
                    pass


def garbage(path, n):
    rng = random.Random(7)
    starts = [b"", b"GET /", b"GET / HTTP/1.1\r\n", b"json ", b"off ",
              b"why ", b"\0", b"\n" * 50, b"x" * 5000, b"HEAD "]
    for i in range(n):
        s = connect(path)
        text = rng.choice(starts) + bytes(
            rng.randrange(256) for _ in range(rng.randrange(3000)))
        try:
            for at in range(0, len(text), 700):
                s.sendall(text[at:at + 700])
            if i % 2:
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
        except OSError:
            pass
        s.close()


def hurry(path, n):
    s = connect(path)
    s.setblocking(False)
    out = b"status\n" * n
    got = b""
    answers = 0
    end = time.monotonic() + 60
    while answers < n and time.monotonic() < end:
        r, w, _ = select.select([s], [s] if out else [], [], 1)
        if w:
            out = out[s.send(out[:65536]):]
        if r:
            more = s.recv(65536)
            if not more:
                break
            got += more
        while b"\n" in got:
            head, rest = got.split(b"\n", 1)
            word, size = head.split()
            if word != b"ok" or len(rest) < int(size):
                break
            got = rest[int(size):]
            answers += 1
    print("answers", answers)


if __name__ == "__main__":
    {"silent": silent, "flood": flood, "garbage": garbage,
     "hurry": hurry}[sys.argv[2]](sys.argv[1], int(sys.argv[3]))
