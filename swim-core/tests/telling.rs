//! Telling: how often news is sent, how fast it gets about, and how those hear of it who missed it.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::lone::{Lone, accusation, alive, claim};
use common::{Cluster, addr, id};
use swim_core::{
    AdvancedGossipConfig, EventKind, GossipMessage, Mechanisms, MemberState, MemberUpdate, Options,
};

/// Without the periodic exchange of views.
fn with(mechanisms: Mechanisms) -> Options {
    Options { mechanisms: Mechanisms { anti_entropy: false, ..mechanisms }, ..Options::default() }
}

const MISSING: std::ops::Range<usize> = 24..32;

/// So many nodes with one view.
fn settled(seed: u64, n: usize, mechanisms: Mechanisms) -> Cluster {
    let mut cluster = Cluster::new(seed, with(mechanisms));
    (0..n).for_each(|node| cluster.start(node));
    (1..n).for_each(|node| cluster.join(node, 0));
    for _ in 0..20 {
        cluster.run(1.0);
        if !cluster.agree(n) {
            (0..n).for_each(|node| cluster.act(node, |protocol| protocol.anti_entropy_sync()));
        }
    }
    assert!(cluster.agree(n));
    cluster.run(20.0);
    cluster
}

/// The same, but no gossip about one member reaches some of 32 nodes.
fn censored(seed: u64, about: usize, mechanisms: Mechanisms) -> Cluster {
    let mut cluster = settled(seed, 32, mechanisms);
    let deaf: Vec<_> = MISSING.map(addr).collect();
    cluster.censor(move |_, to, message| match message {
        GossipMessage::Gossip { updates } => {
            deaf.contains(&to) && updates.iter().any(|update| update.id == id(about))
        }
        _ => false,
    });
    cluster
}

/// How many of those who missed a change of metadata know it 15 seconds later.
fn know_the_metadata(seed: u64, mechanisms: Mechanisms) -> usize {
    let mut cluster = censored(seed, 3, mechanisms);
    cluster.act(3, |protocol| protocol.update_metadata("role".into(), "db".into()));
    cluster.run(15.0);
    let knows = |&node: &usize| {
        let metadata = cluster.node(node).get_metadata(&id(3)).unwrap();
        metadata.contains_key("role")
    };
    MISSING.filter(knows).count()
}

#[test]
fn who_missed_news_hears_of_it_within_seconds_by_checks() {
    let known: usize = (0..3).map(|seed| know_the_metadata(seed, Mechanisms::all())).sum();
    assert!(known > 3 * MISSING.len() / 2, "{known} of {}", 3 * MISSING.len());
    assert_eq!(know_the_metadata(0, Mechanisms { checks: false, ..Mechanisms::all() }), 0);
}

/// When those who missed a death hold it for true, in seconds after all others do: the mean.
fn learn_of_a_death(seed: u64, mechanisms: Mechanisms) -> f64 {
    let mut cluster = censored(seed, 3, mechanisms);
    cluster.crash(3);
    let knows = |cluster: &Cluster, node| cluster.state(node, 3) == Some(MemberState::Dead);
    let others: Vec<_> = cluster.running().into_iter().filter(|at| !MISSING.contains(at)).collect();
    cluster.run_until(60, |cluster| others.iter().all(|&node| knows(cluster, node)));
    let start = cluster.clock.micros();
    cluster.run_until(120, |cluster| MISSING.clone().all(|node| knows(cluster, node)));
    assert!(MISSING.clone().all(|node| knows(&cluster, node)));
    let died = cluster.events_about(3, EventKind::Died).into_iter();
    let late = died.filter(|(_, node)| MISSING.contains(node));
    let waits = late.map(|(at, _)| at.saturating_sub(start) as f64 / 1e6);
    waits.sum::<f64>() / MISSING.len() as f64
}

