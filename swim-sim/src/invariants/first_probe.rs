//! Time-bounded completeness: under round robin every live member is pinged by each observer at
//! least every 2n - 1 protocol periods (SWIM, section 4.3).
//!
//! Periods are counted by what shows them: the node begins, of its own accord, a probe of a member
//! that it holds Alive. Local health stretches periods and not their number. No period are pings
//! that come of a packet, those that repeat the ping of an open probe, and those of a suspect,
//! because they may verify the suspicion. So fewer periods are counted than there were, and never
//! more. Any ping counts for the one pinged.
//!
//! Judged while the observer's view of who is live stands still: a newcomer lengthens a pass.

use std::collections::BTreeMap;

use swim_core::{MemberIdx, MemberState};

use super::ledger::PerNode;
use super::probes::Probes;
use super::{Invariant, Violations, letters};
use crate::node::{Io, Node, Via};
use crate::nodes::swim::Letter;
use crate::world::{Arrival, Moment, Watch};

/// What one observer did since its view last changed.
#[derive(Debug, Default)]
struct Rounds {
    periods: usize,
    /// The period in which each live member was last pinged.
    pinged: BTreeMap<MemberIdx, usize>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct FirstProbe {
    rounds: PerNode<Rounds>,
    probes: Probes,
    hears: bool,
    found: Violations,
}

impl FirstProbe {
    fn count<N: Node>(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, begun: usize) {
        let rounds = self.rounds.of(at);
        rounds.periods += begun;
        let most = (2 * node.live_count()).saturating_sub(1);
        for (&of, last) in &mut rounds.pinged {
            let waited = rounds.periods - *last;
            if waited > most {
                *last = rounds.periods;
                self.found.add(moment.now, (at, of), || {
                    format!("not pinged for {waited} periods, at most {most} of them allowed")
                });
            }
        }
    }

    fn begin<N: Node>(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N) {
        let live = |&member: &MemberIdx| node.state(member).is_some_and(MemberState::is_live);
        let others = moment.truth.iter().map(|(member, _)| member).filter(|&member| member != at);
        let pinged = others.filter(live).map(|member| (member, 0)).collect();
        *self.rounds.of(at) = Rounds { periods: 0, pinged };
    }
}

/// Whether the node's view of who is live has changed.
fn is_moved<N: Node>(rounds: &Rounds, node: &N, io: &Io<Letter>) -> bool {
    let live = |state: Option<MemberState>| state.is_some_and(MemberState::is_live);
    let changed = io.changes.iter().any(|change| live(change.old) != live(change.new));
    // Whom it was given as known shows in no change.
    changed || rounds.pinged.len() + 1 != node.live_count()
}

impl<N: Node<Packet = Letter>> Watch<N> for FirstProbe {
    fn arrived(&mut self, _: Moment<'_>, arrival: Arrival<'_, Letter>) {
        self.hears = true;
        self.probes.arrived(arrival);
    }

    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<Letter>) {
        let own = !std::mem::take(&mut self.hears);
        let mut begun = 0;
        self.probes.called(moment.now, at, io, |of| {
            begun += usize::from(own && node.state(of) == Some(MemberState::Alive));
        });
        if is_moved(self.rounds.of(at), node, io) {
            return self.begin(moment, at, node);
        }
        let pings = io.sent.iter().filter(|sent| letters::is_ping(sent));
        for sent in pings.filter(|sent| sent.via == Via::Datagram) {
            let rounds = self.rounds.of(at);
            // A relay also pings those that it holds dead.
            if let Some(last) = rounds.pinged.get_mut(&sent.to) {
                *last = rounds.periods + begun;
            }
        }
        if begun > 0 {
            self.count(moment, at, node, begun);
        }
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        self.rounds.reset(node);
        if !moment.truth.is_running(node) {
            self.probes.forget(node);
        }
    }
}

impl<N: Node<Packet = Letter>> Invariant<N> for FirstProbe {
    fn name(&self) -> &'static str {
        "first probe"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}
