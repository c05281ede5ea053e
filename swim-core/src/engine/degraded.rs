//! A node that finds its own paths bad says so of itself: an attribute of a live member, not a state.
//!
//! A member that loses most of what it sends or should hear still answers some pings, so it is never
//! dead for long and never quite alive. Nobody sees that as clearly as the member itself: each of
//! its own probes tells whether the first pings were answered. It keeps a cumulative sum of that
//! evidence (Page 1954), which a network that loses 20 % of all packets does not bring up, and one
//! that loses 80 % does within some twenty periods.

use std::time::Duration;

use super::Engine;
use super::message::MemberIdx;
use super::output::{Output, Profile};
use crate::time::Time;

/// What the last probes said of this node's own paths.
#[derive(Debug, Default, Clone)]
pub(super) struct Paths {
    pub(super) score: u32,
    /// When the score was last above [`BAD`].
    pub(super) bad: Option<Time>,
    /// Whether the last probe brought no answer from anybody: there is nobody to tell.
    pub(super) deaf: bool,
}

/// A probe that was answered without relays speaks for the paths,
const ANSWERED: u32 = 2;
/// one that needed them against them,
const NEEDED_RELAYS: u32 = 4;
/// and one that even relays did not answer, so that it tells nothing of its target, far more so.
const UNHEARD: u32 = 15;
/// The paths are bad from here on.
const BAD: u32 = 30;
/// The worst that is kept, so that good times are noticed.
const WORST: u32 = 60;
/// The mark stays for so many probe intervals after the paths were bad last: who comes and goes is
/// degraded all the time.
const HOLD: u32 = 120;

impl<P: Profile> Engine<P> {
    /// A probe was answered, `directly` if relays were not needed. One that was never answered
    /// says nothing: its target may be dead.
    pub(super) fn paths_answered(&mut self, now: Time, directly: bool) {
        self.paths.deaf = false;
        if directly {
            self.paths.score = self.paths.score.saturating_sub(ANSWERED);
        } else {
            self.paths_worsened(now, NEEDED_RELAYS);
        }
    }

    /// Not even relays answered.
    pub(super) fn paths_unheard(&mut self, now: Time) {
        self.paths.deaf = true;
        self.paths_worsened(now, UNHEARD);
    }

    fn paths_worsened(&mut self, now: Time, by: u32) {
        self.paths.score = (self.paths.score + by).min(WORST);
        if self.paths.score >= BAD {
            self.paths.bad = Some(now);
        }
    }

    /// Marks or unmarks this node, once a period.
    pub(super) fn judge_paths<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        if self.departure.is_some() || self.paths.deaf {
            return;
        }
        let able = self.config.mechanisms.degraded && self.judges_silence();
        let hold: Duration = self.config.probe_interval * HOLD;
        let bad = able && self.paths.bad.is_some_and(|bad| now.since(bad) < hold);
        let own = self.table.profile(self.table.me);
        if bad == own.is_degraded() {
            return;
        }
        if let Some(profile) = own.marked(bad) {
            self.stats.degradations += u64::from(bad);
            self.change_profile(profile, out);
            self.enqueue(now, self.table.me, Some(0), true, out);
        }
    }

    /// Whether a member says of itself that its paths are bad.
    pub fn is_degraded(&self, member: MemberIdx) -> bool {
        self.table.get(member).is_some() && self.table.profile(member).is_degraded()
    }
}
