//! What the facts and counters of `GET /v1/info` mean, in a sentence each.

use std::collections::BTreeMap;

use swim_agent::Info;

use super::{Dropped, info};

/// The facts; the counters are explained where they are counted.
const FACTS: [(&str, &str); 31] = [
    ("name", "Its name, unique in the cluster."),
    ("address", "What the agent tells others to reach it at."),
    ("bind_address", "What its sockets are bound to."),
    ("http_address", "Where its admin endpoint is."),
    ("cluster", "The cluster's name: packets of others are refused."),
    (
        "sealing",
        "off, or which packets are sealed and heard: accept and send are steps to require, which hears sealed ones alone.",
    ),
    ("version", "Of the program; all of one major version of the wire understand each other."),
    ("state", "What it says of itself: alive, or left when it leaves."),
    ("uptime_ms", "Time since it started."),
    (
        "incarnation",
        "Grows when the agent restarts, changes its metadata or refutes an accusation.",
    ),
    ("ready", "Whether it has found its cluster and is not leaving."),
    (
        "local_health",
        "0 when it hears what it should. Above that it doubts its own network or load, and gives others more time; 8 is the worst.",
    ),
    ("probe_interval_ms", "The protocol period now: one member is probed in each."),
    (
        "suspicion_timeout_ms",
        "How long a suspicion that nobody else confirms lasts before its member is held dead.",
    ),
    (
        "members",
        "Members by state as this agent holds them. Dead ones are forgotten after a while.",
    ),
    (
        "members_held",
        "Members held in memory, in whatever state: dead ones take room until they are forgotten.",
    ),
    ("max_members", "How many may be held: beyond that, nobody unknown is taken in."),
    ("allow", "The networks whose addresses are heard and sent to; none stands for all."),
    (
        "updates_waiting",
        "Updates that wait to be told. Steadily above some hundreds: news comes faster than it goes.",
    ),
    (
        "notices_waiting",
        "Events and queries of users that wait to be told. What comes when too many do is refused.",
    ),
    ("queries_open", "Queries that were asked here and are not over."),
    ("streams_open", "Streams of events that are read at the admin endpoint, of 64 at most."),
    (
        "standstill",
        "The last time that the agent stood still for a second or more: paused, starved of the processor, or suspended. Others suspect who is silent for so long.",
    ),
    ("join_attempts", "Attempts in vain of the join under way; null when there is none."),
    (
        "members_missing",
        "Members that were live before this agent restarted and have not been seen since; from its data directory. swim force-leave takes one off.",
    ),
    (
        "accusations",
        "The latest accusations of anybody that the agent heard or made, and what was said of itself.",
    ),
    (
        "coordinate",
        "Where it is in the space of round trips, how far its access is from there, and the share by which that misses what it measures: 1.5 before the first. null when switched off.",
    ),
    ("view_hash", "Agents that hold the same of all live members have the same."),
    ("convergence.avg_rounds_to_converge", "Gossip rounds that news took to come here, mean."),
    ("convergence.message_overhead", "Messages sent per update learned."),
    (
        "convergence.false_positive_rate",
        "Share of suspicions and deaths that were refuted. Near 0 on a sound network.",
    ),
];

/// Every fact and counter by its name.
pub(super) fn of(info: &Info, dropped: Dropped) -> BTreeMap<String, String> {
    let counters = info::counts(info, dropped).map(|(name, _, meaning)| (name, meaning));
    let all = FACTS.into_iter().chain(counters);
    all.map(|(name, meaning)| (name.to_owned(), meaning.to_owned())).collect()
}
