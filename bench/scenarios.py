#!/usr/bin/env python3
"""scenarios.py - the named comparisons of bench/compare; see README.md

    scenarios.py TOOLS BUILD RESULTS [--rounds N] [--sessions N] [--quick]
                 [--limits ONE,TEN] SCENARIO...

Started by bench/compare and bench/calls, which build first.
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import machine
import postfix
from figures import Goal, Runs, goal_table, number, run_table
from stage import Stage, Way, parse_load

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MIB = 1024 * 1024


# Seconds after which an idle worker has given back what it does not need, and
# knows whether a milter takes a second session on a connection.
IDLE = 1.5


def say(text):
    print(f"==> {text}", flush=True)


def grown(workers):
    """Settings of a pool that has grown to so many and stays so."""
    return [f"workers_min = {workers}", f"workers_max = {workers + 200}",
            f"spare_max = {workers + 200}", "spare_min = 1",
            "sessions_max = 1000000"]


class Bench:
    """One invocation: the stage, the options, where results go."""

    def __init__(self, options, work):
        self.options = options
        self.stage = Stage(options.tools, options.build, work)
        self.status = 0

    def rounds(self, standard):
        return self.options.rounds or (3 if self.options.quick else standard)

    def ways(self, counts, workers, sleep_ms=0, orders=("chain", "free")):
        """direct, chain and free, each with so many children of its own."""
        out = []
        for n in counts:
            for order in (None, *orders):
                children = [self.stage.null_child(sleep_ms) for _ in range(n)]
                out.append(Way(self.stage, f"{order or 'direct'}-{n}",
                               children, order, grown(workers)).start())
        return out

    def interleave(self, ways, rounds, load, warm=True, between=None):
        """
        Every way once in each round, every other round backwards; between,
        if any, is called in the middle of each round with its number.
        """
        runs = Runs()
        if warm:
            for way in ways:
                way.send(**{**load, "sessions": max(load["concurrency"], 20)})
            time.sleep(IDLE)
        for round_ in range(rounds):
            say(f"round {round_ + 1} of {rounds}, load {machine.load():.1f}")
            for i, way in enumerate(ways if round_ % 2 == 0
                                    else reversed(ways)):
                if between and i == len(ways) // 2:
                    between(round_)
                runs.add(way.name, round_, way.measure(**load))
        # Tables have the order in which the ways were given.
        runs.of = {way.name: runs.of[way.name] for way in ways}
        return runs

    def report(self, name, title, lines):
        """Prints the result and keeps it."""
        text = "\n".join([
            f"# {name}: {title}", "",
            *machine.describe(ROOT),
            f"* load average: {self.load_before:.1f} before, "
            f"{machine.load():.1f} after, our own included",
            f"* repeat with: `bench/compare --scenario {name}`", "", *lines])
        print("\n" + text, flush=True)
        if self.options.results:
            os.makedirs(self.options.results, exist_ok=True)
            with open(f"{self.options.results}/{name}.md", "w",
                      encoding="ascii") as f:
                f.write(text.rstrip() + "\n")

    def run(self, name):
        say(f"scenario {name}: {SCENARIOS[name].__doc__.strip()}")
        self.load_before = machine.load()
        try:
            SCENARIOS[name](self)
        finally:
            self.stage.end()


UNITS = "CPU in ms a message, medians of the rounds; \"sum\" is all three.\n"


def compared(bench, name, title, ways, rounds, load, goals, more=()):
    """The common shape: interleave, goals first, then the table."""
    runs = bench.interleave(ways, rounds, load)
    bench.report(name, title, goal_table(goals, runs) + [UNITS] +
                 run_table(runs) + list(more))
    return runs


# ------------------------------------------------------------ the scenarios
def busy_goals(rate):
    goals = []
    for order in ("chain", "free"):
        way = f"{order}-4"
        goals += [
            Goal(f"messages/s, {order} : direct", way, "rate", ">=", rate,
                 "direct-4"),
            Goal(f"CPU of everything, {order} : direct", way, "sum", "<=",
                 0.65, "direct-4"),
            Goal(f"CPU of sekishod ({order}) : CPU of everything direct",
                 way, "manager", "<=", 0.25, "direct-4", "sum"),
            Goal(f"p50, {order} : direct", way, "p50", None, 0, "direct-4"),
            Goal(f"p99, {order} : direct", way, "p99", None, 0, "direct-4"),
        ]
    return goals


def one_child_goals():
    return [Goal(f"{text}, chain : direct, 1 child", "chain-1", key, None, 0,
                 "direct-1")
            for text, key in (("messages/s", "rate"), ("p50", "p50"),
                              ("CPU of everything", "sum"))]


def busy50(bench):
    """50 connections, 4 KiB, one message a session, 1 and 4 children"""
    compared(bench, "busy50", "50 connections, 4 KiB, 20 headers, "
             "2 recipients, one message a session",
             bench.ways((1, 4), 60), bench.rounds(7),
             {"concurrency": 50, "sessions": 500},
             busy_goals(1.6) + one_child_goals())


def busy500(bench):
    """500 connections, 4 KiB, one message a session, 4 children"""
    compared(bench, "busy500", "500 connections, 4 KiB, 20 headers, "
             "2 recipients, one message a session",
             bench.ways((4,), 520), bench.rounds(5),
             {"concurrency": 500, "sessions": 1500, "limit": 120},
             busy_goals(1.5))


def busy2000(bench):
    """2,000 busy connections without an error, 4 children"""
    why = hold_limits(4000)
    if why:
        bench.report("busy2000", "2,000 busy connections",
                     [f"Skipped: {why}."])
        return
    children = [bench.stage.light_child() for _ in range(4)]
    way = Way(bench.stage, "chain-4", children, "chain", grown(2020)).start()
    runs = bench.interleave([way], bench.rounds(3),
                            {"concurrency": 2000, "sessions": 6000,
                             "limit": 240}, warm=False)
    bench.report("busy2000", "2,000 busy connections, 4 light children",
                 goal_table([Goal("sessions that broke off", "chain-4",
                                  "failed", "<=", 0)], runs) + [UNITS] +
                 run_table(runs))


def quiet(bench):
    """1 connection, 4 KiB, 1 and 4 children"""
    goals = []
    for order in ("chain", "free"):
        goals += [
            Goal(f"p50, {order} : direct, 4 children", f"{order}-4", "p50",
                 "<", 1, "direct-4"),
            Goal(f"messages/s, {order} : direct, 4 children", f"{order}-4",
                 "rate", None, 0, "direct-4"),
            Goal(f"CPU of everything, {order} : direct, 4 children",
                 f"{order}-4", "sum", None, 0, "direct-4"),
        ]
    compared(bench, "quiet", "1 connection, 4 KiB, 20 headers, 2 recipients, "
             "one message a session", bench.ways((1, 4), 8), bench.rounds(9),
             {"concurrency": 1, "sessions": 300}, goals + one_child_goals())


def sleepers(bench):
    """children that sleep 5 ms at MAIL, RCPT and end of message"""
    goals = [
        Goal("p50 in ms, chain: 3 x 5 + 4 x 5 = 35 in theory", "chain-4",
             "p50", "<=", 38.5),
        Goal("p50 in ms, free: 4 x 5 = 20 in theory", "free-4", "p50", "<=",
             22),
        Goal("p50 in ms, direct: 4 x 4 x 5 = 80 in theory", "direct-4", "p50",
             None, 0),
        # A sleep takes longer than it should, in each way alike.
        Goal("p50, chain : direct, 35 : 80 = 0.44 in theory", "chain-4",
             "p50", "<=", 1.1 * 35 / 80, "direct-4"),
        Goal("p50, free : direct, 20 : 80 = 0.25 in theory", "free-4", "p50",
             "<=", 1.1 * 20 / 80, "direct-4"),
    ]
    compared(bench, "sleepers", "4 children that sleep 5 ms at MAIL, each of "
             "2 recipients and end of message; 1 connection, 4 KiB",
             bench.ways((4,), 8, sleep_ms=5), bench.rounds(5),
             {"concurrency": 1, "sessions": 40}, goals)


def worker_memory(way):
    """Median of the workers' own memory, and the largest, KiB."""
    all_ = sorted(machine.own_memory_of(pid) for pid in way.workers())
    return all_[len(all_) // 2], all_[-1]


def large(bench):
    """5 MiB messages, 4 connections, and the workers' memory afterwards"""
    # As many workers as connections: each of them gets large mail.
    ways = bench.ways((4,), 4)
    # A worker's idle size is what small mail leaves.
    for way in ways:
        way.send(concurrency=4, sessions=40)
    time.sleep(IDLE)
    before = {w.name: worker_memory(w) for w in ways if w.order}
    goals = [Goal(f"CPU of sekishod in ms a message, {order}", f"{order}-4",
                  "manager", "<=" if order == "chain" else None, 4)
             for order in ("chain", "free")]
    for order in ("chain", "free"):
        goals += [Goal(f"{text}, {order} : direct", f"{order}-4", key, None,
                       0, "direct-4")
                  for text, key in (("messages/s", "rate"), ("p50", "p50"),
                                    ("CPU of everything", "sum"))]
    floor = {}

    def copy_only(round_):
        r = subprocess.run([bench.stage.tool("copy_floor"), str(5 * MIB), "4",
                            "50"], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, check=True)
        floor[round_] = {"manager": float(r.stdout) / 1e3}

    runs = bench.interleave(ways, bench.rounds(5),
                            {"concurrency": 4, "sessions": 60,
                             "size": 5 * MIB}, between=copy_only)
    runs.of["copy"] = floor
    goals += [Goal("CPU in ms a message of a program that only copies it "
                   "once in and four times out", "copy", "manager", None, 0),
              Goal("CPU of sekishod, chain : of that program", "chain-4",
                   "manager", None, 0, "copy")]
    lines = goal_table(goals, runs)
    del runs.of["copy"]
    time.sleep(IDLE)
    memory = ["Own memory of a worker (without the board), KiB, median "
              "(largest):", ""]
    for way in ways:
        if way.order:
            b, a = before[way.name], worker_memory(way)
            verdict = "met" if a[1] <= b[1] + 16 else "missed"
            memory.append(f"* {way.name}: {b[0]} ({b[1]}) before, "
                          f"{a[0]} ({a[1]}) after; goal: back to its idle "
                          f"size (16 KiB of play): {verdict}")
    bench.report("large", "5 MiB messages, 4 connections, 4 children",
                 lines + [UNITS] + run_table(runs) + memory)


def burst(bench):
    """500 connections at once: a pool of 5 idle workers, and a grown one"""
    children = [bench.stage.null_child() for _ in range(4)]
    small = ["workers_min = 5", "workers_max = 700", "spare_min = 4",
             "spare_max = 5", "sessions_max = 1000000"]
    load = {"concurrency": 500, "sessions": 500, "limit": 60}
    grown_way = Way(bench.stage, "grown", children, "chain", grown(520))
    small_way = Way(bench.stage, "small", children, "chain", small)
    grown_way.start()
    grown_way.send(**load)
    runs = Runs()
    rounds = bench.rounds(7)
    for round_ in range(rounds):
        say(f"round {round_ + 1} of {rounds}, load {machine.load():.1f}")
        ways = [grown_way, small_way]
        for way in ways if round_ % 2 == 0 else reversed(ways):
            if way is small_way:
                small_way.start()
            runs.add(way.name, round_, way.measure(**load))
            if way is small_way:
                small_way.stop()
    for round_, figures in runs.of["small"].items():
        figures["late"] = figures["seconds"] - runs.of["grown"][round_][
            "seconds"]
    goals = [
        Goal("seconds that the small pool takes longer for all 500", "small",
             "late", "<=", 0.2),
        Goal("seconds for all 500, small : grown", "small", "seconds", None,
             0, "grown"),
        Goal("sessions that broke off, small", "small", "failed", "<=", 0),
    ]
    bench.report("burst", "500 connections at once, one message each, "
                 "4 children", goal_table(goals, runs) + [UNITS] +
                 run_table(runs) +
                 [f"* {way}: {runs.median(way, 'seconds'):.2f} s for all, "
                  f"median session {runs.median(way, 'session_p50'):.0f} ms"
                  for way in runs.of])


def spared(bench):
    """a condition spares one of 4 children for 80 % of the sessions"""
    load = {"concurrency": 8, "sessions": 500, "stranger": 5}
    condition = "when = client_addr in 198.51.100.0/24"
    each = "reuse = no"     # else connections are not counted by sessions
    ways = []
    for name, lines in (("all", ()), ("spared", (condition,))):
        children = [bench.stage.null_child() for _ in range(4)]
        ways.append(Way(bench.stage, name, children, "chain", grown(12),
                        milters=[(each,)] * 3 + [(each, *lines)]).start())
    for way in ways:
        way.send(**load)
    runs = Runs()
    rounds = bench.rounds(5)
    for round_ in range(rounds):
        say(f"round {round_ + 1} of {rounds}, load {machine.load():.1f}")
        for way in ways if round_ % 2 == 0 else reversed(ways):
            last = way.children[3]
            cpu, counted = last.cpu(), way.counters("child4")
            figures = way.measure(**load)
            figures["child_cpu"] = (last.cpu() - cpu) / 1e6 / \
                figures["messages"]
            for name, value in way.counters("child4").items():
                figures[name] = value - counted.get(name, 0)
            runs.add(way.name, round_, figures)
    goals = [
        Goal("messages the spared child was asked about : asked always",
             "spared", "sekisho_milter_messages_total", "<=", 0.25, "all"),
        Goal("connections of the spared child : asked always", "spared",
             "sekisho_milter_connects_total", "<=", 0.25, "all"),
        Goal("CPU of the spared child : asked always", "spared", "child_cpu",
             "<=", 0.25, "all"),
        Goal("CPU of everything, spared : asked always", "spared", "sum",
             None, 0, "all"),
        Goal("messages/s, spared : asked always", "spared", "rate", None, 0,
             "all"),
    ]
    bench.report("spared", "a condition on the client's address spares the "
                 "last of 4 children for 80 % of the sessions; "
                 "8 connections", goal_table(goals, runs) +
                 ["Counters of sekishod for that child, a round:", "",
                  *[f"* {way}: {text} " + number(runs.median(way, name))
                    for way in runs.of
                    for text, name in (
                        ("asked about messages",
                         "sekisho_milter_messages_total"),
                        ("spared messages", "sekisho_milter_skipped_total"),
                        ("connections", "sekisho_milter_connects_total"))],
                  ""] + [UNITS] + run_table(runs))


# ------------------------------------------------------------- system calls
def strace_calls(bench, way, sessions, messages):
    """({call: a message}, sum) of all workers."""
    calls = machine.count_by_strace(
        way.workers(), lambda: way.send(sessions=sessions, messages=messages),
        bench.stage.new_name("strace"))
    n = sessions * messages
    return {k: v / n for k, v in calls.items()}, sum(calls.values()) / n


def perf_calls(way, sessions, messages):
    """Calls a message of the manager, the children and the MTA."""
    n = sessions * messages
    load = {"sessions": sessions, "messages": messages}
    out = {"mta": None, "manager": 0, "children": None}
    out["children"] = machine.count_by_perf(
        way.child_pids(), lambda: way.send(**load)) / n
    if way.order:
        out["manager"] = machine.count_by_perf(
            way.workers(), lambda: way.send(**load)) / n
    r = subprocess.run(["perf", "stat", "-x,", "-e",
                        "raw_syscalls:sys_enter", *way.command(**load)],
                       stdin=subprocess.DEVNULL, capture_output=True,
                       text=True)
    out["mta"] = int(r.stderr.strip().split("\n")[-1].split(",")[0]) / n
    out["sum"] = sum(out.values())
    return out


def calls_by_name(by_messages):
    names = sorted({k for calls, _ in by_messages.values() for k in calls},
                   key=lambda k: -by_messages[1][0].get(k, 0))
    out = ["| call | one message a session | ten |", "|---|--:|--:|"]
    for name in names:
        out.append(f"| {name} | " + " | ".join(
            number(by_messages[m][0].get(name, 0)) for m in (1, 10)) + " |")
    return out + [""]


def calls(bench):
    """system calls a message: one and ten messages a session, 4 children"""
    limits = [float(x) for x in bench.options.limits.split(",")]
    orders = ("chain",) if bench.options.quick else ("chain", "free")
    # All on one CPU: who runs when, and so how many answers one read finds,
    # is then the same each time, however busy the machine is.
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cpus)})
    ways = bench.ways((4,), 4, orders=orders)
    for way in ways:
        way.send(sessions=40)
        if way.order:
            way.settle()
    lines = ["Workers under strace, all on one CPU; a worker then finds "
             "several answers in one", "read, so this is a lower bound.", ""]
    table = ["| system calls a message | limit | | what |", "|--:|--:|---|---|"]
    names = []
    for way in ways[1:]:
        found = {m: strace_calls(bench, way, 100 // m, m) for m in (1, 10)}
        for m, limit in zip((1, 10), limits):
            good = found[m][1] <= limit
            bench.status |= not good and way.order == "chain"
            table.append(f"| **{found[m][1]:.1f}** | {limit:.0f} | "
                         f"{'met' if good else 'missed'} | order {way.order}, "
                         f"{m} message{'s' if m > 1 else ''} a session |")
        names += [f"By name, order {way.order}:", "",
                  *calls_by_name(found)]
    more = []
    os.sched_setaffinity(0, cpus)
    if not bench.options.quick and machine.has_perf():
        ways = bench.ways((4,), 4, orders=orders)
        for way in ways:
            way.send(sessions=40)
            if way.order:
                way.settle()
        more = ["Counted by perf, at full speed on all CPUs:", "",
                "| way, messages a session | sum : direct | MTA | sekishod | "
                "children | sum |", "|---|--:|--:|--:|--:|--:|"]
        for m in (1, 10):
            direct = None
            for way in ways:
                c = perf_calls(way, 200 // m, m)
                direct = direct or c["sum"]
                more.append(f"| {way.name}, {m} | "
                            f"**{c['sum'] / direct:.2f}** | " + " | ".join(
                                number(c[k]) for k in
                                ("mta", "manager", "children", "sum")) + " |")
        more.append("")
    bench.report("calls", "system calls of sekishod a message; 4 libmilter "
                 "children, 4 KiB, 20 headers, 2 recipients, unix sockets, "
                 "1 connection", table + [""] + lines + more + names)


# ------------------------------------------------------------- held sessions
def hold_limits(sessions):
    """Why this machine cannot hold so many, or None."""
    import resource
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if sessions + 100 > soft:
        return f"a child needs {sessions + 100} descriptors, {soft} are allowed"
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as f:
        pids = int(f.read())
    users = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    if users != resource.RLIM_INFINITY:
        pids = min(pids, users)
    if sessions + 2000 > pids:
        return f"{sessions + 2000} processes are needed, {pids} allowed"
    if sessions * 300 > machine.meminfo():
        return f"{sessions * 300 // MIB} GiB of memory are needed"
    return None


def sum_memory(pids):
    out = {}
    for pid in pids:
        try:
            for word, value in machine.memory_of(pid).items():
                out[word] = out.get(word, 0) + value
        except OSError:
            continue
    return out


def hold(bench):
    """10,000 sessions held by as many workers, 4 connected children each"""
    n = bench.options.sessions or (1000 if bench.options.quick else 10000)
    active = 100
    why = hold_limits(n)
    if why:
        bench.report("hold", f"{n} held sessions", [f"Skipped: {why}."])
        return
    children = [bench.stage.light_child() for _ in range(4)]
    workers = n + active + 8
    way = Way(bench.stage, "hold", children, "chain",
              ["mta_timeout = 1h", *grown(workers)])
    before = machine.meminfo()
    way.start()
    pool = machine.meminfo()
    holder = subprocess.Popen(way.command(hold=n, limit=900),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    try:
        held = parse_load(holder.stdout.readline())
        time.sleep(3)  # after a second of silence workers give memory back
        full = machine.meminfo()
        # Each of them says HELO about every second.
        helo = way.send(concurrency=active, sessions=active, messages=0,
                        helos=20, pause=1000, limit=120)
        worker = sum_memory(way.workers())
        fixture = sum_memory(machine.tree(holder.pid) +
                             [p for c in children
                              for p in machine.tree(c.process.pid)])
    finally:
        holder.stdin.close()
        try:
            holder.wait(60)
        except subprocess.TimeoutExpired:
            holder.kill()
    rows = ["| what | goal | | |", "|--:|--:|---|---|"]

    def row(value, goal, text, unit):
        rows.append(f"| **{value:.1f}** | <= {goal} | "
                    f"{'met' if value <= goal else 'missed'} | {text}, "
                    f"{unit} |")

    row((before - full - fixture.get("Pss", 0)) / n, 200,
        "system memory for a session without the fixture's own pages", "KiB")
    row(held["failed"] + helo["failed"], 0, "sessions that broke off", "number")
    row(helo["helo_p99"], 10, f"p99 of a HELO exchange, {active} active "
        f"(one a second each)", "ms")
    bench.report("hold", f"{n} sessions held after RCPT, {workers} workers, "
                 "4 connected children each", rows + ["", *[
                     f"* {text}: {value / n:.1f} KiB a session"
                     for text, value in (
                         ("system memory, the fixture's pages included",
                          before - full),
                         ("of that the idle pool", before - pool),
                         ("PSS of the workers", worker.get("Pss", 0)),
                         ("private dirty of the workers",
                          worker.get("Private_Dirty", 0)),
                         ("page tables of the workers",
                          worker.get("VmPTE", 0)),
                         ("PSS of the fixture (MTAs and children)",
                          fixture.get("Pss", 0)))],
                     f"* HELO: p50 {helo['helo_p50']:.2f} ms, "
                     f"p95 {helo['helo_p95']:.2f}, max {helo['helo_max']:.1f}"
                 ])


SCENARIOS = {
    "calls": calls, "busy50": busy50, "busy500": busy500, "quiet": quiet,
    "sleepers": sleepers, "large": large, "hold": hold, "burst": burst,
    "spared": spared, "busy2000": busy2000, "postfix": postfix.scenario,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tools")
    parser.add_argument("build")
    parser.add_argument("--results")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--limits", default="100,80")
    parser.add_argument("scenario", nargs="+", choices=SCENARIOS)
    options = parser.parse_args()
    # Whoever tells us to stop wants what we started to stop as well.
    for number_ in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number_, lambda *_: sys.exit("compare: told to stop"))
    # Others (nobody, the peers) must be able to reach the sockets in it.
    work = tempfile.mkdtemp(prefix="sekisho-bench.", dir="/tmp")
    os.chmod(work, 0o755)
    bench = Bench(options, work)
    try:
        for name in options.scenario:
            bench.run(name)
    finally:
        bench.stage.end()
        shutil.rmtree(work, ignore_errors=True)
    return bench.status


if __name__ == "__main__":
    sys.exit(main())
