//! Where a rule begins and where it ends: figures that larger scenarios would not notice to be a little off.

mod common;

use common::lone::{Lone, accusation, alive, claim};
use common::{addr, id};
use swim_core::{
    Digest, GossipMessage, Mechanisms, MemberState, MemberUpdate, Options,
};

fn with(mechanisms: Mechanisms) -> Options {
    Options { mechanisms, ..Options::default() }
}

fn ping(from: usize) -> GossipMessage {
    GossipMessage::Ping { seq: 1, from: id(from) }
}

#[test]
fn each_message_that_comes_counts_once() {
    let mut lone = Lone::settled(3, Options::default());
    let before = lone.protocol.stats().messages_received;
    for from in [1, 2, 2] {
        lone.hear(from, ping(from));
    }
    assert_eq!(lone.protocol.stats().messages_received, before + 3);
}

/// After how many milliseconds a relay says that the member it was to ping has not answered.
fn nack_after(mechanisms: Mechanisms) -> u64 {
    let mut lone = Lone::settled(3, with(mechanisms));
    lone.silence(2);
    let begin = lone.clock.micros();
    lone.hear(1, GossipMessage::PingReq { seq: 77, from: id(1), target: id(2) });
    lone.run(2.0);
    let nacks = lone.sent.iter().filter(|(_, to, message)| {
        *to == 1 && matches!(message, GossipMessage::Nack { seq: 77, .. })
    });
    let at: Vec<_> = nacks.map(|(at, ..)| (at - begin) / 1_000).collect();
    assert_eq!(at.len(), 1);
    at[0]
}

#[test]
fn a_relay_says_after_four_fifths_of_the_askers_time_that_it_has_no_answer() {
    // Of half the time-out, 500 ms, or else of what it leaves of the period.
    assert_eq!(nack_after(Mechanisms::all()), 200);
    assert_eq!(nack_after(Mechanisms { early_suspicion: false, ..Mechanisms::all() }), 400);
}

#[test]
fn an_accusation_that_was_heard_is_no_news_again() {
    let mut lone = Lone::settled(8, Options::default());
    let learned = |lone: &Lone| lone.protocol.stats().updates_learned;
    let mut told = Vec::new();
    for accusers in [&[1][..], &[1], &[1, 2]] {
        let before = learned(&lone);
        accusation(5, accusers).into_iter().for_each(|message| lone.hear(1, message));
        told.push(learned(&lone) - before);
    }
    assert_eq!(told[..2], [1, 0]);
}

#[test]
fn only_the_answer_to_a_join_is_answered_with_what_it_lacked() {
    let mut lone = Lone::knowing(3, Options::default());
    let pushed = |lone: &mut Lone| {
        let members = vec![lone.protocol.member(&id(1)).unwrap().clone()];
        let view = GossipMessage::Sync { members };
        let (datagrams, streams) = (lone.sent.len(), lone.streamed.len());
        lone.hear(1, view);
        let is_sync = |(_, _, message): &&(u64, usize, GossipMessage)| {
            matches!(message, GossipMessage::Sync { .. })
        };
        lone.sent[datagrams..].iter().filter(is_sync).count()
            + lone.streamed[streams..].iter().filter(is_sync).count()
    };
    assert_eq!(pushed(&mut lone), 0, "nobody was asked");
    lone.protocol.bootstrap(vec![addr(1)]);
    assert_eq!(pushed(&mut lone), 1);
    assert_eq!(pushed(&mut lone), 0, "one was asked");
}

/// How many hashes this node gives of its view where another has a different one.
fn buckets(others: usize) -> usize {
    let mut lone = Lone::settled(others, Options::default());
    lone.hear(1, GossipMessage::Digest { digest: Digest::View { hash: 1 } });
    let hashes = lone.sent.iter().find_map(|(_, _, message)| match message {
        GossipMessage::Digest { digest: Digest::Buckets { hashes } } => Some(hashes.len()),
        _ => None,
    });
    hashes.expect("views differ")
}

#[test]
fn views_are_compared_by_about_eight_members_at_a_time() {
    assert_eq!([buckets(3), buckets(15), buckets(31), buckets(63)], [1, 2, 4, 8]);
}

#[test]
fn a_refutation_goes_first_until_it_was_told_often_enough() {
    let mut options = Options::default();
    options.gossip.base.max_piggyback = 2;
    let mut lone = Lone::settled(30, options);
    lone.gossip(1, vec![claim(0, MemberState::Suspect)]);
    // More news than fits beside it, and fresher.
    lone.gossip(1, (2..20).map(|node| MemberUpdate { incarnation: 1, ..alive(node) }).collect());
    lone.forget();
    let mut told = 0;
    for _ in 0..6 {
        lone.forget();
        lone.hear(1, ping(1));
        told += lone.told_of(0, MemberState::Alive).len();
    }
    assert_eq!(told, 6);
}

#[test]
fn who_is_forgotten_accuses_nobody_under_the_name_of_who_has_its_place() {
    let mut options = Options::default();
    options.dead_retention = 1_000;
    options.gossip.base.suspicion_multiplier = 60;
    options.mechanisms = Mechanisms { verify: false, quiet: false, ..Mechanisms::all() };
    let mut lone = Lone::settled(8, options);
    lone.answers(1..=8, 1);
    accusation(5, &[3]).into_iter().for_each(|message| lone.hear(1, message));
    lone.silence(5);
    lone.silence(3);
    lone.gossip(3, vec![claim(3, MemberState::Left)]);
    lone.run(4.0);
    assert_eq!(lone.state(3), None, "forgotten");
    lone.gossip(1, vec![alive(20)]);
    lone.forget();
    accusation(5, &[2]).into_iter().for_each(|message| lone.hear(1, message));
    lone.run(3.0);
    let accusers = lone.sent.iter().filter_map(|(_, _, message)| match message {
        GossipMessage::Evidence { accusations, .. } => Some(accusations),
        _ => None,
    });
    let accusers: Vec<_> = accusers.flatten().map(|held| held.accuser.clone()).collect();
    assert!(accusers.contains(&id(2)), "{accusers:?}");
    assert!(!accusers.contains(&id(20)), "{accusers:?}");
}