#[test]
fn who_missed_a_death_hears_of_it_within_seconds_by_checks() {
    let mean =
        |mechanisms| (0..3).map(|seed| learn_of_a_death(seed, mechanisms)).sum::<f64>() / 3.0;
    let checked = mean(Mechanisms::all());
    let alone = mean(Mechanisms { checks: false, ..Mechanisms::all() });
    assert!(checked < 10.0, "{checked} s");
    assert!(alone > 1.5 * checked, "{alone} s by itself, {checked} s by checks");
}

#[test]
fn after_news_the_next_two_pings_carry_a_hash_of_the_view() {
    let hashes = |mechanisms| {
        let mut lone = Lone::settled(4, with(mechanisms));
        lone.gossip(1, vec![alive(5)]);
        lone.run(12.0);
        let hash = |(_, _, message): &&(u64, usize, GossipMessage)| {
            matches!(message, GossipMessage::Digest { .. })
        };
        let to: BTreeSet<_> = lone.sent.iter().filter(hash).map(|&(at, to, _)| (at, to)).collect();
        let pings = (1..=5).flat_map(|node| {
            lone.pings_of(node).into_iter().map(move |(at, _)| (at, node)).collect::<Vec<_>>()
        });
        assert!(to.is_subset(&pings.collect()), "each beside a ping");
        to.len()
    };
    assert_eq!(hashes(Mechanisms::all()), 2);
    assert_eq!(hashes(Mechanisms { checks: false, ..Mechanisms::all() }), 0);
}

/// How often each of 60 nodes sent one change of metadata.
fn sendings(mechanisms: Mechanisms) -> Vec<usize> {
    let mut cluster = settled(3, 60, mechanisms);
    cluster.record();
    cluster.act(7, |protocol| protocol.update_metadata("role".into(), "db".into()));
    cluster.run(10.0);
    let mut by_sender = BTreeMap::new();
    for sent in cluster.sent().iter().filter(|sent| sent.about(7).is_some()) {
        *by_sender.entry(sent.from).or_insert(0) += 1;
    }
    assert_eq!(by_sender.len(), 60, "everybody heard of it and told it");
    by_sender.into_values().collect()
}

#[test]
fn each_update_is_sent_at_most_the_limit_and_feedback_sends_fewer() {
    let all = sendings(Mechanisms::all());
    let without = sendings(Mechanisms { feedback: false, ..Mechanisms::all() });
    // retransmit_mult * ceil(log10(n + 1))
    assert_eq!(without.iter().max(), Some(&8));
    assert!(all.iter().all(|&sent| sent <= 8), "{all:?}");
    let (all, without): (usize, usize) = (all.iter().sum(), without.iter().sum());
    assert!(all * 10 < without * 8, "{all} sendings, {without} without feedback");
}

#[test]
fn a_suspicion_is_sent_to_a_third_of_those_that_other_news_is_sent_to() {
    let sent = |mechanisms, state| {
        let mut lone = Lone::settled(30, with(mechanisms));
        let update = MemberUpdate { incarnation: 1, ..alive(9) };
        match state {
            MemberState::Suspect => accusation(9, &[2]).into_iter().for_each(|it| lone.hear(2, it)),
            _ => lone.gossip(2, vec![update]),
        }
        lone.silence(9);
        lone.run(1.1);
        let told = lone.told_of(9, state);
        told.iter().filter(|(_, to)| *to != 9).count()
    };
    // Its subject may be among them, and is not counted.
    let alive = sent(Mechanisms::all(), MemberState::Alive);
    assert!((6..=8).contains(&alive), "{alive}");
    let suspect = sent(Mechanisms::all(), MemberState::Suspect);
    assert!((1..=3).contains(&suspect), "{suspect}");
    let unverified = Mechanisms { verify: false, ..Mechanisms::all() };
    let suspect = sent(unverified, MemberState::Suspect);
    assert!((6..=8).contains(&suspect), "{suspect}");
}

