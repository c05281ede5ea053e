//! Piggyback is bounded (SWIM, section 4.1; docs/protocol.md, Dissemination): no `Gossip` holds
//! more than `max_piggyback` updates, no datagram more bytes than its budget.

use swim_core::MemberIdx;

use super::{Invariant, Violations, letters};
use crate::node::{Io, Node, Via};
use crate::nodes::swim::Letter;
use crate::world::{Moment, Watch};

/// See the module.
#[derive(Debug)]
pub struct Piggyback {
    updates: usize,
    bytes: usize,
    found: Violations,
}

impl Piggyback {
    /// At most so many `updates` in a `Gossip` and `bytes` in a datagram.
    pub fn new(updates: usize, bytes: usize) -> Self {
        Self { updates, bytes, found: Violations::default() }
    }
}

impl<N: Node<Packet = Letter>> Watch<N> for Piggyback {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, _: &N, io: &Io<Letter>) {
        for sent in &io.sent {
            let longest = letters::gossips(&sent.packet).map(<[_]>::len).max().unwrap_or(0);
            if longest > self.updates {
                let most = self.updates;
                self.found.add(moment.now, (at, sent.to), || {
                    format!("{longest} updates in one gossip, at most {most} allowed")
                });
            }
            if sent.via == Via::Datagram && sent.bytes as usize > self.bytes {
                let (bytes, most) = (sent.bytes, self.bytes);
                self.found.add(moment.now, (at, sent.to), || {
                    format!("{bytes} bytes in one datagram, at most {most} allowed")
                });
            }
        }
    }
}

impl<N: Node<Packet = Letter>> Invariant<N> for Piggyback {
    fn name(&self) -> &'static str {
        "bounded piggyback"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}
