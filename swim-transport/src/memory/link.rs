//! One direction between two addresses: whole or cut, and what it carried.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What one address sent to another over a [`Network`](super::Network). Every count only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// Datagrams that reached the receiver's queue.
    pub datagrams: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Datagrams lost because the link was cut.
    pub lost_cut: u64,
    /// Datagrams lost because the receiver's queue was full.
    pub lost_full: u64,
    /// Datagrams lost because nobody was bound to the address.
    pub lost_nobody: u64,
    /// Streams opened by the sender.
    pub streams: u64,
    /// Bytes the sender wrote to streams, whoever opened them.
    pub stream_bytes: u64,
}

impl Traffic {
    /// All lost datagrams, whatever the reason.
    pub fn lost(&self) -> u64 {
        self.lost_cut + self.lost_full + self.lost_nobody
    }

    pub(super) fn add(&mut self, other: Self) {
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.lost_cut += other.lost_cut;
        self.lost_full += other.lost_full;
        self.lost_nobody += other.lost_nobody;
        self.streams += other.streams;
        self.stream_bytes += other.stream_bytes;
    }
}

/// Shared by the network and the open streams, which look at it without the network's lock. The
/// values order nothing else, hence `Relaxed` throughout.
#[derive(Debug, Default)]
pub(super) struct Link {
    cut: AtomicBool,
    datagrams: AtomicU64,
    bytes: AtomicU64,
    lost_cut: AtomicU64,
    lost_full: AtomicU64,
    lost_nobody: AtomicU64,
    streams: AtomicU64,
    stream_bytes: AtomicU64,
}

impl Link {
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }

    pub(super) fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Relaxed);
    }

    pub(super) fn delivered(&self, bytes: usize) {
        self.datagrams.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn lost_cut(&self) {
        self.lost_cut.fetch_add(1, Relaxed);
    }

    pub(super) fn lost_full(&self) {
        self.lost_full.fetch_add(1, Relaxed);
    }

    pub(super) fn lost_nobody(&self) {
        self.lost_nobody.fetch_add(1, Relaxed);
    }

    pub(super) fn opened(&self) {
        self.streams.fetch_add(1, Relaxed);
    }

    pub(super) fn written(&self, bytes: usize) {
        self.stream_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            datagrams: self.datagrams.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            lost_cut: self.lost_cut.load(Relaxed),
            lost_full: self.lost_full.load(Relaxed),
            lost_nobody: self.lost_nobody.load(Relaxed),
            streams: self.streams.load(Relaxed),
            stream_bytes: self.stream_bytes.load(Relaxed),
        }
    }
}
