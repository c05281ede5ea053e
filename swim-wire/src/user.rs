//! `Event`, `Query` and `QueryAnswer`: what users tell, ask and answer.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use swim_core::{Decline, GossipMessage, MemberId, UserEvent, UserQuery};

use crate::error::DecodeError;
use crate::field::{event, pattern, query, query_answer as answer};
use crate::limits::{Tally, text};
use crate::reader::{Fields, narrow};
use crate::writer::{
    delimited_len, fixed64_len, nonempty_len, put_bytes, put_fixed64, put_header, put_varint,
    varint_len,
};

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

/// As it travels: at most 49 days.
fn millis(timeout: Duration) -> u64 {
    timeout.as_millis().min(u128::from(u32::MAX)) as u64
}

fn pattern_len((key, value): &(String, String)) -> usize {
    nonempty_len(pattern::KEY, key.len()) + nonempty_len(pattern::PATTERN, value.len())
}

/// Never above what the core counts.
pub(crate) fn query_len(it: &UserQuery) -> usize {
    let node = |node: &MemberId| delimited_len(query::NODES, node.0.len());
    let metadata = |pair: &(String, String)| delimited_len(query::METADATA, pattern_len(pair));
    nonempty_len(query::ORIGIN, it.origin.0.len())
        + nonempty_len(query::NAME, it.name.len())
        + nonempty_len(query::PAYLOAD, it.payload.len())
        + it.nodes.iter().map(node).sum::<usize>()
        + it.metadata.iter().map(metadata).sum::<usize>()
        + varint_len(query::ACK, it.ack.into())
        + varint_len(query::RELAYS, it.relays.into())
        + varint_len(query::TIMEOUT, millis(it.timeout))
}

pub(crate) fn put_query(it: &UserQuery, packet: &mut BytesMut) {
    put_bytes(query::ORIGIN, it.origin.0.as_bytes(), packet);
    put_bytes(query::NAME, it.name.as_bytes(), packet);
    put_bytes(query::PAYLOAD, &it.payload, packet);
    for node in &it.nodes {
        put_header(query::NODES, node.0.len(), packet);
        packet.put_slice(node.0.as_bytes());
    }
    for pair in &it.metadata {
        put_header(query::METADATA, pattern_len(pair), packet);
        put_bytes(pattern::KEY, pair.0.as_bytes(), packet);
        put_bytes(pattern::PATTERN, pair.1.as_bytes(), packet);
    }
    put_varint(query::ACK, it.ack.into(), packet);
    put_varint(query::RELAYS, it.relays.into(), packet);
    put_varint(query::TIMEOUT, millis(it.timeout), packet);
}

