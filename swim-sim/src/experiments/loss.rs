//! A lossy network for a long time: who is blamed, and what does it cost? Without loss, this is the
//! steady state.

use std::time::Duration;

use swim_core::MemberIdx;

use crate::lab::Experiment;
use crate::network::Network;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::world::{Traffic, World};

/// A cluster in a network.
#[derive(Debug, Clone)]
pub struct Loss {
    /// Nodes in all.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// How long.
    pub length: Duration,
}

/// What one run gave.
#[derive(Debug, Clone, Default)]
pub struct LossOutcome {
    /// Deaths declared, all of them of live members.
    pub false_deaths: u64,
    /// Members that became Suspect somewhere, once for each place.
    pub suspicions: u64,
    /// What was sent.
    pub traffic: Traffic,
    /// Node-seconds of it.
    pub node_seconds: f64,
    /// Wall time in seconds that it took to simulate.
    pub wall: f64,
}

impl LossOutcome {
    /// Bytes per node and second, headers included.
    pub fn bytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "bytes per second")]
        let bytes = self.traffic.bytes() as f64;
        bytes / self.node_seconds
    }

    /// Datagrams per node and second.
    pub fn datagrams(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "datagrams per second")]
        let datagrams = self.traffic.datagrams as f64;
        datagrams / self.node_seconds
    }
}

impl Experiment for Loss {
    type Outcome = LossOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> LossOutcome {
        let mut world = World::new(seed, self.network.clone(), make, Oracle::default());
        world.add_converged(self.nodes);
        world.run_for(Duration::from_secs(20));
        world.watch.clear();
        let before = world.traffic();
        let wall = std::time::Instant::now();
        world.run_for(self.length);
        LossOutcome {
            false_deaths: world.watch.false_deaths().count() as u64,
            suspicions: world.watch.suspicions,
            traffic: world.traffic() - before,
            node_seconds: f64::from(self.nodes) * self.length.as_secs_f64(),
            wall: wall.elapsed().as_secs_f64(),
        }
    }
}
