//! The crate foca as a node of the simulator: idle, after a crash, a pause, a leave, and joining.

use std::time::Duration;

use swim_core::{Change, MemberIdx, MemberState, Time};
use swim_sim::network::{Latency, Network};
use swim_sim::node::{Io, Node};
use swim_sim::nodes::foca::FocaNode;
use swim_sim::world::{Moment, Watch, World};

/// Keeps all changes: when, in whose view, what.
#[derive(Default)]
struct Changes(Vec<(Time, MemberIdx, Change)>);

impl Watch<FocaNode> for Changes {
    fn called(&mut self, at: Moment<'_>, whose: MemberIdx, _: &FocaNode, io: &Io<Vec<u8>>) {
        self.0.extend(io.changes.iter().map(|change| (at.now, whose, *change)));
    }
}

impl Changes {
    /// How many observers' views took a member from one state to another.
    fn count(&self, of: MemberIdx, old: Option<MemberState>, new: MemberState) -> usize {
        let such = |c: &Change| c.member == of && c.old == old && c.new == Some(new);
        self.0.iter().filter(|(_, at, change)| *at != of && such(change)).count()
    }
}

type Cluster = World<FocaNode, Changes>;

const N: u32 = 32;
const OTHERS: usize = N as usize - 1;
const VICTIM: MemberIdx = MemberIdx(7);
const STEP: Duration = Duration::from_millis(100);

fn empty(seed: u64, expected: u32) -> Cluster {
    let network = Network::new(Latency::Fixed(Duration::from_millis(1)));
    let make = move |me, boot, seed| FocaNode::new(expected, me, boot, seed);
    World::new(seed, network, make, Changes::default())
}

