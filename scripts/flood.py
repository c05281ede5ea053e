#!/usr/bin/env python3
"""Far more events than anybody should tell: what a cluster of real agents makes of them.

    cargo build --release
    scripts/flood.py [--nodes 5] [--rate 2000] [--seconds 30]

Each agent is offered its share by HTTP; a reader per agent takes all that reaches it from `/v1/events`. Nothing may be lost
without being counted, nobody accused, and the admin endpoint has to answer meanwhile. Fails if that is not so. Linux only;
Python 3.8 and no packages.
"""
import argparse
import json
import os
import selectors
import socket
import statistics
import sys
import tempfile
import threading
import time

from figures import ROWS, isolate, row, seconds_of, start_cluster

TICK = 0.01


class Offer:
    """A connection on which events are submitted without waiting for answers."""

    def __init__(self, node):
        self.node, self.offered, self.accepted, self.refused = node, 0, 0, 0
        self.out, self.tail = b"", b""
        self.socket = socket.create_connection((node.host, 7373), 10)
        self.socket.setblocking(False)

    def submit(self):
        body = json.dumps({"name": "flood", "payload": f"{self.node.name}:{self.offered}:{time.time():.4f}"})
        self.offered += 1
        head = f"POST /v1/event HTTP/1.1\r\nHost: {self.node.host}\r\nContent-Type: application/json\r\n"
        self.out += f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    def move(self):
        """Writes and reads what can be without waiting."""
        try:
            if self.out:
                self.out = self.out[self.socket.send(self.out):]
            while True:
                data = self.socket.recv(1 << 16)
                if not data:
                    raise RuntimeError(f"{self.node.name} has hung up")
                # An answer's first line may come in two parts.
                seen = self.tail + data
                self.accepted += seen.count(b"HTTP/1.1 200")
                self.refused += seen.count(b"HTTP/1.1 503")
                self.tail = seen[-11:]
        except BlockingIOError:
            pass

    def open(self):
        return self.offered - self.accepted - self.refused


class Reader(threading.Thread):
    """All that `/v1/events` of the agents says, to be looked at later."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.chunks, self.over = {node.name: [] for node in nodes}, threading.Event()
        self.selector = selectors.DefaultSelector()
        for node in nodes:
            connection = socket.create_connection((node.host, 7373), 10)
            connection.sendall(f"GET /v1/events HTTP/1.1\r\nHost: {node.host}\r\n\r\n".encode())
            connection.recv(4096)
            self.selector.register(connection, selectors.EVENT_READ, node.name)

    def run(self):
        while not self.over.is_set():
            for key, _ in self.selector.select(0.2):
                data = key.fileobj.recv(1 << 18)
                if data:
                    self.chunks[key.data].append(data)
                else:
                    self.selector.unregister(key.fileobj)

    def told(self, node):
        """Events by payload with how often and how late, and how many the stream says it missed."""
        text = b"".join(self.chunks[node.name]).decode()
        often, late, missed = {}, [], 0
        for line in text.splitlines():
            if not line.startswith("data:"):
                continue
            item = json.loads(line[5:])
            if item["type"] == "missed":
                missed += item["missed"]
            elif item["type"] == "user":
                payload = item["payload"]
                often[payload] = often.get(payload, 0) + 1
                late.append(seconds_of(item["time"]) - float(payload.rsplit(":", 1)[1]))
        return often, late, missed


class Watch(threading.Thread):
    """Asks one agent after the other how it is, and looks at their memory."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes, self.took, self.failed, self.resident = nodes, [], 0, 0.0
        self.over = threading.Event()

    def run(self):
        turn = 0
        while not self.over.wait(0.1):
            node = self.nodes[turn % len(self.nodes)]
            at = time.monotonic()
            try:
                node.get("/v1/info" if turn % 2 else "/v1/members")
                self.took.append((time.monotonic() - at) * 1000)
            except OSError:
                self.failed += 1
            self.resident = max(self.resident, node.usage()[1])
            turn += 1


def offer(nodes, rate, duration):
    offers = [Offer(node) for node in nodes]
    start = time.monotonic()
    while time.monotonic() - start < duration:
        due = int((time.monotonic() - start) * rate / len(nodes))
        for one in offers:
            while one.offered < due:
                one.submit()
            one.move()
        time.sleep(TICK)
    end = time.monotonic() + 60
    while any(one.open() for one in offers) and time.monotonic() < end:
        for one in offers:
            one.move()
        time.sleep(TICK)
    return offers


