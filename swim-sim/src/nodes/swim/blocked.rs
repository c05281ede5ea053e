//! What the Lifeguard paper does to agents (section 5.1): a node stands still at its first send, or
//! after it received something, while the timers of suspicions go on.
//!
//! In memberlist, probing and gossiping are loops that wait for their sends, suspicions are timers
//! of the runtime. So each loop gets as far as its first send. A probe that was held up for longer
//! than its time has failed when the loop goes on, because nobody waits for its ack any more.

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::{MemberIdx, Time, Timer};

/// Deadlines that matter while a node is blocked.
#[derive(Debug, Default, Clone)]
pub(super) struct Blocked {
    active: bool,
    suspicions: BTreeMap<MemberIdx, Time>,
    probes: BTreeMap<MemberIdx, Time>,
    /// The next turn of each loop that has not come to its first send.
    period: Option<Time>,
    gossip: Option<Time>,
}

impl Blocked {
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// The block begins or ends.
    pub(super) fn set_active(&mut self, active: bool) {
        self.active = active;
    }

    /// A timer was armed, or armed again.
    pub(super) fn note(&mut self, timer: Timer, at: Time) {
        match timer {
            Timer::Suspicion(member) => _ = self.suspicions.insert(member, at),
            Timer::Probe(member) => _ = self.probes.insert(member, at),
            // While a loop stands still, its next turn is of no interest.
            Timer::Period if !self.active => self.period = Some(at),
            Timer::Gossip if !self.active => self.gossip = Some(at),
            _ => {}
        }
    }

    /// When something is due although the node is blocked; it may have been cancelled since.
    pub(super) fn next(&self) -> Option<Time> {
        let loops = self.period.into_iter().chain(self.gossip);
        loops.chain(self.suspicions.values().copied()).min()
    }

    /// Takes one of the timers that are due.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        if self.period.take_if(|at| *at <= now).is_some() {
            return Some(Timer::Period);
        }
        if self.gossip.take_if(|at| *at <= now).is_some() {
            return Some(Timer::Gossip);
        }
        let (&member, _) = self.suspicions.iter().find(|(_, at)| **at <= now)?;
        self.suspicions.remove(&member);
        Some(Timer::Suspicion(member))
    }

    /// Takes the probes whose whole time has passed, `rest` after their first stage.
    pub(super) fn failed_probes(&mut self, now: Time, rest: Duration) -> Vec<MemberIdx> {
        let over = |at: &Time| *at + rest <= now;
        let failed: Vec<_> =
            self.probes.iter().filter(|(_, at)| over(at)).map(|(member, _)| *member).collect();
        self.probes.retain(|_, at| !over(at));
        failed
    }

    /// Forgets deadlines that have passed while nothing was blocked: the engine met them.
    pub(super) fn forget_before(&mut self, now: Time) {
        self.suspicions.retain(|_, at| *at > now);
        self.probes.retain(|_, at| *at > now);
    }
}
