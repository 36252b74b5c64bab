#!/usr/bin/env python3
"""crowd.py - many MTAs that connect and hold on

    crowd.py ENDPOINT COUNT

Opens COUNT connections to unix:PATH or inet:PORT@HOST, one after the other
over all endpoints given (separated by commas), sends a negotiation on each,
and prints "connected".  Then it takes words from standard input, one a line:

    count    prints how many were answered or ended: "answered N ended M"
    talk     says CONNECT, later HELO, on all that live, waits for the
             answers: "talked N"
    connect  says CONNECT on all that live and waits for nothing: "said"
    mail     says MAIL (behind CONNECT, ABORT in between) on all that were
             answered, waits, and tells the letters of the answers with their
             number: "mail c 2 y 3"; "-": none, "+": too many
    text     the first reply text that came: "text 451 4.3.2 ..."
    close N  closes N of those that were answered: "closed N"
    more N   opens N more
    quit     closes everything; so does the end of the input

A connection that is refused is told as "refused N", and counts as ended.
"""
import select
import socket
import struct
import sys
import time

OPTNEG = b"O" + struct.pack(">III", 6, 0x1FF, 0x1FFFFF)
CONNECT = b"C" + b"mx.example.org\0" + b"4" + struct.pack(">H", 25) \
    + b"192.0.2.7\0"
HELO = b"H" + b"mx.example.org\0"
MAIL = b"M" + b"<a@example.org>\0"


def packet(data):
    return struct.pack(">I", len(data)) + data


class Mta:
    def __init__(self, endpoint):
        self.got = 0
        self.data = b""
        self.letters = ""
        self.text = ""
        self.ended = False
        self.said = 0
        kind, _, rest = endpoint.partition(":")
        try:
            if kind == "unix":
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.settimeout(15)
                self.sock.connect(rest)
            else:
                port, _, host = rest.partition("@")
                self.sock = socket.create_connection((host, int(port)), 15)
            self.sock.sendall(packet(OPTNEG))
        except OSError:
            self.ended = True

    def look(self):
        """Reads what is there without waiting."""
        while not self.ended:
            ready, _, _ = select.select([self.sock], [], [], 0)
            if not ready:
                return
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            self.ended = not data
            self.got += len(data)
            self.data += data
            self.split()

    def split(self):
        while len(self.data) >= 4:
            size = struct.unpack(">I", self.data[:4])[0]
            if len(self.data) < 4 + size:
                return
            answer = self.data[4:4 + size]
            self.letters += chr(answer[0])
            if answer[:1] == b"y" and not self.text:
                self.text = answer[1:].rstrip(b"\0").decode("latin-1")
            self.data = self.data[4 + size:]

    def lives(self):
        self.look()
        return not self.ended

    def say(self):
        """The client comes once, its HELO as often as it likes."""
        try:
            self.sock.sendall(packet(HELO if self.said else CONNECT))
            self.said += 1
        except OSError:
            self.ended = True


def talk(crowd):
    before = []
    for mta in crowd:
        if mta.lives() and mta.got:
            before.append((mta, mta.got))
            mta.say()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if all(m.got > n or m.ended for m, n in before):
            break
        select.select([m.sock for m, n in before
                       if m.got == n and not m.ended], [], [], 0.5)
        for mta, _ in before:
            mta.look()
    return sum(m.got > n for m, n in before)


def mail(crowd):
    asked = []
    for mta in crowd:
        if mta.lives() and mta.got:
            first = not mta.said
            asked.append((mta, len(mta.letters) + 1 + first))
            if first:
                mta.say()
            try:
                mta.sock.sendall(packet(b"A") + packet(MAIL))
            except OSError:
                mta.ended = True
    end = time.monotonic() + 10
    while time.monotonic() < end:
        missing = [m for m, n in asked if len(m.letters) < n and not m.ended]
        if not missing:
            break
        select.select([m.sock for m in missing], [], [], 0.5)
        for mta in missing:
            mta.look()
    counts = {}
    for mta, n in asked:
        letter = mta.letters[n - 1:n] or "-"
        if len(mta.letters) > n:
            letter = "+"
        counts[letter] = counts.get(letter, 0) + 1
    return " ".join("%s %d" % item for item in sorted(counts.items()))


def main():
    endpoints = sys.argv[1].split(",")
    crowd = []

    def more(count):
        refused = 0
        for i in range(count):
            crowd.append(Mta(endpoints[i % len(endpoints)]))
            refused += crowd[-1].ended
        print("refused %d" % refused if refused else "connected", flush=True)

    more(int(sys.argv[2]))
    for line in sys.stdin:
        word, _, number = line.strip().partition(" ")
        if word == "count":
            for mta in crowd:
                mta.look()
            print("answered %d ended %d" % (
                sum(m.got > 0 for m in crowd),
                sum(m.ended for m in crowd)), flush=True)
        elif word == "talk":
            print("talked %d" % talk(crowd), flush=True)
        elif word == "mail":
            print("mail " + mail(crowd), flush=True)
        elif word == "text":
            print("text " + next((m.text for m in crowd if m.text), "none"),
                  flush=True)
        elif word == "connect":
            for mta in crowd:
                if mta.lives():
                    mta.say()
            print("said", flush=True)
        elif word == "more":
            more(int(number))
        elif word == "close":
            closed = 0
            for mta in list(crowd):
                if closed < int(number) and mta.lives() and mta.got:
                    mta.sock.close()
                    crowd.remove(mta)
                    closed += 1
            print("closed %d" % closed, flush=True)
        elif word == "quit":
            return


main()
