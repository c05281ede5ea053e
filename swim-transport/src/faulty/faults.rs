//! The handle to the faults of one [`Faulty`](super::Faulty) transport.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::dice::{Dice, Plan};

/// Longest delay and longest hold. Far beyond any time-out, and safe to add to a clock.
const MAX_DELAY: Duration = Duration::from_secs(3600);

/// The faults of one [`Faulty`](super::Faulty) transport: change them at any time, from any thread.
/// Clones are handles to the same faults.
///
/// A change holds for datagrams sent from then on; those already delayed keep their time, but are
/// dropped when their receiver is blocked by the time they are due.
#[derive(Debug, Clone)]
pub struct Faults {
    state: Arc<Mutex<State>>,
}

/// What the faults did so far. Every count only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FaultStats {
    /// Datagrams handed to the inner transport, second copies and delayed ones among them.
    pub passed: u64,
    /// Datagrams lost by chance.
    pub lost: u64,
    /// Datagrams sent twice.
    pub duplicated: u64,
    /// Datagrams held back so that later ones overtake them.
    pub reordered: u64,
    /// Copies that were delayed, reordered ones among them.
    pub delayed: u64,
    /// Delayed copies lost because too many were waiting.
    pub overflowed: u64,
    /// Datagrams to blocked peers, dropped.
    pub blocked_out: u64,
    /// Datagrams from blocked peers, dropped.
    pub blocked_in: u64,
    /// Streams to or from blocked peers, refused or dropped.
    pub blocked_streams: u64,
}

#[derive(Debug)]
struct State {
    dice: Dice,
    plan: Plan,
    blocked: Blocked,
    stats: FaultStats,
}

/// Who is cut off. The sets are looked up, never walked.
#[derive(Debug, Default)]
struct Blocked {
    everybody: bool,
    ips: HashSet<IpAddr>,
    to: HashSet<SocketAddr>,
    from: HashSet<SocketAddr>,
}

impl Blocked {
    fn out(&self, to: SocketAddr) -> bool {
        self.everybody || self.ips.contains(&to.ip()) || self.to.contains(&to)
    }

