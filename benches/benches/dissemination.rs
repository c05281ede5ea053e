//! What does it cost to tell news, and to take some in while much waits?
#![allow(missing_docs, reason = "criterion's macros make public items")]

mod common;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use swim_benches::engine::{Counting, claim, knowing, source};
use swim_benches::{Dice, Operation, SIZES};
use swim_core::{Engine, Message, Time};

const N: usize = 10_000;
/// The default of `broadcast_queue_size`.
const FULL: usize = 4_096;

/// With nothing to say there is no round: `nothing_to_say_is_no_reason_to_wake_up` in the library.
fn gossip(c: &mut Criterion) {
    let operation = Operation::Gossip;
    let mut group = common::group(c, &format!("dissemination/{}", operation.name()));
    for n in SIZES {
        common::compare(&mut group, operation, n);
    }
}

/// Eight updates put into the queue; each drops another one where it is full.
fn queue(c: &mut Criterion) {
    let mut group = common::group(c, "dissemination/8 news, engine");
    for (name, waiting) in [("half full", FULL / 2), ("full", FULL)] {
        let (mut engine, mut dice, mut version) = (knowing(N), Dice::default(), 1);
        for member in 1..=waiting {
            hear(&mut engine, &[member], 1);
        }
        group.bench_function(name, |b| {
            b.iter_batched(
                || {
                    version += 1;
                    let among = if waiting < FULL { waiting } else { N };
                    (dice.members::<8>(among), version)
                },
                |(members, version)| hear(&mut engine, &members, version),
                BatchSize::SmallInput,
            );
        });
        assert_eq!(engine.queue_len(), waiting);
    }
}

fn hear(engine: &mut Engine<()>, members: &[usize], version: u64) {
    let mut updates: Vec<_> = members.iter().map(|&member| claim(member, version)).collect();
    let gossip = Message::Gossip(&mut updates[..]);
    engine.handle_message(Time::ZERO, source(2), gossip, &mut Counting::default());
}

criterion_group!(benches, gossip, queue);
criterion_main!(benches);
