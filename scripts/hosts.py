"""Hosts of their own for `netns.py`: a network namespace each, on bridges, and an agent in each.

Everything is made inside one outer namespace (`isolate`), so nothing of the machine is touched, and all of it goes with
the script.
"""
import array
import fcntl
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from figures import wait

# Sites in a row: what goes from the first to the third passes the second.
SITES = {1: "a", 2: "a", 3: "a", 4: "b", 5: "b", 6: "b", 7: "c", 8: "c"}
LIMIT = 120  # seconds in which there has to be one view again
FAKETIME = [f"/usr/lib/{machine}-linux-gnu/faketime/libfaketimeMT.so.1" for machine in ("x86_64", "aarch64")]


def isolate():
    """Starts this script again in namespaces of its own; says why where that is not permitted."""
    if os.environ.get("SWIM_NETNS"):
        run("mount -t tmpfs none /run")
        run("ip link set lo up")
        return
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    own = ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    missing = [tool for tool in ("unshare", "nsenter", "ip", "nft") if not shutil.which(tool)]
    why = f"{', '.join(missing)} missing" if missing else tried(own)
    if why:
        print(f"SKIPPED: no agents in networks of their own: {why}")
        sys.exit(0)
    os.execvpe("unshare", [*own, sys.executable, *sys.argv], dict(os.environ, SWIM_NETNS="1"))


def tried(own):
    """Why what is needed is not permitted; None if it is."""
    what = ("ip link add br0 type bridge && ip link add v0 type veth peer name v1 && nft add table inet t"
            " && nft add chain inet t c '{ type filter hook input priority 0; }'"
            " && nft add rule inet t c numgen random mod 100 '<' 1 drop")
    done = subprocess.run([*own, "sh", "-c", what], capture_output=True, text=True, check=False)
    return (done.stderr.strip().splitlines() or ["not permitted"])[0] if done.returncode else None


