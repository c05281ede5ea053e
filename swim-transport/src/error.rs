//! What can go wrong in the caller's hands: binding, and datagrams that are too large.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

/// Half of a transport, as named in errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The datagram half.
    Udp,
    /// The stream half.
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// Why a transport could not be bound. Nothing is left bound.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The operating system refused one half of the address.
    #[error("cannot bind {protocol} on {addr}: {source}")]
    Socket {
        /// The half that was refused.
        protocol: Protocol,
        /// The address asked for.
        addr: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// Port 0 was asked for, and every port found free for TCP was taken for UDP.
    #[error("no port is free for both UDP and TCP on {ip}, tried {attempts}: {source}")]
    NoCommonPort {
        /// The address asked for.
        ip: IpAddr,
        /// How many ports were tried.
        attempts: usize,
        /// Why the last of them was refused.
        source: io::Error,
    },
    /// Another transport of the same in-memory network holds the address.
    #[error("cannot bind {addr} in memory: it is in use")]
    InUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Port 0 was asked for and the in-memory network has none left on this IP.
    #[error("cannot bind {ip} in memory: all its ports are in use")]
    NoFreePort {
        /// The IP asked for.
        ip: IpAddr,
    },
    /// Sockets need a Tokio runtime, and the caller is outside of one.
    #[error("cannot bind {addr} outside of a Tokio runtime")]
    NoRuntime {
        /// The address asked for.
        addr: SocketAddr,
    },
}

/// A datagram was larger than its transport carries. Nothing was sent.
///
/// It is the inner error of what [`send_to`](crate::Transport::send_to) returns, and turns into
/// that [`io::Error`] (of kind [`InvalidInput`](io::ErrorKind::InvalidInput)) by `into`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("datagram of {size} bytes is larger than the {max} bytes this transport carries")]
pub struct Oversize {
    /// Bytes in the datagram.
    pub size: usize,
    /// Bytes the transport carries.
    pub max: usize,
}

impl Oversize {
    /// `Err` when `size` bytes are more than `max`; the check at the head of every `send_to`.
    pub fn check(size: usize, max: usize) -> Result<(), Self> {
        if size > max { Err(Self { size, max }) } else { Ok(()) }
    }
}

impl From<Oversize> for io::Error {
    fn from(oversize: Oversize) -> Self {
        Self::new(io::ErrorKind::InvalidInput, oversize)
    }
}
