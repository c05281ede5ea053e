//! What must hold of every run, whatever befalls it: one file per invariant, each with its source.
//!
//! An invariant is a [`Watch`]: it sees what nodes are told, what they send, and how their views
//! change, compares it with the truth, and keeps what it finds. None knows how the engine works
//! inside. [`Guard`] is all of them as one watch:
//!
//! ```
//! use std::time::Duration;
//! use swim_sim::invariants::{Guard, Limits, Within};
//! use swim_sim::network::Network;
//! use swim_sim::nodes::swim::{Setup, SwimNode};
//! use swim_sim::world::World;
//!
//! let setup = Setup::product();
//! let within =
//!     Within { complete: Duration::from_secs(60), converged: Duration::from_secs(60) };
//! let guard = Guard::new(&Limits::of(&setup.options), within);
//! let make = move |member, boot, seed| SwimNode::new(&setup, member, boot, seed);
//! let mut world = World::new(7, Network::default(), make, guard);
//! world.add_converged(8);
//! world.run_for(Duration::from_secs(5));
//! let guard = Guard::finish(&mut world);
//! assert!(guard.holds(), "{guard}");
//! ```
//!
//! They keep something for every pair of nodes: meant for clusters of up to about a thousand.

mod completeness;
mod convergence;
mod fanout;
mod first_probe;
mod incarnation;
mod indirect_probe;
mod ledger;
mod letters;
mod limits;
mod piggyback;
mod probes;
mod queue;
mod refutation;
mod refuted_suspicion;
mod resurrection;
mod retransmission;
mod straight_to_dead;
mod violation;

use std::fmt;

use swim_core::{Accusers, Incarnation, MemberIdx, Time};

pub use completeness::Completeness;
pub use convergence::Convergence;
pub use fanout::Fanout;
pub use first_probe::FirstProbe;
pub use incarnation::OwnIncarnation;
pub use indirect_probe::IndirectProbe;
pub use limits::{Limits, Within};
pub use piggyback::Piggyback;
pub use queue::Queue;
pub use refutation::Refutation;
pub use refuted_suspicion::RefutedSuspicion;
pub use resurrection::Resurrection;
pub use retransmission::Retransmission;
pub use straight_to_dead::StraightToDead;
pub use violation::{Violation, Violations};

use crate::node::{Io, Node};
use crate::nodes::swim::{Letter, SwimNode};
use crate::world::{Arrival, Moment, Truth, Watch, World};

/// A node that speaks our engine's language, and whose records have incarnations.
pub trait Observed: Node<Packet = Letter> {
    /// The incarnation that [`state`](Node::state) is about.
    fn incarnation_of(&self, member: MemberIdx) -> Option<Incarnation>;

    /// Who accuses a suspect, as far as the node knows.
    fn accusers(&self, member: MemberIdx) -> Accusers;
}

impl Observed for SwimNode {
    fn incarnation_of(&self, member: MemberIdx) -> Option<Incarnation> {
        self.engine().incarnation_of(member)
    }

    fn accusers(&self, member: MemberIdx) -> Accusers {
        self.engine().accusers(member)
    }
}

/// How things stand at the end of a run.
#[derive(Debug)]
pub struct Last<'a, N> {
    /// True time.
    pub now: Time,
    /// The truth.
    pub truth: &'a Truth,
    /// The nodes that run.
    pub nodes: &'a [(MemberIdx, &'a N)],
}

/// What must hold of every run.
pub trait Invariant<N: Node>: Watch<N> {
    /// What reports call it.
    fn name(&self) -> &'static str;

    /// What it found so far.
    fn violations(&self) -> &Violations;

    /// From `now` on nothing is lost and nothing befalls nodes or network.
    fn quiet_from(&mut self, now: Time) {
        let _ = now;
    }

    /// Judges what can only be judged at the end.
    fn finish(&mut self, last: &Last<'_, N>) {
        let _ = last;
    }
}