def settle(nodes):
    """Waits until nothing waits to be told and nothing new is heard."""
    before = None
    for _ in range(120):
        now = [node.get("/v1/info")["counters"]["notices_heard"] for node in nodes]
        if now == before:
            return
        before = now
        time.sleep(2)


def account(nodes, offers, reader):
    """One row per agent; returns what is wrong."""
    accepted, wrong, all_late = sum(one.accepted for one in offers), [], []
    for node in nodes:
        counters = node.get("/v1/info")["counters"]
        often, late, missed = reader.told(node)
        all_late += late
        reached = counters["notices_heard"] + counters["notices_sent"]
        lacking, twice = accepted - reached, sum(times > 1 for times in often.values())
        lost = {name: counters[name] for name in ("notices_missed", "notices_old", "notices_refused",
                                                  "notices_dropped", "notices_disordered")}
        row(f"{node.name}: of {accepted:,} accepted, heard", "all, or counted",
            f"{reached:,}; read by its reader {sum(often.values()):,}, missed and told so {missed:,}; "
            + ", ".join(f"{name} {value:,}" for name, value in lost.items() if value))
        if twice:
            wrong.append(f"{node.name} was told {twice} events twice")
        if len(often) + missed != reached:
            wrong.append(f"{node.name}: {reached} reached it, {len(often)} its reader, {missed} missed")
        if lacking > lost["notices_missed"] + lost["notices_old"] + lost["notices_refused"]:
            wrong.append(f"{node.name} lacks {lacking} and does not count them")
    row("from submission to a reader", "-", f"{statistics.median(all_late) * 1000:.0f} ms, "
        f"99 % {sorted(all_late)[len(all_late) * 99 // 100] * 1000:.0f} ms, worst {max(all_late) * 1000:.0f} ms")
    return wrong


def main():
    isolate()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/swim")
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--rate", type=float, default=2000, help="events a second, all agents together")
    parser.add_argument("--seconds", type=float, default=30)
    args = parser.parse_args()
    nodes = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            print(f"{args.nodes} agents, {os.cpu_count()} cores")
            nodes, _ = start_cluster(args.binary, directory, args.nodes)
            reader, watch, idle = Reader(nodes), Watch(nodes), max(node.usage()[1] for node in nodes)
            reader.start()
            watch.start()
            cpu = sum(node.usage()[0] for node in nodes)
            began = time.monotonic()
            offers = offer(nodes, args.rate, args.seconds)
            passed = time.monotonic() - began
            spent = sum(node.usage()[0] for node in nodes) - cpu
            settle(nodes)
            watch.over.set()
            reader.over.set()
            reader.join()
            watch.join()
            wrong = report(nodes, offers, reader, watch, (idle, spent / passed, passed))
        finally:
            for node in nodes:
                node.kill()
    print("\n| measured | goal | reached |\n|---|---|---|")
    for what, goal, reached in ROWS:
        print(f"| {what} | {goal} | {reached} |")
    sys.exit("\n".join(wrong))


def report(nodes, offers, reader, watch, figures):
    idle, cores, passed = figures
    offered, accepted, refused = (sum(getattr(one, name) for one in offers) for name in ("offered", "accepted", "refused"))
    row("events offered", "-", f"{offered:,} in {passed:.1f} s; accepted {accepted:,}, refused with 503 {refused:,}")
    wrong = account(nodes, offers, reader)
    if accepted + refused != offered:
        wrong.append(f"{offered - accepted - refused} submissions were not answered")
    accused = [event for node in nodes for event in node.events() if event[1] in ("suspected", "died")]
    row("accusations", "0", str(len(accused)))
    took = sorted(watch.took)
    row("/v1/info and /v1/members meanwhile", "< 50 ms median",
        f"{statistics.median(took):.1f} ms, 99 % {took[len(took) * 99 // 100]:.1f} ms, worst {took[-1]:.1f} ms, "
        f"{len(took)} times, {watch.failed} failed")
    row("resident memory, before and at most", "-", f"{idle:.1f} and {watch.resident:.1f} MiB")
    row("processor time of all agents", "-", f"{cores:.2f} cores")
    if accused:
        wrong.append(f"accused: {accused[:5]}")
    if watch.failed:
        wrong.append(f"{watch.failed} questions were not answered")
    return wrong


if __name__ == "__main__":
    main()
