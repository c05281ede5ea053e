//! Queries: what users ask all or some members, and how those answer.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use swim_core::UserQuery;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use crate::driver::Command;
use crate::error::{EventError, Stopped};
use crate::event::UserEvent;

/// A question to all or some members; see [`Handle::query`](crate::Handle::query).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What is asked: 1 to 255 bytes.
    pub name: String,
    /// More of it; any bytes.
    pub payload: Vec<u8>,
    /// Members that are asked; all if empty.
    pub nodes: Vec<String>,
    /// Keys of metadata, and the patterns that the values of those asked must match, all of them.
    /// What a pattern means, [`AgentBuilder::patterns`](crate::AgentBuilder::patterns) says:
    /// the exact value unless set. Every agent of a cluster should mean the same.
    pub metadata: Vec<(String, String)>,
    /// How long answers are taken, above zero and at most [`Query::MAX_TIMEOUT`].
    pub timeout: Duration,
    /// Whether those asked are to say at once that they have heard it.
    pub ack: bool,
    /// Members that pass on each answer besides, at most 8: for networks that lose much.
    pub relays: u8,
}

impl Query {
    /// The longest time-out.
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(3600);
    /// Most relays.
    pub const MAX_RELAYS: u8 = 8;
    /// The name of a query that agents ack, and no user answers: see [`Query::ping`].
    pub const PING: &'static str = "swim.ping";

    /// A query of that name to all, with acks, without relays, for five seconds.
    pub fn new(name: impl Into<String>) -> Self {
        let UserQuery { name, payload, timeout, ack, relays, .. } = UserQuery::new(name);
        let (nodes, metadata) = (Vec::new(), Vec::new());
        Self { name, payload, nodes, metadata, timeout, ack, relays }
    }

    /// Asks whom the cluster's events reach: is over as soon as all have acked.
    pub fn ping() -> Self {
        Self::new(Self::PING)
    }

    /// Whether nothing but acks is to come.
    fn is_ping(&self) -> bool {
        self.name == Self::PING
    }

    /// What can be said without the cluster.
    pub(crate) fn check(&self) -> Result<(), EventError> {
        if self.timeout < Duration::from_millis(1) || self.timeout > Self::MAX_TIMEOUT {
            return Err(EventError::Timeout { found: self.timeout });
        }
        if self.relays > Self::MAX_RELAYS {
            return Err(EventError::Relays { found: self.relays });
        }
        if self.is_ping() && !self.ack {
            return Err(EventError::PingWithoutAck);
        }
        Ok(())
    }
}

impl From<Query> for UserQuery {
    fn from(query: Query) -> Self {
        let mut user = Self::new(query.name);
        user.payload = query.payload;
        user.nodes = query.nodes.into_iter().map(Into::into).collect();
        user.metadata = query.metadata;
        (user.timeout, user.ack, user.relays) = (query.timeout, query.ack, query.relays);
        user
    }
}

/// Tells whether a value matches a pattern.
pub type Pattern = Box<dyn Fn(&str) -> bool + Send>;

/// Makes patterns of texts, or says in words what is wrong with them.
#[derive(Clone)]
pub(crate) struct Patterns(pub(crate) Arc<MakePattern>);

pub(crate) type MakePattern = dyn Fn(&str) -> Result<Pattern, String> + Send + Sync;

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patterns")
    }
}

impl Patterns {
    /// A pattern is the value itself.
    pub(crate) fn exact() -> Self {
        Self(Arc::new(|text| {
            let text = text.to_owned();
            Ok(Box::new(move |value| value == text))
        }))
    }

    /// The patterns of a query, ready to be matched.
    pub(crate) fn compile(
        &self,
        metadata: &[(String, String)],
    ) -> Result<Vec<(String, Pattern)>, EventError> {
        let compile = |(key, text): &(String, String)| match (self.0)(text) {
            Ok(pattern) => Ok((key.clone(), pattern)),
            Err(why) => Err(EventError::Pattern { key: key.clone(), pattern: text.clone(), why }),
        };
        metadata.iter().map(compile).collect()
    }
}

/// Whether metadata matches all patterns.
pub(crate) fn matches<'a>(
    patterns: &[(String, Pattern)],
    value: impl Fn(&str) -> Option<&'a String>,
) -> bool {
    patterns.iter().all(|(key, pattern)| value(key).is_some_and(|value| pattern(value)))
}

/// What came back for a query.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// A member heard the query, and it is for that one; once for each.
    Ack {
        /// Its name.
        from: String,
    },
    /// A member answered; once for each.
    Answer {
        /// Its name.
        from: String,
        /// What it says.
        payload: Vec<u8>,
    },
}

/// The answers to one query as they come; from [`Handle::query`](crate::Handle::query).
///
/// At most two replies of each member wait to be read, and what comes above that is counted.
#[derive(Debug)]
pub struct Answers {
    replies: mpsc::Receiver<Reply>,
    expected: BTreeSet<String>,
    acked: BTreeSet<String>,
    answered: BTreeSet<String>,
    by_ack: bool,
    until: Instant,
    dropped: Arc<AtomicU64>,
}

/// The driver's end of [`Answers`].
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) replies: mpsc::Sender<Reply>,
    pub(crate) dropped: Arc<AtomicU64>,
    pub(crate) until: Instant,
}

/// Replies that wait for who asked, besides two for each member that is expected.
const SPARE: usize = 64;
/// And at most.
const MOST: usize = 16_384;

