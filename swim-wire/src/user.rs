//! `Event`: what users tell.

use bytes::BytesMut;
use swim_core::UserEvent;

use crate::error::DecodeError;
use crate::field::event;
use crate::limits::{Tally, text};
use crate::reader::Fields;
use crate::writer::{nonempty_len, put_bytes};

/// Never above what the core counts.
pub(crate) fn event_len(it: &UserEvent) -> usize {
    nonempty_len(event::ORIGIN, it.origin.0.len())
        + nonempty_len(event::NAME, it.name.len())
        + nonempty_len(event::PAYLOAD, it.payload.len())
}

pub(crate) fn put_event(it: &UserEvent, packet: &mut BytesMut) {
    put_bytes(event::ORIGIN, it.origin.0.as_bytes(), packet);
    put_bytes(event::NAME, it.name.as_bytes(), packet);
    put_bytes(event::PAYLOAD, &it.payload, packet);
}

pub(crate) fn decode_event(body: &[u8], tally: &mut Tally<'_>) -> Result<UserEvent, DecodeError> {
    let (mut origin, mut name, mut payload): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
    for field in Fields::of("event", body) {
        let field = field?;
        match field.number {
            event::ORIGIN => origin = field.bytes("origin")?,
            event::NAME => name = field.bytes("event name")?,
            event::PAYLOAD => payload = field.bytes("payload")?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    Ok(UserEvent {
        origin: tally.name("origin", origin)?,
        name: user_name("event name", name)?,
        payload: payload.to_vec(),
    })
}

/// The name of an event or a query.
fn user_name(field: &'static str, bytes: &[u8]) -> Result<String, DecodeError> {
    let (len, max) = (bytes.len(), UserEvent::MAX_NAME);
    match len {
        0 => Err(DecodeError::EmptyName { field }),
        _ if len > max => Err(DecodeError::NameTooLong { field, len, max }),
        _ => text(field, bytes).map(str::to_owned),
    }
}
