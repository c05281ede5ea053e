//! Which seeds make a difference: enough that each member may be the next one to be probed.

use std::collections::BTreeSet;

use swim_core::MemberIdx;
use swim_sim::nodes::swim::{Item, Letter};

use crate::facts::Facts;
use crate::machine::Machine;
use crate::mistake::Mistake;
use swim_sim::node::Io;

/// Seeds that are tried.
const TRIED: u64 = 64;

/// Seeds of which, whoever of a round was probed already, some has each of the others probed next.
pub(crate) fn draws(first: &Machine, members: u32) -> Vec<u64> {
    let (mut seeds, mut machine) = (BTreeSet::new(), first.clone());
    for _ in 1..members {
        let mut found = BTreeSet::new();
        for seed in 0..TRIED {
            let target = target(&mut machine.clone(), seed);
            if target.is_some_and(|target| found.insert(target)) {
                seeds.insert(seed);
            }
        }
        target(&mut machine, 0);
    }
    seeds.into_iter().collect()
}

/// Whom a node probes in its next period.
fn target(machine: &mut Machine, seed: u64) -> Option<MemberIdx> {
    let pinged = |io: &Io<Letter>| {
        let ping = io
            .sent
            .iter()
            .find(|sent| sent.packet.items.iter().any(|item| matches!(item, Item::Ping { .. })));
        ping.map(|sent| sent.to)
    };
    (0..TRIED)
        .find_map(|_| pinged(&machine.wake(seed, Mistake::NoSuspicion, &mut Facts::default())))
}
