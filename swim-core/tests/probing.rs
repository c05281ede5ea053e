//! Probes: how often a member is asked before it is doubted, how long it may take, and which
//! answers count.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::lone::{Lone, alive};
use common::{Cluster, ManualClock, addr, id};
use swim_core::{
    EventKind, GossipAction, GossipMessage, GossipProtocol, Mechanisms, Options, Timers,
};

fn with(mechanisms: Mechanisms) -> Options {
    Options { mechanisms, ..Options::default() }
}

/// Suspicions, told or not, of 24 nodes in two minutes with a fifth of all packets lost. Streams,
/// which nothing is lost of here, are not used.
fn suspicions_under_loss(seed: u64, mechanisms: Mechanisms) -> u64 {
    let mechanisms = Mechanisms { stream_ping: false, ..mechanisms };
    let mut cluster = Cluster::converged(seed, 24, with(mechanisms));
    cluster.loss = 0.2;
    cluster.run(120.0);
    cluster.running().iter().map(|&node| cluster.node(node).stats().suspicions).sum()
}

#[test]
fn loss_of_a_fifth_hardly_ever_makes_anybody_suspect() {
    let all: u64 = (0..2).map(|seed| suspicions_under_loss(seed, Mechanisms::all())).sum();
    let once = Mechanisms { repeated_pings: false, ..Mechanisms::all() };
    let without: u64 = (0..2).map(|seed| suspicions_under_loss(seed, once)).sum();
    assert!(all <= 30, "{all} of 5760 probes");
    assert!(without > 5 * all.max(10), "{without} with one ping a probe, else {all}");
}

/// A member that was heard of just now, others being known well: when it was pinged first, and
/// when it was pinged again and relays were asked, in milliseconds after that.
fn first_probe(mechanisms: Mechanisms) -> (Vec<u64>, u64) {
    let mut lone = Lone::settled(4, with(mechanisms));
    lone.gossip(1, vec![alive(5)]);
    let (first, _) = lone.run_to_ping_of(5);
    lone.run(0.9);
    let millis = |at: u64| (at - first) / 1_000;
    let asked = lone.requests_for(5).first().map(|&(at, _)| millis(at)).unwrap();
    (lone.pings_of(5).iter().map(|&(at, _)| millis(at)).skip(1).collect(), asked)
}

#[test]
fn a_first_ping_times_out_early_once_other_round_trips_are_known() {
    let (again, asked) = first_probe(Mechanisms::all());
    assert!(again[0] < 100, "{again:?}");
    assert!((again[0] + 1..200).contains(&asked), "{asked}");
    let (again, asked) = first_probe(Mechanisms { learned_timeout: false, ..Mechanisms::all() });
    assert!(asked >= 500 && again.iter().all(|&at| at >= 500), "{asked} {again:?}");
}

#[test]
fn without_any_round_trip_the_first_ping_has_all_its_time() {
    let mut lone = Lone::knowing(4, Options::default());
    lone.run(1.9);
    let pinged = (1..=4).filter(|&member| !lone.pings_of(member).is_empty());
    let pinged = pinged.min_by_key(|&member| lone.pings_of(member)[0]).unwrap();
    let (first, asked) = (lone.pings_of(pinged)[0].0, lone.requests_for(pinged)[0].0);
    assert!(asked - first >= 500_000, "{} us", asked - first);
}

#[test]
fn each_ping_of_a_probe_has_a_seq_of_its_own_and_there_are_seven_at_most() {
    for (repeated_pings, least, most) in [(true, 4, 7), (false, 1, 1)] {
        let mechanisms = Mechanisms { repeated_pings, ..Mechanisms::all() };
        let mut lone = Lone::settled(6, with(mechanisms));
        lone.silence(6);
        let (first, _) = lone.run_to_ping_of(6);
        lone.run(0.45);
        let pings: Vec<_> = lone.pings_of(6).into_iter().filter(|&(at, _)| at >= first).collect();
        assert!((least..=most).contains(&pings.len()), "{pings:?}");
        let streamed = lone.streamed.iter().map(|(_, _, message)| match message {
            GossipMessage::Ping { seq, .. } => *seq,
            other => panic!("{other:?}"),
        });
        let seqs: Vec<u64> = pings.iter().map(|&(_, seq)| seq).chain(streamed).collect();
        let distinct: BTreeSet<_> = seqs.iter().collect();
        assert_eq!(distinct.len(), seqs.len(), "{seqs:?}");
        assert_eq!(seqs.len(), pings.len() + 1, "one by stream");
    }
}

/// A probe of member 5, which nobody has measured, after its second ping: the two `seq`s.
fn pinged_twice() -> (Lone, [u64; 2]) {
    let mut lone = Lone::settled(4, Options::default());
    lone.gossip(1, vec![alive(5)]);
    let (_, first) = lone.run_to_ping_of(5);
    let (_, second) = lone.run_to_ping_of(5);
    (lone, [first, second])
}

