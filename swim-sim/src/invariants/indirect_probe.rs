//! Nobody is suspected before others tried to reach it (SWIM, section 3.1; docs/protocol.md,
//! Failure detector).
//!
//! A member that turns Suspect because its probe failed was, in that same probe, asked for through
//! relays or pinged by stream, and these had their time. Only a node that knows nobody else
//! Alive may do without.

use std::time::Duration;

use swim_core::{MemberIdx, MemberState, Reason};

use super::ledger::PerNode;
use super::probes::Probes;
use super::{Invariant, Violations};
use crate::node::{Io, Node};
use crate::nodes::swim::Letter;
use crate::world::{Arrival, Condition, Moment, Watch};

/// See the module.
#[derive(Debug)]
pub struct IndirectProbe {
    wait: Duration,
    probes: Probes,
    /// Nodes that are or were just blocked: their loops find probes failed whose answers nobody
    /// waited for (Lifeguard, section 5.1).
    blocked: PerNode<bool>,
    found: Violations,
}

impl IndirectProbe {
    /// Relays and streams must have had `wait` before a probe fails.
    pub fn new(wait: Duration) -> Self {
        let (probes, blocked) = (Probes::default(), PerNode::default());
        Self { wait, probes, blocked, found: Violations::default() }
    }

    fn failed<N: Node>(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, of: MemberIdx) {
        let asked = self.probes.get(at, of).and_then(|probe| probe.asked);
        let alone = || {
            let alive = |member| node.state(member) == Some(MemberState::Alive);
            let mut others = moment.truth.iter().map(|(m, _)| m).filter(|&m| m != at && m != of);
            others.all(|member| !alive(member))
        };
        match asked.map(|asked| moment.now.since(asked)) {
            None if !alone() => self
                .found
                .add(moment.now, (at, of), || "suspected though nobody else was asked".to_owned()),
            Some(waited) if waited < self.wait => {
                let wait = self.wait;
                self.found.add(moment.now, (at, of), || {
                    format!("suspected {waited:?} after others were asked, {wait:?} are theirs")
                });
            }
            _ => {}
        }
    }
}

impl<N: Node<Packet = Letter>> Watch<N> for IndirectProbe {
    fn arrived(&mut self, _: Moment<'_>, arrival: Arrival<'_, Letter>) {
        self.probes.arrived(arrival);
    }

    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<Letter>) {
        let blocked = self.blocked.of(at);
        let excused = *blocked;
        *blocked &= moment.truth.of(at).condition != Condition::Up;
        // First what failed: what is sent in this call may belong to the next probe.
        for change in &io.changes {
            let suspect = change.new == Some(MemberState::Suspect);
            if suspect && change.cause.reason == Reason::ProbeFailed {
                if !excused {
                    self.failed(moment, at, node, change.member);
                }
                self.probes.close(at, change.member);
            }
        }
        self.probes.called(moment.now, at, io, |_| {});
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        match moment.truth.of(node).condition {
            Condition::Blocked => *self.blocked.of(node) = true,
            Condition::Down => {
                self.blocked.reset(node);
                self.probes.forget(node);
            }
            _ => {}
        }
    }
}

impl<N: Node<Packet = Letter>> Invariant<N> for IndirectProbe {
    fn name(&self) -> &'static str {
        "indirect probe"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}
