//! What the benches share beside the library: the peer, and how it is put beside ours.

pub(crate) mod foca;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use swim_benches::datagram::Swim;
use swim_benches::{Bed, Node, Operation};

use self::foca::Foca;

/// Filling foca takes n^2: 9 s for 100,000 members.
pub(crate) const MOST_OF_FOCA: usize = 10_000;

/// A group for one operation, short enough for many.
pub(crate) fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2));
    group.sample_size(20);
    group
}

/// An operation on ours and on foca.
pub(crate) fn compare(group: &mut BenchmarkGroup<'_, WallTime>, operation: Operation, n: usize) {
    bench::<Swim>(group, operation, n);
    if n <= MOST_OF_FOCA {
        bench::<Foca>(group, operation, n);
    }
}

fn bench<N: Node>(group: &mut BenchmarkGroup<'_, WallTime>, operation: Operation, n: usize) {
    // Only if it is not filtered out.
    let mut bed = None;
    group.bench_function(BenchmarkId::new(N::NAME, n), |b| {
        b.iter_custom(|times| bed.get_or_insert_with(|| Bed::<N>::new(n)).run(operation, times));
    });
}
