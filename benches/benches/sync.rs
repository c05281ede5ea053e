//! What do learning a whole view and comparing two views cost? foca has no exchange of its own: its
//! users hand views to `apply_many`, which is put beside.
#![allow(missing_docs, reason = "criterion's macros make public items")]

mod common;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swim_benches::datagram::Swim;
use swim_benches::{Node as _, Operation, engine};

const SIZES: [usize; 3] = [100, 1_000, 10_000];

fn learn_a_view(c: &mut Criterion) {
    for operation in [Operation::Learn, Operation::LearnAndTell] {
        let mut group = common::group(c, &format!("sync/{}", operation.name()));
        for n in SIZES {
            group.throughput(Throughput::Elements(n as u64));
            common::compare(&mut group, operation, n);
        }
    }
}

/// From the packet on, as it comes by stream.
fn learn_from_bytes(c: &mut Criterion) {
    let mut group = common::group(c, "sync/learn from bytes");
    for n in SIZES {
        let packet = Swim::view_packet(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new(Swim::NAME, n), |b| {
            b.iter_batched(
                || Swim::newcomer(n, true),
                |mut node| {
                    node.hear(1, &packet);
                    node
                },
                BatchSize::PerIteration,
            );
        });
    }
}

fn learn_in_the_engine(c: &mut Criterion) {
    let mut group = common::group(c, "sync/learn, engine");
    for n in SIZES {
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_batched(
                || (engine::alone(), engine::view(n)),
                |(mut engine, mut view)| {
                    engine::join(&mut engine, &mut view);
                    engine
                },
                BatchSize::PerIteration,
            );
        });
    }
}

/// From the timer of one side to the silence of the other.
fn compare_equal_views(c: &mut Criterion) {
    let mut group = common::group(c, "sync/equal views");
    for n in SIZES {
        let (mut one, mut other) = Swim::twins(n);
        group.bench_function(BenchmarkId::new(Swim::NAME, n), |b| {
            b.iter(|| {
                one.start_sync();
                other.hear(0, &one.wire().last);
            });
        });
        assert_eq!(other.wire().datagrams, 0, "equal views need no answer");
    }
}

criterion_group!(benches, learn_a_view, learn_from_bytes, learn_in_the_engine, compare_equal_views);
criterion_main!(benches);
