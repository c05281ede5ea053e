//! The measurements of the SWIM paper (Das, Gupta, Motivala 2002, section 5): load per period, first
//! detection of a failure, and how fast the suspicion of it spreads.

use std::time::Duration;

use swim_core::MemberIdx;

use super::news::{Kind, News};
use crate::lab::Experiment;
use crate::network::Network;
use crate::node::Node;
use crate::world::World;

/// Some quiet periods, and then a crash.
#[derive(Debug, Clone)]
pub struct Load {
    /// Nodes before the crash.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// A protocol period.
    pub period: Duration,
    /// Over how many periods the load is measured; the paper has 40.
    pub periods: u32,
}

/// What one run gave, times in periods.
#[derive(Debug, Clone, Default)]
pub struct LoadOutcome {
    /// Datagrams sent by each member in each period.
    pub sent: Vec<f64>,
    /// From the crash until the first member suspected it.
    pub first: Option<f64>,
    /// From then until half of the others did.
    pub half: Option<f64>,
    /// From then until all did.
    pub all: Option<f64>,
}

const WARM_UP: u32 = 10;
/// Periods to wait for the suspicion to spread; before it may expire.
const LIMIT: u32 = 60;

impl Experiment for Load {
    type Outcome = LoadOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> LoadOutcome {
        let mut world = World::new(seed, self.network.clone(), make, News::default());
        world.add_converged(self.nodes);
        world.run_for(self.period * WARM_UP);
        let mut outcome = LoadOutcome { sent: self.sent(&mut world), ..LoadOutcome::default() };
        let phase = self.period.mul_f64(world.rng().unit());
        world.run_for(phase);
        let victim = MemberIdx(world.rng().below(self.nodes.into()) as u32);
        let now = world.now();
        world.watch.follow(victim, Kind::Suspected, now);
        world.crash(victim);
        let others = self.nodes as usize - 1;
        let look = self.period / 10;
        world.run_until_holds(self.period * LIMIT, look, |world| {
            world.watch.seconds().len() >= others
        });
        let news = &world.watch;
        let periods = |seconds: f64| seconds / self.period.as_secs_f64();
        outcome.first = news.seconds().first().map(|first| periods(*first));
        let after_first = |reached: Option<f64>| Some(periods(reached?) - outcome.first?);
        outcome.half = after_first(news.reached(50, others));
        outcome.all = after_first(news.reached(100, others));
        outcome
    }
}

impl Load {
    fn sent<N: Node>(&self, world: &mut World<N, News>) -> Vec<f64> {
        let datagrams = |world: &World<N, News>| -> Vec<u64> {
            let of = |node| world.traffic_of(MemberIdx(node)).datagrams;
            (0..self.nodes).map(of).collect()
        };
        let mut sent = Vec::new();
        let mut before = datagrams(world);
        for _ in 0..self.periods {
            world.run_for(self.period);
            let after = datagrams(world);
            sent.extend(after.iter().zip(&before).map(|(after, before)| (after - before) as f64));
            before = after;
        }
        sent
    }
}
