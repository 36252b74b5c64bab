#!/usr/bin/env python3
"""account.py - what became of every message, from three sides

    account.py MTA.json SEKISHOD.log NAME=CHILD.log ...

MTA.json is what `sekisho-mta --json` printed; each child adds a header
X-NAME to what it lets pass.  Prints one fact a line, "word number":

    messages     the MTA tried to send
    accept, reject, tempfail, discard, quarantine, failure
                 what it was told; failure: the connection ended
    lines        about messages in sekishod's log
    lost, abort  of those, with that verdict
    missing      more messages were begun than there are lines, or fewer
    unaccounted  told a verdict, but the log has no line about it
    differ       the line tells another verdict than the MTA got
    doubled      two lines about one message
    unfiltered   accepted, but some child never let it pass, and the line
                 does not say passed_without
    halfway      accepted without a child's header, or with one twice, or
                 edits with a refusal
    twice        a child gave its final word on one message twice
"""
import collections
import json
import re
import sys

FINAL = {"continue", "accept", "reject", "tempfail", "reply", "discard"}


class Child:
    """What one child said at the end of each message, by queue id."""

    def __init__(self, path):
        self.words = collections.defaultdict(list)
        self.sessions = {}
        for line in open(path, encoding="latin-1"):
            self.hear(line.rstrip("\n"))

    def hear(self, line):
        match = re.match(r"(s\d+)(?: m\d+)? (.*)", line)
        if not match:
            return
        key, what = match.groups()
        # A restarted child counts its connections from one again.
        if what == "open" or what.startswith("mail "):
            self.sessions[key] = [None, False]
            return
        state = self.sessions.setdefault(key, [None, False])
        found = re.match(r"macro .*\bi=(\S+)", what)
        if found:
            state[0] = found.group(1)
        elif what.startswith("eom "):
            state[1] = True
        elif what.startswith("> ") and state[1]:
            word = what.split()[1]
            if word in FINAL:
                self.words[state[0]].append(word)
                state[1] = False


def read_lines(path):
    """The log's lines about messages: queue id and verdict, passed_without."""
    out = []
    for line in open(path, encoding="latin-1"):
        match = re.search(r"\]: (\S+): from=.* verdict=([a-z]+)", line)
        if not match:
            continue
        without = re.search(r" passed_without=(\S+)", line)
        out.append((match.group(1), match.group(2),
                    without.group(1).split(",") if without else []))
    return out


def is_begun(message):
    """Was MAIL answered, so that sekishod must know of it?"""
    return any(s["stage"] == "mail" and s["answer"] != "none"
               for s in message["stages"])


def edits_of(message):
    names = [e["name"] for e in message["edits"] if e["edit"] == "addheader"]
    return collections.Counter(names)


def main():
    messages = [json.loads(x) for x in open(sys.argv[1]) if x[:1] == "{"]
    lines = read_lines(sys.argv[2])
    children = {}
    for pair in sys.argv[3:]:
        name, _, path = pair.partition("=")
        children[name] = Child(path)

    told = collections.Counter(m["verdict"] for m in messages)
    by_id = collections.defaultdict(list)
    for ident, verdict, without in lines:
        if ident != "NOQUEUE":
            by_id[ident].append((verdict, without))
    facts = collections.Counter()
    for m in messages:
        about = by_id.get(m["queue_id"], [])
        if m["verdict"] != "failure" and is_begun(m):
            had_rcpt = any(s["stage"] == "rcpt" and s["answer"] == "continue"
                           for s in m["stages"])
            # Postfix knows the queue id from the first good recipient on.
            if had_rcpt and any(s["stage"] == "data" for s in m["stages"]):
                facts["unaccounted"] += not about
                facts["differ"] += any(v not in (m["verdict"], "lost")
                                       for v, _ in about)
        # The end of the message was answered; what broke came behind it.
        if m["verdict"] == "failure" and any(
                s["stage"] == "eom" and s["answer"] not in ("none", "not sent")
                for s in m["stages"]):
            continue
        if m["verdict"] not in ("accept", "quarantine"):
            facts["halfway"] += bool(m["edits"])
            continue
        without = about[0][1] if about else []
        edits = edits_of(m)
        for name, child in children.items():
            if name in without:
                facts["halfway"] += edits["X-" + name] != 0
                continue
            words = child.words.get(m["queue_id"], [])
            facts["unfiltered"] += not any(w in ("continue", "accept")
                                           for w in words)
            facts["halfway"] += edits["X-" + name] != 1
    facts["doubled"] = sum(len(v) > 1 for v in by_id.values())
    facts["twice"] = sum(len(w) > 1 for c in children.values()
                         for w in c.words.values())
    begun = sum(is_begun(m) for m in messages)
    facts["missing"] = (max(0, begun - len(lines)) +
                        max(0, len(lines) - len(messages)))

    print("messages", len(messages))
    for word in ("accept", "reject", "tempfail", "discard", "quarantine",
                 "failure"):
        print(word, told[word])
    print("lines", len(lines))
    for word in ("lost", "abort"):
        print(word, sum(v == word for _, v, _ in lines))
    for word in ("missing", "unaccounted", "differ", "doubled", "unfiltered",
                 "halfway", "twice"):
        print(word, facts[word])


main()
