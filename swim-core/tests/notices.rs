//! Events on their way: which are asked for, compared and let go, and how often.

mod common;

use std::collections::BTreeSet;

use common::events::{after, announced, asked, compared, event, stamp, tell, told, without};
use common::lone::{Lone, accusation, alive, claim};
use common::{addr, id};
use swim_core::{GossipMessage, Mechanisms, MemberState, Options, Recent, Stamp};

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
