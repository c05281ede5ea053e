//! What each node has sent.

use std::ops::{Add, Sub};

use crate::network;
use crate::node::Via;

/// Bytes of the IP and UDP headers of one datagram.
const UDP_HEADERS: u64 = 28;

/// Counters of what was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams.
    pub datagrams: u64,
    /// Their payload in bytes.
    pub datagram_bytes: u64,
    /// Streams opened.
    pub streams: u64,
    /// Payload of streams and of answers on them.
    pub stream_bytes: u64,
    /// Headers of streams, handshakes and acknowledgements of both directions included.
    pub stream_headers: u64,
}

impl Traffic {
    /// All bytes, headers included.
    pub fn bytes(&self) -> u64 {
        self.datagram_bytes + UDP_HEADERS * self.datagrams + self.stream_bytes + self.stream_headers
    }

    /// What the nodes themselves have written, without headers.
    pub fn payload(&self) -> u64 {
        self.datagram_bytes + self.stream_bytes
    }

    pub(super) fn count(&mut self, via: Via, bytes: u32) {
        if via == Via::Datagram {
            self.datagrams += 1;
            self.datagram_bytes += u64::from(bytes);
            return;
        }
        self.stream_bytes += u64::from(bytes);
        if via == Via::Stream {
            self.streams += 1;
            self.stream_headers += u64::from(network::overhead(bytes));
        } else {
            self.stream_headers += u64::from(network::answer_overhead(bytes));
        }
    }
}

impl Sub for Traffic {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self {
            datagrams: self.datagrams - earlier.datagrams,
            datagram_bytes: self.datagram_bytes - earlier.datagram_bytes,
            streams: self.streams - earlier.streams,
            stream_bytes: self.stream_bytes - earlier.stream_bytes,
            stream_headers: self.stream_headers - earlier.stream_headers,
        }
    }
}

impl Add for Traffic {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            datagrams: self.datagrams + other.datagrams,
            datagram_bytes: self.datagram_bytes + other.datagram_bytes,
            streams: self.streams + other.streams,
            stream_bytes: self.stream_bytes + other.stream_bytes,
            stream_headers: self.stream_headers + other.stream_headers,
        }
    }
}

impl std::iter::Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(traffic: I) -> Self {
        traffic.fold(Self::default(), Add::add)
    }
}
