//! Suspicion (SWIM, section 4.2; Lifeguard, sections 4.2 and 4.3): how long a suspect has, who
//! accuses it, and who tells it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Engine;
use super::deadlines::{Timer, TimerKey};
use super::dissemination::Waiting;
use super::message::{Accusers, Dest, MemberIdx, Rumor};
use super::output::{Cause, Output, Profile, Reason};
use crate::config::Timers;
use crate::member::{Incarnation, MemberState};
use crate::time::Time;
use crate::tuning;

/// A suspicion is bound to one incarnation of its member: a newer one ends it.
#[derive(Debug)]
pub(super) struct Suspicion {
    started: Time,
    /// Distinct accusers by origin.
    pub(super) accusers: Accusers,
    /// Those of them that only passed a bare suspicion on, as far as is known.
    hearsay: Accusers,
    /// The sender of the last bare suspicion, and how far the telling had got before it.
    bare: Option<(MemberIdx, Option<Waiting>)>,
    /// Messages heard before it was raised, and evidence time then.
    heard: u64,
    hearing: Duration,
    timer: TimerKey,
    /// When this node looks for itself, if only others accused.
    verify: Option<TimerKey>,
}

/// A member that answered this node itself while rumours called it suspect.
#[derive(Debug)]
struct Vouch {
    incarnation: Incarnation,
    timer: TimerKey,
}

/// Suspects, and those this node vouches for. Few at any time, so ordered maps.
#[derive(Debug, Default)]
pub(super) struct Suspicions {
    suspects: BTreeMap<MemberIdx, Suspicion>,
    vouched: BTreeMap<MemberIdx, Vouch>,
}

impl Suspicions {
    pub(super) fn get(&self, member: MemberIdx) -> Option<&Suspicion> {
        self.suspects.get(&member)
    }

    /// A forgotten member accuses nobody: its index may soon be another's.
    pub(super) fn forget_accuser(&mut self, member: MemberIdx) {
        for suspicion in self.suspects.values_mut() {
            suspicion.accusers.remove(member);
            suspicion.hearsay.remove(member);
        }
    }
}

/// How many others must be live, the suspect included, before silence means that this node is deaf.
const DEAF_AMONG: usize = 3;
/// The last nodes look for themselves after this part of the least time of a suspicion.
const LAST_LOOK: f64 = 0.75;

impl<P: Profile> Engine<P> {
    /// How long an unconfirmed suspicion lasts here and now.
    pub(super) fn suspicion_max(&self) -> Duration {
        let config = &self.config;
        tuning::suspicion_max(config.probe_timeout, config.suspicion_multiplier, self.table.n())
    }

    /// How long one lasts that has all its confirmations.
    pub(super) fn suspicion_min(&self) -> Duration {
        self.suspicion_max() / self.config.suspicion_ratio
    }

