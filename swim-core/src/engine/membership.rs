//! The one door through which a record changes: precedence (SWIM, section 4.2), death, departure and
//! forgetting.

use super::Engine;
use super::deadlines::Timer;
use super::message::{Accusers, Dest, MemberIdx, Removal, Rumor, Source, Update};
use super::output::{Cause, Change, Output, Profile, Reason};
use super::removal;
use crate::member::{Incarnation, MemberState};
use crate::time::Time;

/// Alive claims from here on are refused: no honest member gets there, and a refutation needs
/// room above whatever was believed.
pub(super) const ALIVE_LIMIT: Incarnation = u64::MAX - (1 << 32) + 1;
/// Accusations from here on are not outbid by one but by the accused's own count, and do not
/// raise what is held of the dead: else one of them would use all incarnations up.
pub(super) const PLAUSIBLE: Incarnation = u64::MAX - (1 << 33) + 1;

/// How many of all tell a member what they have from others, that it left: so who says so in its name
/// is refuted, and a farewell costs hardly more.
const FAREWELLS_TOLD: usize = 3;

/// Where news came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard<A> {
    pub(super) source: Source<A>,
    pub(super) reason: Reason,
    /// Whether to pass it on.
    pub(super) spread: bool,
}

impl<A> Heard<A> {
    pub(super) fn cause(&self, rumor: &Rumor) -> Cause {
        let own = self.source.member == Some(rumor.member);
        let accuser = rumor.accusers.iter().next().map(|(accuser, _)| accuser);
        let reason = if own { Reason::OwnWord } else { self.reason };
        let reason = removal::reason(rumor.removed()).unwrap_or(reason);
        Cause { by: accuser.or(self.source.member), reason }
    }
}

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It changed what is held.
    News,
    /// It said nothing new, or nothing that can be used.
    Known,
    /// What is held beats it: its sender does not know the latest.
    Stale,
}

