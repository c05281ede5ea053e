//! Asking for notices that are known of and have not come: predecessors of what came, and what is
//! too long for a datagram. By stream, from who told of them.

use std::collections::BTreeMap;

use super::Engine;
use super::deadlines::{Timer, TimerKey};
use super::message::{Dest, MemberIdx, NoticeMessage, Source};
use super::output::{Output, Profile};
use crate::notice::{Notice, Stamp};
use crate::time::Time;

/// A notice that is wanted.
#[derive(Debug, Clone, Copy)]
struct Want {
    /// Who told of it last.
    from: MemberIdx,
    /// When to ask next.
    due: Time,
    asked: u32,
}

/// All that are wanted.
#[derive(Debug, Default, Clone)]
pub(super) struct Wants {
    by_stamp: BTreeMap<Stamp, Want>,
    timer: Option<TimerKey>,
}

/// Most notices that are wanted at a time.
const WANTS: usize = 4_096;
/// Most of them in one request.
const REQUEST: usize = 256;
/// Most bytes of bodies in one answer, or a single one.
const ANSWER: usize = 1 << 20;
/// How often one is asked for; whoever is asked may not have it, so after one gossip interval, two,
/// four ... somebody else is.
const ATTEMPTS: u32 = 5;
/// What may only be out of order is asked for after this part of the gossip interval.
const PATIENCE: u32 = 4;

impl Wants {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_stamp.len()
    }

    /// It came.
    pub(super) fn came(&mut self, stamp: Stamp) {
        self.by_stamp.remove(&stamp);
    }
}

impl<P: Profile> Engine<P> {
    /// Asks for a notice unless it comes by itself.
    pub(super) fn want_later<O: Output<P>>(
        &mut self,
        now: Time,
        stamp: Stamp,
        from: MemberIdx,
        out: &mut O,
    ) {
        let due = now + self.config.gossip_interval / PATIENCE;
        self.want(now, stamp, Want { from, due, asked: 0 }, out);
    }

    /// Asks for a notice that will not come by itself.
    pub(super) fn want_now<O: Output<P>>(
        &mut self,
        now: Time,
        stamp: Stamp,
        from: MemberIdx,
        out: &mut O,
    ) {
        self.want(now, stamp, Want { from, due: now, asked: 0 }, out);
    }

    fn want<O: Output<P>>(&mut self, now: Time, stamp: Stamp, want: Want, out: &mut O) {
        let wants = &mut self.notices.wants;
        if let Some(held) = wants.by_stamp.get_mut(&stamp) {
            held.from = want.from;
        } else if wants.by_stamp.len() >= WANTS {
            self.stats.notices_missed += 1;
        } else {
            wants.by_stamp.insert(stamp, want);
            self.arm_fetch(now, want.due, out);
        }
    }

    /// Arms the timer for what is due then, unless it fires before.
    fn arm_fetch<O: Output<P>>(&mut self, now: Time, due: Time, out: &mut O) {
        let armed = self.notices.wants.timer;
        if armed.and_then(|key| self.deadlines.at(key)).is_some_and(|at| at <= due) {
            return;
        }
        self.disarm(armed);
        let timer = self.arm(Timer::Fetch, now, due.since(now), out);
        self.notices.wants.timer = Some(timer);
    }

    /// Asks for what is due.
    pub(super) fn fetch_timed_out<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        let taken = self.notices.wants.timer.take();
        if !self.disarm(taken) {
            return;
        }
        let mut due: Vec<(MemberIdx, Stamp)> = Vec::new();
        for stamp in self.due_wants(now) {
            due.extend(self.whom_to_ask(stamp).map(|member| (member, stamp)));
        }
        due.sort_unstable();
        for of_one in due.chunk_by(|(one, _), (next, _)| one == next) {
            let stamps: Vec<Stamp> = of_one.iter().map(|&(_, stamp)| stamp).collect();
            for part in stamps.chunks(REQUEST) {
                self.transmit_notices(Dest::Member(of_one[0].0), NoticeMessage::Fetch(part), out);
            }
        }
        if let Some(next) = self.notices.wants.by_stamp.values().map(|want| want.due).min() {
            self.arm_fetch(now, next, out);
        }
    }

    /// What is to be asked for now; what was asked for often enough is given up.
    fn due_wants(&mut self, now: Time) -> Vec<Stamp> {
        let interval = self.config.gossip_interval;
        let (mut due, mut missed) = (Vec::new(), 0);
        self.notices.wants.by_stamp.retain(|&stamp, want| {
            if want.due > now {
                return true;
            }
            let again = want.asked < ATTEMPTS;
            if again {
                (want.due, want.asked) = (now + interval * (1 << want.asked), want.asked + 1);
                due.push(stamp);
            } else {
                missed += 1;
            }
            again
        });
        self.stats.notices_missed += missed;
        due
    }

    /// Who told of it last; every other time anybody, for that one may not answer.
    fn whom_to_ask(&mut self, stamp: Stamp) -> Option<MemberIdx> {
        let want = self.notices.wants.by_stamp.get(&stamp)?;
        if want.asked % 2 == 1 && self.table.is_live(want.from) {
            return Some(want.from);
        }
        let mut targets = std::mem::take(&mut self.targets);
        self.sample(1, &mut targets, |_, _| true);
        let target = targets.first().copied();
        self.targets = targets;
        target
    }

    /// Somebody asks for notices: as many as one answer holds.
    pub(super) fn hear_fetch<O: Output<P>>(
        &mut self,
        source: &Source<P::Address>,
        stamps: &[Stamp],
        out: &mut O,
    ) {
        let (mut answer, mut bytes) = (Vec::<Notice<P::Body>>::new(), 0);
        for stamp in stamps.iter().take(REQUEST) {
            let Some(notice) = self.notices.archive.notice(*stamp) else { continue };
            bytes += notice.body_len();
            if bytes > ANSWER && !answer.is_empty() {
                break;
            }
            answer.push(notice.clone());
        }
        if !answer.is_empty() {
            let back = Dest::Address(source.address);
            self.transmit_notices(back, NoticeMessage::Tell(&answer), out);
        }
    }
}
