//! The state of a search: nodes, what is under way, and what may still befall them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use swim_core::{MemberIdx, Time};
use swim_sim::node::{Io, Via};
use swim_sim::nodes::swim::Letter;

use crate::facts::Facts;
use crate::healing::Healed;
use crate::machine::Machine;
use crate::mistake::Mistake;
use crate::scenario::{Budget, Scenario};

/// A packet under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Flight {
    /// Who sent it.
    pub from: MemberIdx,
    /// To whom.
    pub to: MemberIdx,
    /// How.
    pub via: Via,
    /// What it says.
    pub letter: Letter,
}

/// What the checker may have happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A node does what it is to do next, drawing from this seed.
    Wake(u32, u64),
    /// The packet at this place among those under way arrives.
    Deliver(usize),
    /// It arrives, and will once more.
    Duplicate(usize),
    /// It is lost.
    Lose(usize),
    /// A node stops for ever.
    Crash(u32),
}

/// A cluster in a moment. Nodes that did nothing are shared with the moment before.
#[derive(Debug, Clone)]
pub struct Cluster {
    nodes: Vec<Arc<Machine>>,
    /// In an order that does not depend on when they were sent.
    flights: Vec<(u64, Arc<Flight>)>,
    crashed: Option<MemberIdx>,
    pub(crate) left: Budget,
    /// What was seen so far.
    pub facts: Facts,
    /// What became of it afterwards, where the checker has no choice left.
    pub end: Option<Healed>,
}

impl Hash for Cluster {
    fn hash<H: Hasher>(&self, to: &mut H) {
        self.nodes.iter().for_each(|machine| machine.fingerprint().hash(to));
        self.flights.iter().for_each(|(print, _)| print.hash(to));
        (self.crashed, self.left, self.facts).hash(to);
    }
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        let prints = |cluster: &Self| -> Vec<u64> {
            cluster.nodes.iter().map(|machine| machine.fingerprint()).collect()
        };
        let flights = |cluster: &Self| -> Vec<u64> {
            cluster.flights.iter().map(|(print, _)| *print).collect()
        };
        let rest = |cluster: &Self| (cluster.crashed, cluster.left, cluster.facts);
        (prints(self), flights(self), rest(self)) == (prints(other), flights(other), rest(other))
    }
}

impl Cluster {
    /// All know one another, and nothing is under way.
    pub fn new(scenario: &Scenario) -> Self {
        let setup = scenario.setup();
        let machine = |me| Arc::new(Machine::new(&setup, me, scenario.members));
        Self {
            nodes: (0..scenario.members).map(machine).collect(),
            flights: Vec::new(),
            crashed: None,
            left: scenario.budget,
            facts: Facts::default(),
            end: None,
        }
    }

    /// All nodes.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.nodes.iter().map(AsRef::as_ref)
    }

    /// Those that did not crash.
    pub fn up(&self) -> impl Iterator<Item = &Machine> {
        self.machines().filter(|machine| self.is_up(machine.me))
    }

    /// Whether it did not crash.
    pub fn is_up(&self, member: MemberIdx) -> bool {
        self.crashed != Some(member)
    }

    /// Who crashed.
    pub fn crashed(&self) -> Option<MemberIdx> {
        self.crashed
    }

    /// What is under way.
    pub fn flights(&self) -> impl ExactSizeIterator<Item = &Arc<Flight>> {
        self.flights.iter().map(|(_, flight)| flight)
    }

    /// Whether a node that does not sleep has something to do before its horizon.
    pub(crate) fn may_wake(&self, machine: &Machine, horizon: Time) -> bool {
        self.is_up(machine.me) && machine.due().is_some_and(|due| due <= horizon)
    }

    /// Does what was chosen.
    pub(crate) fn act(&mut self, action: Action, mistake: Mistake) {
        match action {
            Action::Wake(node, seed) => {
                let (machine, facts) = self.node(node);
                let io = machine.wake(seed, mistake, facts);
                machine.print();
                self.send(MemberIdx(node), io);
            }
            Action::Deliver(at) => {
                let flight = self.flights.remove(at).1;
                self.deliver(&flight, mistake);
            }
            Action::Duplicate(at) => {
                self.left.duplicates -= 1;
                let flight = self.flights[at].1.clone();
                self.deliver(&flight, mistake);
            }
            Action::Lose(at) => {
                self.left.losses -= 1;
                self.flights.remove(at);
            }
            Action::Crash(node) => {
                self.left.crashes -= 1;
                self.crashed = Some(MemberIdx(node));
                self.flights.retain(|(_, flight)| flight.to != MemberIdx(node));
            }
        }
        let mut facts = self.facts;
        facts.look(self);
        self.facts = facts;
    }

    fn node(&mut self, node: u32) -> (&mut Machine, &mut Facts) {
        (Arc::make_mut(&mut self.nodes[node as usize]), &mut self.facts)
    }

    fn deliver(&mut self, flight: &Flight, mistake: Mistake) {
        let (machine, facts) = self.node(flight.to.0);
        let io = machine.hear((flight.from, flight.via), &flight.letter, mistake, facts);
        machine.print();
        self.send(flight.to, io);
    }

    fn send(&mut self, from: MemberIdx, io: Io<Letter>) {
        for sent in io.sent {
            if !self.is_up(sent.to) {
                continue;
            }
            let flight = Flight { from, to: sent.to, via: sent.via, letter: sent.packet };
            let mut hasher = DefaultHasher::new();
            flight.hash(&mut hasher);
            let print = hasher.finish();
            let at = self.flights.partition_point(|(other, _)| *other < print);
            self.flights.insert(at, (print, Arc::new(flight)));
        }
    }
}
