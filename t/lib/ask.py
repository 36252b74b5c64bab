#!/usr/bin/env python3
"""ask.py - one request to a status or control socket, without sekishoctl

    ask.py SOCKET WORD...

Prints the answer's text; exit status 1 when it is an error, 2 when there is
none.
"""
import socket
import sys


def ask(path, request, limit=20):
    """(is_ok, text)"""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(limit)
        s.connect(path)
        s.sendall(request.encode() + b"\n")
        f = s.makefile("rb")
        head = f.readline().split()
        if len(head) != 2 or head[0] not in (b"ok", b"error"):
            raise ValueError("no answer: %r" % head)
        return head[0] == b"ok", f.read(int(head[1])).decode()


if __name__ == "__main__":
    try:
        good, text = ask(sys.argv[1], " ".join(sys.argv[2:]))
    except (OSError, ValueError) as e:
        print("ask.py:", e, file=sys.stderr)
        sys.exit(2)
    sys.stdout.write(text)
    sys.exit(0 if good else 1)
