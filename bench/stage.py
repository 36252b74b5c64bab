"""stage - the parties of a comparison: children, sekishod, MTAs.

A way is how mail takes to its children: "direct" (all of them in the MTA's
own list), "chain" or "free" (behind one sekishod, with that order).  Each way
has children of its own, so that none pays for what another leaves open.
"""
import os
import subprocess
import time

import machine

READY_LIMIT = 120


def wait_for(what, fact, limit=READY_LIMIT):
    end = time.monotonic() + limit
    while not fact():
        if time.monotonic() > end:
            raise SystemExit(f"compare: waited in vain for {what}")
        time.sleep(0.02)


class Stage:
    """Holds what was started and ends it; knows where the programs are."""

    def __init__(self, tools, build, work):
        self.tools, self.build, self.work = tools, build, work
        self.started = []
        self.names = 0
        os.makedirs(f"{work}/spool", mode=0o700, exist_ok=True)

    def tool(self, name):
        return f"{self.tools}/{name}"

    def new_name(self, name):
        self.names += 1
        return f"{self.work}/{self.names}-{name}"

    def start(self, command, log):
        with open(log, "ab") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out)
        self.started.append(process)
        return process

    def stop(self, process, kill=False):
        if process not in self.started:
            return
        self.started.remove(process)
        # libmilter takes five seconds when asked politely; it holds nothing.
        process.kill() if kill else process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def end(self):
        for process in list(self.started):
            self.stop(process, kill=True)

    # -------------------------------------------------------------- children
    def null_child(self, sleep_ms=0):
        """A child on libmilter."""
        name = self.new_name("child")
        process = self.start([self.tool("null_milter"), f"unix:{name}.sock",
                              str(sleep_ms)], f"{name}.log")
        wait_for(name, lambda: os.path.exists(f"{name}.sock"), 10)
        return Child(f"unix:{name}.sock", process)

    def light_child(self):
        name = self.new_name("child")
        process = self.start([self.tool("light_milter"), "1", f"{name}.sock"],
                             f"{name}.log")
        wait_for(name, lambda: "ready" in text_of(f"{name}.log"), 10)
        return Child(f"unix:{name}.sock", process)


class Child:
    def __init__(self, address, process):
        self.address, self.process = address, process

    def cpu(self):
        return machine.cpu_of([self.process.pid])


def text_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


class Way:
    """One way to the same kind of children; start() before use."""

    def __init__(self, stage, name, children, order=None, server=(),
                 extra=(), milters=None, listen=None):
        """extra: lines at the end; milters: lines for each of them."""
        self.stage, self.name, self.children = stage, name, children
        self.order, self.server, self.extra = order, server, extra
        self.milters = milters or [()] * len(children)
        self.listen = listen
        self.process = None

    def start(self):
        """Direct ways have nothing to start."""
        if not self.order:
            return self
        path = self.stage.new_name(self.name)
        self.log = f"{path}.log"
        self.status = f"{path}.status"
        self.address = self.listen or f"unix:{path}.sock"
        with open(f"{path}.conf", "w", encoding="ascii") as f:
            f.write("\n".join(self.settings()) + "\n")
        self.process = self.stage.start(
            [f"{self.stage.build}/sekishod", "-f", "-c", f"{path}.conf"],
            self.log)
        wait_for(self.name, self.is_ready)
        return self

    def settings(self):
        lines = ["[server]", f"listen = {self.address}",
                 f"status = unix:{self.status}",
                 f"spool_directory = {self.stage.work}/spool", *self.server]
        for i, child in enumerate(self.children):
            lines += [f"[milter child{i + 1}]", f"socket = {child.address}",
                      *self.milters[i]]
            if not any(line.startswith("order") for line in self.milters[i]):
                lines.append(f"order = {self.order}")
        return lines + list(self.extra)

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit(f"compare: sekishod ended: {text_of(self.log)}")
        return ": ready\n" in text_of(self.log) and \
            len(self.workers()) >= self.wanted_workers()

    def wanted_workers(self):
        for line in self.server:
            if line.startswith("workers_min"):
                return int(line.split("=")[1])
        return 1

    def stop(self):
        if self.process:
            self.stage.stop(self.process)
            self.process = None

    # ------------------------------------------------------------ its parties
    def targets(self):
        """What the MTA has in its list."""
        if self.order:
            return [self.address.split()[0]]
        return [child.address for child in self.children]

    def workers(self):
        return machine.children_of(self.process.pid) if self.process else []

    def manager_pids(self):
        return [self.process.pid] if self.process else []

    def child_pids(self):
        return [child.process.pid for child in self.children]

    def counters(self, milter):
        """
        What sekishod itself has counted of a milter, {metric: number}; of
        several with the same name that differ by a label, their sum.
        """
        r = subprocess.run([f"{self.stage.build}/sekishoctl", "metrics",
                            "-s", self.status], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, check=True)
        out = {}
        for line in r.stdout.split("\n"):
            if f'milter="{milter}"' in line:
                name, value = line.rsplit(" ", 1)
                name = name.split("{")[0]
                out[name] = out.get(name, 0) + float(value)
        return out

    def settle(self):
        """
        Until sekishod knows of each child that it takes one session after the
        other; on a busy machine one idle second may not be enough to see it.
        """
        def is_known():
            return text_of(self.log).count("takes one session after") >= \
                len(self.children)
        for _ in range(10):
            end = time.monotonic() + 2
            while not is_known() and time.monotonic() < end:
                time.sleep(0.05)
            if is_known():
                return
            self.send()

    # ----------------------------------------------------------------- a load
    def command(self, **options):
        """The load generator's command line."""
        words = [self.stage.tool("sekisho-bench")]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        return words + self.targets()

    def send(self, limit=60, **options):
        """Runs a load; what sekisho-bench says, times in ms."""
        # Its processes end themselves after the limit.
        r = subprocess.run(self.command(limit=limit, **options),
                           stdin=subprocess.DEVNULL, capture_output=True,
                           text=True)
        if not r.stdout:
            raise SystemExit(f"compare: {self.name}: {r.stderr}")
        if r.returncode:
            first = r.stderr.strip().split("\n")[0]
            print(f"    {self.name}: not every message passed; {first}",
                  flush=True)
        return parse_load(r.stdout)

    def measure(self, **options):
        """A load with the CPU of every party, in ms a message."""
        manager = machine.cpu_of(self.manager_pids())
        children = machine.cpu_of(self.child_pids())
        figures = self.send(**options)
        # Nobody says when the last connection is closed on the other side.
        time.sleep(0.05)
        n = max(1, figures["messages"])
        figures["manager"] = (machine.cpu_of(self.manager_pids()) -
                              manager) / 1e6 / n
        figures["children"] = (machine.cpu_of(self.child_pids()) -
                               children) / 1e6 / n
        figures["mta"] = figures["cpu_ns"] / 1e6 / n
        figures["sum"] = sum(figures[k] for k in ("manager", "children", "mta"))
        return figures


def parse_load(line):
    out = {}
    for word in line.split():
        name, value = word.split("=")
        step, _, what = name.rpartition("_")
        if what in ("p50", "p95", "p99", "max") and step:
            out[name] = float(value) / 1e3
            if step == "message":
                out[what] = out[name]
        else:
            out[name] = float(value)
    return out
