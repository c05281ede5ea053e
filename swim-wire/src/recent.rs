//! `Recent` and `Held`: what was heard lately, in one hash and by stamps.

use bytes::BytesMut;
use swim_core::{GossipMessage, MemberId, Recent, Stamp};

use crate::error::DecodeError;
use crate::field::{held, recent};
use crate::limits::Tally;
use crate::reader::Fields;
use crate::stamps;
use crate::writer::{
    fixed64_len, nonempty_len, put_bytes, put_fixed64, put_header, put_varint, varint_len,
};

pub(crate) fn len(it: &Recent) -> usize {
    let hash = if it.hash == 0 { 0 } else { fixed64_len(recent::HASH) };
    varint_len(recent::CLOCK, it.clock)
        + varint_len(recent::ABOVE, it.above)
        + varint_len(recent::SPAN, it.upto.wrapping_sub(it.above))
        + hash
}

pub(crate) fn put(it: &Recent, packet: &mut BytesMut) {
    put_varint(recent::CLOCK, it.clock, packet);
    put_varint(recent::ABOVE, it.above, packet);
    put_varint(recent::SPAN, it.upto.wrapping_sub(it.above), packet);
    if it.hash != 0 {
        put_fixed64(recent::HASH, it.hash, packet);
    }
}

pub(crate) fn decode(body: &[u8], tally: &mut Tally<'_>) -> Result<Recent, DecodeError> {
    let (mut clock, mut above, mut span, mut hash) = (0, 0, 0, 0);
    for field in Fields::of("recent", body) {
        let field = field?;
        match field.number {
            recent::CLOCK => clock = field.uint64("clock")?,
            recent::ABOVE => above = field.uint64("above")?,
            recent::SPAN => span = field.uint64("span")?,
            recent::HASH => hash = field.fixed64("hash")?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    Ok(Recent { clock, above, upto: stamps::plus("span", above, span)?, hash })
}

/// Which notices somebody heard of in a stretch of time.
#[derive(Clone, Copy)]
pub(crate) struct Held<'a> {
    pub(crate) from: &'a MemberId,
    pub(crate) above: u64,
    pub(crate) upto: u64,
    pub(crate) stamps: &'a [Stamp],
}

impl Held<'_> {
    pub(crate) fn len(&self) -> usize {
        nonempty_len(held::FROM, self.from.0.len())
            + varint_len(held::ABOVE, self.above)
            + varint_len(held::SPAN, self.upto.wrapping_sub(self.above))
            + nonempty_len(held::STAMPS, stamps::len(self.stamps))
    }

    pub(crate) fn put(&self, packet: &mut BytesMut) {
        put_bytes(held::FROM, self.from.0.as_bytes(), packet);
        put_varint(held::ABOVE, self.above, packet);
        put_varint(held::SPAN, self.upto.wrapping_sub(self.above), packet);
        if !self.stamps.is_empty() {
            put_header(held::STAMPS, stamps::len(self.stamps), packet);
            stamps::put(self.stamps, packet);
        }
    }
}

pub(crate) fn decode_held(
    body: &[u8],
    tally: &mut Tally<'_>,
) -> Result<GossipMessage, DecodeError> {
    let (mut from, mut above, mut span): (&[u8], _, _) = (&[], 0, 0);
    let mut stamps = None;
    for field in Fields::of("held", body) {
        let field = field?;
        match field.number {
            held::FROM => from = field.bytes("from")?,
            held::ABOVE => above = field.uint64("above")?,
            held::SPAN => span = field.uint64("span")?,
            held::STAMPS => field.bytes_once("stamps", &mut stamps)?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    Ok(GossipMessage::Held {
        from: tally.name("from", from)?,
        above,
        upto: stamps::plus("span", above, span)?,
        stamps: stamps::decode(stamps.unwrap_or_default(), tally)?,
    })
}
