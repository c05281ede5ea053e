//! Looking for oneself: a suspicion that this node raised is its own affair until a second look
//! failed, and one that it heard of is checked before it can end.
//!
//! A member that stalls for a second is looked at twice and never talked about. Told suspicions
//! cost a message to everybody, and so do their refutations.

use std::time::Duration;

use super::Engine;
use super::deadlines::{Timer, TimerKey};
use super::message::{Accusers, MemberIdx, Source};
use super::open_probes::{SEQS, is_of_probe};
use super::output::{Cause, Output, Profile, Reason};
use crate::member::MemberState;
use crate::time::Time;
use crate::tuning;

/// A probe that failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) member: MemberIdx,
    /// The first `seq` of the probe.
    pub(super) seq: u64,
    /// How many pings went out under it and the next ones.
    pub(super) pings: usize,
    /// Whether any relay said anything at all.
    pub(super) answered: bool,
    /// Whether this node heard nothing from anybody meanwhile.
    pub(super) silence: bool,
    /// Relays that said in time that they have no answer either: they accuse it too.
    pub(super) witnesses: Accusers,
}

/// The last nodes look for themselves after this part of the least time that is left.
const LAST_LOOK: f64 = 0.75;
/// The second look at a member that this node suspects begins after this part of the least time.
const SECOND_LOOK: f64 = 0.5;
/// What a suspect has at least after it was told, as a part of the least time.
const NOTICE: f64 = 0.35;

impl<P: Profile> Engine<P> {
    /// Nobody reached a member.
    pub(super) fn look_failed<O: Output<P>>(&mut self, now: Time, look: Look, out: &mut O) {
        let mechanisms = self.config.mechanisms;
        // Relays owe a nack: if none came, it is this node that hears nobody.
        // Nor could it hear that where it knows nobody any more whom it could ask.
        let silent = self.config.indirect_probes > 0 && !look.answered;
        let deaf = silent && mechanisms.nack && self.judges_silence();
        if deaf && look.silence {
            self.paths_unheard(now);
        }
        let quiet = deaf || (mechanisms.quiet && self.judges_silence());
        let mut accusers = Accusers::default();
        if !deaf {
            accusers.insert(self.table.me, self.health.score());
        }
        if quiet {
            look.witnesses.iter().for_each(|(relay, _)| _ = accusers.insert(relay, 0));
        }
        match self.table.state(look.member) {
            Some(MemberState::Alive) => self.suspect(now, look.member, accusers, quiet, out),
            Some(MemberState::Suspect) if self.suspicions.is_untold(look.member) => {
                self.second_look_failed(now, look.member, &accusers, out);
            }
            Some(MemberState::Suspect) if !deaf => self.accuse(now, look.member, &accusers, out),
            _ => {}
        }
        if let Some(suspicion) = self.suspicions.get_mut(look.member) {
            suspicion.looked = quiet.then_some((look.seq, look.pings));
            suspicion.seen |= !deaf;
        }
    }

    /// Suspects a member that this node itself could not reach. A deaf node accuses nobody.
    fn suspect<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        accusers: Accusers,
        quiet: bool,
        out: &mut O,
    ) {
        let cause = Cause { by: Some(self.table.me), reason: Reason::ProbeFailed };
        self.raise(now, member, (accusers, Accusers::default()), !quiet, cause, out);
        if quiet {
            self.look_again(now, member, accusers.is_empty(), out);
        } else {
            self.tell_subject(member, out);
            self.enqueue(now, member, Some(0), false, out);
        }
    }

    fn second_look_failed<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        accusers: &Accusers,
        out: &mut O,
    ) {
        let deaf = accusers.is_empty();
        let evidence_time = self.evidence_time(now);
        let Some(suspicion) = self.suspicions.get_mut(member) else { return };
        let first = suspicion.accusers.is_empty();
        for (accuser, health) in accusers.iter() {
            suspicion.accusers.insert(accuser, health);
        }
        if deaf {
            self.look_again(now, member, deaf, out);
        } else if first {
            // The first look that tells something.
            (suspicion.started, suspicion.hearing) = (now, evidence_time);
            self.look_again(now, member, deaf, out);
        } else {
            self.announce_suspicion(now, member, Some(0), out);
            self.tell_subject(member, out);
        }
    }

    /// Looks at a suspect again after some time; after a whole period when the last look told
    /// nothing.
    fn look_again<O: Output<P>>(&mut self, now: Time, member: MemberIdx, deaf: bool, out: &mut O) {
        let delay =
            if deaf { self.probe_interval() } else { self.suspicion_min().mul_f64(SECOND_LOOK) };
        let timer = self.arm(Timer::Verify(member), now, delay, out);
        let Some(suspicion) = self.suspicions.get_mut(member) else { return };
        if let Some(earlier) = suspicion.look.replace(timer) {
            self.deadlines.cancel(earlier);
        }
    }

    /// From now on all may know of a suspicion. Its subject has some time left, however long this
    /// node suspected it already.
    pub(super) fn announce_suspicion<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        age: Option<u8>,
        out: &mut O,
    ) {
        let notice = self.suspicion_min().mul_f64(NOTICE);
        let Some(suspicion) = self.suspicions.get(member) else { return };
        let until = self.passed(now, suspicion) + notice;
        let grace = until.saturating_sub(self.lasts(suspicion));
        if let Some(suspicion) = self.suspicions.get_mut(member) {
            suspicion.told = true;
            suspicion.grace += grace;
        }
        self.shorten(now, member, out);
        self.enqueue(now, member, age, false, out);
    }

    /// Somebody else accuses: this node looks for itself, before the suspicion can end.
    ///
    /// A few nodes look at once, to confirm or not; the rest would add nothing but load and look
    /// late, if confirmations have not come by then. So the number of lookers grows exponentially
    /// with time, as feedback timers do in multicast (Nonnenmacher and Biersack 1999).
    pub(super) fn arm_look<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        out: &mut O,
    ) -> Option<TimerKey> {
        if !self.config.mechanisms.verify {
            return None;
        }
        let share = tuning::feedback_share(self.rng.unit(), self.table.n());
        let least = self.suspicion_min() - self.time_before_telling();
        let delay = least.mul_f64(LAST_LOOK * share);
        Some(self.arm(Timer::Verify(member), now, delay, out))
    }

    /// What a suspicion has behind it when others hear of it: so much the less it lasts for them.
    pub(super) fn time_before_telling(&self) -> Duration {
        match self.config.mechanisms.quiet && self.judges_silence() {
            true => self.suspicion_min().mul_f64(SECOND_LOOK),
            false => Duration::ZERO,
        }
    }

    /// Probes a suspect that nobody has refuted so far.
    pub(super) fn look<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let Some(suspicion) = self.suspicions.get_mut(member) else { return };
        let Some(timer) = suspicion.look.take() else { return };
        let confirmed =
            suspicion.told && suspicion.accusers.len() > self.config.confirmations as usize;
        self.deadlines.cancel(timer);
        if !confirmed {
            self.probe(now, member, out);
        }
    }

    /// An ack that came after its probe had failed still says that the member is alive.
    pub(super) fn hear_late_ack<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        member: MemberIdx,
        seq: u64,
        out: &mut O,
    ) -> bool {
        let looked = self.suspicions.get(member).and_then(|suspicion| suspicion.looked);
        let Some((first, _)) = looked.filter(|&(first, pings)| is_of_probe(seq, first, pings))
        else {
            return false;
        };
        self.note_late_answer(source, member, seq.wrapping_sub(first) == SEQS - 1);
        self.vouch(now, member, out);
        true
    }
}
