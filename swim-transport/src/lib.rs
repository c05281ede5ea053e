//! swim-transport
#![forbid(unsafe_code)]

mod error;
mod loss;
mod net;
mod stats;
mod tcp;
mod transport;
mod udp;

pub use error::{BindError, Oversize, Protocol};
pub use net::NetTransport;
pub use stats::NetStats;
pub use transport::Transport;
