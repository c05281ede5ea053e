//! Strong completeness: every crashed member is dead, or forgotten, at every healthy node within
//! a bound (SWIM, sections 3 and 4.2).
//!
//! The bound is the caller's: it grows with cluster, loss and partitions. It counts from the
//! crash, from when the observer became healthy, or from the last Alive that the observer took
//! in: what the member said before its crash may come late and is then true as far as anybody
//! knows. That cannot go on for ever, because no such Alive comes at an incarnation the member
//! never had; see [`Resurrection`](super::Resurrection) and
//! [`OwnIncarnation`](super::OwnIncarnation). A first-hand answer is no such news.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use swim_core::{MemberIdx, MemberState, Reason, Time};

use super::ledger::PerNode;
use super::{Invariant, Last, Violations};
use crate::node::{Io, Node};
use crate::world::{Condition, Moment, Watch};

/// See the module.
#[derive(Debug)]
pub struct Completeness {
    within: Duration,
    crashed: BTreeMap<MemberIdx, Time>,
    /// When each node took in the last Alive about each member.
    renewed: PerNode<BTreeMap<MemberIdx, Time>>,
    judged: BTreeSet<(MemberIdx, MemberIdx)>,
    found: Violations,
}

impl Completeness {
    /// Crashed members must be dead everywhere `within` this time.
    pub fn new(within: Duration) -> Self {
        Self {
            within,
            crashed: BTreeMap::new(),
            renewed: PerNode::default(),
            judged: BTreeSet::new(),
            found: Violations::default(),
        }
    }

    fn judge<N: Node>(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N) {
        if self.crashed.is_empty() || !moment.truth.is_healthy(at) {
            return;
        }
        let healthy = moment.truth.of(at).since;
        let renewed = self.renewed.of(at);
        for (&of, &crash) in &self.crashed {
            let since = renewed.get(&of).map_or(healthy, |at| healthy.max(*at)).max(crash);
            let Some(state) = node.state(of).filter(|state| state.is_live()) else { continue };
            if moment.now > since + self.within && self.judged.insert((at, of)) {
                self.found.add(moment.now, (at, of), || {
                    format!("still {state}, crashed at {crash}, without an excuse since {since}")
                });
            }
        }
    }
}

impl<N: Node> Watch<N> for Completeness {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<N::Packet>) {
        for change in &io.changes {
            if change.new == Some(MemberState::Alive) && change.cause.reason != Reason::FirstHand {
                self.renewed.of(at).insert(change.member, moment.now);
            }
        }
        self.judge(moment, at, node);
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        if moment.truth.of(node).condition == Condition::Down {
            self.crashed.insert(node, moment.now);
            self.renewed.reset(node);
        } else {
            self.crashed.remove(&node);
        }
        self.judged.retain(|&(at, of)| at != node && of != node);
    }
}

impl<N: Node> Invariant<N> for Completeness {
    fn name(&self) -> &'static str {
        "completeness"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }

    fn finish(&mut self, last: &Last<'_, N>) {
        let moment = Moment { now: last.now, truth: last.truth };
        for &(at, node) in last.nodes {
            self.judge(moment, at, node);
        }
    }
}