def run(command, stdin=None):
    done = subprocess.run(command.split(), input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


def offload_off(device):
    """A wire in user space reads frames as they are: no checksums to be filled in later, no bundles of segments."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for what in (0x17, 0x1F, 0x24, 0x2C):  # ETHTOOL_S TXCSUM, TSO, GSO, GRO
            value = array.array("B", struct.pack("II", what, 0))
            fcntl.ioctl(s, 0x8946, struct.pack("16sP16x", device.encode(), value.buffer_info()[0]))


class Wire(threading.Thread):
    """Between two devices, with a delay each way. Not every kernel has netem."""

    def __init__(self, one, other, delay):
        super().__init__(daemon=True)
        self.delay, self.over, self.ends = delay, threading.Event(), []
        for device in (one, other):
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            end.bind((device, 0))
            self.ends.append(end)

    def run(self):
        waiting = []
        while not self.over.is_set():
            pause = max(waiting[0][0] - time.monotonic(), 0) if waiting else 0.2
            for end in select.select(self.ends, [], [], pause)[0]:
                frame, (_, _, kind, *_) = end.recvfrom(1 << 16)
                if kind != 4:  # PACKET_OUTGOING: what this wire itself sent
                    waiting.append((time.monotonic() + self.delay, self.ends[end is self.ends[0]], frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, to, frame = waiting.pop(0)
                to.send(frame)

    def cut(self):
        self.over.set()
        self.join()
        for end in self.ends:
            end.close()


class Network:
    """A bridge per site; plain cables between neighbours, or wires with a delay."""

    def __init__(self):
        self.wires = []
        for site in "abc":
            run(f"ip link add site-{site} type bridge")
            run(f"ip link set site-{site} up")
        for one, other in ("ab", "bc"):
            run(f"ip link add {one}{other} type veth peer name {other}{one}")
            for site, device in ((one, f"{one}{other}"), (other, f"{other}{one}")):
                run(f"ip link set {device} master site-{site} up")

    def host(self, index):
        run(f"ip netns add h{index}")
        run(f"ip link add p{index} type veth peer name eth{index}")
        offload_off(f"eth{index}")
        run(f"ip link set p{index} master site-{SITES[index]} up")
        run(f"ip link set eth{index} netns h{index} up")
        run(f"ip -n h{index} link set lo up")

    def far(self, delays):
        """Puts a delay, seconds one way, on the way between neighbours."""
        for (one, other), delay in zip(("ab", "bc"), delays):
            run(f"ip link set {one}{other} down")
            for site, device in ((one, f"w{one}{other}"), (other, f"w{other}{one}")):
                run(f"ip link add {device} type veth peer name x{device}")
                run(f"ip link set {device} master site-{site} up")
                run(f"ip link set x{device} up")
            self.wires.append(Wire(f"xw{one}{other}", f"xw{other}{one}", delay))
            self.wires[-1].start()

    def near(self):
        for wire in self.wires:
            wire.cut()
        for one, other in ("ab", "bc") if self.wires else ():
            run(f"ip link delete w{one}{other}")
            run(f"ip link delete w{other}{one}")
            run(f"ip link set {one}{other} up")
        self.wires = []


class Local(http.client.HTTPConnection):
    """HTTP over a Unix socket: the one thing that all namespaces share."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


class Host:
    """A namespace with its address, its rules and the agent that runs there."""

    def __init__(self, network, binary, directory, index):
        self.index, self.name, self.binary, self.directory = index, f"n{index}", binary, directory
        self.socket = os.path.join(directory, f"{self.name}.sock")
        self.log = os.path.join(directory, f"{self.name}.log")
        self.data = os.path.join(directory, f"{self.name}.data") if index % 2 else None
        self.process, self.ip, self.faketime, self.lost = None, None, None, 0
        network.host(index)
        self.address(f"10.77.0.{index}")

    def address(self, ip):
        if self.ip:
            run(f"ip -n h{self.index} address delete {self.ip}/16 dev eth{self.index}")
        self.ip = ip
        run(f"ip -n h{self.index} address add {ip}/16 dev eth{self.index}")

    def inside(self, *command):
        return ["nsenter", f"--net=/run/netns/h{self.index}", *command]

    def start(self, seeds=("10.77.0.1", "10.77.0.5")):
        command = [self.binary, "agent", "--name", self.name, "--bind", f"{self.ip}:7946", "--http-addr",
                   f"unix:{self.socket}", "--log-format", "json"]
        for seed in seeds:
            command += ["--join", f"{seed}:7946"]
        if self.data:
            command += ["--data-dir", self.data]
        env = dict(os.environ)
        if self.faketime:
            env.update(LD_PRELOAD=library(), FAKETIME_TIMESTAMP_FILE=self.faketime, FAKETIME_NO_CACHE="1",
                       DONT_FAKE_MONOTONIC="1", FAKETIME_DONT_FAKE_MONOTONIC="1")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.inside(*command), env=env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)

    def step(self, by):
        """Sets its wall clock, `faketime`'s, off by so many seconds, now and for later starts."""
        self.faketime = os.path.join(self.directory, f"{self.name}.clock")
        with open(self.faketime + ".new", "w", encoding="ascii") as f:
            f.write(f"{by:+d}")
        os.replace(self.faketime + ".new", self.faketime)

    def end(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        return self.process.wait(60)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def rules(self, *rules):
        """Replaces what is dropped on the way in and out, "in:MATCH" and "out:MATCH"; keeps count of what was."""
        self.lost += self.dropped()
        text = "table inet faults\ndelete table inet faults\n"
        if rules:
            text += "table inet faults {\n"
            for way, hook in (("in", "input"), ("out", "output")):
                here = [rule.split(":", 1)[1] for rule in rules if rule.startswith(way + ":")]
                lines = "\n".join(f"{match} counter drop" for match in here)
                text += f"chain {way} {{ type filter hook {hook} priority 0;\n{lines}\n}}\n"
            text += "}\n"
        run(f"nsenter --net=/run/netns/h{self.index} nft -f -", text)

    def dropped(self):
        """How many packets its rules dropped."""
        listed = run(f"nsenter --net=/run/netns/h{self.index} nft list ruleset")
        return sum(int(count) for count in re.findall(r"counter packets (\d+)", listed))

    def get(self, path):
        return json.loads(self.text(path))

    def text(self, path):
        client = Local(self.socket, timeout=10)
        try:
            client.request("GET", path, headers={"Host": "localhost"})
            return client.getresponse().read().decode()
        finally:
            client.close()

    def members(self):
        """What it holds of whom; None if it does not say."""
        try:
            return {m["name"]: m for m in self.get("/v1/members")["members"]}
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def states(self):
        return {name: member["state"] for name, member in (self.members() or {}).items()}

    def swim(self, *words, limit=30):
        """The command, asked of this agent: exit code and what it said."""
        env = dict(os.environ, SWIM_HTTP_ADDR=f"unix:{self.socket}")
        done = subprocess.run([self.binary, *words], env=env, text=True, stdin=subprocess.DEVNULL, timeout=limit,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout.strip()

    def events(self):
        """(kind, member, by, reason) of all that it logged so far, over all of its lives."""
        found = []
        with open(self.log, encoding="utf-8", errors="replace") as log:
            for line in log:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if entry.get("message", "").startswith("member "):
                    found.append((entry["message"][7:], entry.get("member"), entry.get("by"), entry.get("reason")))
        return found

    def logged(self, pattern):
        """The last line of its log, and of what it says at its start, in which this is; None if there is none."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return next((line.strip() for line in reversed(log.readlines()) if re.search(pattern, line)), None)

    def usage(self):
        """Tasks, threads, descriptors, resident KiB."""
        proc, sizes = f"/proc/{self.process.pid}", {}
        with open(f"{proc}/status", encoding="ascii") as f:
            for line in f:
                key, _, value = line.partition(":")
                if key in ("Threads", "VmRSS"):
                    sizes[key] = int(value.split()[0])
        tasks = int(re.search(r"^swim_tasks (\d+)", self.text("/metrics"), re.MULTILINE).group(1))
        return tasks, sizes["Threads"], len(os.listdir(f"{proc}/fd")), sizes["VmRSS"]


def library():
    return next((path for path in FAKETIME if os.path.exists(path)), None)


def one_view(hosts):
    """Whether all hold the same of the same members, all of them alive."""
    views = [host.members() for host in hosts]
    if not all(views):
        return False
    told = [{name: [member[key] for key in ("state", "address", "incarnation", "metadata")]
             for name, member in view.items()} for view in views]
    return (all(view == told[0] for view in told) and set(told[0]) == {host.name for host in hosts}
            and all(member[0] == "alive" for member in told[0].values()))


def settled(hosts, limit=LIMIT):
    """Seconds until there is one view on all; None if there is none within the limit."""
    began = time.monotonic()
    return time.monotonic() - began if wait(lambda: one_view(hosts), limit, 0.1) else None
