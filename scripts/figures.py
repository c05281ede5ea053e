#!/usr/bin/env python3
"""The figures of docs/results.md about real agents: N `swim agent` processes on loopback addresses.

    cargo build --release
    scripts/figures.py [--nodes 32] [--starts 5] [--kills 9] [--idle 300] [--events 20 [--only-events]]

Runs in a network namespace of its own where that is permitted (then loopback counters count only the agents), else on
the machine's loopback, without bytes per second. Prints one table. Linux only; needs Python 3.8 and no packages.
Events are taken from the agents' JSON logs, so nothing polls them while they are measured.
"""
import argparse
import datetime
import fcntl
import json
import os
import selectors
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
EPOCH_MAX = 2**64 - 1


def isolate():
    """Starts this script again in a network namespace of its own; says whether it runs in one."""
    if os.environ.get("SWIM_FIGURES_NETNS"):
        lo_up()
        return True
    probe = subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        return False
    env = dict(os.environ, SWIM_FIGURES_NETNS="1")
    os.execvpe("unshare", ["unshare", "-n", sys.executable, *sys.argv], env)


def lo_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(s, 0x8913, request))[1]
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))


def lo_bytes():
    with open("/proc/net/dev", encoding="ascii") as f:
        for line in f:
            name, _, rest = line.partition(":")
            if name.strip() == "lo":
                fields = rest.split()
                # Received bytes and packets: frames on lo carry a 14-byte header that no wire has.
                return int(fields[0]) - 14 * int(fields[1]), int(fields[1])
    raise RuntimeError("no loopback interface")


