//! The bytes around a sealed packet, and how it is told from a plain one.

use super::error::{OpenError, SealError};
use super::key::KeyId;
use crate::codec::CLUSTER_BYTES;

/// Bytes of a tag: both algorithms have 128 bits.
pub(super) const TAG_LEN: usize = 16;
/// Bytes before what is sealed.
pub(super) const HEADER_LEN: usize = 1 + 4 + SessionId::LEN + 4;
/// Bytes that sealing adds to a packet.
pub const OVERHEAD: usize = HEADER_LEN + TAG_LEN;

/// What a first byte has in its lower three bits if a packet is sealed: as protobuf it would be a
/// field of wire type 7, and there is none, in no layout to come.
const SEALED: u8 = 7;
/// What it has above: the version of what this module writes.
const VERSION: u8 = 1;

/// Whether a packet is sealed, by whatever version. Every other is plain, or junk.
pub fn is_sealed(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first & SEALED == SEALED)
}

/// A session of a sender: ten random bytes that name the process, and which of its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionId(pub(super) [u8; Self::LEN]);

impl SessionId {
    const LEN: usize = 12;

    pub(super) fn new(origin: Origin, number: u16) -> Self {
        let mut id = [0; Self::LEN];
        id[..10].copy_from_slice(&origin.0);
        id[10..].copy_from_slice(&number.to_be_bytes());
        Self(id)
    }

    pub(super) fn is_of(&self, origin: Origin) -> bool {
        self.0[..10] == origin.0
    }
}

/// A process that seals. 80 random bits: among 16 million starts under one key, two are the same
/// with a probability of 2^-33.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin(pub(super) [u8; 10]);

impl Origin {
    /// Another one each time.
    pub(super) fn draw() -> Result<Self, SealError> {
        let mut origin = [0; 10];
        getrandom::fill(&mut origin).map_err(|_| SealError::Random)?;
        Ok(Self(origin))
    }
}

/// What stands before a sealed packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) key: KeyId,
    pub(super) session: SessionId,
    /// The number of the packet in its session, from 0.
    pub(super) counter: u32,
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = VERSION << 3 | SEALED;
        bytes[1..5].copy_from_slice(&self.key.0);
        bytes[5..17].copy_from_slice(&self.session.0);
        bytes[17..].copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    /// Reads the header of a sealed packet; returns it with what is sealed and its tag.
    pub(super) fn split(packet: &mut [u8]) -> Result<Sealed<'_>, OpenError> {
        let found = packet.first().map_or(0, |first| first >> 3);
        if found != VERSION {
            return Err(OpenError::Version { found });
        }
        let short = OpenError::TooShort { len: packet.len() };
        let (header, rest) = packet.split_first_chunk_mut::<HEADER_LEN>().ok_or(short.clone())?;
        let (text, tag) = rest.split_last_chunk_mut::<TAG_LEN>().ok_or(short)?;
        let [_, key @ .., c0, c1, c2, c3] = &*header;
        let (key, session) = key.split_first_chunk().expect("a header is as long as its parts");
        let session = session.try_into().expect("a header is as long as its parts");
        let counter = u32::from_be_bytes([*c0, *c1, *c2, *c3]);
        let read = Self { key: KeyId(*key), session: SessionId(session), counter };
        Ok(Sealed { header: read, text, tag })
    }
}

/// A sealed packet in its parts.
pub(super) struct Sealed<'p> {
    pub(super) header: Header,
    pub(super) text: &'p mut [u8],
    pub(super) tag: &'p [u8; TAG_LEN],
}

/// What is authenticated beside the content, and does not travel a second time: header and cluster.
pub(super) struct Aad {
    bytes: [u8; HEADER_LEN + CLUSTER_BYTES],
    len: usize,
}

impl Aad {
    /// Of a header, or of something as long at most, and a name of at most 64 bytes.
    pub(super) fn new(header: &[u8], cluster: &str) -> Self {
        let mut bytes = [0; HEADER_LEN + CLUSTER_BYTES];
        let len = header.len() + cluster.len();
        bytes[..header.len()].copy_from_slice(header);
        bytes[header.len()..len].copy_from_slice(cluster.as_bytes());
        Self { bytes, len }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
