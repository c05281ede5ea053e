//! The timers that foca leaves to whoever drives it.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use foca::Timer;
use swim_core::Time;

use super::identity::FocaId;

/// Timers by when they are due, then in the order that foca asks for.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Due>,
    set: u64,
}

#[derive(Debug)]
struct Due {
    at: Time,
    timer: Timer<FocaId>,
    /// Foca orders kinds of timers only: among equals the first that was set goes first.
    number: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: Time, timer: Timer<FocaId>) {
        self.set += 1;
        self.heap.push(Due { at, timer, number: self.set });
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|due| due.at)
    }

    /// The next timer that is due at `now`.
    pub(super) fn due(&mut self, now: Time) -> Option<Timer<FocaId>> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|due| due.timer)
    }

    pub(super) fn clear(&mut self) {
        self.heap.clear();
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    /// The greatest comes out of the heap first: the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, &other.timer, other.number).cmp(&(self.at, &self.timer, self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swim_core::MemberIdx;

    #[test]
    fn of_timers_due_together_the_indirect_probe_comes_before_the_next_probe() {
        let probed_id = FocaId::new(MemberIdx(1), 1);
        let indirect = Timer::SendIndirectProbe { probed_id, token: 0 };
        let mut timers = Timers::default();
        timers.set(Time(5), Timer::PeriodicGossip(0));
        timers.set(Time(5), Timer::ProbeRandomMember(0));
        timers.set(Time(5), indirect.clone());
        timers.set(Time(4), Timer::PeriodicGossip(1));
        assert_eq!(timers.due(Time(3)), None);
        let order: Vec<_> = std::iter::from_fn(|| timers.due(Time(9))).collect();
        let [first, probes @ ..] = &order[..] else { panic!("{order:?}") };
        assert_eq!(first, &Timer::PeriodicGossip(1));
        let expected = [indirect, Timer::ProbeRandomMember(0), Timer::PeriodicGossip(0)];
        assert_eq!(probes, expected);
    }
}
