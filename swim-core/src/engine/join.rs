//! Joining: ask the seeds for all they hold, until one answers.

use super::Engine;
use super::deadlines::{Timer, TimerKey};
use super::membership::{Heard, PLAUSIBLE, Verdict};
use super::message::{Dest, MemberIdx, Message, Rumor, Source, Update};
use super::output::{Output, Profile, Reason};
use super::table::Record;
use crate::member::MemberState;
use crate::time::Time;

/// A join that nobody has answered so far.
#[derive(Debug, Clone)]
struct Asking<A> {
    seeds: Vec<A>,
    attempts: u32,
    timer: TimerKey,
}

/// What this node asked for.
#[derive(Debug, Clone)]
pub(super) struct Join<A> {
    asking: Option<Asking<A>>,
    /// `Sync`s that may still come in answer to this node's requests.
    answers_due: usize,
}

/// Most seeds of one join.
const MAX_SEEDS: usize = 64;
/// Waits between attempts double up to this many probe intervals, and half as many again by chance.
const MAX_WAIT: u32 = 16;

impl<A> Join<A> {
    pub(super) fn new() -> Self {
        Self { asking: None, answers_due: 0 }
    }

    /// How often the seeds were asked in vain so far; `None` when no join is under way.
    pub(super) fn attempts(&self) -> Option<u32> {
        self.asking.as_ref().map(|asking| asking.attempts)
    }
}

impl<P: Profile> Engine<P> {
    /// Asks each seed for its view and tells it of this node; asks again until one answers. Takes
    /// the place of a join that is under way; without seeds, it ends that.
    pub fn join<O: Output<P>>(&mut self, now: Time, seeds: &[P::Address], out: &mut O) {
        self.start(now, out);
        if seeds.is_empty() {
            self.stop_asking();
        }
        let own = self.table.address(self.table.me);
        let mut distinct: Vec<P::Address> = Vec::new();
        for &seed in seeds {
            if seed != own && !distinct.contains(&seed) && distinct.len() < MAX_SEEDS {
                distinct.push(seed);
            }
        }
        if distinct.is_empty() || self.departure.is_some() {
            return;
        }
        self.stop_asking();
        self.notices.knows_past |= self.table.others() > 0;
        if !self.notices.knows_past {
            self.notices.leave_alone_life();
        }
        self.join.answers_due = 0;
        self.ask(now, distinct, 1, out);
    }

    fn ask<O: Output<P>>(&mut self, now: Time, seeds: Vec<P::Address>, attempts: u32, out: &mut O) {
        let me = self.rumor(self.table.me, 0);
        for &seed in &seeds {
            self.tell(me, Dest::Address(seed), out);
            self.transmit(Dest::Address(seed), Message::SyncRequest, out);
        }
        self.join.answers_due = (self.join.answers_due + seeds.len()).min(MAX_SEEDS);
        let wait = self.config.probe_interval * (1 << (attempts - 1).min(16)).min(MAX_WAIT);
        // Many that were turned away at once come back one by one.
        let crowd = if attempts > 1 { self.rng.unit() / 2.0 } else { 0.0 };
        let wait = wait.mul_f64(1.0 + crowd);
        let timer = self.arm(Timer::Join, now, wait, out);
        self.join.asking = Some(Asking { seeds, attempts, timer });
    }

    /// Nobody answered in time.
    pub(super) fn join_timed_out<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        let Some(asking) = self.join.asking.take() else { return };
        self.deadlines.cancel(asking.timer);
        if self.departure.is_none() {
            self.ask(now, asking.seeds, asking.attempts + 1, out);
        }
    }

    fn stop_asking(&mut self) -> Option<Vec<P::Address>> {
        let asking = self.join.asking.take()?;
        self.deadlines.cancel(asking.timer);
        Some(asking.seeds)
    }

    /// Answers a request for everything, whoever asks.
    pub(super) fn hear_sync_request<O: Output<P>>(
        &mut self,
        source: &Source<P::Address>,
        out: &mut O,
    ) {
        self.send_clock(Dest::Address(source.address), out);
        let all: Vec<Rumor> =
            self.table.known().map(|(member, _)| self.whole_rumor(member)).collect();
        self.transmit(Dest::Address(source.address), Message::Sync(&all), out);
    }

    /// Merges a whole view. If it answers this node's request, what it lacks is pushed back.
    pub(super) fn hear_sync<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        updates: &mut [Update<P>],
        out: &mut O,
    ) {
        let answer = self.join.answers_due > 0;
        // A newcomer need not tell a cluster what it has just heard from it.
        let spread = !answer || self.table.others() > 0;
        let heard = Heard { source: *source, reason: Reason::AntiEntropy, spread };
        let mut known: Vec<MemberIdx> = Vec::with_capacity(updates.len());
        self.table.reserve(updates.len());
        for update in updates {
            if self.merge_record(now, &heard, update, out) != Verdict::Stale {
                known.push(update.rumor.member);
            }
        }
        if answer {
            self.join.answers_due -= 1;
            self.notices.knows_past = true;
            self.push_back(source, known, out);
            self.sync_soon(now, out);
            if let Some(seeds) = self.stop_asking() {
                self.remember_seeds(now, &seeds, out);
            }
        }
    }

    /// Merges one record of another's view. A record at a higher incarnation is also evidence
    /// that its member was Alive at it, unless its member could not outbid that.
    fn merge_record<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        update: &mut Update<P>,
        out: &mut O,
    ) -> Verdict {
        let rumor = update.rumor;
        let revives = |record: &Record| record.is_live() || rumor.state == MemberState::Suspect;
        let newer = self
            .table
            .get(rumor.member)
            .is_some_and(|record| rumor.incarnation > record.incarnation && revives(record));
        let newer = newer && rumor.incarnation < PLAUSIBLE;
        if newer && rumor.state != MemberState::Alive && rumor.member != self.table.me {
            update.rumor.state = MemberState::Alive;
            self.apply(now, heard, update, out);
            update.rumor = rumor;
        }
        self.apply(now, heard, update, out)
    }

    /// Sends the live members that a view lacked.
    fn push_back<O: Output<P>>(
        &mut self,
        source: &Source<P::Address>,
        mut known: Vec<MemberIdx>,
        out: &mut O,
    ) {
        known.sort_unstable();
        let lacking: Vec<Rumor> = self
            .table
            .known()
            .filter(|(member, record)| record.is_live() && known.binary_search(member).is_err())
            .map(|(member, _)| self.whole_rumor(member))
            .collect();
        if !lacking.is_empty() {
            self.transmit(Dest::Address(source.address), Message::Sync(&lacking), out);
        }
    }

    /// How often the seeds were asked in vain; `None` when no join is under way.
    pub fn join_attempts(&self) -> Option<u32> {
        self.join.attempts()
    }
}
