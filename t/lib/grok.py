#!/usr/bin/env python3
"""Reads grok patterns as Logstash does, as far as etc/grok/sekisho needs it.

    grok.py PATTERNS NAME [FIELD...] <lines

Every line must match %{NAME} from its first to its last byte.  For each, the
fields named are printed, separated by |; a line that does not match is printed
as "NO MATCH: ..." and the exit status is 1.
"""
import re
import sys

USE = re.compile(r"%\{(\w+)(?::(\w+))?(?::(?:int|float))?\}")
CAPTURE = re.compile(r"\(\?<([A-Za-z_]\w*)>")


def load(path):
    patterns = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                name, pattern = line.split(" ", 1)
                patterns[name] = pattern
    return patterns


def expand(patterns, text, names):
    """To a pattern of Python, which wants each capture's name but once."""

    def capture(field):
        names.append(field)
        return f"(?P<f{len(names) - 1}>"

    def use(m):
        inner = expand(patterns, patterns[m.group(1)], names_of_inner)
        return f"{capture(m.group(2))}{inner})" if m.group(2) else f"(?:{inner})"

    names_of_inner = names
    text = CAPTURE.sub(lambda m: capture(m.group(1)), text)
    return USE.sub(use, text)


def main(path, name, *fields):
    patterns = load(path)
    names = []
    pattern = re.compile(expand(patterns, f"%{{{name}}}", names))
    status = 0
    for line in sys.stdin:
        line = line.rstrip("\n")
        m = pattern.fullmatch(line)
        if not m:
            print("NO MATCH:", line)
            status = 1
            continue
        got = {}
        for i, field in enumerate(names):
            if m.group(f"f{i}") is not None:
                got[field] = m.group(f"f{i}")
        print("|".join(got.get(f, "-") for f in fields))
    return status


sys.exit(main(*sys.argv[1:]))
