//! How many instructions do the hot operations take, and does that grow with the cluster?
//!
//! Counted by callgrind, so load on the machine does not matter. `.ci/instructions` runs this and
//! compares with the committed figures in `instructions.toml`.
#![allow(missing_docs, reason = "gungraun's macros make public items")]

#[path = "../tests/operations/mod.rs"]
mod operations;

use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use operations::{
    Operation, datagram_fresh, datagram_known, decode, encode, equal_digest, gossip_round,
    learn_at_the_face, learn_in_the_engine, ping, ping_fresh, ping_known, probe_acked,
    probe_failed, probe_located,
};

// A hundred at once, so that one unlucky hash bucket does not matter. The number in a function's
// name is what its count is divided by.
#[library_benchmark]
#[bench::ping_1000(args = (1_000), setup = ping)]
#[bench::ping_10000(args = (10_000), setup = ping)]
#[bench::ping_known_1000(args = (1_000), setup = ping_known)]
#[bench::ping_known_10000(args = (10_000), setup = ping_known)]
#[bench::ping_fresh_1000(args = (1_000), setup = ping_fresh)]
#[bench::ping_fresh_10000(args = (10_000), setup = ping_fresh)]
#[bench::probe_acked_1000(args = (1_000), setup = probe_acked)]
#[bench::probe_acked_10000(args = (10_000), setup = probe_acked)]
#[bench::probe_located_1000(args = (1_000), setup = probe_located)]
#[bench::probe_located_10000(args = (10_000), setup = probe_located)]
#[bench::probe_failed_1000(args = (1_000), setup = probe_failed)]
#[bench::probe_failed_10000(args = (10_000), setup = probe_failed)]
#[bench::gossip_round_1000(args = (1_000), setup = gossip_round)]
#[bench::gossip_round_10000(args = (10_000), setup = gossip_round)]
#[bench::equal_digest_1000(args = (1_000), setup = equal_digest)]
#[bench::equal_digest_10000(args = (10_000), setup = equal_digest)]
fn times_100(operation: Operation) -> Operation {
    repeat(operation)
}

#[library_benchmark]
#[bench::encode_ping(args = (0), setup = encode)]
#[bench::encode_ping_8(args = (8), setup = encode)]
#[bench::decode_ping(args = (0), setup = decode)]
#[bench::decode_ping_8(args = (8), setup = decode)]
fn packets_100(operation: Operation) -> Operation {
    repeat(operation)
}

#[library_benchmark]
#[bench::ping_1000(args = (0, 1_000), setup = datagram_known)]
#[bench::ping_10000(args = (0, 10_000), setup = datagram_known)]
#[bench::ping_known_1000(args = (8, 1_000), setup = datagram_known)]
#[bench::ping_known_10000(args = (8, 10_000), setup = datagram_known)]
#[bench::ping_fresh_1000(args = (1_000), setup = datagram_fresh)]
#[bench::ping_fresh_10000(args = (10_000), setup = datagram_fresh)]
fn datagrams_100(operation: Operation) -> Operation {
    repeat(operation)
}

// One whole view of a thousand members: counted by the member.
#[library_benchmark]
#[bench::engine(args = (1_000), setup = learn_in_the_engine)]
#[bench::face(args = (1_000), setup = learn_at_the_face)]
fn members_1000(mut operation: Operation) -> Operation {
    operation();
    operation
}

fn repeat(mut operation: Operation) -> Operation {
    for _ in 0..100 {
        operation();
    }
    operation
}

library_benchmark_group!(name = engine, benchmarks = [times_100]);
library_benchmark_group!(name = codec, benchmarks = [packets_100]);
library_benchmark_group!(name = datagram, benchmarks = [datagrams_100]);
library_benchmark_group!(name = learn, benchmarks = [members_1000]);
main!(
    config = LibraryBenchmarkConfig::default()
        // Simulated caches take most of the time and say little of a real machine's.
        .tool(Callgrind::with_args(["--cache-sim=no"]));
    library_benchmark_groups = engine, codec, datagram, learn
);
