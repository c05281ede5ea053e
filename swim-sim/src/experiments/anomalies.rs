//! Lifeguard's experiments (section 5.1): `slow` of 128 nodes are blocked, once or again and again.

use std::time::Duration;

use swim_core::{MemberIdx, Time};

use crate::lab::Experiment;
use crate::network::{Latency, Network};
use crate::node::Node;
use crate::oracle::Oracle;
use crate::world::{Traffic, World};

/// The paper's C: how many nodes are slow.
pub const SLOW: [usize; 9] = [1, 4, 8, 12, 16, 20, 24, 28, 32];
/// The paper's D: how long an anomaly lasts, in milliseconds.
pub const DURATIONS: [u64; 6] = [128, 512, 2_048, 8_192, 16_384, 32_768];
/// The paper's I: how long slow nodes run between two anomalies, in milliseconds.
pub const INTERVALS: [u64; 8] = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384];

/// One cell of the grid.
#[derive(Debug, Clone, Copy)]
pub struct Anomalies {
    /// Nodes in all; the paper has 128.
    pub nodes: u32,
    /// How many of them are slow.
    pub slow: usize,
    /// How long an anomaly lasts.
    pub duration: Duration,
    /// How long slow nodes run between two; `None` for one anomaly, the threshold experiment.
    pub interval: Option<Duration>,
}

/// What one run gave.
#[derive(Debug, Clone, Default)]
pub struct AnomalyOutcome {
    /// Deaths declared of members that were no part of the anomaly (FP).
    pub false_deaths: u64,
    /// Those of them declared by nodes that were not either (FP-).
    pub false_deaths_by_healthy: u64,
    /// Seconds from the block of each slow node to its first death, where that came in time.
    pub first: Vec<f64>,
    /// Seconds until the last healthy node declared it.
    pub everywhere: Vec<f64>,
    /// What was sent.
    pub traffic: Traffic,
}

const QUIESCE: Duration = Duration::from_secs(15);
const LENGTH: Duration = Duration::from_secs(120);

impl Experiment for Anomalies {
    type Outcome = AnomalyOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> AnomalyOutcome {
        let latency = Latency::Uniform(Duration::from_micros(50), Duration::from_micros(200));
        let mut world = World::new(seed, Network::new(latency), make, Oracle::default());
        world.add_converged(self.nodes);
        world.run_for(QUIESCE);
        let chosen = world.rng().choose(self.slow, self.nodes as usize);
        let slow: Vec<MemberIdx> = chosen.into_iter().map(MemberIdx).collect();
        world.watch.clear();
        world.watch.set_anomalous(&slow);
        let before = world.traffic();
        let start = world.now();
        match self.interval {
            None => self.once(&mut world, &slow),
            Some(interval) => self.again_and_again(&mut world, &slow, interval),
        }
        self.outcome(&world, &slow, start, before)
    }
}

impl Anomalies {
    /// How long the interval experiment goes on: to the end of the first anomaly that ends after
    /// two minutes.
    pub fn length(&self) -> Duration {
        let (on, off) = (self.duration.as_secs_f64(), self.interval.unwrap_or_default());
        let cycle = on + off.as_secs_f64();
        let before = ((LENGTH.as_secs_f64() - on) / cycle).ceil().max(0.0);
        Duration::from_secs_f64(before * cycle + on)
    }

    fn once<N: Node>(&self, world: &mut World<N, Oracle>, slow: &[MemberIdx]) {
        let end = world.now() + LENGTH;
        self.anomaly(world, slow);
        let nodes = self.nodes as usize;
        let limit = end.since(world.now());
        world.run_until_holds(limit, Duration::from_millis(100), |world| {
            world.running().all(|(_, node)| {
                let alive =
                    |member| node.state(MemberIdx(member)) == Some(swim_core::MemberState::Alive);
                node.live_count() == nodes && (0..nodes as u32).all(alive)
            })
        });
    }

    fn again_and_again<N: Node>(
        &self,
        world: &mut World<N, Oracle>,
        slow: &[MemberIdx],
        interval: Duration,
    ) {
        let end = world.now() + LENGTH;
        loop {
            self.anomaly(world, slow);
            if world.now() >= end {
                return;
            }
            world.run_for(interval);
        }
    }

    fn anomaly<N: Node>(&self, world: &mut World<N, Oracle>, slow: &[MemberIdx]) {
        slow.iter().for_each(|&node| world.block(node));
        world.run_for(self.duration);
        slow.iter().for_each(|&node| world.release(node));
    }

    fn outcome<N: Node>(
        &self,
        world: &World<N, Oracle>,
        slow: &[MemberIdx],
        start: Time,
        before: Traffic,
    ) -> AnomalyOutcome {
        let oracle = &world.watch;
        let mut outcome = AnomalyOutcome {
            false_deaths: oracle.false_deaths().count() as u64,
            false_deaths_by_healthy: oracle.false_deaths_by_healthy().count() as u64,
            traffic: world.traffic() - before,
            ..AnomalyOutcome::default()
        };
        let end = start + self.duration;
        let healthy = self.nodes as usize - slow.len();
        for &of in slow {
            let in_time = |death: &&crate::oracle::Death| death.of == of && death.now <= end;
            let mut by_healthy = oracle
                .deaths
                .iter()
                .filter(in_time)
                .filter(|death| !oracle.is_anomalous(death.at))
                .map(|death| death.now.since(start).as_secs_f64());
            let Some(first) = by_healthy.next() else { continue };
            outcome.first.push(first);
            if by_healthy.clone().count() + 1 == healthy {
                outcome.everywhere.extend(by_healthy.next_back());
            }
        }
        outcome
    }
}
