//! Packets: the envelope around messages.

use bytes::BytesMut;
use swim_core::GossipMessage;

use crate::error::{CodecError, DecodeError};
use crate::field::packet as field;
use crate::limits::{Limits, Tally, text};
use crate::message;
use crate::reader::Fields;
use crate::writer::{put_bytes, put_varint};

/// Layout of packets that this crate writes and reads; every other is refused.
pub const MAJOR: u32 = 1;
/// What is known within the layout: raised by every new field and kind of message.
pub const MINOR: u32 = 0;

/// Longest name of a cluster, in bytes.
pub(crate) const CLUSTER_BYTES: usize = 64;

/// Messages to packets and back.
///
/// [`ProtobufCodec`] is the product's; a cluster with a wire format of its own brings another. To
/// write a packet, call `start` once and `append` for each message.
pub trait Codec: Send + Sync + 'static {
    /// Clears `packet` and writes the envelope: version and cluster name.
    fn start(&self, packet: &mut BytesMut);

    /// Bytes that [`append`](Self::append) would add. Linear in the entries of the message;
    /// allocates nothing.
    fn encoded_len(&self, message: &GossipMessage) -> usize;

    /// Appends one message; several messages to one address share one packet.
    ///
    /// Nothing is checked: what a receiver's limits or rules forbid (a name above 255 bytes, a
    /// digest of three buckets), it will refuse.
    fn append(&self, message: &GossipMessage, packet: &mut BytesMut);

    /// Decodes a packet into `messages`, which is cleared first.
    ///
    /// Members of a `Sync` get the present as their `last_update`: when a peer learned something
    /// is its own affair, by its own clock, and does not travel.
    ///
    /// # Errors
    /// `messages` is then empty: nothing is delivered from a packet that fails.
    fn decode(
        &self,
        packet: &[u8],
        messages: &mut Vec<GossipMessage>,
    ) -> Result<Decoded, DecodeError>;
}

/// What was in a packet beside its messages; not zero where the sender is newer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decoded {
    /// The sender's [`MINOR`].
    pub minor: u32,
    /// Messages of unknown kinds, skipped.
    pub skipped_kinds: u32,
    /// Unknown fields, skipped.
    pub skipped_fields: u32,
}

/// The wire format of `proto/swim/v1/swim.proto`.
#[derive(Debug, Clone)]
pub struct ProtobufCodec {
    cluster: String,
    limits: Limits,
}

impl ProtobufCodec {
    /// A codec for the members of `cluster`, with default [`Limits`].
    ///
    /// The name keeps clusters apart that reach each other by mistake; it is no secret.
    ///
    /// # Errors
    /// [`CodecError::ClusterName`] unless the name has 1 to 64 bytes.
    pub fn new(cluster: impl Into<String>) -> Result<Self, CodecError> {
        Self::with_limits(cluster, Limits::default())
    }

    /// As [`new`](Self::new), with limits of one's own for what is decoded.
    ///
    /// # Errors
    /// [`CodecError::ClusterName`], and [`CodecError::Limit`] for a limit above its maximum.
    pub fn with_limits(cluster: impl Into<String>, limits: Limits) -> Result<Self, CodecError> {
        let cluster = cluster.into();
        if cluster.is_empty() || cluster.len() > CLUSTER_BYTES {
            return Err(CodecError::ClusterName { len: cluster.len(), max: CLUSTER_BYTES });
        }
        limits.check()?;
        Ok(Self { cluster, limits })
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// What one packet may make this codec do.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Everything but the messages, so that strangers are refused at the price of a walk over a
    /// packet's outermost fields.
    fn decode_envelope(&self, packet: &[u8], tally: &mut Tally<'_>) -> Result<(), DecodeError> {
        let (mut major, mut cluster, mut messages) = (0, None, 0);
        for field in Fields::of("packet", packet) {
            let field = field?;
            match field.number {
                // At once: behind it, another layout may hold anything.
                field::MAJOR => major = check_major(field.uint32("major")?)?,
                field::MINOR => tally.decoded.minor = field.uint32("minor")?,
                field::CLUSTER => cluster = Some(field.bytes("cluster")?),
                field::MESSAGES => messages += 1,
                _ => tally.decoded.skipped_fields += 1,
            }
        }
        check_major(major)?;
        self.check_cluster(cluster.unwrap_or_default())?;
        tally.check_messages(messages)
    }

    fn check_cluster(&self, found: &[u8]) -> Result<(), DecodeError> {
        if found == self.cluster.as_bytes() {
            return Ok(());
        }
        let (field, len) = ("cluster", found.len());
        if len > CLUSTER_BYTES {
            return Err(DecodeError::NameTooLong { field, len, max: CLUSTER_BYTES });
        }
        let found = text(field, found)?.to_owned();
        Err(DecodeError::OtherCluster { found, expected: self.cluster.clone() })
    }

    fn decode_messages(
        &self,
        packet: &[u8],
        messages: &mut Vec<GossipMessage>,
    ) -> Result<Decoded, DecodeError> {
        let (len, max) = (packet.len(), self.limits.packet_bytes);
        if len > max {
            return Err(DecodeError::PacketTooLong { len, max });
        }
        let mut tally = Tally::new(&self.limits);
        self.decode_envelope(packet, &mut tally)?;
        for field in Fields::of("packet", packet) {
            let field = field?;
            if field.number == field::MESSAGES {
                messages.extend(message::decode(field.bytes("messages")?, &mut tally)?);
            }
        }
        Ok(tally.decoded)
    }
}

impl Codec for ProtobufCodec {
    fn start(&self, packet: &mut BytesMut) {
        packet.clear();
        put_varint(field::MAJOR, u64::from(MAJOR), packet);
        put_varint(field::MINOR, u64::from(MINOR), packet);
        put_bytes(field::CLUSTER, self.cluster.as_bytes(), packet);
    }

    fn encoded_len(&self, message: &GossipMessage) -> usize {
        message::Encoder::new(message).len()
    }

    fn append(&self, message: &GossipMessage, packet: &mut BytesMut) {
        let encoder = message::Encoder::new(message);
        packet.reserve(encoder.len());
        encoder.put(packet);
    }

    fn decode(
        &self,
        packet: &[u8],
        messages: &mut Vec<GossipMessage>,
    ) -> Result<Decoded, DecodeError> {
        messages.clear();
        self.decode_messages(packet, messages).inspect_err(|_| messages.clear())
    }
}

fn check_major(found: u32) -> Result<u32, DecodeError> {
    if found == MAJOR { Ok(found) } else { Err(DecodeError::OtherMajor { found }) }
}
