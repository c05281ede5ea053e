//! UDP and TCP on one port: the transport of production.

use std::io;
use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use crate::error::{BindError, Oversize, Protocol};
use crate::stats::{Counters, NetStats};
use crate::tcp::Tcp;
use crate::transport::Transport;
use crate::udp::{self, Udp};

/// Ports tried when port 0 is asked for. One in a few thousand is taken for the other protocol on a
/// busy machine, so that many failures mean something else is wrong.
const PORT_ATTEMPTS: usize = 32;

/// Datagrams by UDP and streams by TCP, both on one port.
///
/// IPv4 or IPv6, as the address says; bound to `[::]` it carries both where the system can, and
/// reports IPv4 peers by their plain IPv4 address. Streams are opened with `TCP_NODELAY`. A
/// datagram carries at most 65,507 bytes, of which a usual path takes 1,400 without fragments.
///
/// ```
/// use bytes::BytesMut;
/// use swim_transport::{NetTransport, Transport};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let here = NetTransport::bind("127.0.0.1:0".parse()?)?;
/// let there = NetTransport::bind("127.0.0.1:0".parse()?)?;
///
/// here.send_to(there.local_addr(), b"hello")?;
///
/// let mut buf = BytesMut::new();
/// let from = there.recv_from(&mut buf).await?;
/// assert_eq!((from, &buf[..]), (here.local_addr(), &b"hello"[..]));
/// assert_eq!(there.stats().bytes_received, 5);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NetTransport {
    udp: Udp,
    tcp: Tcp,
    local: SocketAddr,
    counters: Counters,
}

impl NetTransport {
    /// Binds UDP and TCP to `addr`; port 0 picks one that is free for both. A few system calls, no
    /// wait.
    ///
    /// # Errors
    ///
    /// Names the address and the protocol that was refused. Nothing is left bound then.
    ///
    /// # Panics
    ///
    /// In a Tokio runtime that was built without I/O; one without time makes a later retry panic.
    /// (No runtime at all is an error.)
    pub fn bind(addr: SocketAddr) -> Result<Self, BindError> {
        if Handle::try_current().is_err() {
            return Err(BindError::NoRuntime { addr });
        }
        // An IPv4 address in IPv6 clothes is bound as what it is, else no plain one is in reach.
        let addr = udp::canonical(addr);
        if addr.port() != 0 {
            return Self::bind_both(addr);
        }
        let mut attempts = 1;
        loop {
            match Self::bind_both(addr) {
                Err(BindError::Socket { protocol: Protocol::Udp, source, .. })
                    if is_taken(&source) =>
                {
                    if attempts == PORT_ATTEMPTS {
                        return Err(BindError::NoCommonPort { ip: addr.ip(), attempts, source });
                    }
                    attempts += 1;
                }
                done => return done,
            }
        }
    }

    /// TCP first: of the two, its ports are scarcer, being shared with every outgoing connection.
    fn bind_both(addr: SocketAddr) -> Result<Self, BindError> {
        let refused = |protocol, addr| move |source| BindError::Socket { protocol, addr, source };
        let tcp = Tcp::bind(addr).map_err(refused(Protocol::Tcp, addr))?;
        let local = tcp.local_addr().map_err(refused(Protocol::Tcp, addr))?;
        let udp = Udp::bind(local).map_err(refused(Protocol::Udp, local))?;
        Ok(Self { udp, tcp, local, counters: Counters::default() })
    }

    /// What crossed this transport so far. Cheap: a dozen loads.
    pub fn stats(&self) -> NetStats {
        self.counters.snapshot()
    }
}

/// Whether another port may do better: taken by somebody, or (on Windows) set aside by the system.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

impl Transport for NetTransport {
    type Stream = TcpStream;

    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn max_datagram(&self) -> usize {
        udp::MAX_DATAGRAM
    }

    fn send_to(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        Oversize::check(datagram.len(), udp::MAX_DATAGRAM)?;
        self.udp.send_to(to, datagram, &self.counters)
    }

    async fn recv_from(&self, buf: &mut BytesMut) -> io::Result<SocketAddr> {
        self.udp.recv_from(buf, &self.counters).await
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        self.tcp.connect(to, &self.counters).await
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.tcp.accept(&self.counters).await
    }
}
