//! How much one packet may make a receiver do.

use swim_core::MemberId;

use crate::codec::Decoded;
use crate::error::{CodecError, DecodeError};

/// How much one packet may make a receiver do; a packet above any of these is refused whole.
///
/// They are checked on the bytes, before anything is allocated for what they limit. A limit too
/// small cuts members off from each other: all members of a cluster should agree on them.
///
/// ```
/// let limits = swim_wire::Limits { packet_bytes: 1 << 20, ..Default::default() };
/// assert!(swim_wire::ProtobufCodec::with_limits("prod", limits).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a packet; default 16 MiB, at most 4 GiB - 1 (what a frame header can say). It
    /// bounds a `Sync`, so the members of a cluster times their names, addresses and metadata.
    pub packet_bytes: usize,
    /// Messages in a packet, unknown kinds included; default 1,024.
    pub messages: usize,
    /// Bytes of a member's name; default and at most 255 ([`MemberId::MAX_LEN`]).
    pub name_bytes: usize,
    /// Updates and members in a packet, all messages together; default 131,072. It bounds the
    /// members of a cluster too. Each takes about 120 bytes of memory beside its texts.
    pub updates: usize,
    /// Encoded bytes of one member's metadata, [`metadata_len`](swim_core::metadata_len) or a bit
    /// less; default and at most 64 KiB.
    pub metadata_bytes: usize,
    /// Accusations in a packet, all messages together; default 4,096, each about 32 bytes of
    /// memory beside its text.
    pub accusations: usize,
    /// Bucket hashes, bucket numbers and version hashes in a packet, all messages together;
    /// default 262,144, each 4 or 8 bytes of memory.
    pub digest_entries: usize,
    /// Events and queries in a packet, all messages together; default 16,384, each about 250 bytes
    /// of memory beside its texts.
    pub notices: usize,
    /// Stamps of such in a packet, all messages together and predecessors included; default
    /// 65,536, each 16 bytes of memory.
    pub stamps: usize,
}

impl Limits {
    /// Most bytes of metadata per member that a codec can be set to.
    pub const MAX_METADATA_BYTES: usize = 64 * 1024;
    /// Longest packet in bytes that a codec can be set to.
    pub const MAX_PACKET_BYTES: usize = u32::MAX as usize;

    pub(crate) fn check(&self) -> Result<(), CodecError> {
        let at_most = |limit, value, max| {
            if value > max { Err(CodecError::Limit { limit, value, max }) } else { Ok(()) }
        };
        at_most("packet_bytes", self.packet_bytes, Self::MAX_PACKET_BYTES)?;
        at_most("name_bytes", self.name_bytes, MemberId::MAX_LEN)?;
        at_most("metadata_bytes", self.metadata_bytes, Self::MAX_METADATA_BYTES)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes: 16 * 1024 * 1024,
            messages: 1_024,
            name_bytes: MemberId::MAX_LEN,
            updates: 131_072,
            metadata_bytes: Self::MAX_METADATA_BYTES,
            accusations: 4_096,
            digest_entries: 262_144,
            notices: 16_384,
            stamps: 65_536,
        }
    }
}

/// What one packet has used of its limits so far, and what was met beside its messages.
pub(crate) struct Tally<'a> {
    limits: &'a Limits,
    updates: usize,
    accusations: usize,
    digest_entries: usize,
    notices: usize,
    stamps: usize,
    /// Grows as the packet is read.
    pub(crate) decoded: Decoded,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        let decoded = Decoded::default();
        let (updates, accusations, digest_entries) = (0, 0, 0);
        Self { limits, updates, accusations, digest_entries, notices: 0, stamps: 0, decoded }
    }

    /// Whether a packet may hold `found` messages.
    pub(crate) fn check_messages(&self, found: usize) -> Result<(), DecodeError> {
        let max = self.limits.messages;
        if found > max { Err(DecodeError::TooManyMessages { found, max }) } else { Ok(()) }
    }

    /// Before room is made for `more` updates or members.
    pub(crate) fn take_updates(&mut self, more: usize) -> Result<(), DecodeError> {
        self.updates += more;
        let (found, max) = (self.updates, self.limits.updates);
        if found > max { Err(DecodeError::TooManyUpdates { found, max }) } else { Ok(()) }
    }

    /// Before room is made for `more` accusations.
    pub(crate) fn take_accusations(&mut self, more: usize) -> Result<(), DecodeError> {
        self.accusations += more;
        let (found, max) = (self.accusations, self.limits.accusations);
        if found > max { Err(DecodeError::TooManyAccusations { found, max }) } else { Ok(()) }
    }

    /// Before room is made for `more` hashes or bucket numbers.
    pub(crate) fn take_digest_entries(&mut self, more: usize) -> Result<(), DecodeError> {
        self.digest_entries += more;
        let (found, max) = (self.digest_entries, self.limits.digest_entries);
        if found > max { Err(DecodeError::TooManyDigestEntries { found, max }) } else { Ok(()) }
    }

    /// Before room is made for `more` notices.
    pub(crate) fn take_notices(&mut self, more: usize) -> Result<(), DecodeError> {
        self.notices += more;
        let (found, max) = (self.notices, self.limits.notices);
        if found > max { Err(DecodeError::TooManyNotices { found, max }) } else { Ok(()) }
    }

    /// Before room is made for `more` stamps of notices.
    pub(crate) fn take_stamps(&mut self, more: usize) -> Result<(), DecodeError> {
        self.stamps += more;
        let (found, max) = (self.stamps, self.limits.stamps);
        if found > max { Err(DecodeError::TooManyStamps { found, max }) } else { Ok(()) }
    }

    /// Whether a member's name may have `len` bytes.
    pub(crate) fn check_name(&self, field: &'static str, len: usize) -> Result<(), DecodeError> {
        let max = self.limits.name_bytes;
        match len {
            0 => Err(DecodeError::EmptyName { field }),
            _ if len > max => Err(DecodeError::NameTooLong { field, len, max }),
            _ => Ok(()),
        }
    }

    /// A member's name, copied once it is found to be one.
    pub(crate) fn name(&self, field: &'static str, bytes: &[u8]) -> Result<MemberId, DecodeError> {
        self.check_name(field, bytes.len())?;
        text(field, bytes).map(MemberId::from)
    }

    /// Whether a member may have `len` bytes of metadata.
    pub(crate) fn check_metadata(&self, len: usize) -> Result<(), DecodeError> {
        let max = self.limits.metadata_bytes;
        if len > max { Err(DecodeError::MetadataTooLong { len, max }) } else { Ok(()) }
    }
}

/// Bytes as text.
pub(crate) fn text<'a>(field: &'static str, bytes: &'a [u8]) -> Result<&'a str, DecodeError> {
    str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8 { field, len: bytes.len() })
}