    /// Makes an Alive member Suspect. `hearsay` are those of the accusers who said so without
    /// naming the origin.
    pub(super) fn raise<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        accusers: Accusers,
        hearsay: Accusers,
        cause: Cause,
        out: &mut O,
    ) {
        let Some(incarnation) = self.table.get(member).map(|record| record.incarnation) else {
            return;
        };
        self.end_vouch(member);
        self.stats.suspicions += 1;
        let timer = self.arm(Timer::Suspicion(member), now, self.suspicion_max(), out);
        let verify = self.arm_verify(now, member, &accusers, out);
        let heard = self.hearing.messages();
        let hearing = self.evidence_time(now);
        let (started, bare) = (now, None);
        let suspicion =
            Suspicion { started, accusers, hearsay, bare, heard, hearing, timer, verify };
        self.suspicions.suspects.insert(member, suspicion);
        self.record(member, MemberState::Suspect, incarnation, cause, out);
        self.shorten(now, member, out);
        self.tell_subject(member, out);
    }

    /// This node could not reach a member: it says so.
    pub(super) fn suspect<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        self.end_vouch(member);
        let me = self.table.me;
        let accusers = Accusers::one(me, self.health.score());
        let cause = Cause { by: Some(me), reason: Reason::ProbeFailed };
        self.raise(now, member, accusers, Accusers::default(), cause, out);
        self.enqueue(now, member, Some(0), false, out);
    }

    /// This node could reach neither a member nor any relay, which is no evidence against the
    /// member: it is suspect, but accused by nobody and told to nobody, and looked at again.
    pub(super) fn suspect_in_private<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        out: &mut O,
    ) {
        let nobody = Accusers::default();
        let cause = Cause { by: Some(self.table.me), reason: Reason::ProbeFailed };
        self.raise(now, member, nobody, nobody, cause, out);
        self.look_again(now, member, out);
    }

    /// Looks at a suspect a period from now, because the last look told nothing.
    pub(super) fn look_again<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let delay = self.probe_interval();
        let timer = self.arm(Timer::Verify(member), now, delay, out);
        let Some(suspicion) = self.suspicions.suspects.get_mut(&member) else { return };
        if let Some(earlier) = suspicion.verify.replace(timer) {
            self.deadlines.cancel(earlier);
        }
    }

    /// Somebody else accuses: this node looks for itself, before the suspicion can end.
    ///
    /// A few nodes look at once, to confirm or not; the rest would add nothing but load and look
    /// late, if confirmations have not come by then. So the number of lookers grows exponentially
    /// with time, as feedback timers do in multicast (Nonnenmacher and Biersack 1999).
    fn arm_verify<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        accusers: &Accusers,
        out: &mut O,
    ) -> Option<TimerKey> {
        if !self.config.mechanisms.verify || accusers.contains(self.table.me) {
            return None;
        }
        let share = tuning::feedback_share(self.rng.unit(), self.table.n());
        let delay = self.suspicion_min().mul_f64(LAST_LOOK * share);
        Some(self.arm(Timer::Verify(member), now, delay, out))
    }

    /// Probes a suspect that nobody has refuted so far.
    pub(super) fn verify<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let Some(suspicion) = self.suspicions.suspects.get_mut(&member) else { return };
        let Some(timer) = suspicion.verify.take() else { return };
        let confirmed = suspicion.accusers.len() > self.config.confirmations as usize;
        self.deadlines.cancel(timer);
        if !confirmed {
            self.probe(now, member, out);
        }
    }

    /// Adds accusers to a suspicion; news of them is passed on and shortens it.
    pub(super) fn confirm<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        accusers: &Accusers,
        out: &mut O,
    ) -> bool {
        if !self.config.mechanisms.confirmations {
            return false;
        }
        let Some(suspicion) = self.suspicions.suspects.get_mut(&member) else { return false };
        let evidence_time = self.hearing.passed_at(now, self.config.probe_interval);
        let private = suspicion.accusers.is_empty();
        if private {
            // Only now is there something to refute.
            (suspicion.started, suspicion.hearing) = (now, evidence_time);
        }
        let mut news = false;
        for (accuser, health) in accusers.iter() {
            news |= suspicion.accusers.insert(accuser, health);
        }
        if news {
            self.shorten(now, member, out);
            if private {
                self.enqueue(now, member, None, false, out);
            } else {
                self.tell_more(now, member, out);
            }
        }
        news
    }

    /// This node could not reach a suspect itself.
    pub(super) fn accuse<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let me = Accusers::one(self.table.me, self.health.score());
        if self.confirm(now, member, &me, out) {
            self.tell_subject(member, out);
        }
    }

    /// A bare suspicion of a suspect: its sender counts, unless evidence says it passed it on.
    pub(super) fn confirm_bare<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        sender: MemberIdx,
        out: &mut O,
    ) {
        let waiting = self.waiting(member);
        if self.confirm(now, member, &Accusers::one(sender, 0), out)
            && let Some(suspicion) = self.suspicions.suspects.get_mut(&member)
        {
            suspicion.hearsay.insert(sender, 0);
            suspicion.bare = Some((sender, waiting));
        }
    }

    /// Evidence of a suspicion's origin, from `sender`.
    pub(super) fn hear_evidence<O: Output<P>>(
        &mut self,
        now: Time,
        sender: Option<MemberIdx>,
        member: MemberIdx,
        accusers: &Accusers,
        out: &mut O,
    ) {
        let mut accusers = *accusers;
        // Nobody accuses itself.
        accusers.remove(member);
        let Some(suspicion) = self.suspicions.suspects.get_mut(&member) else { return };
        let mut bare = None;
        if let Some(sender) = sender
            && suspicion.hearsay.contains(sender)
        {
            suspicion.hearsay.remove(sender);
            if !accusers.contains(sender) {
                suspicion.accusers.remove(sender);
                bare = suspicion.bare.take_if(|(by, _)| *by == sender);
            }
        }
        if self.confirm(now, member, &accusers, out) {
            return;
        }
        self.shorten(now, member, out);
        if let Some((_, waiting)) = bare {
            self.resume(member, waiting);
        }
    }

    /// How long a suspicion with these accusers lasts.
    fn lasts(&self, accusers: &Accusers) -> Duration {
        let (max, min) = (self.suspicion_max(), self.suspicion_min());
        let possible = tuning::confirmations_possible(self.table.n(), self.config.confirmations);
        let confirmed = match self.config.mechanisms.confirmations {
            true => accusers.len().saturating_sub(1) as u32,
            false => 0,
        };
        tuning::suspicion_timeout(max, min, confirmed, possible)
    }

    /// Arms a suspicion's end anew after its accusers changed.
    fn shorten<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let Some(suspicion) = self.suspicions.suspects.get(&member) else { return };
        let lasts = self.lasts(&suspicion.accusers);
        let left = lasts.saturating_sub(self.passed(now, suspicion));
        if self.deadlines.at(suspicion.timer) == Some(now + left) {
            return;
        }
        self.deadlines.cancel(suspicion.timer);
        self.arm_suspicion(now, member, left, out);
    }

    fn arm_suspicion<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        delay: Duration,
        out: &mut O,
    ) {
        let timer = self.arm(Timer::Suspicion(member), now, delay, out);
        if let Some(suspicion) = self.suspicions.suspects.get_mut(&member) {
            suspicion.timer = timer;
        }
    }

    /// How much of its time a suspicion has had: only what this node spent hearing others counts,
    /// because a refutation may have come in the rest. Who keeps timers itself decides by itself
    /// how much time has passed.
    fn passed(&self, now: Time, suspicion: &Suspicion) -> Duration {
        match self.judges_silence() {
            true => self.evidence_time(now).saturating_sub(suspicion.hearing),
            false => now.since(suspicion.started),
        }
    }

    /// Whether silence says something about this node itself, and it may draw conclusions.
    pub(super) fn judges_silence(&self) -> bool {
        self.config.timers == Timers::Owned && self.can_be_deaf()
    }

    fn can_be_deaf(&self) -> bool {
        self.config.mechanisms.deaf_guard && self.table.others() >= DEAF_AMONG
    }

    /// What this node holds of a member, when the member should hear that to refute it (Lifeguard,
    /// section 4.3): when somebody accuses it.
    pub(super) fn belief_to_tell(&self, member: MemberIdx) -> Option<Rumor> {
        let accused = match self.table.state(member) {
            Some(MemberState::Alive) => false,
            Some(MemberState::Suspect) => !self.accusers_of(member).is_empty(),
            _ => true,
        };
        (accused && self.config.mechanisms.buddy).then(|| self.rumor(member, 0))
    }

    /// Tells a suspect that it is one, if this node is among its first accusers.
    fn tell_subject<O: Output<P>>(&mut self, member: MemberIdx, out: &mut O) {
        let mine = self.accusers_of(member).contains(self.table.me);
        if mine && self.config.mechanisms.buddy {
            self.tell(self.rumor(member, 0), Dest::Member(member), out);
        }
    }

    /// A suspicion's time is over.
    pub(super) fn expire<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let Some(suspicion) = self.suspicions.suspects.get(&member) else { return };
        self.deadlines.cancel(suspicion.timer);
        if suspicion.accusers.is_empty() && self.judges_silence() {
            // Nobody accuses it, so nobody has told it: no time makes it dead, only a look.
            self.arm_suspicion(now, member, self.suspicion_min(), out);
            self.probe(now, member, out);
            return;
        }
        if let Some(left) = self.left_unheard(now, suspicion) {
            self.stats.deaf += 1;
            self.arm_suspicion(now, member, left, out);
            if self.config.timers == Timers::Named
                && let Some(suspicion) = self.suspicions.suspects.get_mut(&member)
            {
                // The subject has all its time again: it was not heard so far.
                suspicion.started = now;
            }
            return;
        }
        let Some(incarnation) = self.table.get(member).map(|record| record.incarnation) else {
            return;
        };
        let accusers = suspicion.accusers;
        let by = accusers.iter().next().map(|(accuser, _)| accuser);
        let cause = Cause { by, reason: Reason::SuspicionExpired };
        self.end(now, member, MemberState::Dead, incarnation, cause, None, out);
        if accusers.contains(self.table.me) && self.config.mechanisms.buddy {
            self.tell(self.rumor(member, 0), Dest::Member(member), out);
        }
    }

    /// How much longer a suspicion whose timer has run must last, because this node could not have
    /// heard a refutation of it.
    fn left_unheard(&self, now: Time, suspicion: &Suspicion) -> Option<Duration> {
        if !self.can_be_deaf() {
            return None;
        }
        let lasts = self.lasts(&suspicion.accusers);
        let left = match self.config.timers {
            Timers::Owned => lasts.saturating_sub(self.passed(now, suspicion)),
            Timers::Named if self.hearing.messages() == suspicion.heard => lasts,
            Timers::Named => Duration::ZERO,
        };
        (!left.is_zero()).then_some(left)
    }

    /// Silence of a period is usual: each brings the ack of one's own probe.
    pub(super) fn evidence_time(&self, now: Time) -> Duration {
        self.hearing.passed_at(now, self.config.probe_interval)
    }

    /// Ends a suspicion, if there is one.
    pub(super) fn end_suspicion(&mut self, member: MemberIdx) {
        if let Some(suspicion) = self.suspicions.suspects.remove(&member) {
            self.deadlines.cancel(suspicion.timer);
            if let Some(verify) = suspicion.verify {
                self.deadlines.cancel(verify);
            }
        }
    }

    /// The suspect itself answered: first-hand evidence, good for this node's view only.
    pub(super) fn vouch<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let suspect = self.table.state(member) == Some(MemberState::Suspect);
        let Some(incarnation) = self.table.get(member).map(|record| record.incarnation) else {
            return;
        };
        if !suspect || !self.config.mechanisms.first_hand {
            return;
        }
        self.stats.refuted += 1;
        self.end_suspicion(member);
        self.dequeue(member);
        let cause = Cause { by: Some(self.table.me), reason: Reason::FirstHand };
        self.record(member, MemberState::Alive, incarnation, cause, out);
        let timer = self.arm(Timer::Vouch(member), now, self.suspicion_max(), out);
        self.end_vouch(member);
        self.suspicions.vouched.insert(member, Vouch { incarnation, timer });
    }

    /// Whether rumours of suspicion at this incarnation do not count here.
    pub(super) fn is_vouched(&self, member: MemberIdx, incarnation: Incarnation) -> bool {
        self.suspicions.vouched.get(&member).is_some_and(|vouch| vouch.incarnation == incarnation)
    }

    /// From now on rumours about the member count again.
    pub(super) fn end_vouch(&mut self, member: MemberIdx) {
        if let Some(vouch) = self.suspicions.vouched.remove(&member) {
            self.deadlines.cancel(vouch.timer);
        }
    }
}