    fn inward(&self, from: SocketAddr) -> bool {
        self.everybody || self.ips.contains(&from.ip()) || self.from.contains(&from)
    }
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        let (plan, blocked, stats) = Default::default();
        Self { state: Arc::new(Mutex::new(State { dice: Dice::new(seed), plan, blocked, stats })) }
    }

    /// Loses each datagram with this probability (0: none, 1: all; outside of that range, the
    /// nearer end).
    pub fn set_loss(&self, probability: f64) {
        self.lock().plan.loss = within_unit(probability);
    }

    /// Sends each datagram that is not lost twice with this probability. Each copy has a delay of
    /// its own.
    pub fn set_duplication(&self, probability: f64) {
        self.lock().plan.duplication = within_unit(probability);
    }

    /// Holds each datagram back by `hold` with this probability, on top of its delay, so that what
    /// is sent meanwhile overtakes it. An hour at most.
    pub fn set_reordering(&self, probability: f64, hold: Duration) {
        let mut state = self.lock();
        state.plan.reordering = within_unit(probability);
        state.plan.hold = hold.min(MAX_DELAY);
    }

    /// Delays each datagram by a time drawn evenly from `range`, an hour at most; a range wider
    /// than the gap between two sends reorders them. A range that ends before it starts is its
    /// start alone.
    ///
    /// At most 4,096 copies wait at a time; more are lost and counted.
    pub fn set_delay(&self, range: RangeInclusive<Duration>) {
        let shortest = (*range.start()).min(MAX_DELAY);
        let longest = (*range.end()).clamp(shortest, MAX_DELAY);
        let mut state = self.lock();
        (state.plan.shortest, state.plan.longest) = (shortest, longest);
    }

    /// Turns every fault off and unblocks everybody. What is already delayed stays so.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.plan = Plan::default();
        state.blocked = Blocked::default();
    }

    /// Cuts `addr` off in both directions.
    ///
    /// Over a transport whose streams come from a port of their own, as TCP's do, a stream that
    /// `addr` opens is not recognised by its address; block at both ends, or use
    /// [`block_ip`](Self::block_ip).
    pub fn block(&self, addr: SocketAddr) {
        let mut state = self.lock();
        state.blocked.to.insert(addr);
        state.blocked.from.insert(addr);
    }

    /// Drops what is sent to `addr`, and lets in what it sends. Streams need both directions and
    /// are cut off.
    pub fn block_to(&self, addr: SocketAddr) {
        self.lock().blocked.to.insert(addr);
    }

    /// Drops what arrives from `addr`, and lets out what is sent to it. Streams need both
    /// directions and are cut off.
    pub fn block_from(&self, addr: SocketAddr) {
        self.lock().blocked.from.insert(addr);
    }

    /// Takes back [`block`](Self::block), [`block_to`](Self::block_to) and
    /// [`block_from`](Self::block_from) of this address.
    pub fn unblock(&self, addr: SocketAddr) {
        let mut state = self.lock();
        state.blocked.to.remove(&addr);
        state.blocked.from.remove(&addr);
    }

    /// Cuts every port of `ip` off in both directions, streams it opens included.
    pub fn block_ip(&self, ip: IpAddr) {
        self.lock().blocked.ips.insert(ip);
    }

    /// Takes back [`block_ip`](Self::block_ip).
    pub fn unblock_ip(&self, ip: IpAddr) {
        self.lock().blocked.ips.remove(&ip);
    }

    /// Cuts everybody off, until [`unblock_all`](Self::unblock_all).
    pub fn block_all(&self) {
        self.lock().blocked.everybody = true;
    }

    /// Takes back every block, of single peers too.
    pub fn unblock_all(&self) {
        self.lock().blocked = Blocked::default();
    }

    /// What the faults did so far.
    pub fn stats(&self) -> FaultStats {
        self.lock().stats
    }

    /// Decides about one datagram: after what time each of its copies goes. Draws also for blocked
    /// peers, so that a partition does not shift who meets which fault afterwards.
    pub(super) fn judge(&self, to: SocketAddr) -> [Option<Duration>; 2] {
        let mut state = self.lock();
        let state = &mut *state;
        let verdict = state.plan.judge(state.dice.roll());
        if state.blocked.out(to) {
            state.stats.blocked_out += 1;
            return [None, None];
        }
        if verdict.lost {
            state.stats.lost += 1;
            return [None, None];
        }
        state.stats.reordered += u64::from(verdict.reordered);
        state.stats.duplicated += u64::from(verdict.copy.is_some());
        let copies = [Some(verdict.delay), verdict.copy];
        state.stats.delayed +=
            copies.iter().flatten().filter(|delay| !delay.is_zero()).count() as u64;
        copies
    }

    /// Whether a delayed copy that is due may go; counts it either way.
    pub(super) fn lets_out(&self, to: SocketAddr) -> bool {
        let mut state = self.lock();
        let blocked = state.blocked.out(to);
        if blocked {
            state.stats.blocked_out += 1;
        } else {
            state.stats.passed += 1;
        }
        !blocked
    }

    pub(super) fn lets_in(&self, from: SocketAddr) -> bool {
        let mut state = self.lock();
        let blocked = state.blocked.inward(from);
        state.stats.blocked_in += u64::from(blocked);
        !blocked
    }

    pub(super) fn lets_stream(&self, peer: SocketAddr) -> bool {
        let mut state = self.lock();
        let blocked = state.blocked.out(peer) || state.blocked.inward(peer);
        state.stats.blocked_streams += u64::from(blocked);
        !blocked
    }

    pub(super) fn passed(&self) {
        self.lock().stats.passed += 1;
    }

    pub(super) fn overflowed(&self) {
        self.lock().stats.overflowed += 1;
    }

    /// No method leaves the state half changed, so a poisoned lock is as good as a clean one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `probability` or the nearer end of 0..=1; what is not a number is 0.
fn within_unit(probability: f64) -> f64 {
    if probability.is_nan() { 0.0 } else { probability.clamp(0.0, 1.0) }
}
