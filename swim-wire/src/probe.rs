//! `Probe`, the body of `Ping`, `Ack`, `PingReq` and `Nack`, and `SyncRequest`.

use bytes::BytesMut;
use swim_core::{Coordinate, MemberId};

use crate::error::DecodeError;
use crate::field::{probe as field, sync_request};
use crate::limits::Tally;
use crate::reader::Fields;
use crate::writer::{nonempty_len, put_bytes, put_varint, varint_len};

/// A step of a probe, borrowed from a message or from a packet.
pub(crate) struct Probe<'a> {
    pub(crate) seq: u64,
    pub(crate) from: &'a [u8],
    /// Empty but in a `PingReq`.
    pub(crate) target: &'a [u8],
    /// In an `Ack`, or not even there.
    pub(crate) coordinate: Option<Coordinate>,
}

impl<'a> Probe<'a> {
    pub(crate) fn new(seq: u64, from: &'a MemberId, target: Option<&'a MemberId>) -> Self {
        let target = target.map_or(&[][..], |target| target.0.as_bytes());
        Self { seq, from: from.0.as_bytes(), target, coordinate: None }
    }

    /// The same with where its sender is.
    pub(crate) fn at(self, coordinate: Coordinate) -> Self {
        Self { coordinate: Some(coordinate), ..self }
    }

    pub(crate) fn len(&self) -> usize {
        varint_len(field::SEQ, self.seq)
            + nonempty_len(field::FROM, self.from.len())
            + nonempty_len(field::TARGET, self.target.len())
            + nonempty_len(field::COORDINATE, self.coordinate.map_or(0, |_| Coordinate::LEN))
    }

    pub(crate) fn put(&self, packet: &mut BytesMut) {
        put_varint(field::SEQ, self.seq, packet);
        put_bytes(field::FROM, self.from, packet);
        put_bytes(field::TARGET, self.target, packet);
        if let Some(coordinate) = self.coordinate {
            put_bytes(field::COORDINATE, &coordinate.to_bytes(), packet);
        }
    }

    pub(crate) fn decode(body: &'a [u8], tally: &mut Tally<'_>) -> Result<Self, DecodeError> {
        let mut probe = Self { seq: 0, from: &[], target: &[], coordinate: None };
        for field in Fields::of("probe", body) {
            let field = field?;
            match field.number {
                field::SEQ => probe.seq = field.uint64("seq")?,
                field::FROM => probe.from = field.bytes("from")?,
                field::TARGET => probe.target = field.bytes("target")?,
                field::COORDINATE => {
                    probe.coordinate = Some(coordinate(field.bytes("coordinate")?)?);
                }
                _ => tally.decoded.skipped_fields += 1,
            }
        }
        Ok(probe)
    }

    pub(crate) fn from(&self, tally: &Tally<'_>) -> Result<MemberId, DecodeError> {
        tally.name("from", self.from)
    }

    pub(crate) fn target(&self, tally: &Tally<'_>) -> Result<MemberId, DecodeError> {
        tally.name("target", self.target)
    }
}

/// All bytes of the right number stand for one: whether it makes sense, who knows the protocol says.
fn coordinate(bytes: &[u8]) -> Result<Coordinate, DecodeError> {
    let (found, expected) = (bytes.len(), Coordinate::LEN);
    let bytes = bytes.try_into().map_err(|_| DecodeError::Coordinate { found, expected })?;
    Ok(Coordinate::from_bytes(bytes))
}

pub(crate) fn sync_request_len(from: &MemberId) -> usize {
    nonempty_len(sync_request::FROM, from.0.len())
}

pub(crate) fn put_sync_request(from: &MemberId, packet: &mut BytesMut) {
    put_bytes(sync_request::FROM, from.0.as_bytes(), packet);
}

pub(crate) fn decode_sync_request(
    body: &[u8],
    tally: &mut Tally<'_>,
) -> Result<MemberId, DecodeError> {
    let mut from: &[u8] = &[];
    for field in Fields::of("sync request", body) {
        let field = field?;
        match field.number {
            sync_request::FROM => from = field.bytes("from")?,
            _ => tally.decoded.skipped_fields += 1,
        }
    }
    tally.name("from", from)
}
