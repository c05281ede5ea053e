//! What happens to members and what users tell, as it happens.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use swim_core::{EventKind, Incarnation, MemberEvent, MemberState, Reason};
use tokio::time::Instant;

use crate::event_log::EventLog;

/// What happened to a member in the agent's view, who brought it about, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To whom.
    pub name: String,
    /// Where it lives, or lived.
    pub address: SocketAddr,
    /// Where it lived before, when it moved just now. Of a conflict, and of the agent itself, where
    /// another one lives that claims its name.
    pub old_address: Option<SocketAddr>,
    /// What was held of it; `None` of a newcomer.
    pub old_state: Option<MemberState>,
    /// What is held of it now; `None` when it was forgotten.
    pub state: Option<MemberState>,
    /// The incarnation that `state` is about.
    pub incarnation: Incarnation,
    /// Who accused, refuted or told, if known.
    pub by: Option<String>,
    /// Why.
    pub reason: Reason,
    /// The metadata that an [`Updated`](EventKind::Updated) member changed: keys with their new values,
    /// `None` where it took one away.
    pub changed: BTreeMap<String, Option<String>>,
    /// When, by this node's clock.
    pub time: SystemTime,
    /// The same moment on a clock that nobody sets.
    pub(crate) moment: Instant,
}

impl Event {
    /// How long ago it happened, whatever was done to this node's clock since.
    pub fn age(&self) -> Duration {
        self.moment.elapsed()
    }

    /// That happened just now.
    pub(crate) fn new(event: MemberEvent, time: SystemTime) -> Self {
        Self {
            kind: event.kind,
            name: event.member.0,
            address: event.address,
            old_address: event.old_address,
            old_state: event.old_state,
            state: event.state,
            incarnation: event.incarnation,
            by: event.by.map(|by| by.0),
            reason: event.reason,
            changed: BTreeMap::new(),
            time,
            moment: Instant::now(),
        }
    }
}

/// An event or a query of a user, as it reached this agent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserEvent {
    /// What it is called.
    pub name: String,
    /// What it carries; any bytes.
    pub payload: Vec<u8>,
    /// The member that sent it.
    pub origin: String,
    /// Its time on the clock of events (Lamport): greater than that of all it may have followed
    /// from.
    pub ltime: u64,
    /// When it came here, by this node's clock.
    pub time: SystemTime,
}

/// One item of an [`EventStream`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamItem {
    /// Something happened to a member.
    Event(Event),
    /// A user's event: of any member, this agent included, once.
    User(UserEvent),
    /// A user's query, whomever it is for; [`Handle::queries`](crate::Handle::queries) has those to
    /// be answered.
    Query(UserEvent),
    /// So many events were lost, because this consumer was too slow. What they led to is in
    /// [`Handle::members`](crate::Handle::members).
    Missed(u64),
}

/// The events of an agent, from a position on: of the moment it was opened, or before that.
///
/// The agent keeps the last 512 events, and at most 4 MiB of what they carry, and waits for nobody. An
/// event comes after the snapshot that it led to.
#[derive(Debug)]
pub struct EventStream {
    log: EventLog,
    position: u64,
}

impl EventStream {
    /// Events that an agent keeps.
    pub const KEPT: usize = 512;

    pub(crate) fn new(log: EventLog, position: u64) -> Self {
        Self { log, position }
    }

    /// Waits for the next event; `None` when the agent has ended and all are read. Cancel safe.
    pub async fn next(&mut self) -> Option<StreamItem> {
        loop {
            if let Some(item) = self.try_next() {
                return Some(item);
            }
            if !self.log.reaches(self.position).await {
                return None;
            }
        }
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<StreamItem> {
        let (item, position) = self.log.read(self.position)?;
        self.position = position;
        Some(item)
    }

    /// The number of the next event, counted from 0 since the agent started. A stream from
    /// [`Handle::events_from`](crate::Handle::events_from) goes on there.
    pub fn position(&self) -> u64 {
        self.position
    }
}
