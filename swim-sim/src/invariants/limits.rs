//! What a configuration promises: the figures that invariants hold engines to.

use std::time::Duration;

use swim_core::Options;

/// Bounds that follow from a configuration, by the formulas of docs/protocol.md.
///
/// Times are true times: of nodes whose clocks run fast, less can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Members that one gossip round reaches.
    pub fanout: usize,
    /// Updates in one `Gossip`.
    pub max_piggyback: usize,
    /// Bytes of one datagram, envelope included.
    pub datagram_budget: usize,
    /// Each update is sent `retransmit_mult * ceil(log10(n + 1))` times.
    pub retransmit_mult: u32,
    /// Updates waiting to be told.
    pub queue: usize,
    /// The shortest that any suspicion lasts: in a small cluster, with all its confirmations, at a
    /// node that was told of it. If it is told only after a second look, half of its time has
    /// passed then.
    pub least_suspicion: Duration,
    /// How long relays are waited for at least.
    pub indirect_wait: Duration,
}

impl Limits {
    /// What nodes with these options promise.
    pub fn of(options: &Options) -> Self {
        let options = options.clone().clamped();
        let base = &options.gossip.base;
        let timeout = Duration::from_millis(base.probe_timeout);
        let unconfirmed = timeout * base.suspicion_multiplier;
        let confirmed = if options.mechanisms.confirmations { options.suspicion_ratio } else { 1 };
        let told_late = if options.mechanisms.quiet { 2 } else { 1 };
        Self {
            fanout: base.fanout,
            max_piggyback: base.max_piggyback,
            datagram_budget: options.datagram_budget,
            retransmit_mult: options.gossip.retransmit_mult,
            queue: options.gossip.broadcast_queue_size,
            least_suspicion: unconfirmed / confirmed / told_late,
            indirect_wait: timeout / 2,
        }
    }
}

/// How long things may take that have no bound in every run: the caller knows the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within {
    /// Until a crashed node is dead at every healthy one.
    pub complete: Duration,
    /// Until views agree when nothing befalls nodes and network any more.
    pub converged: Duration,
}
