//! Where datagrams do not pass and streams do: crashes are found, news travels, nobody dies of it.

mod common;

use common::{Cluster, id};
use swim_core::{EventKind, MemberState, Options};

fn settled(seed: u64, n: usize) -> Cluster {
    let mut cluster = Cluster::converged(seed, n, Options::lan());
    cluster.run(20.0);
    cluster
}

fn knows(cluster: &Cluster, at: usize, of: usize, value: &str) -> bool {
    let metadata = cluster.node(at).get_metadata(&id(of));
    metadata.is_some_and(|held| held.get("role").is_some_and(|held| held == value))
}

fn all_know(cluster: &Cluster, of: usize, value: &str) -> bool {
    cluster.running().into_iter().all(|at| knows(cluster, at, of, value))
}

/// Deaths declared of members that live.
fn false_deaths(cluster: &Cluster, crashed: &[usize]) -> usize {
    let died = |event: &&(u64, usize, swim_core::MemberEvent)| event.2.kind == EventKind::Died;
    let deaths = cluster.events.iter().filter(died);
    deaths.filter(|event| !crashed.iter().any(|&node| event.2.member == id(node))).count()
}

/// A crash, then new metadata and a newcomer, under a block; how long each took to be known to all.
fn live_through(
    seed: u64,
    n: usize,
    blocked: impl Fn(usize, usize) -> bool + 'static,
) -> (Cluster, [f64; 3]) {
    let mut cluster = settled(seed, n);
    cluster.block_datagrams(blocked);
    cluster.run(20.0);
    cluster.crash(3);
    let crash = cluster.run_until(120, |cluster| cluster.all_hold(3, MemberState::Dead));
    cluster.act(1, |node| node.update_metadata("role".into(), "db".into()));
    let metadata = cluster.run_until(120, |cluster| all_know(cluster, 1, "db"));
    cluster.start(n);
    cluster.join(n, 0);
    let join = cluster.run_until(120, |cluster| cluster.agree(n));
    (cluster, [crash, metadata, join])
}

fn assert_lived_through(n: usize, seeds: u64, limits: [f64; 3], blocked: fn(usize, usize) -> bool) {
    for seed in 0..seeds {
        let (mut cluster, took) = live_through(seed, n, blocked);
        eprintln!("{n} nodes, seed {seed}: {took:?}");
        for (took, limit) in took.into_iter().zip(limits) {
            assert!(took < limit, "{n} nodes, seed {seed}: {took} s, {limit} at most");
        }
        cluster.run(60.0);
        assert_eq!(false_deaths(&cluster, &[3]), 0, "{n} nodes, seed {seed}");
        cluster.heal();
        cluster.run(60.0);
        assert_eq!(false_deaths(&cluster, &[3]), 0, "{n} nodes, seed {seed}: afterwards");
        assert!(cluster.agree(n), "{n} nodes, seed {seed}: afterwards");
    }
}

#[test]
fn where_no_datagram_passes_crashes_and_news_are_known_to_all() {
    assert_lived_through(8, 5, [13.0, 5.0, 8.0], |_, _| true);
    assert_lived_through(60, 2, [16.0, 8.0, 10.0], |_, _| true);
}

#[test]
fn where_one_host_sends_and_hears_no_datagrams_it_knows_all_the_same() {
    assert_lived_through(8, 5, [13.0, 8.0, 8.0], |from, to| from == 5 || to == 5);
}

#[test]
fn where_datagrams_do_not_pass_between_halves_each_hears_of_the_other() {
    assert_lived_through(8, 5, [13.0, 20.0, 20.0], |from, to| (from < 4) != (to < 4));
}
