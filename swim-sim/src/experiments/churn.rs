//! Members come and go all the time: how right are views meanwhile?

use std::time::Duration;

use swim_core::{MemberIdx, MemberState};

use crate::lab::Experiment;
use crate::network::Network;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::world::World;

/// At a steady rate a member crashes and a newcomer takes its place, under another name.
#[derive(Debug, Clone)]
pub struct Churn {
    /// Nodes at any time.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// From one crash to the next.
    pub every: Duration,
    /// How long it goes on.
    pub length: Duration,
}

/// What one run gave, looked at once a second.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChurnOutcome {
    /// The share of live members that a view lacks, mean over views and time.
    pub missing: f64,
    /// Crashed members that a view holds live, mean over views and time.
    pub stale: f64,
    /// Deaths declared of members that were up.
    pub false_deaths: u64,
    /// Bytes sent per node and second, headers included.
    pub bytes: f64,
    /// Seconds from the end of it until all views were right.
    pub settled: Option<f64>,
}

const WARM_UP: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(120);

impl Experiment for Churn {
    type Outcome = ChurnOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> ChurnOutcome {
        let mut world = World::new(seed, self.network.clone(), make, Oracle::default());
        world.add_converged(self.nodes);
        world.run_for(WARM_UP);
        world.watch.clear();
        let (begin, before) = (world.now(), world.traffic());
        let (end, mut next) = (begin + self.length, begin);
        let mut outcome = ChurnOutcome::default();
        let mut looks = 0.0;
        while world.now() < end {
            let look = world.now() + SECOND;
            while next < look {
                world.run_until(next);
                replace_one(&mut world);
                next += self.every;
            }
            world.run_until(look);
            let (missing, stale) = errors(&world);
            outcome.missing += missing;
            outcome.stale += stale;
            looks += 1.0;
        }
        outcome.missing /= looks;
        outcome.stale /= looks;
        outcome.false_deaths = world.watch.false_deaths().count() as u64;
        let sent = (world.traffic() - before).bytes() as f64;
        outcome.bytes = sent / f64::from(self.nodes) / looks;
        let right = |world: &mut World<N, Oracle>| errors(world) == (0.0, 0.0);
        let settled = world.run_until_holds(LIMIT, SECOND / 4, right);
        outcome.settled = settled.map(|it| it.as_secs_f64());
        outcome
    }
}

fn replace_one<N: Node>(world: &mut World<N, Oracle>) {
    let running: Vec<MemberIdx> = world.running().map(|(node, _)| node).collect();
    let chosen = world.rng().choose(2, running.len());
    let [victim, through] = chosen[..] else { return };
    world.crash(running[victim as usize]);
    let newcomer = MemberIdx(world.truth().len() as u32);
    world.start(newcomer);
    world.join(newcomer, &[running[through as usize]]);
}

/// The share of live members that a view lacks, and the crashed ones that it holds live.
fn errors<N: Node>(world: &World<N, Oracle>) -> (f64, f64) {
    let (mut views, mut missing, mut stale) = (0.0, 0, 0);
    let (running, gone): (Vec<_>, Vec<_>) =
        world.truth().iter().map(|(node, _)| node).partition(|it| world.truth().is_running(*it));
    let is_live = |node: &N, of: MemberIdx| node.state(of).is_some_and(MemberState::is_live);
    for (_, node) in world.running() {
        views += 1.0;
        let held_of_gone = gone.iter().filter(|of| is_live(node, **of)).count();
        stale += held_of_gone;
        missing += running.len() - (node.live_count() - held_of_gone);
    }
    (missing as f64 / views / running.len() as f64, stale as f64 / views)
}
