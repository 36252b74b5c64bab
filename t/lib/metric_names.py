#!/usr/bin/env python3
"""Prints the metrics that alert rules and dashboards ask for, one a line.

    metric_names.py FILE...

In a .json file the expressions are strings called "expr", "definition" or
"query"; in others every word outside of a comment counts.
"""
import json
import re
import sys


def expressions(node):
    if isinstance(node, list):
        for part in node:
            yield from expressions(part)
    elif isinstance(node, dict):
        for key, part in node.items():
            if key in ("expr", "definition", "query") and isinstance(part, str):
                yield part
            else:
                yield from expressions(part)


def texts(path):
    with open(path, encoding="utf-8") as f:
        if path.endswith(".json"):
            yield from expressions(json.load(f))
        else:
            for line in f:
                yield line.split("#", 1)[0]


names = set()
for path in sys.argv[1:]:
    for text in texts(path):
        names.update(re.findall(r"\bsekisho_\w+", text))
print("\n".join(sorted(names)))
