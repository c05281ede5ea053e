//! `Notices`: what users have all members hear.

use bytes::BytesMut;
use swim_core::{Notice, Said, Stamp, UserNotice};

use crate::error::DecodeError;
use crate::field::{notice as field, notices};
use crate::limits::Tally;
use crate::reader::{Field, Fields};
use crate::stamps;
use crate::user;
use crate::writer::{
    delimited_len, fixed64_len, put_fixed64, put_header, put_key_and_number, put_varint,
    varint_field_len, varint_len,
};

const AFTER: stamps::Columns = [field::AFTER, field::LAG];

pub(crate) fn len(notices: &[Notice<UserNotice>]) -> usize {
    notices.iter().map(|notice| delimited_len(notices::NOTICES, one_len(notice))).sum()
}

pub(crate) fn put(notices: &[Notice<UserNotice>], packet: &mut BytesMut) {
    for notice in notices {
        put_header(notices::NOTICES, one_len(notice), packet);
        put_one(notice, packet);
    }
}

fn id_len(stamp: Stamp) -> usize {
    if stamp.id == 0 { 0 } else { fixed64_len(field::ID) }
}

fn one_len(notice: &Notice<UserNotice>) -> usize {
    let stamp = notice.stamp;
    let said = match &notice.said {
        Said::Announced(len) => varint_field_len(field::ANNOUNCED, *len as u64),
        Said::Whole(UserNotice::Event(it)) => delimited_len(field::EVENT, user::event_len(it)),
        Said::Whole(UserNotice::Query(it)) => delimited_len(field::QUERY, user::query_len(it)),
    };
    id_len(stamp)
        + varint_len(field::LTIME, stamp.ltime)
        + stamps::after_len(AFTER, &notice.after, stamp.ltime)
        + said
}

fn put_one(notice: &Notice<UserNotice>, packet: &mut BytesMut) {
    let stamp = notice.stamp;
    if stamp.id != 0 {
        put_fixed64(field::ID, stamp.id, packet);
    }
    put_varint(field::LTIME, stamp.ltime, packet);
    stamps::put_after(AFTER, &notice.after, stamp.ltime, packet);
    match &notice.said {
        Said::Announced(len) => put_key_and_number(field::ANNOUNCED, *len as u64, packet),
        Said::Whole(UserNotice::Event(event)) => {
            put_header(field::EVENT, user::event_len(event), packet);
            user::put_event(event, packet);
        }
        Said::Whole(UserNotice::Query(query)) => {
            put_header(field::QUERY, user::query_len(query), packet);
            user::put_query(query, packet);
        }
    }
}

/// Those of a kind that is known here; others are counted.
pub(crate) fn decode(
    body: &[u8],
    tally: &mut Tally<'_>,
) -> Result<Vec<Notice<UserNotice>>, DecodeError> {
    let (mut fields, mut count) = (Fields::of("notices", body), 0);
    while fields.next_bytes(notices::NOTICES, "notices")?.is_some() {
        count += 1;
    }
    tally.take_notices(count)?;
    let mut decoded = Vec::with_capacity(count);
    for field in Fields::of("notices", body) {
        let field = field?;
        match field.number {
            notices::NOTICES => decoded.extend(decode_one(field.bytes("notices")?, tally)?),
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    Ok(decoded)
}

fn decode_one(
    body: &[u8],
    tally: &mut Tally<'_>,
) -> Result<Option<Notice<UserNotice>>, DecodeError> {
    let (mut stamp, mut said, mut unknown) = (Stamp::default(), None, 0);
    let (mut after, mut lag) = (None, None);
    for field in Fields::of("notice", body) {
        let field = field?;
        match field.number {
            field::ID => stamp.id = field.fixed64("id")?,
            field::LTIME => stamp.ltime = field.uint64("ltime")?,
            field::AFTER => field.bytes_once("after", &mut after)?,
            field::LAG => field.bytes_once("lag", &mut lag)?,
            field::ANNOUNCED..=field::QUERY => {
                if said.replace(field).is_some() {
                    return Err(DecodeError::Repeated { field: "said" });
                }
            }
            _ => unknown += 1,
        }
    }
    let Some(said) = said else {
        tally.decoded.skipped_kinds += 1;
        return Ok(None);
    };
    tally.decoded.skipped_fields += unknown;
    let after = stamps::decode_after([after, lag], stamp.ltime, tally)?;
    Ok(Some(Notice { stamp, after, said: decode_said(&said, tally)? }))
}

fn decode_said(said: &Field<'_>, tally: &mut Tally<'_>) -> Result<Said<UserNotice>, DecodeError> {
    Ok(match said.number {
        // No loss: pointers of the machines that this runs on have at least 32 bits.
        field::ANNOUNCED => Said::Announced(said.uint32("announced")? as usize),
        field::EVENT => {
            let event = user::decode_event(said.bytes("event")?, tally)?;
            Said::Whole(UserNotice::Event(event.into()))
        }
        _ => {
            let query = user::decode_query(said.bytes("query")?, tally)?;
            Said::Whole(UserNotice::Query(query.into()))
        }
    })
}
