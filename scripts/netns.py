#!/usr/bin/env python3
"""Eight real agents, each on a host of its own, and what befalls networks and hosts.

    cargo build --release
    scripts/netns.py [--only CASE...] [--quick] [--kills 600] [--logs DIR] [--binary target/debug/swim]

Hosts are network namespaces with bridges, veth and nftables, all within one outer namespace of this script. One cluster
lives through all cases. After each there must be one view on all eight, nobody dead who lives, and no agent with more
threads, descriptors or memory than before. Prints one table and fails when a case does. `docs/checking.md` tells the
cases. Linux, iproute2, nftables; Python 3.8 and no packages.
"""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

from figures import wait
from hosts import Host, Network, isolate, library, run, settled

LIMIT = 120  # seconds in which there has to be one view again
KINDS = ("tasks", "threads", "descriptors", "KiB")
ROOM = (4, 2, 4, 4096)  # by how much each may differ after a case: what runs at the moment
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


def took(value):
    return "never" if value is None else f"{value:.1f} s"


def until(condition, limit=60):
    began = time.monotonic()
    return time.monotonic() - began if wait(condition, limit, 0.1) else None


def hold(hosts, others, state):
    """Whether all of these hold all of those, themselves apart, in this state."""
    return all(states.get(other.name) == state for host in hosts for states in [host.states()]
               for other in others if other is not host)


def names(hosts):
    return {host.name for host in hosts}


def falsely(deaths):
    return [f"falsely dead: {event}" for event in deaths]


def addresses(hosts):
    return "{ " + ", ".join(host.ip for host in hosts) + " }"


def partition(world):
    """Two halves that do not reach each other, then do."""
    one, other = world.hosts[:4], world.hosts[4:]
    for half, rest in ((one, other), (other, one)):
        for host in half:
            host.rules(f"in:ip saddr {addresses(rest)}")
    dead = until(lambda: hold(one, other, "dead") and hold(other, one, "dead"))
    within = [event for event in world.said("died") if (event[0] in names(one)) == (event[1] in names(one))]
    world.heal()
    healed = settled(world.hosts, LIMIT)
    return f"each half holds the other dead after {took(dead)}; one view {took(healed)} after", [
        *([] if dead else ["neither noticed"]), *falsely(within)]


def one_way(world):
    """One half does not hear the other, which hears it, for half a minute."""
    for host in world.hosts[:4]:
        host.rules(f"in:ip saddr {addresses(world.hosts[4:])}")
    time.sleep(30)
    world.heal()
    return f"30 s: {world.counts()}; one view {took(settled(world.hosts, LIMIT))} after", []


def deaf(world):
    """One host hears nobody and is heard: it must not blame the others."""
    world[3].rules("in:meta iifname != lo")
    others = [host for host in world.hosts if host is not world[3]]
    dead = until(lambda: hold(others, [world[3]], "dead"))
    time.sleep(20)
    blamed = [event for event in world.said("died") if event[1] != "n3"]
    world.heal()
    healed = settled(world.hosts, LIMIT)
    return f"dead everywhere after {took(dead)}; in 20 s more {len(blamed)} others; one view {took(healed)} after", [
        *([] if dead else ["nobody noticed"]), *falsely(blamed)]


def mute(world):
    """One host hears all and nobody hears it."""
    world[4].rules("out:meta oifname != lo")
    others = [host for host in world.hosts if host is not world[4]]
    dead = until(lambda: hold(others, [world[4]], "dead"))
    time.sleep(20)
    blamed = [event for event in world.said("died", *others) if event[1] != "n4"]
    world.heal()
    return f"dead everywhere after {took(dead)}; one view {took(settled(world.hosts, LIMIT))} after", [
        *([] if dead else ["nobody noticed"]), *falsely(blamed)]


def lossy(world, percent, duration):
    for host in world.hosts:
        host.rules(f"in:meta iifname != lo numgen random mod 100 < {percent}")
    time.sleep(duration)
    deaths = world.said("died")
    world.heal()
    return f"{duration} s: {world.counts()}; one view {took(settled(world.hosts, LIMIT))} after", deaths


