//! By which way a member is reached: its own last answer says so, and what others send does not.

mod common;

use common::lone::{Lone, accusation, alive, claim};
use common::{addr, id};
use swim_core::{GossipMessage, MemberState, MemberUpdate, Options};

/// The pings by stream that a member was sent: under which `seq`.
fn streamed(lone: &Lone, member: usize) -> Vec<u64> {
    let ping = |(_, to, message): &(u64, usize, GossipMessage)| match message {
        GossipMessage::Ping { seq, .. } if *to == member => Some(*seq),
        _ => None,
    };
    lone.streamed.iter().filter_map(ping).collect()
}

/// Runs until a member that is silent is pinged by stream; under which `seq`.
fn run_to_stream(lone: &mut Lone, member: usize) -> u64 {
    lone.silence(member);
    lone.forget();
    lone.run_until(|lone| !streamed(lone, member).is_empty());
    streamed(lone, member)[0]
}

fn ack(lone: &mut Lone, from: usize, of: usize, seq: u64) {
    lone.hear(from, GossipMessage::Ack { seq, from: id(of) });
}

/// A node among nine whose last ping of member 5 was answered by stream.
fn by_stream() -> Lone {
    let mut lone = Lone::settled(8, Options::default());
    let seq = run_to_stream(&mut lone, 5);
    ack(&mut lone, 5, 5, seq);
    lone.answers(1..=8, 1);
    lone.silence(5);
    assert!(only_streams_reach(&mut lone, 5));
    lone
}

fn ask_to_ping(lone: &mut Lone, member: usize) {
    lone.forget();
    lone.hear(100, GossipMessage::PingReq { seq: 1, from: id(100), target: id(member) });
}

/// As a relay it then says at once that it brings no answer.
fn only_streams_reach(lone: &mut Lone, member: usize) -> bool {
    ask_to_ping(lone, member);
    lone.sent.iter().any(|(_, _, message)| matches!(message, GossipMessage::Nack { .. }))
}

#[test]
fn who_asks_for_a_ping_has_no_stream_opened() {
    let mut lone = by_stream();
    accusation(5, &[1, 2]).into_iter().for_each(|message| lone.hear(1, message));
    assert_eq!(lone.state(5), Some(MemberState::Suspect));
    for _ in 0..100 {
        ask_to_ping(&mut lone, 5);
        assert!(lone.streamed.is_empty(), "{:?}", lone.streamed);
        assert_eq!(lone.pings_of(5).len(), 1);
        assert_eq!(lone.told_of(5, MemberState::Suspect).len(), 1, "it goes along");
    }
}

#[test]
fn however_often_who_is_reached_by_stream_accuses_this_node_few_streams_say_that_it_lives() {
    let mut lone = by_stream();
    lone.forget();
    for incarnation in 0..200 {
        lone.gossip(5, vec![MemberUpdate { incarnation, ..claim(0, MemberState::Suspect) }]);
    }
    assert_eq!(lone.protocol.stats().own_refutations, 200);
    let by_datagram = lone.told_of(0, MemberState::Alive).len();
    let by_stream = lone.streamed.len();
    assert_eq!((by_stream, by_datagram), (64, 200 - 64), "as many as corrections in a period");
}

#[test]
fn what_a_relay_says_under_the_number_of_a_stream_came_by_none() {
    let mut lone = Lone::settled(8, Options::default());
    let seq = run_to_stream(&mut lone, 5);
    let (_, relay) = lone.requests_for(5)[0];
    ack(&mut lone, relay, 5, seq);
    assert!(!only_streams_reach(&mut lone, 5));
    assert_eq!(lone.protocol.stats().answers_by_stream, 0);
}

#[test]
fn nor_did_what_it_says_when_the_probe_has_failed() {
    let mut lone = Lone::settled(8, Options::default());
    lone.nacks(1..=8);
    let seq = run_to_stream(&mut lone, 5);
    lone.run_until(|lone| lone.state(5) == Some(MemberState::Suspect));
    ack(&mut lone, 1, 5, seq);
    assert_eq!(lone.state(5), Some(MemberState::Alive), "it lives, says a relay");
    assert!(!only_streams_reach(&mut lone, 5));
    let seq = run_to_stream(&mut lone, 5);
    lone.run_until(|lone| lone.state(5) == Some(MemberState::Suspect));
    ack(&mut lone, 5, 5, seq);
    assert!(only_streams_reach(&mut lone, 5), "as its own late answer says");
}

#[test]
fn that_a_relay_reaches_a_member_does_not_mean_that_this_node_does() {
    let mut lone = by_stream();
    run_to_stream(&mut lone, 5);
    let (_, first) = lone.pings_of(5)[0];
    let (_, relay) = lone.requests_for(5)[0];
    ack(&mut lone, relay, 5, first);
    assert!(only_streams_reach(&mut lone, 5));
    lone.answers([5], 1);
    lone.run_to_ping_of(5);
    lone.run(0.1);
    assert!(!only_streams_reach(&mut lone, 5), "it has answered itself");
}

#[test]
fn who_moves_is_tried_anew_and_who_is_started_again_where_it_was_is_not() {
    let restarted = MemberUpdate { incarnation: 1 << 32, ..alive(5) };
    let moved = MemberUpdate { address: Some(addr(50)), ..restarted.clone() };
    for (said, by_stream_only) in [(restarted, true), (moved, false)] {
        let mut lone = by_stream();
        lone.gossip(5, vec![said]);
        assert_eq!(only_streams_reach(&mut lone, 5), by_stream_only);
    }
}

#[test]
fn who_was_forgotten_is_tried_anew() {
    let mut lone = by_stream();
    lone.gossip(5, vec![claim(5, MemberState::Left)]);
    lone.run(2.0 * 3_600.0);
    assert_eq!(lone.state(5), None);
    lone.gossip(1, vec![MemberUpdate { incarnation: 1 << 32, ..alive(5) }]);
    assert!(!only_streams_reach(&mut lone, 5));
}
