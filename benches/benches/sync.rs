//! What do learning a whole view and comparing two views cost?
#![allow(missing_docs, reason = "criterion's macros make public items")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swim_benches::{Counting, address, claim, engine, name, protocol, source};
use swim_core::{
    Config, DigestRef, Engine, GossipAction, GossipConfig, GossipMessage, GossipProtocol,
    MemberIdx, MemberState, Message, Options, Time,
};

const SIZES: [usize; 3] = [100, 1_000, 10_000];

fn compare_equal_views(c: &mut Criterion) {
    let mut group = c.benchmark_group("sync/equal views");
    for n in SIZES {
        let (mut engine, mut out) = (engine(n), Counting::default());
        let hash = engine.view_hash();
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| {
                let digest = Message::Digest(DigestRef::View(hash));
                engine.handle_message(Time::ZERO, source(2), digest, &mut out);
            });
        });
        assert_eq!(out.sent, 0, "equal views need no answer");
    }
}

fn learn_in_the_engine(c: &mut Criterion) {
    let mut group = c.benchmark_group("sync/learn, engine");
    for n in SIZES {
        let updates: Vec<_> =
            (1..=n as u32).map(|member| claim(member, MemberState::Alive, 0)).collect();
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_batched(
                || (fresh(), updates.clone()),
                |(mut engine, mut updates)| {
                    let sync = Message::Sync(&mut updates[..]);
                    engine.handle_message(Time::ZERO, source(1), sync, &mut Counting::default());
                    engine
                },
                BatchSize::LargeInput,
            );
        });
    }
}

fn fresh() -> Engine<()> {
    Engine::new(Config::from(Options::default()), MemberIdx(0), (), 7)
}

fn learn_at_the_face(c: &mut Criterion) {
    let mut group = c.benchmark_group("sync/learn, face");
    for n in SIZES {
        let view = whole_view(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_batched(
                || {
                    let id = name(n + 1);
                    let joiner = GossipProtocol::new(id, address(n + 1), GossipConfig::default());
                    (joiner, view.clone())
                },
                |(mut joiner, view)| {
                    joiner.handle_message(address(1), view);
                    joiner
                },
                BatchSize::LargeInput,
            );
        });
    }
}

/// The answer of a node that knows `n` others.
fn whole_view(n: usize) -> GossipMessage {
    let request = GossipMessage::SyncRequest { from: name(n + 1) };
    let actions = protocol(n).handle_message(address(n + 1), request);
    let answer = actions.into_iter().find_map(|action| match action {
        GossipAction::Send { message, .. } => Some(message),
        _ => None,
    });
    answer.expect("a request is answered")
}

criterion_group!(benches, compare_equal_views, learn_in_the_engine, learn_at_the_face);
criterion_main!(benches);
