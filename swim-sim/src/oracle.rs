//! Who was declared dead, by whom, and whether that was so.

use swim_core::{MemberIdx, MemberState, Time};

use crate::node::{Io, Node};
use crate::world::{Condition, Moment, Watch};

/// A node declared a member dead.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    /// When.
    pub now: Time,
    /// Who did.
    pub at: MemberIdx,
    /// Whom.
    pub of: MemberIdx,
    /// How the declarer was.
    pub observer: Condition,
    /// How the declared was.
    pub subject: Condition,
}

impl Death {
    /// Whether the declared was running and nothing held it up.
    pub fn is_false(&self) -> bool {
        self.subject == Condition::Up
    }
}

/// Keeps the books of a run.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Every death declared.
    pub deaths: Vec<Death>,
    /// Times that a live member became Suspect somewhere.
    pub suspicions: u64,
    /// Members whose deaths are not kept, because they are known to be held up now and then.
    anomalous: Vec<bool>,
}

impl Oracle {
    /// Forgets what was so far.
    pub fn clear(&mut self) {
        self.deaths.clear();
        self.suspicions = 0;
    }

    /// Says who is part of an anomaly, even while it is not held up.
    pub fn set_anomalous(&mut self, nodes: &[MemberIdx]) {
        self.anomalous.clear();
        for node in nodes {
            let at = node.0 as usize;
            if self.anomalous.len() <= at {
                self.anomalous.resize(at + 1, false);
            }
            self.anomalous[at] = true;
        }
    }

    /// Whether a node was named in an anomaly.
    pub fn is_anomalous(&self, node: MemberIdx) -> bool {
        self.anomalous.get(node.0 as usize).copied().unwrap_or(false)
    }

    /// Deaths of members that were up and no part of an anomaly.
    pub fn false_deaths(&self) -> impl Iterator<Item = &Death> {
        self.deaths.iter().filter(|death| death.is_false() && !self.is_anomalous(death.of))
    }

    /// Those of them that were declared by nodes which were no part of an anomaly either.
    pub fn false_deaths_by_healthy(&self) -> impl Iterator<Item = &Death> {
        self.false_deaths().filter(|death| !self.is_anomalous(death.at))
    }

    /// When a member was first declared dead, and by how many by then and later.
    pub fn first_death_of(&self, of: MemberIdx) -> Option<Time> {
        self.deaths.iter().find(|death| death.of == of).map(|death| death.now)
    }
}

impl<N: Node> Watch<N> for Oracle {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, _: &N, io: &Io<N::Packet>) {
        for change in &io.changes {
            match change.new {
                Some(MemberState::Suspect) => self.suspicions += 1,
                Some(MemberState::Dead) if change.old != Some(MemberState::Dead) => {
                    let of = change.member;
                    let observer = moment.truth.of(at).condition;
                    let subject = moment.truth.of(of).condition;
                    self.deaths.push(Death { now: moment.now, at, of, observer, subject });
                }
                _ => {}
            }
        }
    }
}
