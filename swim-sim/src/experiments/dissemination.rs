//! How fast one piece of news reaches everybody: of a join, and of a leave.

use std::time::Duration;

use swim_core::MemberIdx;

use super::news::{Kind, News};
use crate::lab::Experiment;
use crate::network::Network;
use crate::node::Node;
use crate::world::World;

/// A join and then a leave in a quiet cluster.
#[derive(Debug, Clone)]
pub struct Dissemination {
    /// Nodes before the join.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// How long to wait for all to know of either.
    pub limit: Duration,
}

/// When news had reached half of the others, 99 % of them, and all: in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach {
    /// Half of them.
    pub half: Option<f64>,
    /// 99 %.
    pub most: Option<f64>,
    /// All.
    pub all: Option<f64>,
}

/// What one run gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct DisseminationOutcome {
    /// The join.
    pub join: Reach,
    /// The leave.
    pub leave: Reach,
    /// Datagrams sent per node from the leave until all knew.
    pub datagrams: f64,
}

const WARM_UP: Duration = Duration::from_secs(15);
/// Between the two, so that nobody speaks of the join any more.
const BETWEEN: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(10);

impl Experiment for Dissemination {
    type Outcome = DisseminationOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> DisseminationOutcome {
        let mut world = World::new(seed, self.network.clone(), make, News::default());
        world.add_converged(self.nodes);
        let phase = Duration::from_secs(1).mul_f64(world.rng().unit());
        world.run_for(WARM_UP + phase);
        let (through, newcomer) = (MemberIdx(0), MemberIdx(self.nodes));
        let now = world.now();
        world.watch.follow(newcomer, Kind::Alive, now);
        world.start(newcomer);
        world.join(newcomer, &[through]);
        let join = self.spread(&mut world);
        world.run_for(BETWEEN);
        let leaver = MemberIdx(world.rng().below(self.nodes.into()) as u32);
        let (now, before) = (world.now(), world.traffic());
        world.watch.follow(leaver, Kind::Gone, now);
        world.leave(leaver);
        let leave = self.spread(&mut world);
        let sent = (world.traffic() - before).datagrams;
        DisseminationOutcome { join, leave, datagrams: sent as f64 / f64::from(self.nodes) }
    }
}

impl Dissemination {
    /// Waits until everybody has heard.
    fn spread<N: Node>(&self, world: &mut World<N, News>) -> Reach {
        // All but the one that the news is about.
        let others = world.truth().len() - 1;
        world.run_until_holds(self.limit, LOOK, |world| world.watch.seconds().len() >= others);
        let news = &world.watch;
        Reach {
            half: news.reached(50, others),
            most: news.reached(99, others),
            all: news.reached(100, others),
        }
    }
}
