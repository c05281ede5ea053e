//! Who accuses a suspect, and who tells it (Lifeguard, sections 4.2 and 4.3).
//!
//! Only distinct accusers count. A suspicion that is passed on keeps its origin; a bare one counts
//! its sender until evidence says otherwise.

use super::Engine;
use super::message::{Accusers, MemberIdx, Rumor};
use super::output::{Output, Profile};
use crate::member::MemberState;
use crate::time::Time;

impl<P: Profile> Engine<P> {
    /// Adds accusers to a suspicion that others tell; news of them is passed on and shortens it.
    pub(super) fn confirm<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        accusers: &Accusers,
        out: &mut O,
    ) -> bool {
        let Some(suspicion) = self.suspicions.get_mut(member) else { return false };
        if !self.config.mechanisms.confirmations {
            // One that it can be traced to is enough.
            if suspicion.accusers.is_empty() {
                suspicion.accusers = *accusers;
            }
            return false;
        }
        let mut news = false;
        for (accuser, health) in accusers.iter() {
            news |= suspicion.accusers.insert(accuser, health);
        }
        if !suspicion.told && !accusers.is_empty() {
            self.announce_suspicion(now, member, None, out);
        } else if news {
            self.shorten(now, member, out);
            self.tell_more(now, member, out);
        }
        news
    }

    /// This node could not reach a suspect itself, and some relays could not either.
    pub(super) fn accuse<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        accusers: &Accusers,
        out: &mut O,
    ) {
        if self.confirm(now, member, accusers, out) {
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
            && let Some(suspicion) = self.suspicions.get_mut(member)
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
        let Some(suspicion) = self.suspicions.get_mut(member) else { return };
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
        if let Some((_, waiting)) = bare {
            self.shorten(now, member, out);
            self.resume(member, waiting);
        }
    }

    /// Whether a member is suspect, and nobody is known to accuse it: somebody's whole view said so.
    pub(super) fn is_unfounded(&self, member: MemberIdx) -> bool {
        self.suspicions.get(member).is_some_and(|suspicion| suspicion.accusers.is_empty())
    }

    pub(super) fn accusers_of(&self, member: MemberIdx) -> Accusers {
        self.suspicions.get(member).map(|suspicion| suspicion.accusers).unwrap_or_default()
    }

    /// What this node holds of a member, when the member should hear that to refute it (Lifeguard,
    /// section 4.3).
    pub(super) fn belief_to_tell(&self, member: MemberIdx) -> Option<Rumor> {
        let rumor = self.rumor(member, 0);
        let accused = rumor.state != MemberState::Alive;
        (accused && self.config.mechanisms.buddy).then_some(rumor)
    }

    /// Tells a suspect that it is one, if this node is among its first accusers.
    pub(super) fn tell_subject<O: Output<P>>(&mut self, member: MemberIdx, out: &mut O) {
        let mine = self.accusers_of(member).contains(self.table.me);
        if mine && self.config.mechanisms.buddy {
            self.tell_on_both_ways(self.rumor(member, 0), member, out);
        }
    }
}
