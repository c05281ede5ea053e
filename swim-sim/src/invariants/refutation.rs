//! Refutation raises the incarnation (SWIM, section 4.2; docs/protocol.md, Records).
//!
//! A node that hears itself called Suspect, Dead or Left at its incarnation or above answers at
//! once: with Alive, to who said so, at an incarnation above its former and the accusation's. One
//! that has left does not.

use swim_core::{Incarnation, MemberIdx, MemberState};

use super::ledger::PerNode;
use super::{Invariant, Observed, Violations, letters};
use crate::node::Io;
use crate::nodes::swim::Letter;
use crate::world::{Arrival, Moment, Watch};

/// What a node was just told of itself.
#[derive(Debug, Clone, Copy)]
struct Accusation {
    by: MemberIdx,
    state: MemberState,
    incarnation: Incarnation,
}

/// Accusations from here on are no honest ones and cannot be outbid (docs/protocol.md, Records).
const PLAUSIBLE: Incarnation = u64::MAX - (1 << 33) + 1;

/// See the module.
#[derive(Debug, Default)]
pub struct Refutation {
    own: PerNode<Option<Incarnation>>,
    accused: Option<Accusation>,
    found: Violations,
}

impl Refutation {
    fn judge(
        &mut self,
        moment: Moment<'_>,
        at: MemberIdx,
        accused: Accusation,
        now: Option<Incarnation>,
        io: &Io<Letter>,
    ) {
        let Accusation { by, state, incarnation } = accused;
        let said = |rumor: &&swim_core::Rumor| rumor.member == at;
        let answer = io
            .sent
            .iter()
            .filter(|sent| sent.to == by)
            .flat_map(|sent| letters::rumors(&sent.packet).filter(said))
            .filter(|rumor| rumor.state == MemberState::Alive)
            .map(|rumor| rumor.incarnation)
            .max();
        if answer.is_none_or(|answer| answer <= incarnation) || now <= Some(incarnation) {
            self.found.add(moment.now, (at, at), || {
                let by = by.0;
                let (answer, now) = (shown(answer), shown(now));
                format!("called {state} at {incarnation:#x} by {by}, answers {answer}, is at {now}")
            });
        }
    }
}

fn shown(incarnation: Option<Incarnation>) -> String {
    incarnation.map_or_else(|| "nothing".to_owned(), |incarnation| format!("{incarnation:#x}"))
}

impl<N: Observed> Watch<N> for Refutation {
    fn arrived(&mut self, _: Moment<'_>, arrival: Arrival<'_, Letter>) {
        let own = *self.own.of(arrival.at);
        self.accused = letters::rumors(arrival.packet)
            .filter(|rumor| rumor.member == arrival.at && rumor.state != MemberState::Alive)
            .filter(|rumor| Some(rumor.incarnation) >= own && rumor.incarnation < PLAUSIBLE)
            .max_by_key(|rumor| rumor.incarnation)
            .filter(|_| own.is_some())
            .map(|rumor| {
                let (state, incarnation) = (rumor.state, rumor.incarnation);
                Accusation { by: arrival.from, state, incarnation }
            });
    }

    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<Letter>) {
        let own = node.incarnation_of(at);
        if let Some(accused) = self.accused.take().filter(|_| !moment.truth.of(at).left) {
            self.judge(moment, at, accused, own, io);
        }
        *self.own.of(at) = own;
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        if !moment.truth.is_running(node) {
            self.own.reset(node);
        }
    }
}

impl<N: Observed> Invariant<N> for Refutation {
    fn name(&self) -> &'static str {
        "refutation"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}