#[test]
fn the_queue_keeps_its_bound_when_a_telling_is_resumed() {
    let gossip = AdvancedGossipConfig { broadcast_queue_size: 5, ..Default::default() };
    let mut lone = Lone::settled(9, Options { gossip, ..Options::default() });
    for message in accusation(1, &[2]) {
        lone.hear(2, message);
    }
    // A bare suspicion, which may be node 3's own, and news that takes its place in the queue.
    let mut updates = vec![claim(1, MemberState::Suspect)];
    updates.extend((20..25).map(alive));
    lone.gossip(3, updates);
    assert_eq!(lone.protocol.queue_len(), 5);
    // Node 3 had only passed it on: its telling goes on where it was.
    let [_, companion] = accusation(1, &[2]);
    lone.hear(3, companion);
    assert_eq!(lone.protocol.queue_len(), 5);
}

/// How long news waits for its round when `waiting` other news came with the round before, in
/// milliseconds.
fn wait_for_a_round(waiting: usize) -> u64 {
    let options = Options { gossip_interval: 2_000, ..Options::default() };
    let mut lone = Lone::settled(9, options);
    (1..=9).for_each(|node| lone.silence(node));
    lone.gossip(1, (20..20 + waiting).map(alive).collect());
    lone.run_until(|lone| !lone.told_of(20, MemberState::Alive).is_empty());
    let start = lone.clock.micros();
    lone.gossip(1, vec![alive(50)]);
    let round = |lone: &Lone| {
        let pinged = |at, node| lone.pings_of(node).iter().any(|&(ping, _)| ping == at);
        let told = lone.told_of(50, MemberState::Alive);
        told.into_iter().find(|&(at, to)| !pinged(at, to))
    };
    lone.run_until(|lone| round(lone).is_some());
    (round(&lone).unwrap().0 - start) / 1_000
}

#[test]
fn fresh_news_waits_for_no_round_when_little_waits() {
    let (few, many) = (wait_for_a_round(1), wait_for_a_round(20));
    assert!(few <= 250, "a tenth of the interval: {few} ms");
    assert!(many > 1_000, "{many} ms");
}

#[test]
fn a_round_sends_several_datagrams_when_much_waits() {
    let told = |waiting: usize| {
        let mut lone = Lone::knowing(3, Options::default());
        lone.gossip(1, (10..10 + waiting).map(alive).collect());
        lone.run(0.1);
        let mut by_target = BTreeMap::new();
        for (_, to, message) in &lone.sent {
            if let GossipMessage::Gossip { updates } = message {
                *by_target.entry(to).or_insert(0) += updates.len();
            }
        }
        by_target.into_values().max().unwrap()
    };
    let (usual, much) = (told(60), told(400));
    assert!(usual > 10 && much > 3 * usual, "{usual} of 60, {much} of 400");
}

fn delta(nodes: impl Iterator<Item = usize>) -> GossipMessage {
    let updates = nodes.map(|node| claim(node, MemberState::Dead)).collect();
    GossipMessage::Delta { updates, wanted: vec![] }
}

fn pinged(lone: &Lone) -> Vec<usize> {
    let ping = |(_, to, message): &(u64, usize, GossipMessage)| {
        matches!(message, GossipMessage::Ping { .. }).then_some(*to)
    };
    lone.sent.iter().filter_map(ping).collect()
}

#[test]
fn hints_are_followed_at_once_four_in_a_period_and_the_others_next() {
    let mut soon = 0;
    for seed in 0..6 {
        let mut lone = Lone::settled(40, Options { seed: Some(seed), ..Options::default() });
        lone.hear(1, delta(3..9));
        assert_eq!(pinged(&lone), [3, 4, 5, 6], "seed {seed}");
        let believed = (3..9).any(|node| lone.state(node) != Some(MemberState::Alive));
        assert!(!believed, "seed {seed}");
        lone.run(3.5);
        // Unless this round had them before.
        soon += pinged(&lone)[4..].iter().filter(|node| [7, 8].contains(node)).count();
        lone.forget();
        lone.hear(1, delta(10..12));
        assert_eq!(pinged(&lone), [10, 11], "seed {seed}: in another period");
    }
    assert!(soon >= 6, "{soon} of 12");
}
