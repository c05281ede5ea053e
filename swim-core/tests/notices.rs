//! Events on their way: which are asked for, told, compared and let go, and how often.

mod common;

use std::collections::BTreeSet;

use common::lone::{Lone, accusation, alive, claim};
use common::{addr, id};
use swim_core::{
    EventError, GossipMessage, Mechanisms, MemberState, Notice, Options, Recent, Said, Stamp,
    UserEvent, UserNotice, wire_size,
};

fn stamp(number: u64) -> Stamp {
    Stamp { ltime: number, id: number }
}

/// An event with a payload of so many bytes.
fn event(number: u64, bytes: usize) -> Notice<UserNotice> {
    let event = UserEvent { origin: id(2), name: "x".into(), payload: vec![0; bytes] };
    let said = Said::Whole(UserNotice::Event(event.into()));
    Notice { stamp: stamp(number), after: [].into(), said }
}

fn after(number: u64, before: u64) -> Notice<UserNotice> {
    Notice { after: [stamp(before)].into(), ..event(number, 0) }
}

fn announced(number: u64) -> Notice<UserNotice> {
    Notice { said: Said::Announced(5_000), ..event(number, 0) }
}

fn tell(lone: &mut Lone, from: usize, notices: Vec<Notice<UserNotice>>) {
    lone.hear(from, GossipMessage::Notices { notices });
}

fn without(mechanisms: Mechanisms) -> Options {
    Options { mechanisms, ..Options::default() }
}

/// Requests for events: after how many milliseconds, to whom, and for which.
fn asked(lone: &Lone, begin: u64) -> Vec<(u64, usize, Vec<u64>)> {
    let fetch = |(at, to, message): &(u64, usize, GossipMessage)| match message {
        GossipMessage::Fetch { stamps } => {
            Some(((at - begin) / 1_000, *to, stamps.iter().map(|stamp| stamp.ltime).collect()))
        }
        _ => None,
    };
    lone.sent.iter().filter_map(fetch).collect()
}

/// Comparisons that were sent: when, to whom, and what.
fn compared(lone: &Lone) -> Vec<(u64, usize, Recent)> {
    let recent = |(at, to, message): &(u64, usize, GossipMessage)| match message {
        GossipMessage::Recent { recent } => Some((*at, *to, *recent)),
        _ => None,
    };
    lone.sent.iter().filter_map(recent).collect()
}

/// Messages with events: when, to whom, and which.
fn told(lone: &Lone) -> Vec<(u64, usize, Vec<u64>)> {
    let told = |(at, to, message): &(u64, usize, GossipMessage)| match message {
        GossipMessage::Notices { notices } => {
            Some((*at, *to, notices.iter().map(|notice| notice.stamp.ltime).collect()))
        }
        _ => None,
    };
    lone.sent.iter().filter_map(told).collect()
}

#[test]
fn what_is_announced_is_asked_for_at_once_and_what_may_be_late_after_a_moment() {
    let mut lone = Lone::settled(20, Options::default());
    let begin = lone.clock.micros();
    tell(&mut lone, 3, vec![announced(1)]);
    tell(&mut lone, 4, vec![after(9, 8)]);
    lone.run(0.1);
    assert_eq!(asked(&lone, begin), [(1, 3, vec![1]), (50, 4, vec![8])]);
}

#[test]
fn an_event_that_does_not_come_is_asked_for_five_times_and_of_others_too() {
    let mut lone = Lone::settled(20, Options::default());
    let begin = lone.clock.micros();
    tell(&mut lone, 3, vec![announced(1)]);
    lone.run(6.0);
    let asked = asked(&lone, begin);
    let times: Vec<_> = asked.iter().map(|(at, ..)| at / 100).collect();
    assert_eq!(times, [0, 2, 6, 14, 30], "tenths of a second");
    let whom: Vec<_> = asked.iter().map(|&(_, to, _)| to).collect();
    assert_eq!([whom[0], whom[2], whom[4]], [3; 3], "who told of it");
    assert_ne!([whom[1], whom[3]], [3; 2], "or anybody");
    assert_eq!(lone.protocol.stats().notices_missed, 0);
    lone.run(1.0);
    assert_eq!(lone.protocol.stats().notices_missed, 1, "given up");
}

#[test]
fn who_told_of_an_event_and_is_gone_is_not_asked_for_it() {
    let mut lone = Lone::settled(20, Options::default());
    let begin = lone.clock.micros();
    tell(&mut lone, 3, vec![announced(1)]);
    lone.gossip(3, vec![claim(3, MemberState::Left)]);
    lone.run(6.0);
    let asked = asked(&lone, begin);
    assert_eq!(asked.len(), 5);
    assert!(asked.iter().all(|&(_, to, _)| to != 3), "{asked:?}");
}

