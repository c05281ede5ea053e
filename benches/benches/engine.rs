//! What does the state machine alone cost, by index and without names, and does that grow with the
//! cluster? No peer is beside it: none has such a layer below its names and codec.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use swim_benches::engine::{Counting, claim, drain, knowing, source};
use swim_benches::{Dice, SIZES};
use swim_core::{Engine, Message, Time, Timer};

/// One operation on an engine at every size. Members are drawn within it: that takes 2 ns each.
fn at_all_sizes(
    c: &mut Criterion,
    name: &str,
    mut operation: impl FnMut(&mut Engine<()>, &mut Counting, &mut Dice, usize),
) {
    let mut group: BenchmarkGroup<'_, WallTime> = c.benchmark_group(format!("engine/{name}"));
    for n in SIZES {
        let (mut engine, mut out, mut dice) = (knowing(n), Counting::default(), Dice::default());
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| operation(&mut engine, &mut out, &mut dice, n));
        });
    }
}

fn hear_ping(engine: &mut Engine<()>, out: &mut Counting, from: usize) {
    engine.handle_message(Time::ZERO, source(from), Message::Ping { seq: 1 }, out);
}

fn hear_gossip(engine: &mut Engine<()>, out: &mut Counting, members: [usize; 8], version: u64) {
    let mut updates = members.map(|member| claim(member, version));
    engine.handle_message(Time::ZERO, source(2), Message::Gossip(&mut updates), out);
}

fn ping(c: &mut Criterion) {
    at_all_sizes(c, "ping", |engine, out, dice, n| hear_ping(engine, out, dice.member(n)));
}

fn ping_with_known_updates(c: &mut Criterion) {
    at_all_sizes(c, "ping + 8 known", |engine, out, dice, n| {
        hear_ping(engine, out, dice.member(n));
        hear_gossip(engine, out, dice.members(n), 0);
    });
}

/// The queue grows until as much is told as comes; the answer takes along what fits.
fn ping_with_fresh_updates(c: &mut Criterion) {
    let mut version = 0;
    at_all_sizes(c, "ping + 8 fresh, busy", |engine, out, dice, n| {
        version += 1;
        hear_ping(engine, out, dice.member(n));
        hear_gossip(engine, out, dice.members(n), version);
    });
}

fn probe_round_and_ack(c: &mut Criterion) {
    at_all_sizes(c, "probe round and its ack", |engine, out, _, _| {
        engine.start_period(Time::ZERO, out);
        let (member, seq) = out.ping.take().expect("somebody is pinged");
        let ack = Message::Ack { seq, member: Some(member), coordinate: None };
        engine.handle_message(Time::ZERO, source(member.0 as usize), ack, out);
    });
}

/// Of the eight, some rounds tell all; then eight come anew, which is counted too.
fn gossip_round(c: &mut Criterion) {
    let mut version = 0;
    at_all_sizes(c, "gossip round, 8 pending", |engine, out, dice, n| {
        if engine.queue_len() < 8 {
            drain(engine);
            version += 1;
            hear_gossip(engine, out, dice.members(n), version);
        }
        engine.handle_timer(Time::ZERO, Timer::Gossip, out);
    });
}

criterion_group!(
    benches,
    ping,
    ping_with_known_updates,
    ping_with_fresh_updates,
    probe_round_and_ack,
    gossip_round
);
criterion_main!(benches);
