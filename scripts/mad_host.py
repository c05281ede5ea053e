#!/usr/bin/env python3
"""A host that is no member floods an agent: what that costs the agent, and what it keeps others from.

    cargo build --release
    scripts/mad_host.py [--seconds 5] [--rate 20000] [--hosts 1]

Once with the limits that agents have by default, once without any (--stranger-datagrams 0), each with a cluster of its own: pings
at a rate, for the processor time of each; then as many as a thread sends, with 200 silent streams, and meanwhile a member is killed, a newcomer
joins, and the agent is asked how it is. Fails if, with the limits, a live member was declared dead, the dead one was not found, the
newcomer was not let in or a question was not answered. Linux only; Python 3.8 and no packages.
"""
import argparse
import os
import socket
import statistics
import sys
import tempfile
import threading
import time

from figures import ROWS, Node, all_report, isolate, row, wait

# swim-wire/testdata/v1/ping.hex
PING = bytes.fromhex("08011a047377696d220d0a0b08ac0212066e6f64652d31")
WITHOUT = ("--stranger-datagrams", "0", "--stranger-streams", "0")


class Flood(threading.Thread):
    """Sends pings from hosts that are no members, at a rate or as fast as it can."""

    def __init__(self, to, hosts, rate=None):
        super().__init__(daemon=True)
        self.to, self.rate, self.sent, self.over = to, rate, 0, threading.Event()
        self.sockets = []
        for host in range(hosts):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.bind((f"127.43.9.{host + 1}", 0))
            sender.setblocking(False)
            self.sockets.append(sender)

    def run(self):
        start = time.monotonic()
        while not self.over.is_set():
            due = self.sent + 200 if self.rate is None else int((time.monotonic() - start) * self.rate)
            while self.sent < due:
                try:
                    self.sockets[self.sent % len(self.sockets)].sendto(PING, self.to)
                except OSError:
                    pass
                self.sent += 1
            if self.rate is not None:
                time.sleep(0.002)

    def stop(self):
        self.over.set()
        self.join()
        for sender in self.sockets:
            sender.close()


def silent_streams(to, count):
    """Connections from a host that is no member, over which nothing is said."""
    held = []
    for _ in range(count):
        try:
            held.append(socket.create_connection(to, 1, ("127.43.9.200", 0)))
        except OSError:
            pass
    return held


class Questions(threading.Thread):
    """Asks the agent how it is, over and over."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.took, self.failed, self.over = node, [], 0, threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            at = time.monotonic()
            try:
                self.node.get("/v1/info")
                self.took.append((time.monotonic() - at) * 1000)
            except OSError:
                self.failed += 1


def received(node):
    counters = node.get("/v1/info")["counters"]
    return counters["datagrams_received"], counters["stranger_datagrams_dropped"]


def cost(node, to, args):
    """Microseconds of processor time for each datagram of a stranger, and the share that was dropped unread."""
    at = node.usage()[0]
    time.sleep(args.seconds)
    idle = node.usage()[0] - at
    flood, (heard, dropped), at = Flood(to, args.hosts, args.rate), received(node), node.usage()[0]
    flood.start()
    time.sleep(args.seconds)
    flood.stop()
    spent = node.usage()[0] - at - idle
    now, refused = received(node)
    return spent * 1e6 / max(now - heard, 1), (refused - dropped) / max(now - heard, 1)


def measure(args, directory, what, more):
    nodes, wrong = [], []
    try:
        for index in range(5):
            nodes.append(Node(args.binary, directory, index, f"127.43.1.{index + 1}", nodes and nodes[0].address, more))
        alive = lambda node, count: node.get("/v1/info")["members"]["alive"] == count
        if not wait(lambda: all(alive(node, 5) for node in nodes)):
            sys.exit("the agents did not find each other")
        to = ("127.43.1.1", 7946)
        each, share = cost(nodes[0], to, args)
        row(f"{what}: processor time for each of a stranger's pings, {args.rate:,.0f} a second", "-",
            f"{each:.2f} us, {share:.0%} dropped unread")
        flood, questions = Flood(to, args.hosts), Questions(nodes[0])
        held = silent_streams(to, 200)
        flood.start()
        questions.start()
        began = time.monotonic()
        time.sleep(2)
        killed = time.time()
        nodes[-1].kill()
        newcomer = Node(args.binary, directory, 9, "127.43.2.1", nodes[0].address, more)
        found, missing = all_report(nodes[:-1], "died", nodes[-1].name, killed)
        joined = wait(lambda: newcomer.get("/v1/info")["ready"], 60)
        known, strange = all_report(nodes[:-1], "joined", newcomer.name, newcomer.started)
        questions.over.set()
        questions.join()
        flood.stop()
        passed, sent = time.monotonic() - began, flood.sent
        for stream in held:
            stream.close()
        died = {event[2] for node in nodes for event in node.events() if event[1] == "died"} - {nodes[-1].name}
        suspected = sum(event[1] == "suspected" and event[2] != nodes[-1].name for node in nodes for event in node.events())
        nodes.append(newcomer)
        row(f"{what}: under {sent / passed:,.0f} datagrams a second and 200 silent streams, kill -9 to dead for all", "-",
            f"{max(found) - killed:.2f} s" if found and not missing else "not found")
        row(f"{what}: a newcomer is known to all", "-", f"{max(known) - newcomer.started:.2f} s" if known and not strange else "never")
        took = sorted(questions.took) or [float("nan")]
        row(f"{what}: /v1/info meanwhile", "-", f"{statistics.median(took):.1f} ms, worst {took[-1]:.1f} ms, {questions.failed} failed")
        row(f"{what}: live members suspected, declared dead", "-", f"{suspected}, {len(died)}")
        for bad, why in [(died, f"declared dead: {sorted(died)}"), (missing, "the dead one was not found"),
                         (not joined or strange, "the newcomer was not let in"), (questions.failed, "questions were not answered")]:
            if bad:
                wrong.append(why)
    finally:
        for node in nodes:
            node.kill()
    return wrong


def main():
    isolate()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/swim")
    parser.add_argument("--seconds", type=float, default=5, help="how long processor time is measured")
    parser.add_argument("--rate", type=float, default=20_000, help="pings a second meanwhile")
    parser.add_argument("--hosts", type=int, default=1, help="addresses that the flood comes from")
    args = parser.parse_args()
    print(f"5 agents, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as directory:
        measure(args, directory, "without limits", WITHOUT)
        wrong = measure(args, directory, "with limits", ())
    print("\n| measured | goal | reached |\n|---|---|---|")
    for what, goal, reached in ROWS:
        print(f"| {what} | {goal} | {reached} |")
    sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
