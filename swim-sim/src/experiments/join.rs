//! One new node joins a converged cluster: when is it known, and when does it know?

use std::time::Duration;

use swim_core::MemberIdx;

use super::news::{Kind, News};
use super::views::Growth;
use crate::lab::Experiment;
use crate::network::Network;
use crate::node::Node;
use crate::world::World;

/// A join of a quiet cluster, through one random member.
#[derive(Debug, Clone)]
pub struct Join {
    /// Nodes before the join.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// How long to wait for all to know.
    pub limit: Duration,
}

/// What one run gave, in seconds from the join.
#[derive(Debug, Clone, Copy, Default)]
pub struct JoinOutcome {
    /// Until half of the others knew the newcomer.
    pub half: Option<f64>,
    /// Until 99 % did.
    pub most: Option<f64>,
    /// Until all did.
    pub all: Option<f64>,
    /// Until the newcomer knew half of the members.
    pub joiner_half: Option<f64>,
    /// Until it knew all.
    pub joiner_all: Option<f64>,
    /// Bytes that the newcomer and its seed had sent by the end, headers included.
    pub bytes: f64,
}

const WARM_UP: Duration = Duration::from_secs(20);

impl Experiment for Join {
    type Outcome = JoinOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> JoinOutcome {
        let watch = (News::default(), Growth::default());
        let mut world = World::new(seed, self.network.clone(), make, watch);
        world.add_converged(self.nodes);
        let phase = Duration::from_secs(1).mul_f64(world.rng().unit());
        world.run_for(WARM_UP + phase);
        let (others, now) = (self.nodes as usize, world.now());
        let (through, joiner) =
            (world.rng().below(self.nodes.into()) as u32, MemberIdx(self.nodes));
        let through = MemberIdx(through);
        let before = world.traffic_of(through);
        world.start(joiner);
        world.watch.0.follow(joiner, Kind::Alive, now);
        world.watch.1.follow(joiner, others + 1, now);
        world.join(joiner, &[through]);
        let step = Duration::from_millis(10);
        world.run_until_holds(self.limit, step, |world| {
            world.watch.0.seconds().len() >= others && world.watch.1.all.is_some()
        });
        let sent = world.traffic_of(through) - before + world.traffic_of(joiner);
        let (news, growth) = (&world.watch.0, &world.watch.1);
        JoinOutcome {
            half: news.reached(50, others),
            most: news.reached(99, others),
            all: news.reached(100, others),
            joiner_half: growth.half,
            joiner_all: growth.all,
            bytes: sent.bytes() as f64,
        }
    }
}
