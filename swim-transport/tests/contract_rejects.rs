//! The suite itself is put to the test: a transport with one defect must fail the claim about it.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::BytesMut;
use swim_transport::contract::{datagrams, streams};
use swim_transport::{MemoryTransport, Network, Transport};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Defect {
    NoPort,
    AppendsToTheBuffer,
    Truncates,
    AcceptsOversize,
    HidesTheLimit,
    FailsTowardsNobody,
    FailsTowardsPortZero,
    ReportsLossToTheReceiver,
    LosesOnCancel,
    ConfusesSenders,
    EndsOnAnEmptyDatagram,
    LosesStreamsOnCancel,
    MakesUpPeers,
    ConnectsToNobody,
}
use Defect::*;

struct Defective {
    inner: MemoryTransport,
    defect: Defect,
    /// Something was sent that comes back as an error.
    reported: AtomicBool,
}

impl Transport for Defective {
    type Stream = tokio::io::DuplexStream;

    fn local_addr(&self) -> SocketAddr {
        let addr = self.inner.local_addr();
        if self.defect == NoPort { SocketAddr::new(addr.ip(), 0) } else { addr }
    }

    fn max_datagram(&self) -> usize {
        self.inner.max_datagram()
    }

    fn send_to(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let nobody = to.port() != 0 && datagram == b"anybody there?";
        match self.defect {
            AcceptsOversize if datagram.len() > self.max_datagram() => return Ok(()),
            HidesTheLimit if datagram.len() > self.max_datagram() => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            FailsTowardsNobody if nobody => return Err(io::ErrorKind::ConnectionRefused.into()),
            FailsTowardsPortZero if to.port() == 0 => {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
            ReportsLossToTheReceiver if nobody => self.reported.store(true, Relaxed),
            Truncates => return self.inner.send_to(to, &datagram[..datagram.len().min(1000)]),
            _ => {}
        }
        self.inner.send_to(to, datagram)
    }

    async fn recv_from(&self, buf: &mut BytesMut) -> io::Result<SocketAddr> {
        if self.reported.swap(false, Relaxed) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let before = buf.split();
        let from = self.inner.recv_from(buf).await?;
        match self.defect {
            AppendsToTheBuffer => {
                let mut both = before;
                both.extend_from_slice(buf);
                *buf = both;
            }
            // Between these two lines the datagram is in nobody's hands.
            LosesOnCancel => tokio::task::yield_now().await,
            EndsOnAnEmptyDatagram if buf.is_empty() => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            ConfusesSenders => return Ok(self.local_addr()),
            _ => {}
        }
        Ok(from)
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<Self::Stream> {
        let (near, far) = tokio::io::duplex(64);
        let result = self.inner.connect(to).await;
        if self.defect != ConnectsToNobody {
            result?;
        }
        drop(far);
        Ok(near)
    }

    async fn accept(&self) -> io::Result<(Self::Stream, SocketAddr)> {
        let (_, from) = self.inner.accept().await?;
        if self.defect == LosesStreamsOnCancel {
            tokio::task::yield_now().await;
        }
        let peer =
            if self.defect == MakesUpPeers { SocketAddr::from(([1, 2, 3, 4], 5)) } else { from };
        Ok((tokio::io::duplex(64).0, peer))
    }
}

/// Checks the claim on transports with this defect, in a task of its own, and wants it to panic.
macro_rules! broken {
    ($claim:path, $defect:expr) => {{
        let network = Network::new();
        let claim = async move {
            $claim(async || Defective {
                inner: network.bind(SocketAddr::from(([10, 0, 0, 1], 0))).expect("a free port"),
                defect: $defect,
                reported: AtomicBool::new(false),
            })
            .await;
        };
        let outcome = tokio::task::LocalSet::new()
            .run_until(async { tokio::task::spawn_local(claim).await })
            .await;
        assert!(
            outcome.is_err_and(|error| error.is_panic()),
            "{:?} passed {}",
            $defect,
            stringify!($claim)
        );
    }};
}

#[tokio::test(start_paused = true)]
async fn defects_of_datagrams_are_found() {
    broken!(datagrams::local_addr_is_real, NoPort);
    broken!(datagrams::received_buffer_is_cleared_first, AppendsToTheBuffer);
    broken!(datagrams::datagram_arrives_whole, Truncates);
    broken!(datagrams::datagram_arrives_whole, ConfusesSenders);
    broken!(datagrams::oversize_datagram_is_refused_with_both_sizes, AcceptsOversize);
    broken!(datagrams::oversize_datagram_is_refused_with_both_sizes, HidesTheLimit);
    broken!(datagrams::send_to_nobody_is_not_an_error, FailsTowardsNobody);
    broken!(datagrams::send_to_nobody_is_not_an_error, ReportsLossToTheReceiver);
    broken!(datagrams::send_to_impossible_address_is_not_an_error, FailsTowardsPortZero);
    broken!(datagrams::recv_is_cancel_safe, LosesOnCancel);
    broken!(datagrams::many_senders_one_receiver, ConfusesSenders);
    broken!(datagrams::empty_datagram_is_harmless, EndsOnAnEmptyDatagram);
}

#[tokio::test(start_paused = true)]
async fn defects_of_streams_are_found() {
    broken!(streams::connect_to_nobody_fails, ConnectsToNobody);
    broken!(streams::accept_is_cancel_safe, LosesStreamsOnCancel);
    broken!(streams::accept_reports_the_ip_of_the_peer, MakesUpPeers);
    // Its two ends are not connected at all.
    broken!(streams::stream_carries_bytes_both_ways, NoPort);
    broken!(streams::half_close_leaves_the_other_half_open, Truncates);
    broken!(streams::large_transfers_cross_whole, Truncates);
    broken!(streams::many_streams_at_once, Truncates);
}
