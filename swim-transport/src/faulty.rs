//! Faults for any transport: seeded loss, delay, duplication and reordering, and peers that are cut
//! off.
//!
//! ```
//! use std::time::Duration;
//! use swim_transport::{Faulty, Transport, memory::Network};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let network = Network::new();
//! let peer = network.bind("10.0.0.2:7946".parse()?)?;
//! let lossy = Faulty::new(network.bind("10.0.0.1:7946".parse()?)?, 42);
//!
//! let faults = lossy.faults();
//! faults.set_loss(0.2);
//! faults.set_delay(Duration::from_millis(1)..=Duration::from_millis(5));
//! for _ in 0..100 {
//!     lossy.send_to(peer.local_addr(), b"hello")?;
//! }
//! assert_eq!(faults.stats().lost, 18); // the same on every run: the seed decides
//!
//! faults.block(peer.local_addr());
//! assert!(lossy.connect(peer.local_addr()).await.is_err());
//! # Ok(())
//! # }
//! ```

mod delay;
mod dice;
pub(crate) mod faults;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;

use crate::error::Oversize;
use crate::transport::Transport;
use delay::DelayQueue;
use faults::Faults;

/// A transport with faults between it and the network; without any until [`faults`](Self::faults)
/// sets some.
///
/// Loss, delay, duplication and reordering befall the datagrams it *sends*; wrap both ends for both
/// directions. Which datagram meets which fault is a function of the seed and of how many were sent
/// before, so a run whose sends come in the same order repeats exactly. Streams suffer none of
/// these: TCP would hide them.
///
/// Blocked peers are cut off in both directions: what is sent to them and what arrives from them is
/// dropped, `connect` to them fails, and streams they open are dropped unseen. A stream already
/// open stays open.
///
/// Delayed datagrams are sent by a task on the runtime `new` or else the first delayed send was
/// called in. It ends when the transport is dropped, and what it held is lost.
#[derive(Debug)]
pub struct Faulty<T> {
    inner: Arc<T>,
    faults: Faults,
    delayed: DelayQueue,
}

impl<T: Transport> Faulty<T> {
    /// Wraps `inner`. Equal seeds make equal faults.
    pub fn new(inner: T, seed: u64) -> Self {
        Self { inner: Arc::new(inner), faults: Faults::new(seed), delayed: DelayQueue::new() }
    }

    /// The handle that changes and counts the faults while the transport is in use. Cheap to clone,
    /// may outlive the transport.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// The transport underneath; what is sent there meets no faults.
    pub fn inner(&self) -> &T {
        &self.inner
    }
}

impl<T: Transport> Transport for Faulty<T> {
    type Stream = T::Stream;

    fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr()
    }

    fn max_datagram(&self) -> usize {
        self.inner.max_datagram()
    }

    /// As the inner transport, and an error when a datagram is to be delayed outside of any Tokio
    /// runtime.
    fn send_to(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        Oversize::check(datagram.len(), self.max_datagram())?;
        for delay in self.faults.judge(to).into_iter().flatten() {
            if delay.is_zero() {
                self.faults.passed();
                self.inner.send_to(to, datagram)?;
            } else if !self.delayed.push(delay, to, datagram, &self.inner, &self.faults)? {
                self.faults.overflowed();
            }
        }
        Ok(())
    }

    async fn recv_from(&self, buf: &mut BytesMut) -> io::Result<SocketAddr> {
        loop {
            let from = self.inner.recv_from(buf).await?;
            if self.faults.lets_in(from) {
                return Ok(from);
            }
        }
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<T::Stream> {
        if !self.faults.lets_stream(to) {
            let text = format!("cannot open a stream to {to}: the peer is blocked");
            return Err(io::Error::new(io::ErrorKind::HostUnreachable, text));
        }
        self.inner.connect(to).await
    }

    async fn accept(&self) -> io::Result<(T::Stream, SocketAddr)> {
        loop {
            let (stream, from) = self.inner.accept().await?;
            if self.faults.lets_stream(from) {
                return Ok((stream, from));
            }
        }
    }
}
