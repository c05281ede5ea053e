//! Suspicion (SWIM, section 4.2; Lifeguard, section 4.2): how long a suspect has, and what ends it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Engine;
use super::broadcast_queue::Waiting;
use super::deadlines::{Timer, TimerKey};
use super::message::{Accusers, Dest, MemberIdx};
use super::output::{Cause, Output, Profile, Reason};
use crate::config::Timers;
use crate::member::{Incarnation, MemberState};
use crate::time::Time;
use crate::tuning;

/// A suspicion is bound to one incarnation of its member: a newer one ends it.
#[derive(Debug, Clone)]
pub(super) struct Suspicion {
    pub(super) started: Time,
    /// Distinct accusers by origin; none while only this node suspects and doubts itself.
    pub(super) accusers: Accusers,
    /// Those of them that only passed a bare suspicion on, as far as is known.
    pub(super) hearsay: Accusers,
    /// The sender of the last bare suspicion, and how far the telling had got before it.
    pub(super) bare: Option<(MemberIdx, Option<Waiting>)>,
    /// Whether it was told, by this node or to it: only then has the subject heard of it.
    pub(super) told: bool,
    /// Time beyond what its accusers leave it, so that its subject has some after it was told.
    pub(super) grace: Duration,
    /// The first `seq` under which this node looked last, and how many pings it sent.
    pub(super) looked: Option<(u64, usize)>,
    /// Whether this node saw for itself that it does not answer.
    pub(super) seen: bool,
    /// Messages heard before it was raised, and evidence time then.
    pub(super) heard: u64,
    pub(super) hearing: Duration,
    timer: TimerKey,
    /// When this node looks for itself.
    pub(super) look: Option<TimerKey>,
}

/// A member that answered this node itself while rumours called it suspect.
#[derive(Debug, Clone)]
pub(super) struct Vouch {
    pub(super) incarnation: Incarnation,
    timer: TimerKey,
}

/// Suspects, and those this node vouches for. Few at any time, so ordered maps.
#[derive(Debug, Default, Clone)]
pub(super) struct Suspicions {
    pub(super) suspects: BTreeMap<MemberIdx, Suspicion>,
    pub(super) vouched: BTreeMap<MemberIdx, Vouch>,
}

impl Suspicions {
    pub(super) fn get(&self, member: MemberIdx) -> Option<&Suspicion> {
        self.suspects.get(&member)
    }

    pub(super) fn get_mut(&mut self, member: MemberIdx) -> Option<&mut Suspicion> {
        self.suspects.get_mut(&member)
    }

    /// Whether nobody but this node knows that it suspects a member.
    pub(super) fn is_untold(&self, member: MemberIdx) -> bool {
        self.get(member).is_some_and(|suspicion| !suspicion.told)
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
    /// naming the origin; `told` is false while it is this node's own affair.
    pub(super) fn raise<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        (accusers, hearsay): (Accusers, Accusers),
        told: bool,
        cause: Cause,
        out: &mut O,
    ) {
        let Some(incarnation) = self.table.get(member).map(|record| record.incarnation) else {
            return;
        };
        self.end_vouch(member);
        self.stats.suspicions += 1;
        let timer = self.arm(Timer::Suspicion(member), now, self.suspicion_max(), out);
        let others_accuse = told && !accusers.contains(self.table.me);
        let look = if others_accuse { self.arm_look(now, member, out) } else { None };
        let behind = if others_accuse { self.time_before_telling() } else { Duration::ZERO };
        let suspicion = Suspicion {
            started: now,
            accusers,
            hearsay,
            bare: None,
            seen: false,
            told,
            grace: Duration::ZERO,
            looked: None,
            heard: self.hearing.messages(),
            hearing: self.evidence_time(now).saturating_sub(behind),
            timer,
            look,
        };
        self.suspicions.suspects.insert(member, suspicion);
        self.record(member, MemberState::Suspect, incarnation, cause, out);
        self.shorten(now, member, out);
    }

