//! What fits into a datagram, how often news is told, and how old it is said to be.

mod common;

use std::collections::{BTreeSet, HashMap};

use common::id;
use common::lone::{Lone, accusation, alive};
use swim_core::{GossipMessage, Mechanisms, MemberState, MemberUpdate, Options, wire_size};

/// A member that says so much of itself that two of its kind, but not three, fit into a datagram.
fn wordy(node: usize) -> MemberUpdate {
    let metadata = HashMap::from([("k".into(), "x".repeat(450))]);
    MemberUpdate { metadata: Some(metadata), ..alive(node) }
}

/// A node that has just heard of a member that says little and then of so many that say much.
fn telling(wordy_ones: usize) -> Lone {
    let mut lone = Lone::settled(20, Options::default());
    let mut updates = vec![alive(30)];
    updates.extend((31..31 + wordy_ones).map(wordy));
    lone.gossip(1, updates);
    lone
}

/// How many updates each message of gossip told.
fn updates_told(lone: &Lone) -> Vec<usize> {
    let told = |(_, _, message): &(u64, usize, GossipMessage)| match message {
        GossipMessage::Gossip { updates } => Some(updates.len()),
        _ => None,
    };
    lone.sent.iter().filter_map(told).collect()
}

/// Members of which the first datagram tells.
fn first_told(wordy_ones: usize) -> BTreeSet<usize> {
    let mut lone = telling(wordy_ones);
    lone.run_until(|lone| !lone.sent.is_empty());
    let first = lone.sent.iter().find_map(|(_, _, message)| match message {
        GossipMessage::Gossip { updates } => Some(updates.clone()),
        _ => None,
    });
    let told = first.unwrap();
    (30..40).filter(|&node| told.iter().any(|update| update.id == id(node))).collect()
}

#[test]
fn a_datagram_is_full_when_the_next_four_updates_do_not_fit() {
    assert_eq!(first_told(2), BTreeSet::from([30, 31, 32]));
    assert_eq!(first_told(5), BTreeSet::from([30, 34, 35]), "the latest first");
    assert_eq!(first_told(6), BTreeSet::from([35, 36]));
}

#[test]
fn what_does_not_fit_beside_others_is_told_later_and_not_dropped() {
    let mut lone = telling(8);
    lone.run(5.0);
    for node in 30..39 {
        assert!(!lone.told_of(node, MemberState::Alive).is_empty(), "{node}");
    }
    assert_eq!(lone.protocol.stats().broadcasts_dropped, 0);
}

#[test]
fn another_accuser_of_a_known_suspect_is_told_to_two() {
    let mechanisms = Mechanisms { verify: false, quiet: false, ..Mechanisms::all() };
    let mut options = Options { mechanisms, ..Options::default() };
    options.gossip.base.suspicion_multiplier = 60;
    let mut lone = Lone::settled(30, options);
    let tellings = |lone: &mut Lone, accuser| {
        lone.forget();
        accusation(5, &[accuser]).into_iter().for_each(|message| lone.hear(accuser, message));
        lone.run(1.9);
        // The suspect is told with each of its pings.
        lone.told_of(5, MemberState::Suspect).iter().filter(|(_, to)| *to != 5).count()
    };
    let first = tellings(&mut lone, 1);
    assert!((7..=8).contains(&first), "{first}: a ping of the suspect may carry one");
    assert_eq!(tellings(&mut lone, 2), 2);
    assert_eq!(tellings(&mut lone, 2), 0, "no news");
}

#[test]
fn news_gets_older_by_a_round_each_time_it_is_told() {
    let mut lone = Lone::settled(8, Options::default());
    lone.gossip(1, vec![alive(30)]);
    lone.hear(1, GossipMessage::Evidence { ages: vec![3], accusations: vec![] });
    lone.run(0.9);
    let pings: Vec<_> = (1..=30).flat_map(|node| lone.pings_of(node)).map(|(at, _)| at).collect();
    let ages = lone.sent.iter().filter(|(at, ..)| !pings.contains(at));
    let ages = ages.filter_map(|(_, _, message)| match message {
        GossipMessage::Evidence { ages, .. } => ages.first().copied(),
        _ => None,
    });
    let ages: Vec<_> = ages.collect();
    assert_eq!(ages, [5, 5, 5, 6, 6, 6, 7], "to three in a round");
    assert_eq!((lone.protocol.stats().ages_known, lone.protocol.stats().ages_sum), (1, 4));
}

