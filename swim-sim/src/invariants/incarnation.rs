//! Incarnations only grow, and only their owner raises them (SWIM, section 4.2; docs/protocol.md,
//! Records).
//!
//! At each node a member's incarnation never falls until it is forgotten, and no node ever holds or
//! says one that its owner has not had.

use swim_core::{Incarnation, MemberIdx};

use super::ledger::{Ledger, PerNode};
use super::{Invariant, Observed, Violations, letters};
use crate::node::Io;
use crate::nodes::swim::Letter;
use crate::world::{Moment, Watch};

/// See the module.
#[derive(Debug, Default)]
pub struct OwnIncarnation {
    ledger: Ledger,
    /// The highest that each member has had, in all its lives.
    own: PerNode<Incarnation>,
    found: Violations,
}

impl OwnIncarnation {
    fn hear_owner(&mut self, moment: Moment<'_>, at: MemberIdx, now: Incarnation) {
        let own = self.own.of(at);
        if now < *own {
            let before = *own;
            self.found.add(moment.now, (at, at), || {
                format!("its own incarnation fell from {before:#x} to {now:#x}")
            });
        }
        *own = now.max(*own);
    }

    fn is_owners(
        &mut self,
        moment: Moment<'_>,
        (at, of): (MemberIdx, MemberIdx),
        incarnation: Incarnation,
        does: &str,
    ) {
        let own = *self.own.of(of);
        if incarnation > own {
            self.found.add(moment.now, (at, of), || {
                format!("{does} incarnation {incarnation:#x}, its owner never had above {own:#x}")
            });
        }
    }
}

impl<N: Observed> Watch<N> for OwnIncarnation {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<Letter>) {
        if let Some(own) = node.incarnation_of(at) {
            self.hear_owner(moment, at, own);
        }
        for change in &io.changes {
            let (of, now) = (change.member, change.incarnation);
            let before = self.ledger.enter(moment.now, at, change).map(|held| held.incarnation);
            if let Some(before) = before.filter(|&before| now < before) {
                self.found.add(moment.now, (at, of), || {
                    format!("held incarnation {before:#x}, now {now:#x}")
                });
            }
            self.is_owners(moment, (at, of), now, "holds");
        }
        for rumor in io.sent.iter().flat_map(|sent| letters::rumors(&sent.packet)) {
            self.is_owners(moment, (at, rumor.member), rumor.incarnation, "says");
        }
        self.ledger.complete(moment, at, node);
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        if !moment.truth.is_running(node) {
            self.ledger.forget(node);
        }
    }
}

impl<N: Observed> Invariant<N> for OwnIncarnation {
    fn name(&self) -> &'static str {
        "own incarnation"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}
