//! Datagrams and streams for a gossip agent, over anything that carries bytes.
//!
//! The crate knows no protocol and no encoding. It has one trait, [`Transport`], and what
//! implements it:
//!
//! | type | for |
//! |---|---|
//! | [`NetTransport`] | production: UDP and TCP on one port, IPv4 and IPv6 |
//! | [`MemoryTransport`] of a [`memory::Network`] | tests, benchmarks: counted bytes, links to cut |
//! | [`Faulty`] around any of them | tests: seeded loss, delay, duplicates, disorder, partitions |
//! | `Arc<T>` of any of them | tasks that share one |
//!
//! # What a user can rely on
//!
//! Sending a datagram never waits and never fails because of a peer or of the network: what cannot
//! go is lost and counted, as it would be one hop further. Receiving and accepting end with an
//! error only when the transport itself is broken; both are cancel safe, so they fit into a
//! `select!`. Nothing a peer sends makes this crate panic. Queues are bounded.
//!
//! ```
//! use bytes::BytesMut;
//! use swim_transport::{NetTransport, Transport};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! /// Answers every datagram and every stream with what it carried, until the transport breaks.
//! async fn echo(transport: impl Transport) -> std::io::Result<()> {
//!     let mut buf = BytesMut::new(); // handed in again and again: receiving does not allocate
//!     loop {
//!         tokio::select! {
//!             from = transport.recv_from(&mut buf) => transport.send_to(from?, &buf)?,
//!             accepted = transport.accept() => {
//!                 let (mut stream, _) = accepted?;
//!                 tokio::spawn(async move {
//!                     let mut text = Vec::new();
//!                     stream.read_to_end(&mut text).await?;
//!                     stream.write_all(&text).await?;
//!                     stream.shutdown().await
//!                 });
//!             }
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = NetTransport::bind("127.0.0.1:0".parse()?)?;
//! let to = server.local_addr();
//! tokio::spawn(echo(server));
//!
//! let client = NetTransport::bind("127.0.0.1:0".parse()?)?;
//! let mut stream = client.connect(to).await?;
//! stream.write_all(b"hello").await?;
//! stream.shutdown().await?;
//! let mut text = Vec::new();
//! stream.read_to_end(&mut text).await?;
//! assert_eq!(text, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! # Writing another transport
//!
//! Implement [`Transport`], turn on the feature `contract` for your tests, and let the suite judge:
//!
//! ```toml
//! [dev-dependencies]
//! swim-transport = { version = "0.1", features = ["contract"] }
//! ```
//!
//! This one refuses what would not fit into one Ethernet frame, on top of any other:
//!
//! ```
//! use std::{io, net::SocketAddr};
//! use bytes::BytesMut;
//! use swim_transport::{NetTransport, Oversize, Transport, contract};
//!
//! struct Unfragmented<T>(T);
//!
//! impl<T: Transport> Transport for Unfragmented<T> {
//!     type Stream = T::Stream;
//!
//!     fn local_addr(&self) -> SocketAddr {
//!         self.0.local_addr()
//!     }
//!     fn max_datagram(&self) -> usize {
//!         self.0.max_datagram().min(1452) // 1500 less the headers of IPv6 and UDP
//!     }
//!     fn send_to(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
//!         Oversize::check(datagram.len(), self.max_datagram())?;
//!         self.0.send_to(to, datagram)
//!     }
//!     async fn recv_from(&self, buf: &mut BytesMut) -> io::Result<SocketAddr> {
//!         self.0.recv_from(buf).await
//!     }
//!     async fn connect(&self, to: SocketAddr) -> io::Result<T::Stream> {
//!         self.0.connect(to).await
//!     }
//!     async fn accept(&self) -> io::Result<(T::Stream, SocketAddr)> {
//!         self.0.accept().await
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // In a test of yours: each call makes one transport more, which reaches those made before.
//! let loopback = "127.0.0.1:0".parse().expect("an address");
//! let bind = || NetTransport::bind(loopback).expect("a free port");
//! contract::run_all(async || Unfragmented(bind())).await;
//! # }
//! ```
//!
//! The traps that transports fell into, each of which the suite looks for: an error about an
//! earlier datagram that a later call reports (ICMP "port unreachable"), a first send before the
//! reactor has seen the socket, a receive that loses a datagram when its future is dropped, a
//! claimed address nobody can have (port 0), a full queue that makes the sender wait, and a buffer
//! that still has bytes of the datagram before.
//!
//! # Features
//!
//! `contract` (off by default) adds the module `contract`. It changes nothing else.

#![forbid(unsafe_code)]

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod error;
pub mod faulty;
mod loss;
pub mod memory;
mod net;
mod stats;
mod tcp;
mod transport;
mod udp;

pub use error::{BindError, Oversize, Protocol};
pub use faulty::Faulty;
pub use faulty::faults::{FaultStats, Faults};
pub use memory::link::Traffic;
pub use memory::stream::MemoryStream;
pub use memory::{MemoryTransport, Network};
pub use net::NetTransport;
pub use stats::NetStats;
pub use transport::Transport;
