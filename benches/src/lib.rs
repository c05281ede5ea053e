//! What the benches and the table of figures share: set-ups of our own code, and every operation
//! written once, for any implementation of [`Node`].
//!
//! The peers that ours is compared with are not here but in `benches/common`: they stay
//! dev-dependencies.
#![forbid(unsafe_code)]

pub mod datagram;
pub mod engine;
pub mod face;
pub mod limits;
mod node;
mod operation;
pub mod proc;
mod stopwatch;

use std::net::SocketAddr;

pub use node::{News, Node, Wire};
pub use operation::{Bed, Operation};
pub use stopwatch::Stopwatch;

/// The cluster sizes that growth is measured over.
pub const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];

/// The address of a node.
pub fn address(node: usize) -> SocketAddr {
    let [_, a, b, c] = (node as u32).to_be_bytes();
    SocketAddr::from(([10, a, b, c], 7946))
}

/// The node at an address.
pub fn node_at(address: SocketAddr) -> usize {
    let SocketAddr::V4(address) = address else { unreachable!("all addresses are of version 4") };
    (address.ip().to_bits() & 0x00ff_ffff) as usize
}

/// The name of a node: 11 bytes.
pub fn name(node: usize) -> String {
    format!("node-{node:06}")
}

/// Random members, the same in every run (xorshift64*, Vigna 2016).
#[derive(Debug)]
pub struct Dice(u64);

impl Default for Dice {
    fn default() -> Self {
        Self(7)
    }
}

impl Dice {
    /// One of the members 1 to `n`.
    pub fn member(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        1 + ((drawn * n as u64) >> 32) as usize
    }

    /// `N` different ones.
    pub fn members<const N: usize>(&mut self, n: usize) -> [usize; N] {
        let mut drawn = [0; N];
        for i in 0..N {
            drawn[i] = self.member(n);
            while drawn[..i].contains(&drawn[i]) {
                drawn[i] = self.member(n);
            }
        }
        drawn
    }
}
