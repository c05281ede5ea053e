//! The datagram half of a [`NetTransport`](crate::NetTransport).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::loss::{self, Loss};
use crate::stats::Counters;

/// Largest payload every IP version carries: 65,535 less an IPv4 header of 20 and a UDP header of
/// 8. IPv6 would carry 20 more, but then the limit would depend on the destination.
pub(crate) const MAX_DATAGRAM: usize = 65_507;

/// Room for any payload that can arrive, IPv6's 65,527 included, so that no datagram is cut short.
const RECEIVE_ROOM: usize = 65_535;

/// Bytes of kernel buffer asked for: about a second of gossip at a node that was not scheduled for
/// that long. The kernel may grant less (`net.core.rmem_max` on Linux).
const RECEIVE_BUFFER: usize = 1 << 20;

/// Bytes of kernel buffer for sending: two of the largest datagrams. Some systems start with room
/// for 9 KiB, and refuse any datagram larger than that.
const SEND_BUFFER: usize = 1 << 17;

/// Failed receives in a row after which each further one is followed by [`RECEIVE_PAUSE`]: one
/// failure reports one lost datagram, a run of them an interface that is down, which must not
/// become a busy loop.
const RECEIVE_STREAK: u32 = 16;
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Udp {
    socket: UdpSocket,
    reach: Reach,
}

/// Which addresses the socket can send to, and how it writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    V4,
    V6,
    /// An IPv6 socket on the wildcard address that carries IPv4 too, as `::ffff:a.b.c.d`.
    Both,
}

impl Reach {
    /// `to` as this socket writes it, or `None` when it cannot be reached from here.
    fn written(self, to: SocketAddr) -> Option<SocketAddr> {
        match (self, canonical(to)) {
            (Self::V4, to @ SocketAddr::V4(_))
            | (Self::V6 | Self::Both, to @ SocketAddr::V6(_)) => Some(to),
            (Self::Both, SocketAddr::V4(to)) => Some((to.ip().to_ipv6_mapped(), to.port()).into()),
            (Self::V4, SocketAddr::V6(_)) | (Self::V6, SocketAddr::V4(_)) => None,
        }
    }
}

/// An IPv4 address seen through an IPv6 socket under its plain name, so that a peer has one address
/// only.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => (v4, v6.port()).into(),
            None => addr,
        },
        SocketAddr::V4(_) => addr,
    }
}

/// Makes a wildcard IPv6 socket carry IPv4 too, on every system alike, and says whether it does.
pub(crate) fn dual_stack(socket: &Socket, addr: SocketAddr) -> bool {
    if addr.ip() != IpAddr::from([0; 16]) {
        return false;
    }
    // Some systems cannot; the answer below then says so.
    let _ = socket.set_only_v6(false);
    socket.only_v6().is_ok_and(|only| !only)
}

impl Udp {
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        let reach = match (addr, dual_stack(&socket, addr)) {
            (SocketAddr::V4(_), _) => Reach::V4,
            (SocketAddr::V6(_), true) => Reach::Both,
            (SocketAddr::V6(_), false) => Reach::V6,
        };
        // Wishes: with the system's defaults, only a longer pause or a larger burst loses more.
        if socket.recv_buffer_size().is_ok_and(|now| now < RECEIVE_BUFFER) {
            let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        }
        if socket.send_buffer_size().is_ok_and(|now| now < SEND_BUFFER) {
            let _ = socket.set_send_buffer_size(SEND_BUFFER);
        }
        socket.bind(&addr.into())?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, reach })
    }

    /// One system call, never a wait. `Err` only when the socket is broken.
    pub(crate) fn send_to(
        &self,
        to: SocketAddr,
        datagram: &[u8],
        counters: &Counters,
    ) -> io::Result<()> {
        let Some(written) = self.reach.written(to) else {
            counters.lost(Loss::Unreachable);
            return Ok(());
        };
        // Not tokio's `try_send_to`: until the reactor has seen the socket writable once, that
        // refuses to try, and the first datagrams of every node would be lost.
        match SockRef::from(&self.socket).send_to(datagram, &SockAddr::from(written)) {
            Ok(_) => counters.sent(datagram.len()),
            Err(error) => {
                let Some(loss) = loss::classify(&error) else { return Err(error) };
                tracing::trace!(%to, %error, ?loss, "datagram lost");
                counters.lost(loss);
            }
        }
        Ok(())
    }

    pub(crate) async fn recv_from(
        &self,
        buf: &mut BytesMut,
        counters: &Counters,
    ) -> io::Result<SocketAddr> {
        let mut streak = 0;
        loop {
            buf.clear();
            buf.reserve(RECEIVE_ROOM);
            let error = match self.socket.recv_buf_from(buf).await {
                Ok((len, from)) => {
                    counters.received(len);
                    return Ok(canonical(from));
                }
                Err(error) => error,
            };
            let Some(loss) = loss::classify(&error) else { return Err(error) };
            tracing::trace!(%error, ?loss, "receive reported a lost datagram");
            counters.lost(loss);
            streak += 1;
            if streak > RECEIVE_STREAK {
                tokio::time::sleep(RECEIVE_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("a literal address")
    }

    #[test]
    fn a_peer_has_one_address_however_the_socket_writes_it() {
        assert_eq!(canonical(addr("[::ffff:10.0.0.1]:7")), addr("10.0.0.1:7"));
        assert_eq!(canonical(addr("[::1]:7")), addr("[::1]:7"));
        assert_eq!(canonical(addr("10.0.0.1:7")), addr("10.0.0.1:7"));
    }

    #[test]
    fn each_socket_writes_the_addresses_it_reaches() {
        let (v4, v6, mapped) =
            (addr("10.0.0.1:7"), addr("[fd00::1]:7"), addr("[::ffff:10.0.0.1]:7"));
        assert_eq!(Reach::V4.written(v4), Some(v4));
        assert_eq!(Reach::V4.written(mapped), Some(v4));
        assert_eq!(Reach::V4.written(v6), None);
        assert_eq!(Reach::V6.written(v6), Some(v6));
        assert_eq!(Reach::V6.written(v4), None);
        assert_eq!(Reach::Both.written(v4), Some(mapped));
        assert_eq!(Reach::Both.written(v6), Some(v6));
    }
}
