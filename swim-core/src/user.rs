//! What users tell: events, which all members hear, and queries, which some answer.

use std::sync::Arc;

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

/// What a notice says, for users. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserNotice {
    /// An event.
    Event(Arc<UserEvent>),
}

impl Body for UserNotice {
    fn wire_len(&self) -> usize {
        match self {
            Self::Event(event) => event.wire_len(),
        }
    }
}
