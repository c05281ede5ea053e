//! What users tell each other, by name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::{GossipAction, GossipProtocol};
use crate::engine::{MemberIdx, NoticeMessage, Source};
use crate::error::EventError;
use crate::message::GossipMessage;
use crate::user::{UserEvent, UserNotice};

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
    if len == 0 || len > max { Err(EventError::NameLength { len, max }) } else { Ok(name) }
}
