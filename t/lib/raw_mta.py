#!/usr/bin/env python3
"""raw_mta.py - an MTA that speaks bytes

    raw_mta.py ENDPOINT lists
        negotiates and prints the macro lists asked for: "STAGE: NAME NAME"
    raw_mta.py ENDPOINT vectors FILE
        plays every line of malformed-commands.txt, each on a connection of
        its own and with one ordinary message behind it; prints for each
        "ID ANSWERS ENDED NEXT", columns separated by tabs: the letters of the
        answers to the packets of the case ("-": none; "O" with its version;
        "+" before one too many), "closed" or "open", and "next" when the
        connection after it was served

ENDPOINT is unix:PATH.  Every wait is bounded; exit status 0 unless the
first connection is refused.
"""
import re
import socket
import struct
import sys
import threading
import time

WAIT = 20.0     # longest for an answer that is owed, or for a close
QUIET = 0.15    # nothing comes for so long: nothing will
STAGES = ["connect", "helo", "mail", "rcpt", "data", "eom", "eoh"]
OPTNEG = b"O" + struct.pack(">III", 6, 0x1FF, 0x1FFFFF)
STEPS = {
    "OPTNEG": OPTNEG,
    "CONNECT": b"Clocalhost\x004\x30\x39127.0.0.1\0",
    "HELO": b"Hclient.example\0",
    "MAIL": b"M<a@b.example>\0",
    "RCPT": b"R<c@d.example>\0",
    "DATA": b"T",
    "HEADER": b"LSubject\0 hello\0",
    "EOH": b"N",
    "BODY": b"Btext\r\n",
    "BODYEOB": b"E",
}
ORDER = list(STEPS)
# The table tells of their length; in its place they came too early.
BEFORE_TOO = {"len_65536": ["DATA", "EOH"], "len_65537": ["DATA", "EOH"]}
ONE_BY_ONE = {"split_bytes"}
# Headers and body are not answered: the negotiation promised that away.
ANSWERED = {"OPTNEG", "CONNECT", "HELO", "MAIL", "RCPT", "DATA", "BODYEOB",
            "UNKNOWN"}


def packet(data):
    return struct.pack(">I", len(data)) + data


class Mta:
    def __init__(self, endpoint):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WAIT)
        self.sock.connect(endpoint.partition(":")[2])
        self.data = b""
        self.closed = False

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            self.closed = True

    def read(self, wait):
        """One packet, or None: nothing came in time, or it was closed."""
        self.sock.settimeout(wait)
        while not self.closed:
            if len(self.data) >= 4:
                size = struct.unpack(">I", self.data[:4])[0]
                if len(self.data) >= 4 + size:
                    answer = self.data[4:4 + size]
                    self.data = self.data[4 + size:]
                    return answer
            try:
                more = self.sock.recv(65536)
            except socket.timeout:
                return None
            except OSError:
                more = b""
            if not more:
                self.closed = True
            self.data += more
        return None

    def say(self, name):
        """One step; True when it was answered as it is owed."""
        self.send(packet(STEPS[name]))
        if name not in ANSWERED:
            return not self.closed
        answer = self.read(WAIT)
        while name == "BODYEOB" and answer and answer[:1] in b"hmipq":
            answer = self.read(WAIT)
        return answer is not None


def lists(endpoint):
    mta = Mta(endpoint)
    mta.send(packet(OPTNEG))
    answer = mta.read(WAIT)
    rest = answer[13:]
    while rest:
        stage = struct.unpack(">I", rest[:4])[0]
        names, _, rest = rest[4:].partition(b"\0")
        print("%s: %s" % (STAGES[stage], names.decode()))
    mta.send(packet(b"Q"))


def expand(text):
    """Hex, blanks mean nothing; 78*5 is the byte 0x78 five times."""
    out = b""
    for word in text.split():
        byte, star, times = word.partition("*")
        out += bytes.fromhex(byte) * (int(times) if star else 1)
    return out


def steps_before(text):
    """The packets before the case, "..": all those the others imply."""
    words = [re.sub(r"\(.*\)", "", w) for w in text.split() if w != "-"]
    out = []
    for word in words:
        if word != "..":
            out.append(word)
    if ".." in words:
        at = words.index("..")
        first = ORDER.index(words[at - 1]) + 1 if at else 0
        last = ORDER.index(words[at + 1])
        out[at:at] = ORDER[first:last]
    return out


