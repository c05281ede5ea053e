//! What crossed a [`NetTransport`](crate::NetTransport), and what was lost on the way.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::loss::Loss;

/// Counts of one [`NetTransport`](crate::NetTransport) since it was bound.
///
/// Every count only grows. They are read one after the other, so a snapshot taken under load may be
/// off by the datagrams in between. What the kernel drops because nobody received in time is not
/// visible here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NetStats {
    /// Datagrams handed to the kernel.
    pub datagrams_sent: u64,
    /// Payload bytes in them, without UDP and IP headers.
    pub bytes_sent: u64,
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Payload bytes in them.
    pub bytes_received: u64,
    /// Lost: the send buffer or the interface's queue was full.
    pub lost_buffer_full: u64,
    /// Lost: the peer's machine said that nobody listens there. Reported late and not by every
    /// system.
    pub lost_refused: u64,
    /// Lost: no route, no interface, or an address family this transport is not bound to.
    pub lost_unreachable: u64,
    /// Lost: the path carries less than [`max_datagram`](crate::Transport::max_datagram).
    pub lost_too_large: u64,
    /// Lost for any other reason, such as a firewall or a destination port of 0.
    pub lost_other: u64,
    /// Streams opened by `connect`.
    pub streams_connected: u64,
    /// Streams returned by `accept`.
    pub streams_accepted: u64,
    /// Errors of `accept` that were waited out.
    pub accept_retries: u64,
}

impl NetStats {
    /// All datagrams known to be lost, whatever the reason.
    pub fn lost(&self) -> u64 {
        self.lost_buffer_full
            + self.lost_refused
            + self.lost_unreachable
            + self.lost_too_large
            + self.lost_other
    }
}

/// The counters behind [`NetStats`]. They order nothing, hence `Relaxed` throughout.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    datagrams_sent: AtomicU64,
    bytes_sent: AtomicU64,
    datagrams_received: AtomicU64,
    bytes_received: AtomicU64,
    lost_buffer_full: AtomicU64,
    lost_refused: AtomicU64,
    lost_unreachable: AtomicU64,
    lost_too_large: AtomicU64,
    lost_other: AtomicU64,
    streams_connected: AtomicU64,
    streams_accepted: AtomicU64,
    accept_retries: AtomicU64,
}

impl Counters {
    pub(crate) fn sent(&self, bytes: usize) {
        self.datagrams_sent.fetch_add(1, Relaxed);
        self.bytes_sent.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.datagrams_received.fetch_add(1, Relaxed);
        self.bytes_received.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn lost(&self, loss: Loss) {
        let counter = match loss {
            Loss::BufferFull => &self.lost_buffer_full,
            Loss::Refused => &self.lost_refused,
            Loss::Unreachable => &self.lost_unreachable,
            Loss::TooLarge => &self.lost_too_large,
            Loss::Other => &self.lost_other,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn connected(&self) {
        self.streams_connected.fetch_add(1, Relaxed);
    }

    pub(crate) fn accepted(&self) {
        self.streams_accepted.fetch_add(1, Relaxed);
    }

    pub(crate) fn accept_retried(&self) {
        self.accept_retries.fetch_add(1, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> NetStats {
        NetStats {
            datagrams_sent: self.datagrams_sent.load(Relaxed),
            bytes_sent: self.bytes_sent.load(Relaxed),
            datagrams_received: self.datagrams_received.load(Relaxed),
            bytes_received: self.bytes_received.load(Relaxed),
            lost_buffer_full: self.lost_buffer_full.load(Relaxed),
            lost_refused: self.lost_refused.load(Relaxed),
            lost_unreachable: self.lost_unreachable.load(Relaxed),
            lost_too_large: self.lost_too_large.load(Relaxed),
            lost_other: self.lost_other.load(Relaxed),
            streams_connected: self.streams_connected.load(Relaxed),
            streams_accepted: self.streams_accepted.load(Relaxed),
            accept_retries: self.accept_retries.load(Relaxed),
        }
    }
}
