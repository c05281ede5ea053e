//! Looking twice before accusing anybody: who stalls is not talked about, who is dead is, and who
//! hears nobody condemns nobody.

mod common;

use std::collections::BTreeSet;

use common::lone::{Lone, accusation};
use common::{Cluster, Sent, addr, id};
use swim_core::{EventKind, GossipMessage, Mechanisms, MemberState, Options, Reason};

fn with(mechanisms: Mechanisms) -> Options {
    Options { mechanisms, ..Options::default() }
}

/// A settled cluster in which what is sent is recorded from now on.
fn watched(seed: u64, n: usize, mechanisms: Mechanisms) -> Cluster {
    let mut cluster = Cluster::converged(seed, n, with(mechanisms));
    cluster.run(20.0);
    cluster.record();
    cluster
}

fn accusations(cluster: &Cluster) -> Vec<&Sent> {
    cluster.sent().iter().filter(|sent| sent.accuses()).collect()
}

fn suspicions(cluster: &Cluster) -> u64 {
    cluster.running().iter().map(|&node| cluster.node(node).stats().suspicions).sum()
}

fn incarnations(cluster: &Cluster) -> Vec<u64> {
    let own = |&node: &usize| cluster.node(node).local_member().incarnation;
    cluster.running().iter().map(own).collect()
}

/// Ten nodes stall for a second, one after another.
fn stalls(seed: u64, mechanisms: Mechanisms) -> Cluster {
    let mut cluster = watched(seed, 16, mechanisms);
    for node in 1..11 {
        cluster.freeze(node, 1.0);
        cluster.run(6.0);
    }
    cluster
}

#[test]
fn a_stall_of_a_second_is_told_to_nobody_and_raises_no_incarnation() {
    for seed in 0..3 {
        let before = incarnations(&watched(seed, 16, Mechanisms::all()));
        let cluster = stalls(seed, Mechanisms::all());
        assert!(suspicions(&cluster) > 0, "seed {seed}: nobody noticed anything");
        let told = accusations(&cluster);
        assert!(told.is_empty(), "seed {seed}: {told:?}");
        assert_eq!(incarnations(&cluster), before, "seed {seed}");
        assert!(cluster.agree(16), "seed {seed}");
    }
    let talkative = stalls(0, Mechanisms { quiet: false, ..Mechanisms::all() });
    assert!(!accusations(&talkative).is_empty());
}

/// Of a crash: when it was suspected first, when it was told first, when its subject was told, and
/// when it was condemned first, in seconds.
fn crash(seed: u64, mechanisms: Mechanisms) -> [f64; 4] {
    let mut cluster = watched(seed, 16, mechanisms);
    cluster.crash(5);
    cluster.run_until(60, |cluster| cluster.all_hold(5, MemberState::Dead));
    assert!(cluster.all_hold(5, MemberState::Dead), "seed {seed}");
    let first = |kind| cluster.events_about(5, kind)[0].0;
    let accuses = |sent: &&Sent| sent.about(5) == Some(MemberState::Suspect);
    let accused: Vec<_> = cluster.sent().iter().filter(accuses).collect();
    let subject = accused.iter().find(|sent| sent.to == addr(5)).unwrap();
    let times = [first(EventKind::Suspected), accused[0].at, subject.at, first(EventKind::Died)];
    times.map(|at| at as f64 / 1e6)
}

#[test]
fn a_dead_member_is_told_after_a_second_look_its_subject_first_and_dead_everywhere() {
    for seed in 0..5 {
        let [suspected, told, subject, died] = crash(seed, Mechanisms::all());
        assert!(told - suspected > 0.5, "seed {seed}: told after {} s", told - suspected);
        assert!(subject - told < 0.5, "seed {seed}: the subject hears it with the first");
        assert!(died - subject > 0.3, "seed {seed}: {} s to refute it", died - subject);
    }
    let [suspected, told, ..] = crash(0, Mechanisms { quiet: false, ..Mechanisms::all() });
    assert!(told - suspected < 0.1, "{} s", told - suspected);
}

#[test]
fn whoever_tells_first_has_probed_twice() {
    let mut cluster = watched(6, 16, Mechanisms::all());
    cluster.crash(5);
    let crashed = cluster.clock.micros();
    cluster.run_until(60, |cluster| cluster.all_hold(5, MemberState::Dead));
    let first = *accusations(&cluster).first().unwrap();
    let asked = cluster.sent().iter().filter(|sent| {
        sent.from == first.from
            && (crashed..first.at).contains(&sent.at)
            && matches!(&sent.message, GossipMessage::PingReq { target, .. } if *target == id(5))
    });
    let probes: BTreeSet<_> = asked
        .map(|sent| match sent.message {
            GossipMessage::PingReq { seq, .. } => seq,
            _ => unreachable!("only requests were kept"),
        })
        .collect();
    assert_eq!(probes.len(), 2, "relays were asked under {probes:?}");
}

