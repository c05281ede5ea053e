//! What does the state machine alone cost, and does that grow with the cluster?
#![allow(missing_docs, reason = "criterion's macros make public items")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use swim_benches::{Counting, SIZES, claim, drain, engine, source};
use swim_core::{MemberIdx, MemberState, Message, Time};

fn ping_without_updates(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine/ping");
    for n in SIZES {
        let (mut engine, mut out) = (engine(n), Counting::default());
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| {
                let ping = Message::Ping { seq: 1 };
                engine.handle_message(Time::ZERO, source(2), ping, &mut out);
            });
        });
    }
}

fn ping_with_known_updates(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine/ping+8 known");
    for n in SIZES {
        let (mut engine, mut out) = (engine(n), Counting::default());
        let mut next = 0u32;
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| {
                let mut updates: [_; 8] = std::array::from_fn(|_| {
                    next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    claim(1 + next % n as u32, MemberState::Alive, 0)
                });
                let ping = Message::Ping { seq: 1 };
                engine.handle_message(Time::ZERO, source(2), ping, &mut out);
                let gossip = Message::Gossip(&mut updates[..]);
                engine.handle_message(Time::ZERO, source(2), gossip, &mut out);
            });
        });
    }
}

fn probe_round(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine/probe round, acked");
    for n in SIZES {
        let (mut engine, mut out) = (engine(n), LastPing::default());
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| {
                engine.start_period(Time::ZERO, &mut out);
                let (member, seq) = out.0.take().expect("somebody is pinged");
                let ack = Message::Ack { seq, member: Some(member) };
                engine.handle_message(Time::ZERO, source(member.0), ack, &mut out);
            });
        });
    }
}

/// Remembers whom the engine pinged.
#[derive(Default)]
struct LastPing(Option<(MemberIdx, u64)>);

impl swim_core::Output<()> for LastPing {
    fn send(&mut self, _: &[()], to: swim_core::Dest<MemberIdx>, message: swim_core::Outgoing<'_>) {
        if let (swim_core::Dest::Member(member), Message::Ping { seq }) = (to, message) {
            self.0 = Some((member, seq));
        }
    }

    fn changed(&mut self, _: &mut [()], _: swim_core::Change, _: Option<()>) {}
}

fn gossip_round(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine/gossip round, 8 pending");
    for n in SIZES {
        let (mut engine, mut out) = (engine(n), Counting::default());
        let mut incarnation = 0;
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_batched_ref(
                || (),
                |()| {
                    if engine.queue_len() < 8 {
                        incarnation += 1;
                        let mut updates: [_; 8] = std::array::from_fn(|i| {
                            claim(1 + i as u32, MemberState::Alive, incarnation)
                        });
                        let gossip = Message::Gossip(&mut updates[..]);
                        engine.handle_message(Time::ZERO, source(2), gossip, &mut out);
                    }
                    engine.handle_timer(Time::ZERO, swim_core::Timer::Gossip, &mut out);
                },
                criterion::BatchSize::SmallInput,
            );
        });
        drain(&mut engine);
    }
}

criterion_group!(benches, ping_without_updates, ping_with_known_updates, probe_round, gossip_round);
criterion_main!(benches);
