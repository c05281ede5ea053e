//! Events on their way: which are told to whom, how often, and in which datagrams.

mod common;

use std::collections::BTreeSet;

use common::events::{announced, event, stamp, tell, told};
use common::lone::{Lone, alive, claim};
use common::{addr, id};
use swim_core::{EventError, GossipMessage, MemberState, Notice, Options, UserNotice, wire_size};

/// A node that tells twenty events of another, or of its own.
fn telling(own: bool) -> (Lone, Vec<Notice<UserNotice>>) {
    let mut lone = Lone::settled(20, Options::default());
    let mut notices: Vec<_> = (1..=20).map(|number| event(number, 0)).collect();
    if own {
        for _ in 0..20 {
            let actions = lone.protocol.send_event("x", []).unwrap();
            lone.act(actions);
        }
        lone.run(0.025);
        notices = lone
            .sent
            .iter()
            .find_map(|(_, _, message)| match message {
                GossipMessage::Notices { notices } => Some(notices.clone()),
                _ => None,
            })
            .unwrap();
    } else {
        tell(&mut lone, 2, notices.clone());
    }
    assert_eq!((notices.len(), lone.protocol.events_waiting()), (20, 20));
    (lone, notices)
}

#[test]
fn what_all_others_tell_is_not_told_as_long_as_much_waits() {
    let (mut lone, notices) = telling(false);
    // Each is told eight times among 21; that another tells it counts half.
    for _ in 0..15 {
        tell(&mut lone, 3, notices.clone());
    }
    assert_eq!(lone.protocol.events_waiting(), 20);
    tell(&mut lone, 3, notices.clone());
    assert_eq!(lone.protocol.events_waiting(), 16);
    tell(&mut lone, 3, notices.clone());
    assert_eq!(lone.protocol.events_waiting(), 16, "few wait");
}

#[test]
fn what_is_told_anyway_is_what_a_node_made_itself_and_what_it_heard_in_one_message_only() {
    let (mut lone, notices) = telling(false);
    tell(&mut lone, 3, (0..20).flat_map(|_| notices.clone()).collect());
    assert_eq!(lone.protocol.events_waiting(), 20);
    let (mut lone, notices) = telling(true);
    for _ in 0..16 {
        tell(&mut lone, 3, notices.clone());
    }
    assert_eq!(lone.protocol.events_waiting(), 20);
    assert_eq!(lone.protocol.stats().notices_known, 16 * 20);
}

/// The events in the first datagram of those that a node tells.
fn first_told(large: u64) -> Vec<u64> {
    let mut lone = Lone::settled(20, Options::default());
    let mut notices: Vec<_> = (1..=large).map(|number| event(number, 1_000)).collect();
    notices.push(event(100, 0));
    tell(&mut lone, 2, notices);
    lone.run(0.025);
    told(&lone)[0].2.clone()
}

#[test]
fn a_datagram_is_full_when_the_next_four_events_do_not_fit() {
    assert_eq!(first_told(1), [1, 100]);
    assert_eq!(first_told(4), [1, 100]);
    assert_eq!(first_told(5), [1]);
}

#[test]
fn each_message_that_is_sent_counts_once() {
    let mut lone = Lone::settled(8, Options { event_clock: 100, ..Options::default() });
    lone.forget();
    let before = lone.protocol.stats().messages_sent;
    tell(&mut lone, 3, vec![event(101, 0), announced(102), event(103, 0)]);
    let actions = lone.protocol.send_event("x", []).unwrap();
    lone.act(actions);
    lone.hear(3, GossipMessage::Fetch { stamps: vec![stamp(101)] });
    lone.hear(3, GossipMessage::SyncRequest { from: id(3) });
    lone.gossip(4, vec![alive(9)]);
    lone.run(10.0);
    let sent = lone.sent.iter().chain(&lone.streamed);
    // Evidence goes with its gossip.
    let alone = sent.filter(|(_, _, message)| !matches!(message, GossipMessage::Evidence { .. }));
    assert_eq!(lone.protocol.stats().messages_sent - before, alone.count() as u64);
}