def owed(says):
    """How many answers the packets of the case are owed."""
    return sum(1 for part in says.split(" | ")
               if part.split(" ")[0] in ANSWERED)


def is_connected(before, says):
    """Has the client been told, so that HELO may follow?"""
    connected = "CONNECT" in before
    for part in says.split(" | "):
        if part.startswith("CONNECT"):
            connected = True
        if part.startswith("QUIT_NC"):
            connected = False
    return connected


def letter(answer):
    if answer[:1] == b"O":
        return "O%d" % struct.unpack(">I", answer[1:5])[0]
    return answer[:1].decode("latin-1")


def play_case(endpoint, before, pieces, says, ends):
    mta = Mta(endpoint)
    for name in before:
        if not mta.say(name):
            return "before:%s" % name, "closed"
    for piece in pieces:
        mta.send(piece)
    if ends:
        mta.sock.shutdown(socket.SHUT_WR)
    letters = ""
    for _ in range(owed(says)):
        answer = mta.read(WAIT)
        if answer is None:
            break
        letters += letter(answer)
    extra = mta.read(WAIT if ends else QUIET)
    while extra is not None:
        letters += "+" + letter(extra)
        extra = mta.read(QUIET)
    if not mta.closed:
        # Alive is who answers: the client, if not told yet, and a HELO.
        if not is_connected(before, says):
            mta.say("CONNECT" if "OPTNEG" in before or "OPTNEG" in says
                    else "OPTNEG")
        mta.say("HELO")
    ended = "closed" if mta.closed else "open"
    if not mta.closed:
        mta.send(packet(b"Q"))
    mta.sock.close()
    return letters or "-", ended


def play_next(endpoint):
    mta = Mta(endpoint)
    ok = all(mta.say(name) for name in ORDER)
    mta.send(packet(b"Q"))
    mta.sock.close()
    return "next" if ok else "NOT SERVED"


def vectors(endpoint, path):
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        ident, before, text, treatment, says = line.split("\t")[:5]
        data = expand(text)
        pieces = [bytes([b]) for b in data] if ident in ONE_BY_ONE else [data]
        answers, ended = play_case(
            endpoint, steps_before(before) + BEFORE_TOO.get(ident, []),
            pieces, says, treatment == "more")
        print("\t".join([ident, answers, ended, play_next(endpoint)]),
              flush=True)


def deaf(endpoint, seconds):
    mta = Mta(endpoint)
    for name in ORDER[:ORDER.index("DATA") + 1]:
        mta.say(name)
    for name in ORDER[ORDER.index("HEADER"):]:
        mta.send(packet(STEPS[name]))
    time.sleep(seconds)
    # Everything that was sent in time is read, then the end is found or not.
    while mta.read(1.0) is not None:
        pass
    print("closed" if mta.closed else "open")


def flood(endpoint, count):
    mta = Mta(endpoint)
    for name in ("OPTNEG", "CONNECT", "HELO"):
        mta.say(name)
    steps = ORDER[ORDER.index("MAIL"):]
    one = b"".join(packet(STEPS[name]) for name in steps)
    owed_in_all = count * sum(name in ANSWERED for name in steps)
    writer = threading.Thread(target=mta.send, args=(one * count,))
    mta.sock.setblocking(True)
    writer.start()
    got = 0
    while got < owed_in_all:
        answer = mta.read(WAIT)
        if answer is None:
            break
        got += answer[:1] == b"c"
    writer.join(WAIT)
    mta.send(packet(b"Q"))
    print("answers %d of %d" % (got, owed_in_all))


def hold(endpoint, count, seconds):
    crowd = [Mta(endpoint) for _ in range(count)]
    for mta in crowd:
        mta.send(packet(OPTNEG))
        mta.send(b"\x00\x00\x01")
    print("held", flush=True)
    time.sleep(seconds)
    for mta in crowd:
        while mta.read(0.01) is not None:
            pass
    print("closed %d" % sum(mta.closed for mta in crowd))


def main():
    modes = {"deaf": deaf, "flood": flood, "hold": hold}
    if sys.argv[2] in modes:
        modes[sys.argv[2]](sys.argv[1], *map(int, sys.argv[3:]))
        return
    if sys.argv[2] == "lists":
        lists(sys.argv[1])
    else:
        vectors(sys.argv[1], sys.argv[3])


main()
