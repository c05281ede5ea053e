//! What do encoding and decoding cost, and how many bytes do messages take?
#![allow(missing_docs, reason = "criterion's macros make public items")]

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use swim_benches::{alive, name};
use swim_core::GossipMessage;
use swim_wire::{Codec as _, ProtobufCodec};

fn messages(updates: usize) -> Vec<GossipMessage> {
    let mut messages = vec![GossipMessage::Ping { seq: 77, from: name(3) }];
    if updates > 0 {
        let updates = (0..updates).map(|node| alive(node * 13 + 1, node as u64 % 3)).collect();
        messages.push(GossipMessage::Gossip { updates });
    }
    messages
}

fn encode_and_decode(c: &mut Criterion) {
    let codec = ProtobufCodec::new("swim").expect("a valid cluster name");
    for updates in [0, 8] {
        let mut group = c.benchmark_group(format!("codec/ping+{updates}"));
        let messages = messages(updates);
        let mut packet = BytesMut::new();
        let encode = |packet: &mut BytesMut| {
            codec.start(packet);
            messages.iter().for_each(|message| codec.append(message, packet));
        };
        encode(&mut packet);
        group.throughput(Throughput::Bytes(packet.len() as u64));
        let mut buffer = BytesMut::new();
        group.bench_function("encode", |b| b.iter(|| encode(&mut buffer)));
        let mut decoded = Vec::new();
        group.bench_function("decode", |b| {
            b.iter(|| codec.decode(&packet, &mut decoded).expect("our own packet"));
        });
    }
}

criterion_group!(benches, encode_and_decode);
criterion_main!(benches);
