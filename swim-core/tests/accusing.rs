//! Who accuses and condemns: nodes that looked themselves, and only while they hear others.

mod common;

use common::id;
use common::lone::{Lone, accusation};
use swim_core::{EventKind, GossipMessage, Mechanisms, MemberState, Options};

fn with(mechanisms: Mechanisms) -> Options {
    Options { mechanisms, ..Options::default() }
}

fn accuse(lone: &mut Lone, subject: usize, accusers: &[usize]) {
    accusation(subject, accusers).into_iter().for_each(|message| lone.hear(accusers[0], message));
}

/// Whether this node names itself among accusers.
fn accuses(lone: &Lone) -> bool {
    lone.sent.iter().any(|(_, _, message)| match message {
        GossipMessage::Evidence { accusations, .. } => {
            accusations.iter().any(|accusation| accusation.accuser == id(0))
        }
        _ => false,
    })
}

/// Whether a node that looks in vain at a suspect of others accuses it too.
fn accuses_after_a_look(relays: &[usize]) -> bool {
    let mut lone = Lone::settled(8, Options::default());
    lone.silence(5);
    lone.nacks(relays.iter().copied());
    lone.chatter(1, 4);
    accuse(&mut lone, 5, &[1]);
    lone.run(4.0);
    assert!(!lone.pings_of(5).is_empty());
    accuses(&lone)
}

#[test]
fn who_looks_in_vain_at_a_suspect_of_others_accuses_it_too_unless_it_is_deaf() {
    assert!(accuses_after_a_look(&[1, 2, 3, 4, 6, 7, 8]));
    assert!(!accuses_after_a_look(&[]));
}

/// Whether the subject of a death is told it by a node that accused it, or only heard others do so.
fn condemned_is_told(itself: bool, buddy: bool) -> bool {
    let mechanisms = Mechanisms { quiet: false, verify: false, buddy, ..Mechanisms::all() };
    let mut lone = Lone::settled(60, with(mechanisms));
    lone.nacks(1..=59);
    lone.silence(60);
    if itself {
        lone.run_to_ping_of(60);
    } else {
        accuse(&mut lone, 60, &[1, 2, 3, 4]);
    }
    lone.run_until(|lone| lone.state(60) == Some(MemberState::Dead));
    let at = lone.happened(60, EventKind::Died)[0];
    lone.told_of(60, MemberState::Dead).contains(&(at, 60))
}

#[test]
fn who_accused_a_member_tells_it_that_it_is_condemned() {
    assert!(condemned_is_told(true, true));
    assert!(!condemned_is_told(true, false), "switched off");
    assert!(!condemned_is_told(false, true), "others did");
}

#[test]
fn who_has_not_looked_itself_when_time_is_up_looks_before_it_condemns() {
    // None is probed in turn meanwhile.
    let mut lone = Lone::settled(60, with(Mechanisms { verify: false, ..Mechanisms::all() }));
    lone.nacks(1..=59);
    lone.silence(60);
    accuse(&mut lone, 60, &[1, 2, 3, 4]);
    let (looked, _) = lone.run_to_ping_of(60);
    lone.run(5.0);
    let died = lone.happened(60, EventKind::Died)[0];
    assert_eq!((died - looked) / 1_000, 500, "the time-out of a probe");
}

/// How often a node finds its paths bad that hears nobody, or nobody's answers, for so long and
/// then all again.
fn degradations(seconds: u64, others_talk: bool, then: f64) -> u64 {
    let mut lone = Lone::settled(8, Options::default());
    (1..=8).for_each(|member| lone.silence(member));
    if others_talk {
        lone.chatter(1, seconds);
    }
    lone.run(seconds as f64);
    lone.answers(1..=8, 1);
    lone.run(then);
    lone.protocol.stats().degradations
}

#[test]
fn a_node_that_hears_nobody_at_all_says_that_its_paths_are_bad_when_it_hears_again() {
    assert_eq!(degradations(30, false, 0.0), 0, "there is nobody to tell");
    assert_eq!(degradations(30, false, 20.0), 1);
    assert_eq!(degradations(30, true, 20.0), 0, "some were heard: relays are bad, or old");
}

/// How often this node pings a member in the three seconds after it began to suspect it.
fn looks_after_suspecting(mechanisms: Mechanisms) -> usize {
    let mut lone = Lone::settled(60, with(mechanisms));
    lone.nacks(1..=59);
    lone.silence(60);
    lone.run_until(|lone| lone.state(60) == Some(MemberState::Suspect));
    let before = lone.pings_of(60).len();
    lone.run(1.5);
    lone.pings_of(60).len() - before
}

#[test]
fn who_accused_a_member_aloud_does_not_look_again_and_who_keeps_it_to_itself_does() {
    assert_eq!(looks_after_suspecting(Mechanisms { quiet: false, ..Mechanisms::all() }), 0);
    assert!(looks_after_suspecting(Mechanisms::all()) > 0);
}

#[test]
fn where_relays_are_not_asked_none_are_missed_and_the_dead_are_condemned() {
    let mut options = Options::default();
    options.gossip.base.indirect_probes = 0;
    let mut lone = Lone::settled(8, options);
    lone.silence(5);
    lone.run(30.0);
    assert_eq!(lone.state(5), Some(MemberState::Dead));
}

#[test]
fn without_confirmations_a_death_is_traced_to_who_accused_first() {
    let mechanisms = Mechanisms { quiet: false, verify: false, ..Mechanisms::all() };
    let mut lone = Lone::settled(30, with(Mechanisms { confirmations: false, ..mechanisms }));
    lone.silence(30);
    accuse(&mut lone, 30, &[1]);
    accuse(&mut lone, 30, &[2]);
    lone.run_until(|lone| lone.state(30) == Some(MemberState::Dead));
    let died = lone.events.iter().find(|(_, event)| event.kind == EventKind::Died).unwrap();
    assert_eq!(died.1.by, Some(id(1)));
}
