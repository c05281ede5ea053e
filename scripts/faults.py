"""What befalls the hosts of `scripts/netns.py`: each function is a case, lets it happen to a world of agents and says
what came of it, and what was wrong. None instead says that it could not be tried.
"""
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

from figures import wait
from hosts import library, run, settled

FALSELY = "falsely dead"


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
    return [f"{FALSELY}: {event}" for event in deaths]


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
    healed = settled(world.hosts)
    return f"each half holds the other dead after {took(dead)}; one view {took(healed)} after", [
        *([] if dead else ["neither noticed"]), *falsely(within)]


def one_way(world):
    """One half does not hear the other, which hears it, for half a minute."""
    for host in world.hosts[:4]:
        host.rules(f"in:ip saddr {addresses(world.hosts[4:])}")
    time.sleep(30)
    world.heal()
    return f"30 s: {world.counts()}; one view {took(settled(world.hosts))} after", []


def deaf(world):
    """One host hears nobody and is heard: it must not blame the others."""
    world[3].rules("in:meta iifname != lo")
    others = [host for host in world.hosts if host is not world[3]]
    dead = until(lambda: hold(others, [world[3]], "dead"))
    time.sleep(20)
    blamed = [event for event in world.said("died") if event[1] != "n3"]
    world.heal()
    healed = settled(world.hosts)
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
    return f"dead everywhere after {took(dead)}; one view {took(settled(world.hosts))} after", [
        *([] if dead else ["nobody noticed"]), *falsely(blamed)]


def lossy(world, percent, duration):
    for host in world.hosts:
        host.rules(f"in:meta iifname != lo numgen random mod 100 < {percent}")
    time.sleep(duration)
    deaths = world.said("died")
    world.heal()
    return f"{duration} s: {world.counts()}; one view {took(settled(world.hosts))} after", deaths


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
            f"{' '.join(failing) or 'nobody'}; one view {took(settled(world.hosts))} after",
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
    healed = settled(world.hosts)
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
    healed = settled(world.hosts)
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
    settled(world.hosts)
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
        again.append(settled(world.hosts))
    return (f"an hour on, then back: {len(accused)} accusations; restarted a day back: one view after {took(again[0])} "
            f"with a data directory, {took(again[1])} without", wrong + [f"accused: {event}" for event in accused])


def address(world):
    """Hosts get other addresses: one agent is restarted at once, of the other the address goes first."""
    host = world[7]
    host.end()
    host.address("10.77.1.7")
    host.start(seeds=())
    at_once = settled(world.hosts)
    early = world.said("died")
    host = world[8]
    host.address("10.77.1.8")
    lost = until(lambda: hold(world.hosts[:7], [host], "dead"))
    host.end()
    host.start()
    later = settled(world.hosts)
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
    healed = settled(world.hosts)
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
    live = settled(world.hosts)
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
    return settled(world.hosts)


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
