//! Some nodes are held up again and again: their packets wait, or they stand still altogether.

use std::time::Duration;

use swim_core::MemberIdx;

use crate::lab::Experiment;
use crate::network::{Latency, Network};
use crate::node::Node;
use crate::oracle::Oracle;
use crate::world::World;

/// `slow` of `nodes` are held up for `pause` of every `period`.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Nodes in all.
    pub nodes: u32,
    /// How many are held up.
    pub slow: usize,
    /// How long each time.
    pub pause: Duration,
    /// From one beginning to the next.
    pub period: Duration,
    /// How long all that goes on.
    pub length: Duration,
    /// Whether processes stand still, rather than only their packets.
    pub frozen: bool,
}

/// What one run gave.
#[derive(Debug, Clone, Default)]
pub struct HeldOutcome {
    /// Deaths declared of healthy members.
    pub false_deaths: u64,
    /// Those of them declared by healthy members.
    pub false_deaths_by_healthy: u64,
    /// Deaths declared of the slow ones.
    pub slow_deaths: u64,
    /// Bytes sent per node and second, headers included.
    pub bytes: f64,
}

impl Experiment for Held {
    type Outcome = HeldOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> HeldOutcome {
        let network = Network::new(Latency::Fixed(Duration::from_millis(1)));
        let mut world = World::new(seed, network, make, Oracle::default());
        world.add_converged(self.nodes);
        world.run_for(Duration::from_secs(20));
        let chosen = world.rng().choose(self.slow, self.nodes as usize);
        let slow: Vec<MemberIdx> = chosen.into_iter().map(MemberIdx).collect();
        world.watch.clear();
        world.watch.set_anomalous(&slow);
        let (before, end) = (world.traffic(), world.now() + self.length);
        while world.now() < end {
            for &node in &slow {
                if self.frozen { world.freeze(node) } else { world.hold(node) }
            }
            world.run_for(self.pause);
            slow.iter().for_each(|&node| world.release(node));
            world.run_for(self.period.saturating_sub(self.pause));
        }
        let oracle = &world.watch;
        let seconds = self.length.as_secs_f64() * f64::from(self.nodes);
        #[expect(clippy::cast_precision_loss, reason = "bytes per second")]
        let bytes = (world.traffic() - before).bytes() as f64 / seconds;
        HeldOutcome {
            false_deaths: oracle.false_deaths().count() as u64,
            false_deaths_by_healthy: oracle.false_deaths_by_healthy().count() as u64,
            slow_deaths: oracle.deaths.iter().filter(|d| oracle.is_anomalous(d.of)).count() as u64,
            bytes,
        }
    }
}
