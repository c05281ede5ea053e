//! `Evidence`: ages of updates, and who accuses whom.

use bytes::BytesMut;
use swim_core::{Accusation, GossipMessage};

use crate::error::DecodeError;
use crate::field::{accusation, evidence as field};
use crate::limits::Tally;
use crate::reader::{Fields, narrow};
use crate::writer::{delimited_len, nonempty_len, put_bytes, put_header, put_varint, varint_len};

/// Bytes of the least accusation: two headers and a letter. No room is made for lesser ones.
const LEAST_ACCUSATION: usize = 5;

pub(crate) fn len(ages: &[u8], accusations: &[Accusation]) -> usize {
    let one = |accusation| delimited_len(field::ACCUSATIONS, accusation_len(accusation));
    nonempty_len(field::AGES, ages.len()) + accusations.iter().map(one).sum::<usize>()
}

pub(crate) fn put(ages: &[u8], accusations: &[Accusation], packet: &mut BytesMut) {
    put_bytes(field::AGES, ages, packet);
    for accusation in accusations {
        put_header(field::ACCUSATIONS, accusation_len(accusation), packet);
        put_accusation(accusation, packet);
    }
}

fn accusation_len(it: &Accusation) -> usize {
    varint_len(accusation::UPDATE, u64::from(it.update))
        + nonempty_len(accusation::ACCUSER, it.accuser.0.len())
        + varint_len(accusation::HEALTH, u64::from(it.health))
}

fn put_accusation(it: &Accusation, packet: &mut BytesMut) {
    put_varint(accusation::UPDATE, u64::from(it.update), packet);
    put_bytes(accusation::ACCUSER, it.accuser.0.as_bytes(), packet);
    put_varint(accusation::HEALTH, u64::from(it.health), packet);
}

pub(crate) fn decode(body: &[u8], tally: &mut Tally<'_>) -> Result<GossipMessage, DecodeError> {
    let (mut ages, mut count) = (None, 0);
    for field in Fields::of("evidence", body) {
        let field = field?;
        match field.number {
            field::AGES => field.bytes_once("ages", &mut ages)?,
            field::ACCUSATIONS => count += 1,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    tally.take_accusations(count)?;
    let mut accusations = Vec::with_capacity(count.min(body.len() / LEAST_ACCUSATION));
    let mut fields = Fields::of("evidence", body);
    while let Some(body) = fields.next_bytes(field::ACCUSATIONS, "accusations")? {
        accusations.push(decode_accusation(body, tally)?);
    }
    Ok(GossipMessage::Evidence { ages: ages.unwrap_or_default().to_vec(), accusations })
}

fn decode_accusation(body: &[u8], tally: &mut Tally<'_>) -> Result<Accusation, DecodeError> {
    let (mut update, mut accuser, mut health): (_, &[u8], _) = (0, &[], 0);
    for field in Fields::of("accusation", body) {
        let field = field?;
        match field.number {
            accusation::UPDATE => update = narrow("update", field.uint64("update")?)?,
            accusation::ACCUSER => accuser = field.bytes("accuser")?,
            accusation::HEALTH => health = narrow("health", field.uint64("health")?)?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    Ok(Accusation { update, accuser: tally.name("accuser", accuser)?, health })
}
