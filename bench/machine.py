"""machine - what the machine says about processes: CPU, memory, system calls.

CPU comes from the clocks that the scheduler keeps for each process, ended
threads included, in nanoseconds.  What a process has reaped is in ticks of
10 ms, rounded once for all of it.
"""
import datetime
import os
import platform
import re
import shutil
import signal
import subprocess
import time

TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


def tree(pid):
    """The process and all below it."""
    out = [pid]
    for child in children_of(pid):
        out += tree(child)
    return out


def clock_of(pid):
    """CPU time of a process so far, in ns: what clock_getcpuclockid() gives."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def reaped_by(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(") ")[2].split()
    return (int(fields[13]) + int(fields[14])) * TICK


def cpu_of(roots):
    """CPU time of these processes and all below them, in ns."""
    for _ in range(100):
        try:
            return sum(clock_of(pid) + reaped_by(pid)
                       for root in roots for pid in tree(root))
        except (OSError, ProcessLookupError):
            continue  # one went while we read: its time is its parent's now
    raise SystemExit("compare: processes come and go too fast to be read")


def memory_of(pid):
    """PSS, private dirty and page tables of one process, KiB."""
    out = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        for line in f:
            if line.startswith(("Pss:", "Private_Dirty:")):
                out[line.split(":")[0]] = int(line.split()[1])
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmPTE:"):
                out["VmPTE"] = int(line.split()[1])
    return out


def own_memory_of(pid):
    """Private dirty memory but for the shared board, KiB."""
    total, is_board = 0, False
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
        for line in f:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                is_board = "/memfd:" in line
            elif line.startswith("Private_Dirty:") and not is_board:
                total += int(line.split()[1])
    return total


def meminfo(word="MemAvailable"):
    with open("/proc/meminfo", encoding="ascii") as f:
        for line in f:
            if line.startswith(word + ":"):
                return int(line.split()[1])
    return 0


# ------------------------------------------------------------- system calls
def has_perf():
    """Can perf count system calls here?"""
    if not shutil.which("perf"):
        return False
    r = subprocess.run(["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter",
                        "true"], capture_output=True, text=True)
    return r.returncode == 0 and bool(re.match(r"\d+,", r.stderr))


def stop_tracer(tracer):
    tracer.send_signal(signal.SIGINT)
    try:
        return tracer.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        tracer.kill()
        raise SystemExit("compare: the tracer does not end")


def count_by_perf(pids, work):
    """System calls of the processes while work() runs; they stay fast."""
    tracer = subprocess.Popen(
        ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p",
         ",".join(map(str, pids)), "--control", "fd:0,1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    for word in ("disable", "enable"):  # answered: then it is attached
        tracer.stdin.write(word + "\n")
        tracer.stdin.flush()
        tracer.stdout.readline()
    work()
    _, err = stop_tracer(tracer)
    m = re.search(r"^(\d+),", err, re.M)
    return int(m.group(1)) if m else None


def count_by_strace(pids, work, path):
    """{call: how often}; a traced process is slow, which changes a little."""
    args = ["strace", "-f", "-c", "-o", path]
    for pid in pids:
        args += ["-p", str(pid)]
    tracer = subprocess.Popen(args, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
    seen = 0
    while seen < len(pids):
        line = tracer.stderr.readline()
        if not line:
            raise SystemExit("compare: strace cannot attach")
        seen += " attached" in line
    work()
    stop_tracer(tracer)
    return read_strace(path)


def read_strace(path):
    calls = {}
    with open(path, encoding="ascii", errors="replace") as f:
        for line in f:
            words = line.split()
            if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
                calls[words[-1]] = calls.get(words[-1], 0) + int(words[3])
    return calls


# ---------------------------------------------------------------- describing
def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        m = re.search(r"^model name\s*:\s*(.*)$", f.read(), re.M)
    return m.group(1) if m else platform.machine()


def call_cost():
    """An empty system call in microseconds of CPU: machines differ most here."""
    begin = time.process_time_ns()
    for _ in range(100000):
        os.getppid()
    return (time.process_time_ns() - begin) / 1e8


def load():
    return os.getloadavg()[0]


def describe(root):
    """The machine, the day and the source, a line each."""
    version = subprocess.run(
        ["git", "-C", root, "describe", "--always", "--dirty"],
        capture_output=True, text=True).stdout.strip()
    return [
        f"* machine: {os.cpu_count()} x {cpu_model()}, "
        f"{meminfo('MemTotal') // 1048576 + 1} GiB, "
        f"Linux {platform.release().split('-')[0]} {platform.machine()}",
        f"* an empty system call: {call_cost():.2f} us",
        f"* date: {datetime.date.today()}, source: {version or 'unknown'}",
    ]
