//! Odd machines: clocks that run fast or slow, and processors that are too slow for the traffic.

use std::time::Duration;

use swim_core::MemberIdx;

use super::news::{Kind, News};
use crate::lab::Experiment;
use crate::network::Network;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::world::{Cpu, World};

/// A cluster of such machines, in which one ordinary node crashes in the end.
#[derive(Debug, Clone)]
pub struct Machines {
    /// Nodes in all.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// How long it goes on before the crash.
    pub length: Duration,
    /// Each clock runs fast or slow by up to so many parts in a million.
    pub drift: u32,
    /// How many have a slow processor.
    pub slow: usize,
    /// What packets cost those.
    pub cpu: Option<Cpu>,
}

/// What one run gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachinesOutcome {
    /// Deaths declared of ordinary members that were up.
    pub false_deaths: u64,
    /// Deaths declared of the slow ones.
    pub slow_deaths: u64,
    /// Members that became Suspect somewhere, once for each place.
    pub suspicions: u64,
    /// Bytes sent per node and second, headers included.
    pub bytes: f64,
    /// Seconds from the crash to its first declaration.
    pub first: Option<f64>,
    /// Until all had declared it.
    pub all: Option<f64>,
}

const WARM_UP: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(120);

impl Experiment for Machines {
    type Outcome = MachinesOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> MachinesOutcome {
        let watch = (Oracle::default(), News::default());
        let mut world = World::new(seed, self.network.clone(), make, watch);
        for node in (0..self.nodes).map(MemberIdx).filter(|_| self.drift > 0) {
            let share = 2.0 * world.rng().unit() - 1.0;
            world.set_drift(node, (share * f64::from(self.drift)) as i64);
        }
        world.add_converged(self.nodes);
        world.run_for(WARM_UP);
        let chosen = world.rng().choose(self.slow + 1, self.nodes as usize);
        let mut slow: Vec<MemberIdx> = chosen.into_iter().map(MemberIdx).collect();
        let victim = slow.pop().unwrap_or(MemberIdx(0));
        slow.iter().for_each(|&node| world.set_cpu(node, self.cpu));
        world.watch.0.clear();
        world.watch.0.set_anomalous(&slow);
        let before = world.traffic();
        world.run_for(self.length);
        let oracle = &world.watch.0;
        let of_slow = oracle.deaths.iter().filter(|death| oracle.is_anomalous(death.of)).count();
        let seconds = self.length.as_secs_f64() * f64::from(self.nodes);
        let outcome = MachinesOutcome {
            false_deaths: oracle.false_deaths().count() as u64,
            slow_deaths: of_slow as u64,
            suspicions: oracle.suspicions,
            bytes: (world.traffic() - before).bytes() as f64 / seconds,
            ..MachinesOutcome::default()
        };
        let (first, all) = self.crash(&mut world, victim);
        MachinesOutcome { first, all, ..outcome }
    }
}

impl Machines {
    fn crash<N: Node>(
        &self,
        world: &mut World<N, (Oracle, News)>,
        victim: MemberIdx,
    ) -> (Option<f64>, Option<f64>) {
        let (now, others) = (world.now(), self.nodes as usize - 1);
        world.watch.1.follow(victim, Kind::Gone, now);
        world.crash(victim);
        let look = Duration::from_millis(50);
        world.run_until_holds(LIMIT, look, |world| world.watch.1.seconds().len() >= others);
        let news = &world.watch.1;
        (news.seconds().first().copied(), news.reached(100, others))
    }
}