/// A node whose time began at 100 and that heard of two events since.
fn with_two_events() -> Lone {
    let mut lone = Lone::settled(8, Options { event_clock: 100, ..Options::default() });
    tell(&mut lone, 2, vec![event(101, 0), event(102, 0)]);
    lone.run(3.0);
    lone.forget();
    lone
}

/// What this node compares with somebody just now.
fn comparison(lone: &mut Lone) -> Option<Recent> {
    lone.forget();
    let actions = lone.protocol.anti_entropy_sync();
    lone.act(actions);
    compared(lone).first().map(|&(_, _, recent)| recent)
}

#[test]
fn compared_is_what_came_more_than_a_moment_ago_by_a_hash_that_other_versions_compute() {
    let mut lone = with_two_events();
    let both = Recent { clock: 102, above: 100, upto: 102, hash: 0 };
    let hash = comparison(&mut lone).unwrap().hash;
    assert_eq!(comparison(&mut lone), Some(Recent { hash, ..both }));
    assert_eq!(hash, 11_161_469_018_652_106_426);
    tell(&mut lone, 3, vec![event(103, 0)]);
    assert_eq!(comparison(&mut lone), Some(Recent { clock: 103, hash, ..both }));
    assert_eq!(comparison(&mut Lone::settled(8, Options::default())), None, "of no events");
}

/// Answers to a comparison that this node gives: what it holds, and how often it compares again.
fn answers(lone: &mut Lone, from: usize, recent: Recent) -> (Vec<Vec<u64>>, Vec<Recent>) {
    lone.forget();
    lone.hear(from, GossipMessage::Recent { recent });
    let held = lone.sent.iter().filter_map(|(_, _, message)| match message {
        GossipMessage::Held { stamps, .. } => {
            Some(stamps.iter().map(|stamp| stamp.ltime).collect())
        }
        _ => None,
    });
    (held.collect(), compared(lone).into_iter().map(|(_, _, recent)| recent).collect())
}

#[test]
fn who_differs_is_told_what_is_held_of_the_time_that_both_remember() {
    let mut lone = with_two_events();
    let hash = comparison(&mut lone).unwrap().hash;
    let differs = Recent { clock: 102, above: 100, upto: 102, hash: 1 };
    let nothing = (vec![], vec![]);
    assert_eq!(answers(&mut lone, 3, differs), (vec![vec![101, 102]], vec![]));
    assert_eq!(answers(&mut lone, 3, Recent { hash, ..differs }), nothing);
    assert_eq!(answers(&mut lone, 100, differs), nothing, "a stranger");
    assert_eq!(answers(&mut lone, 3, Recent { above: 102, ..differs }), nothing, "no time");
    assert_eq!(answers(&mut lone, 3, Recent { above: 101, ..differs }), (vec![vec![102]], vec![]));
    // This node remembers less, and says of that what it holds.
    let less = Recent { hash, ..differs };
    assert_eq!(answers(&mut lone, 3, Recent { above: 50, ..differs }), (vec![], vec![less]));
    assert_eq!(lone.protocol.stats().notice_syncs_differing, 2);
}

#[test]
fn comparisons_are_answered_some_times_in_a_period_and_no_more() {
    let mut lone = with_two_events();
    let recent = Recent { clock: 102, above: 100, upto: 102, hash: 1 };
    let answered =
        |lone: &mut Lone| (0..200).map(|_| answers(lone, 3, recent).0.len()).sum::<usize>();
    lone.run_to_ping_of(5);
    assert_eq!(answered(&mut lone), 64);
    lone.run_to_ping_of(5);
    assert_eq!(answered(&mut lone), 64);
}

#[test]
fn of_more_events_than_are_kept_the_oldest_go_and_are_counted() {
    let mut lone = Lone::settled(3, Options::default());
    let all: Vec<_> = (1..=8_300).map(|number| event(number, 0)).collect();
    for part in all.chunks(100) {
        tell(&mut lone, 2, part.to_vec());
    }
    assert_eq!(lone.protocol.events_waiting(), 8_192);
    assert_eq!(lone.protocol.stats().notices_dropped, 108);
    assert_eq!(lone.protocol.stats().notices_heard, 8_300);
    for (number, answers) in [(108, 0), (109, 1)] {
        lone.forget();
        lone.hear(1, GossipMessage::Fetch { stamps: vec![stamp(number)] });
        assert_eq!(told(&lone).len(), answers, "{number}");
    }
}

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