/// How many updates the first member is told of in one round of gossip.
fn updates_in_a_round(events: u64) -> usize {
    let mut lone = Lone::settled(3, Options::default());
    lone.gossip(1, (10..70).map(alive).collect());
    tell(&mut lone, 2, (1..=events).map(|number| event(number, 0)).collect());
    lone.run(0.25);
    let gossip = lone.sent.iter().filter_map(|(at, to, message)| match message {
        GossipMessage::Gossip { updates } => Some((*at, *to, updates.len())),
        _ => None,
    });
    let pings: Vec<_> = (1..70).flat_map(|node| lone.pings_of(node)).map(|(at, _)| at).collect();
    let rounds: Vec<_> = gossip.filter(|(at, ..)| !pings.contains(at)).collect();
    let first = |&&(at, to, _): &&(u64, usize, usize)| (at, to) == (rounds[0].0, rounds[0].1);
    rounds.iter().filter(first).map(|(_, _, updates)| updates).sum()
}

#[test]
fn updates_leave_a_quarter_of_a_datagram_to_events_that_wait() {
    let (alone, beside) = (updates_in_a_round(0), updates_in_a_round(1));
    let share = beside as f64 / alone as f64;
    assert!((0.7..0.8).contains(&share), "{beside} of {alone}");
}

#[test]
fn rounds_tell_an_event_to_all_others_before_anybody_again() {
    for seed in 0..10 {
        let mut lone = Lone::settled(20, Options { seed: Some(seed), ..Options::default() });
        tell(&mut lone, 2, vec![event(1, 0)]);
        lone.run(3.0);
        assert_eq!(told(&lone).len(), 8, "as often as among 21");
        let pings: Vec<_> = (1..=20).flat_map(|node| lone.pings_of(node)).collect();
        let beside_none = |at: u64| pings.iter().all(|&(ping, _)| ping != at);
        let told = told(&lone).into_iter().filter(|&(at, ..)| beside_none(at));
        let whom: Vec<_> = told.map(|(_, to, _)| to).collect();
        let distinct: BTreeSet<_> = whom.iter().collect();
        assert!(whom.len() > 4 && distinct.len() == whom.len(), "seed {seed}: {whom:?}");
    }
}

#[test]
fn what_a_node_told_those_that_it_has_lost_is_not_told_to_those_that_it_joins() {
    // Who heard of others' events has a past with them.
    for (heard, waiting) in [(0, 0), (1, 2)] {
        let mut lone = Lone::settled(1, Options::default());
        tell(&mut lone, 1, (1..=heard).map(|number| event(number, 0)).collect());
        let actions = lone.protocol.send_event("x", []).unwrap();
        lone.act(actions);
        lone.gossip(1, vec![claim(1, MemberState::Dead)]);
        assert_eq!(lone.protocol.events_waiting() as u64, heard + 1);
        lone.protocol.bootstrap(vec![addr(9)]);
        assert_eq!(lone.protocol.events_waiting(), waiting);
    }
}

#[test]
fn who_joins_while_it_knows_others_still_tells_its_events() {
    let mut lone = Lone::settled(3, Options::default());
    let actions = lone.protocol.send_event("x", []).unwrap();
    lone.act(actions);
    lone.protocol.bootstrap(vec![addr(1)]);
    assert_eq!(lone.protocol.events_waiting(), 1);
}

/// An event that takes so many bytes, by what `size` says of it.
fn sized(
    number: u64,
    bytes: usize,
    size: impl Fn(&Notice<UserNotice>) -> usize,
) -> Notice<UserNotice> {
    let payload = (0..=bytes).rev().find(|&payload| size(&event(number, payload)) <= bytes);
    let event = event(number, payload.unwrap());
    assert_eq!(size(&event), bytes);
    event
}

#[test]
fn a_datagram_is_filled_to_the_last_byte() {
    let room = 1_400 - swim_core::ENVELOPE - wire_size::NOTICES;
    for (spare, told_first) in [(0, vec![1, 2]), (1, vec![1])] {
        let mut lone = Lone::settled(20, Options::default());
        let first = sized(1, 600, wire_size::notice);
        tell(&mut lone, 2, vec![first, sized(2, room - 600 + spare, wire_size::notice)]);
        lone.run(0.025);
        assert_eq!(told(&lone)[0].2, told_first);
    }
}

