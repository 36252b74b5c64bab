#!/usr/bin/env python3
"""smtp_send.py PORT [options] FILE... - sends messages to 127.0.0.1, tells each reply

One line for each command: its name, a blank, the whole reply on one line with
" | " between the lines of a multi-line one.  Several files are sent in one
session.  Exit status 0 when every reply came, whatever it said.

  --client ADDR    --name NAME      XCLIENT: who we claim to be
  --login USER                      XCLIENT LOGIN: who has authenticated
  --helo NAME      --from ADDR      --to ADDR (repeatable)
  --unknown                         a command nobody knows, before MAIL
"""
import argparse
import socket
import sys


class Smtp:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.file = self.sock.makefile("rb")

    def reply(self, what):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                print(f"{what} closed")
                sys.exit(0)
            line = line.decode("latin-1").rstrip("\r\n")
            lines.append(line)
            if line[3:4] != "-":
                break
        print(f"{what} {' | '.join(lines)}", flush=True)
        return lines[-1]

    def command(self, what, line):
        self.sock.sendall(line.encode("latin-1") + b"\r\n")
        return self.reply(what)

    def content(self, data):
        lines = data.replace(b"\r\n", b"\n").split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        stuffed = b"\r\n".join(b"." + x if x[:1] == b"." else x for x in lines)
        self.sock.sendall(stuffed + b"\r\n.\r\n")
        return self.reply("END")


def one_message(smtp, args, data):
    if smtp.command("MAIL", f"MAIL FROM:<{args.sender}>")[0] != "2":
        return
    accepted = 0
    for to in args.to or ["u@rcpt.test"]:
        accepted += smtp.command("RCPT", f"RCPT TO:<{to}>")[0] == "2"
    if smtp.command("DATA", "DATA")[0] == "3":
        smtp.content(data)
    elif accepted:
        smtp.command("RSET", "RSET")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--client")
    parser.add_argument("--name", default="c.sender.test")
    parser.add_argument("--login")
    parser.add_argument("--helo", default="c.sender.test")
    parser.add_argument("--from", dest="sender", default="a@sender.test")
    parser.add_argument("--to", action="append")
    parser.add_argument("--unknown", action="store_true")
    args = parser.parse_intermixed_args()

    smtp = Smtp(args.port)
    if smtp.reply("CONNECT")[0] != "2":
        return
    smtp.command("HELO", f"EHLO {args.helo}")
    if args.client or args.login:
        words = ["XCLIENT", f"NAME={args.name}"]
        words += [f"ADDR={args.client}"] if args.client else []
        words += [f"LOGIN={args.login}"] if args.login else []
        if smtp.command("XCLIENT", " ".join(words))[0] != "2":
            return
        smtp.command("HELO", f"EHLO {args.helo}")
    if args.unknown:
        smtp.command("UNKNOWN", "FROBNICATE")
    for name in args.files:
        with open(name, "rb") as f:
            one_message(smtp, args, f.read())
    smtp.command("QUIT", "QUIT")


main()
