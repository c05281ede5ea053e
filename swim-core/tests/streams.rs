//! Where datagrams do not pass and streams do: crashes are found, news travels, nobody dies of it.

mod common;

use std::collections::HashMap;

use common::{Cluster, addr, id};
use swim_core::{EventKind, GossipMessage, Mechanisms, MemberState, Options};

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

#[test]
fn without_it_a_crash_is_not_known_where_no_datagram_passes() {
    let mechanisms = Mechanisms { by_stream: false, ..Mechanisms::all() };
    let mut cluster = Cluster::converged(0, 8, Options { mechanisms, ..Options::lan() });
    cluster.block_datagrams(|_, _| true);
    cluster.run(20.0);
    cluster.crash(3);
    cluster.run(60.0);
    assert!(cluster.running().iter().all(|&at| cluster.state(at, 3) == Some(MemberState::Suspect)));
}

/// Eight nodes, no datagram passes, and something happens to node 0 for so many seconds: how many
/// deaths it declares of members that live, meanwhile and afterwards.
fn declared_by_one(seed: u64, seconds: f64, fault: impl Fn(&mut Cluster)) -> usize {
    let mut cluster = settled(seed, 8);
    cluster.block_datagrams(|_, _| true);
    cluster.run(20.0);
    fault(&mut cluster);
    cluster.run(seconds);
    cluster.heal();
    cluster.lose(0, 0.0, 0.0);
    cluster.block_datagrams(|_, _| true);
    cluster.run(60.0);
    assert!(cluster.agree(8), "seed {seed}: one view afterwards, by stream");
    let by_it = |event: &&(u64, usize, swim_core::MemberEvent)| {
        event.1 == 0 && event.2.kind == EventKind::Died
    };
    cluster.events.iter().filter(by_it).count()
}

#[test]
fn who_stands_still_or_is_cut_off_from_streams_too_declares_nobody_dead() {
    for seed in 0..4 {
        for seconds in [3.0, 10.0, 60.0] {
            let frozen = declared_by_one(seed, seconds, |it| it.freeze(0, seconds));
            let held = declared_by_one(seed, seconds, |it| it.hold(0, seconds));
            assert_eq!((frozen, held), (0, 0), "seed {seed}, {seconds} s");
        }
        let deaf = declared_by_one(seed, 60.0, |it| (1..8).for_each(|other| it.cut(other, 0)));
        let mute = declared_by_one(seed, 60.0, |it| (1..8).for_each(|other| it.cut(0, other)));
        assert_eq!((deaf, mute), (0, 0), "seed {seed}");
    }
}

/// Some of eight nodes are cut off from the others, streams included, while datagrams are blocked, until
/// each side holds the other dead; then streams pass again. How long until all views are one.
fn reunited(
    seed: u64,
    apart: &[usize],
    blocked: impl Fn(usize, usize) -> bool + Clone + 'static,
) -> f64 {
    let mut cluster = settled(seed, 8);
    cluster.block_datagrams(blocked.clone());
    cluster.run(20.0);
    let (here, there): (Vec<usize>, Vec<usize>) = (0..8).partition(|node| apart.contains(node));
    cluster.split(&[&here, &there]);
    let hold_dead = |cluster: &Cluster, these: &[usize], those: &[usize]| {
        let dead = |&of| cluster.state(these[0], of) == Some(MemberState::Dead);
        those.iter().all(dead)
    };
    cluster.run(40.0);
    assert!(hold_dead(&cluster, &there, &here), "seed {seed}");
    assert!(hold_dead(&cluster, &here, &there), "seed {seed}");
    cluster.heal();
    cluster.block_datagrams(blocked);
    cluster.run_until(120, |cluster| cluster.agree(8))
}

#[test]
fn parts_that_held_each_other_dead_find_each_other_by_stream() {
    for seed in 0..5 {
        let halves = reunited(seed, &[0, 1, 2, 3], |_, _| true);
        let rack = reunited(seed, &[5, 6], |_, _| true);
        let between = reunited(seed, &[0, 1, 2, 3], |from, to| (from < 4) != (to < 4));
        eprintln!("seed {seed}: halves {halves} s, a rack of two {rack} s, between {between} s");
        assert!(halves < 20.0 && rack < 30.0 && between < 20.0, "seed {seed}");
    }
}

#[test]
fn a_goodbye_by_stream_is_confirmed_on_it() {
    for seed in 0..5 {
        let mut cluster = settled(seed, 8);
        cluster.block_datagrams(|_, _| true);
        cluster.run(20.0);
        cluster.act(4, |node| node.leave());
        let heard = cluster.run_until(10, |cluster| cluster.node(4).has_left());
        assert!(heard < 0.1, "seed {seed}: {heard} s");
        assert_eq!(
            cluster.node(4).gossip_interval().as_millis(),
            1_000,
            "as long as a round takes"
        );
        let known = cluster.run_until(10, |cluster| cluster.all_hold(4, MemberState::Left));
        assert!(known < 4.0, "seed {seed}: {known} s");
    }
}

#[test]
fn a_silent_member_is_pinged_by_stream_three_times_a_look_and_a_dead_one_told_nothing_by_it() {
    let mut cluster = settled(0, 8);
    cluster.block_datagrams(|_, _| true);
    cluster.run(20.0);
    cluster.record();
    cluster.crash(3);
    cluster.run(40.0);
    assert!(cluster.all_hold(3, MemberState::Dead));
    let mut pings: HashMap<_, usize> = HashMap::new();
    for sent in cluster.sent().iter().filter(|sent| sent.by_stream && sent.to == addr(3)) {
        assert_ne!(sent.about(3), Some(MemberState::Dead), "at {}", sent.at);
        if let GossipMessage::Ping { seq, .. } = sent.message {
            *pings.entry((sent.from, seq)).or_default() += 1;
        }
    }
    assert_eq!(pings.values().max(), Some(&3));
}

#[test]
fn where_datagrams_pass_hardly_anything_but_pings_goes_by_stream() {
    // But the word of two accusers to who crashed that it is suspect, each with its evidence; and what goes
    // along with pings by stream and then to who answered one, one in fifteen seconds from each node.
    for (seed, loss, most) in [(0, 0.0, 4), (1, 0.2, 64)] {
        let mut cluster = settled(seed, 8);
        cluster.loss = loss;
        cluster.record();
        cluster.run(60.0);
        cluster.crash(3);
        cluster.run(60.0);
        let by_stream = cluster.sent().iter().filter(|sent| sent.by_stream);
        let others = by_stream.filter(|sent| !matches!(sent.message, GossipMessage::Ping { .. }));
        let others = others.count();
        assert!(others <= most, "loss {loss}: {others}");
    }
}

#[test]
fn where_only_streams_pass_and_nothing_happens_each_opens_one_a_second() {
    let mut cluster = settled(0, 16);
    cluster.block_datagrams(|_, _| true);
    // Until each has said that its paths are bad.
    cluster.run(60.0);
    cluster.record();
    cluster.run(60.0);
    let pings = |by_stream: bool| {
        let ping = |sent: &&common::Sent| matches!(sent.message, GossipMessage::Ping { .. });
        cluster.sent().iter().filter(ping).filter(|sent| sent.by_stream == by_stream).count()
    };
    assert!((16 * 55..=16 * 61).contains(&pings(true)), "{}", pings(true));
    let told = |sent: &&common::Sent| matches!(sent.message, GossipMessage::Gossip { .. });
    assert_eq!(cluster.sent().iter().filter(told).count(), 0);
}
