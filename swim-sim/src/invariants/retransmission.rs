//! News ends: a node sends each update at most `retransmit_mult * ceil(log10(n + 1))` times
//! (SWIM, section 4.1; docs/protocol.md, Dissemination).
//!
//! An update is a member's state and incarnation, and of a suspicion also its accusers: another
//! confirmation is news, told as often again. It is new when the node's record changes, though a
//! suspicion raised anew after a first-hand answer reads as the one before; and when an accuser
//! is added, though it may be one that was taken back before. Of itself a node tells `fanout`
//! members at once, even if that is more.
//!
//! Counted is what goes to random members: gossip by datagram. Not counted, and not limited by
//! count, are direct tellings: to the member that the update is about, and one's own Alive beside
//! a view hash, which is how lost addresses are tried. Of n, the largest since the update was new
//! holds, because the limit follows the view.

use std::collections::BTreeMap;

use swim_core::MemberState::{self, Suspect};
use swim_core::{Accusers, Change, Incarnation, MemberIdx, Rumor};

use super::ledger::PerNode;
use super::{Invariant, Observed, Violations, letters};
use crate::node::{Io, Sent, Via};
use crate::nodes::swim::{Item, Letter};
use crate::world::{Moment, Watch};

type Update = (MemberState, Incarnation, Accusers);

/// How often a node has told what it now tells of a member.
#[derive(Debug)]
struct Told {
    what: Update,
    times: u32,
    /// The largest cluster that it was told in.
    n: usize,
    /// Who accuses the member after the node's last call.
    accusers: Accusers,
}

/// See the module.
#[derive(Debug)]
pub struct Retransmission {
    mult: u32,
    fanout: usize,
    told: PerNode<BTreeMap<MemberIdx, Told>>,
    /// How many each node held live after its last call.
    live: PerNode<usize>,
    found: Violations,
}

impl Retransmission {
    /// The multiplier of the limit, and how many members are told at once.
    pub fn new(mult: u32, fanout: usize) -> Self {
        Self {
            mult,
            fanout,
            told: PerNode::default(),
            live: PerNode::default(),
            found: Violations::default(),
        }
    }

    fn limit(&self, n: usize) -> u32 {
        // The decimal digits of n: the least power of ten above n.
        self.mult * (n.max(1).ilog10() + 1)
    }

    /// What is news to `at` since its last call begins anew.
    fn renew<N: Observed>(&mut self, at: MemberIdx, node: &N, changes: &[Change]) {
        let told = self.told.of(at);
        for change in changes {
            told.remove(&change.member);
        }
        for (&member, told) in told.iter_mut().filter(|(_, told)| told.what.0 == Suspect) {
            let accusers = node.accusers(member);
            if accusers.iter().any(|(accuser, _)| !told.accusers.contains(accuser)) {
                told.times = 0;
            }
            told.accusers = accusers;
        }
    }

    fn tell<N: Observed>(
        &mut self,
        moment: Moment<'_>,
        (at, node): (MemberIdx, &N),
        n: usize,
        rumor: &Rumor,
    ) {
        let what = (rumor.state, rumor.incarnation, rumor.accusers);
        let accusers = || node.accusers(rumor.member);
        let fresh = || Told { what, times: 0, n, accusers: accusers() };
        let told = self.told.of(at).entry(rumor.member).or_insert_with(fresh);
        if told.what != what {
            *told = fresh();
        }
        told.times += 1;
        told.n = told.n.max(n);
        let (times, n) = (told.times, told.n);
        let at_once = if rumor.member == at { self.fanout as u32 } else { 0 };
        let most = self.limit(n).max(at_once);
        if times > most {
            let (state, incarnation, _) = what;
            self.found.add(moment.now, (at, rumor.member), || {
                format!("told {state} at {incarnation:#x} {times} times, {most} allowed among {n}")
            });
        }
    }
}

/// The updates in a packet that count.
fn counted(sent: &Sent<Letter>) -> impl Iterator<Item = &Rumor> {
    let tries = sent.packet.items.iter().any(|item| matches!(item, Item::View(_)));
    let counts = sent.via == Via::Datagram && !tries;
    letters::gossips(&sent.packet).flatten().filter(move |rumor| counts && rumor.member != sent.to)
}

impl<N: Observed> Watch<N> for Retransmission {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<Letter>) {
        // What was told before it became news in this call counts too, under its former accusers.
        self.renew(at, node, &io.changes);
        let live = self.live.of(at);
        let n = (*live).max(node.live_count()) + io.changes.len();
        *live = node.live_count();
        for rumor in io.sent.iter().flat_map(counted) {
            self.tell(moment, (at, node), n, rumor);
        }
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        if !moment.truth.is_running(node) {
            self.told.reset(node);
        }
    }
}

impl<N: Observed> Invariant<N> for Retransmission {
    fn name(&self) -> &'static str {
        "bounded retransmission"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_decimal_digits() {
        let invariant = Retransmission::new(4, 3);
        for (n, limit) in [(0, 4), (1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (1_000, 16)] {
            assert_eq!(invariant.limit(n), limit, "n = {n}");
        }
    }
}