def loss_30(world):
    """30 % of all packets are lost for a minute, at each host on the way in."""
    return lossy(world, 30, 60)[0], []


def loss_20(world):
    """20 % are lost for two minutes: nobody may die of that."""
    what, deaths = lossy(world, 20, 120)
    return what, falsely(deaths)


def blocked(world, hosts, protocol, duration=60):
    for host in hosts:
        host.rules(f"in:{protocol} dport 7946", f"in:{protocol} sport 7946")
    time.sleep(duration)
    deaths, held, told = world.said("died"), world[1].members() or {}, world.counts()
    degraded = [name for name, member in held.items() if member["metadata"].get("swim.degraded")]
    failing = [name for name, member in held.items() if (member["paths"]["stream"] or {}).get("state") == "failing"]
    world.heal()
    return (f"{duration} s: {told}; degraded: {' '.join(degraded) or 'nobody'}; streams of n1 fail to: "
            f"{' '.join(failing) or 'nobody'}; one view {took(settled(world.hosts, LIMIT))} after",
            falsely(deaths))


def udp_one(world):
    """UDP is blocked at one host, TCP is open."""
    return blocked(world, [world[3]], "udp")


def by_streams(world, rules, watch=10):
    """What `rules(host)` leaves of UDP is too little: a crash, new metadata and a join must be known to all the same."""
    for host in world.hosts:
        host.rules(*rules(host))
    time.sleep(15)
    host = world[6]
    others = [other for other in world.hosts if other is not host]

    def tell(value):
        world[2].swim("meta", "set", f"by={value}")
        return until(lambda: all(members.get("n2", {}).get("metadata", {}).get("by") == value
                                 for other in others for members in [other.members() or {}]))
    host.end()
    dead = until(lambda: hold(others, [host], "dead"))
    told = tell("stream")
    host.start()
    joined = settled(world.hosts, 60)
    time.sleep(watch)
    deaths, counts = [event for event in world.said("died") if event[1] != host.name], world.counts()
    world.heal()
    healed = settled(world.hosts, LIMIT)
    world[2].swim("meta", "rm", "by")
    return (f"a crash is known to all after {took(dead)}, metadata after {took(told)}, a restart after {took(joined)}; "
            f"{counts}; one view {took(healed)} after", [
                *([] if dead else ["the crash was not noticed"]), *([] if told else ["metadata did not get through"]),
                *([] if joined else ["the restart was not seen"]), *falsely(deaths)])


UDP = ("in:udp dport 7946", "in:udp sport 7946")


def udp_all(world):
    """UDP is blocked everywhere, TCP is open."""
    return by_streams(world, lambda host: UDP)


def udp_all_lossy(world):
    """UDP is blocked everywhere, and TCP loses 20 % of its packets at each host on the way in."""
    return by_streams(world, lambda host: (*UDP, "in:meta iifname != lo numgen random mod 100 < 20"), 60)


def udp_halves(world):
    """UDP is blocked between two halves, TCP is open."""
    def rules(host):
        rest = world.hosts[4:] if host in world.hosts[:4] else world.hosts[:4]
        return [f"in:ip saddr {addresses(rest)} udp dport 7946"]
    return by_streams(world, rules)


def tcp_one(world):
    """TCP is blocked at one host, UDP is open."""
    return blocked(world, [world[6]], "tcp")


def tcp_all(world):
    """TCP is blocked everywhere, UDP is open."""
    return blocked(world, world.hosts, "tcp")


def frozen(world, duration):
    """SIGSTOP for a while: who wakes must not blame the others."""
    host = world[6]
    others = [other for other in world.hosts if other is not host]
    host.process.send_signal(signal.SIGSTOP)
    dead = until(lambda: hold(others, [host], "dead"), duration)
    time.sleep(max(0, duration - (dead or duration)))
    early = [event for event in world.said("died") if event[1] != host.name]
    world.mark()
    host.process.send_signal(signal.SIGCONT)
    healed = settled(world.hosts, LIMIT)
    time.sleep(15)
    blame = [event for kind in ("suspected", "died") for event in world.said(kind) if host.name in (event[0], event[2])]
    late = [event for event in world.said("died") if event[1] != host.name]
    return (f"dead everywhere: {took(dead)}; one view {took(healed)} after it woke; it accused {len(blame)}",
            [f"blamed when it woke: {event}" for event in blame] + falsely(early + late))


