#!/usr/bin/env python3
"""ask_many.py - several clients of a control socket at the same time

    ask_many.py SOCKET FILE REQUEST...

Each request has a connection of its own; they are sent in this order, each
when the one before has been taken from its queue.  Then FILE is made (- for
none), and one line is printed for each: the number of answers it got, the
first one's status and text.
"""
import socket
import sys


def ask(path, request):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(path)
    s.sendall(request.encode() + b"\n")
    s.shutdown(socket.SHUT_WR)
    return s


def answers(s):
    """[(status, text)]"""
    f = s.makefile("rb")
    found = []
    while True:
        head = f.readline().split()
        if not head:
            return found
        found.append((head[0].decode(), f.read(int(head[1])).decode()))


if __name__ == "__main__":
    clients = []
    for word in sys.argv[3:]:
        clients.append(ask(sys.argv[1], word))
        if sys.argv[2] != "-":
            # Its turn has come when a later question has an answer.
            answers(ask(sys.argv[1], "help"))
    if sys.argv[2] != "-":
        open(sys.argv[2], "w").close()
    for c in clients:
        got = answers(c)
        first = got[0] if got else ("none", "")
        print(len(got), first[0], first[1].strip().replace("\n", " | "))
