//! A whole cluster joins through one seed: how long until all know all, and at what price?
//! (Suresh et al., "Stable and consistent membership at scale with Rapid", 2018, section 7.)

use std::collections::BTreeSet;
use std::time::Duration;

use swim_core::{MemberIdx, Time};

use super::views::Pairs;
use crate::lab::Experiment;
use crate::network::Network;
use crate::node::Node;
use crate::world::{Cpu, World};

/// All but the first join through the first.
#[derive(Debug, Clone)]
pub struct Boot {
    /// Nodes in the end.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// They join at random times within this; all at once if it is zero.
    pub within: Duration,
    /// What packets cost the seed.
    pub seed_cpu: Option<Cpu>,
    /// How long to wait from the last join.
    pub limit: Duration,
}

/// What one run gave.
#[derive(Debug, Clone, Default)]
pub struct BootOutcome {
    /// Seconds from the last join until half of all pairs were known; 0 if they were before.
    pub half: Option<f64>,
    /// Until 99 % were.
    pub most: Option<f64>,
    /// Until all were.
    pub all: Option<f64>,
    /// Bytes sent per node until then, headers included.
    pub bytes: f64,
    /// Bytes sent by the seed.
    pub seed_bytes: f64,
    /// How many sizes of views were seen, looking at all nodes once a second.
    pub sizes: usize,
    /// The share of pairs known, by seconds from the first join.
    pub progress: Vec<(f64, f64)>,
}

/// How long the seed runs before the first joins.
const ALONE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(250);
/// View sizes are looked at every so many looks.
const LOOKS_A_SECOND: usize = 4;

impl Experiment for Boot {
    type Outcome = BootOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> BootOutcome {
        let mut world = World::new(seed, self.network.clone(), make, Pairs::of(self.nodes));
        let first = MemberIdx(0);
        world.start(first);
        world.set_cpu(first, self.seed_cpu);
        world.run_for(ALONE);
        let begin = world.now();
        let joins = self.joins(&mut world);
        let last = joins.last().copied().unwrap_or(begin);
        let mut outcome = BootOutcome::default();
        let mut sizes = BTreeSet::new();
        let mut joins = joins.into_iter().peekable();
        for look in 0.. {
            let now = begin + LOOK * look as u32;
            while let Some(at) = joins.next_if(|at| *at <= now) {
                world.run_until(at);
                let node = MemberIdx(world.truth().len() as u32);
                world.start(node);
                world.join(node, &[first]);
            }
            world.run_until(now);
            outcome.progress.push((now.since(begin).as_secs_f64(), world.watch.share()));
            if look % LOOKS_A_SECOND == 0 {
                sizes.extend(world.running().map(|(_, node)| node.live_count()));
            }
            if world.watch.reached[2].is_some() || now >= last + self.limit {
                break;
            }
        }
        let after = |at: Option<Time>| at.map(|at| at.since(last.min(at)).as_secs_f64());
        [outcome.half, outcome.most, outcome.all] = world.watch.reached.map(after);
        outcome.bytes = world.traffic().bytes() as f64 / f64::from(self.nodes);
        outcome.seed_bytes = world.traffic_of(first).bytes() as f64;
        outcome.sizes = sizes.len();
        outcome
    }
}

impl Boot {
    /// When the others join, ascending.
    fn joins<N: Node>(&self, world: &mut World<N, Pairs>) -> Vec<Time> {
        let now = world.now();
        let rng = world.rng();
        let mut at: Vec<Time> =
            (1..self.nodes).map(|_| now + self.within.mul_f64(rng.unit())).collect();
        at.sort_unstable();
        at
    }
}