    /// How long a suspicion lasts with the accusers it has.
    pub(super) fn lasts(&self, suspicion: &Suspicion) -> Duration {
        let (max, min) = (self.suspicion_max(), self.suspicion_min());
        let possible = tuning::confirmations_possible(self.table.n(), self.config.confirmations);
        let confirmed = match self.config.mechanisms.confirmations {
            true => {
                // Who says of itself that it hears badly confirms nothing.
                let sound = |&(accuser, _): &(MemberIdx, u8)| !self.is_degraded(accuser);
                (suspicion.accusers.iter().filter(sound).count() as u32).saturating_sub(1)
            }
            false => 0,
        };
        tuning::suspicion_timeout(max, min, confirmed, possible) + suspicion.grace
    }

    /// What is left of a suspicion's time; nothing when it is over.
    fn left(&self, now: Time, suspicion: &Suspicion) -> Duration {
        self.lasts(suspicion).saturating_sub(self.passed(now, suspicion))
    }

    /// Arms a suspicion's end anew after its accusers changed.
    pub(super) fn shorten<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let Some(suspicion) = self.suspicions.get(member) else { return };
        let left = self.left(now, suspicion);
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
        if let Some(suspicion) = self.suspicions.get_mut(member) {
            suspicion.timer = timer;
        }
    }

    /// How much of its time a suspicion has had: only what this node spent hearing others counts,
    /// because a refutation may have come in the rest. Who keeps timers itself decides by itself
    /// how much time has passed.
    pub(super) fn passed(&self, now: Time, suspicion: &Suspicion) -> Duration {
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

    /// A suspicion's time is over.
    pub(super) fn expire<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let Some(suspicion) = self.suspicions.get(member) else { return };
        self.deadlines.cancel(suspicion.timer);
        if let Some(delay) = self.must_look_first(suspicion) {
            let (looks, deaf) = (suspicion.look.is_some(), suspicion.accusers.is_empty());
            self.stats.deaf += u64::from(deaf);
            self.arm_suspicion(now, member, delay, out);
            if !looks && !self.probes.is_open(member) {
                self.probe(now, member, out);
            }
            return;
        }
        if let Some(left) = self.left_unheard(now, suspicion) {
            self.stats.deaf += 1;
            self.arm_suspicion(now, member, left, out);
            if self.config.timers == Timers::Named
                && let Some(suspicion) = self.suspicions.get_mut(member)
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

    /// Nobody condemns a member without having looked itself, nor before its subject was told; how
    /// long that may take.
    fn must_look_first(&self, suspicion: &Suspicion) -> Option<Duration> {
        if !self.config.mechanisms.quiet || !self.judges_silence() {
            return None;
        }
        if !suspicion.told {
            return Some(self.suspicion_min());
        }
        (!suspicion.seen).then(|| self.config.probe_timeout * (1 + u32::from(self.health.score())))
    }

    /// How much longer a suspicion whose timer has run must last, because this node could not have
    /// heard a refutation of it.
    fn left_unheard(&self, now: Time, suspicion: &Suspicion) -> Option<Duration> {
        if !self.can_be_deaf() {
            return None;
        }
        let left = match self.config.timers {
            Timers::Owned => self.left(now, suspicion),
            Timers::Named if self.hearing.messages() == suspicion.heard => self.lasts(suspicion),
            Timers::Named => Duration::ZERO,
        };
        (!left.is_zero()).then_some(left)
    }

    /// Silence of a configured period is usual, more of it is not: others ping this node.
    pub(super) fn evidence_time(&self, now: Time) -> Duration {
        self.hearing.passed_at(now, self.config.probe_interval)
    }

    /// Ends a suspicion, if there is one.
    pub(super) fn end_suspicion(&mut self, member: MemberIdx) {
        if let Some(suspicion) = self.suspicions.suspects.remove(&member) {
            self.deadlines.cancel(suspicion.timer);
            if let Some(look) = suspicion.look {
                self.deadlines.cancel(look);
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
        if !self.suspicions.is_untold(member) {
            self.dequeue(member);
        }
        self.end_suspicion(member);
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
