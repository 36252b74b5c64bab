#!/usr/bin/env python3
"""smtp_load.py - many messages by SMTP, sent until each is taken

    smtp_load.py send PORT MESSAGES PARALLEL PER-SESSION
        Sends to u@rcpt.test on 127.0.0.1.  A message that gets a 4xx, or
        whose connection ends, is sent again on a new connection, up to 60
        times, as an MTA in front would.  Prints "sent ID QUEUE-ID TRIES" for
        each that was taken, "refused ID REPLY" for one that got a 5xx, and
        "given-up ID".
    smtp_load.py check MAILDIR HEADER...
        Reads what was delivered and prints "delivered N" files, "different N"
        messages, "damaged N" whose body is not the one sent, and for each
        header "HEADER N": the messages that have it exactly once.
"""
import os
import queue
import re
import socket
import sys
import threading
import time

LINES = 40
TRIES = 60


def body(ident):
    return "".join("message %s line %03d of %d\r\n" % (ident, i, LINES)
                   for i in range(LINES))


def message(ident):
    return ("From: a@sender.test\r\nTo: u@rcpt.test\r\nSubject: load\r\n"
            "X-Load-Id: %s\r\n\r\n" % ident) + body(ident)


def say(line):
    """One write: threads do not get into each other's lines."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Refused(Exception):
    pass


class Session:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.file = self.sock.makefile("rb")
        self.reply()
        self.command("EHLO client.test")

    def reply(self):
        while True:
            line = self.file.readline().decode("latin-1")
            if not line:
                raise OSError("closed")
            if line[3:4] != "-":
                break
        if line[0] == "5":
            raise Refused(line.strip())
        if line[0] not in "23":
            raise OSError(line.strip())
        return line

    def command(self, line):
        self.sock.sendall(line.encode("latin-1") + b"\r\n")
        return self.reply()

    def send(self, ident):
        self.command("MAIL FROM:<a@sender.test>")
        self.command("RCPT TO:<u@rcpt.test>")
        self.command("DATA")
        return self.command(message(ident) + ".").split()[-1]

    def close(self):
        try:
            self.command("QUIT")
        except (OSError, Refused):
            pass
        self.sock.close()


def sender(port, jobs, per_session):
    session, left = None, 0
    while True:
        try:
            ident, tries = jobs.get_nowait()
        except queue.Empty:
            break
        try:
            if session is None or not left:
                if session:
                    session.close()
                session, left = Session(port), per_session
            left -= 1
            queue_id = session.send(ident)
            say("sent %s %s %d" % (ident, queue_id, tries))
        except Refused as reply:
            say("refused %s %s" % (ident, reply))
        except OSError:
            # A connection that saw a failure is not used for the next.
            if session:
                session.sock.close()
            session = None
            time.sleep(0.05)
            if tries < TRIES:
                jobs.put((ident, tries + 1))
            else:
                say("given-up %s" % ident)
    if session:
        session.close()


def send(port, count, parallel, per_session):
    jobs = queue.Queue()
    for i in range(count):
        jobs.put(("%05d" % i, 1))
    threads = [threading.Thread(target=sender, args=(port, jobs, per_session))
               for _ in range(parallel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check(maildir, headers):
    seen, damaged = set(), 0
    once = dict.fromkeys(headers, 0)
    files = os.listdir(maildir) if os.path.isdir(maildir) else []
    for name in files:
        text = open(os.path.join(maildir, name), encoding="latin-1").read()
        head, _, rest = text.partition("\n\n")
        found = re.search(r"^X-Load-Id: (\d+)$", head, re.M)
        ident = found.group(1) if found else name
        seen.add(ident)
        damaged += rest.rstrip("\n") != body(ident).replace(
            "\r", "").rstrip("\n")
        for header in headers:
            once[header] += len(re.findall("^%s:" % header, head, re.M)) == 1
    print("delivered", len(files))
    print("different", len(seen))
    print("damaged", damaged)
    for header in headers:
        print(header, once[header])


if sys.argv[1] == "send":
    send(*map(int, sys.argv[2:6]))
else:
    check(sys.argv[2], sys.argv[3:])
