//! Stamps of notices, by columns: ids of eight bytes, and differences of times.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use prost::encoding::encoded_len_varint;
use swim_core::{Notice, Stamp, UserNotice};

use crate::error::DecodeError;
use crate::field::stamps as field;
use crate::limits::Tally;
use crate::reader::{Fields, Varints, fixed};
use crate::writer::{nonempty_len, put_header, put_number};

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

/// A time that is told as a difference.
pub(crate) fn plus(field: &'static str, before: u64, found: u64) -> Result<u64, DecodeError> {
    let max = u64::MAX - before;
    before.checked_add(found).ok_or(DecodeError::NumberTooLarge { field, found, max })
}
