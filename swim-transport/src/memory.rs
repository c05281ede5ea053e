//! A network in memory: addresses without sockets, links that are counted and can be cut.
//!
//! Deterministic under a single-threaded runtime, and it works with paused time. Datagrams arrive
//! at once and in order, or are lost for a reason that is counted; for delay, random loss and
//! reordering wrap the transport in [`Faulty`](crate::Faulty).
//!
//! ```
//! use bytes::BytesMut;
//! use swim_transport::{Transport, memory::Network};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let network = Network::new();
//! let a = network.bind("10.0.0.1:7946".parse()?)?;
//! let b = network.bind("10.0.0.2:7946".parse()?)?;
//!
//! network.cut(a.local_addr(), b.local_addr());
//! a.send_to(b.local_addr(), b"lost")?;
//! network.heal(a.local_addr(), b.local_addr());
//! a.send_to(b.local_addr(), b"hello")?;
//!
//! let mut buf = BytesMut::new();
//! b.recv_from(&mut buf).await?;
//! assert_eq!(&buf[..], b"hello");
//!
//! let traffic = network.traffic(a.local_addr(), b.local_addr());
//! assert_eq!((traffic.datagrams, traffic.bytes, traffic.lost_cut), (1, 5, 1));
//! # Ok(())
//! # }
//! ```

pub(crate) mod link;
mod mailbox;
pub(crate) mod stream;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use crate::error::{BindError, Oversize};
use crate::transport::Transport;
use link::{Link, Traffic};
use mailbox::Mailbox;
use stream::MemoryStream;

/// Largest datagram unless [`Network::with_mtu`] says otherwise: what UDP carries.
const DEFAULT_MTU: usize = 65_507;

/// Datagrams that wait at one transport unless [`Network::with_queue`] says otherwise.
const DEFAULT_QUEUE: usize = 1024;

/// Streams that wait to be accepted at one transport.
const BACKLOG: usize = 128;

/// Where port 0 starts to look: the range systems set aside for it.
const FIRST_FREE_PORT: u16 = 49_152;

/// A network of [`MemoryTransport`]s. Clones are handles to the same network.
///
/// An address is a name here and no more: `0.0.0.0` is an address like any other, not a wildcard.
/// It keeps about 150 bytes for each ordered pair of addresses that ever exchanged anything or was
/// cut.
#[derive(Debug, Clone, Default)]
pub struct Network {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    endpoints: HashMap<SocketAddr, Arc<Endpoint>>,
    /// By sender and receiver. Links outlive their endpoints: a cut holds for whoever binds the
    /// address next.
    links: BTreeMap<(SocketAddr, SocketAddr), Arc<Link>>,
    mtu: usize,
    queue: usize,
    next_port: u16,
}

/// What waits at one bound address.
#[derive(Debug)]
struct Endpoint {
    datagrams: Mailbox<(SocketAddr, Bytes)>,
    streams: Mailbox<(SocketAddr, MemoryStream)>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            endpoints: HashMap::new(),
            links: BTreeMap::new(),
            mtu: DEFAULT_MTU,
            queue: DEFAULT_QUEUE,
            next_port: FIRST_FREE_PORT,
        }
    }
}

impl State {
    fn link(&mut self, from: SocketAddr, to: SocketAddr) -> &Arc<Link> {
        self.links.entry((from, to)).or_default()
    }

    /// A free port on `ip`; takes the next one in turn, so that a freed port is not reused at once.
    fn free_port(&mut self, ip: IpAddr) -> Option<SocketAddr> {
        for _ in FIRST_FREE_PORT..=u16::MAX {
            let addr = SocketAddr::new(ip, self.next_port);
            self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_FREE_PORT);
            if !self.endpoints.contains_key(&addr) {
                return Some(addr);
            }
        }
        None
    }
}

impl Network {
    /// A network with nobody on it, every link whole.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the largest datagram in bytes (65,507, as UDP) for transports bound from now on.
    #[must_use]
    pub fn with_mtu(self, bytes: usize) -> Self {
        self.lock().mtu = bytes;
        self
    }

    /// Sets how many datagrams wait at a transport (1,024) for transports bound from now on; at
    /// least one.
    ///
    /// What arrives at a full queue is lost and counted in [`Traffic::lost_full`].
    #[must_use]
    pub fn with_queue(self, datagrams: usize) -> Self {
        self.lock().queue = datagrams.max(1);
        self
    }

    /// Binds `addr`; port 0 picks a free one from 49,152 on.
    ///
    /// # Errors
    ///
    /// [`BindError::InUse`] while another transport holds the address, [`BindError::NoFreePort`]
    /// for port 0 when 16,384 transports hold all that are given out.
    pub fn bind(&self, addr: SocketAddr) -> Result<MemoryTransport, BindError> {
        let mut state = self.lock();
        let local = match addr.port() {
            0 => state.free_port(addr.ip()).ok_or(BindError::NoFreePort { ip: addr.ip() })?,
            _ if state.endpoints.contains_key(&addr) => return Err(BindError::InUse { addr }),
            _ => addr,
        };
        let endpoint = Arc::new(Endpoint {
            datagrams: Mailbox::new(state.queue),
            streams: Mailbox::new(BACKLOG),
        });
        state.endpoints.insert(local, Arc::clone(&endpoint));
        let mtu = state.mtu;
        Ok(MemoryTransport { network: self.clone(), endpoint, local, mtu })
    }

