#!/usr/bin/env python3
"""`swim agent` and HashiCorp's `serf agent` side by side: the same doings, one table.

    cargo build --profile dist
    scripts/compare_serf.py [--quick] [--only serf|swim] [--steps idle stuck ...]

Four agents of one kind on loopback addresses, then four of the other, default LAN profiles, driven by their own commands. Needs
Debian's package `serf`, which it installs where it may. Linux only; Python 3.8 and no packages. Ends what it started and
nothing else, by process id. Figures are median and worst of several times; a command's time has its start in it.
"""
import argparse
import json
import os
import re
import secrets
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from serf_and_swim import STARTED, Done, Process, Serf, Swim


def until(condition, limit=60, step=0.1):
    end = time.monotonic() + limit
    while True:
        found = condition()
        if found or time.monotonic() > end:
            return found
        time.sleep(step)


def need(what, condition, limit=90):
    if not until(condition, limit):
        raise RuntimeError(f"{what}: not within {limit} s")


def span(values, unit="s", digits=2):
    """Median and worst; None is what did not happen."""
    known = [value for value in values if value is not None]
    if not known:
        return f"never ({len(values)} times)"
    never = f", {len(values) - len(known)} never" if len(known) < len(values) else ""
    return f"{statistics.median(known):.{digits}f} {unit} (worst {max(known):.{digits}f}, {len(values)} times{never})"


