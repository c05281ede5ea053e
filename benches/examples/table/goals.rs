//! What is to be reached, and what al8n's memberlist-proto 0.4.0 needs: its core is not on
//! crates.io, so its figures are those of one run on a shared machine of two cores, AMD EPYC.

use swim_benches::{Operation, SIZES};

/// Values at [`SIZES`]; `None` where there is none.
pub(crate) type Values = [Option<f64>; SIZES.len()];

/// Values of one row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) al8n: Values,
    pub(crate) at_most: Values,
}

const NONE: Values = [None; SIZES.len()];

const fn each(value: f64) -> Values {
    [Some(value); SIZES.len()]
}

const fn all([a, b, c, d]: [f64; SIZES.len()]) -> Values {
    [Some(a), Some(b), Some(c), Some(d)]
}

const fn at_10k(value: f64) -> Values {
    [None, None, Some(value), None]
}

/// Microseconds per member of a view that is taken in.
pub(crate) const LEARN: Goal =
    Goal { al8n: all([1.1, 0.6, 0.8, 1.6]), at_most: all([0.7, 0.7, 0.7, 1.2]) };
/// Bytes of a ping with eight updates.
pub(crate) const BYTES: Goal = Goal { al8n: each(320.0), at_most: each(240.0) };
/// Microseconds of comparing two equal views, both sides together.
pub(crate) const EXCHANGE: Goal = Goal { al8n: NONE, at_most: at_10k(20.0) };
/// Bytes of the same.
pub(crate) const EXCHANGE_BYTES: Goal = Goal { al8n: NONE, at_most: at_10k(64.0) };
/// Where there is no goal.
pub(crate) const OPEN: Goal = Goal { al8n: NONE, at_most: NONE };

/// Microseconds of an operation.
pub(crate) fn of(operation: Operation) -> Goal {
    let (al8n, at_most) = match operation {
        Operation::Ping => (all([0.52, 0.52, 0.51, 0.52]), each(0.4)),
        Operation::PingKnown => (all([3.1, 3.3, 4.5, 8.4]), all([1.5, 1.5, 1.5, 3.5])),
        Operation::PingFresh => (all([6.3, 7.0, 11.0, 18.0]), all([3.0, 3.0, 3.0, 6.0])),
        Operation::Probe => (all([0.53, 0.65, 0.9, 1.5]), each(0.25)),
        Operation::FailedProbe => (NONE, each(3.0)),
        Operation::Gossip => (all([31.0, 258.0, 3_090.0, 92_700.0]), each(2.0)),
        Operation::GossipNothing => (all([1.5, 12.0, 125.0, 5_350.0]), NONE),
        Operation::IdleSecond => (at_10k(2_800.0), at_10k(15.0)),
        _ => (NONE, NONE),
    };
    Goal { al8n, at_most }
}
