//! The network between nodes: delay, loss, duplication, reordering, partitions.

mod latency;
mod loss;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use swim_core::{MemberIdx, Time};

pub use latency::Latency;
pub use loss::Bursts;
pub use streams::{Blocked, Streams};
pub(crate) use streams::{answer_overhead, overhead};

use crate::node::Via;
use crate::rng::SimRng;
use loss::Phase;
use streams::Losses;

/// What the network does to packets. All of it can change while a run goes on.
#[derive(Debug, Clone)]
pub struct Network {
    /// One-way delay.
    pub latency: Latency,
    /// Share of packets lost, each for itself, anywhere.
    pub loss: f64,
    /// Bursts of loss at each receiver, besides.
    pub bursts: Option<Bursts>,
    /// Share of datagrams that arrive twice.
    pub duplication: f64,
    /// Share of datagrams that are held up by `reorder_delay` at most.
    pub reordering: f64,
    /// How long a reordered datagram is held up at most.
    pub reorder_delay: Duration,
    /// How streams fare.
    pub streams: Streams,
    /// Where datagrams do not pass and streams do.
    pub blocked: Blocked,
    phases: Vec<Phase>,
    ingress: BTreeMap<u32, f64>,
    egress: BTreeMap<u32, f64>,
    groups: Vec<u16>,
    cuts: BTreeSet<(u32, u32)>,
}

/// What becomes of one packet: the delays after which copies of it arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) first: Option<Duration>,
    pub(crate) again: Option<Duration>,
}

const LOST: Fate = Fate { first: None, again: None };

impl Default for Network {
    /// A data centre: 0.25 to 0.75 ms, nothing lost.
    fn default() -> Self {
        Self::new(Latency::Uniform(Duration::from_micros(250), Duration::from_micros(750)))
    }
}

impl Network {
    /// Nothing is lost, doubled or reordered.
    pub fn new(latency: Latency) -> Self {
        Self {
            latency,
            loss: 0.0,
            bursts: None,
            duplication: 0.0,
            reordering: 0.0,
            reorder_delay: Duration::from_millis(20),
            streams: Streams::Tcp,
            blocked: Blocked::Nowhere,
            phases: Vec::new(),
            ingress: BTreeMap::new(),
            egress: BTreeMap::new(),
            groups: Vec::new(),
            cuts: BTreeSet::new(),
        }
    }

    /// Loses this share of what comes to a node, besides all other loss.
    pub fn set_ingress_loss(&mut self, node: MemberIdx, loss: f64) {
        set(&mut self.ingress, node, loss);
    }

    /// Loses this share of what a node sends.
    pub fn set_egress_loss(&mut self, node: MemberIdx, loss: f64) {
        set(&mut self.egress, node, loss);
    }

    /// Nothing gets from `from` to `to`.
    pub fn cut(&mut self, from: MemberIdx, to: MemberIdx) {
        self.cuts.insert((from.0, to.0));
    }

    /// Nodes reach only those of their own group; `group[i]` is node `i`'s, missing ones are in 0.
    pub fn split(&mut self, groups: Vec<u16>) {
        self.groups = groups;
    }

    /// Ends all partitions and cuts.
    pub fn heal(&mut self) {
        self.groups.clear();
        self.cuts.clear();
    }

    fn parted(&self, from: MemberIdx, to: MemberIdx) -> bool {
        let group = |node: MemberIdx| self.groups.get(node.0 as usize).copied().unwrap_or(0);
        (!self.groups.is_empty() && group(from) != group(to))
            || (!self.cuts.is_empty() && self.cuts.contains(&(from.0, to.0)))
    }

    /// The chance that a packet from one to the other is lost now.
    fn loss_between(&mut self, now: Time, from: MemberIdx, to: MemberIdx, rng: &mut SimRng) -> f64 {
        if self.parted(from, to) {
            return 1.0;
        }
        let mut arrives = 1.0 - self.loss;
        arrives *= 1.0 - self.egress.get(&from.0).copied().unwrap_or(0.0);
        arrives *= 1.0 - self.ingress.get(&to.0).copied().unwrap_or(0.0);
        if let Some(bursts) = self.bursts {
            let at = to.0 as usize;
            if self.phases.len() <= at {
                self.phases.resize(at + 1, Phase::default());
            }
            arrives *= 1.0 - self.phases[at].loss(now, &bursts, rng);
        }
        1.0 - arrives
    }

