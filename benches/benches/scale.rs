//! Does what a node does all the time grow with the cluster?
#![allow(missing_docs, reason = "criterion's macros make public items")]

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use swim_benches::{Operation, SIZES};

const HOT: [Operation; 8] = [
    Operation::Ping,
    Operation::PingKnown,
    Operation::PingFresh,
    Operation::PingFreshBusy,
    Operation::Probe,
    Operation::FailedProbe,
    Operation::Gossip,
    Operation::IdleSecond,
];

fn growth(c: &mut Criterion) {
    for operation in HOT {
        let mut group = common::group(c, &format!("scale/{}", operation.name()));
        for n in SIZES {
            common::compare(&mut group, operation, n);
        }
    }
}

criterion_group!(benches, growth);
criterion_main!(benches);
