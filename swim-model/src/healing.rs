//! What becomes of a cluster when nothing befalls it any more: no packet is lost, each takes a
//! millisecond, and all clocks go alike. One run, not a search: whatever was before, this must heal.

use std::collections::VecDeque;
use std::time::Duration;

use swim_core::{MemberIdx, MemberState, Time};
use swim_sim::node::{Io, Node};
use swim_sim::nodes::swim::Letter;

use crate::cluster::{Cluster, Flight};
use crate::facts::Facts;
use crate::machine::Machine;
use crate::mistake::Mistake;

/// What is still wrong after all that time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Healed {
    /// Somebody does not hold a live member Alive.
    pub accused: bool,
    /// Somebody holds the crashed member live.
    pub undetected: bool,
    /// Views differ.
    pub differ: bool,
    /// Packets brought about so many others that they were no longer followed.
    pub storm: bool,
    /// What was seen on the way.
    pub facts: Facts,
}

impl Healed {
    /// Whether all is well.
    pub fn is_well(&self) -> bool {
        !(self.accused || self.undetected || self.differ || self.storm)
    }
}

/// Packets that a small cluster never needs to heal, in two minutes or ever.
const STORM: u32 = 20_000;
const LATENCY: Duration = Duration::from_millis(1);
/// How often it is looked whether all is well; it must be twice in a row.
const LOOK: Duration = Duration::from_secs(1);

/// Goes on for at most `patience` and says what is still wrong then.
pub fn heal(cluster: &Cluster, patience: Duration, mistake: Mistake) -> Healed {
    let mut run = Run::new(cluster, mistake);
    let (mut look, mut well) = (Time::ZERO, false);
    while look < Time::ZERO + patience && run.arrived < STORM {
        look += LOOK;
        run.until(look);
        let now = run.judge();
        if now.is_well() && well {
            return now;
        }
        well = now.is_well();
    }
    run.judge()
}

/// A run in common time from the cluster's last moment.
struct Run {
    nodes: Vec<(Machine, Time)>,
    /// When each packet arrives; all take equally long.
    under_way: VecDeque<(Time, Flight)>,
    crashed: Option<MemberIdx>,
    /// Packets that arrived so far.
    arrived: u32,
    facts: Facts,
    mistake: Mistake,
}

impl Run {
    fn new(cluster: &Cluster, mistake: Mistake) -> Self {
        let first = Time::ZERO + LATENCY;
        Self {
            nodes: cluster.up().map(|machine| (machine.clone(), machine.now)).collect(),
            under_way: cluster.flights().map(|flight| (first, Flight::clone(flight))).collect(),
            crashed: cluster.crashed(),
            arrived: 0,
            facts: cluster.facts,
            mistake,
        }
    }

    /// When each node is to do something, in common time.
    fn next_wake(&self) -> Option<(Time, usize)> {
        let due = |(at, (machine, base)): (usize, &(Machine, Time))| {
            Some((Time::ZERO + machine.due()?.since(*base), at))
        };
        self.nodes.iter().enumerate().filter_map(due).min()
    }

    fn until(&mut self, end: Time) {
        while self.arrived < STORM {
            let arrival = self.under_way.front().map(|(at, _)| *at);
            let wake = self.next_wake();
            match (arrival, wake) {
                (Some(at), _) if at <= end && wake.is_none_or(|(wake, _)| at <= wake) => {
                    self.deliver(at);
                }
                (_, Some((at, node))) if at <= end => self.wake(at, node),
                _ => return,
            }
        }
    }

    fn wake(&mut self, at: Time, node: usize) {
        let (machine, _) = &mut self.nodes[node];
        let from = machine.me;
        // Draws differ from call to call, as they would.
        let io = machine.wake(at.0, self.mistake, &mut self.facts);
        self.send(at, from, io);
    }

    fn deliver(&mut self, at: Time) {
        let Some((_, flight)) = self.under_way.pop_front() else { return };
        self.arrived += 1;
        let to = self.nodes.iter_mut().find(|(machine, _)| machine.me == flight.to);
        let Some((machine, base)) = to else { return };
        machine.now = machine.now.max(*base + at.since(Time::ZERO));
        let source = (flight.from, flight.via);
        let io = machine.hear(source, &flight.letter, self.mistake, &mut self.facts);
        self.send(at, flight.to, io);
    }

    fn send(&mut self, at: Time, from: MemberIdx, io: Io<Letter>) {
        for sent in io.sent {
            let flight = Flight { from, to: sent.to, via: sent.via, letter: sent.packet };
            self.under_way.push_back((at + LATENCY, flight));
        }
    }

    fn judge(&self) -> Healed {
        let storm = self.arrived >= STORM;
        let mut healed = Healed { storm, facts: self.facts, ..Healed::default() };
        for (machine, _) in &self.nodes {
            for (about, _) in &self.nodes {
                healed.accused |= machine.node.state(about.me) != Some(MemberState::Alive);
            }
            let gone = self.crashed.and_then(|gone| machine.node.state(gone));
            healed.undetected |= gone.is_some_and(MemberState::is_live);
            healed.differ |= machine.node.view_hash() != self.nodes[0].0.node.view_hash();
        }
        healed
    }
}
