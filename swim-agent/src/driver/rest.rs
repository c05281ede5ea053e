//! The rest by which views go on to differ: members that are refused here.
//!
//! Who does not believe in some of a cluster's members has another view than the others for good, and
//! anti-entropy would send it all of them at each comparison. But hashes of views are sums, so the
//! difference of two is a hash of what they differ in. That of a comparison in vain is remembered, and
//! a view that differs by just that is not compared. One that differs by more, less or anything else
//! is, so that no repair is lost.
//!
//! That a comparison was in vain counts only of the member that this node has chosen for it, once. So
//! who makes it up is believed as seldom as anybody is chosen, and hides no difference but one that it
//! had to know beforehand.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Digest, GossipMessage, MemberId};
use tokio::time::Instant;

/// Differences that are remembered; the oldest goes. All who refuse nobody make one, and so do all who
/// refuse the same.
const MOST: usize = 16;
/// Most members of one difference that may still be refused when their addresses have answered: more than a
/// datagram tells of.
const WAITING: usize = 64;
/// After how long this node compares all the same: who was refused may be let in by now.
const AGAIN: Duration = Duration::from_secs(600);

/// Differences that are not worth a comparison.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// Whom this node has asked last to compare views, and by what that one's differs.
    partner: Option<(SocketAddr, Option<u64>)>,
    /// By what one's view differed of which these are not refused so far: each is when it has answered.
    waiting: Option<(u64, HashSet<MemberId>)>,
    known: VecDeque<(u64, Instant)>,
    /// Whether some may be of members for which there was no room.
    was_full: bool,
}

impl Rest {
    /// This node begins to compare views with a member.
    pub(super) fn begun(&mut self, with: SocketAddr) {
        self.partner = Some((with, None));
    }

    /// Whether that is the member, or a stream from its host.
    pub(super) fn is_partner(&self, from: SocketAddr, by_stream: bool) -> bool {
        let is = |at: SocketAddr| at == from || by_stream && at.ip() == from.ip();
        self.partner.is_some_and(|(at, _)| is(at))
    }

    /// Whether there is room for more members now. Where there was none, nobody knows who comes in.
    pub(super) fn has_room(&mut self, room: bool) {
        if room && self.was_full {
            *self = Self::default();
        }
        self.was_full = !room;
    }

    /// Takes comparisons out of a packet that would be in vain, given the hash of this node's view;
    /// how many.
    pub(super) fn take(
        &mut self,
        messages: &mut Vec<GossipMessage>,
        of_partner: bool,
        own: u64,
        now: Instant,
    ) -> usize {
        let before = messages.len();
        messages.retain(|message| {
            let GossipMessage::Digest { digest } = message else { return true };
            let difference = difference(digest, own);
            let at = self.known.iter().position(|(known, _)| *known == difference);
            let is_old = |at: usize| now.saturating_duration_since(self.known[at].1) >= AGAIN;
            if at.is_some_and(|at| !of_partner || !is_old(at)) {
                return false;
            }
            if let Some((_, open)) = self.partner.as_mut().filter(|_| of_partner) {
                *open = Some(difference);
                at.map(|at| self.known.remove(at));
            }
            true
        });
        before - messages.len()
    }

    /// The partner has told of differences, and something is left of them.
    pub(super) fn repaired(&mut self) {
        self.partner = None;
    }

    /// The partner has told of differences that were all refused, but for those of members that wait for
    /// their addresses to answer, and asks for nothing itself.
    pub(super) fn refused(&mut self, but: HashSet<MemberId>, now: Instant) {
        let Some((_, Some(difference))) = self.partner.take() else { return };
        if but.is_empty() {
            self.remember(difference, now);
        } else if but.len() <= WAITING {
            self.waiting = Some((difference, but));
        }
    }

    /// So was a member, in whatever packet.
    pub(super) fn refused_too(&mut self, name: &MemberId, now: Instant) {
        let Some((_, names)) = &mut self.waiting else { return };
        names.remove(name);
        if let Some((difference, _)) = self.waiting.take_if(|(_, names)| names.is_empty()) {
            self.remember(difference, now);
        }
    }

