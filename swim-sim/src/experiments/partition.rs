//! A cluster falls into two halves for long, and the network heals: when are all views one again?

use std::time::Duration;

use swim_core::MemberIdx;

use super::views::agree;
use crate::lab::Experiment;
use crate::network::Network;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::world::World;

/// Half of the nodes cannot reach the other half, nor be reached.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Nodes in all.
    pub nodes: u32,
    /// The network otherwise.
    pub network: Network,
    /// How long it lasts.
    pub length: Duration,
    /// How long to wait for one view afterwards.
    pub limit: Duration,
}

/// What one run gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct PartitionOutcome {
    /// Whether each half held itself live and nobody else when the network healed.
    pub apart: bool,
    /// Seconds from then until all held all live.
    pub healed: Option<f64>,
    /// Bytes sent per node meanwhile, headers included.
    pub bytes: f64,
    /// Bytes sent per node and second while the halves were apart, from when they had settled.
    pub bytes_apart: f64,
    /// Deaths declared after the network had healed.
    pub late_deaths: u64,
}

const WARM_UP: Duration = Duration::from_secs(20);
/// By then the halves have given each other up, if they do so within the time at all.
const SETTLED: f64 = 0.5;

impl Experiment for Partition {
    type Outcome = PartitionOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> PartitionOutcome {
        let mut world = World::new(seed, self.network.clone(), make, Oracle::default());
        let n = self.nodes as usize;
        world.add_converged(self.nodes);
        world.run_for(WARM_UP);
        let mut groups = vec![0; n];
        world.rng().choose(n / 2, n).into_iter().for_each(|node| groups[node as usize] = 1);
        world.network.split(groups.clone());
        world.run_for(self.length.mul_f64(SETTLED));
        let settled = world.traffic();
        world.run_for(self.length.mul_f64(1.0 - SETTLED));
        let before = world.traffic();
        let sizes = [n - n / 2, n / 2];
        let apart = world
            .running()
            .all(|(at, node)| node.live_count() == sizes[usize::from(groups[at.0 as usize])]);
        world.watch.clear();
        world.network.heal();
        let step = Duration::from_millis(50);
        let healed = world.run_until_holds(self.limit, step, |world| agree(world, n));
        let seconds_apart = self.length.mul_f64(1.0 - SETTLED).as_secs_f64();
        PartitionOutcome {
            apart,
            healed: healed.map(|it| it.as_secs_f64()),
            bytes: (world.traffic() - before).bytes() as f64 / n as f64,
            bytes_apart: (before - settled).bytes() as f64 / n as f64 / seconds_apart,
            late_deaths: world.watch.deaths.len() as u64,
        }
    }
}
