"""postfix - the same three ways through a real Postfix, fed by smtp-source.

One Postfix with an smtpd for each way; what it takes it throws away, so that
delivery costs all ways the same and little.  Once with four children on
libmilter that do nothing, once with four real ones.
"""
import glob
import os
import subprocess
import time

import machine
from figures import Goal, Runs, goal_table, run_table
from stage import Way, wait_for

# The two that change the message stand in a chain, the scanners are free.
REAL = {"opendkim": "chain", "opendmarc": "chain", "clamav": "free",
        "rspamd": "free"}
COLUMNS = [("rate", "messages/s"), ("postfix", "Postfix"),
           ("manager", "sekishod"), ("children", "children"), ("sum", "sum")]
GROUPS = ("postfix", "manager", "children")


class Peers:
    """t/peers/peers.sh, and what it started."""

    def __init__(self, root, work):
        self.script = f"{root}/t/peers/peers.sh"
        self.dir = f"{work}/peers"
        self.env = {**os.environ, "PEERS_DIR": self.dir}
        self.postfixes = 0

    def run(self, *words):
        r = subprocess.run([self.script, *words], env=self.env,
                           stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=150)
        if r.returncode:
            raise SystemExit(f"compare: peers.sh {' '.join(words)}: "
                             f"{r.stdout[-300:]}{r.stderr[-300:]}")
        return dict(line.split("=", 1) for line in r.stdout.split("\n")
                    if "=" in line)

    def packages(self):
        names = subprocess.run([self.script, "packages", "dns", "postfix",
                                *REAL], capture_output=True, text=True)
        return names.stdout.split()

    def pids(self, instance):
        with open(f"{self.dir}/{instance}/pids", encoding="ascii") as f:
            return [int(line.split()[0]) for line in f]

    def postfix(self, ways):
        """A Postfix with a port for each (name, value of smtpd_milters)."""
        self.postfixes += 1
        name = f"postfix{self.postfixes}"
        words = []
        for way, milters in ways.items():
            words += ["--also", f"{way}={milters}"]
        info = self.run("start", "postfix", "--as", name, "--set",
                        "virtual_transport=discard:", "--set",
                        "in_flow_delay=0", *words)
        return Postfix(info, self.pids(name))

    def end(self):
        if os.path.isdir(self.dir):
            self.run("stop-all")


