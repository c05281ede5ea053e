//! How effects leave the engine: through a sink that is passed to each call and never stored.

use std::fmt::Debug;

use super::deadlines::Timer;
use super::message::{Dest, MemberIdx, NoticeMessage, Outgoing, Response};
use super::view_hash::mix;
use crate::member::{Incarnation, MemberState};
use crate::notice::{Body, Notice};
use crate::time::Time;
use crate::wire_size;

/// What travels with a member and is not the engine's business: its address, its metadata.
///
/// `()` in a simulation, where a member is its index.
pub trait Profile: Default + PartialEq {
    /// Where messages go.
    type Address: Copy + PartialEq + Debug;
    /// What users tell all members.
    type Body: Body;

    /// Where the member lives.
    fn address(&self, of: MemberIdx) -> Self::Address;
    /// A hash of who the member is: the same on every node, unchanged by its profile.
    fn identity(&self, of: MemberIdx) -> u64;
    /// A hash of what the member says of itself.
    fn content(&self) -> u64;
    /// Most bytes that a rumor takes on the wire for its name and, if asked, the profile, headers
    /// included; see [`wire_size`].
    fn wire_len(&self, with_profile: bool) -> usize;
    /// Whether the member says of itself that its paths are bad.
    fn is_degraded(&self) -> bool {
        false
    }
    /// The same with or without that mark; `None` where a profile has no room for one.
    fn marked(&self, degraded: bool) -> Option<Self> {
        let _ = degraded;
        None
    }
    /// Whether this one stays when two differ at one incarnation: any total order will do.
    fn outranks(&self, other: &Self) -> bool;
}

/// For simulations and measurements: a member is its index. On the wire it counts as a name of 11
/// bytes and an IPv4 address without metadata.
impl Profile for () {
    type Address = MemberIdx;
    type Body = u32;

    fn address(&self, of: MemberIdx) -> MemberIdx {
        of
    }

    fn identity(&self, of: MemberIdx) -> u64 {
        mix(u64::from(of.0) + 1)
    }

    fn content(&self) -> u64 {
        0
    }

    fn wire_len(&self, with_profile: bool) -> usize {
        wire_size::text(11) + if with_profile { 6 } else { 0 }
    }

    fn outranks(&self, _other: &Self) -> bool {
        false
    }
}

/// Receives what one call of the engine brings about.
pub trait Output<P: Profile> {
    /// A message leaves. `profiles` are indexed by member.
    fn send(&mut self, profiles: &[P], to: Dest<P::Address>, message: Outgoing<'_>);
    /// A message that must go by stream: the datagram path to `to` does not answer. Consecutive ones
    /// to one place may share a stream.
    fn send_by_stream(&mut self, profiles: &[P], to: Dest<P::Address>, message: Outgoing<'_>) {
        self.send(profiles, to, message);
    }
    /// A probe failed: neither the member nor anybody who was asked to try answered in time. Comes
    /// before what follows from it.
    fn probe_failed(&mut self, profiles: &[P], probe: &FailedProbe<'_>) {
        let _ = (profiles, probe);
    }
    /// A record changed; `profiles[change.member]` already holds what is new of it, and what it
    /// replaced comes along.
    fn changed(&mut self, profiles: &mut [P], change: Change, replaced: Option<P>);
    /// Another one claims the name of the member that the next change is about; it lives there.
    fn claimed(&mut self, at: P::Address) {
        let _ = at;
    }
    /// A message about notices leaves. For drivers whose users tell each other something.
    fn send_notices(
        &mut self,
        profiles: &[P],
        to: Dest<P::Address>,
        message: NoticeMessage<'_, P::Body>,
    ) {
        let _ = (profiles, to, message);
    }
    /// A notice reaches this node's user: once, and after all that it may have followed from.
    fn notice(&mut self, profiles: &[P], notice: &Notice<P::Body>) {
        let _ = (profiles, notice);
    }
    /// A member that was asked by this node's user says that it heard that, answers or declines.
    fn answered(&mut self, profiles: &[P], query: u64, from: MemberIdx, response: Response<'_>) {
        let _ = (profiles, query, from, response);
    }
    /// A timer was armed, or armed again. For drivers that mirror timers.
    fn timer_set(&mut self, profiles: &[P], timer: Timer, at: Time) {
        let _ = (profiles, timer, at);
    }
}

/// What a probe tried in vain.
#[derive(Debug, Clone, Copy)]
pub struct FailedProbe<'a> {
    /// Who was probed.
    pub member: MemberIdx,
    /// When each ping by datagram left.
    pub pings: &'a [Time],
    /// When relays were asked, and a ping went by stream.
    pub asked_at: Time,
    /// The relays that were asked, at most 8.
    pub relays: &'a [MemberIdx],
    /// Bit `i`: relay `i` said that it has no answer either.
    pub nacked: u8,
    /// Whether a ping went by stream too.
    pub by_stream: bool,
    /// Whether nobody at all was heard meanwhile: then it says more of this node.
    pub silence: bool,
}

/// How a record changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub member: MemberIdx,
    /// What was held before; `None` of a newcomer.
    pub old: Option<MemberState>,
    /// Whether that was not to be shown, because the member was pruned.
    pub hidden: bool,
    /// What is held now; `None` when it was forgotten.
    pub new: Option<MemberState>,
    /// The incarnation now.
    pub incarnation: Incarnation,
    /// Why.
    pub cause: Cause,
}

/// Why a record changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// Who brought it about: the accuser, or who passed the news on; `None` if unknown.
    pub by: Option<MemberIdx>,
    /// What happened.
    pub reason: Reason,
}

/// What made a record change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Neither it nor any relay answered this node.
    ProbeFailed,
    /// Somebody said so.
    Rumor,
    /// An exchange of whole views or of differences said so.
    AntiEntropy,
    /// The suspicion was not refuted in time.
    SuspicionExpired,
    /// The suspect answered this node itself.
    FirstHand,
    /// The member raised its incarnation.
    Refutation,
    /// The member has a later boot epoch: it was started anew.
    Restarted,
    /// The member said so of itself.
    OwnWord,
    /// Dead or departed for long enough.
    Reaped,
    /// Two nodes claim this name.
    Conflict,
    /// Somebody declared it gone for good.
    Removed,
    /// Likewise, and nothing of it is to be shown any more.
    Pruned,
}

impl Reason {
    /// The reason in lower case with underscores, as logs and interfaces print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProbeFailed => "probe_failed",
            Self::Rumor => "rumor",
            Self::AntiEntropy => "anti_entropy",
            Self::SuspicionExpired => "suspicion_expired",
            Self::FirstHand => "first_hand",
            Self::Refutation => "refutation",
            Self::Restarted => "restarted",
            Self::OwnWord => "own_word",
            Self::Reaped => "reaped",
            Self::Conflict => "conflict",
            Self::Removed => "removed",
            Self::Pruned => "pruned",
        }
    }

    /// Whether it is what a node refutes when it concerns itself.
    pub(crate) fn is_refuted(self) -> bool {
        self == Self::Refutation || self.is_removal()
    }

    /// Whether somebody declared the member gone for good.
    pub fn is_removal(self) -> bool {
        matches!(self, Self::Removed | Self::Pruned)
    }
}