class Comparison:
    """One kind's column."""

    def __init__(self, kind, quick):
        self.kind, self.quick, self.column, self.agents = kind, quick, {}, {}
        self.times = 2 if quick else 7

    def row(self, what, reached):
        self.column[what] = reached
        print(f"  {what}: {reached}", flush=True)

    STEPS = ["idle", "queries", "events", "hangup", "crash", "terminate", "force_leave", "prune", "stuck", "stop"]

    def marks(self, index):
        directory = self.kind.directory
        path = os.path.join(directory, f"{self.kind.name}-{index}")
        return [f"user:{name}=date +%s.%N >> {path}-{name}" for name in ("small", "big")] + ["query:load=echo 0.7"]

    def launch(self, index, join=None, handlers=None):
        """Starts one, and waits until it is in and all others know that."""
        at = time.monotonic()
        self.agents[index] = self.kind.start(index, join, self.marks(index) if handlers is None else handlers)
        need(f"n{index} is in", lambda: self.alive(index))
        return time.monotonic() - at

    def afresh(self, handlers=None):
        """Four new ones; these handlers are n1's."""
        for index in list(self.agents):
            self.end(index)
        self.launch(1, None, handlers)
        for index in (2, 3, 4):
            self.launch(index, 1)

    def alive(self, index):
        mine = self.kind.states(self.agents[index])
        return mine is not None and all(
            mine.get(f"n{other}") == "alive" and (self.kind.states(agent) or {}).get(f"n{index}") == "alive"
            for other, agent in self.agents.items())

    def end(self, index, how=signal.SIGKILL):
        return self.agents.pop(index).end(how)

    def others(self, index):
        return [agent for other, agent in self.agents.items() if other != index]

    def run(self, steps):
        print(f"{self.kind.name}:", flush=True)
        self.afresh()
        for step in steps:
            try:
                getattr(self, step)()
            except (RuntimeError, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
                self.row(f"{step} went wrong", f"{type(error).__name__}: {error}")

    def idle(self):
        settle, measured = (3, 5) if self.quick else (60, 60)
        time.sleep(settle)
        before = [cpu(agent) for agent in self.agents.values()]
        time.sleep(measured)
        spent = [(cpu(agent) - b) * 60 / measured for agent, b in zip(self.agents.values(), before)]
        sizes = [memory(agent) for agent in self.agents.values()]
        self.row(f"resident memory, idle for {settle + measured} s", span([s[0] for s in sizes], "MiB"))
        self.row("of it not shared with others (PSS)", span([s[1] for s in sizes], "MiB"))
        self.row("processor time, idle", span(spent, "ms a minute", 0))
        self.row("threads", str(max(s[2] for s in sizes)))
        self.row("binary, stripped", f"{stripped(self.kind.binary, self.kind.directory):.1f} MiB")

    def queries(self):
        returned, last, reached = [], [], []
        for _ in range(self.times):
            at = time.monotonic()
            asker = Process([self.kind.binary, *self.kind.query, "load"],
                            {self.kind.variable: f"{self.kind.host(1)}:7373"})
            asker.process.wait(60)
            returned.append(time.monotonic() - at)
            asker.reader.join(10)
            answers = [when for when, line in asker.lines if re.search(r"(?i)0\.7", line)]
            last.append(max(answers) - at if len(answers) == 4 else None)
            reached.append(self.kind.run(self.agents[1], "reachability").took)
        self.row("query answered by all 4: the command returns", span(returned))
        self.row("its last answer came after", span(last))
        self.row("reachability returns", span(reached))

    def events(self):
        for name, payload, limit in (("small", "abc123", 20), ("big", secrets.token_hex(1350), 75)):
            took, code = [], 0
            for _ in range(self.times if name == "small" else 1 if self.quick else 3):
                took.append(self.one_event(name, payload, 10 if self.quick else limit))
                if took[-1] is None:
                    code = self.code
            told = f" (exit code {code})" if None in took else ""
            self.row(f"event of {len(payload):,} bytes: all 4 have run their handlers", span(took) + told)

    def one_event(self, name, payload, limit):
        paths = [os.path.join(self.kind.directory, f"{self.kind.name}-{i}-{name}") for i in (1, 2, 3, 4)]
        had = [len(read(path)) for path in paths]
        at = time.time()
        self.code = self.kind.run(self.agents[1], *self.kind.event, name, payload).code
        if not until(lambda: all(read(path)[n:].endswith("\n") for path, n in zip(paths, had)), limit, 0.02):
            return None
        return max(float(read(path)[n:].split()[0]) for path, n in zip(paths, had)) - at

    def hangup(self):
        kept = 0
        for _ in range(self.times):
            need("metadata is set", lambda: self.kind.run(self.agents[2], *self.kind.meta).code == 0)
            need("it is known", lambda: "canary" in self.kind.run(self.agents[2], *self.kind.list).text)
            self.agents[2].process.send_signal(signal.SIGHUP)
            time.sleep(1)
            kept += "canary" in self.kind.run(self.agents[2], *self.kind.list).text
        self.row("SIGHUP: metadata set at run time is kept", f"{kept} of {self.times} times")

    def crash(self):
        first, everywhere = [], []
        for _ in range(self.times):
            at = time.monotonic()
            self.end(4)
            died = self.kind.died.format("n4")
            until(lambda: all(agent.when(died, at) for agent in self.others(4)), 90, 0.1)
            seen = [agent.when(died, at) for agent in self.others(4)]
            first.append(min((when - at for when in seen if when), default=None))
            everywhere.append(None if None in seen else max(seen) - at)
            self.launch(4, 1)
        self.row("kill -9: dead at the first", span(first))
        self.row("kill -9: dead at all 3", span(everywhere))

    def terminate(self):
        took, codes, seen, known = [], set(), set(), []
        for _ in range(self.times):
            at = time.monotonic()
            ended, code = self.end(4, signal.SIGTERM)
            took.append(ended)
            codes.add(code)
            state = until(lambda: self.state_of(4, ("left", self.kind.dead)), 60)
            known.append(time.monotonic() - at)
            seen.add(str(state))
            self.launch(4, 1)
        self.row("SIGTERM: exit code", " and ".join(map(str, sorted(codes))))
        self.row("SIGTERM: it has ended", span(took))
        self.row("SIGTERM: what others call it, and when", f"{' or '.join(sorted(seen))}, {span(known)}")

    def state_of(self, index, states):
        """What n1 calls a member, if it is one of these."""
        state = (self.kind.states(self.agents[1]) or {}).get(f"n{index}")
        return state if state in states else None

    def force_leave(self):
        if not self.has_force_leave():
            self.row("force-leave of a dead member", "not in this build")
            return
        took, blocked, after = [], [], set()
        for _ in range(2 if self.quick else 3):
            at = time.monotonic()
            self.end(4)
            need("n4 is dead", lambda: all(a.when(self.kind.died.format("n4"), at) for a in self.others(4)))
            done, waits = self.while_listing(lambda: self.kind.run(self.agents[1], "force-leave", "n4"))
            took.append(done.took if done.code == 0 else None)
            blocked.append(max(waits))
            time.sleep(1)
            after.add(str((self.kind.states(self.agents[2]) or {}).get("n4", "gone")))
            self.launch(4, 1)
        self.row("force-leave of a dead member: the command returns", span(took))
        self.row("the longest that `members` took on the others then", span(blocked))
        self.row("what it is then", " or ".join(sorted(after)))

    def prune(self):
        if not self.has_force_leave():
            self.row("force-leave and prune of a live member", "not in this build")
            return
        took, blocked, back = [], [], []
        for _ in range(1 if self.quick else 3):
            self.afresh()
            done, waits = self.while_listing(lambda: self.kind.run(self.agents[1], "force-leave", self.kind.prune, "n4"))
            took.append(done.took if done.code == 0 else None)
            blocked.append(max(waits))
            at = time.monotonic()
            back.append(time.monotonic() - at if until(lambda: self.alive(4), 30) else None)
        self.row("prune of a live member: the command returns", span(took))
        self.row("the longest that `members` took on the others, a live one pruned", span(blocked))
        self.row("the pruned one is in again, by itself", span(back))

    def has_force_leave(self):
        return "force-leave" in Done([self.kind.binary, "--help"], {}, 10).text

    def while_listing(self, doing):
        """What a command comes to, and how long the others' lists take until shortly after it."""
        waits, threads, over = [], [], threading.Event()
        for agent in self.others(1):
            # The news takes a moment to reach them.
            def ask(agent=agent):
                while not over.wait(0.2):
                    waits.append(self.kind.run(agent, *self.kind.list).took)
            threads.append(threading.Thread(target=ask))
        for thread in threads:
            thread.start()
        done = doing()
        time.sleep(2)
        over.set()
        for thread in threads:
            thread.join()
        return done, waits

    def stuck(self):
        count, limit = 6000, 60
        self.afresh(["user=sleep 600"])
        first = self.agents[1]
        at = time.monotonic()
        taken = self.kind.flood(first, count, limit)
        self.row(f"stuck handler, {count:,} events: taken", f"{taken:,} in {time.monotonic() - at:.1f} s")
        asked = [self.kind.run(first, *self.kind.list, limit=10) for _ in range(self.times)]
        answers = [done.took if done.code == 0 else None for done in asked]
        self.row("stuck handler: `members` answers within", span(answers, digits=3).replace("never", "not in 10 s"))
        five = self.kind.start(5, 2, [])
        self.agents[5] = five
        took = self.seen(first, "n5", "alive")
        self.row("stuck handler: a joiner is in its list", span([took]) if took else "not in 30 s")
        at = time.monotonic()
        self.end(4)
        took = self.seen(first, "n4", self.kind.dead)
        self.row("stuck handler: a crash is in its list", span([took]) if took else "not in 30 s")
        self.row("stuck handler: what others call it", str((self.kind.states(self.agents[2]) or {}).get("n1")))
        try:
            self.row("stuck handler: what was dropped", self.kind.dropped(first))
        except ValueError as error:
            self.row("stuck handler: what was dropped", f"it does not tell: {error}")
        self.row("stuck handler: resident memory", f"{memory(first)[0]:.1f} MiB")

    def seen(self, agent, name, state):
        at = time.monotonic()
        found = until(lambda: (self.kind.states(agent, 10) or {}).get(name) == state, 30)
        return time.monotonic() - at if found else None

    def stop(self):
        took, codes = [], []
        for _ in range(1 if self.quick else 3):
            self.afresh()
            time.sleep(2)
            at = time.monotonic()
            for agent in self.agents.values():
                agent.process.send_signal(signal.SIGINT)
            codes += [agent.process.wait(60) for agent in self.agents.values()]
            took.append(time.monotonic() - at)
            self.agents = {}
        told = ", ".join(f"{codes.count(code)} with {code}" for code in sorted(set(codes)))
        self.row("all 4 stopped together by SIGINT: the last has ended", span(took))
        self.row("their exit codes", told)


def read(path):
    try:
        with open(path, encoding="ascii") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def cpu(agent):
    """Milliseconds of processor time of all threads so far."""
    total = 0
    tasks = f"/proc/{agent.process.pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e6


def memory(agent):
    """Resident and proportional MiB, and threads."""
    pid, sizes = agent.process.pid, {}
    for path in (f"/proc/{pid}/smaps_rollup", f"/proc/{pid}/status"):
        with open(path, encoding="ascii", errors="replace") as f:
            for line in f:
                words = line.split()
                if words[0] in ("Rss:", "Pss:", "Threads:"):
                    sizes[words[0]] = int(words[1])
    return sizes["Rss:"] / 1024, sizes["Pss:"] / 1024, sizes["Threads:"]


def stripped(binary, directory):
    """MiB of a binary without symbols."""
    copy = os.path.join(directory, "stripped")
    if subprocess.run(["strip", "-o", copy, binary], capture_output=True, check=False).returncode:
        copy = binary
    return os.path.getsize(copy) / 2**20


def find_serf():
    """Debian's `serf`, installed if that is allowed."""
    if not shutil.which("serf") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "serf"],
                       stdout=subprocess.DEVNULL, check=False)
    return shutil.which("serf") or sys.exit("serf is missing: apt-get install serf (Debian), or --only swim")


