//! The engine allocates nothing in steady state.
#![forbid(unsafe_code)]

mod operations;

use std::time::Duration;

use allocation_counter::measure;
use operations::{
    Operation, Sent, a_coordinate, equal_digest, gossip_round, joined, ping, ping_fresh,
    ping_known, probe_acked, probe_located,
};
use swim_benches::engine::{claim, source};
use swim_core::{Engine, MemberIdx, Message, Options, Time, Timer, Timers};

const MEMBERS: usize = 1_000;

/// Allocations of many times an operation that was done some times already.
fn allocations(mut operation: Operation) -> u64 {
    let mut repeat = |times| (0..times).for_each(|_| operation());
    repeat(200);
    measure(|| repeat(1_000)).count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(measure(|| drop(Box::new(1))).count_total, 1);
}

#[test]
fn hot_operations_allocate_nothing() {
    let operations = [
        ("ping", ping(MEMBERS)),
        ("ping with known updates", ping_known(MEMBERS)),
        ("ping with news", ping_fresh(MEMBERS)),
        ("probe round, acked", probe_acked(MEMBERS)),
        ("probe round, acked with a coordinate", probe_located(MEMBERS)),
        ("gossip round", gossip_round(MEMBERS)),
        ("digest of an equal view", equal_digest(MEMBERS)),
    ];
    for (name, operation) in operations {
        assert_eq!(allocations(operation), 0, "{name}");
    }
}

#[test]
fn a_queue_that_fills_and_drains_again_allocates_nothing() {
    let mut engine = joined(1..=MEMBERS, Options { timers: Timers::Named, ..Options::default() });
    let mut out = Sent::default();
    let mut fill_and_drain = |incarnation| {
        for member in 1..=200 {
            let mut news = [claim(member, incarnation)];
            engine.handle_message(Time::ZERO, source(2), Message::Gossip(&mut news), &mut out);
        }
        assert_eq!(engine.queue_len(), 200);
        while engine.queue_len() > 0 {
            engine.handle_timer(Time::ZERO, Timer::Gossip, &mut out);
        }
    };
    fill_and_drain(1);
    let info = measure(|| (2..10).for_each(&mut fill_and_drain));
    assert_eq!(info.count_total, 0);
}

#[test]
fn an_idle_member_allocates_nothing_in_hours() {
    let mut engine = joined(1..=MEMBERS, Options::default());
    live_until(&mut engine, Duration::from_secs(1_000));
    let probes = engine.stats().probes;
    let info = measure(|| live_until(&mut engine, Duration::from_secs(3 * 3_600)));
    assert!(engine.stats().probes > probes + 9_000, "it went on all the time");
    assert_eq!(engine.stats().probes_failed, 0);
    assert!(engine.coordinate_of(MemberIdx(1)).is_some(), "coordinates are kept");
    assert_eq!(info.count_total, 0);
}

/// An uneventful life: all that is pinged answers, and somebody pings back.
fn live_until(engine: &mut Engine<()>, end: Duration) {
    let (mut out, end) = (Sent::default(), Time::ZERO + end);
    while let Some(now) = engine.next_timeout().filter(|now| *now < end) {
        engine.handle_timeout(now, &mut out);
        let Some((member, seq)) = out.ping.take() else { continue };
        let later = now + Duration::from_millis(1);
        let coordinate = (seq % 64 < 8).then(a_coordinate);
        let ack = Message::Ack { seq, member: Some(member), coordinate };
        engine.handle_message(later, source(member.0 as usize), ack, &mut out);
        let other = 1 + seq as usize % MEMBERS;
        engine.handle_message(later, source(other), Message::Ping { seq: 1 }, &mut out);
    }
}
