//! What do encoding and decoding cost, beside foca's postcard?
#![allow(missing_docs, reason = "criterion's macros make public items")]

mod common;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use swim_benches::datagram::Swim;
use swim_benches::{Operation, face};
use swim_wire::{Codec as _, ProtobufCodec};

/// The members of no node change anything here.
const N: usize = 1_000;

fn ping_with_updates(c: &mut Criterion) {
    for operation in [Operation::Encode, Operation::Decode] {
        let mut group = common::group(c, &format!("codec/{}", operation.name()));
        common::compare(&mut group, operation, N);
    }
}

/// A packet on a stream: all members.
fn whole_view(c: &mut Criterion) {
    let codec = ProtobufCodec::new("swim").expect("a valid cluster name");
    let mut group = common::group(c, "codec/whole view");
    let (view, packet) = (face::view(1..=N), Swim::view_packet(N));
    group.throughput(Throughput::Bytes(packet.len() as u64));
    let mut buffer = BytesMut::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            codec.start(&mut buffer);
            codec.append(&view, &mut buffer);
        });
    });
    let mut decoded = Vec::new();
    group.bench_function("decode", |b| {
        b.iter(|| codec.decode(&packet, &mut decoded).expect("our own packet"));
    });
}

criterion_group!(benches, ping_with_updates, whole_view);
criterion_main!(benches);