#[test]
fn an_answer_holds_a_mebibyte_to_the_last_byte() {
    for (more, answered) in [(0, vec![1, 2]), (1, vec![1])] {
        let mut lone = Lone::settled(3, Options::default());
        let notices = [(1, 1 << 19), (2, (1 << 19) + more)];
        let notices = notices.map(|(number, len)| sized(number, len, Notice::body_len));
        tell(&mut lone, 2, notices.to_vec());
        lone.forget();
        lone.hear(1, GossipMessage::Fetch { stamps: vec![stamp(1), stamp(2)] });
        assert_eq!(told(&lone)[0].2, answered);
    }
}

#[test]
fn own_events_are_refused_as_long_as_others_that_nobody_was_told_would_have_to_go() {
    for (payload, fit) in [(60_000, 69), (0, 8_192)] {
        let mut lone = Lone::settled(3, Options::default());
        let mut sent = 0;
        let refused = loop {
            match lone.protocol.send_event("x", vec![0; payload]) {
                Ok(_) => sent += 1,
                Err(refused) => break refused,
            }
        };
        assert_eq!((sent, refused), (fit, EventError::Busy { waiting: fit }));
        lone.run(5.0);
        assert!(lone.protocol.send_event("x", vec![0; payload]).is_ok());
        assert_eq!(lone.protocol.stats().notices_dropped, 0);
    }
}

#[test]
fn what_somebody_lacks_comes_in_parts_of_a_mebibyte() {
    let mut lone = Lone::settled(3, Options::default());
    tell(&mut lone, 2, (1..=30).map(|number| event(number, 60_000)).collect());
    let held = |from| GossipMessage::Held { from: id(from), above: 0, upto: 30, stamps: vec![] };
    lone.forget();
    lone.hear(100, held(100));
    assert!(told(&lone).is_empty(), "strangers are told nothing");
    lone.hear(1, held(1));
    let told: Vec<_> = told(&lone).into_iter().map(|(_, _, numbers)| numbers.len()).collect();
    assert_eq!(told, [18], "of 60 kB each");
}

/// How often an event is told in the next 80 ms.
fn told_soon(lone: &mut Lone, own: bool) -> usize {
    lone.forget();
    if own {
        let actions = lone.protocol.send_event("x", []).unwrap();
        lone.act(actions);
    } else {
        let number = lone.protocol.event_clock() + 1;
        tell(lone, 2, vec![event(number, 0)]);
    }
    lone.run(0.08);
    told(lone).len()
}

#[test]
fn what_a_node_made_itself_is_told_in_a_moment_and_what_it_hears_then_is_not() {
    let mut lone = Lone::settled(20, Options::default());
    assert!(told_soon(&mut lone, false) < 8, "a round, and what goes along with others");
    lone.run(5.0);
    assert_eq!(told_soon(&mut lone, true), 8, "as often as it is told at all");
    lone.run(5.0);
    assert!(told_soon(&mut lone, false) < 8);
}

#[test]
fn an_event_of_the_greatest_length_is_sent() {
    for (event_limit, sent) in [(226, true), (225, false)] {
        let mut lone = Lone::settled(3, Options { event_limit, ..Options::default() });
        assert_eq!(lone.protocol.send_event("large", [0; 200]).is_ok(), sent);
        assert_eq!(lone.protocol.stats().notices_sent, u64::from(sent));
    }
}

#[test]
fn events_are_kept_to_the_last_byte_of_four_mebibytes() {
    let mut lone = Lone::settled(3, Options::default());
    // Each counts 200 bytes more.
    let event = |number| sized(number, 65_536 - 200, Notice::body_len);
    tell(&mut lone, 2, (1..=64).map(event).collect());
    assert_eq!(lone.protocol.stats().notices_dropped, 0);
    tell(&mut lone, 2, vec![event(65)]);
    assert_eq!(lone.protocol.stats().notices_dropped, 1);
}

#[test]
fn events_take_the_rest_of_a_datagram_that_updates_leave() {
    let mut lone = Lone::settled(20, Options::default());
    lone.gossip(1, vec![alive(30)]);
    tell(&mut lone, 2, (1..=20).map(|number| sized(number, 101, wire_size::notice)).collect());
    lone.run(0.5);
    let gossip = lone.sent.iter().find_map(|(at, to, message)| match message {
        GossipMessage::Gossip { .. } => Some((*at, *to)),
        _ => None,
    });
    let of_both = told(&lone).into_iter().find(|&(at, to, _)| Some((at, to)) == gossip);
    assert_eq!(of_both.unwrap().2.len(), 12, "alone there is room for thirteen");
}