impl Answers {
    pub(crate) fn new(query: &Query, expected: BTreeSet<String>) -> (Asker, Self) {
        let room = (2 * expected.len() + SPARE).min(MOST);
        let (sender, replies) = mpsc::channel(room);
        let (until, dropped) = (Instant::now() + query.timeout, Arc::default());
        let asker = Asker { replies: sender, dropped: Arc::clone(&dropped), until };
        let (acked, answered) = (BTreeSet::new(), BTreeSet::new());
        let by_ack = query.is_ping();
        (asker, Self { replies, expected, acked, answered, by_ack, until, dropped })
    }

    /// Waits for the next reply; `None` once all who are expected have answered (acked, when it is
    /// a [ping](Query::ping)), the time-out has passed, or the agent has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Reply> {
        if self.is_complete() {
            // What came in the meantime is there; nothing else is waited for.
            return self.replies.try_recv().ok().map(|reply| self.book(reply));
        }
        let reply = tokio::time::timeout_at(self.until, self.replies.recv()).await.ok()??;
        Some(self.book(reply))
    }

    fn book(&mut self, reply: Reply) -> Reply {
        match &reply {
            Reply::Ack { from } => self.acked.insert(from.clone()),
            Reply::Answer { from, .. } => self.answered.insert(from.clone()),
        };
        reply
    }

    /// Whether all who are expected have answered.
    pub fn is_complete(&self) -> bool {
        self.missing().next().is_none()
    }

    /// The live members that the query is for, as this agent saw them when it was asked.
    pub fn expected(&self) -> impl Iterator<Item = &str> {
        self.expected.iter().map(String::as_str)
    }

    /// Those of them that have not answered so far; of a [ping](Query::ping), not acked.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let there = if self.by_ack { &self.acked } else { &self.answered };
        self.expected.difference(there).map(String::as_str)
    }

    /// Who has acked.
    pub fn acked(&self) -> impl Iterator<Item = &str> {
        self.acked.iter().map(String::as_str)
    }

    /// Who has answered.
    pub fn answered(&self) -> impl Iterator<Item = &str> {
        self.answered.iter().map(String::as_str)
    }

    /// Replies that were lost because too many waited to be read.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

/// What every receiver of a query shares.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) id: u64,
    pub(crate) query: Arc<UserQuery>,
    pub(crate) event: UserEvent,
    pub(crate) until: Instant,
    pub(crate) answered: AtomicBool,
}

/// A query for this agent, to be answered or not.
#[derive(Debug, Clone)]
pub struct ReceivedQuery {
    heard: Arc<Heard>,
    commands: mpsc::WeakSender<Command>,
}

impl ReceivedQuery {
    /// What is asked, by whom and when.
    pub fn event(&self) -> &UserEvent {
        &self.heard.event
    }

    /// How much time is left to answer.
    pub fn time_left(&self) -> Duration {
        self.heard.until.saturating_duration_since(Instant::now())
    }

    /// Answers it, once for the whole agent. That the answer arrives is not promised.
    ///
    /// # Errors
    /// It was answered already, it is too late, the payload is too large, or the agent has ended.
    /// Nothing was sent, and an answer that is smaller may follow one that was too large.
    pub async fn respond(&self, payload: impl Into<Vec<u8>>) -> Result<(), RespondError> {
        if self.heard.until <= Instant::now() {
            return Err(RespondError::Late);
        }
        if self.heard.answered.swap(true, Relaxed) {
            return Err(RespondError::Answered);
        }
        let (reply, answer) = oneshot::channel();
        let (heard, payload) = (Arc::clone(&self.heard), payload.into());
        let commands = self.commands.upgrade().ok_or(Stopped)?;
        let command = Command::Respond { heard, payload, reply };
        commands.send(command).await.map_err(|_| Stopped)?;
        drop(commands);
        let answer = answer.await.map_err(|_| Stopped)?;
        answer.map_err(|error| {
            self.heard.answered.store(false, Relaxed);
            RespondError::Refused(error)
        })
    }
}

/// Why an answer was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// Somebody in this program has answered already.
    #[error("the query was answered already")]
    Answered,
    /// The time-out has passed.
    #[error("the query's time-out has passed")]
    Late,
    /// The payload is too large; the error names both sizes.
    #[error(transparent)]
    Refused(swim_core::EventError),
    /// The agent has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// One item of a [`QueryStream`].
#[derive(Debug, Clone)]
pub enum QueryItem {
    /// A query for this agent.
    Query(ReceivedQuery),
    /// So many queries were lost, because this consumer was too slow.
    Missed(u64),
}

/// The queries for this agent; from [`Handle::queries`](crate::Handle::queries). Each comes once to
/// each stream; the last 128 are kept.
#[derive(Debug)]
pub struct QueryStream {
    pub(crate) receiver: broadcast::Receiver<Arc<Heard>>,
    pub(crate) commands: mpsc::WeakSender<Command>,
}

impl QueryStream {
    /// Queries kept for slow consumers, all of them together.
    pub(crate) const KEPT: usize = 128;

    /// Waits for the next query; `None` when the agent has ended and all are read. Cancel safe.
    pub async fn next(&mut self) -> Option<QueryItem> {
        match self.receiver.recv().await {
            Ok(heard) => {
                let commands = self.commands.clone();
                Some(QueryItem::Query(ReceivedQuery { heard, commands }))
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(QueryItem::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
