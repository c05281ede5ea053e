//! This process as others see it: one session at a time, in which it counts its packets.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::BytesMut;

use super::Carrier;
use super::cipher::Cipher;
use super::error::SealError;
use super::header::{Aad, HEADER_LEN, Header, OVERHEAD, Origin, SessionId};
use super::key::{Key, KeyId};

/// Packets of a session and carrier. At 1,000 a second it lasts three days. If all were of 16 MiB,
/// AES-GCM would have sealed 2^48 blocks with one key, and an attacker would tell it from noise
/// with a probability of 2^-33.
const PACKETS: u64 = 1 << 28;

/// A session that seals. Its parts may be used by several threads at a time.
pub(super) struct Sender {
    key: KeyId,
    session: SessionId,
    datagrams: Lane,
    streams: Lane,
}

/// What is counted by itself: streams are slow, and their packets would be far behind those of
/// datagrams when they arrive.
struct Lane {
    cipher: Cipher,
    /// The number of the next packet; it goes on above [`PACKETS`], where nothing is sealed.
    next: AtomicU64,
}

impl Sender {
    pub(super) fn new(key: &Key, origin: Origin, number: u16) -> Self {
        let session = SessionId::new(origin, number);
        let lane = |carrier| Lane { cipher: key.cipher(session, carrier), next: AtomicU64::new(0) };
        let (datagrams, streams) = (lane(Carrier::Datagram), lane(Carrier::Stream));
        Self { key: key.id(), session, datagrams, streams }
    }

    pub(super) fn key(&self) -> KeyId {
        self.key
    }

    fn lane(&self, carrier: Carrier) -> &Lane {
        match carrier {
            Carrier::Datagram => &self.datagrams,
            Carrier::Stream => &self.streams,
        }
    }

    /// The number of the packet that is sealed next, which no other will have; `None` when the
    /// session is over.
    pub(super) fn count(&self, carrier: Carrier) -> Option<u32> {
        let counter = self.lane(carrier).next.fetch_add(1, Relaxed);
        // No loss: far below 2^32.
        (counter < PACKETS).then_some(counter as u32)
    }

    /// Seals in place: the content moves up to make room for the header, which costs a twentieth
    /// of encrypting it.
    pub(super) fn seal(
        &self,
        carrier: Carrier,
        counter: u32,
        cluster: &str,
        packet: &mut BytesMut,
    ) -> Result<(), SealError> {
        let len = packet.len();
        if len > u32::MAX as usize - OVERHEAD {
            return Err(SealError::TooLong { len });
        }
        let header = Header { key: self.key, session: self.session, counter }.to_bytes();
        packet.resize(len + OVERHEAD, 0);
        packet.copy_within(..len, HEADER_LEN);
        packet[..HEADER_LEN].copy_from_slice(&header);
        let (text, tag) = packet[HEADER_LEN..].split_at_mut(len);
        let aad = Aad::new(&header, cluster);
        tag.copy_from_slice(&self.lane(carrier).cipher.seal(counter, aad.bytes(), text));
        Ok(())
    }

    /// Goes to the last packet of the session.
    #[cfg(test)]
    pub(super) fn wear_out(&self, carrier: Carrier) {
        self.lane(carrier).next.store(PACKETS - 1, Relaxed);
    }
}