impl<P: Profile> Engine<P> {
    /// Merges one update. O(log n) for news, O(1) for the rest.
    pub(super) fn apply<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        update: &mut Update<P>,
        out: &mut O,
    ) -> Verdict {
        if update.rumor.removed() != Removal::No {
            // Who did it may be nobody but a name in this very message, whose index lasts no longer.
            update.rumor.accusers.retain(|by| self.table.get(by).is_some());
        }
        let rumor = update.rumor;
        let doubtful = rumor.state != MemberState::Alive && self.is_doubtful(heard, &rumor);
        let verdict = if rumor.member == self.table.me {
            self.apply_own(now, heard, update, out)
        } else {
            match rumor.state {
                MemberState::Alive => self.apply_alive(now, heard, update, out),
                MemberState::Suspect => self.apply_suspect(now, heard, update, out),
                MemberState::Dead | MemberState::Left => self.apply_end(now, heard, &rumor, out),
            }
        };
        match verdict {
            Verdict::News => self.stats.updates_learned += 1,
            Verdict::Known | Verdict::Stale => self.stats.updates_ignored += 1,
        }
        if verdict == Verdict::News
            && let Some(age) = rumor.age
        {
            self.count_age(age.saturating_add(1));
        }
        if doubtful && verdict == Verdict::News {
            self.correct(rumor.member, Dest::Member(rumor.member), out);
        }
        verdict
    }

    fn apply_alive<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        update: &mut Update<P>,
        out: &mut O,
    ) -> Verdict {
        let rumor = update.rumor;
        if rumor.incarnation >= ALIVE_LIMIT {
            self.stats.incarnations_refused += 1;
            return Verdict::Known;
        }
        let Some(record) = self.table.get(rumor.member).copied() else {
            return self.welcome(now, heard, update, out);
        };
        if rumor.incarnation > record.incarnation {
            self.renew(now, heard, update, out);
            return Verdict::News;
        }
        if rumor.incarnation < record.incarnation || !record.is_live() {
            return Verdict::Stale;
        }
        match update.profile.take() {
            Some(profile) if profile != *self.table.profile(rumor.member) => {
                self.settle_conflict(now, heard, &rumor, profile, out)
            }
            _ => Verdict::Known,
        }
    }

    /// A member nobody here knew.
    fn welcome<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        update: &mut Update<P>,
        out: &mut O,
    ) -> Verdict {
        let Some(profile) = update.profile.take() else { return Verdict::Known };
        let rumor = update.rumor;
        self.table.insert(rumor.member, profile, rumor.incarnation);
        let change = Change {
            member: rumor.member,
            old: None,
            hidden: false,
            new: Some(MemberState::Alive),
            incarnation: rumor.incarnation,
            cause: heard.cause(&rumor),
        };
        out.changed(&mut self.table.profiles, change, None);
        self.found(now, rumor.member, out);
        self.pass_on(now, heard, &rumor, false, out);
        Verdict::News
    }

    /// A known member raised its incarnation.
    fn renew<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        update: &mut Update<P>,
        out: &mut O,
    ) {
        let rumor = update.rumor;
        let member = rumor.member;
        let Some(record) = self.table.get(member).copied() else { return };
        let old = record.state();
        let (removed, hidden) = (self.removals.of(member) != Removal::No, self.is_pruned(member));
        let accused = removed || matches!(old, MemberState::Suspect | MemberState::Dead);
        let restarted = epoch(rumor.incarnation) > epoch(record.incarnation);
        // A removal is an operator's word, no finding of the failure detector.
        if accused && !removed && !restarted {
            self.stats.refuted += 1;
        }
        self.end_suspicion(member);
        self.end_vouch(member);
        self.end_cleanup(member);
        self.removals.end(member);
        let news = update.profile.take().filter(|profile| *profile != *self.table.profile(member));
        let replaced = news.map(|news| {
            let lived = self.table.address(member);
            self.healing.drop_address(lived);
            (lived, self.table.set_profile(member, news, record.incarnation))
        });
        let (lived, replaced) = replaced.unzip();
        self.table.set(member, MemberState::Alive, rumor.incarnation);
        let mut cause = heard.cause(&rumor);
        if restarted {
            cause.reason = Reason::Restarted;
        } else if accused {
            cause.reason = Reason::Refutation;
        }
        let change = Change {
            member,
            old: Some(old),
            hidden,
            new: Some(MemberState::Alive),
            incarnation: rumor.incarnation,
            cause,
        };
        out.changed(&mut self.table.profiles, change, replaced);
        if let Some(lived) = lived.filter(|_| old.is_live()) {
            self.moved(now, heard, &rumor, lived, out);
        }
        if !old.is_live() || lived.is_some() {
            self.found(now, member, out);
        }
        self.pass_on(now, heard, &rumor, accused, out);
    }

    /// Two different Alives at one incarnation: the greater profile stays, wherever which came
    /// first.
    fn settle_conflict<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        rumor: &Rumor,
        profile: P,
        out: &mut O,
    ) -> Verdict {
        let wins = profile.outranks(self.table.profile(rumor.member));
        let reported = self.conflict == Some((rumor.member, rumor.incarnation));
        if !wins && reported {
            return Verdict::Known;
        }
        let (held, claimed) = (self.table.address(rumor.member), profile.address(rumor.member));
        if wins {
            self.moves.note(now, rumor.member, held, &claimed);
        } else {
            self.moves.note(now, rumor.member, claimed, &held);
            out.claimed(claimed);
        }
        let replaced = wins.then(|| {
            self.pass_on(now, heard, rumor, false, out);
            self.table.set_profile(rumor.member, profile, rumor.incarnation)
        });
        self.report_conflict(rumor.member, rumor.incarnation, replaced, heard.source.member, out);
        if wins { Verdict::News } else { Verdict::Known }
    }

    pub(super) fn report_conflict<O: Output<P>>(
        &mut self,
        member: MemberIdx,
        incarnation: Incarnation,
        replaced: Option<P>,
        by: Option<MemberIdx>,
        out: &mut O,
    ) {
        self.stats.conflicts += 1;
        self.conflict = Some((member, incarnation));
        let state = self.table.state(member);
        let cause = Cause { by, reason: Reason::Conflict };
        let held = self.table.get(member).map_or(0, |record| record.incarnation);
        let hidden = self.is_pruned(member);
        let change = Change { member, old: state, hidden, new: state, incarnation: held, cause };
        out.changed(&mut self.table.profiles, change, replaced);
    }

    fn apply_suspect<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        update: &mut Update<P>,
        out: &mut O,
    ) -> Verdict {
        let member = update.rumor.member;
        if self.table.get(member).is_none() {
            // Somebody knows it as live at this incarnation, so it was Alive at it; not at one that
            // it could not outbid.
            if update.rumor.incarnation >= PLAUSIBLE
                || self.apply_alive(now, heard, update, out) != Verdict::News
            {
                return Verdict::Known;
            }
        }
        let rumor = update.rumor;
        let Some(record) = self.table.get(member).copied() else { return Verdict::Known };
        if rumor.incarnation < record.incarnation {
            return Verdict::Stale;
        }
        if !record.is_live() || self.is_vouched(member, rumor.incarnation) {
            return Verdict::Known;
        }
        let (accusers, hearsay) = self.accusers_heard(heard, &rumor);
        if record.state() == MemberState::Alive {
            self.raise(now, member, (accusers, hearsay), true, heard.cause(&rumor), out);
            if !accusers.is_empty() {
                self.pass_on(now, heard, &rumor, false, out);
            }
            return Verdict::News;
        }
        let before = self.accusers_of(member).len();
        match hearsay.iter().next() {
            Some((sender, _)) => self.confirm_bare(now, member, sender, out),
            None => drop(self.confirm(now, member, &accusers, out)),
        }
        if self.accusers_of(member).len() > before { Verdict::News } else { Verdict::Known }
    }

    /// Known accusers other than the suspect; the sender of a bare suspicion counts as hearsay.
    fn accusers_heard(&self, heard: &Heard<P::Address>, rumor: &Rumor) -> (Accusers, Accusers) {
        let mut accusers = Accusers::default();
        for (accuser, health) in rumor.accusers.iter() {
            if accuser != rumor.member && self.table.get(accuser).is_some() {
                accusers.insert(accuser, health);
            }
        }
        let mut hearsay = Accusers::default();
        // No evidence follows an exchange of views: its sender only passes on what it holds. But who
        // condemns without having looked itself must have the subject hear of it.
        if rumor.accusers.is_empty()
            && (heard.reason == Reason::Rumor || !self.config.mechanisms.quiet)
            && let Some(sender) = heard.source.member.filter(|&sender| sender != rumor.member)
        {
            accusers.insert(sender, 0);
            hearsay.insert(sender, 0);
        }
        (accusers, hearsay)
    }

    /// Dead or Left. An accusation never raises a live member's incarnation; the dead take it over,
    /// else an Alive between the two would revive them.
    fn apply_end<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        rumor: &Rumor,
        out: &mut O,
    ) -> Verdict {
        let Some(record) = self.table.get(rumor.member).copied() else { return Verdict::Known };
        if rumor.incarnation < record.incarnation {
            return Verdict::Stale;
        }
        let held = record.incarnation;
        let raised = if record.is_live() || rumor.incarnation >= PLAUSIBLE {
            held
        } else {
            rumor.incarnation
        };
        let rank = (rumor.state.rank(), rumor.removed());
        let outranks = rank > (record.state().rank(), self.removals.of(rumor.member));
        if raised == held && !outranks {
            return Verdict::Known;
        }
        let spread = heard.spread.then_some(rumor.age.map(|age| age.saturating_add(1)));
        let cause = heard.cause(rumor);
        match rumor.removed() {
            Removal::No => {
                self.end(now, rumor.member, rumor.state, raised, cause, spread, out);
            }
            removal => {
                let accuser = rumor.accusers.iter().next().map(|(accuser, _)| accuser);
                self.remove(now, rumor.member, raised, (removal, accuser), spread, out);
            }
        }
        Verdict::News
    }

    /// An accusation that honest nodes hardly make: at an incarnation nobody has heard of, or a
    /// death or a removal that no suspicion came before. Its subject is told at once, and has mostly
    /// refuted it before the next gossip round passes it on. That it left, which all hear whenever one
    /// does, a few of them tell it if they have it from others.
    fn is_doubtful(&mut self, heard: &Heard<P::Address>, rumor: &Rumor) -> bool {
        if rumor.member == self.table.me {
            return false;
        }
        let Some(record) = self.table.get(rumor.member).filter(|it| it.is_live()) else {
            return false;
        };
        let gone = rumor.state == MemberState::Dead || rumor.removed() != Removal::No;
        if rumor.incarnation > record.incarnation || (gone && record.state() == MemberState::Alive)
        {
            return true;
        }
        let farewell = rumor.state == MemberState::Left && rumor.removed() == Removal::No;
        let hearsay = heard.source.member != Some(rumor.member);
        // To who leaves it is a confirmation, which who leaves itself must not give.
        farewell
            && hearsay
            && self.departure.is_none()
            && self.rng.below(self.table.n()) < FAREWELLS_TOLD
    }

    /// Makes a member Dead or Left. `spread` is `None` where everybody hears it anyway, else the
    /// age of the news; this node's own findings are always told.
    #[expect(clippy::too_many_arguments, reason = "the facts of a death")]
    pub(super) fn end<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        state: MemberState,
        incarnation: Incarnation,
        cause: Cause,
        spread: Option<Option<u8>>,
        out: &mut O,
    ) {
        let own = cause.reason == Reason::SuspicionExpired;
        if self.table.is_live(member) && state == MemberState::Dead {
            self.stats.deaths += 1;
        }
        self.end_suspicion(member);
        self.end_vouch(member);
        self.record(member, state, incarnation, cause, out);
        self.removals.end(member);
        self.end_cleanup(member);
        let cleanup = self.arm(Timer::Cleanup(member), now, self.config.dead_retention, out);
        self.tombstones.insert(member, cleanup);
        if state == MemberState::Dead {
            self.lost(now, member, out);
        } else {
            self.close_probes_of(member);
            self.healing.drop_address(self.table.address(member));
        }
        if own {
            self.enqueue(now, member, Some(0), false, out);
        } else if let Some(age) = spread {
            self.enqueue(now, member, age, false, out);
        } else {
            self.dequeue(member);
        }
    }

    /// Writes state and incarnation of a known member and says so.
    pub(super) fn record<O: Output<P>>(
        &mut self,
        member: MemberIdx,
        state: MemberState,
        incarnation: Incarnation,
        cause: Cause,
        out: &mut O,
    ) {
        let (old, hidden) = (self.table.state(member), self.is_pruned(member));
        self.table.set(member, state, incarnation);
        let change = Change { member, old, hidden, new: Some(state), incarnation, cause };
        out.changed(&mut self.table.profiles, change, None);
    }

    /// Puts news up for telling, unless who said it tells everybody anyway.
    fn pass_on<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        rumor: &Rumor,
        urgent: bool,
        out: &mut O,
    ) {
        if heard.spread {
            let age = rumor.age.map(|age| age.saturating_add(1));
            self.enqueue(now, rumor.member, age, urgent, out);
        } else {
            self.arm_gossip(now, out);
        }
    }

    fn end_cleanup(&mut self, member: MemberIdx) {
        if let Some(cleanup) = self.tombstones.remove(&member) {
            self.deadlines.cancel(cleanup);
        }
    }

    /// Forgets a dead or departed member.
    pub(super) fn forget<O: Output<P>>(&mut self, member: MemberIdx, out: &mut O) {
        let own = member == self.table.me;
        if own || self.table.get(member).is_none() || self.table.is_live(member) {
            return;
        }
        self.end_cleanup(member);
        self.dequeue(member);
        self.suspicions.forget_accuser(member);
        self.close_probes_of(member);
        let old = self.table.state(member);
        let incarnation = self.table.get(member).map_or(0, |record| record.incarnation);
        let hidden = self.is_pruned(member);
        self.removals.forget(member);
        self.moves.forget(member);
        let reason = if hidden { Reason::Pruned } else { Reason::Reaped };
        let cause = Cause { by: None, reason };
        let change = Change { member, old, hidden, new: None, incarnation, cause };
        out.changed(&mut self.table.profiles, change, None);
        self.table.remove(member);
        if let Some(coordinates) = &mut self.coordinates {
            coordinates.forget(member);
        }
    }
}

/// The boot epoch in an incarnation.
pub(super) fn epoch(incarnation: Incarnation) -> u64 {
    incarnation >> 32
}