/// An update of a member that takes so many bytes.
fn sized(node: usize, bytes: usize) -> MemberUpdate {
    let beside = wire_size::record(0) + wire_size::text(id(node).0.len()) + 6;
    let of_len = |len| HashMap::from([("k".to_owned(), "x".repeat(len))]);
    let fits = |len: &usize| beside + wire_size::metadata(&of_len(*len)) <= bytes;
    let metadata = of_len((0..bytes).rev().find(fits).unwrap());
    assert_eq!(beside + wire_size::metadata(&metadata), bytes);
    MemberUpdate { metadata: Some(metadata), ..alive(node) }
}

#[test]
fn a_datagram_is_filled_to_the_last_byte() {
    let room = 1_400 - swim_core::ENVELOPE - wire_size::GOSSIP;
    for (spare, told) in [(0, 2), (1, 1)] {
        let mut lone = Lone::settled(20, Options::default());
        lone.gossip(1, vec![sized(30, 600), sized(31, room - 600 + spare)]);
        lone.run_until(|lone| !lone.sent.is_empty());
        let GossipMessage::Gossip { updates } = &lone.sent[0].2 else { panic!("{:?}", lone.sent) };
        assert_eq!(updates.len(), told);
    }
}

#[test]
fn the_age_of_news_is_taken_from_who_told_it_first_and_once() {
    let mut lone = Lone::settled(8, Options::default());
    let told = |lone: &mut Lone, age| {
        lone.gossip(1, vec![alive(30)]);
        lone.hear(1, GossipMessage::Evidence { ages: vec![age], accusations: vec![] });
        (lone.protocol.stats().ages_known, lone.protocol.stats().ages_sum)
    };
    assert_eq!(told(&mut lone, 3), (1, 4));
    assert_eq!(told(&mut lone, 9), (1, 4), "no news");
    lone.gossip(1, vec![alive(31)]);
    lone.run(0.3);
    lone.hear(1, GossipMessage::Evidence { ages: vec![3, 3], accusations: vec![] });
    assert_eq!(lone.protocol.stats().ages_known, 1, "too late");
}

#[test]
fn a_suspect_is_told_once_in_a_message_and_beside_other_news() {
    let mechanisms = Mechanisms { verify: false, quiet: false, ..Mechanisms::all() };
    let mut options = Options { mechanisms, ..Options::default() };
    options.gossip.base.suspicion_multiplier = 60;
    options.gossip.retransmit_mult = 300;
    let mut lone = Lone::settled(8, options);
    accusation(5, &[1]).into_iter().for_each(|message| lone.hear(1, message));
    lone.gossip(1, (20..24).map(alive).collect());
    lone.answers(20..24, 1);
    let (at, _) = lone.run_to_ping_of(5);
    let beside = lone.sent.iter().find_map(|(sent, to, message)| match message {
        GossipMessage::Gossip { updates } if (*sent, *to) == (at, 5) => Some(updates),
        _ => None,
    });
    let told: Vec<_> = beside.unwrap().iter().map(|update| update.id.clone()).collect();
    let times = |node| told.iter().filter(|it| **it == id(node)).count();
    assert_eq!((&told[0], times(5)), (&id(5), 1));
    assert_eq!((20..24).map(times).collect::<Vec<_>>(), [1; 4], "{told:?}");
}

/// How many of two updates that take so many bytes go along with the next ping.
fn beside_a_ping(bytes: usize) -> usize {
    let mechanisms = Mechanisms { gossip_rounds: false, ..Mechanisms::all() };
    let mut lone = Lone::settled(20, Options { mechanisms, ..Options::default() });
    lone.gossip(1, vec![sized(30, 600), sized(31, bytes - 600)]);
    lone.run_until(|lone| (1..=31).any(|node| !lone.pings_of(node).is_empty()));
    updates_told(&lone).into_iter().sum()
}

#[test]
fn a_ping_and_what_goes_along_fill_a_datagram_to_the_last_byte() {
    let ping = wire_size::PROBE + wire_size::text(id(0).0.len());
    let room = 1_400 - swim_core::ENVELOPE - ping - wire_size::GOSSIP;
    assert_eq!([beside_a_ping(room), beside_a_ping(room + 1)], [2, 1]);
}

