#!/usr/bin/env python3
"""Eight real agents, each on a host of its own, and what befalls networks and hosts.

    cargo build --release
    scripts/netns.py [--only CASE...] [--quick] [--kills 600] [--logs DIR] [--binary target/debug/swim]

Hosts are network namespaces with bridges, veth and nftables, all within one outer namespace of this script. One cluster
lives through all cases. After each there must be one view on all eight, nobody dead who lives, and no agent with more
threads, descriptors or memory than before. Prints one table and fails when a case does. `docs/checking.md` tells the
cases, `faults.py` has them. Linux, iproute2, nftables; Python 3.8 and no packages.
"""
import argparse
import os
import signal
import sys
import tempfile
import time

from faults import CASES, FALSELY, QUICK, count
from figures import wait
from hosts import LIMIT, Host, Network, isolate, settled

KINDS = ("tasks", "threads", "descriptors", "KiB")
ROOM = (4, 2, 4, 4096)  # by how much each may differ after a case: what runs at the moment
# Agents that woke up late so often in a second, each of them, had too little of the processor to be blamed for deaths.
TOO_LATE = 0.2
ROWS = []


class World:
    """The hosts, and what their agents said since a case began."""

    def __init__(self, binary, directory, kills):
        self.network, self.kills, self.directory = Network(), kills, directory
        self.hosts = [Host(self.network, binary, directory, index) for index in range(1, 9)]
        self.marks, self.before = {}, {}

    def __getitem__(self, index):
        return self.hosts[index - 1]

    def start(self):
        for host in self.hosts:
            host.start()
        if settled(self.hosts) is None:
            sys.exit("the agents did not find each other")
        time.sleep(5)
        self.first = max((host.usage() for host in self.hosts), key=lambda usage: usage[-1])

    def mark(self):
        self.marks = {host.name: len(host.events()) for host in self.hosts}

    def said(self, kind, *hosts):
        """What these agents, or all, logged of this kind since the mark: (who, of whom, by whom, reason)."""
        return [(host.name, *event[1:]) for host in hosts or self.hosts
                for event in host.events()[self.marks[host.name]:] if event[0] == kind]

    def begin(self):
        self.mark()
        for host in self.hosts:
            host.lost = 0
        self.before = {host.name: (host.process.pid, host.usage()) for host in self.hosts}
        self.late_before = self.late()

    def late(self):
        """How often each agent's timers fired late, in the life that it has."""
        return {(host.name, host.process.pid): count(host, "late_wakeups") for host in self.hosts}

    def counts(self):
        """Suspicions and deaths as told, each once for every accused and accuser."""
        return ", ".join(f"{len({event[1:3] for event in self.said(kind)})} {kind}" for kind in ("suspected", "died"))

    def heal(self):
        self.network.near()
        for host in self.hosts:
            host.rules()
            if host.alive():
                host.process.send_signal(signal.SIGCONT)
            else:
                host.start()

    def leaks(self):
        """Who has more than before, a minute to let go of it allowed; restarted agents than a fresh one."""
        def found():
            more = []
            for host in self.hosts:
                pid, usage = self.before[host.name]
                had, has = usage if pid == host.process.pid else self.first, host.usage()
                for what, old, new, room in zip(KINDS, had, has, ROOM):
                    if new > old + room:
                        more.append(f"{host.name}: {new} {what}, {old} before")
            return more
        wait(lambda: not found(), 90, 1)
        return found()

    def most(self):
        """What the rules dropped, and the most that any agent has of tasks, threads, descriptors and resident MiB."""
        lost = sum(host.lost for host in self.hosts)
        tasks, threads, files, resident = (max(column) for column in zip(*(host.usage() for host in self.hosts)))
        lost = f"{lost:,} packets dropped; " if lost else ""
        return f"{lost}{tasks} tasks, {threads} threads, {files} descriptors, {resident / 1024:.1f} MiB"


def examine(world, case):
    """Runs a case, asserts what must hold after each, and writes its row."""
    world.begin()
    began = time.monotonic()
    what, wrong = case(world)
    world.heal()
    verdict = "ok" if wrong is not None else "not tried"
    wrong = wrong or []
    if settled(world.hosts) is None:
        wrong.append(f"no one view after {LIMIT} s: " + str({host.name: host.states() for host in world.hosts}))
    late = sum(times - world.late_before.get(life, 0) for life, times in world.late().items())
    deaths = [line for line in wrong if line.startswith(FALSELY)]
    if deaths and late > TOO_LATE * len(world.hosts) * (time.monotonic() - began):
        wrong = [line for line in wrong if line not in deaths]
        what += f"; {len(deaths)} false deaths not judged, agents woke up late {late} times"
    wrong += world.leaks() + [f"{host.name}: {line}" for host in world.hosts if (line := host.logged("panicked"))]
    row = f"| {case.__name__.replace('_', '-')} | {what}; {world.most()} | {'**FAILS**' if wrong else verdict} |"
    ROWS.append(row)
    print(f"{row}  [{time.monotonic() - began:.0f} s]", flush=True)
    for line in wrong:
        print(f"    {line}", flush=True)
    return not wrong


def main():
    named = {case.__name__.replace("_", "-"): case for case in CASES}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/swim")
    parser.add_argument("--only", nargs="+", choices=named, metavar="CASE", help=" ".join(named))
    parser.add_argument("--quick", action="store_true", help="a few cases, less than three minutes")
    parser.add_argument("--kills", type=float, default=60, help="seconds for which agents are killed")
    parser.add_argument("--logs", help="a directory for the agents' logs, which are else thrown away")
    args = parser.parse_args()
    if not os.access(args.binary, os.X_OK):
        sys.exit(f"{args.binary} is no program: cargo build --release, or --binary")
    isolate()
    cases = [named[name] for name in args.only] if args.only else QUICK if args.quick else CASES
    with tempfile.TemporaryDirectory() as directory:
        world = World(os.path.realpath(args.binary), args.logs or directory, args.kills)
        world.start()
        failed = sum(not examine(world, case) for case in cases)
    print("\n| case | what happened | verdict |\n|---|---|---|", *ROWS, sep="\n")
    sys.exit(f"{failed} of {len(cases)} cases failed" if failed else 0)


if __name__ == "__main__":
    main()
