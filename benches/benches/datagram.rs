//! What does a datagram cost from bytes to bytes: decode, face, engine, encode? Beside foca, and
//! beside what the kernel takes to send and receive the datagram that it is about.
#![allow(missing_docs, reason = "criterion's macros make public items")]

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use swim_benches::datagram::Swim;
use swim_benches::limits::Loopback;
use swim_benches::{Node as _, Operation};

const N: usize = 1_000;

/// Operations, and how many updates their datagram carries.
const OPERATIONS: [(Operation, usize); 6] = [
    (Operation::Ping, 0),
    (Operation::PingKnown, 8),
    (Operation::PingFresh, 8),
    (Operation::PingFreshBusy, 8),
    (Operation::Probe, 0),
    (Operation::FailedProbe, 0),
];

fn bytes_to_bytes(c: &mut Criterion) {
    let (mut loopback, node) = (Loopback::default(), Swim::alone(0));
    for (operation, updates) in OPERATIONS {
        let mut group = common::group(c, &format!("datagram/{}", operation.name()));
        common::compare(&mut group, operation, N);
        let ping = node.ping(1, &[(1, 1); 8][..updates]);
        group.bench_function("kernel, one datagram", |b| {
            b.iter(|| loopback.send_and_receive(&ping));
        });
    }
}

criterion_group!(benches, bytes_to_bytes);
criterion_main!(benches);
