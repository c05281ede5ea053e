//! What users tell: events, which all members hear, and queries, which some answer.

use std::sync::Arc;
use std::time::Duration;

use crate::member::MemberId;
use crate::notice::Body;
use crate::wire_size::text;

/// An event: reaches every member once, causes before effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEvent {
    /// Who sent it.
    pub origin: MemberId,
    /// What happened: 1 to [`UserEvent::MAX_NAME`] bytes.
    pub name: String,
    /// More of it; any bytes.
    pub payload: Vec<u8>,
}

impl UserEvent {
    /// Longest name of an event or a query in bytes.
    pub const MAX_NAME: usize = 255;

    fn wire_len(&self) -> usize {
        let Self { origin, name, payload } = self;
        text(text(origin.0.len()) + text(name.len()) + text(payload.len()))
    }
}

/// A query: an event that is answered.
///
/// Which members it is for, each finds out itself: the protocol lets every member hear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserQuery {
    /// Who asks; [`start_query`](crate::GossipProtocol::start_query) fills it in.
    pub origin: MemberId,
    /// What is asked: 1 to [`UserEvent::MAX_NAME`] bytes.
    pub name: String,
    /// More of it; any bytes.
    pub payload: Vec<u8>,
    /// Members that are asked; all if empty.
    pub nodes: Vec<MemberId>,
    /// Keys of metadata, and the patterns that the values of those asked must match. What a pattern
    /// means is the driver's business.
    pub metadata: Vec<(String, String)>,
    /// Whether those asked are to say at once that they have heard it.
    pub ack: bool,
    /// Members that pass on each answer besides, at most 8.
    pub relays: u8,
    /// For how long answers are taken, in whole milliseconds.
    pub timeout: Duration,
}

impl UserQuery {
    /// Most entries of `nodes` and of `metadata` together.
    pub const MAX_FILTERS: usize = 1_024;

    /// A query of that name to all, with acks, without relays, for five seconds.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            origin: MemberId(String::new()),
            name: name.into(),
            payload: Vec::new(),
            nodes: Vec::new(),
            metadata: Vec::new(),
            ack: true,
            relays: 0,
            timeout: Duration::from_secs(5),
        }
    }

    fn wire_len(&self) -> usize {
        let texts = text(self.origin.0.len()) + text(self.name.len()) + text(self.payload.len());
        let nodes: usize = self.nodes.iter().map(|node| text(node.0.len())).sum();
        let pair = |(key, pattern): &(String, String)| text(text(key.len()) + text(pattern.len()));
        let metadata: usize = self.metadata.iter().map(pair).sum();
        text(texts + nodes + metadata + NUMBERS)
    }
}

/// Why a member that was asked gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Decline {
    /// Nobody there answers such queries.
    NoHandler,
    /// Too much waits there.
    Busy,
    /// Who was to answer failed; or the reason is one that this version does not know.
    Failed,
}

impl Decline {
    /// The reason in a word, as interfaces print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoHandler => "none",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

/// Most bytes of a query's flag, its relays and its time-out.
const NUMBERS: usize = 2 + 3 + 6;

/// What a notice says, for users. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserNotice {
    /// An event.
    Event(Arc<UserEvent>),
    /// A query.
    Query(Arc<UserQuery>),
}

impl Body for UserNotice {
    fn wire_len(&self) -> usize {
        match self {
            Self::Event(event) => event.wire_len(),
            Self::Query(query) => query.wire_len(),
        }
    }
}
