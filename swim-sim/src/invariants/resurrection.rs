//! Stale news revives nobody (SWIM, section 4.2; docs/protocol.md, Records, and Leaving and
//! forgetting).
//!
//! A member held Dead or Left at some incarnation turns live there only at a higher one. Once it
//! is forgotten, anything may be heard of it, but a member that is really gone does not come back
//! at an incarnation at which this node has already held it Dead: tombstones outlast stale news.
//! A higher one may: that is what it said before it crashed, and comes late.

use std::collections::BTreeMap;

use swim_core::{Change, Incarnation, MemberIdx, MemberState};

use super::ledger::{Ledger, PerNode, Record};
use super::{Invariant, Observed, Violations};
use crate::node::Io;
use crate::nodes::swim::Letter;
use crate::world::{Moment, Watch};

/// See the module.
#[derive(Debug, Default)]
pub struct Resurrection {
    ledger: Ledger,
    /// The highest incarnation at which each node has held each member Dead or Left.
    buried: PerNode<BTreeMap<MemberIdx, Incarnation>>,
    found: Violations,
}

impl Resurrection {
    fn rises(
        &mut self,
        moment: Moment<'_>,
        at: MemberIdx,
        change: &Change,
        before: Option<Record>,
    ) {
        let &Change { member: of, incarnation, .. } = change;
        let dead = before.filter(|before| !before.state.is_live());
        let gone = !moment.truth.is_running(of);
        let buried = self.buried.of(at).get(&of).filter(|_| gone && before.is_none());
        if let Some(Record { state, incarnation: held, .. }) = dead
            && incarnation <= held
        {
            self.found.add(moment.now, (at, of), || {
                format!("held {state} at {held:#x}, lives again at {incarnation:#x}")
            });
        } else if let Some(&held) = buried.filter(|&&held| incarnation <= held) {
            self.found.add(moment.now, (at, of), || {
                format!("crashed and buried at {held:#x}, lives again at {incarnation:#x}")
            });
        }
    }
}

impl<N: Observed> Watch<N> for Resurrection {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<Letter>) {
        for change in &io.changes {
            let before = self.ledger.enter(moment.now, at, change);
            match change.new {
                Some(MemberState::Dead | MemberState::Left) => {
                    let buried = self.buried.of(at).entry(change.member).or_default();
                    *buried = change.incarnation.max(*buried);
                }
                Some(MemberState::Alive | MemberState::Suspect) if change.member != at => {
                    self.rises(moment, at, change, before);
                }
                _ => {}
            }
        }
        self.ledger.complete(moment, at, node);
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        if !moment.truth.is_running(node) {
            self.ledger.forget(node);
            self.buried.reset(node);
        }
    }
}

impl<N: Observed> Invariant<N> for Resurrection {
    fn name(&self) -> &'static str {
        "no resurrection"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }
}
