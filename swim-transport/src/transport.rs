//! The one trait of this crate: what a gossip agent needs from a network.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

/// Datagrams and streams from one address.
///
/// Datagrams carry the protocol's small messages: they may be lost, doubled or reordered, and
/// nobody ever waits for one. Streams carry what must arrive whole. All methods take `&self`, so
/// one transport serves a task that receives, a task that accepts and any number that send;
/// `Arc<T>` is a transport too.
///
/// The claims below are checked by the suite in `swim_transport::contract` (feature `contract`).
pub trait Transport: Send + Sync + 'static {
    /// A connection to one peer. Shutting down the write half leaves the read half open.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The address this transport is bound to (real port, also when 0 was asked for).
    ///
    /// The IP is the one that was asked for, so it may be a wildcard such as `0.0.0.0`.
    fn local_addr(&self) -> SocketAddr;

    /// Largest datagram in bytes this transport carries.
    ///
    /// A path may carry less; what it refuses is lost.
    fn max_datagram(&self) -> usize;

    /// Sends one datagram, best effort: it never blocks and never waits, and a datagram that cannot
    /// go now is lost.
    ///
    /// # Errors
    ///
    /// Only when the transport itself is broken, or with [`io::ErrorKind::InvalidInput`] and both
    /// sizes when the datagram is larger than [`max_datagram`](Self::max_datagram). Loss, whatever
    /// its reason, is `Ok`.
    fn send_to(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()>;

    /// Waits for the next datagram and puts it into `buf`, which is cleared first; returns who sent
    /// it.
    ///
    /// Hand in the same buffer again: its capacity is kept, so receiving does not allocate. Cancel
    /// safe: a future dropped before it is ready has consumed no datagram.
    ///
    /// # Errors
    ///
    /// Only when the transport itself is broken. Errors which mean that some datagram was lost,
    /// one's own or a peer's, are swallowed and counted.
    fn recv_from(&self, buf: &mut BytesMut) -> impl Future<Output = io::Result<SocketAddr>> + Send;

    /// Opens a stream to `to`.
    ///
    /// It has no time-out of its own beyond the network's, which may be minutes: bring one.
    ///
    /// # Errors
    ///
    /// When nobody accepts streams at `to`, or `to` cannot be reached. The transport remains
    /// usable.
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Waits for the next inbound stream; returns it with the address it came from.
    ///
    /// Only the IP of that address is the peer's for sure; the port may be one made up for this
    /// stream, as in TCP. Cancel safe: a future dropped before it is ready has consumed no stream.
    ///
    /// # Errors
    ///
    /// Only when the transport itself is broken. Errors that pass (no file descriptor free, a peer
    /// that hung up while it was queued) are retried after a short pause.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl<T: Transport> Transport for Arc<T> {
    type Stream = T::Stream;

    fn local_addr(&self) -> SocketAddr {
        (**self).local_addr()
    }

    fn max_datagram(&self) -> usize {
        (**self).max_datagram()
    }

    fn send_to(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        (**self).send_to(to, datagram)
    }

    fn recv_from(&self, buf: &mut BytesMut) -> impl Future<Output = io::Result<SocketAddr>> + Send {
        (**self).recv_from(buf)
    }

    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        (**self).connect(to)
    }

    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send {
        (**self).accept()
    }
}
