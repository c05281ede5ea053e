//! Notices: what users have all members hear, as it travels. What one says is nobody's business
//! below the face.

use std::fmt::Debug;
use std::sync::Arc;

/// Which notice it is: when it was made, on Lamport's clock, and a random number of its own.
///
/// The order is one in which causes come before what they brought about (Lamport 1978).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp {
    /// One above all that its origin had heard or made.
    pub ltime: u64,
    /// Drawn by its origin.
    pub id: u64,
}

/// What a notice says.
pub trait Body: Clone + Debug {
    /// Most bytes that it takes on the wire, headers included; see
    /// [`wire_size`](crate::wire_size).
    fn wire_len(&self) -> usize;
}

/// For simulations and measurements: so many bytes of anything.
impl Body for u32 {
    fn wire_len(&self) -> usize {
        *self as usize
    }
}

/// A notice, or that there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notice<B> {
    /// Which.
    pub stamp: Stamp,
    /// What directly precedes it: to be heard before it. At most [`MAX_AFTER`](Self::MAX_AFTER).
    pub after: Arc<[Stamp]>,
    /// What it says.
    pub said: Said<B>,
}

/// What a notice says, or how long that is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Said<B> {
    /// All of it.
    Whole(B),
    /// It is this long in bytes, too long for a datagram, and can be had by stream from who says so.
    Announced(usize),
}

impl<B> Notice<B> {
    /// Most predecessors that a notice names.
    pub const MAX_AFTER: usize = 8;
}

impl<B: Body> Notice<B> {
    /// Bytes of what it says.
    pub fn body_len(&self) -> usize {
        match &self.said {
            Said::Whole(body) => body.wire_len(),
            Said::Announced(len) => *len,
        }
    }

    /// The same without its body.
    pub(crate) fn announced(&self) -> Self {
        Self {
            stamp: self.stamp,
            after: self.after.clone(),
            said: Said::Announced(self.body_len()),
        }
    }
}

/// The notices of a stretch of time in one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Recent {
    /// The sender's clock.
    pub clock: u64,
    /// The stretch begins above this time.
    pub above: u64,
    /// And ends with this one.
    pub upto: u64,
    /// Sum of the hashes of the stamps in it.
    pub hash: u64,
}
