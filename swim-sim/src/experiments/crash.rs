//! One node crashes: when does the first declare it dead, when have all?

use std::time::Duration;

use swim_core::MemberIdx;

use crate::lab::Experiment;
use crate::network::Network;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::world::World;

/// A crash in a quiet cluster.
#[derive(Debug, Clone)]
pub struct Crash {
    /// Nodes before the crash.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// How many crash at the same moment.
    pub crashed: usize,
    /// How long to wait for all to know.
    pub limit: Duration,
}

/// What one run gave.
#[derive(Debug, Clone, Default)]
pub struct CrashOutcome {
    /// Seconds to the first death of each.
    pub first: Vec<f64>,
    /// Seconds until 99 % of the others had declared it.
    pub most: Vec<f64>,
    /// Seconds until all others had; missing where that never came.
    pub everywhere: Vec<f64>,
    /// Deaths of members that were up.
    pub false_deaths: u64,
    /// Bytes sent per surviving node and second, headers included, from the crash to the end.
    pub bytes: f64,
    /// Seconds until no survivor held any of the crashed live.
    pub all_gone: Option<f64>,
}

const WARM_UP: Duration = Duration::from_secs(20);

impl Experiment for Crash {
    type Outcome = CrashOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> CrashOutcome {
        let mut world = World::new(seed, self.network.clone(), make, Oracle::default());
        world.add_converged(self.nodes);
        // Crashes come at any phase of a period.
        let phase = Duration::from_secs(1).mul_f64(world.rng().unit());
        world.run_for(WARM_UP + phase);
        world.watch.clear();
        let (start, before) = (world.now(), world.traffic());
        let chosen = world.rng().choose(self.crashed, self.nodes as usize);
        let gone: Vec<MemberIdx> = chosen.into_iter().map(MemberIdx).collect();
        gone.iter().for_each(|&node| world.crash(node));
        let survivors = self.nodes as usize - gone.len();
        let goal = survivors * gone.len();
        let all = world.run_until_holds(self.limit, Duration::from_millis(10), |world| {
            world.watch.deaths.len() >= goal && is_gone(world, &gone)
        });
        let passed = world.now().since(start).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "bytes per second")]
        let bytes = (world.traffic() - before).bytes() as f64 / passed / survivors as f64;
        let mut outcome = CrashOutcome {
            false_deaths: world.watch.false_deaths().count() as u64,
            bytes,
            all_gone: all.map(|it| it.as_secs_f64()),
            ..CrashOutcome::default()
        };
        for &of in &gone {
            let times: Vec<f64> = (world.watch.deaths.iter())
                .filter(|death| death.of == of)
                .map(|death| death.now.since(start).as_secs_f64())
                .collect();
            outcome.first.extend(times.first());
            outcome.most.extend(times.get((survivors * 99).div_ceil(100) - 1));
            outcome.everywhere.extend(times.get(survivors - 1));
        }
        outcome
    }
}

fn is_gone<N: Node>(world: &World<N, Oracle>, gone: &[MemberIdx]) -> bool {
    world.running().all(|(_, node)| {
        gone.iter().all(|&of| !node.state(of).is_some_and(swim_core::MemberState::is_live))
    })
}