#[test]
fn after_events_the_next_four_pings_carry_a_hash_of_them() {
    let hashes = |mechanisms: Mechanisms, fanout| {
        let mechanisms = Mechanisms { anti_entropy: false, ..mechanisms };
        let mut options = without(mechanisms);
        options.gossip.base.fanout = fanout;
        let mut lone = Lone::settled(8, options);
        tell(&mut lone, 3, vec![event(1, 0)]);
        lone.run(20.0);
        let to: BTreeSet<_> = compared(&lone).iter().map(|&(at, to, _)| (at, to)).collect();
        let pings = (1..=8).flat_map(|node| {
            lone.pings_of(node).into_iter().map(move |(at, _)| (at, node)).collect::<Vec<_>>()
        });
        assert!(to.is_subset(&pings.collect()), "each beside a ping");
        let told: BTreeSet<_> = told(&lone).iter().map(|&(at, to, _)| (at, to)).collect();
        assert!(to.is_disjoint(&told), "that carries no events");
        to.len()
    };
    assert_eq!([2, 3, 4].map(|fanout| hashes(Mechanisms::all(), fanout)), [0, 4, 4]);
    assert_eq!(hashes(Mechanisms { checks: false, ..Mechanisms::all() }, 3), 0);
    // Where pings alone tell, the last one that does so carries none.
    assert_eq!(hashes(Mechanisms { gossip_rounds: false, ..Mechanisms::all() }, 3), 4);
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

/// What is held of a suspect after half a minute in which nobody says anything but events.
fn suspect_among(talk: bool) -> Option<MemberState> {
    // Nor does this node look for itself.
    let mechanisms = Mechanisms { quiet: false, verify: false, ..Mechanisms::all() };
    let mut lone = Lone::settled(8, without(mechanisms));
    (1..=8).for_each(|member| lone.silence(member));
    accusation(5, &[1, 2, 3, 4]).into_iter().for_each(|message| lone.hear(1, message));
    for half in 0..60 {
        let notices = vec![event(half + 1, 0)];
        if talk {
            lone.script(half * 500, 1, GossipMessage::Notices { notices });
        }
    }
    lone.run(30.0);
    lone.state(5)
}

#[test]
fn who_hears_events_is_not_deaf() {
    assert_eq!(suspect_among(true), Some(MemberState::Dead));
    assert_eq!(suspect_among(false), Some(MemberState::Suspect));
}

#[test]
fn an_event_names_what_it_directly_follows_from_and_not_what_that_implies() {
    let mut lone = Lone::settled(8, Options::default());
    tell(&mut lone, 2, vec![event(1, 0), event(2, 0), after(3, 1)]);
    let actions = lone.protocol.send_event("x", []).unwrap();
    lone.act(actions);
    lone.run(0.1);
    let own = lone.sent.iter().find_map(|(_, _, message)| match message {
        GossipMessage::Notices { notices } => notices.iter().find(|it| it.stamp.ltime == 4),
        _ => None,
    });
    assert_eq!(*own.unwrap().after, [stamp(2), stamp(3)]);
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
fn a_joiner_learns_the_time_and_hears_nothing_that_was_before() {
    let mut lone = Lone::knowing(0, Options::default());
    lone.protocol.bootstrap(vec![addr(1)]);
    let recent = Recent { clock: 50, above: 50, upto: 50, hash: 0 };
    lone.hear(1, GossipMessage::Recent { recent });
    assert_eq!(lone.protocol.event_clock(), 50);
    lone.gossip(1, vec![alive(1), alive(2)]);
    // Of the past it asks for nothing, and waits for nothing.
    tell(&mut lone, 1, vec![after(60, 40)]);
    lone.run(1.0);
    assert!(asked(&lone, 0).is_empty());
    assert_eq!(lone.protocol.stats().notices_disordered, 0);
}

#[test]
fn of_more_events_than_can_be_asked_for_the_rest_is_missed() {
    let mut lone = Lone::settled(8, Options::default());
    for part in 0..10 {
        tell(&mut lone, 3, (1..=500).map(|number| announced(500 * part + number)).collect());
    }
    assert_eq!(lone.protocol.stats().notices_missed, 5_000 - 4_096);
}

#[test]
fn of_more_events_than_can_be_held_back_the_oldest_waits_no_longer() {
    let mut lone = Lone::settled(8, Options::default());
    let mut held_back = |number| {
        tell(&mut lone, 3, vec![after(number, 1)]);
        lone.protocol.stats().notices_disordered
    };
    let disordered: Vec<_> = (2..=4_099).map(&mut held_back).collect();
    assert_eq!(disordered[4_094..], [0, 0, 1, 2]);
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
fn who_holds_more_of_a_stretch_of_time_is_asked_for_that_and_told_what_it_lacks() {
    let mut lone = with_two_events();
    let begin = lone.clock.micros();
    let other = Stamp { ltime: 101, id: 7 };
    let stamps = vec![stamp(100), other, stamp(102), stamp(103), stamp(200)];
    lone.hear(3, GossipMessage::Held { from: id(3), above: 100, upto: 102, stamps });
    assert_eq!(told(&lone), [(begin, 3, vec![101])]);
    lone.run(0.01);
    assert_eq!(asked(&lone, begin), [(1, 3, vec![101])], "nothing of another time");
}

#[test]
fn a_clock_that_is_ahead_is_followed_if_it_is_a_members_and_not_by_too_much() {
    let mut lone = with_two_events();
    let mut clock = |from, clock| {
        let recent = Recent { clock, above: 0, upto: 0, hash: 0 };
        lone.hear(from, GossipMessage::Recent { recent });
        lone.protocol.event_clock()
    };
    assert_eq!(clock(100, 600), 102, "a stranger's");
    assert_eq!(clock(3, 1 << 60), 102, "nobody gets there");
    assert_eq!(clock(3, 500), 500);
    assert_eq!(clock(3, 400), 500);
}

#[test]
fn nothing_is_compared_where_nothing_is_left_to_compare() {
    let mechanisms = Mechanisms { anti_entropy: false, ..Mechanisms::all() };
    for (heard, comparisons) in [(50, 0), (51, 4)] {
        let mut lone = Lone::knowing(0, without(mechanisms));
        lone.answers(1..=3, 1);
        lone.protocol.bootstrap(vec![addr(1)]);
        let recent = Recent { clock: 50, above: 50, upto: 50, hash: 0 };
        lone.hear(1, GossipMessage::Recent { recent });
        lone.gossip(1, (1..=3).map(alive).collect());
        lone.run(10.0);
        lone.forget();
        tell(&mut lone, 1, vec![event(heard, 0)]);
        lone.run(20.0);
        assert_eq!(compared(&lone).len(), comparisons, "{heard}");
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
fn what_has_come_is_asked_for_no_more() {
    let mut lone = Lone::settled(8, Options::default());
    tell(&mut lone, 3, vec![announced(1), after(3, 2)]);
    tell(&mut lone, 4, vec![event(1, 5_000), event(2, 0)]);
    lone.run(10.0);
    assert!(asked(&lone, 0).is_empty());
    assert_eq!(lone.protocol.stats().notices_missed, 0);
}

#[test]
fn each_is_asked_at_once_for_all_that_it_told_of() {
    let mut lone = Lone::settled(8, Options::default());
    let begin = lone.clock.micros();
    tell(&mut lone, 3, vec![announced(1), announced(3)]);
    tell(&mut lone, 4, vec![announced(2), announced(4)]);
    lone.run(0.01);
    assert_eq!(asked(&lone, begin), [(1, 3, vec![1, 3]), (1, 4, vec![2, 4])]);
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

#[test]
fn who_lives_with_others_takes_nobodys_time_for_the_beginning_of_its_own() {
    // It joins once more.
    let mut lone = with_two_events();
    lone.protocol.bootstrap(vec![addr(1)]);
    let differs = Recent { clock: 102, above: 100, upto: 102, hash: 1 };
    assert_eq!(answers(&mut lone, 3, differs).0, [[101, 102]]);
    // It heard of no event so far.
    let mut lone = Lone::settled(8, Options::default());
    let begin = lone.clock.micros();
    let recent = Recent { clock: 50, above: 0, upto: 50, hash: 1 };
    lone.hear(3, GossipMessage::Recent { recent });
    tell(&mut lone, 4, vec![after(60, 40)]);
    lone.run(0.1);
    assert_eq!(asked(&lone, begin), [(50, 4, vec![40])], "it may have missed it");
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
fn of_many_events_the_latest_are_compared_and_told_of() {
    let mut lone = Lone::settled(8, Options::default());
    for part in 0..6 {
        let numbers = 500 * part + 1..=500 * (part + 1);
        tell(&mut lone, 2, numbers.map(|number| event(number, 0)).collect());
    }
    lone.run(3.0);
    let recent = comparison(&mut lone).unwrap();
    assert_eq!((recent.above, recent.upto), (3_000 - 1_024, 3_000));
    let differs = Recent { above: 0, hash: 1, ..recent };
    let (held, _) = answers(&mut lone, 3, differs);
    assert_eq!(held, [(3_000 - 2_048 + 1..=3_000).collect::<Vec<_>>()]);
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
