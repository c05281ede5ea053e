//! Datagrams do not pass and streams do: is a crash found, does news travel, does nobody die of it?

use std::time::Duration;

use swim_core::{MemberIdx, MemberState};

use super::views::agree;
use crate::lab::Experiment;
use crate::network::{Blocked, Network};
use crate::node::Node;
use crate::oracle::Oracle;
use crate::world::World;

/// A crash and a join while datagrams are blocked, and quiet time after both.
#[derive(Debug, Clone)]
pub struct UdpBlocked {
    /// Nodes in all.
    pub nodes: u32,
    /// The network otherwise.
    pub network: Network,
    /// Between whom.
    pub blocked: Blocked,
    /// How long to wait for each piece of news.
    pub limit: Duration,
    /// How long it goes on after that.
    pub length: Duration,
}

/// What one run gave.
#[derive(Debug, Clone, Default)]
pub struct UdpBlockedOutcome {
    /// Seconds from the crash until all held it dead.
    pub crash: Option<f64>,
    /// Seconds from the start of a newcomer until all views were one.
    pub join: Option<f64>,
    /// Deaths declared of members that were up, to the end.
    pub false_deaths: u64,
    /// Suspicions in the quiet time after both, over all observers.
    pub suspicions: u64,
    /// Bytes sent per node and second in that time, headers included.
    pub bytes: f64,
    /// Streams opened per node and second in that time.
    pub streams: f64,
    /// Seconds from the end of the block until all views were one.
    pub healed: Option<f64>,
}

const WARM_UP: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(10);

impl Experiment for UdpBlocked {
    type Outcome = UdpBlockedOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> UdpBlockedOutcome {
        let mut world = World::new(seed, self.network.clone(), make, Oracle::default());
        world.add_converged(self.nodes);
        world.run_for(WARM_UP);
        world.network.blocked = self.blocked;
        world.run_for(WARM_UP);
        let seconds = |passed: Option<Duration>| passed.map(|it| it.as_secs_f64());
        // Not the one that may be blocked alone, nor the seed.
        let gone = MemberIdx(2 + world.rng().below(u64::from(self.nodes) - 2) as u32);
        world.crash(gone);
        let crash = world.run_until_holds(self.limit, STEP, |world| {
            world.running().all(|(_, node)| !node.state(gone).is_some_and(MemberState::is_live))
        });
        let joiner = MemberIdx(self.nodes);
        world.start(joiner);
        world.join(joiner, &[MemberIdx(1)]);
        let n = self.nodes as usize;
        let join = world.run_until_holds(self.limit, STEP, |world| agree(world, n));
        let (before, suspicions) = (world.traffic(), world.watch.suspicions);
        world.run_for(self.length);
        let traffic = world.traffic() - before;
        let suspicions = world.watch.suspicions - suspicions;
        world.network.blocked = Blocked::Nowhere;
        let healed = world.run_until_holds(self.limit, STEP, |world| agree(world, n));
        let node_seconds = self.length.as_secs_f64() * f64::from(self.nodes);
        #[expect(clippy::cast_precision_loss, reason = "rates")]
        let [bytes, streams] =
            [traffic.bytes(), traffic.streams].map(|count| count as f64 / node_seconds);
        UdpBlockedOutcome {
            crash: seconds(crash),
            join: seconds(join),
            false_deaths: world.watch.false_deaths().count() as u64,
            suspicions,
            bytes,
            streams,
            healed: seconds(healed),
        }
    }
}