/// A node whose packets wait for 16 seconds, both ways, while its timers run.
fn held(seed: u64, mechanisms: Mechanisms) -> (usize, usize) {
    let mut cluster = watched(seed, 16, mechanisms);
    cluster.hold(3, 16.0);
    cluster.run(60.0);
    let by_held = |(_, at, event): &&(u64, usize, swim_core::MemberEvent)| {
        *at == 3 && event.kind == EventKind::Died
    };
    let died = cluster.events.iter().filter(by_held).count();
    let told = accusations(&cluster).into_iter().filter(|sent| sent.from == addr(3)).count();
    assert!(cluster.agree(16), "seed {seed}: and it is taken back");
    (died, told)
}

#[test]
fn a_held_node_condemns_nobody_and_nobody_hears_an_accusation_from_it() {
    for seed in 0..5 {
        assert_eq!(held(seed, Mechanisms::all()), (0, 0), "seed {seed}");
    }
    let (died, _) = held(0, Mechanisms { deaf_guard: false, ..Mechanisms::all() });
    assert!(died > 0, "without the guard it condemns");
    let (_, told) = held(0, Mechanisms { nack: false, ..Mechanisms::all() });
    assert!(told > 0, "relays that owe no nack tell nothing of oneself");
}

/// Node 0 among six that it knows well; its first look at member 6 has just failed, though relays
/// said that they hear it. And the `seq` of that look.
fn suspecting(options: Options) -> (Lone, u64) {
    let mut lone = Lone::settled(6, options);
    lone.nacks(1..=5);
    lone.silence(6);
    let (_, seq) = lone.run_to_ping_of(6);
    lone.run_until(|lone| lone.state(6) == Some(MemberState::Suspect));
    (lone, seq)
}

#[test]
fn a_late_ack_ends_a_quiet_suspicion() {
    let (mut lone, seq) = suspecting(Options::default());
    lone.hear(6, GossipMessage::Ack { seq, from: id(6) });
    assert_eq!(lone.state(6), Some(MemberState::Alive));
    assert_eq!(lone.events.last().unwrap().1.reason, Reason::FirstHand);
    let pings = lone.pings_of(6).len();
    lone.answers([6], 1);
    lone.run(0.5);
    assert_eq!(lone.pings_of(6).len(), pings, "no second look");
    lone.run(10.0);
    assert!(lone.told_of(6, MemberState::Suspect).is_empty());
}

#[test]
fn neither_an_ack_of_another_probe_nor_of_another_member_ends_it() {
    for (ahead, from) in [(8, 6), (0, 5)] {
        let (mut lone, seq) = suspecting(Options::default());
        lone.hear(from, GossipMessage::Ack { seq: seq + ahead, from: id(from) });
        assert_eq!(lone.state(6), Some(MemberState::Suspect));
    }
    let (mut lone, seq) = suspecting(with(Mechanisms { first_hand: false, ..Mechanisms::all() }));
    lone.hear(6, GossipMessage::Ack { seq, from: id(6) });
    assert_eq!(lone.state(6), Some(MemberState::Suspect), "switched off");
}

/// The accusers of member 6 that node 0 names when it tells of its suspicion.
fn accusers_told(lone: &Lone) -> BTreeSet<String> {
    let evidence = lone.sent.iter().filter_map(|(_, _, message)| match message {
        GossipMessage::Evidence { accusations, .. } => Some(accusations),
        _ => None,
    });
    evidence.flatten().map(|accusation| accusation.accuser.0.clone()).collect()
}

#[test]
fn relays_that_said_so_accuse_too_and_silent_ones_do_not() {
    let mut lone = Lone::settled(4, Options::default());
    lone.nacks([1, 2]);
    lone.silence(4);
    lone.run_to_ping_of(4);
    lone.run(6.0);
    assert!(!lone.told_of(4, MemberState::Suspect).is_empty());
    let accusers = [0, 1, 2].map(|node| id(node).0);
    assert_eq!(accusers_told(&lone), BTreeSet::from(accusers), "3 said nothing");
}

#[test]
fn who_is_suspected_is_told_before_all_others() {
    let told_first = |mechanisms, seed| {
        let (mut lone, _) = suspecting(Options { seed: Some(seed), ..with(mechanisms) });
        lone.run_until(|lone| !lone.told_of(6, MemberState::Suspect).is_empty());
        lone.told_of(6, MemberState::Suspect)[0].1
    };
    assert!((0..8).all(|seed| told_first(Mechanisms::all(), seed) == 6));
    let by_chance = Mechanisms { buddy: false, ..Mechanisms::all() };
    assert!(!(0..8).all(|seed| told_first(by_chance, seed) == 6));
}

