#!/usr/bin/env python3
"""tally.py - do the board's counters say what MTA and children have seen?

    tally.py NUMBERS MTA.json NAME=CHILD.log ...

NUMBERS is what the request `numbers` gave.  Prints one line for each counter
that says something else than the one it counts, and a last line
"compared N, sum S": so many counters were compared; S is "right" when
messages begun are the sum of all outcomes.
"""
import collections
import json
import re
import sys

STAGES = {"connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body",
          "eom", "unknown"}
ANSWERS = {"continue", "accept", "reject", "tempfail", "discard", "skip"}


def read_numbers(path):
    """{("counter", "messages"): 5, ("answer", "one", "eom", "continue"): ...}"""
    out = collections.Counter()
    for line in open(path):
        words = line.split()
        if words[0] in ("counter", "verdict", "milter", "answer"):
            out[tuple(words[:-1])] = int(words[-1])
        elif words[0] == "latency":
            out[("latencies", words[1], words[2])] = int(words[4])
        elif words[0] == "wait":
            out[("waits", words[1])] = int(words[3])
    return out


def read_child(name, path):
    """What a child answered, as it wrote it down itself."""
    seen, stage = collections.Counter(), {}
    for line in open(path, encoding="latin-1"):
        match = re.match(r"(s\d+)(?: m\d+)? (> )?(\S+) ?(\S*)", line)
        if not match:
            continue
        key, answer, word, rest = match.groups()
        if answer and word == "reply":
            word = "reject" if rest.strip('"')[:1] == "5" else "tempfail"
        if answer and word in ANSWERS and key in stage:
            seen[("answer", name, stage[key], word)] += 1
            seen[("latencies", name, stage[key])] += 1
        elif not answer and word in STAGES:
            stage[key] = word
            if word == "mail":
                seen[("milter", name, "applied")] += 1
        elif not answer and word == "open":
            seen[("milter", name, "connects")] += 1
        elif answer and word == "quarantine":
            seen[("milter", name, "quarantined")] += 1
    return seen


def read_mta(path):
    seen = collections.Counter()
    for line in open(path):
        if line[:1] != "{":
            continue
        m = json.loads(line)
        begun = any(s["stage"] == "mail" for s in m["stages"])
        seen[("counter", "messages")] += begun
        # All recipients refused: the MTA takes the message back.
        if m["verdict"] == "reject" and m["stage"] == "rcpt":
            seen[("outcome", "abort")] += 1
        elif m["verdict"] != "failure":
            seen[("outcome", m["verdict"])] += 1
        for s in m["stages"]:
            if s["stage"] != "rcpt" or s["answer"] == "none":
                continue
            good = s["answer"] == "continue"
            seen[("counter", "recipients" if good else
                  "recipients_refused")] += 1
            if s["answer"] == "discard":
                break  # of the message: the rest is not counted
    return seen


def main():
    have = read_numbers(sys.argv[1])
    want = read_mta(sys.argv[2])
    names = []
    for pair in sys.argv[3:]:
        name, _, path = pair.partition("=")
        names.append(name)
        want.update(read_child(name, path))
    for key in list(have):
        if key[0] == "verdict":
            have[("outcome", key[2])] += have[key]
    keys = set(want) | {k for k in have if k[0] == "answer" and k[1] in names}
    for key in sorted(keys):
        if have[key] != want[key]:
            print(" ".join(key), "is", have[key], "and should be", want[key])
    total = sum(n for k, n in have.items() if k[0] == "outcome")
    begun = have[("counter", "messages")]
    print("compared %d, sum %s" % (len(keys), "right" if total == begun else
                                   "%d of %d" % (total, begun)))


main()