    /// Cuts both directions between `a` and `b`, bound or not: datagrams are lost, `connect` fails,
    /// and so does the next write to a stream that is already open.
    pub fn cut(&self, a: SocketAddr, b: SocketAddr) {
        self.set_cut(a, b, true);
        self.set_cut(b, a, true);
    }

    /// Cuts what `from` sends to `to`. The other direction still carries datagrams, but no new
    /// stream: that needs both.
    pub fn cut_one_way(&self, from: SocketAddr, to: SocketAddr) {
        self.set_cut(from, to, true);
    }

    /// Makes both directions between `a` and `b` whole again. Healing a whole link changes nothing.
    pub fn heal(&self, a: SocketAddr, b: SocketAddr) {
        self.set_cut(a, b, false);
        self.set_cut(b, a, false);
    }

    /// Makes every link whole again. Costs a walk over all links.
    pub fn heal_all(&self) {
        self.lock().links.values().for_each(|link| link.set_cut(false));
    }

    /// What `from` sent to `to` so far. All zero for a pair that never exchanged anything.
    pub fn traffic(&self, from: SocketAddr, to: SocketAddr) -> Traffic {
        self.lock().links.get(&(from, to)).map_or_else(Traffic::default, |link| link.traffic())
    }

    /// What everybody sent to everybody so far. Costs a walk over all links.
    pub fn total_traffic(&self) -> Traffic {
        let mut total = Traffic::default();
        for link in self.lock().links.values() {
            total.add(link.traffic());
        }
        total
    }

    fn set_cut(&self, from: SocketAddr, to: SocketAddr, cut: bool) {
        self.lock().link(from, to).set_cut(cut);
    }

    /// No code of others runs under this lock, and no method leaves the state half changed, so a
    /// poisoned lock is as good as a clean one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One address on a [`Network`]. Dropping it frees the address and closes the streams nobody
/// accepted.
#[derive(Debug)]
pub struct MemoryTransport {
    network: Network,
    endpoint: Arc<Endpoint>,
    local: SocketAddr,
    mtu: usize,
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        self.network.lock().endpoints.remove(&self.local);
    }
}

impl Transport for MemoryTransport {
    type Stream = MemoryStream;

    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn max_datagram(&self) -> usize {
        self.mtu
    }

    /// Copies the datagram once, into an allocation of its own.
    fn send_to(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        Oversize::check(datagram.len(), self.mtu)?;
        let mut state = self.network.lock();
        let link = Arc::clone(state.link(self.local, to));
        let Some(endpoint) = state.endpoints.get(&to) else {
            link.lost_nobody();
            return Ok(());
        };
        if link.is_cut() {
            link.lost_cut();
        } else if endpoint.datagrams.push((self.local, Bytes::copy_from_slice(datagram))).is_ok() {
            link.delivered(datagram.len());
        } else {
            link.lost_full();
        }
        Ok(())
    }

    async fn recv_from(&self, buf: &mut BytesMut) -> io::Result<SocketAddr> {
        let (from, datagram) = self.endpoint.datagrams.pop().await;
        buf.clear();
        buf.extend_from_slice(&datagram);
        Ok(from)
    }

    /// Never waits: the stream is open when it is in the peer's queue, accepted or not.
    async fn connect(&self, to: SocketAddr) -> io::Result<MemoryStream> {
        let mut state = self.network.lock();
        let out = Arc::clone(state.link(self.local, to));
        let back = Arc::clone(state.link(to, self.local));
        if out.is_cut() || back.is_cut() {
            return Err(refused(io::ErrorKind::HostUnreachable, to, "the link is cut"));
        }
        let Some(endpoint) = state.endpoints.get(&to) else {
            return Err(refused(io::ErrorKind::ConnectionRefused, to, "nobody is bound there"));
        };
        let (ours, theirs) = MemoryStream::pair(Arc::clone(&out), back);
        if endpoint.streams.push((self.local, theirs)).is_err() {
            return Err(refused(io::ErrorKind::ConnectionRefused, to, "its backlog is full"));
        }
        out.opened();
        Ok(ours)
    }

    /// The address is the one the peer is bound to, port included.
    async fn accept(&self) -> io::Result<(MemoryStream, SocketAddr)> {
        let (from, stream) = self.endpoint.streams.pop().await;
        Ok((stream, from))
    }
}

fn refused(kind: io::ErrorKind, to: SocketAddr, why: &str) -> io::Error {
    io::Error::new(kind, format!("cannot open a stream to {to} in memory: {why}"))
}
