//! Refutation (SWIM, section 4.2): what a node does when it is the one talked about, and how two nodes
//! under one name find out and settle it.

use super::Engine;
use super::membership::{ALIVE_LIMIT, Heard, PLAUSIBLE, Verdict, epoch};
use super::message::Update;
use super::output::{Cause, Output, Profile, Reason};
use super::removal;
use crate::member::{Incarnation, MemberState};
use crate::time::Time;

impl<P: Profile> Engine<P> {
    /// Something is claimed of this node.
    pub(super) fn apply_own<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        update: &mut Update<P>,
        out: &mut O,
    ) -> Verdict {
        let rumor = update.rumor;
        if self.departure.is_some() {
            if rumor.state == MemberState::Left {
                self.confirm_departure(&heard.source);
            }
            return Verdict::Known;
        }
        let own = self.incarnation();
        if rumor.incarnation < own {
            return Verdict::Stale;
        }
        if rumor.state == MemberState::Alive {
            return self.hear_alive_of_self(now, heard, update, out);
        }
        self.stats.own_refutations += 1;
        // That others declare it gone, or take it for gone, says nothing of its health.
        if self.config.mechanisms.local_health && rumor.state != MemberState::Left {
            self.health.worsen(1);
        }
        let outbid = if rumor.incarnation < PLAUSIBLE { rumor.incarnation } else { own };
        let removed = removal::reason(rumor.removed());
        let cause =
            Cause { by: heard.cause(&rumor).by, reason: removed.unwrap_or(Reason::Refutation) };
        self.refute(now, outbid.saturating_add(1), heard, cause, out);
        Verdict::News
    }

    /// An Alive about this node at or above its own incarnation: from its former life, forged, or
    /// from a second node of this name.
    fn hear_alive_of_self<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        update: &mut Update<P>,
        out: &mut O,
    ) -> Verdict {
        let incarnation = update.rumor.incarnation;
        let me = self.table.me;
        let other = update.profile.take().filter(|profile| *profile != *self.table.profile(me));
        if incarnation >= ALIVE_LIMIT || (incarnation == self.incarnation() && other.is_none()) {
            return Verdict::Known;
        }
        if let Some(other) = other {
            // Whoever answers a refutation is alive: one of the two must give way, and both must
            // agree which.
            // By its address: an answer to an unproven one has no room for its metadata.
            let at = other.address(me);
            let same = self.twin.replace(at) == Some(at);
            let own = self.incarnation();
            let answered = same && incarnation == own.saturating_add(1);
            // A former life has an earlier boot epoch.
            let now_elsewhere =
                at != self.table.address(me) && epoch(own) > 0 && epoch(incarnation) == epoch(own);
            if (answered || now_elsewhere) && self.conflict != Some((me, incarnation)) {
                out.claimed(other.address(me));
                self.report_conflict(me, incarnation, None, heard.source.member, out);
            }
            if answered && other.outranks(self.table.profile(me)) {
                return Verdict::Known;
            }
            out.claimed(other.address(me));
        }
        let outbid = (incarnation + 1).min(ALIVE_LIMIT - 1);
        let cause = Cause { by: heard.source.member, reason: Reason::Refutation };
        self.refute(now, outbid, heard, cause, out);
        Verdict::News
    }

    /// Outbids what was said of this node: to who said it at once, to all first in the queue.
    fn refute<O: Output<P>>(
        &mut self,
        now: Time,
        incarnation: Incarnation,
        heard: &Heard<P::Address>,
        cause: Cause,
        out: &mut O,
    ) {
        let me = self.table.me;
        self.record(me, MemberState::Alive, incarnation, cause, out);
        self.answer_and_announce(now, &heard.source, out);
    }
}