def frozen_5(world):
    """An agent is frozen for 5 s."""
    return frozen(world, 5)


def frozen_15(world):
    """An agent is frozen for 15 s."""
    return frozen(world, 15)


def frozen_60(world):
    """An agent is frozen for a minute."""
    return frozen(world, 60)


def off(host):
    """By how many seconds the agent's own wall clock differs, as its answers tell."""
    stamps = [member["last_seen"] for member in (host.members() or {}).values() if member["last_seen"]]
    newest = max(stamps, default="1970-01-01T00:00:00.0Z").split(".")[0].rstrip("Z")
    return time.mktime(time.strptime(newest, "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime())


def clock(world):
    """The wall clocks of two hosts are stepped under their agents, and set back a day before they start again."""
    if not library():
        return "libfaketime is missing (apt-get install faketime)", None
    wrong, pair = [], (world[5], world[6])
    for host in pair:
        host.step(0)
        host.end()
        host.start()
    settled(world.hosts, LIMIT)
    world.mark()
    for by in (3600, -3600, 0):
        for host in pair:
            host.step(by)
        time.sleep(12)
        wrong += [f"{host.name} is {off(host):.0f} s off, not {by}" for host in pair if abs(off(host) - by) > 10]
    accused = world.said("suspected") + world.said("died")
    again = []
    for host in pair:
        host.end()
        host.step(-86400)
        host.start()
        again.append(settled(world.hosts, LIMIT))
    return (f"an hour on, then back: {len(accused)} accusations; restarted a day back: one view after {took(again[0])} "
            f"with a data directory, {took(again[1])} without", wrong + [f"accused: {event}" for event in accused])


def address(world):
    """Hosts get other addresses: one agent is restarted at once, of the other the address goes first."""
    host = world[7]
    host.end()
    host.address("10.77.1.7")
    host.start(seeds=())
    at_once = settled(world.hosts, LIMIT)
    early = world.said("died")
    host = world[8]
    host.address("10.77.1.8")
    lost = until(lambda: hold(world.hosts[:7], [host], "dead"))
    host.end()
    host.start()
    later = settled(world.hosts, LIMIT)
    moved = all(host.members()[f"n{index}"]["address"] == f"10.77.1.{index}:7946"
                for host in world.hosts for index in (7, 8))
    deaths = [event for event in world.said("died") if event[1] != "n8"]
    return (f"killed, restarted without seeds: one view after {took(at_once)}; address gone under the agent: dead after "
            f"{took(lost)}, one view {took(later)} after a restart",
            ([] if moved else ["not all hold the new addresses"]) + falsely(early + deaths))


def kills(world):
    """Half of the agents are killed and started, again and again, with and without a data directory."""
    victims, over, counts = [world[index] for index in (3, 4, 7, 8)], time.monotonic() + world.kills, []

    def torment(host):
        draw = random.Random(host.index)
        while time.monotonic() < over:
            host.end()
            counts.append(host.name)
            time.sleep(draw.uniform(0.1, 7))
            host.start()
            time.sleep(draw.uniform(0.3, 8))
    threads = [threading.Thread(target=torment, args=(host,)) for host in victims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    healed = settled(world.hosts, LIMIT)
    wrong = falsely(event for event in world.said("died") if event[1] not in names(victims))
    return f"{world.kills:.0f} s, {len(counts)} kills: {world.counts()}; one view {took(healed)} after", wrong


def disk(world):
    """A data directory's file system is full under the agent, has room again, and is full at the start."""
    host, kept, wrong = world[1], world[1].data, []
    host.data = os.path.join(world.directory, "small")
    os.makedirs(host.data, exist_ok=True)
    run(f"mount -t tmpfs -o size=64k none {host.data}")
    again(world, host)
    fill(host.data)
    errors = count(host, "state_errors")
    for turn in range(100):
        host.swim("meta", "set", f"full={turn}" + "x" * 200)
        if count(host, "state_errors") > errors:
            break
    else:
        wrong.append("the full disk was not noticed")
    live = settled(world.hosts, LIMIT)
    os.remove(os.path.join(host.data, "full"))
    written = until(lambda: host.logged("is written to the data directory again"))
    healed = again(world, host)
    held = host.members()[host.name]["metadata"].get("full")
    host.swim("meta", "rm", "full")
    host.end()
    fill(host.data)
    host.start()
    code = host.process.wait(60)
    run(f"umount {host.data}")
    host.data = kept
    host.start()
    return (f"full: told and counted, one view {took(live)}; written {took(written)} after there is room; restarted: "
            f"one view after {took(healed)}; full at the start: exit {code}, `{host.logged('full|space')}`",
            [*wrong, *([] if held == f"{turn}" + "x" * 200 else [f"lost: {held}"]),
             *([] if code == 1 else ["started on a full disk"]),
             *falsely(event for event in world.said("died") if event[1] != host.name)])


def count(host, counter):
    return host.get("/v1/info")["counters"][counter]


def again(world, host):
    """Kills and starts an agent; seconds until there is one view."""
    host.end()
    host.start()
    return settled(world.hosts, LIMIT)


def fill(directory):
    with open(os.path.join(directory, "full"), "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 512)
        except OSError:
            pass


def connecting(host, to):
    """Round trip in ms as TCP's handshake takes it, the least of five."""
    code = ("import socket, sys, time\n"
            "def once():\n"
            "    at = time.monotonic()\n"
            "    socket.create_connection((sys.argv[1], 7946), 5).close()\n"
            "    return time.monotonic() - at\n"
            "print(min(once() for _ in range(5)) * 1000)")
    done = subprocess.run(host.inside(sys.executable, "-c", code, to.ip), capture_output=True, text=True, check=True)
    return float(done.stdout)


def round_trip(host, *named):
    """What `swim rtt` says, in ms, asked of this agent; None if it cannot say yet."""
    code, said = host.swim("rtt", *named, "--format", "json")
    return None if code else json.loads(said)["round_trip_ms"]


def latency(world):
    """Sites are 20, 60 and 80 ms apart: what others estimate of two, and what one of the two measures."""
    world.network.far((0.010, 0.030))
    pairs = (1, 4), (4, 7), (1, 7), (2, 8), (1, 2), (5, 6)
    asked = {pair: next(host for host in world.hosts if host.index not in pair) for pair in pairs}
    wires = {(a, b): connecting(world[a], world[b]) for a, b in pairs}
    measured, estimated = {}, {}

    def close():
        for a, b in pairs:
            measured[a, b] = round_trip(world[a], f"n{b}")
            estimated[a, b] = round_trip(asked[a, b], f"n{a}", f"n{b}")
        return all(measured[pair] and estimated[pair] and measured[pair] > wires[pair] * 0.9
                   and abs(estimated[pair] - measured[pair]) < max(measured[pair] * 0.3, 5) for pair in pairs)
    good, deaths = until(close, 300), world.said("died")
    told = world.counts()
    world.heal()
    table = ", ".join(f"{a}-{b} " + " ".join(f"{kind[a, b] or 0:.1f}" for kind in (estimated, measured, wires))
                      for a, b in pairs)
    return (f"estimates within 30 % after {took(good)}; ms estimated, measured, by TCP's handshake: {table}; {told}",
            [*([] if good else ["estimates are off"]), *falsely(deaths)])


CASES = [partition, one_way, deaf, mute, loss_30, loss_20, udp_one, udp_all, udp_all_lossy, udp_halves,
         tcp_one, tcp_all, frozen_5, frozen_15, frozen_60, clock, address, kills, disk, latency]
QUICK = [partition, deaf, udp_all, frozen_5, address, disk]


def examine(world, case):
    """Runs a case, asserts what must hold after each, and writes its row."""
    world.begin()
    began = time.monotonic()
    what, wrong = case(world)
    world.heal()
    verdict = "ok" if wrong is not None else "not tried"
    wrong = wrong or []
    if settled(world.hosts, LIMIT) is None:
        wrong.append(f"no one view after {LIMIT} s: " + str({host.name: host.states() for host in world.hosts}))
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