pub(crate) fn decode_query(body: &[u8], tally: &mut Tally<'_>) -> Result<UserQuery, DecodeError> {
    let (mut origin, mut name, mut payload): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
    let (mut ack, mut relays, mut timeout) = (0, 0, 0);
    let [named, patterns] = count_filters(body)?;
    let (mut nodes, mut metadata) = (Vec::with_capacity(named), Vec::with_capacity(patterns));
    for field in Fields::of("query", body) {
        let field = field?;
        match field.number {
            query::ORIGIN => origin = field.bytes("origin")?,
            query::NAME => name = field.bytes("query name")?,
            query::PAYLOAD => payload = field.bytes("payload")?,
            query::NODES => nodes.push(tally.name("nodes", field.bytes("nodes")?)?),
            query::METADATA => metadata.push(decode_pattern(field.bytes("metadata")?, tally)?),
            query::ACK => ack = field.uint64("ack")?,
            query::RELAYS => relays = narrow("relays", field.uint64("relays")?)?,
            query::TIMEOUT => timeout = field.uint32("timeout")?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    let (origin, name) = (tally.name("origin", origin)?, user_name("query name", name)?);
    let (payload, ack) = (payload.to_vec(), ack != 0);
    let timeout = Duration::from_millis(timeout.into());
    Ok(UserQuery { origin, name, payload, nodes, metadata, ack, relays, timeout })
}

/// How many members and patterns a query names.
fn count_filters(body: &[u8]) -> Result<[usize; 2], DecodeError> {
    let (mut named, mut patterns) = (0, 0);
    for field in Fields::of("query", body) {
        match field?.number {
            query::NODES => named += 1,
            query::METADATA => patterns += 1,
            _ => {}
        }
    }
    let (found, max) = (named + patterns, UserQuery::MAX_FILTERS);
    if found > max {
        return Err(DecodeError::TooManyFilters { found, max });
    }
    Ok([named, patterns])
}

fn decode_pattern(body: &[u8], tally: &mut Tally<'_>) -> Result<(String, String), DecodeError> {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::of("pattern", body) {
        let field = field?;
        match field.number {
            pattern::KEY => key = field.bytes("pattern key")?,
            pattern::PATTERN => value = field.bytes("pattern")?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    Ok((text("pattern key", key)?.to_owned(), text("pattern", value)?.to_owned()))
}

/// What a member says to a query, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) query: u64,
    pub(crate) from: &'a MemberId,
    pub(crate) to: &'a MemberId,
    pub(crate) relay: bool,
    pub(crate) payload: Option<&'a [u8]>,
    pub(crate) declined: Option<Decline>,
}

/// A reason as it travels; 0 is none.
fn number(declined: Option<Decline>) -> u64 {
    match declined {
        None => 0,
        Some(Decline::NoHandler) => 1,
        Some(Decline::Busy) => 3,
        // What has no number of its own here reads as this anyway.
        Some(_) => 2,
    }
}

fn reason(number: u32) -> Option<Decline> {
    match number {
        0 => None,
        1 => Some(Decline::NoHandler),
        3 => Some(Decline::Busy),
        // A newer sender's reason is a reason too.
        _ => Some(Decline::Failed),
    }
}

impl Answer<'_> {
    pub(crate) fn len(&self) -> usize {
        let query = if self.query == 0 { 0 } else { fixed64_len(answer::QUERY) };
        query
            + nonempty_len(answer::FROM, self.from.0.len())
            + nonempty_len(answer::TO, self.to.0.len())
            + varint_len(answer::RELAY, self.relay.into())
            + self.payload.map_or(0, |payload| delimited_len(answer::PAYLOAD, payload.len()))
            + varint_len(answer::DECLINED, number(self.declined))
    }

    pub(crate) fn put(&self, packet: &mut BytesMut) {
        if self.query != 0 {
            put_fixed64(answer::QUERY, self.query, packet);
        }
        put_bytes(answer::FROM, self.from.0.as_bytes(), packet);
        put_bytes(answer::TO, self.to.0.as_bytes(), packet);
        put_varint(answer::RELAY, self.relay.into(), packet);
        if let Some(payload) = self.payload {
            put_header(answer::PAYLOAD, payload.len(), packet);
            packet.put_slice(payload);
        }
        put_varint(answer::DECLINED, number(self.declined), packet);
    }
}

pub(crate) fn decode_answer(
    body: &[u8],
    tally: &mut Tally<'_>,
) -> Result<GossipMessage, DecodeError> {
    let (mut query, mut relay, mut payload, mut declined) = (0, 0, None, None);
    let (mut from, mut to): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::of("query answer", body) {
        let field = field?;
        match field.number {
            answer::QUERY => query = field.fixed64("query")?,
            answer::FROM => from = field.bytes("from")?,
            answer::TO => to = field.bytes("to")?,
            answer::RELAY => relay = field.uint64("relay")?,
            answer::PAYLOAD => payload = Some(field.bytes("payload")?),
            answer::DECLINED => declined = reason(field.uint32("declined")?),
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    let (from, to) = (tally.name("from", from)?, tally.name("to", to)?);
    let (relay, payload) = (relay != 0, payload.map(<[u8]>::to_vec));
    Ok(GossipMessage::QueryAnswer { query, from, to, relay, payload, declined })
}
