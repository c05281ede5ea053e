//! One node with a clock of its own.

use std::hash::{DefaultHasher, Hash, Hasher};

use swim_core::{Incarnation, MemberIdx, MemberState, Time};
use swim_sim::invariants::Observed;
use swim_sim::node::{Io, Node, Via};
use swim_sim::nodes::swim::{Letter, Setup, SwimNode};

use crate::facts::Facts;
use crate::mistake::Mistake;

/// All nodes draw alike at first.
const SEED: u64 = 1;

/// A node, how far its clock got, and what it held dead.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The node.
    pub node: SwimNode,
    /// Who it is.
    pub me: MemberIdx,
    /// Its clock, which nobody else's has anything to do with.
    pub now: Time,
    /// The highest incarnation at which it held each member dead.
    tombs: Vec<Option<Incarnation>>,
    /// A hash of what decides what it does next.
    print: u64,
}

impl Machine {
    /// One that has known all of `members` for long.
    pub fn new(setup: &Setup, me: u32, members: u32) -> Self {
        let (me, now) = (MemberIdx(me), Time::ZERO);
        let mut node = SwimNode::new(setup, me, 0, SEED);
        let all: Vec<_> = (0..members).map(|member| (MemberIdx(member), 0)).collect();
        node.preload(now, &all, &mut Io::new());
        let mut machine = Self { node, me, now, tombs: vec![None; all.len()], print: 0 };
        machine.print();
        machine
    }

    /// When its clock shows this, something is to be done.
    pub fn due(&self) -> Option<Time> {
        self.node.next_timeout()
    }

    /// Its clock goes on to what is due; `seed` decides what it draws.
    pub fn wake(&mut self, seed: u64, mistake: Mistake, facts: &mut Facts) -> Io<Letter> {
        self.now = self.due().map_or(self.now, |due| due.max(self.now));
        self.node.reseed(seed);
        let mut io = Io::new();
        self.node.handle_timeout(self.now, &mut io);
        mistake.acted(self, &mut io);
        self.judge(mistake, facts);
        io
    }

    /// A packet arrives.
    pub fn hear(
        &mut self,
        (from, via): (MemberIdx, Via),
        letter: &Letter,
        mistake: Mistake,
        facts: &mut Facts,
    ) -> Io<Letter> {
        self.node.reseed(SEED);
        let (mut io, mut heard) = (Io::new(), letter.clone());
        mistake.heard(self, &mut heard);
        self.node.handle_packet(self.now, from, via, &mut heard, &mut io);
        facts.heard(self, letter);
        self.judge(mistake, facts);
        io
    }

    /// What it holds of a member.
    pub fn held(&self, member: MemberIdx) -> Option<(MemberState, Incarnation)> {
        self.node.state(member).zip(self.node.incarnation_of(member))
    }

    /// A hash of what decides what it does next.
    pub fn fingerprint(&self) -> u64 {
        self.print
    }

    fn judge(&mut self, mistake: Mistake, facts: &mut Facts) {
        for (member, tomb) in (0..).map(MemberIdx).zip(&mut self.tombs) {
            let held = self.node.state(member).zip(self.node.incarnation_of(member));
            let Some((state, incarnation)) = held else { continue };
            let incarnation = mistake.held(incarnation);
            if state.is_live() {
                facts.resurrected |= tomb.is_some_and(|tomb| incarnation <= tomb);
            } else {
                *tomb = (*tomb).max(Some(incarnation));
            }
        }
    }

    /// Takes the hash anew after something happened.
    pub(crate) fn print(&mut self) {
        let mut hasher = DefaultHasher::new();
        self.node.engine().fingerprint(self.now, &mut hasher);
        (self.now, &self.tombs).hash(&mut hasher);
        self.print = hasher.finish();
    }
}
