//! What users tell each other, by name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::{GossipAction, GossipProtocol};
use crate::engine::{Answer, MemberIdx, NoticeMessage, Response, Source};
use crate::error::EventError;
use crate::member::MemberId;
use crate::message::GossipMessage;
use crate::user::{Decline, UserEvent, UserNotice, UserQuery};

impl GossipProtocol {
    /// Has all members hear an event; this node's own user hears it among the actions.
    ///
    /// # Errors
    /// The name is empty or too long, the whole is above
    /// [`Options::event_limit`](crate::Options::event_limit), too much waits to be told, or this
    /// node has left. Nobody was told then.
    pub fn send_event(
        &mut self,
        name: impl Into<String>,
        payload: impl Into<Vec<u8>>,
    ) -> Result<Vec<GossipAction>, EventError> {
        let (name, payload) = (checked(name.into())?, payload.into());
        let origin = self.local_member().id.clone();
        self.submit(UserNotice::Event(Arc::new(UserEvent { origin, name, payload })))
    }

    /// Has all members hear a query. What they say comes as [`QueryAck`](GossipAction::QueryAck),
    /// [`QueryAnswer`](GossipAction::QueryAnswer) and [`QueryDeclined`](GossipAction::QueryDeclined) under the
    /// number that is returned, until its time-out; this node's own user hears it too.
    ///
    /// # Errors
    /// As [`send_event`](Self::send_event), too many names and patterns, or too many queries that
    /// are open.
    pub fn start_query(
        &mut self,
        query: UserQuery,
    ) -> Result<(u64, Vec<GossipAction>), EventError> {
        let (found, max) = (query.nodes.len() + query.metadata.len(), UserQuery::MAX_FILTERS);
        if found > max {
            return Err(EventError::TooManyFilters { found, max });
        }
        if let Some(node) = query.nodes.iter().find(|node| !is_name(node.as_str())) {
            let (len, max) = (node.0.len(), MemberId::MAX_LEN);
            return Err(EventError::NameLength { len, max });
        }
        let name = checked(query.name)?;
        let origin = self.local_member().id.clone();
        let patience = query.timeout;
        let query = Arc::new(UserQuery { origin, name, ..query });
        let mut submitted = Err(EventError::Left);
        let actions = self.drive(|engine, now, out| {
            submitted = engine.start_query(now, UserNotice::Query(query), patience, out);
        });
        submitted.map(|stamp| (stamp.id, actions))
    }

    /// Tells who asks that this node heard a query that is for it.
    pub fn ack_query(&mut self, id: u64, query: &UserQuery) -> Vec<GossipAction> {
        self.reply(id, query, Response::Heard)
    }

    /// Tells who asks that no answer to a query comes from this node, so that it waits for none. An
    /// answer that was told before stands.
    pub fn decline_query(&mut self, id: u64, query: &UserQuery, why: Decline) -> Vec<GossipAction> {
        self.reply(id, query, Response::Declined(why))
    }

    /// Answers a query. Nothing is sent when its origin is not held to live any more.
    ///
    /// # Errors
    /// The answer is above [`Options::event_limit`](crate::Options::event_limit).
    pub fn answer_query(
        &mut self,
        id: u64,
        query: &UserQuery,
        payload: &[u8],
    ) -> Result<Vec<GossipAction>, EventError> {
        let (len, limit) = (payload.len(), self.event_limit);
        if len > limit {
            return Err(EventError::TooLarge { len, limit });
        }
        Ok(self.reply(id, query, Response::Answer(payload)))
    }

    fn reply(&mut self, id: u64, query: &UserQuery, response: Response<'_>) -> Vec<GossipAction> {
        let asker = self.directory.find(self.engine.profiles(), &query.origin);
        let relays = usize::from(query.relays);
        self.drive(|engine, now, out| {
            engine.answer_query(now, (id, asker), response, relays, out);
        })
    }

    fn submit(&mut self, notice: UserNotice) -> Result<Vec<GossipAction>, EventError> {
        let mut submitted = Ok(());
        let actions = self.drive(|engine, now, out| {
            submitted = engine.send_notice(now, notice, out).map(drop);
        });
        submitted.map(|()| actions)
    }

    /// The clock of events (Lamport 1978): at or above all that were heard here. Kept over a
    /// restart and given back as [`Options::event_clock`](crate::Options::event_clock), it keeps a
    /// node from hearing an event again.
    pub fn event_clock(&self) -> u64 {
        self.engine.notice_clock()
    }

    /// Events and queries waiting to be told.
    pub fn events_waiting(&self) -> usize {
        self.engine.notices_waiting()
    }

    /// Messages about what users tell.
    pub(super) fn hear_of_users(
        &mut self,
        instant: Instant,
        from: SocketAddr,
        message: GossipMessage,
    ) -> Vec<GossipAction> {
        let cards = self.engine.profiles();
        let there = self.directory.at(cards, &from);
        match message {
            GossipMessage::Notices { notices } => {
                self.hear_notices(instant, from, there, NoticeMessage::Tell(&notices))
            }
            GossipMessage::Fetch { stamps } => {
                self.hear_notices(instant, from, there, NoticeMessage::Fetch(&stamps))
            }
            GossipMessage::Recent { recent } => {
                self.hear_notices(instant, from, there, NoticeMessage::Recent(recent))
            }
            GossipMessage::Held { from: name, above, upto, stamps } => {
                let member = self.directory.find(cards, &name);
                let held = NoticeMessage::Held { above, upto, stamps: &stamps };
                self.hear_notices(instant, from, member, held)
            }
            GossipMessage::QueryAnswer { query, from: name, to, relay, payload, declined } => {
                let member = self.directory.find(cards, &name);
                let to = self.directory.find(cards, &to);
                let response = match (&payload, declined) {
                    (Some(payload), _) => Response::Answer(payload),
                    (None, Some(why)) => Response::Declined(why),
                    (None, None) => Response::Heard,
                };
                let answer = Answer { query, from: member, to, relay, response };
                self.hear_notices(instant, from, member, NoticeMessage::Answer(answer))
            }
            _ => Vec::new(),
        }
    }

    fn hear_notices(
        &mut self,
        instant: Instant,
        address: SocketAddr,
        member: Option<MemberIdx>,
        message: NoticeMessage<'_, UserNotice>,
    ) -> Vec<GossipAction> {
        let source = Source { member, address };
        self.drive_at(instant, |engine, now, out| engine.handle_notices(now, source, message, out))
    }
}

/// A name that an event or a query may have.
fn checked(name: String) -> Result<String, EventError> {
    let (len, max) = (name.len(), UserEvent::MAX_NAME);
    if is_name(&name) { Ok(name) } else { Err(EventError::NameLength { len, max }) }
}

fn is_name(name: &str) -> bool {
    (1..=UserEvent::MAX_NAME).contains(&name.len())
}