def package():
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "serf"], capture_output=True, text=True, check=False)
    return found.stdout or "of unknown version"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/dist/swim")
    parser.add_argument("--base", default="127.66", help="first half of the loopback addresses")
    parser.add_argument("--only", choices=["serf", "swim"])
    parser.add_argument("--steps", nargs="+", choices=Comparison.STEPS, default=Comparison.STEPS, metavar="STEP",
                        help=f"only these: {' '.join(Comparison.STEPS)}")
    parser.add_argument("--quick", action="store_true", help="each thing once or twice, to see that it runs")
    args = parser.parse_args()
    if not os.access(args.binary, os.X_OK):
        sys.exit(f"{args.binary} is missing: cargo build --profile dist, or --binary")
    columns = {}
    with tempfile.TemporaryDirectory() as directory:
        try:
            for kind, binary in ((Serf, None), (Swim, os.path.abspath(args.binary))):
                if args.only in (None, kind.name):
                    comparison = Comparison(kind(binary or find_serf(), args.base, directory), args.quick)
                    columns[kind.name] = comparison.column
                    comparison.run(args.steps)
        finally:
            for process in STARTED:
                if process.poll() is None:
                    process.kill()
                process.wait()
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    names = {"serf": f"Serf ({package()})" if "serf" in columns else "", "swim": "swim"}
    print(f"\n| 4 agents, {os.cpu_count()} cores | " + " | ".join(names[name] for name in columns) + " |")
    print("|---|" + "---|" * len(columns))
    for what in rows:
        print(f"| {what} | " + " | ".join(column.get(what, "-") for column in columns.values()) + " |")


if __name__ == "__main__":
    main()
