//! The stream half of a [`NetTransport`](crate::NetTransport).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::loss;
use crate::stats::Counters;
use crate::udp::{canonical, dual_stack};

/// Streams the kernel queues until they are accepted: a mass join, or a node that was paused.
const BACKLOG: i32 = 1024;

/// Wait after a failed accept. Most failures last (no file descriptor free), and without a wait
/// they become a busy loop; a queued stream can well wait this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Tcp {
    listener: TcpListener,
}

impl Tcp {
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        dual_stack(&socket, addr);
        // So that a restarted process gets its port back while old streams linger in TIME_WAIT. On
        // Windows the option means something else: two listeners on one port.
        #[cfg(not(windows))]
        socket.set_reuse_address(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self { listener: TcpListener::from_std(socket.into())? })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(crate) async fn connect(
        &self,
        to: SocketAddr,
        counters: &Counters,
    ) -> io::Result<TcpStream> {
        let stream = self.socket_towards(canonical(to))?.connect(canonical(to)).await?;
        without_delay(&stream);
        counters.connected();
        Ok(stream)
    }

    /// A socket for a stream to there. It leaves from the bound address, as datagrams do: others tell by
    /// it whose it is, on hosts with several too. Bound only where the system would choose another one: a
    /// socket that is bound before it connects has a port of its own, so that all on one address have some
    /// 28,000 a minute, while others share ports, as long as they lead to different places.
    fn socket_towards(&self, to: SocketAddr) -> io::Result<TcpSocket> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        let mut from = canonical(self.local_addr()?);
        let alike =
            from.is_ipv4() == to.is_ipv4() && from.ip().is_loopback() == to.ip().is_loopback();
        if alike && !from.ip().is_unspecified() && source_towards(to).ok() != Some(from.ip()) {
            from.set_port(0);
            socket.bind(from)?;
        }
        Ok(socket)
    }

    pub(crate) async fn accept(&self, counters: &Counters) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    without_delay(&stream);
                    counters.accepted();
                    return Ok((stream, canonical(from)));
                }
                Err(error) if loss::listener_is_broken(&error) => return Err(error),
                Err(error) => {
                    counters.accept_retried();
                    tracing::debug!(%error, "accept failed, trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// The address from which the system sends there unless told otherwise; nothing is sent.
fn source_towards(to: SocketAddr) -> io::Result<IpAddr> {
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, None)?;
    socket.connect(&to.into())?;
    let from = socket.local_addr()?.as_socket();
    from.map(|from| from.ip()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// Small answers must not wait for the acknowledgement of small questions. It fails only on a
/// stream that is already closed, and whoever reads from that will learn it there.
fn without_delay(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a stream from there to there is bound before it connects.
    fn is_bound(from: &str, to: &str) -> bool {
        let [from, to] = [from, to].map(|at| at.parse().expect("an address"));
        let tcp = Tcp::bind(from).expect("a free port");
        let socket = tcp.socket_towards(to).expect("a socket");
        socket.local_addr().expect("its address").port() != 0
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_stream_takes_a_port_for_itself_only_where_it_would_leave_from_elsewhere() {
        assert!(!is_bound("127.0.0.1:0", "127.0.0.1:9"));
        assert!(!is_bound("127.0.0.1:0", "127.71.8.1:9"));
        assert!(is_bound("127.71.8.2:0", "127.71.8.1:9"));
        assert!(!is_bound("0.0.0.0:0", "127.71.8.1:9"));
    }
}
