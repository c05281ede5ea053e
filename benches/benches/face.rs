//! What does the face cost: members by name, owned messages, no codec? The peer has no layer without
//! one.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use swim_benches::face::{alive, drain, protocol};
use swim_benches::{Dice, SIZES, address, name};
use swim_core::{GossipAction, GossipMessage, GossipProtocol, MemberId};

/// One operation on a face at every size, with an input that is made before the clock runs.
fn at_all_sizes<I>(
    c: &mut Criterion,
    operation: &str,
    mut input: impl FnMut(&mut Dice, usize) -> I,
    mut run: impl FnMut(&mut GossipProtocol, I) -> Vec<GossipAction>,
) {
    let mut group = c.benchmark_group(format!("face/{operation}"));
    for n in SIZES {
        let ((mut protocol, _), mut dice) = (protocol(n), Dice::default());
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_batched(
                || input(&mut dice, n),
                |input| run(&mut protocol, input),
                BatchSize::SmallInput,
            );
        });
    }
}

fn gossip(members: [usize; 8], version: u32) -> GossipMessage {
    GossipMessage::Gossip { updates: members.map(|member| alive(member, version)).into() }
}

fn ping(c: &mut Criterion) {
    let input = |dice: &mut Dice, n| {
        let from = dice.member(n);
        (address(from), GossipMessage::Ping { seq: 77, from: MemberId(name(from)) })
    };
    at_all_sizes(c, "ping", input, |protocol, (from, ping)| protocol.handle_message(from, ping));
}

fn known_updates(c: &mut Criterion) {
    let input = |dice: &mut Dice, n| gossip(dice.members(n), 0);
    let run = |protocol: &mut GossipProtocol, news| protocol.handle_message(address(1), news);
    at_all_sizes(c, "8 known", input, run);
}

/// The queue fills up to its limit.
fn fresh_updates(c: &mut Criterion) {
    let mut version = 0;
    let input = |dice: &mut Dice, n| {
        version += 1;
        gossip(dice.members(n), version)
    };
    let run = |protocol: &mut GossipProtocol, news| protocol.handle_message(address(1), news);
    at_all_sizes(c, "8 fresh", input, run);
}

fn period_and_ack(c: &mut Criterion) {
    let run = |protocol: &mut GossipProtocol, ()| {
        let sent = protocol.tick().into_iter().find_map(|action| match action {
            GossipAction::Send { to, message: GossipMessage::Ping { seq, .. } } => Some((to, seq)),
            _ => None,
        });
        let (to, seq) = sent.expect("somebody is pinged");
        let from = protocol.member_at(&to).expect("a member").id.clone();
        protocol.handle_message(to, GossipMessage::Ack { seq, from })
    };
    at_all_sizes(c, "probe round and its ack", |_, _| (), run);
}

/// Of the eight, some rounds tell all; then eight come anew, which is counted too.
fn gossip_round(c: &mut Criterion) {
    let mut version = 0;
    let input = |dice: &mut Dice, n| {
        version += 1;
        gossip(dice.members(n), version)
    };
    let run = |protocol: &mut GossipProtocol, news| {
        if protocol.queue_len() < 8 {
            drain(protocol);
            protocol.handle_message(address(1), news);
        }
        protocol.handle_timer("gossip")
    };
    at_all_sizes(c, "gossip round, 8 pending", input, run);
}

criterion_group!(benches, ping, known_updates, fresh_updates, period_and_ack, gossip_round);
criterion_main!(benches);
