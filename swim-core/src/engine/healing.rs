//! Healing of split clusters: lost members and seeds are tried at a low rate, for ever, with
//! back-off. Whoever answers is told what is held of it and refutes it.

use super::Engine;
use super::deadlines::Timer;
use super::message::{Dest, MemberIdx};
use super::output::{Output, Profile};
use crate::time::Time;

/// An address at which somebody may live again.
#[derive(Debug, Clone)]
struct Lost<A> {
    address: A,
    /// Whether only streams reached who lived there.
    by_stream: bool,
    tries: u32,
    /// The healing round in which it is tried next.
    due: u64,
}

/// Addresses without a live member. Bounded: beyond [`MAX_LOST`] the most-tried goes.
#[derive(Debug, Clone)]
pub(super) struct Healing<A> {
    lost: Vec<Lost<A>>,
    /// Rounds so far, each at least one healing interval.
    round: u64,
    /// The round that the armed timer starts.
    next_round: u64,
}

const MAX_LOST: usize = 256;
/// Waits between two attempts at one address double up to this many rounds.
const MAX_WAIT: u64 = 12;

impl<A: Copy + PartialEq> Healing<A> {
    pub(super) fn new() -> Self {
        Self { lost: Vec::new(), round: 0, next_round: 0 }
    }

    pub(super) fn is_lost(&self, address: A) -> bool {
        self.lost.iter().any(|lost| lost.address == address)
    }

    /// Nobody is to be looked for there any more.
    pub(super) fn drop_address(&mut self, address: A) {
        self.lost.retain(|lost| lost.address != address);
    }

    fn add(&mut self, address: A, by_stream: bool) {
        if self.is_lost(address) {
            return;
        }
        if self.lost.len() >= MAX_LOST {
            let most_tried = (0..self.lost.len()).max_by_key(|&at| self.lost[at].tries);
            most_tried.map(|at| self.lost.swap_remove(at));
        }
        self.lost.push(Lost { address, by_stream, tries: 0, due: self.round + 1 });
    }

    fn soonest(&self) -> Option<u64> {
        self.lost.iter().map(|lost| lost.due).min()
    }

    /// The address to try in this round, and whether by stream too.
    fn next(&mut self) -> Option<(A, bool)> {
        let round = self.round;
        let lost = self.lost.iter_mut().filter(|lost| lost.due <= round).min_by_key(|l| l.due)?;
        lost.tries += 1;
        lost.due = round + (1u64 << lost.tries.min(16)).min(MAX_WAIT);
        Some((lost.address, lost.by_stream))
    }
}

impl<P: Profile> Engine<P> {
    /// A member lives again, or a newcomer does.
    pub(super) fn found<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        self.healing.drop_address(self.table.address(member));
        self.arm_gossip(now, out);
    }

    /// A member died.
    pub(super) fn lost<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let by_stream = self.only_streams_reach(member);
        self.healing.add(self.table.address(member), by_stream);
        self.arm_healing(now, out);
    }

    /// Seeds where nobody is known to live are looked for.
    pub(super) fn remember_seeds<O: Output<P>>(
        &mut self,
        now: Time,
        seeds: &[P::Address],
        out: &mut O,
    ) {
        for &seed in seeds {
            let live = |(member, record): (MemberIdx, &super::table::Record)| {
                record.is_live() && self.table.address(member) == seed
            };
            if !self.table.known().any(live) {
                self.healing.add(seed, false);
            }
        }
        self.arm_healing(now, out);
    }

    pub(super) fn arm_healing<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        if !self.config.mechanisms.healing {
            return;
        }
        let Some(due) = self.healing.soonest() else { return };
        if self.timers.healing.is_some() {
            if self.healing.next_round <= due {
                return;
            }
            // Armed for those tried often already; who was lost just now does not wait for them.
            let taken = self.timers.healing.take();
            self.disarm(taken);
        }
        let rounds = due.saturating_sub(self.healing.round).max(1);
        self.healing.next_round = self.healing.round + rounds;
        let jitter = 0.75 + self.rng.unit() / 2.0;
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        let delay = (self.config.healing_interval * rounds).mul_f64(jitter);
        self.timers.healing = Some(self.arm(Timer::Healing, now, delay, out));
    }

    /// Tries one lost address: who lives there hears of this node and of its view.
    pub(super) fn healing_round<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        self.healing.round = self.healing.next_round;
        if self.departure.is_some() {
            return;
        }
        if let Some((address, by_stream)) = self.healing.next() {
            self.stats.healing_attempts += 1;
            self.tell(self.rumor(self.table.me, 0), Dest::Address(address), out);
            self.send_view_hash(Dest::Address(address), out);
            if by_stream || self.only_streams_pass() {
                self.look_by_stream(address, out);
            }
        }
        self.arm_healing(now, out);
    }
}
