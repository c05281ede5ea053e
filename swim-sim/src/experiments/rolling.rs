//! All nodes are started again, one after the other, as when a new version is rolled out.

use std::time::Duration;

use swim_core::MemberIdx;

use super::news::{Kind, News};
use crate::lab::Experiment;
use crate::network::Network;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::world::World;

/// A restart of every node.
#[derive(Debug, Clone)]
pub struct Rolling {
    /// Nodes in all.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// From one restart to the next.
    pub every: Duration,
    /// How long each node is down.
    pub down: Duration,
    /// Whether each says goodbye before it stops.
    pub goodbye: bool,
}

/// What one run gave.
#[derive(Debug, Clone, Default)]
pub struct RollingOutcome {
    /// Deaths declared of members that were up, or up again.
    pub false_deaths: u64,
    /// Seconds from each start until all others held the node alive; infinite if they did not
    /// before the next restart.
    pub back: Vec<f64>,
    /// Bytes sent per node and second, headers included.
    pub bytes: f64,
}

const WARM_UP: Duration = Duration::from_secs(20);
/// How long a node stays after its goodbye, to tell it.
const PARTING: Duration = Duration::from_millis(500);

impl Experiment for Rolling {
    type Outcome = RollingOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> RollingOutcome {
        let watch = (Oracle::default(), News::default());
        let mut world = World::new(seed, self.network.clone(), make, watch);
        world.add_converged(self.nodes);
        world.run_for(WARM_UP);
        world.watch.0.clear();
        let (begin, before) = (world.now(), world.traffic());
        let mut outcome = RollingOutcome::default();
        for node in (0..self.nodes).map(MemberIdx) {
            let next = world.now() + self.every;
            self.restart(&mut world, node);
            world.run_until(next.max(world.now()));
            let others = self.nodes as usize - 1;
            let back = world.watch.1.reached(100, others).unwrap_or(f64::INFINITY);
            outcome.back.push(back);
        }
        let seconds = world.now().since(begin).as_secs_f64();
        let sent = (world.traffic() - before).bytes() as f64;
        outcome.bytes = sent / f64::from(self.nodes) / seconds;
        outcome.false_deaths = world.watch.0.false_deaths().count() as u64;
        outcome
    }
}

impl Rolling {
    fn restart<N: Node>(&self, world: &mut World<N, (Oracle, News)>, node: MemberIdx) {
        if self.goodbye {
            world.leave(node);
            world.run_for(PARTING);
        }
        world.crash(node);
        world.run_for(self.down);
        let now = world.now();
        world.watch.1.follow(node, Kind::Alive, now);
        world.start(node);
        world.join(node, &[MemberIdx((node.0 + 1) % self.nodes)]);
    }
}
