//! How an agent is doing.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{ConvergenceStats, Coordinate, Incarnation, MemberState, Stats};
use swim_transport::NetStats;

use crate::admission::Subnet;
use crate::counters::Counters;

/// How an agent is doing; from [`Handle::info`](crate::Handle::info).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Info {
    /// Its name.
    pub name: String,
    /// Its cluster.
    pub cluster: String,
    /// The address it is bound to.
    pub local_addr: SocketAddr,
    /// The address it tells others.
    pub advertise_addr: SocketAddr,
    /// Its own state: Alive, or Left once it is leaving.
    pub state: MemberState,
    /// Its own incarnation.
    pub incarnation: Incarnation,
    /// Local health (Lifeguard): 0 is healthy, 8 the worst.
    pub local_health: u8,
    /// How many members it holds in each state.
    pub counts: StateCounts,
    /// Members that were pruned and are not forgotten so far: nothing of them is shown.
    pub pruned: usize,
    /// Members that are held in memory, in whatever state, dead and pruned ones included until they are
    /// forgotten.
    pub members_held: usize,
    /// How many may be: beyond that, nobody unknown is taken in.
    pub max_members: usize,
    /// The networks whose addresses it hears, sends to and holds; none stands for all.
    pub allow: Vec<Subnet>,
    /// What the protocol counted.
    pub stats: Stats,
    /// How well news travels, measured from this node's traffic.
    pub convergence: ConvergenceStats,
    /// What crossed the agent.
    pub counters: Counters,
    /// What the sockets counted; `None` over a transport of the caller's own.
    pub net: Option<NetStats>,
    /// Updates that wait to be told.
    pub updates_waiting: usize,
    /// Events and queries of users that wait to be told.
    pub notices_waiting: usize,
    /// Queries of this agent's users that are open.
    pub queries_open: usize,
    /// Sessions of others whose packets it remembers, so that none is heard twice: each start of a member
    /// is one, and each key that it sealed with. About 250 bytes each; none where packets are open.
    pub sessions: SessionCounts,
    /// How often a join was tried in vain so far; `None` when none is under way.
    pub join_attempts: Option<u32>,
    /// Whether it has found its cluster: a seed answered once, or it was given no other seed than
    /// itself, or somebody is with it now.
    pub joined: bool,
    /// The protocol period as local health and tuning have it.
    pub probe_interval: Duration,
    /// How long an unconfirmed suspicion lasts.
    pub suspicion_timeout: Duration,
    /// Where it is in the space of round trips; `None` where coordinates are switched off.
    pub coordinate: Option<Coordinate>,
    /// Hash of the view of live members: agents with equal views have equal hashes.
    pub view_hash: u64,
    /// The last time that it stood still for a second or more; `None` when it never did.
    pub standstill: Option<Standstill>,
    /// Members that were live before the restart and have not been seen since; none without a data
    /// directory.
    pub members_missing: Missing,
    /// Since the agent started.
    pub uptime: Duration,
}

/// A time in which an agent could not run: it was paused, starved or suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standstill {
    /// How long it lasted, as far as timers were late.
    pub lasted: Duration,
    /// How long ago it ended.
    pub ago: Duration,
}

/// Members by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateCounts {
    /// Members held Alive, the agent itself included.
    pub alive: usize,
    /// Members held Suspect.
    pub suspect: usize,
    /// Members held Dead.
    pub dead: usize,
    /// Members that left.
    pub left: usize,
}

/// Sessions by what carried their packets, at most 16,384 of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionCounts {
    /// Of datagrams.
    pub datagrams: usize,
    /// Of streams.
    pub streams: usize,
}

/// Remembered members that have not come back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missing {
    /// How many.
    pub count: usize,
    /// The first of their names, at most [`Missing::NAMED`].
    pub names: Vec<String>,
}

impl Missing {
    /// Most names that are told.
    pub const NAMED: usize = 16;
}
