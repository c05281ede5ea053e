//! Packets and what they say: decoded where they come in, sealed where they go out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use swim_core::{GossipMessage, Said, UserNotice};
use swim_wire::{Codec, DecodeError};

use super::sealing::{OpenError, Sealing};
use crate::admission::Allowed;
use crate::counters::Meter;
use crate::info::SessionCounts;
use crate::keys::Keyholder;
use crate::query::Query;

/// What carries a packet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Carrier {
    Datagram,
    Stream,
}

/// Why a packet was not heard.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Seal(#[from] OpenError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// A packet that is not sealed, or no longer.
pub(super) struct Opened<'p> {
    packet: &'p [u8],
    sealed: bool,
}

/// Between messages and packets. Shared by all who send or hear them.
pub(super) struct Wire<C> {
    codec: C,
    sealing: Sealing,
    allowed: Allowed,
    meter: Arc<Meter>,
}

impl<C: Codec> Wire<C> {
    pub(super) fn new(
        codec: C,
        keys: Option<&Arc<Keyholder>>,
        allowed: Allowed,
        meter: Arc<Meter>,
    ) -> Self {
        Self { codec, sealing: Sealing::new(keys, Arc::clone(&meter)), allowed, meter }
    }

    /// Whether what comes from there is heard; books what is not.
    pub(super) fn hears(&self, from: &SocketAddr) -> bool {
        let hears = self.allowed.has(from);
        if !hears {
            self.meter.refused_address.one();
        }
        hears
    }

    /// Whether anything may be sent there; books what may not.
    pub(super) fn may_reach(&self, to: &SocketAddr) -> bool {
        let may = self.allowed.has(to);
        if !may {
            self.meter.sends_refused.one();
        }
        may
    }

    /// What writes packets, before they are sealed.
    pub(super) fn codec(&self) -> &C {
        &self.codec
    }

    /// Bytes by which a packet may be longer when it is sealed.
    pub(super) fn overhead(&self) -> usize {
        self.sealing.overhead()
    }

    /// Sessions of others that are remembered.
    pub(super) fn sessions(&self) -> SessionCounts {
        self.sealing.sessions()
    }

    /// Makes a packet that is written ready to be sent, in its place.
    pub(super) fn seal(&self, carrier: Carrier, packet: &mut BytesMut) -> io::Result<()> {
        self.sealing.seal(carrier, packet)
    }

    /// Puts what a packet says into `messages`, and books what was refused or skipped.
    pub(super) fn read(
        &self,
        carrier: Carrier,
        from: SocketAddr,
        packet: &mut [u8],
        messages: &mut Vec<GossipMessage>,
    ) -> Result<(), Refused> {
        let opened = self.open(carrier, from, packet)?;
        self.decode(from, opened, messages)
    }

    /// Opens a packet in its place, if packets are sealed, and books one that was refused.
    pub(super) fn open<'p>(
        &self,
        carrier: Carrier,
        from: SocketAddr,
        packet: &'p mut [u8],
    ) -> Result<Opened<'p>, Refused> {
        let (packet, sealed) = self.sealing.open(carrier, from, packet)?;
        Ok(Opened { packet, sealed })
    }

    /// Puts what an open packet says into `messages`, and books what was refused or skipped.
    pub(super) fn decode(
        &self,
        from: SocketAddr,
        Opened { packet, sealed }: Opened<'_>,
        messages: &mut Vec<GossipMessage>,
    ) -> Result<(), Refused> {
        let decoded = self.codec.decode(packet, messages).inspect_err(|error| {
            if !self.sealing.explains(from, packet) {
                self.meter.refused(error);
            }
        })?;
        self.meter.decoded(&decoded);
        if !sealed && self.sealing.is_there() {
            self.meter.unsealed_received.one();
            let dropped = messages.iter_mut().map(forget_keys).sum();
            self.meter.key_queries_dropped.add(dropped);
        }
        Ok(())
    }
}

/// Takes queries about keys out of a message that came open, for anybody could have said that; how many.
fn forget_keys(message: &mut GossipMessage) -> usize {
    let GossipMessage::Notices { notices } = message else { return 0 };
    let before = notices.len();
    notices.retain(|notice| match &notice.said {
        Said::Whole(UserNotice::Query(query)) => query.name != Query::KEYS,
        _ => true,
    });
    before - notices.len()
}