/// How many of two updates that take so many bytes go along with an ack that tells where this node is.
fn beside_a_coordinate(bytes: usize) -> usize {
    let mut lone = Lone::settled(20, Options::default());
    let ping = |lone: &mut Lone| {
        lone.forget();
        lone.hear(3, GossipMessage::Ping { seq: 1, from: id(3) });
        lone.sent.iter().any(|(_, _, message)| matches!(message, GossipMessage::LocatedAck { .. }))
    };
    assert!((0..8).any(|_| ping(&mut lone)), "one in eight");
    (0..7).for_each(|_| assert!(!ping(&mut lone)));
    lone.gossip(1, vec![sized(30, 600), sized(31, bytes - 600)]);
    assert!(ping(&mut lone), "one in eight");
    updates_told(&lone).into_iter().sum()
}

#[test]
fn an_ack_with_a_coordinate_and_what_goes_along_fill_a_datagram_to_the_last_byte() {
    let ack = wire_size::PROBE + wire_size::COORDINATE + wire_size::text(id(0).0.len());
    let room = 1_400 - swim_core::ENVELOPE - ack - wire_size::GOSSIP;
    assert_eq!([beside_a_coordinate(room), beside_a_coordinate(room + 1)], [2, 1]);
}

#[test]
fn a_ping_carries_as_many_updates_as_are_allowed_and_no_more() {
    let mechanisms = Mechanisms { gossip_rounds: false, ..Mechanisms::all() };
    let mut lone = Lone::settled(20, Options { mechanisms, ..Options::default() });
    lone.gossip(1, (30..60).map(alive).collect());
    lone.forget();
    lone.run_until(|lone| !lone.sent.is_empty());
    assert_eq!(updates_told(&lone), [10]);
}

#[test]
fn a_suspicion_is_told_to_a_quarter_of_those_that_other_news_is_told_to() {
    for (verify, expected) in [(true, 2..=2), (false, 7..=8)] {
        let mechanisms = Mechanisms { verify, ..Mechanisms::all() };
        let mut options = Options { mechanisms, ..Options::default() };
        options.gossip.base.suspicion_multiplier = 60;
        let mut lone = Lone::settled(30, options);
        lone.silence(5);
        accusation(5, &[1]).into_iter().for_each(|message| lone.hear(1, message));
        lone.run(1.9);
        let told = lone.told_of(5, MemberState::Suspect);
        let times = told.iter().filter(|(_, to)| *to != 5).count();
        assert!(expected.contains(&times), "{times}, not {expected:?}");
    }
}

#[test]
fn a_suspicion_with_more_accusers_goes_on_from_where_its_telling_had_got_to() {
    let mechanisms = Mechanisms { verify: false, quiet: false, ..Mechanisms::all() };
    let mut options = Options { mechanisms, ..Options::default() };
    options.gossip.base.suspicion_multiplier = 60;
    let mut lone = Lone::settled(30, options);
    accusation(5, &[1]).into_iter().for_each(|message| lone.hear(1, message));
    lone.run(0.03);
    assert_eq!(lone.told_of(5, MemberState::Suspect).len(), 3, "of eight");
    accusation(5, &[2]).into_iter().for_each(|message| lone.hear(2, message));
    lone.run(1.9);
    let told = lone.told_of(5, MemberState::Suspect);
    let times = told.iter().filter(|(_, to)| *to != 5).count();
    assert!((7..=8).contains(&times), "{times}");
}

#[test]
fn of_more_news_than_fits_each_is_told_the_next_part() {
    let mut lone = Lone::settled(20, Options::default());
    lone.gossip(1, (30..90).map(alive).collect());
    lone.run_until(|lone| !lone.sent.is_empty());
    let at = lone.sent[0].0;
    let told: BTreeSet<_> = lone
        .sent
        .iter()
        .filter(|(sent, ..)| *sent == at)
        .flat_map(|(_, _, message)| match message {
            GossipMessage::Gossip { updates } => {
                updates.iter().map(|update| update.id.0.clone()).collect()
            }
            _ => Vec::new(),
        })
        .collect();
    assert_eq!(told.len(), 60, "by a round, though a datagram holds fewer");
}