class Postfix:
    def __init__(self, info, pids):
        self.info, self.pids = info, pids

    def is_empty(self):
        queue = f"{self.info['dir']}/queue"
        return not any(glob.glob(f"{queue}/{name}/*")
                       for name in ("incoming", "active", "deferred"))

    def send(self, way, sessions, messages):
        """Seconds until smtp-source got through; it ends at any refusal."""
        begin = time.monotonic()
        r = subprocess.run(
            ["smtp-source", "-s", str(sessions), "-m", str(messages), "-l",
             "4096", "-r", "2", "-f", "anna@sender.test", "-t",
             "bert@rcpt.test", f"127.0.0.1:{self.info['port_' + way]}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=300)
        seconds = time.monotonic() - begin
        if r.returncode:
            raise SystemExit(f"compare: smtp-source ({way}): {r.stderr}")
        return seconds


def measure(postfix, way, manager, children, sessions, messages):
    pids = {"postfix": postfix.pids, "manager": manager, "children": children}
    before = {g: machine.cpu_of(pids[g]) for g in GROUPS}
    seconds = postfix.send(way, sessions, messages)
    wait_for("the queue to be empty", postfix.is_empty)
    out = {g: (machine.cpu_of(pids[g]) - before[g]) / 1e6 / messages
           for g in GROUPS}
    out["sum"] = sum(out[g] for g in GROUPS)
    out["rate"] = messages / seconds
    return out


def interleave(bench, postfix, parties, sessions, messages):
    """parties: way -> (pids of sekishod, pids of the children)."""
    runs = Runs()
    rounds = bench.rounds(5)
    for way in parties:
        postfix.send(way, sessions, sessions)
    for round_ in range(rounds):
        print(f"==> round {round_ + 1} of {rounds}, "
              f"load {machine.load():.1f}", flush=True)
        order = list(parties)
        for way in order if round_ % 2 == 0 else reversed(order):
            runs.add(way, round_, measure(postfix, way, *parties[way],
                                          sessions, messages))
    runs.of = {way: runs.of[way] for way in parties}
    return runs


def table(title, runs):
    goals = [Goal(f"{text}, {way} : direct", way, key, None, 0, "direct")
             for way in ("chain", "free") for text, key in
             (("messages/s", "rate"), ("CPU of everything", "sum"),
              ("CPU of Postfix", "postfix"),
              ("CPU of the children", "children"))]
    return [f"## {title}", "", *goal_table(goals, runs),
            "CPU in ms a message, medians of the rounds", "",
            *run_table(runs, COLUMNS)]


def settings(workers):
    return [f"workers_min = {workers}", f"spare_max = {workers + 50}",
            "sessions_max = 1000000"]


def for_postfix(address):
    """sekishod's and libmilter's spelling to Postfix's."""
    if address.startswith("inet:"):
        port, host = address[5:].split("@")
        return f"inet:{host}:{port}"
    return address


def with_null_children(bench, peers):
    parties, milters = {}, {}
    for name, order in (("direct", None), ("chain", "chain"),
                        ("free", "free")):
        children = [bench.stage.null_child() for _ in range(4)]
        path = bench.stage.new_name(name)
        way = Way(bench.stage, name, children, order, settings(30),
                  listen=f"unix:{path}.sock mode=0666").start()
        milters[name] = " ".join(
            for_postfix(t) for t in way.targets())
        parties[name] = (way.manager_pids(), way.child_pids())
    postfix = peers.postfix(milters)
    runs = interleave(bench, postfix, parties, 20, 300)
    return table("Four children on libmilter that do nothing, "
                 "20 connections", runs)


class Real:
    """A real child, as a way wants its children to be."""

    def __init__(self, info):
        self.address = info["spec"]


def with_real_children(bench, peers):
    peers.run("start", "dns")
    infos = {name: peers.run("start", name) for name in REAL}
    pids = [pid for name in REAL for pid in peers.pids(name)]
    parties = {"direct": ([], pids)}
    milters = {"direct": " ".join(i["milter"] for i in infos.values())}
    for way_name in ("chain", "free"):
        path = bench.stage.new_name(way_name)
        lines = [[f"order = {REAL[n]}"] if way_name == "free" else []
                 for n in REAL]
        way = Way(bench.stage, way_name, [Real(i) for i in infos.values()],
                  "chain", settings(20), milters=lines,
                  listen=f"unix:{path}.sock mode=0666").start()
        milters[way_name] = way.targets()[0]
        parties[way_name] = (way.manager_pids(), pids)
    postfix = peers.postfix(milters)
    runs = interleave(bench, postfix, parties, 8, 60)
    return table("opendkim, opendmarc, clamav, rspamd; 8 connections "
                 "(\"free\": the last two are)", runs)


def missing(packages):
    return [p for p in packages if subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", p], capture_output=True,
        text=True).stdout != "install ok installed"]


def scenario(bench):
    """a real Postfix and smtp-source: children that do nothing, real ones"""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    peers = Peers(root, bench.stage.work)
    title = "a real Postfix, smtp-source, 4 KiB, 2 recipients"
    need = missing(peers.packages())
    if os.geteuid() != 0 or need:
        why = f"not installed: {' '.join(need)}" if need else "root is needed"
        bench.report("postfix", title, [f"Skipped: {why}."])
        return
    try:
        lines = with_null_children(bench, peers)
        lines += with_real_children(bench, peers)
    finally:
        peers.end()
    bench.report("postfix", title, lines)
