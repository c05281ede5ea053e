//! Memberlist's anti-entropy: now and then two nodes send each other all they hold. A quirk of
//! baselines only; our own is a digest.

use std::time::Duration;

use swim_core::{MemberIdx, MemberState, Message, Source, Time, Update};

use super::{Letter, Mark, SwimNode};
use crate::node::{Io, Via};
use crate::rng::SimRng;

/// When the next exchange is due.
#[derive(Debug, Clone)]
pub(super) struct PushPull {
    every: Duration,
    next: Time,
    rng: SimRng,
}

/// Memberlist doubles its interval beyond so many members, and for each doubling of them.
const SCALE_FROM: usize = 32;

impl PushPull {
    pub(super) fn new(every: Duration, seed: u64) -> Self {
        let mut rng = SimRng::new(seed ^ 0x7075_6c6c);
        let next = Time::ZERO + every.mul_f64(rng.unit());
        Self { every, next, rng }
    }

    pub(super) fn next(&self) -> Time {
        self.next
    }

    fn interval(&self, n: usize) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "a number of members")]
        let doublings = (n.max(SCALE_FROM) as f64 / SCALE_FROM as f64).log2().ceil();
        self.every.mul_f64(1.0 + doublings)
    }
}

/// A death that is read in somebody's view is only a suspicion, and of a member that this node has
/// not heard of it is nothing (memberlist's `mergeState` and `suspectNode`).
pub(super) fn doubt_the_dead(
    updates: &mut Vec<Update<Mark>>,
    is_known: impl Fn(MemberIdx) -> bool,
) {
    updates.retain(|update| update.rumor.state.is_live() || is_known(update.rumor.member));
    for update in updates {
        if update.rumor.state == MemberState::Dead {
            update.rumor.state = MemberState::Suspect;
        }
    }
}

impl SwimNode {
    /// Exchanges all with a random live member, if that is due.
    pub(super) fn start_push_pull(&mut self, now: Time, io: &mut Io<Letter>) {
        let n = self.engine.live_count();
        let known = self.engine.profiles().len() as u64;
        let Some(push_pull) = self.push_pull.as_mut().filter(|it| it.next <= now) else { return };
        push_pull.next = now + push_pull.interval(n);
        let pick = (0..64).map(|_| MemberIdx(push_pull.rng.below(known) as u32)).find(|&member| {
            let live = |state: MemberState| state.is_live();
            member != self.me && self.engine.state(member).is_some_and(live)
        });
        if let Some(member) = pick {
            self.push_pull_with(now, member, io);
        }
    }

    /// Sends a member all that this node holds, and asks for the same.
    pub(super) fn push_pull_with(&mut self, now: Time, member: MemberIdx, io: &mut Io<Letter>) {
        let first = io.sent.len();
        self.drive(None, io, |engine, out| {
            let source = Source { member: Some(member), address: member };
            // What answers a request is what this node holds.
            engine.handle_message(now, source, Message::SyncRequest, out);
        });
        if let Some(sent) = io.sent.get_mut(first) {
            sent.packet.items.push(super::Item::SyncRequest);
            debug_assert_eq!(sent.via, Via::Stream);
        }
    }
}
