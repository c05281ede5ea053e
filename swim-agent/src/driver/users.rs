//! What users tell each other, between the protocol and the streams that users read.
//!
//! Patterns are matched on a thread of their own, because what one costs is its maker's affair;
//! only so many at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use swim_core::{Decline, EventError, UserEvent as Told, UserQuery};
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::time::Instant;

use super::exchange::Input;
use super::post::Origin;
use super::{Command, Driver};
use crate::counters::Meter;
use crate::event::{StreamItem, UserEvent};
use crate::query::{Asker, Query, Reply, matches};
use crate::received::Heard;

/// Queries whose patterns are matched at a time.
const MATCHING: usize = 16;

/// Queries of this node's users that are open, and who answers those of others.
pub(super) struct Users {
    asked: BTreeMap<u64, Asker>,
    queries: broadcast::Sender<Arc<Heard>>,
    /// How the last one who has a query says that nobody answers it.
    commands: mpsc::WeakSender<Command>,
    pub(super) matching: Arc<Semaphore>,
}

impl Users {
    pub(super) fn new(
        queries: broadcast::Sender<Arc<Heard>>,
        commands: mpsc::WeakSender<Command>,
    ) -> Self {
        let matching = Arc::new(Semaphore::new(MATCHING));
        Self { asked: BTreeMap::new(), queries, commands, matching }
    }

    /// A query as those have it who may answer.
    pub(super) fn heard(&self, incoming: Incoming, meter: &Arc<Meter>) -> Arc<Heard> {
        let event = told(&incoming);
        Arc::new(Heard::new(incoming, event, (self.commands.clone(), Arc::clone(meter))))
    }

    /// How many queries of this node's users are open.
    pub(super) fn open(&self) -> usize {
        self.asked.values().filter(|asker| asker.is_open(Instant::now())).count()
    }
}

/// A query that reached this node.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) id: u64,
    pub(crate) query: Arc<UserQuery>,
    pub(crate) ltime: u64,
}

impl<T: Transport, C: Codec> Driver<T, C> {
    /// A user tells all members something.
    pub(super) fn send_event(&mut self, name: String, payload: Vec<u8>) -> Result<(), EventError> {
        let actions = self.protocol.send_event(name, payload)?;
        self.act(actions, &mut Origin::Proven);
        Ok(())
    }

    /// A user asks all members something.
    pub(super) fn start_query(&mut self, query: Query, asker: Asker) -> Result<(), EventError> {
        let now = Instant::now();
        self.users.asked.retain(|_, asker| asker.is_open(now));
        let (id, actions) = self.protocol.start_query(query.into())?;
        self.users.asked.insert(id, asker);
        self.act(actions, &mut Origin::Proven);
        Ok(())
    }

    /// A user answers.
    pub(super) fn respond(&mut self, heard: &Heard, payload: &[u8]) -> Result<(), EventError> {
        let answer = self.protocol.answer_query(heard.id, &heard.query, payload);
        // A smaller one may follow, whether or not anybody waits for the word of this one.
        let actions = answer.inspect_err(|_| heard.settled.store(false, Relaxed))?;
        self.act(actions, &mut Origin::Proven);
        Ok(())
    }

    /// An event reached this node.
    pub(super) fn hear_event(&mut self, event: Arc<Told>, ltime: u64) {
        let Told { origin, name, payload } = Arc::unwrap_or_clone(event);
        let time = SystemTime::now();
        let event = UserEvent { name, payload, origin: origin.0, ltime, time };
        self.view.tell(StreamItem::User(event));
    }

    /// A query reached this node.
    pub(super) fn hear_query(&mut self, incoming: Incoming) {
        let query = &incoming.query;
        if query.name != Query::PING && query.name != Query::KEYS {
            self.view.tell(StreamItem::Query(told(&incoming)));
        }
        let me = &self.protocol.local_member().id;
        if !query.nodes.is_empty() && !query.nodes.contains(me) {
            return;
        }
        if query.metadata.is_empty() {
            self.is_asked(incoming);
        } else {
            self.match_query(incoming);
        }
    }

    /// Finds out, elsewhere, whether a query with patterns is for this node.
    fn match_query(&mut self, incoming: Incoming) {
        let Ok(permit) = Arc::clone(&self.users.matching).try_acquire_owned() else {
            self.meter.queries_dropped.one();
            // Who asked knows whether this node is expected to answer.
            self.decline(incoming.id, &incoming.query, Decline::Busy);
            return;
        };
        let inputs = self.exchange.inputs().clone();
        let patterns = self.about.patterns.clone();
        let metadata = self.protocol.local_member().metadata.clone();
        self.about.runtime.spawn_blocking(move || {
            // Held until the driver has taken the outcome.
            let _permit = permit;
            let compiled = patterns.compile(&incoming.query.metadata);
            if compiled.is_ok_and(|patterns| matches(&patterns, |key| metadata.get(key))) {
                // An error says that the agent has ended.
                let _ = inputs.blocking_send(Input::Asked(incoming));
            }
        });
    }

    /// A query is for this node.
    pub(super) fn is_asked(&mut self, incoming: Incoming) {
        let query = Arc::clone(&incoming.query);
        if query.name == Query::KEYS {
            return self.is_asked_for_keys(incoming);
        }
        if query.ack {
            let actions = self.protocol.ack_query(incoming.id, &query);
            self.act(actions, &mut Origin::Proven);
        }
        if query.name == Query::PING {
            return;
        }
        let heard = self.users.heard(incoming, &self.meter);
        if let Err(broadcast::error::SendError(heard)) = self.users.queries.send(heard) {
            // Nobody listens.
            heard.settled.store(true, Relaxed);
            self.decline(heard.id, &heard.query, Decline::NoHandler);
        }
    }

    /// Tells who asked that no answer comes from here.
    pub(super) fn decline(&mut self, id: u64, query: &UserQuery, why: Decline) {
        let actions = self.protocol.decline_query(id, query, why);
        self.act(actions, &mut Origin::Proven);
    }

    /// Somebody acked or answered a query of this node's.
    pub(super) fn hear_reply(&mut self, id: u64, reply: Reply) {
        let Some(asker) = self.users.asked.get(&id) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = asker.replies.try_send(reply) {
            asker.dropped.fetch_add(1, Relaxed);
            self.meter.replies_dropped.one();
        }
    }
}

fn told(incoming: &Incoming) -> UserEvent {
    let UserQuery { origin, name, payload, .. } = &*incoming.query;
    UserEvent {
        name: name.clone(),
        payload: payload.clone(),
        origin: origin.0.clone(),
        ltime: incoming.ltime,
        time: SystemTime::now(),
    }
}