#[test]
fn the_second_ping_answered_no_relay_is_asked() {
    let (mut lone, [_, second]) = pinged_twice();
    lone.script(5, 5, GossipMessage::Ack { seq: second, from: id(5) });
    lone.run(0.9);
    assert!(lone.requests_for(5).is_empty());
    assert!(lone.happened(5, EventKind::Suspected).is_empty());
}

#[test]
fn an_ack_tells_the_round_trip_of_the_ping_that_it_answers() {
    for (which, millis) in [(1, 9..=12), (0, 40..=80)] {
        let (mut lone, seqs) = pinged_twice();
        lone.script(10, 5, GossipMessage::Ack { seq: seqs[which], from: id(5) });
        lone.run(0.02);
        let measured = lone.protocol.round_trip(&id(5)).unwrap();
        assert!(millis.contains(&measured.as_millis()), "{which}: {measured:?}");
    }
}

#[test]
fn an_ack_under_a_seq_not_yet_sent_does_not_count() {
    // Of the second ping, of the third, and of the ping by stream.
    for ahead in [1, 2, 7] {
        let mut lone = Lone::settled(4, Options::default());
        lone.gossip(1, vec![alive(5)]);
        let (_, seq) = lone.run_to_ping_of(5);
        lone.script(5, 5, GossipMessage::Ack { seq: seq + ahead, from: id(5) });
        lone.run(0.9);
        assert!(!lone.requests_for(5).is_empty(), "the probe went on");
        assert_eq!(lone.protocol.round_trip(&id(5)), None);
    }
}

#[test]
fn an_answer_to_the_ping_by_stream_ends_a_probe_but_tells_no_round_trip() {
    let mut lone = Lone::settled(4, Options::default());
    lone.gossip(1, vec![alive(5)]);
    let (_, seq) = lone.run_to_ping_of(5);
    lone.run(0.15);
    lone.script(5, 5, GossipMessage::Ack { seq: seq + 7, from: id(5) });
    lone.run(0.7);
    assert!(lone.happened(5, EventKind::Suspected).is_empty());
    assert_eq!(lone.protocol.round_trip(&id(5)), None);
}

#[test]
fn a_measured_path_is_given_up_on_after_a_few_round_trips() {
    let mut lone = Lone::settled(4, Options::default());
    lone.silence(3);
    let (first, _) = lone.run_to_ping_of(3);
    lone.run(0.5);
    let asked = Duration::from_micros(lone.requests_for(3)[0].0 - first);
    assert!(asked < Duration::from_millis(150), "{asked:?}");
}

/// What a node with named timers sends to node 1, and what it arms for it.
fn pings_and_timers(actions: &[GossipAction]) -> (Vec<u64>, BTreeSet<&str>) {
    let (mut seqs, mut timers) = (Vec::new(), BTreeSet::new());
    for action in actions {
        match action {
            GossipAction::Send { to, message: GossipMessage::Ping { seq, .. } } => {
                assert_eq!(*to, addr(1));
                seqs.push(*seq);
            }
            GossipAction::ScheduleTimer { name, .. } => {
                timers.extend(name.strip_suffix("_node-000001"));
            }
            _ => {}
        }
    }
    (seqs, timers)
}

#[test]
fn who_keeps_timers_by_name_is_told_when_to_ping_again() {
    let clock = ManualClock::new();
    let options = Options { timers: Timers::Named, ..Options::default() };
    let builder = GossipProtocol::builder(id(0), addr(0)).options(options);
    let mut protocol = builder.clock(clock.clone()).build().unwrap();
    protocol.handle_message(addr(1), GossipMessage::Gossip { updates: vec![alive(1)] });
    let first = protocol.tick();
    let (seqs, timers) = pings_and_timers(&first);
    assert_eq!(timers, BTreeSet::from(["probe_timeout"]), "its path is not known");
    clock.advance(Duration::from_millis(1));
    protocol.handle_message(addr(1), GossipMessage::Ack { seq: seqs[0], from: id(1) });
    let second = protocol.tick();
    let (seqs, timers) = pings_and_timers(&second);
    assert_eq!(timers, BTreeSet::from(["probe_timeout", "ping_again"]));
    let again = protocol.handle_timer("ping_again_node-000001");
    assert_eq!(pings_and_timers(&again).0, [seqs[0] + 1], "under the next seq");
    protocol.handle_message(addr(1), GossipMessage::Ack { seq: seqs[0] + 1, from: id(1) });
    assert!(protocol.handle_timer("ping_again_node-000001").is_empty());
    assert!(protocol.handle_timer("probe_timeout_node-000001").is_empty());
}