    /// What becomes of a packet.
    pub(crate) fn carry(
        &mut self,
        now: Time,
        (from, to): (MemberIdx, MemberIdx),
        via: Via,
        bytes: u32,
        rng: &mut SimRng,
    ) -> Fate {
        let loss = self.loss_between(now, from, to, rng);
        match via {
            Via::Datagram if self.blocked.is_between(from.0, to.0) => LOST,
            Via::Datagram => self.carry_datagram(loss, rng),
            Via::Answer => self.carry_stream(loss, Some(Duration::ZERO), bytes, rng),
            Via::Stream => {
                let back = self.loss_between(now, to, from, rng);
                let dialled = self.streams.dial(Losses { forth: loss, back }, rng);
                let handshake = self.latency.sample(rng) + self.latency.sample(rng);
                self.carry_stream(loss, dialled.map(|late| late + handshake), bytes, rng)
            }
        }
    }

    fn carry_datagram(&mut self, loss: f64, rng: &mut SimRng) -> Fate {
        if rng.chance(loss) {
            return LOST;
        }
        let mut first = self.latency.sample(rng);
        if rng.chance(self.reordering) {
            first += self.reorder_delay.mul_f64(rng.unit());
        }
        let again = rng.chance(self.duplication).then(|| self.latency.sample(rng));
        Fate { first: Some(first), again }
    }

    fn carry_stream(
        &mut self,
        loss: f64,
        opened: Option<Duration>,
        bytes: u32,
        rng: &mut SimRng,
    ) -> Fate {
        let carried = self.streams.carry(bytes, loss, rng);
        let delay = opened.zip(carried).map(|(opened, late)| opened + late);
        Fate { first: delay.map(|delay| delay + self.latency.sample(rng)), again: None }
    }
}

fn set(losses: &mut BTreeMap<u32, f64>, node: MemberIdx, loss: f64) {
    if loss > 0.0 {
        losses.insert(node.0, loss);
    } else {
        losses.remove(&node.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MemberIdx = MemberIdx(0);
    const B: MemberIdx = MemberIdx(1);

    fn arrived(network: &mut Network, from: MemberIdx, to: MemberIdx, via: Via) -> usize {
        let mut rng = SimRng::new(5);
        let carry = |_| network.carry(Time(1), (from, to), via, 100, &mut rng).first;
        (0..1_000).filter_map(carry).count()
    }

    #[test]
    fn loss_of_one_direction_leaves_the_other_alone() {
        let mut network = Network::default();
        network.set_ingress_loss(B, 0.8);
        assert!((150..250).contains(&arrived(&mut network, A, B, Via::Datagram)));
        assert_eq!(arrived(&mut network, B, A, Via::Datagram), 1_000);
    }

    #[test]
    fn a_partition_stops_streams_too_until_it_heals() {
        let mut network = Network::default();
        network.split(vec![0, 1]);
        assert_eq!(arrived(&mut network, A, B, Via::Datagram), 0);
        assert_eq!(arrived(&mut network, A, B, Via::Stream), 0);
        network.heal();
        assert_eq!(arrived(&mut network, A, B, Via::Stream), 1_000);
    }

    #[test]
    fn a_cut_is_one_way_for_datagrams_and_both_ways_for_streams() {
        let mut network = Network::default();
        network.cut(A, B);
        assert_eq!(arrived(&mut network, B, A, Via::Datagram), 1_000);
        assert_eq!(arrived(&mut network, B, A, Via::Stream), 0);
    }

    #[test]
    fn doubled_datagrams_arrive_twice() {
        let mut network = Network { duplication: 1.0, ..Network::default() };
        let fate = network.carry(Time(1), (A, B), Via::Datagram, 9, &mut SimRng::new(6));
        assert!(fate.first.is_some() && fate.again.is_some());
    }
}
