//! What ships breaks no invariant, whatever befalls it.

mod common;

use std::time::Duration;

use common::Storm;
use swim_sim::invariants::{Guard, Limits, Within};
use swim_sim::nodes::swim::{Setup, SwimNode};
use swim_sim::world::World;

/// Who missed a death finds it by itself, within 2n - 1 periods of up to nine seconds while it
/// doubts itself. In a thousand other storms nobody took longer than this.
const COMPLETE: Duration = Duration::from_secs(180);
/// A lost member is tried about once a minute.
const CONVERGED: Duration = Duration::from_secs(160);
const RAGES: Duration = Duration::from_secs(180);

fn weathers_storms(n: u32, seeds: impl Iterator<Item = u64>) {
    let mut refutations = 0;
    for seed in seeds {
        let setup = Setup::product();
        let within = Within { complete: COMPLETE, converged: CONVERGED };
        let guard = Guard::new(&Limits::of(&setup.options), within);
        let make = move |member, boot, seed| SwimNode::new(&setup, member, boot, seed);
        let mut world = World::new(seed, common::network(), make, guard);
        world.add_converged(n);
        let mut storm = Storm::new(n);
        storm.rage(&mut world, RAGES);
        let struck = Struck::of(&world);
        storm.calm(&mut world);
        let now = world.now();
        world.watch.quiet_from(now);
        world.run_for(COMPLETE + Duration::from_secs(10));
        let guard = Guard::finish(&mut world);
        assert!(guard.holds(), "{n} nodes, seed {seed}:\n{guard}");
        assert!(struck.hard(n), "a poor storm, seed {seed}: {struck:?}");
        refutations += struck.refutations;
    }
    // Few suspicions are told at all, so not every storm has many.
    assert!(refutations > u64::from(n), "{refutations} refutations in all storms");
}

/// What the storm did, to those that run at its end.
#[derive(Debug)]
struct Struck {
    starts: u32,
    deaths: u64,
    refutations: u64,
}

impl Struck {
    fn of<W>(world: &World<SwimNode, W>) -> Self
    where
        W: swim_sim::world::Watch<SwimNode>,
    {
        let stats = || world.running().map(|(_, node)| node.stats());
        Self {
            starts: world.truth().iter().map(|(_, of)| of.boot).sum(),
            deaths: stats().map(|stats| stats.deaths).sum(),
            refutations: stats().map(|stats| stats.own_refutations).sum(),
        }
    }

    fn hard(&self, n: u32) -> bool {
        let many = u64::from(n);
        self.starts > n + n / 4 && self.deaths > many
    }
}

#[test]
fn two_dozen_nodes_weather_storms() {
    weathers_storms(24, 101..113);
}

#[test]
fn thirty_two_nodes_weather_storms() {
    weathers_storms(32, 201..211);
}

#[test]
fn forty_nodes_weather_storms() {
    weathers_storms(40, 301..309);
}

#[test]
fn four_dozen_nodes_weather_storms() {
    weathers_storms(48, 401..409);
}
