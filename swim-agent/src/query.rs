//! Queries: what users ask all or some members, and how those answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use swim_core::{Decline, MemberState, UserQuery};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::error::EventError;
use crate::members::Members;

/// A question to all or some members; see [`Handle::query`](crate::Handle::query).
///
/// Later versions may have fields more: make one of another, never of fields alone.
///
/// ```
/// # use std::time::Duration;
/// # use swim_agent::Query;
/// let query = Query { timeout: Duration::from_secs(2), ..Query::new("load") };
/// ```
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

    /// The name of the query by which agents speak of their keys ; no user
    /// can ask it, and none hears it.
    pub(crate) const KEYS: &'static str = "swim.keys";

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
        if self.name == Self::KEYS {
            return Err(EventError::Reserved);
        }
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
    /// A member has nobody who answers; once for each, and instead of an answer.
    Declined {
        /// Its name.
        from: String,
        /// Why nobody does.
        why: Decline,
    },
    /// A member that was expected died or left: no answer of it is waited for any more. Once for
    /// each, unless it has answered or declined.
    Gone {
        /// Its name.
        from: String,
        /// Dead or Left; a member that is forgotten already counts as dead.
        state: MemberState,
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
    declined: BTreeMap<String, Decline>,
    gone: BTreeMap<String, MemberState>,
    by_ack: bool,
    until: Instant,
    dropped: Arc<AtomicU64>,
    members: watch::Receiver<Members>,
    /// Whether `members` may tell of somebody else who is gone.
    unread: bool,
}

/// The driver's end of [`Answers`].
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) replies: mpsc::Sender<Reply>,
    pub(crate) dropped: Arc<AtomicU64>,
    pub(crate) until: Instant,
}

impl Asker {
    /// Whether its time is not over and somebody reads what is said.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.until > now && !self.replies.is_closed()
    }
}

/// Replies that wait for who asked, besides two for each member that is expected.
const SPARE: usize = 64;
/// And at most.
const MOST: usize = 16_384;

impl Answers {
    /// `members` are those among whom `expected` were found, and what becomes of them.
    pub(crate) fn new(
        query: &Query,
        expected: BTreeSet<String>,
        members: watch::Receiver<Members>,
    ) -> (Asker, Self) {
        let room = (2 * expected.len() + SPARE).min(MOST);
        let (sender, replies) = mpsc::channel(room);
        let (until, dropped) = (Instant::now() + query.timeout, Arc::default());
        let asker = Asker { replies: sender, dropped: Arc::clone(&dropped), until };
        let (acked, answered) = (BTreeSet::new(), BTreeSet::new());
        let (declined, gone) = (BTreeMap::new(), BTreeMap::new());
        let (by_ack, unread) = (query.is_ping(), true);
        let answers = Self {
            replies,
            expected,
            acked,
            answered,
            declined,
            gone,
            by_ack,
            until,
            dropped,
            members,
            unread,
        };
        (asker, answers)
    }

    /// Waits for the next reply; `None` once all who are expected have answered (acked, when it is
    /// a [ping](Query::ping)), declined, died or left, the time-out has passed, or the agent has
    /// ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Reply> {
        loop {
            let reply = if self.is_complete() {
                // What came in the meantime is there; nothing else is waited for.
                self.replies.try_recv().ok()?
            } else if let Some(reply) = self.wait().await? {
                reply
            } else {
                continue;
            };
            // Who is not waited for need not decline.
            if !matches!(&reply, Reply::Declined { from, .. } if !self.expected.contains(from)) {
                return Some(self.book(reply));
            }
        }
    }

    /// Waits for a reply or another reason to look; `None` when there is nothing left to wait for.
    async fn wait(&mut self) -> Option<Option<Reply>> {
        if self.unread {
            // Whoever answered and left has answered.
            let reply = self.replies.try_recv().ok().or_else(|| self.find_gone());
            self.unread = reply.is_some();
            return Some(reply);
        }
        tokio::select! {
            reply = self.replies.recv() => Some(Some(reply?)),
            // An error says that the agent has ended: so have the replies.
            Ok(()) = self.members.changed() => {
                self.unread = true;
                Some(None)
            }
            () = tokio::time::sleep_until(self.until) => None,
        }
    }

    /// Somebody who is waited for and does not live any more. O(k log n) for k that are missing.
    fn find_gone(&mut self) -> Option<Reply> {
        self.members.mark_unchanged();
        let members = self.members.borrow().clone();
        let state = |name: &str| members.get(name).map_or(MemberState::Dead, |member| member.state);
        let mut missing = self.missing().map(|name| (name, state(name)));
        let (name, state) = missing.find(|(_, state)| !state.is_live())?;
        Some(Reply::Gone { from: name.to_owned(), state })
    }

    fn book(&mut self, reply: Reply) -> Reply {
        match &reply {
            Reply::Ack { from } => drop(self.acked.replace(from.clone())),
            Reply::Answer { from, .. } => drop(self.answered.replace(from.clone())),
            Reply::Declined { from, why } => {
                self.declined.insert(from.clone(), *why);
            }
            Reply::Gone { from, state } => {
                self.gone.insert(from.clone(), *state);
            }
        }
        reply
    }

    /// Whether nobody is waited for any more: all who are expected have answered, declined, died or
    /// left.
    pub fn is_complete(&self) -> bool {
        self.missing().next().is_none()
    }

    /// The live members that the query is for, as this agent saw them when it was asked.
    pub fn expected(&self) -> impl Iterator<Item = &str> {
        self.expected.iter().map(String::as_str)
    }

    /// Those of them that are waited for: they have not answered so far (of a
    /// [ping](Query::ping): not acked), nor declined, died or left.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let there = if self.by_ack { &self.acked } else { &self.answered };
        let missing = self.expected.difference(there).map(String::as_str);
        missing.filter(|&name| !self.declined.contains_key(name) && !self.gone.contains_key(name))
    }

    /// Who has acked.
    pub fn acked(&self) -> impl Iterator<Item = &str> {
        self.acked.iter().map(String::as_str)
    }

    /// Who has answered.
    pub fn answered(&self) -> impl Iterator<Item = &str> {
        self.answered.iter().map(String::as_str)
    }

    /// Who has nobody that answers, and why.
    pub fn declined(&self) -> impl Iterator<Item = (&str, Decline)> {
        self.declined.iter().map(|(name, why)| (name.as_str(), *why))
    }

    /// Who was expected and died or left before it answered, as told by [`Reply::Gone`]. It may have
    /// answered since.
    pub fn gone(&self) -> impl Iterator<Item = (&str, MemberState)> {
        self.gone.iter().map(|(name, state)| (name.as_str(), *state))
    }

    /// Replies that were lost because too many waited to be read.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}
