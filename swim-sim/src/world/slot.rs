//! One place in the world: a node, its clock, and what waits for it.

use std::collections::VecDeque;
use std::time::Duration;

use swim_core::Time;

use crate::node::Sent;

/// A clock that runs fast or slow by so many parts in a million.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    pub(super) ppm: i64,
}

const MILLION: i64 = 1_000_000;

impl Clock {
    /// What the clock shows at a true time.
    pub(super) fn shows(self, now: Time) -> Time {
        if self.ppm == 0 {
            return now;
        }
        let shown = i128::from(now.0) * i128::from(MILLION + self.ppm) / i128::from(MILLION);
        Time(shown as u64)
    }

    /// The first true time at which the clock shows `local`.
    pub(super) fn when(self, local: Time) -> Time {
        if self.ppm == 0 {
            return local;
        }
        let rate = i128::from(MILLION + self.ppm);
        let at = (i128::from(local.0) * i128::from(MILLION) + rate - 1) / rate;
        Time(u64::try_from(at).unwrap_or(u64::MAX))
    }
}

/// What handling packets costs; the node does nothing else meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// Of each packet.
    pub per_packet: Duration,
    /// Of each kilobyte in it, and in what the node sends at once in answer.
    pub per_kilobyte: Duration,
}

impl Cpu {
    /// What a packet costs before it is handled.
    pub(super) fn cost(&self, bytes: u32) -> Duration {
        self.per_packet + self.cost_of_bytes(bytes.into())
    }

    pub(super) fn cost_of_bytes(&self, bytes: u64) -> Duration {
        self.per_kilobyte.mul_f64(bytes as f64 / 1_000.0)
    }
}

pub(super) const NEVER: Time = Time(u64::MAX);

pub(super) struct Slot<N, P> {
    pub(super) node: Option<N>,
    /// When the next wake-up is scheduled.
    pub(super) wake: Time,
    /// Packets that wait while the node cannot hear.
    pub(super) inbox: VecDeque<u32>,
    /// Packets that wait while the node cannot send.
    pub(super) outbox: Vec<Sent<P>>,
    pub(super) clock: Clock,
    pub(super) cpu: Option<Cpu>,
    pub(super) busy_until: Time,
}

impl<N, P> Slot<N, P> {
    pub(super) fn new() -> Self {
        Self {
            node: None,
            wake: NEVER,
            inbox: VecDeque::new(),
            outbox: Vec::new(),
            clock: Clock::default(),
            cpu: None,
            busy_until: Time::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_wakes_nobody_before_its_time() {
        for ppm in [-200_000, -137, 0, 91, 300_000] {
            let clock = Clock { ppm };
            for local in [1, 999_983, 123_456_789_012] {
                let at = clock.when(Time(local));
                assert!(clock.shows(at) >= Time(local), "{ppm} {local}");
                assert!(clock.shows(Time(at.0 - 1)) < Time(local), "{ppm} {local}");
            }
        }
    }
}
