//! A refuted suspicion kills nobody (SWIM, section 4.2; Lifeguard, section 4.2 for its least time).
//!
//! Whoever dies of a suspicion was Suspect at the same incarnation until then, for at least the
//! least time of a suspicion. And once a node has heard Alive at a higher incarnation, from whom
//! and by what way ever, no suspicion at a lower one expires there.

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::{Change, Incarnation, MemberIdx, MemberState, Reason};

use super::ledger::{Ledger, PerNode, Record};
use super::{Invariant, Observed, Violations, letters};
use crate::node::Io;
use crate::nodes::swim::Letter;
use crate::world::{Arrival, Moment, Watch};

/// See the module.
#[derive(Debug)]
pub struct RefutedSuspicion {
    least: Duration,
    ledger: Ledger,
    /// The highest incarnation at which each node has heard that a member it knows is Alive.
    alive: PerNode<BTreeMap<MemberIdx, Incarnation>>,
    /// Alives in the packet that is being handled.
    heard: Vec<(MemberIdx, Incarnation)>,
    found: Violations,
}

impl RefutedSuspicion {
    /// No suspicion may end in death before `least` has passed.
    pub fn new(least: Duration) -> Self {
        Self {
            least,
            ledger: Ledger::default(),
            alive: PerNode::default(),
            heard: Vec::new(),
            found: Violations::default(),
        }
    }

    fn expired(
        &mut self,
        moment: Moment<'_>,
        at: MemberIdx,
        change: &Change,
        before: Option<Record>,
    ) {
        let &Change { member: of, incarnation, .. } = change;
        let alive = self.alive.of(at).get(&of).copied().unwrap_or(0);
        let suspect = before.filter(|before| {
            before.state == MemberState::Suspect && before.incarnation == incarnation
        });
        let lasted = suspect.map(|suspect| moment.now.since(suspect.since));
        if alive > incarnation {
            self.found.add(moment.now, (at, of), || {
                format!("a suspicion at {incarnation:#x} expired, refuted at {alive:#x}")
            });
        } else if lasted.is_none() {
            self.found.add(moment.now, (at, of), || {
                format!("a suspicion at {incarnation:#x} expired where {before:?} was held")
            });
        } else if let Some(lasted) = lasted.filter(|&lasted| lasted < self.least) {
            let least = self.least;
            self.found.add(moment.now, (at, of), || {
                format!("a suspicion expired after {lasted:?}, at least {least:?} was due")
            });
        }
    }
}

impl<N: Observed> Watch<N> for RefutedSuspicion {
    fn arrived(&mut self, _: Moment<'_>, arrival: Arrival<'_, Letter>) {
        let alive = letters::rumors(arrival.packet)
            .filter(|rumor| rumor.state == MemberState::Alive && rumor.member != arrival.at);
        self.heard.extend(alive.map(|rumor| (rumor.member, rumor.incarnation)));
    }

    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<Letter>) {
        for (of, incarnation) in self.heard.drain(..) {
            if node.state(of).is_some() {
                let alive = self.alive.of(at).entry(of).or_default();
                *alive = incarnation.max(*alive);
            }
        }
        for change in &io.changes {
            let before = self.ledger.enter(moment.now, at, change);
            if change.cause.reason == Reason::SuspicionExpired {
                self.expired(moment, at, change, before);
            }
            if change.new.is_none() {
                self.alive.of(at).remove(&change.member);
            }
        }
        self.ledger.complete(moment, at, node);
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        if !moment.truth.is_running(node) {
            self.ledger.forget(node);
            self.alive.reset(node);
        }
    }
}

impl<N: Observed> Invariant<N> for RefutedSuspicion {
    fn name(&self) -> &'static str {
        "refuted suspicion"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}
