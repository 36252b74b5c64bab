"""figures - from the runs of all rounds to ratios, goals and tables.

A cell is the median over the rounds.  A ratio is the median of the ratios of
the rounds, each made of two runs that came one after the other: what else
the machine does changes both.
"""
import statistics

# Key, heading, digits are as many as they are worth.
COLUMNS = [
    ("rate", "messages/s"), ("p50", "p50 ms"), ("p95", "p95 ms"),
    ("p99", "p99 ms"), ("max", "max ms"), ("mta", "MTA"),
    ("manager", "sekishod"), ("children", "children"), ("sum", "sum"),
    ("failed", "errors"),
]


def number(value):
    if value == int(value) or value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


class Runs:
    """figures by way and round."""

    def __init__(self):
        self.of = {}

    def add(self, way, round_, figures):
        self.of.setdefault(way, {})[round_] = figures

    def values(self, way, key):
        return [f[key] for f in self.of.get(way, {}).values()]

    def median(self, way, key):
        return statistics.median(self.values(way, key))

    def ratios(self, way, key, base, base_key):
        out = []
        for round_, figures in self.of.get(way, {}).items():
            other = self.of.get(base, {}).get(round_)
            if other and other[base_key]:
                out.append(figures[key] / other[base_key])
        return sorted(out)


class Goal:
    """What is to be reached: a figure, or a ratio of two."""

    def __init__(self, text, way, key, compare, limit, base=None,
                 base_key=None):
        self.text, self.way, self.key = text, way, key
        self.compare, self.limit = compare, limit
        self.base, self.base_key = base, base_key or key

    def line(self, runs):
        """One row of the table; None when it was not measured."""
        values = (runs.ratios(self.way, self.key, self.base, self.base_key)
                  if self.base else sorted(runs.values(self.way, self.key)))
        if not values:
            return None
        middle = statistics.median(values)
        if self.compare is None:
            goal, verdict = "-", ""
        else:
            goal = f"{self.compare} {number(self.limit)}"
            verdict = "met" if self.is_met(middle) else "missed"
        return (f"| **{middle:.2f}** ({values[0]:.2f}-{values[-1]:.2f}) "
                f"| {goal} | {verdict} | {self.text} |")

    def is_met(self, value):
        if self.compare == ">=":
            return value >= self.limit
        return value < self.limit or (self.compare == "<=" and
                                      value == self.limit)


def goal_table(goals, runs):
    rows = [row for row in (goal.line(runs) for goal in goals) if row]
    if not rows:
        return []
    return ["| median (lowest-highest) | goal | | what |", "|--:|--:|---|---|",
            *rows, ""]


def run_table(runs, columns=COLUMNS):
    """Medians, a row for each way."""
    out = ["| way | " + " | ".join(c[1] for c in columns) + " |",
           "|---|" + "--:|" * len(columns)]
    for way in runs.of:
        cells = [number(runs.median(way, key))
                 if key in next(iter(runs.of[way].values())) else "-"
                 for key, _ in columns]
        out.append(f"| {way} | " + " | ".join(cells) + " |")
    return out + [""]