#[test]
fn however_long_the_second_look_took_its_subject_has_time_after_it_was_told() {
    // Each look takes more than half of the least time of a suspicion.
    let slow = Mechanisms { learned_timeout: false, ..Mechanisms::all() };
    let (mut lone, _) = suspecting(with(slow));
    lone.run(20.0);
    let told = lone.told_of(6, MemberState::Suspect)[0].0;
    let died = lone.happened(6, EventKind::Died)[0];
    assert!(died - told > 300_000, "{} us", died - told);
}

#[test]
fn nobody_is_condemned_before_it_was_told() {
    let (mut lone, _) = suspecting(Options::default());
    // From now on no relay answers, so that no second look tells anything.
    lone.nacks([]);
    lone.chatter(1, 30);
    lone.run(30.0);
    assert!(lone.told_of(6, MemberState::Suspect).is_empty());
    assert_eq!(lone.state(6), Some(MemberState::Suspect));
}

#[test]
fn without_a_single_nack_nobody_is_accused_however_many_others_are_heard() {
    let condemned = |mechanisms| {
        let mut lone = Lone::settled(6, with(mechanisms));
        lone.silence(6);
        lone.chatter(1, 90);
        lone.run(90.0);
        assert_ne!(lone.state(6), Some(MemberState::Alive));
        let accused = !lone.told_of(6, MemberState::Suspect).is_empty();
        assert_eq!(accused, lone.state(6) == Some(MemberState::Dead));
        accused
    };
    assert!(!condemned(Mechanisms::all()));
    assert!(condemned(Mechanisms { nack: false, ..Mechanisms::all() }));
}

/// Four members accuse a fifth, which node 0 knows well and has not looked at. Whether and when,
/// in seconds from now, it pings the accused and condemns it.
fn told_of_a_suspect(mechanisms: Mechanisms, answers: bool) -> (Option<f64>, Option<f64>) {
    let mut lone = Lone::settled(30, with(mechanisms));
    lone.nacks(1..=29);
    if !answers {
        lone.silence(30);
    }
    let start = lone.clock.micros();
    for message in accusation(30, &[1, 2, 3, 4]) {
        lone.hear(1, message);
    }
    lone.run(8.0);
    let seconds = |at: &u64| (at - start) as f64 / 1e6;
    let pinged = lone.pings_of(30).first().map(|(at, _)| seconds(at));
    (pinged, lone.happened(30, EventKind::Died).first().map(seconds))
}

#[test]
fn nobody_condemns_a_member_without_having_looked_itself() {
    let (pinged, died) = told_of_a_suspect(Mechanisms::all(), false);
    assert!(pinged.unwrap() + 0.2 < died.unwrap(), "{pinged:?} {died:?}");
    let (pinged, died) = told_of_a_suspect(Mechanisms::all(), true);
    assert!(pinged.is_some() && died.is_none(), "its answer counts: {pinged:?} {died:?}");
    let trusting =
        Mechanisms { quiet: false, verify: false, first_hand: false, ..Mechanisms::all() };
    assert!(told_of_a_suspect(trusting, true).1.is_some());
}

#[test]
fn a_suspicion_that_others_tell_has_the_quiet_time_behind_it() {
    // The least time of a suspicion among 31; its accusers waited half of that.
    let least = 2.5 * 31f64.log10() / 2.0;
    let (_, died) = told_of_a_suspect(Mechanisms::all(), false);
    assert!((0.5 * least..least).contains(&died.unwrap()), "{died:?} of {least}");
    let (_, died) = told_of_a_suspect(Mechanisms { quiet: false, ..Mechanisms::all() }, false);
    assert!(died.unwrap() >= least, "{died:?} of {least}: it was told at once");
}

#[test]
fn suspicions_stand_still_while_nobody_is_heard() {
    let died = |mechanisms| {
        let mut options = with(mechanisms);
        options.gossip.base.suspicion_multiplier = 20;
        let (mut lone, _) = suspecting(options);
        lone.run_until(|lone| !lone.told_of(6, MemberState::Suspect).is_empty());
        (1..=5).for_each(|member| lone.silence(member));
        lone.run(60.0);
        !lone.happened(6, EventKind::Died).is_empty()
    };
    assert!(!died(Mechanisms::all()));
    assert!(died(Mechanisms { deaf_guard: false, ..Mechanisms::all() }));
}