fn converged(seed: u64) -> Cluster {
    let mut world = empty(seed, N);
    world.add_converged(N);
    world
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Whether all running nodes hold exactly so many live, and the same ones.
fn agree(world: &Cluster, live: usize) -> bool {
    let Some((_, first)) = world.running().next() else { return live == 0 };
    let hash = first.view_hash();
    world.running().all(|(_, node)| node.live_count() == live && node.view_hash() == hash)
}

/// Whether all others that run hold the member so.
fn all_hold(world: &Cluster, member: MemberIdx, state: MemberState) -> bool {
    world.running().all(|(at, node)| at == member || node.state(member) == Some(state))
}

fn total(world: &Cluster, of: impl Fn(&FocaNode) -> u64) -> u64 {
    world.running().map(|(_, node)| of(node)).sum()
}

#[test]
fn a_converged_cluster_stays_so_at_two_datagrams_a_second() {
    let mut world = converged(1);
    world.run_for(secs(20));
    let before = world.traffic();
    world.run_for(secs(60));
    let sent = world.traffic() - before;
    let rate = sent.datagrams as f64 / f64::from(N) / 60.0;
    assert!((1.95..2.2).contains(&rate), "{rate}");
    assert_eq!((sent.streams, sent.stream_bytes), (0, 0));
    assert!(agree(&world, N as usize));
    assert!(world.watch.0.is_empty());
    assert_eq!((total(&world, FocaNode::rejoins), total(&world, FocaNode::errors)), (0, 0));
}

#[test]
fn a_crashed_member_is_dead_everywhere_within_15_seconds() {
    let mut world = converged(2);
    world.run_for(secs(20));
    world.crash(VICTIM);
    let suspected = |world: &mut Cluster| {
        world.running().any(|(_, node)| node.state(VICTIM) == Some(MemberState::Suspect))
    };
    assert!(world.run_until_holds(secs(5), STEP, suspected).is_some());
    assert!(agree(&world, N as usize), "a suspect still counts");
    let dead = |world: &mut Cluster| all_hold(world, VICTIM, MemberState::Dead);
    assert!(world.run_until_holds(secs(10), STEP, dead).is_some());
    assert!(agree(&world, OTHERS));
    assert_eq!(world.watch.count(VICTIM, Some(MemberState::Alive), MemberState::Dead), OTHERS);
    assert_eq!(world.watch.0.len(), OTHERS, "nobody else changed");
}

#[test]
fn a_member_that_leaves_is_dead_to_others_and_stays_away() {
    let mut world = converged(3);
    world.run_for(secs(20));
    world.leave(VICTIM);
    world.run_for(secs(60));
    assert!(all_hold(&world, VICTIM, MemberState::Dead));
    let node = world.node(VICTIM).expect("it was not crashed");
    assert_eq!(node.state(VICTIM), Some(MemberState::Left));
    assert_eq!((node.rejoins(), node.defunct()), (0, 0));
    world.crash(VICTIM);
    assert!(agree(&world, OTHERS));
}

#[test]
fn a_member_that_stood_still_for_long_comes_back_under_a_new_identity() {
    let mut world = converged(4);
    world.run_for(secs(20));
    world.freeze(VICTIM);
    world.run_for(secs(20));
    assert!(all_hold(&world, VICTIM, MemberState::Dead));
    world.release(VICTIM);
    let back = |world: &mut Cluster| all_hold(world, VICTIM, MemberState::Alive);
    assert!(world.run_until_holds(secs(60), STEP, back).is_some());
    world.run_for(secs(60));
    assert!(agree(&world, N as usize));
    assert!(world.node(VICTIM).is_some_and(|node| node.rejoins() > 0));
    assert_eq!(world.watch.count(VICTIM, Some(MemberState::Dead), MemberState::Alive), OTHERS);
}

#[test]
fn a_member_started_again_is_taken_for_the_same_one() {
    let mut world = converged(5);
    world.run_for(secs(20));
    world.restart_with_memory(VICTIM);
    world.run_for(secs(30));
    assert!(agree(&world, N as usize));
    let alive = MemberState::Alive;
    assert_eq!(world.watch.count(VICTIM, Some(alive), alive), OTHERS);
}

#[test]
fn members_that_join_through_one_seed_find_each_other() {
    let mut world = empty(6, 8);
    for node in (0..8).map(MemberIdx) {
        world.start(node);
        world.join(node, &[MemberIdx(0)]);
        world.run_for(STEP);
    }
    let found = |world: &mut Cluster| agree(world, 8);
    assert!(world.run_until_holds(secs(300), STEP, found).is_some());
    for node in (0..8).map(MemberIdx) {
        assert_eq!(world.watch.count(node, None, MemberState::Alive), 7);
    }
}

#[test]
fn a_join_is_tried_again_until_the_seed_answers() {
    let mut world = empty(7, 2);
    let (seed, joiner) = (MemberIdx(0), MemberIdx(1));
    world.start(seed);
    world.start(joiner);
    world.freeze(seed);
    world.join(joiner, &[seed]);
    world.run_for(Duration::from_millis(4_500));
    assert_eq!(world.traffic_of(joiner).datagrams, 5);
    world.release(seed);
    world.run_for(secs(1));
    assert!(agree(&world, 2));
}

#[test]
fn equal_seeds_give_equal_runs() {
    let trace = |seed| {
        let mut world = converged(seed);
        world.network.loss = 0.1;
        world.run_for(secs(60));
        (world.trace(), world.traffic())
    };
    assert_eq!(trace(8), trace(8));
    assert_ne!(trace(8).0, trace(9).0);
}

#[test]
fn views_are_told_apart_by_whom_they_hold_live_under_heavy_loss_too() {
    let mut world = converged(10);
    world.network.loss = 0.3;
    let live = |node: &FocaNode| -> Vec<bool> {
        let is_live = |member| node.state(MemberIdx(member)).is_some_and(MemberState::is_live);
        (0..N).map(is_live).collect()
    };
    let mut differed = 0;
    for _ in 0..30 {
        world.run_for(secs(4));
        let views: Vec<_> = world.running().map(|(_, node)| (live(node), node)).collect();
        for (here, there) in views.iter().zip(&views[1..]) {
            differed += usize::from(here.0 != there.0);
            assert_eq!(here.0 == there.0, here.1.view_hash() == there.1.view_hash());
            assert_eq!(here.0.iter().filter(|live| **live).count(), here.1.live_count());
        }
    }
    assert!(differed > 0 && total(&world, FocaNode::rejoins) > 0);
}
