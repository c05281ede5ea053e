//! What [`sealing`](super) is without the feature `seal`: all packets are open.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use swim_core::Decline;
use swim_transport::Transport;
use swim_wire::Codec;

use super::wire::Carrier;
use super::{Driver, Incoming};
use crate::counters::Meter;
use crate::info::SessionCounts;
use crate::keys::Keyholder;

/// Nothing seals, so nothing is refused.
pub(super) type OpenError = Infallible;

/// Nothing seals.
pub(super) struct Sealing;

impl Sealing {
    pub(super) fn new(_: Option<&Arc<Keyholder>>, _: Arc<Meter>) -> Self {
        Self
    }

    pub(super) fn is_there(&self) -> bool {
        false
    }

    pub(super) fn overhead(&self) -> usize {
        0
    }

    pub(super) fn sessions(&self) -> SessionCounts {
        SessionCounts::default()
    }

    pub(super) fn seal(&self, _: Carrier, _: &mut BytesMut) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn open<'p>(
        &self,
        _: Carrier,
        _: SocketAddr,
        packet: &'p mut [u8],
    ) -> Result<(&'p [u8], bool), OpenError> {
        Ok((packet, false))
    }

    pub(super) fn explains(&self, _: SocketAddr, _: &[u8]) -> bool {
        false
    }
}

impl<T: Transport, C: Codec> Driver<T, C> {
    /// Somebody asks about keys, and there are none.
    pub(super) fn is_asked_for_keys(&mut self, incoming: Incoming) {
        self.decline(incoming.id, &incoming.query, Decline::NoHandler);
    }
}
