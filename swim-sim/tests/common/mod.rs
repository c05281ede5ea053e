//! A storm: whatever can befall nodes and network, mixed at random by the seed of the world.

use std::time::Duration;

use swim_core::{MemberIdx, Time};
use swim_sim::network::{Bursts, Latency, Network};
use swim_sim::node::Node;
use swim_sim::world::{Condition, Watch, World};

/// Something befalls one node so often.
const STEP: Duration = Duration::from_secs(2);
/// Of so many nodes, one may be down or stand still at once.
const ONE_IN: u32 = 4;
/// The last ones crash some time and stay down; the others are seeds, and run again at the end.
const DOOMED: u32 = 2;
const SEEDS: usize = 3;

/// What is to be done to a node later.
#[derive(Debug, Clone, Copy)]
enum Later {
    Release,
    Crash,
    Join,
}

/// The storm over a cluster of the nodes below `n`.
#[derive(Debug)]
pub(crate) struct Storm {
    n: u32,
    steps: u64,
    later: Vec<(Time, MemberIdx, Later)>,
    heals: Option<Time>,
}

/// A network with one-way delays of about a millisecond, now and then of ten.
pub(crate) fn network() -> Network {
    Network::new(Latency::LogNormal { median: Duration::from_millis(1), sigma: 0.7 })
}

impl Storm {
    /// Over nodes that are there already.
    pub(crate) fn new(n: u32) -> Self {
        Self { n, steps: 0, later: Vec::new(), heals: None }
    }

    /// Rages for a while.
    pub(crate) fn rage<N: Node, W: Watch<N>>(&mut self, world: &mut World<N, W>, lasts: Duration) {
        let end = world.now() + lasts;
        while world.now() < end {
            if self.steps.is_multiple_of(10) {
                self.change_weather(world);
            }
            self.steps += 1;
            self.strike(world);
            self.catch_up(world, world.now());
            world.run_for(STEP);
        }
    }

    /// Blows over: all hear again, those that are not doomed run again, nothing is lost.
    pub(crate) fn calm<N: Node, W: Watch<N>>(&mut self, world: &mut World<N, W>) {
        world.network = network();
        self.catch_up(world, Time(u64::MAX));
        for node in (0..self.n).map(MemberIdx) {
            world.release(node);
            let left = world.truth().of(node).left;
            if left || node.0 >= self.n - DOOMED {
                world.crash(node);
            }
        }
        for node in (0..self.n - DOOMED).map(MemberIdx) {
            if !world.truth().is_running(node) {
                self.start(world, node);
            }
        }
    }

    fn change_weather<N: Node, W: Watch<N>>(&mut self, world: &mut World<N, W>) {
        let rng = world.rng();
        let loss = [0.0, 0.02, 0.1, 0.2][rng.below(4) as usize];
        let bursts = rng.chance(0.25).then(|| Bursts {
            good: Duration::from_secs(8),
            bad: Duration::from_secs(1),
            loss_good: 0.0,
            loss_bad: 0.5,
        });
        let (duplication, reordering) = (0.2 * rng.unit(), 0.3 * rng.unit());
        let reorder_delay = Duration::from_millis(rng.below(400));
        let parts = self.heals.is_none() && rng.chance(0.3);
        let lasts = Duration::from_secs(10 + rng.below(30));
        let groups: Vec<u16> = (0..self.n).map(|_| rng.below(2) as u16).collect();
        let network = &mut world.network;
        (network.loss, network.bursts, network.duplication) = (loss, bursts, duplication);
        (network.reordering, network.reorder_delay) = (reordering, reorder_delay);
        if parts {
            network.split(groups);
            self.heals = Some(world.now() + lasts);
        }
    }

    /// Something befalls a random node.
    fn strike<N: Node, W: Watch<N>>(&mut self, world: &mut World<N, W>) {
        let node = MemberIdx(world.rng().below(u64::from(self.n)) as u32);
        let of = world.truth().of(node);
        if self.later.iter().any(|&(_, struck, _)| struck == node) {
            return;
        }
        if of.condition == Condition::Down {
            if node.0 < self.n - DOOMED {
                self.start(world, node);
            }
            return;
        }
        let unwell = (0..self.n).filter(|&i| !world.truth().is_healthy(MemberIdx(i))).count();
        if of.condition != Condition::Up || unwell >= (self.n / ONE_IN) as usize {
            return;
        }
        match world.rng().below(7) {
            0 | 1 => world.crash(node),
            2 => self.restart_with_memory(world, node),
            3 => self.restart(world, node),
            4 => self.hold_up(world, node, World::freeze),
            5 => self.hold_up(world, node, World::hold),
            _ => {
                world.leave(node);
                self.do_later(world.now() + 2 * STEP, node, Later::Crash);
            }
        }
    }

    fn do_later(&mut self, at: Time, node: MemberIdx, what: Later) {
        self.later.push((at, node, what));
    }

    fn hold_up<N: Node, W: Watch<N>>(
        &mut self,
        world: &mut World<N, W>,
        node: MemberIdx,
        how: impl FnOnce(&mut World<N, W>, MemberIdx),
    ) {
        how(world, node);
        let lasts = Duration::from_millis(500 + world.rng().below(15_000));
        self.do_later(world.now() + lasts, node, Later::Release);
    }

    fn start<N: Node, W: Watch<N>>(&mut self, world: &mut World<N, W>, node: MemberIdx) {
        world.start(node);
        self.join(world, node);
    }

    /// Its former life is not over anywhere when the node is back.
    fn restart<N: Node, W: Watch<N>>(&mut self, world: &mut World<N, W>, node: MemberIdx) {
        world.restart(node);
        self.do_later(world.now() + STEP, node, Later::Join);
    }

    fn restart_with_memory<N: Node, W: Watch<N>>(
        &mut self,
        world: &mut World<N, W>,
        node: MemberIdx,
    ) {
        world.restart_with_memory(node);
        // It may not have known anybody yet.
        if world.node(node).is_none_or(|node| node.live_count() < 2) {
            self.join(world, node);
        }
    }

    fn join<N: Node, W: Watch<N>>(&mut self, world: &mut World<N, W>, node: MemberIdx) {
        let seeds = world.rng().choose(SEEDS, (self.n - DOOMED) as usize);
        let seeds: Vec<MemberIdx> = seeds.into_iter().map(MemberIdx).collect();
        world.join(node, &seeds);
    }

    /// Does what is due.
    fn catch_up<N: Node, W: Watch<N>>(&mut self, world: &mut World<N, W>, now: Time) {
        if self.heals.is_some_and(|heals| heals <= now) {
            world.network.heal();
            self.heals = None;
        }
        let due: Vec<_> = self.later.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, node, what) in due {
            match what {
                Later::Release => world.release(node),
                Later::Crash => world.crash(node),
                Later::Join => self.join(world, node),
            }
        }
    }
}
