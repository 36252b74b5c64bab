#!/usr/bin/env python3
"""tally.py RAW FACTS - the tables of bench/compare.

A cell is the median over the rounds.  A ratio is the median of the ratios of
the rounds, each made of two runs that came one after the other: what else
the machine does changes both.
"""
import re
import statistics
import sys
from collections import defaultdict

# Name, figure of a run, and whether more is better.
RATIOS = [
    ("messages/s", "rate", True),
    ("p50", "p50", False),
    ("p99", "p99", False),
    ("CPU of the MTA's side", "mta", False),
    ("CPU of the children", "children", False),
    ("CPU of everything", "sum", False),
]


def read_runs(path):
    """{(size, connections, n): {way: {round: figures}}}"""
    cells = defaultdict(lambda: defaultdict(dict))
    for line in open(path, encoding="ascii"):
        f = dict(word.split("=", 1) for word in line.split())
        way, n = f["system"].split("-")
        messages = int(f["messages"])
        run = {
            "rate": float(f["rate"]),
            "p50": int(f["p50_us"]) / 1e3,
            "p99": int(f["p99_us"]) / 1e3,
            "mta": float(f["cpu_us"]) / 1e3,
            "manager": int(f["manager_ns"]) / 1e6 / messages,
            "children": int(f["children_ns"]) / 1e6 / messages,
        }
        run["sum"] = run["mta"] + run["manager"] + run["children"]
        cell = (f["size"], int(f["connections"]), int(n))
        cells[cell][way][int(f["round"])] = run
    return cells


def size_name(size):
    return re.sub(r"(\d)([A-Z])", r"\1 \2", size)


def cell_name(cell):
    size, connections, n = cell
    return (f"{size_name(size)}, {connections} conn., "
            f"{n} {'child' if n == 1 else 'children'}")


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def print_medians(cells):
    print("\nMedians; latency in ms, CPU in ms a message\n")
    print("| cell | way | msg/s | p50 | p99 | MTA | sekishod | children "
          "| sum |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for cell, ways in cells.items():
        for way in ("direct", "sekisho"):
            runs = list(ways[way].values())
            row = [number(statistics.median(r[key] for r in runs))
                   for key in ("rate", "p50", "p99", "mta", "manager",
                               "children", "sum")]
            if way == "direct":
                row[4] = "-"
            print(f"| {cell_name(cell)} | {way} | " + " | ".join(row) + " |")


def ratios(ways, key, more_is_better):
    out = []
    for round_, direct in ways["direct"].items():
        sekisho = ways["sekisho"].get(round_)
        if sekisho and direct[key] and sekisho[key]:
            ratio = direct[key] / sekisho[key]
            out.append(1 / ratio if more_is_better else ratio)
    return sorted(out)


def print_ratios(cells):
    print("\nHow many times better with sekishod than without: median of "
          "the rounds\n(lowest to highest); below 1 it is worse\n")
    print("| cell | " + " | ".join(name for name, _, _ in RATIOS) + " |")
    print("|---|" + "--:|" * len(RATIOS))
    for cell, ways in cells.items():
        row = []
        for _, key, more in RATIOS:
            r = ratios(ways, key, more)
            row.append(f"**{statistics.median(r):.2f}** "
                       f"({r[0]:.2f}-{r[-1]:.2f})")
        print(f"| {cell_name(cell)} | " + " | ".join(row) + " |")


def print_facts(path):
    calls, memory = [], []
    for line in open(path, encoding="ascii"):
        kind, name, text = line.rstrip("\n").split("|")
        (calls if kind == "calls" else memory).append((name, text))
    if calls:
        print("\nSystem calls a message, 4 KiB, 1 connection\n")
        print("| way | MTA | sekishod | children |\n|---|--:|--:|--:|")
        for name, text in calls:
            print(f"| {name} | " + " | ".join(text.split()) + " |")
    print("\nIdle workers, median of each kind\n")
    for name, text in memory:
        print(f"* {name}: {text}")


def main():
    cells = read_runs(sys.argv[1])
    print_medians(cells)
    print_ratios(cells)
    print_facts(sys.argv[2])


main()
