//! A run is a function of its seed.

mod common;

use std::time::Duration;

use common::Storm;
use swim_sim::invariants::{Guard, Limits, Within};
use swim_sim::nodes::swim::{Setup, SwimNode};
use swim_sim::world::{Watch, World};

/// The trace of a run with all faults.
fn trace(seed: u64, watch: impl Watch<SwimNode>) -> u64 {
    let setup = Setup::product();
    let make = move |member, boot, seed| SwimNode::new(&setup, member, boot, seed);
    let mut world = World::new(seed, common::network(), make, watch);
    world.add_converged(24);
    let mut storm = Storm::new(24);
    storm.rage(&mut world, Duration::from_secs(90));
    storm.calm(&mut world);
    world.run_for(Duration::from_secs(30));
    world.trace()
}

#[test]
fn equal_seeds_give_equal_traces_and_other_seeds_others() {
    let traces: Vec<u64> = (0..4).map(|seed| trace(seed, ())).collect();
    let again: Vec<u64> = (0..4).map(|seed| trace(seed, ())).collect();
    assert_eq!(traces, again);
    let mut distinct = traces;
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 4);
}

#[test]
fn who_looks_on_changes_nothing() {
    let minute = Duration::from_secs(60);
    let within = Within { complete: minute, converged: minute };
    let guard = Guard::new(&Limits::of(&Setup::product().options), within);
    assert_eq!(trace(5, guard), trace(5, ()));
}
