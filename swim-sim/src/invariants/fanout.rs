//! Gossip goes to few: one gossip round reaches at most `fanout` members (docs/protocol.md,
//! Dissemination; the load of each node is constant, SWIM, section 2).
//!
//! Judged by one call of a node, which holds at most one round: datagrams of nothing but gossip.
//! What rides on pings and acks is piggyback. What is told to the member that it is about is no
//! gossip: a suspect, or one held dead, hears of it however many of them there are.

use std::collections::BTreeSet;

use swim_core::MemberIdx;

use super::{Invariant, Violations, letters};
use crate::node::{Io, Node, Sent};
use crate::nodes::swim::Letter;
use crate::world::{Moment, Watch};

/// See the module.
#[derive(Debug)]
pub struct Fanout {
    most: usize,
    reached: BTreeSet<MemberIdx>,
    found: Violations,
}

impl Fanout {
    /// A round may reach `most` members.
    pub fn new(most: usize) -> Self {
        Self { most, reached: BTreeSet::new(), found: Violations::default() }
    }
}

fn spreads(sent: &Sent<Letter>) -> bool {
    letters::is_gossip(sent) && letters::rumors(&sent.packet).any(|rumor| rumor.member != sent.to)
}

impl<N: Node<Packet = Letter>> Watch<N> for Fanout {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, _: &N, io: &Io<Letter>) {
        self.reached.clear();
        self.reached.extend(io.sent.iter().filter(|sent| spreads(sent)).map(|sent| sent.to));
        let (reached, most) = (self.reached.len(), self.most);
        if reached > most {
            self.found.add(moment.now, (at, at), || {
                format!("gossiped to {reached} members at once, at most {most} allowed")
            });
        }
    }
}

impl<N: Node<Packet = Letter>> Invariant<N> for Fanout {
    fn name(&self) -> &'static str {
        "bounded fan-out"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}
