//! The stream half of a [`NetTransport`](crate::NetTransport).

use std::io;
use std::net::SocketAddr;
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
    /// it whose it is, on hosts with several too.
    fn socket_towards(&self, to: SocketAddr) -> io::Result<TcpSocket> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        let mut from = canonical(self.local_addr()?);
        let alike =
            from.is_ipv4() == to.is_ipv4() && from.ip().is_loopback() == to.ip().is_loopback();
        if alike && !from.ip().is_unspecified() {
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

/// Small answers must not wait for the acknowledgement of small questions. It fails only on a
/// stream that is already closed, and whoever reads from that will learn it there.
fn without_delay(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
}
