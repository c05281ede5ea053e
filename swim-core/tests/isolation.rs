//! Paths that are gone or long: who is cut off condemns nobody, and who is far away, or one of few
//! survivors, still finds out who crashed.

mod common;

use std::time::Duration;

use common::Cluster;
use swim_core::{EventKind, Mechanisms, MemberState, Options};

/// How many members a node has declared dead.
fn condemned_by(cluster: &Cluster, node: usize) -> usize {
    let died = |(_, at, event): &&(u64, usize, swim_core::MemberEvent)| {
        *at == node && event.kind == EventKind::Died
    };
    cluster.events.iter().filter(died).count()
}

/// Node 0 is not heard by anybody for a minute, and hears nobody if `deaf`.
fn cut_off(seed: u64, n: usize, deaf: bool) {
    let mut cluster = Cluster::converged(seed, n, Options::lan());
    cluster.run(20.0);
    for other in 1..n {
        cluster.cut(0, other);
        if deaf {
            cluster.cut(other, 0);
        }
    }
    cluster.run(60.0);
    assert_eq!(condemned_by(&cluster, 0), 0, "{n} nodes, seed {seed}: meanwhile");
    cluster.heal();
    let took = cluster.run_until(60, |cluster| cluster.agree(n));
    assert!(cluster.agree(n), "{n} nodes, seed {seed}: {took} s");
    cluster.run(60.0);
    assert_eq!(condemned_by(&cluster, 0), 0, "{n} nodes, seed {seed}: afterwards");
    assert!(cluster.agree(n), "{n} nodes, seed {seed}");
}

#[test]
fn an_isolated_node_declares_nobody_dead_however_few_there_are() {
    for (n, seed) in [4, 5, 10].into_iter().flat_map(|n| (0..4).map(move |seed| (n, seed))) {
        cut_off(seed, n, true);
    }
}

#[test]
fn a_node_that_hears_but_is_not_heard_declares_nobody_dead() {
    for (n, seed) in [4, 5, 10].into_iter().flat_map(|n| (0..4).map(move |seed| (n, seed))) {
        cut_off(seed, n, false);
    }
}

/// How long a crash among 16 takes to be known to all, when each round trip takes so long.
fn crash_far_away(seed: u64, round_trip: Duration, mechanisms: Mechanisms) -> f64 {
    let options = Options { mechanisms, ..Options::lan() };
    let mut cluster = Cluster::converged(seed, 16, options);
    let one_way = round_trip.as_micros() as u64 / 2;
    cluster.latency = (one_way, one_way);
    cluster.run(20.0);
    cluster.crash(3);
    cluster.run_until(60, |cluster| cluster.all_hold(3, MemberState::Dead))
}

#[test]
fn a_crash_is_known_soon_however_long_packets_are_under_way() {
    let unadapted = Mechanisms { local_health: false, ..Mechanisms::all() };
    for round_trip in [100, 200].map(Duration::from_millis) {
        for seed in 0..3 {
            for mechanisms in [Mechanisms::all(), unadapted] {
                let took = crash_far_away(seed, round_trip, mechanisms);
                assert!(took < 12.0, "{round_trip:?}, seed {seed}, {mechanisms:?}: {took} s");
            }
        }
    }
}

#[test]
fn survivors_of_a_crash_of_most_agree_and_none_is_marked_degraded() {
    for seed in 0..3 {
        let mut cluster = Cluster::converged(seed, 20, Options::lan());
        cluster.run(20.0);
        (8..20).for_each(|node| cluster.crash(node));
        for _ in 0..120 {
            cluster.run(1.0);
            let marked = |node: &usize| cluster.node(*node).local_member().is_degraded();
            let marked: Vec<_> = cluster.running().into_iter().filter(marked).collect();
            assert!(marked.is_empty(), "seed {seed}: {marked:?}");
        }
        assert!(cluster.agree(8), "seed {seed}");
    }
}