class Node:
    """One agent process."""

    def __init__(self, binary, directory, index, host=None, join=None, more=()):
        self.index, self.name = index, f"node-{index:06}"
        self.host = host or f"127.0.0.{index + 1}"
        self.address = f"{self.host}:7946"
        self.http = f"http://{self.host}:7373"
        self.log = os.path.join(directory, f"{self.name}-{time.monotonic_ns()}.log")
        command = [binary, "agent", "--name", self.name, "--bind", self.address,
                   "--http-addr", f"{self.host}:7373", "--log-format", "json", *more]
        if join:
            command += ["--join", join]
        self.started = time.time()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def events(self):
        """(time, kind, member) of all events so far."""
        found = []
        with open(self.log, encoding="utf-8", errors="replace") as log:
            for line in log:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                fields = entry.get("fields", entry)
                message = fields.get("message", "")
                if message.startswith("member "):
                    stamp = entry["timestamp"].replace("Z", "+00:00")[:26] + "+00:00"
                    at = datetime.datetime.fromisoformat(stamp).timestamp()
                    found.append((at, message[7:], fields.get("member")))
        return found

    def get(self, path):
        with urllib.request.urlopen(self.http + path, timeout=10) as answer:
            return json.load(answer)

    def post(self, path, body):
        request = urllib.request.Request(self.http + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def usage(self):
        """CPU seconds so far, and resident and anonymous MiB."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        sizes = {}
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith(("VmRSS", "RssAnon")):
                    sizes[line.split(":")[0]] = int(line.split()[1]) / 1024
        with open(f"/proc/{self.process.pid}/schedstat", encoding="ascii") as f:
            cpu = int(f.read().split()[0]) / 1e9
        return cpu or (int(fields[11]) + int(fields[12])) / TICKS, sizes["VmRSS"], sizes["RssAnon"]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def wait(condition, limit=60, step=0.05):
    end = time.time() + limit
    while time.time() < end:
        if condition():
            return True
        time.sleep(step)
    return False


def times_of(nodes, kind, member, after):
    """When each node first reported it after a moment; None where one has not."""
    times = []
    for node in nodes:
        at = [t for t, k, m in node.events() if k == kind and m == member and t >= after]
        times.append(min(at) if at else None)
    return times


def all_report(nodes, kind, member, after, limit=60):
    wait(lambda: None not in times_of(nodes, kind, member, after), limit, 0.25)
    times = times_of(nodes, kind, member, after)
    return [t for t in times if t is not None], times.count(None)


ROWS = []


def row(what, goal, reached):
    ROWS.append((what, goal, reached))
    print(f"  {what}: {reached} (goal {goal})", flush=True)


def span(values, unit="s"):
    if not values:
        return "never"
    return f"{statistics.median(values):.2f} {unit} ({min(values):.2f} to {max(values):.2f}, {len(values)} times)"


def start_cluster(binary, directory, n):
    nodes = [Node(binary, directory, 0)]
    wait(lambda: os.path.getsize(nodes[0].log) > 0)
    for index in range(1, n):
        nodes.append(Node(binary, directory, index, join=nodes[0].address))
    last_start = nodes[-1].started
    names = {node.name for node in nodes}

    def last_joined(node):
        first = {}
        for at, kind, member in node.events():
            if kind == "joined":
                first.setdefault(member, at)
        missing = names - first.keys() - {node.name}
        return None if missing else max(first.values())

    if not wait(lambda: all(last_joined(node) for node in nodes), 120, 0.5):
        sys.exit("the agents did not find each other")
    return nodes, max(last_joined(node) for node in nodes) - last_start


def stop(nodes):
    """Stops all at once by SIGTERM; returns how long the last took and the exit codes."""
    at = time.time()
    for node in nodes:
        node.process.send_signal(signal.SIGTERM)
    codes = sorted({node.process.wait(30) for node in nodes})
    return time.time() - at, codes


def measure_starts(binary, directory, n, starts):
    """Leaves the last cluster running."""
    took, stopped, codes = [], [], set()
    for round_ in range(starts):
        nodes, complete = start_cluster(binary, directory, n)
        took.append(complete)
        if round_ + 1 < starts:
            last, exits = stop(nodes)
            stopped.append(last)
            codes.update(exits)
    row("all see all after the last start", "<= 0.60 s", span(took))
    if stopped:
        row("all stopped by SIGTERM together", "< 2 s, exit 0", f"{span(stopped)}, exit codes {sorted(codes)}")
    return nodes


def measure_joiner(binary, directory, nodes, times):
    reached = []
    for round_ in range(times):
        joiner = Node(binary, directory, len(nodes) + 100 + round_, host=f"127.0.1.{round_ + 1}",
                      join=nodes[round_ % len(nodes)].address)
        known, missing = all_report(nodes, "joined", joiner.name, joiner.started, 30)
        if not missing:
            reached.append(max(known) - joiner.started)
        joiner.process.send_signal(signal.SIGTERM)
        joiner.process.wait(10)
        time.sleep(1)
    row("a joiner is known to all, from its start", "<= 0.50 s", span(reached))


class Streams:
    """Streams of events of all agents, read by one thread; times are those that agents tell."""

    def __init__(self, nodes):
        self.seen, self.over = {}, threading.Event()
        self.selector = selectors.DefaultSelector()
        for node in nodes:
            connection = socket.create_connection((node.host, 7373), 10)
            connection.sendall(f"GET /v1/events HTTP/1.1\r\nHost: {node.host}\r\n\r\n".encode())
            # Once its head is here, nothing is missed.
            if b"200 OK" not in connection.recv(4096):
                sys.exit(f"{node.name} gives no stream of events")
            self.selector.register(connection, selectors.EVENT_READ, [node.name, b""])
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.over.is_set():
            for key, _ in self.selector.select(0.2):
                data = key.fileobj.recv(1 << 16)
                if not data:
                    self.selector.unregister(key.fileobj)
                *lines, key.data[1] = (key.data[1] + data).split(b"\n")
                for line in lines:
                    if line.startswith(b"data:") and b'"type":"user"' in line:
                        event = json.loads(line[5:])
                        self.seen.setdefault(event["name"], {})[key.data[0]] = seconds_of(event["time"])

    def close(self):
        self.over.set()
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()


def seconds_of(stamp):
    """RFC 3339 in UTC as seconds since 1970."""
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def measure_events(nodes, times):
    """Each from another sender; from before it is submitted until the last agent's reader is told."""
    streams, last, half, lost = Streams(nodes), [], [], 0
    for round_ in range(times):
        name, sender = f"event-{round_}", nodes[(round_ * 5) % len(nodes)]
        at = time.time()
        sender.post("/v1/event", {"name": name, "payload": "abc123"})
        wait(lambda: len(streams.seen.get(name, ())) == len(nodes), 30, 0.1)
        heard = sorted(streams.seen.get(name, {}).values())
        lost += len(nodes) - len(heard)
        half.append(heard[len(heard) // 2] - at)
        last.append(heard[-1] - at)
        time.sleep(1)
    streams.close()
    row("an event is with all", "<= 0.50 s median", span(last) + (f", {lost} LOST" if lost else ""))
    row("an event is with half", "-", span(half))


def measure_kills(binary, directory, nodes, kills):
    first, everywhere, health = [], [], 0
    for round_ in range(kills):
        victim = nodes[(7 * round_ + 3) % len(nodes)]
        others = [node for node in nodes if node is not victim]
        at = time.time()
        victim.kill()
        died, missing = all_report(others, "died", victim.name, at, 60)
        health = max([health] + [node.get("/v1/info")["local_health"] for node in others])
        if missing:
            sys.exit(f"{missing} agents never noticed the death of {victim.name}")
        first.append(min(died) - at)
        everywhere.append(max(died) - at)
        nodes[nodes.index(victim)] = Node(binary, directory, victim.index, join=others[0].address)
        all_report(others, "joined", victim.name, at, 30)
        time.sleep(3)
    row("kill -9: dead at the first", "-", span(first))
    row("kill -9: dead everywhere", "<= 5 s median", span(everywhere))
    row("local health of whoever probed the killed, at most", "0", str(health))


def measure_idle(nodes, seconds, own_network):
    time.sleep(10)
    accused = lambda: sum(kind in ("suspected", "died") for node in nodes for _, kind, _ in node.events())
    accusations, usage, (octets, packets) = accused(), [n.usage() for n in nodes], lo_bytes()
    start = time.time()
    time.sleep(seconds)
    passed = time.time() - start
    (octets2, packets2), usage2 = lo_bytes(), [node.usage() for node in nodes]
    row(f"false accusations in {passed / 60:.1f} idle minutes", "0", str(accused() - accusations))
    cpu = [(b[0] - a[0]) / passed * 1000 for a, b in zip(usage, usage2)]
    row("idle CPU per agent", "<= 1.5 ms/s", f"{statistics.mean(cpu):.2f} ms/s (worst {max(cpu):.2f})")
    if own_network:
        row("idle bytes per agent, headers included", "<= 300 B/s",
            f"{(octets2 - octets) / passed / len(nodes):.0f} B/s in "
            f"{(packets2 - packets) / passed / len(nodes):.2f} packets/s")
    else:
        row("idle bytes per agent, headers included", "<= 300 B/s", "not measured: no namespace of its own")
    row("resident memory per agent", "<= 8 MiB",
        f"{max(u[1] for u in usage2):.1f} MiB, {max(u[2] for u in usage2):.1f} of it not shared")


def measure_new_address(binary, directory, nodes):
    victim, others = nodes[5], nodes[:5] + nodes[6:]
    victim.kill()
    time.sleep(0.5)
    moved = Node(binary, directory, victim.index, host="127.0.2.1", join=others[0].address)
    accepted = lambda: all(any(m["name"] == moved.name and m["address"] == moved.address
                               and m["state"] == "alive" for m in node.get("/v1/members")["members"])
                           for node in (others[0], others[len(others) // 2], others[-1]))
    took = time.time() - moved.started if wait(accepted, 60) else None
    nodes[5] = moved
    row("same name accepted on a new address", "< 2 s", f"{took:.2f} s" if took else "never")


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def forged_accusation(name, cluster="swim"):
    """A packet with one Gossip: `name` is Dead at the highest incarnation. See swim.proto."""
    status = (EPOCH_MAX & 0xFFFFFFFF) << 6 | 2
    zigzag = 2 * 0xFFFFFFFF
    updates = field(1, name.encode()) + field(2, varint(status)) + field(4, varint(zigzag))
    message = field(GOSSIP_FIELD, updates)
    return b"\x08\x01" + field(CLUSTER_FIELD, cluster.encode()) + field(MESSAGES_FIELD, message)


GOSSIP_FIELD, CLUSTER_FIELD, MESSAGES_FIELD = 4, 3, 4


def measure_forgery(nodes):
    target = nodes[9]
    before = int(next(m["incarnation"] for m in nodes[0].get("/v1/members")["members"]
                      if m["name"] == target.name))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        host, port = nodes[3].address.split(":")
        s.bind((nodes[4].host, 0))
        at = time.time()
        s.sendto(forged_accusation(target.name), (host, int(port)))

    def refuted(node):
        return next((m["state"] == "alive" and int(m["incarnation"]) > before
                     for m in node.get("/v1/members")["members"] if m["name"] == target.name), False)

    everywhere = wait(lambda: all(refuted(node) for node in nodes), 30, 0.05)
    took = f"{time.time() - at:.2f} s" if everywhere else "never"
    died = [t for t in times_of(nodes, "died", target.name, at) if t]
    back = [t for t in times_of(nodes, "joined", target.name, at) if t]
    outage = max(back) - min(died) if died and back else 0
    row("a forged accusation at the highest incarnation is believed", "one gossip round (0.2 s)",
        f"by {len(died)} of {len(nodes)}, for {outage:.3f} s; its refutation known to all after {took}")


def main():
    own_network = isolate()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/swim")
    parser.add_argument("--nodes", type=int, default=32)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--kills", type=int, default=9)
    parser.add_argument("--idle", type=float, default=300)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--only-events", action="store_true", help="nothing but those")
    args = parser.parse_args()
    nodes = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            print(f"{args.nodes} agents, {os.cpu_count()} cores")
            if args.only_events:
                nodes, _ = start_cluster(args.binary, directory, args.nodes)
                measure_events(nodes, args.events)
            else:
                nodes = measure_starts(args.binary, directory, args.nodes, args.starts)
                measure_idle(nodes, args.idle, own_network)
                measure_events(nodes, args.events)
                measure_joiner(args.binary, directory, nodes, 5)
                measure_kills(args.binary, directory, nodes, args.kills)
                measure_new_address(args.binary, directory, nodes)
                measure_forgery(nodes)
        finally:
            for node in nodes:
                node.kill()
    print("\n| measured | goal | reached |\n|---|---|---|")
    for what, goal, reached in ROWS:
        print(f"| {what} | {goal} | {reached} |")


if __name__ == "__main__":
    main()
