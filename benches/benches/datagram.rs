//! What does a datagram cost from bytes to bytes: decode, face, engine, encode?
#![allow(missing_docs, reason = "criterion's macros make public items")]

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use swim_benches::{SIZES, address, alive, name, protocol};
use swim_core::{GossipAction, GossipMessage, GossipProtocol};
use swim_wire::{Codec as _, ProtobufCodec};

fn packet(codec: &ProtobufCodec, known: &[usize]) -> BytesMut {
    let mut packet = BytesMut::new();
    codec.start(&mut packet);
    codec.append(&GossipMessage::Ping { seq: 77, from: name(2) }, &mut packet);
    if !known.is_empty() {
        let updates = known.iter().map(|&node| alive(node, 0)).collect();
        codec.append(&GossipMessage::Gossip { updates }, &mut packet);
    }
    packet
}

/// Decodes a packet, handles it, encodes the answers.
fn answer(
    codec: &ProtobufCodec,
    protocol: &mut GossipProtocol,
    packet: &[u8],
    messages: &mut Vec<GossipMessage>,
    out: &mut BytesMut,
) {
    codec.decode(packet, messages).expect("our own packet");
    codec.start(out);
    for message in messages.drain(..) {
        for action in protocol.handle_message(address(2), message) {
            if let GossipAction::Send { message, .. } = action {
                codec.append(&message, out);
            }
        }
    }
}

fn bytes_to_bytes(c: &mut Criterion) {
    let codec = ProtobufCodec::new("swim").expect("a valid cluster name");
    for updates in [0, 8] {
        let mut group = c.benchmark_group(format!("datagram/ping+{updates} known"));
        for n in SIZES {
            let mut protocol = protocol(n);
            let known: Vec<_> = (0..updates).map(|i| 1 + (i * 7_919) % n).collect();
            let packet = packet(&codec, &known);
            let (mut messages, mut out) = (Vec::new(), BytesMut::new());
            group.bench_function(BenchmarkId::from_parameter(n), |b| {
                b.iter(|| answer(&codec, &mut protocol, &packet, &mut messages, &mut out));
            });
        }
    }
}

criterion_group!(benches, bytes_to_bytes);
criterion_main!(benches);
