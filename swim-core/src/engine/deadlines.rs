//! All deadlines of one engine, and what is due at them.

use super::heap::{Handle, Heap};
use super::message::MemberIdx;
use crate::time::Time;

/// What can fall due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// When to start the next protocol period; only with [`Timers::Owned`](crate::Timers).
    Period,
    /// When to gossip what waits in the broadcast queue.
    Gossip,
    /// When to tell fresh notices.
    Spread,
    /// When to ask for notices that have not come.
    Fetch,
    /// When a notice is held back no longer.
    HeldBack,
    /// When to compare views with a random member.
    Sync,
    /// When to try a lost member or seed.
    Healing,
    /// When to ask the seeds again that have not answered.
    Join,
    /// When a departure is over even if nobody confirmed it.
    Leave,
    /// When a member's probe enters its next stage.
    Probe(MemberIdx),
    /// When to ping a member again whose probe is open.
    PingAgain(MemberIdx),
    /// When a suspect that has not refuted is dead.
    Suspicion(MemberIdx),
    /// When to look for oneself at a suspect that others accused.
    Verify(MemberIdx),
    /// When rumours count again about a suspect that answered this node itself.
    Vouch(MemberIdx),
    /// When to forget a dead or departed member.
    Cleanup(MemberIdx),
    /// When a relay owes its asker a nack, and when it stops waiting. Named by the relay's `seq`.
    Relay(u64),
}

/// Names an armed timer.
pub(super) type TimerKey = Handle;

/// Timers by time, first armed first among equals.
#[derive(Debug, Clone)]
pub(super) struct Deadlines {
    heap: Heap<(Time, u64), Timer>,
    armed: u64,
}

impl Deadlines {
    pub(super) fn new() -> Self {
        Self { heap: Heap::new(), armed: 0 }
    }

    pub(super) fn arm(&mut self, timer: Timer, at: Time) -> TimerKey {
        self.armed += 1;
        self.heap.push((at, self.armed), timer)
    }

    /// Does nothing when the timer is gone.
    pub(super) fn cancel(&mut self, key: TimerKey) {
        self.heap.remove(key);
    }

    /// When the timer is due.
    pub(super) fn at(&self, key: TimerKey) -> Option<Time> {
        self.heap.get(key).map(|((at, _), _)| at)
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|((at, _), _)| at)
    }

    /// What is armed, in no order: when, which in the order of arming, and what.
    #[cfg(feature = "model")]
    pub(super) fn entries(&self) -> impl Iterator<Item = ((Time, u64), Timer)> + '_ {
        self.heap.entries()
    }

    /// How many were armed so far.
    pub(super) fn armed(&self) -> u64 {
        self.armed
    }

    /// Takes what is due at `now` and was among the first `armed` to be armed.
    pub(super) fn pop_due(&mut self, now: Time, armed: u64) -> Option<Timer> {
        let ((at, number), _) = self.heap.peek()?;
        if at > now || number > armed {
            return None;
        }
        self.heap.pop().map(|(_, timer)| timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cancelled_does_not_fall_due_and_others_do_in_order() {
        let mut deadlines = Deadlines::new();
        let gossip = deadlines.arm(Timer::Gossip, Time(5));
        let sync = deadlines.arm(Timer::Sync, Time(3));
        deadlines.arm(Timer::Join, Time(5));
        deadlines.cancel(sync);
        deadlines.cancel(sync);
        assert_eq!((deadlines.at(sync), deadlines.at(gossip)), (None, Some(Time(5))));
        assert_eq!(deadlines.next(), Some(Time(5)));
        let armed = deadlines.armed();
        assert_eq!(deadlines.pop_due(Time(4), armed), None);
        deadlines.arm(Timer::Healing, Time(5));
        let due: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(Time(5), armed)).collect();
        assert_eq!(due, [Timer::Gossip, Timer::Join], "what was armed since waits");
        assert_eq!(deadlines.next(), Some(Time(5)));
    }
}
