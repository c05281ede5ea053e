//! Stamps of notices, by columns: ids of eight bytes, and differences of times.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use prost::encoding::encoded_len_varint;
use swim_core::{GossipMessage, MemberId, Notice, Recent, Stamp, UserNotice};

use crate::error::DecodeError;
use crate::field::{held, recent, stamps as field};
use crate::limits::Tally;
use crate::reader::{Fields, Varints, fixed};
use crate::writer::{
    fixed64_len, nonempty_len, put_bytes, put_fixed64, put_header, put_number, put_varint,
    varint_len,
};

/// Most predecessors of a notice.
const MAX_AFTER: usize = Notice::<UserNotice>::MAX_AFTER;

/// Field numbers of the two columns.
pub(crate) type Columns = [u32; 2];

fn lags(stamps: &[Stamp], ltime: u64) -> impl Iterator<Item = u64> + '_ {
    stamps.iter().map(move |stamp| ltime.wrapping_sub(stamp.ltime))
}

/// Bytes of what precedes a notice of that time.
pub(crate) fn after_len([ids, lag]: Columns, after: &[Stamp], ltime: u64) -> usize {
    let column = lags(after, ltime).map(encoded_len_varint).sum();
    nonempty_len(ids, after.len() * size_of::<u64>()) + nonempty_len(lag, column)
}

pub(crate) fn put_after([ids, lag]: Columns, after: &[Stamp], ltime: u64, packet: &mut BytesMut) {
    if after.is_empty() {
        return;
    }
    put_ids(ids, after, packet);
    put_header(lag, lags(after, ltime).map(encoded_len_varint).sum(), packet);
    lags(after, ltime).for_each(|lag| put_number(lag, packet));
}

fn put_ids(field: u32, stamps: &[Stamp], packet: &mut BytesMut) {
    put_header(field, stamps.len() * size_of::<u64>(), packet);
    stamps.iter().for_each(|stamp| packet.put_u64_le(stamp.id));
}

/// What precedes a notice of that time.
pub(crate) fn decode_after(
    [ids, lags]: [Option<&[u8]>; 2],
    ltime: u64,
    tally: &mut Tally<'_>,
) -> Result<Arc<[Stamp]>, DecodeError> {
    let ids: &[[u8; 8]] = fixed("after", ids.unwrap_or_default())?;
    let (found, max) = (ids.len(), MAX_AFTER);
    if found > max {
        return Err(DecodeError::TooManyStamps { found, max });
    }
    tally.take_stamps(found)?;
    let lags = column("lag", lags.unwrap_or_default(), found)?;
    let mut after = [Stamp::default(); MAX_AFTER];
    for ((stamp, id), lag) in after.iter_mut().zip(ids).zip(lags) {
        let lag = lag?;
        let before = ltime.checked_sub(lag).filter(|_| lag > 0);
        let before = before.ok_or(DecodeError::Lag { ltime, lag })?;
        *stamp = Stamp { ltime: before, id: u64::from_le_bytes(*id) };
    }
    Ok(after[..found].into())
}

fn steps(stamps: &[Stamp]) -> impl Iterator<Item = u64> + '_ {
    let mut before = 0;
    stamps.iter().map(move |stamp| {
        let last = std::mem::replace(&mut before, stamp.ltime);
        stamp.ltime.wrapping_sub(last)
    })
}

pub(crate) fn len(stamps: &[Stamp]) -> usize {
    let column = steps(stamps).map(encoded_len_varint).sum();
    nonempty_len(field::ID, size_of::<u64>() * stamps.len()) + nonempty_len(field::LTIME, column)
}

pub(crate) fn put(stamps: &[Stamp], packet: &mut BytesMut) {
    if stamps.is_empty() {
        return;
    }
    put_ids(field::ID, stamps, packet);
    put_header(field::LTIME, steps(stamps).map(encoded_len_varint).sum(), packet);
    steps(stamps).for_each(|step| put_number(step, packet));
}

pub(crate) fn decode(body: &[u8], tally: &mut Tally<'_>) -> Result<Vec<Stamp>, DecodeError> {
    let (mut ids, mut ltimes) = (None, None);
    for field in Fields::of("stamps", body) {
        let field = field?;
        match field.number {
            field::ID => field.bytes_once("id", &mut ids)?,
            field::LTIME => field.bytes_once("ltime", &mut ltimes)?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    let ids: &[[u8; 8]] = fixed("id", ids.unwrap_or_default())?;
    tally.take_stamps(ids.len())?;
    let mut stamps = Vec::with_capacity(ids.len());
    let mut ltime = 0_u64;
    for (id, step) in ids.iter().zip(column("ltime", ltimes.unwrap_or_default(), ids.len())?) {
        let (found, max) = (step?, u64::MAX - ltime);
        let field = "ltime";
        ltime =
            ltime.checked_add(found).ok_or(DecodeError::NumberTooLarge { field, found, max })?;
        stamps.push(Stamp { ltime, id: u64::from_le_bytes(*id) });
    }
    Ok(stamps)
}

/// A column that must have so many entries.
fn column<'a>(
    column: &'static str,
    bytes: &'a [u8],
    expected: usize,
) -> Result<Varints<'a>, DecodeError> {
    let numbers = Varints::of(column, bytes);
    match numbers.count_left()? {
        found if found == expected => Ok(numbers),
        found => Err(DecodeError::ColumnLength { column, found, expected }),
    }
}

pub(crate) fn recent_len(it: &Recent) -> usize {
    let hash = if it.hash == 0 { 0 } else { fixed64_len(recent::HASH) };
    varint_len(recent::CLOCK, it.clock)
        + varint_len(recent::ABOVE, it.above)
        + varint_len(recent::SPAN, it.upto.wrapping_sub(it.above))
        + hash
}

pub(crate) fn put_recent(it: &Recent, packet: &mut BytesMut) {
    put_varint(recent::CLOCK, it.clock, packet);
    put_varint(recent::ABOVE, it.above, packet);
    put_varint(recent::SPAN, it.upto.wrapping_sub(it.above), packet);
    if it.hash != 0 {
        put_fixed64(recent::HASH, it.hash, packet);
    }
}

pub(crate) fn decode_recent(body: &[u8], tally: &mut Tally<'_>) -> Result<Recent, DecodeError> {
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
    Ok(Recent { clock, above, upto: plus("span", above, span)?, hash })
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
            + nonempty_len(held::STAMPS, len(self.stamps))
    }

    pub(crate) fn put(&self, packet: &mut BytesMut) {
        put_bytes(held::FROM, self.from.0.as_bytes(), packet);
        put_varint(held::ABOVE, self.above, packet);
        put_varint(held::SPAN, self.upto.wrapping_sub(self.above), packet);
        if !self.stamps.is_empty() {
            put_header(held::STAMPS, len(self.stamps), packet);
            put(self.stamps, packet);
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
        upto: plus("span", above, span)?,
        stamps: decode(stamps.unwrap_or_default(), tally)?,
    })
}

/// A time that is told as a difference.
fn plus(field: &'static str, before: u64, found: u64) -> Result<u64, DecodeError> {
    let max = u64::MAX - before;
    before.checked_add(found).ok_or(DecodeError::NumberTooLarge { field, found, max })
}
