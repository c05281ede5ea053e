"""How the agents of `compare_serf.py` are started, asked and flooded."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

STARTED = []


class Process:
    """A process whose lines are stamped as they come."""

    def __init__(self, command, env=None):
        self.lines = []
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=dict(os.environ, **(env or {})))
        STARTED.append(self.process)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.decode("utf-8", "replace")))

    def when(self, pattern, after=0.0):
        """When it first wrote so, or None."""
        return next((at for at, line in list(self.lines) if at >= after and re.search(pattern, line)), None)

    def end(self, how=signal.SIGKILL, limit=60):
        """Sends a signal; how long it took to end and its exit code."""
        at = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(limit)
        return time.monotonic() - at, code


class Done:
    """A command that ended: seconds, exit code (None: it was killed at the limit) and output."""

    def __init__(self, command, env, limit):
        at = time.monotonic()
        try:
            run = subprocess.run(command, env=dict(os.environ, **env), stdin=subprocess.DEVNULL, timeout=limit,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            self.code, self.text = run.returncode, run.stdout.decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            self.code, self.text = None, ""
        self.took = time.monotonic() - at


class Kind:
    """What both have; the rest is in the two below."""

    def __init__(self, binary, base, directory):
        self.binary, self.base, self.directory = binary, base, directory

    def start(self, index, join=None, handlers=()):
        agent = Process(self.command(index, self.host(index), join and self.host(join), handlers))
        agent.index, agent.name = index, f"n{index}"
        return agent

    def host(self, index):
        return f"{self.base}.{self.net}.{index}"

    def run(self, agent, *words, limit=30):
        return Done([self.binary, *words], {self.variable: f"{self.host(agent.index)}:7373"}, limit)

    def states(self, agent, limit=30):
        """States by name, or None if the agent did not tell."""
        done = self.run(agent, *self.list, limit=limit)
        try:
            return {m["name"]: m[self.state] for m in json.loads(done.text)["members"]} if done.code == 0 else None
        except (ValueError, KeyError):
            return None


class Serf(Kind):
    name, net, variable, state, dead = "serf", 1, "SERF_RPC_ADDR", "status", "failed"
    list, meta = ("members", "-format", "json"), ("tags", "-set", "canary=1")
    event, query = ("event", "-coalesce=false"), ("query",)
    prune, dropped_line = "-prune", "handler queue full"
    joined, died = r"EventMemberJoin: {}\b", r"EventMemberFailed: {}\b"

    def command(self, index, host, join, handlers):
        config = os.path.join(self.directory, f"serf-{index}.json")
        with open(config, "w", encoding="ascii") as f:
            json.dump({"tags": {"role": "a"}, "user_event_size_limit": 6000}, f)
        command = [self.binary, "agent", f"-node=n{index}", f"-bind={host}:7946", f"-rpc-addr={host}:7373",
                   f"-config-file={config}"]
        command += [f"-event-handler={handler}" for handler in handlers]
        return command + ([f"-join={join}:7946"] if join else [])

    def flood(self, agent, count, limit):
        """Submits events as fast as they are taken; how many were in so many seconds."""
        def text(word):
            return bytes([0xA0 | len(word)]) + word.encode()

        def request(command, seq, body):
            return b"\x82" + text("Command") + text(command) + text("Seq") + b"\xce" + seq.to_bytes(4, "big") + body
        event = b"\x83" + text("Name") + text("e") + text("Payload") + text("") + text("Coalesce") + b"\xc2"
        done, buffered, end = 0, b"", time.monotonic() + limit
        with socket.create_connection((self.host(agent.index), 7373), 5) as rpc:
            rpc.sendall(request("handshake", 0, b"\x81" + text("Version") + b"\x01"))
            # One at a time: an answer is a map with an empty Error.
            for seq in range(count + 1):
                if seq:
                    rpc.sendall(request("event", seq, event))
                while b"\xa5Error\xa0" not in buffered or b"\xa3Seq" not in buffered:
                    rpc.settimeout(max(end - time.monotonic(), 0.01))
                    try:
                        buffered += rpc.recv(4096)
                    except socket.timeout:
                        return done
                done, buffered = seq, b""
        return done

    def dropped(self, agent):
        lines = sum(self.dropped_line in line for _, line in agent.lines)
        return f"not counted; {lines} lines in the log"


class Swim(Kind):
    name, net, variable, state, dead = "swim", 2, "SWIM_HTTP_ADDR", "state", "dead"
    list, meta = ("members", "--format", "json"), ("meta", "set", "canary=1")
    event, query = ("event",), ("query",)
    prune = "--prune"
    joined, died = r"member joined.*member={}\b", r"member died.*member={}\b"

    def command(self, index, host, join, handlers):
        config = os.path.join(self.directory, f"swim-{index}.toml")
        with open(config, "w", encoding="ascii") as f:
            f.write('[metadata]\nrole = "a"\n')
        command = [self.binary, "agent", "--name", f"n{index}", "--bind", f"{host}:7946", "--http-addr",
                   f"{host}:7373", "--config", config]
        if not host.startswith("127."):
            sys.exit(f"{host} is no loopback address")
        for handler in handlers:
            command += ["--event-handler", handler]
        return command + (["--join", f"{join}:7946"] if join else [])

    def flood(self, agent, count, limit):
        done, end = 0, time.monotonic() + limit
        client = http.client.HTTPConnection(self.host(agent.index), 7373, timeout=10)
        while done < count and time.monotonic() < end:
            client.request("POST", "/v1/event", '{"name":"e"}', {"Content-Type": "application/json"})
            answer = client.getresponse()
            answer.read()
            done += answer.status == 200
            # Refused because too much waits: that is said, and later there is room.
            time.sleep(0.01 if answer.status == 503 else 0)
        client.close()
        return done

    def info(self, agent):
        return json.loads(self.run(agent, "info", "--format", "json").text)

    def dropped(self, agent):
        return f"{self.info(agent)['counters']['handler_events_dropped']} counted"
