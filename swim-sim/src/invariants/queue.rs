//! The broadcast queue is bounded (docs/protocol.md, Dissemination): never more updates wait to be
//! told than `broadcast_queue_size`.

use swim_core::MemberIdx;

use super::{Invariant, Violations};
use crate::node::{Io, Node};
use crate::world::{Moment, Watch};

/// See the module.
#[derive(Debug)]
pub struct Queue {
    most: usize,
    found: Violations,
}

impl Queue {
    /// At most so many may wait.
    pub fn new(most: usize) -> Self {
        Self { most, found: Violations::default() }
    }
}

impl<N: Node> Watch<N> for Queue {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, _: &Io<N::Packet>) {
        let (waiting, most) = (node.queue_len(), self.most);
        if waiting > most {
            self.found.add(moment.now, (at, at), || {
                format!("{waiting} updates wait, at most {most} allowed")
            });
        }
    }
}

impl<N: Node> Invariant<N> for Queue {
    fn name(&self) -> &'static str {
        "bounded queue"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}
