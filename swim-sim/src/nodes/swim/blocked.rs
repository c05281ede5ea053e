//! What the Lifeguard paper does to agents (section 5.1): a node stands still at its first send, or
//! after it received something, while the timers of suspicions go on.
//!
//! In memberlist, probing and gossiping are loops that wait for their sends, suspicions are timers
//! of the runtime. A probe that was held up for longer than its time has failed when the loop goes
//! on, because nobody waits for its ack any more.

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::{MemberIdx, Time, Timer};

/// Deadlines that matter while a node is blocked.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    /// Whether loops stand still.
    pub(super) stalled: bool,
    pub(super) active: bool,
    suspicions: BTreeMap<MemberIdx, Time>,
    probes: BTreeMap<MemberIdx, Time>,
}

impl Blocked {
    /// A timer was armed, or armed again.
    pub(super) fn note(&mut self, timer: Timer, at: Time) {
        match timer {
            Timer::Suspicion(member) => drop(self.suspicions.insert(member, at)),
            Timer::Probe(member) => drop(self.probes.insert(member, at)),
            _ => {}
        }
    }

    /// When the next suspicion is over; it may have ended otherwise since.
    pub(super) fn next(&self) -> Option<Time> {
        self.suspicions.values().min().copied()
    }

    /// Takes the suspicions that are over.
    pub(super) fn due(&mut self, now: Time) -> Vec<MemberIdx> {
        let due: Vec<_> =
            self.suspicions.iter().filter(|(_, at)| **at <= now).map(|(m, _)| *m).collect();
        self.suspicions.retain(|_, at| *at > now);
        due
    }

    /// Takes the probes whose whole time has passed, `rest` after their first stage.
    pub(super) fn failed_probes(&mut self, now: Time, rest: Duration) -> Vec<MemberIdx> {
        let over = |at: &Time| *at + rest <= now;
        let failed: Vec<_> =
            self.probes.iter().filter(|(_, at)| over(at)).map(|(m, _)| *m).collect();
        self.probes.retain(|_, at| !over(at));
        failed
    }

    /// Forgets deadlines that have passed: the engine knows them, and they no longer matter here.
    pub(super) fn forget_before(&mut self, now: Time) {
        self.suspicions.retain(|_, at| *at > now);
        self.probes.retain(|_, at| *at > now);
    }
}
