//! Leaving: say so, until two members confirmed it or a second passed.

use std::time::Duration;

use super::Engine;
use super::deadlines::{Timer, TimerKey};
use super::message::Source;
use super::output::{Cause, Output, Profile, Reason};
use crate::member::MemberState;
use crate::time::Time;

/// This node said goodbye.
#[derive(Debug, Clone)]
pub(super) struct Departure<A> {
    confirmed: Vec<A>,
    needed: usize,
    over: bool,
    timer: Option<TimerKey>,
}

/// Members that must have heard it.
const CONFIRMATIONS: usize = 2;
/// The departure is over then, heard or not.
const PATIENCE: Duration = Duration::from_secs(1);

impl<P: Profile> Engine<P> {
    /// Leaves: this node is Left, tells it first in the queue, and neither pings nor refutes any
    /// more. It still answers.
    pub fn leave<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        self.start(now, out);
        if self.departure.is_some() {
            return;
        }
        let me = self.table.me;
        let cause = Cause { by: Some(me), reason: Reason::OwnWord };
        self.record(me, MemberState::Left, self.incarnation(), cause, out);
        self.close_probes();
        let needed = CONFIRMATIONS.min(self.table.others());
        let timer = (needed > 0).then(|| self.arm(Timer::Leave, now, PATIENCE, out));
        self.departure =
            Some(Departure { confirmed: Vec::new(), needed, over: needed == 0, timer });
        self.announce(now, out);
    }

    /// Whether this node left and need not wait any longer for others to hear it.
    pub fn has_left(&self) -> bool {
        self.departure.as_ref().is_some_and(|departure| departure.over)
    }

    /// Somebody says that this node left: it knows.
    pub(super) fn confirm_departure(&mut self, source: &Source<P::Address>) {
        let Some(departure) = &mut self.departure else { return };
        let own = source.member == Some(self.table.me);
        if own || departure.over || departure.confirmed.contains(&source.address) {
            return;
        }
        departure.confirmed.push(source.address);
        if departure.confirmed.len() >= departure.needed {
            self.departure_over();
        }
    }

    pub(super) fn departure_over(&mut self) {
        let Some(departure) = &mut self.departure else { return };
        departure.over = true;
        if let Some(timer) = departure.timer.take() {
            self.deadlines.cancel(timer);
        }
    }
}
