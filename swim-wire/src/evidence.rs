//! `Evidence`: ages of updates, and who accuses whom.

use bytes::BytesMut;
use swim_core::{Accusation, GossipMessage};

use crate::error::DecodeError;
use crate::field::{accusation, evidence as field};
use crate::limits::Tally;
use crate::reader::{Fields, narrow};
use crate::writer::{
    delimited_len, fixed64_len, nonempty_len, put_bytes, put_fixed64, put_header, put_varint,
    varint_len,
};

/// Bytes of the least accusation: three headers and two letters. No room is made for lesser ones.
const LEAST_ACCUSATION: usize = 8;

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
    let incarnation = if it.incarnation == 0 { 0 } else { fixed64_len(accusation::INCARNATION) };
    nonempty_len(accusation::SUBJECT, it.subject.0.len())
        + incarnation
        + nonempty_len(accusation::ACCUSER, it.accuser.0.len())
        + varint_len(accusation::HEALTH, u64::from(it.health))
}

fn put_accusation(it: &Accusation, packet: &mut BytesMut) {
    put_bytes(accusation::SUBJECT, it.subject.0.as_bytes(), packet);
    if it.incarnation != 0 {
        put_fixed64(accusation::INCARNATION, it.incarnation, packet);
    }
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
    let (mut subject, mut accuser): (&[u8], &[u8]) = (&[], &[]);
    let (mut incarnation, mut health) = (0, 0);
    for field in Fields::of("accusation", body) {
        let field = field?;
        match field.number {
            accusation::SUBJECT => subject = field.bytes("subject")?,
            accusation::INCARNATION => incarnation = field.fixed64("incarnation")?,
            accusation::ACCUSER => accuser = field.bytes("accuser")?,
            accusation::HEALTH => health = narrow("health", field.uint64("health")?)?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    Ok(Accusation {
        subject: tally.name("subject", subject)?,
        incarnation,
        accuser: tally.name("accuser", accuser)?,
        health,
    })
}