/// All invariants as one watch. The default has none.
pub struct Guard<N> {
    invariants: Vec<Box<dyn Invariant<N>>>,
}

impl<N> Default for Guard<N> {
    fn default() -> Self {
        Self { invariants: Vec::new() }
    }
}

impl<N: Observed> Guard<N> {
    /// Holds nodes to `limits` and `within`.
    pub fn new(limits: &Limits, within: Within) -> Self {
        Self {
            invariants: vec![
                Box::new(Completeness::new(within.complete)),
                Box::new(FirstProbe::default()),
                Box::new(Resurrection::default()),
                Box::new(OwnIncarnation::default()),
                Box::new(RefutedSuspicion::new(limits.least_suspicion)),
                Box::new(IndirectProbe::new(limits.indirect_wait)),
                Box::new(StraightToDead::default()),
                Box::new(Fanout::new(limits.fanout)),
                Box::new(Piggyback::new(limits.max_piggyback, limits.datagram_budget)),
                Box::new(Retransmission::new(limits.retransmit_mult, limits.fanout)),
                Box::new(Queue::new(limits.queue)),
                Box::new(Refutation::default()),
                Box::new(Convergence::new(within.converged)),
            ],
        }
    }
}

impl<N: Node> Guard<N> {
    /// One more invariant.
    pub fn add(&mut self, invariant: impl Invariant<N> + 'static) {
        self.invariants.push(Box::new(invariant));
    }

    /// From `now` on nothing is lost and nothing befalls nodes or network.
    pub fn quiet_from(&mut self, now: Time) {
        self.invariants.iter_mut().for_each(|invariant| invariant.quiet_from(now));
    }

    /// Ends a run: takes the guard out of its world, which nobody watches from now on, and judges
    /// what can only be judged at the end.
    pub fn finish(world: &mut World<N, Self>) -> Self {
        let mut guard = std::mem::take(&mut world.watch);
        let nodes: Vec<(MemberIdx, &N)> = world.running().collect();
        let last = Last { now: world.now(), truth: world.truth(), nodes: &nodes };
        guard.invariants.iter_mut().for_each(|invariant| invariant.finish(&last));
        guard
    }

    /// Each invariant's name with what it found.
    pub fn findings(&self) -> impl Iterator<Item = (&'static str, &Violations)> {
        self.invariants.iter().map(|invariant| (invariant.name(), invariant.violations()))
    }

    /// How often the invariant of this name was broken; `None` if there is no such one.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.findings().find(|(named, _)| *named == name).map(|(_, found)| found.count())
    }

    /// Whether nothing was broken.
    pub fn holds(&self) -> bool {
        self.findings().all(|(_, found)| found.count() == 0)
    }
}

impl<N: Node> Watch<N> for Guard<N> {
    fn arrived(&mut self, moment: Moment<'_>, arrival: Arrival<'_, N::Packet>) {
        for invariant in &mut self.invariants {
            invariant.arrived(moment, arrival);
        }
    }

    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<N::Packet>) {
        for invariant in &mut self.invariants {
            invariant.called(moment, at, node, io);
        }
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        for invariant in &mut self.invariants {
            invariant.befell(moment, node);
        }
    }
}

/// Most violations of one invariant that a report shows.
const SHOWN: usize = 5;

impl<N: Node> fmt::Display for Guard<N> {
    /// Each invariant that was broken: how often, and the first times.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.holds() {
            return write!(f, "{} invariants hold", self.invariants.len());
        }
        for (name, found) in self.findings().filter(|(_, found)| found.count() > 0) {
            writeln!(f, "{name}: broken {} times", found.count())?;
            for violation in found.first().iter().take(SHOWN) {
                writeln!(f, "  {violation}")?;
            }
        }
        Ok(())
    }
}

impl<N: Node> fmt::Debug for Guard<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({self})")
    }
}
