//! Nobody goes straight from Alive to Dead by what a node observed itself (SWIM, section 4.2).
//!
//! A failed probe makes a Suspect, and only a Suspect's time expires. A death by hearsay may be
//! sudden, but somebody's suspicion has expired before, at that incarnation or above.

use swim_core::{Change, Incarnation, MemberIdx, MemberState, Reason};

use super::ledger::PerNode;
use super::{Invariant, Violations};
use crate::node::{Io, Node};
use crate::world::{Moment, Watch};

/// See the module.
#[derive(Debug, Default)]
pub struct StraightToDead {
    /// The highest incarnation at which any node's suspicion of each member expired.
    expired: PerNode<Option<Incarnation>>,
    found: Violations,
}

impl StraightToDead {
    fn died(&mut self, moment: Moment<'_>, at: MemberIdx, change: &Change) {
        let &Change { member: of, incarnation, old, .. } = change;
        let reason = change.cause.reason;
        let expired = self.expired.of(of);
        let wrong = match reason {
            Reason::SuspicionExpired => {
                *expired = (*expired).max(Some(incarnation));
                (old != Some(MemberState::Suspect)).then_some("no suspicion came before")
            }
            Reason::ProbeFailed | Reason::FirstHand => Some("no suspicion came before"),
            _ => (*expired < Some(incarnation)).then_some("nobody's suspicion had expired"),
        };
        if let Some(wrong) = wrong {
            self.found.add(moment.now, (at, of), || {
                format!("from {old:?} to Dead by {}: {wrong}", reason.as_str())
            });
        }
    }
}

impl<N: Node> Watch<N> for StraightToDead {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, _: &N, io: &Io<N::Packet>) {
        for change in &io.changes {
            if change.new == Some(MemberState::Dead) {
                self.died(moment, at, change);
            }
        }
    }
}

impl<N: Node> Invariant<N> for StraightToDead {
    fn name(&self) -> &'static str {
        "never straight to dead"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}
