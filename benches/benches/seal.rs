//! What do sealing and opening cost, beside encoding and decoding the same datagram?
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use swim_benches::Node as _;
use swim_benches::datagram::Swim;
use swim_wire::seal::{Algorithm, Carrier, Key, Keyring, Mode, OVERHEAD, Seal};
use swim_wire::{Codec as _, ProtobufCodec};

/// A small datagram, a full one, a packet on a stream.
const SIZES: [usize; 3] = [64, 1_400, 64 * 1024];
/// Packets that are sealed before they are opened together.
const BATCH: u64 = 256;

/// Short enough for many; no peer to compare with, hence not `common`'s.
fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2));
    group.sample_size(20);
    group
}

/// Two members, who have the key in common.
fn pair(algorithm: Algorithm) -> (Seal, Seal) {
    let ring = Keyring::new(Key::generate(algorithm).expect("a random source"));
    let seal = || Seal::new("swim", ring.clone(), Mode::Require).expect("a valid cluster name");
    (seal(), seal())
}

/// A packet with room for what sealing adds.
fn packet(len: usize) -> BytesMut {
    let mut packet = BytesMut::with_capacity(len + OVERHEAD);
    packet.resize(len, 8);
    packet
}

/// Each packet opens once, so they are made anew; only opening is timed.
fn open(one: &Seal, other: &Seal, len: usize, times: u64, forge: bool) -> Duration {
    let (mut taken, mut left) = (Duration::ZERO, times);
    let mut packets: Vec<_> = (0..BATCH).map(|_| packet(len)).collect();
    while left > 0 {
        let batch = &mut packets[..left.min(BATCH) as usize];
        for packet in &mut *batch {
            packet.truncate(len);
            one.seal(Carrier::Datagram, packet).expect("a session that goes on");
            // Another name of its sender: a session of which nothing is known.
            packet[5] ^= u8::from(forge);
        }
        let start = Instant::now();
        for packet in &mut *batch {
            let opened = other.open(Carrier::Datagram, packet);
            assert_eq!(black_box(opened).is_err(), forge);
        }
        taken += start.elapsed();
        left -= batch.len() as u64;
    }
    taken
}

fn seal_and_open(c: &mut Criterion) {
    for algorithm in Algorithm::ALL {
        let mut group = group(c, &format!("seal/{algorithm}"));
        let (one, other) = pair(algorithm);
        for len in SIZES {
            let mut packet = packet(len);
            group.bench_function(format!("seal {len}"), |b| {
                b.iter(|| {
                    packet.truncate(len);
                    one.seal(Carrier::Datagram, &mut packet).expect("a session that goes on");
                });
            });
            for (what, forge) in [("open", false), ("refuse forged", true)] {
                group.bench_function(format!("{what} {len}"), |b| {
                    b.iter_custom(|times| open(&one, &other, len, times, forge));
                });
            }
        }
    }
}

/// A ping with as many updates as a sealed datagram of 1,400 bytes holds.
fn full_datagram() -> Vec<u8> {
    let node = Swim::alone(0);
    let news: Vec<_> = (2..200).map(|member| (member, 1)).collect();
    let fits = |updates: usize| {
        Some(node.ping(1, &news[..updates])).filter(|it| it.len() + OVERHEAD <= 1_400)
    };
    (0..news.len()).map_while(fits).last().expect("a ping alone fits")
}

fn the_same_datagram(c: &mut Criterion) {
    let codec = ProtobufCodec::new("swim").expect("a valid cluster name");
    let (datagram, mut messages) = (full_datagram(), Vec::new());
    let mut group = group(c, &format!("seal/codec, {} bytes", datagram.len()));
    group.bench_function("decode", |b| {
        b.iter(|| codec.decode(&datagram, &mut messages).expect("our own packet"));
    });
    codec.decode(&datagram, &mut messages).expect("our own packet");
    let mut buffer = BytesMut::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            codec.start(&mut buffer);
            messages.iter().for_each(|message| codec.append(message, &mut buffer));
        });
    });
}

criterion_group!(benches, seal_and_open, the_same_datagram);
criterion_main!(benches);