    fn remember(&mut self, difference: u64, now: Instant) {
        if self.known.len() >= MOST {
            self.known.pop_front();
        }
        self.known.push_back((difference, now));
    }
}

/// By what another view differs from one of this hash. What a list of versions lacks is not in it; so
/// it stands for itself beside this view.
fn difference(digest: &Digest, own: u64) -> u64 {
    let theirs = match digest {
        Digest::View { hash } => *hash,
        Digest::Buckets { hashes } => hashes.iter().copied().fold(0, u64::wrapping_add),
        Digest::Versions { of, buckets, versions } => {
            let sum = |all: &[u32]| all.iter().fold(0u64, |sum, it| sum + u64::from(*it));
            (u64::from(*of) << 32).wrapping_add(sum(buckets)).rotate_left(20) ^ sum(versions)
        }
    };
    theirs.wrapping_sub(own)
}

/// How many differences a packet tells of.
pub(super) fn differences(messages: &[GossipMessage]) -> usize {
    let told = |message: &GossipMessage| match message {
        GossipMessage::Delta { updates, .. } => updates.len(),
        _ => 0,
    };
    messages.iter().map(told).sum()
}

/// Whether a packet asks for what its sender lacks.
pub(super) fn wants(messages: &[GossipMessage]) -> bool {
    messages
        .iter()
        .any(|message| matches!(message, GossipMessage::Delta { wanted, .. } if !wanted.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u64 = 1_000;
    const SECOND: Duration = Duration::from_secs(1);

    fn at(number: u8) -> SocketAddr {
        ([10, 0, 0, number], 7946).into()
    }

    fn view(hash: u64) -> Digest {
        Digest::View { hash }
    }

    fn buckets(hash: u64) -> Digest {
        Digest::Buckets { hashes: vec![u64::MAX - 1, hash, 2] }
    }

    fn versions(versions: &[u32]) -> Digest {
        Digest::Versions { of: 2, buckets: vec![1], versions: versions.to_vec() }
    }

    /// Whether a comparison is heard from there.
    fn hears(rest: &mut Rest, from: u8, digest: Digest, own: u64, now: Instant) -> bool {
        let of_partner = rest.is_partner(at(from), false);
        let ping = GossipMessage::Ping { seq: 1, from: "a".into() };
        let mut messages = vec![ping, GossipMessage::Digest { digest }];
        let taken = rest.take(&mut messages, of_partner, own, now);
        assert_eq!(messages.len(), 2 - taken);
        taken == 0
    }

    /// A comparison with somebody in vain.
    fn vain(rest: &mut Rest, hash: u64, now: Instant) {
        rest.begun(at(2));
        assert!(hears(rest, 2, buckets(hash), OWN, now));
        rest.refused(HashSet::new(), now);
    }

    #[test]
    fn what_was_in_vain_is_not_compared_again_and_all_else_is() {
        let now = Instant::now();
        let mut rest = Rest::default();
        vain(&mut rest, 1_500, now);
        for digest in [view, buckets] {
            assert!(!hears(&mut rest, 3, digest(1_500), OWN, now));
            assert!(!hears(&mut rest, 3, digest(1_700), OWN + 200, now), "both have changed alike");
            assert!(hears(&mut rest, 3, digest(1_500), OWN + 200, now), "that one lacks something");
            assert!(hears(&mut rest, 3, digest(1_700), OWN, now), "this one does");
        }
    }

    #[test]
    fn after_a_while_this_node_compares_all_the_same_and_others_do_if_that_was_not_in_vain() {
        let now = Instant::now();
        let mut rest = Rest::default();
        vain(&mut rest, 1_500, now);
        rest.begun(at(2));
        assert!(!hears(&mut rest, 2, buckets(1_500), OWN, now + AGAIN - SECOND));
        let later = now + AGAIN;
        assert!(!hears(&mut rest, 3, view(1_500), OWN, later));
        vain(&mut rest, 1_500, later);
        assert!(!hears(&mut rest, 3, view(1_500), OWN, later));
        rest.begun(at(2));
        assert!(hears(&mut rest, 2, buckets(1_500), OWN, later + AGAIN));
        rest.repaired();
        assert!(hears(&mut rest, 3, view(1_500), OWN, later + AGAIN));
    }

    #[test]
    fn lists_of_versions_are_known_again_as_well() {
        let now = Instant::now();
        let mut rest = Rest::default();
        rest.begun(at(2));
        assert!(hears(&mut rest, 2, versions(&[7, 9]), OWN, now));
        rest.refused(HashSet::new(), now);
        assert!(!hears(&mut rest, 3, versions(&[9, 7]), OWN, now), "in whatever order");
        assert!(hears(&mut rest, 3, versions(&[9, 7]), OWN + 1, now));
        assert!(hears(&mut rest, 3, versions(&[9, 8]), OWN, now));
    }

    #[test]
    fn only_the_member_that_was_chosen_is_believed_and_once() {
        let now = Instant::now();
        let mut rest = Rest::default();
        rest.refused(HashSet::new(), now);
        assert!(hears(&mut rest, 2, buckets(1_500), OWN, now), "it was not chosen");
        rest.refused(HashSet::new(), now);
        rest.begun(at(2));
        rest.refused(HashSet::new(), now);
        assert!(rest.known.is_empty(), "it did not say how it differs");
        rest.begun(at(2));
        assert!(hears(&mut rest, 3, buckets(1_500), OWN, now));
        rest.refused(HashSet::new(), now);
        assert!(rest.known.is_empty(), "another said so");
        vain(&mut rest, 1_500, now);
        assert!(hears(&mut rest, 2, buckets(1_600), OWN, now));
        rest.refused(HashSet::new(), now);
        assert_eq!(rest.known.len(), 1);
        let [near, far] = [SocketAddr::new(at(2).ip(), 50_000), at(3)];
        rest.begun(at(2));
        assert!(rest.is_partner(near, true) && !rest.is_partner(near, false));
        assert!(!rest.is_partner(far, true));
    }

    #[test]
    fn who_waits_for_its_address_to_answer_may_be_refused_then() {
        let now = Instant::now();
        let mut rest = Rest::default();
        let names = |of: &[&str]| of.iter().map(|&name| MemberId::from(name)).collect();
        let open = |rest: &mut Rest, but| {
            rest.begun(at(2));
            assert!(hears(rest, 2, buckets(1_500), OWN, now));
            rest.refused(but, now);
        };
        open(&mut rest, names(&["a", "b"]));
        for name in ["x", "b", "b"] {
            rest.refused_too(&name.into(), now);
            assert!(hears(&mut rest, 3, view(1_500), OWN, now), "what is claimed of a may be true");
        }
        rest.refused_too(&"a".into(), now);
        assert!(!hears(&mut rest, 3, view(1_500), OWN, now));
        // Of more than that nobody keeps the names.
        let mut rest = Rest::default();
        open(&mut rest, (0..=WAITING).map(|name| MemberId(name.to_string())).collect());
        assert!(rest.waiting.is_none());
    }

    #[test]
    fn what_brought_something_is_compared_again() {
        let now = Instant::now();
        let mut rest = Rest::default();
        rest.begun(at(2));
        assert!(hears(&mut rest, 2, buckets(1_500), OWN, now));
        rest.repaired();
        rest.refused(HashSet::new(), now);
        assert!(hears(&mut rest, 2, buckets(1_500), OWN, now));
    }

    #[test]
    fn all_is_compared_again_when_there_is_room_again() {
        let now = Instant::now();
        let mut rest = Rest::default();
        rest.has_room(true);
        vain(&mut rest, 1_500, now);
        rest.has_room(true);
        assert!(!hears(&mut rest, 3, view(1_500), OWN, now), "it was for want of something else");
        rest.has_room(false);
        assert!(!hears(&mut rest, 3, view(1_500), OWN, now));
        rest.has_room(true);
        assert!(hears(&mut rest, 3, view(1_500), OWN, now));
    }

    #[test]
    fn no_more_is_remembered_than_that() {
        let now = Instant::now();
        let mut rest = Rest::default();
        for hash in 0..=MOST as u64 {
            vain(&mut rest, 2_000 + hash, now);
        }
        assert_eq!(rest.known.len(), MOST);
        assert!(hears(&mut rest, 3, view(2_000), OWN, now), "the oldest went");
        assert!(!hears(&mut rest, 3, view(2_001), OWN, now));
    }
}
