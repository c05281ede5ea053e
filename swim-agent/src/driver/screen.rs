//! Takes claims about members out of a packet before the protocol hears them.

use std::collections::HashMap;
use std::net::SocketAddr;

use swim_core::{
    Accusation, GossipMessage, Incarnation, Member, MemberId, MemberState, MemberUpdate,
};

/// What a packet claims of one member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claimed<'a> {
    /// Whom it is about.
    pub(super) id: &'a MemberId,
    pub(super) state: MemberState,
    pub(super) incarnation: Incarnation,
    /// `None` leaves what is known.
    pub(super) address: Option<SocketAddr>,
    /// Likewise. Of a member that is gone it may say that somebody removed it.
    pub(super) metadata: Option<&'a HashMap<String, String>>,
}

impl Claimed<'_> {
    /// Whether it says that somebody removed the member: that is then all that it says.
    pub(super) fn is_removal(&self) -> bool {
        let marks = [Member::REMOVED, Member::PRUNED];
        let marked = |said: &HashMap<_, _>| marks.iter().any(|&mark| said.contains_key(mark));
        self.state == MemberState::Left && self.metadata.is_some_and(marked)
    }
}

impl<'a> From<&'a MemberUpdate> for Claimed<'a> {
    fn from(update: &'a MemberUpdate) -> Self {
        Self {
            id: &update.id,
            state: update.state,
            incarnation: update.incarnation,
            address: update.address,
            metadata: update.metadata.as_ref(),
        }
    }
}

impl<'a> From<&'a Member> for Claimed<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            id: &member.id,
            state: member.state,
            incarnation: member.incarnation,
            address: Some(member.address),
            metadata: Some(&member.metadata),
        }
    }
}

/// All claims of the messages of one packet, in their order.
pub(super) fn claims(messages: &[GossipMessage]) -> impl Iterator<Item = Claimed<'_>> {
    messages.iter().flat_map(|message| {
        let (updates, members): (&[MemberUpdate], &[Member]) = match message {
            GossipMessage::Gossip { updates } | GossipMessage::Delta { updates, .. } => {
                (updates, &[])
            }
            GossipMessage::Sync { members } => (&[], members),
            _ => (&[], &[]),
        };
        updates.iter().map(Claimed::from).chain(members.iter().map(Claimed::from))
    })
}

/// Takes the claims out of the messages of one packet of which `keep` is false; it is asked once for
/// each, in their order. An `Evidence` still names the updates that it named, as far as they are
/// there. Allocates only when it takes something out of a `Gossip`.
pub(super) fn screen(messages: &mut [GossipMessage], keep: &mut dyn FnMut(Claimed<'_>) -> bool) {
    // The places of those taken out of the latest `Gossip`, of so many.
    let (mut gone, mut of) = (Vec::new(), 0);
    for message in messages {
        match message {
            GossipMessage::Gossip { updates } => {
                gone.clear();
                of = updates.len();
                let mut at = 0;
                updates.retain(|update| {
                    let kept = keep(update.into());
                    if !kept {
                        gone.push(at);
                    }
                    at += 1;
                    kept
                });
            }
            GossipMessage::Delta { updates, .. } => updates.retain(|update| keep(update.into())),
            GossipMessage::Sync { members } => members.retain(|member| keep(member.into())),
            GossipMessage::Evidence { ages, accusations } if !gone.is_empty() => {
                mend(&gone, of, ages, accusations);
            }
            _ => {}
        }
    }
}

/// Takes evidence out of a packet that is not about a `Gossip` of its own: what was taken out of that is
/// not known here, and so it would be taken for evidence about others.
pub(super) fn drop_strays(messages: &mut Vec<GossipMessage>) {
    let mut told = false;
    messages.retain(|message| {
        told |= matches!(message, GossipMessage::Gossip { .. });
        told || !matches!(message, GossipMessage::Evidence { .. })
    });
}

/// Makes evidence of `of` updates one of those that are left without the ones at `gone`, ascending.
fn mend(gone: &[usize], of: usize, ages: &mut Vec<u8>, accusations: &mut Vec<Accusation>) {
    let is_gone = |at: usize| gone.binary_search(&at).is_ok();
    if ages.len() > of {
        // They are not about these updates, and would seem to be about fewer.
        ages.clear();
    }
    let mut at = 0;
    ages.retain(|_| {
        at += 1;
        !is_gone(at - 1)
    });
    accusations.retain_mut(|accusation| {
        let at = usize::from(accusation.update);
        let before = gone.partition_point(|&gone| gone < at);
        // No higher than the index that it was, which fits.
        accusation.update -= before as u8;
        at < of && !is_gone(at)
    });
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    fn update(name: usize) -> MemberUpdate {
        MemberUpdate {
            id: MemberId(format!("n{name}")),
            state: MemberState::Suspect,
            incarnation: 3,
            address: Some(([127, 40, 0, 1], 7946).into()),
            metadata: None,
        }
    }

    fn gossip(names: std::ops::Range<usize>) -> GossipMessage {
        GossipMessage::Gossip { updates: names.map(update).collect() }
    }

    fn accusation(update: u8) -> Accusation {
        Accusation { update, accuser: MemberId(format!("by-{update}")), health: update }
    }

    fn evidence(ages: &[u8], accused: &[u8]) -> GossipMessage {
        let accusations = accused.iter().copied().map(accusation).collect();
        GossipMessage::Evidence { ages: ages.to_vec(), accusations }
    }

    fn without(messages: &mut [GossipMessage], names: &[&str]) {
        screen(messages, &mut |claimed| !names.contains(&claimed.id.as_str()));
    }

    fn names(message: &GossipMessage) -> Vec<&str> {
        match message {
            GossipMessage::Gossip { updates } | GossipMessage::Delta { updates, .. } => {
                updates.iter().map(|update| update.id.as_str()).collect()
            }
            GossipMessage::Sync { members } => {
                members.iter().map(|member| member.id.as_str()).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn claims_are_taken_out_of_all_that_has_some() {
        let member = |name: &str| Member {
            id: name.into(),
            address: ([127, 40, 0, 1], 7946).into(),
            state: MemberState::Alive,
            incarnation: 1,
            metadata: HashMap::new(),
            last_update: Instant::now(),
        };
        let delta =
            GossipMessage::Delta { updates: (0..3).map(update).collect(), wanted: vec![7, 8] };
        let sync = GossipMessage::Sync { members: ["n0", "n1", "n2"].map(member).into() };
        let ping = GossipMessage::Ping { seq: 1, from: "n1".into() };
        let mut messages = [gossip(0..3), ping, delta, sync];
        without(&mut messages, &["n1"]);
        let left: Vec<_> = messages.iter().map(names).collect();
        assert_eq!(left, [vec!["n0", "n2"], vec![], vec!["n0", "n2"], vec!["n0", "n2"]]);
        assert!(matches!(&messages[2], GossipMessage::Delta { wanted, .. } if wanted == &[7, 8]));
    }

    #[test]
    fn evidence_of_another_number_of_updates_stays_none() {
        let mut messages = [gossip(0..2), evidence(&[1, 2, 3], &[0, 2, 255])];
        without(&mut messages, &["n1"]);
        let GossipMessage::Evidence { ages, accusations } = &messages[1] else { unreachable!() };
        assert_eq!((ages.len(), accusations.as_slice()), (0, &[accusation(0)][..]));
    }

    #[test]
    fn each_evidence_is_of_the_gossip_just_before_it() {
        let both =
            [gossip(0..3), evidence(&[5, 6, 7], &[2]), gossip(3..6), evidence(&[8, 9], &[1])];
        let mut messages = both;
        without(&mut messages, &["n0"]);
        let GossipMessage::Evidence { ages, accusations } = &messages[1] else { unreachable!() };
        assert_eq!((ages.as_slice(), accusations[0].update), (&[6, 7][..], 1));
        let GossipMessage::Evidence { ages, accusations } = &messages[3] else { unreachable!() };
        assert_eq!((ages.as_slice(), accusations[0].update), (&[8, 9][..], 1));
    }

    #[test]
    fn evidence_about_another_packet_is_not_heard() {
        let ping = GossipMessage::Ping { seq: 1, from: "n1".into() };
        let stray = || evidence(&[1], &[0]);
        let mut messages = vec![stray(), ping, stray(), gossip(0..2), evidence(&[5, 6], &[1])];
        drop_strays(&mut messages);
        let [GossipMessage::Ping { .. }, told, GossipMessage::Evidence { ages, .. }] =
            &messages[..]
        else {
            panic!("{messages:?}")
        };
        assert_eq!((names(told).len(), ages.as_slice()), (2, &[5, 6][..]));
    }

    #[test]
    fn a_claim_is_shown_as_it_stands() {
        let mut whole = update(4);
        whole.metadata = Some(HashMap::from([("role".to_owned(), "db".to_owned())]));
        let mut seen = 0;
        screen(&mut [GossipMessage::Gossip { updates: vec![whole] }], &mut |claimed| {
            seen += 1;
            assert_eq!((claimed.state, claimed.incarnation), (MemberState::Suspect, 3));
            assert_eq!(claimed.address, Some(([127, 40, 0, 1], 7946).into()));
            assert_eq!(claimed.metadata.and_then(|all| all.get("role")).unwrap(), "db");
            true
        });
        assert_eq!(seen, 1);
    }

    proptest! {
        /// As evidence by name: what is said of those that are left is what was said before.
        #[test]
        fn what_is_kept_keeps_its_evidence(
            keep in prop::collection::vec(any::<bool>(), 0..300),
            ages in prop::collection::vec(any::<u8>(), 0..300),
            accused in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let told = |messages: &[GossipMessage]| {
                let updates = names(&messages[0]);
                let GossipMessage::Evidence { ages, accusations } = &messages[1] else {
                    unreachable!()
                };
                let mut told: Vec<_> = updates
                    .iter()
                    .enumerate()
                    .map(|(at, name)| {
                        let by = accusations.iter().filter(|one| usize::from(one.update) == at);
                        let by: Vec<_> = by.map(|one| (one.accuser.0.clone(), one.health)).collect();
                        let age = ages.get(at).filter(|_| ages.len() <= updates.len());
                        ((*name).to_owned(), age.copied(), by)
                    })
                    .collect();
                let strays = accusations.iter().any(|one| usize::from(one.update) >= updates.len());
                told.sort();
                (told, strays)
            };
            let mut messages = [gossip(0..keep.len()), evidence(&ages, &accused)];
            let (mut expected, strayed) = told(&messages);
            let kept: Vec<_> = (0..keep.len()).filter(|&at| keep[at]).map(|at| format!("n{at}")).collect();
            expected.retain(|(name, ..)| kept.contains(name));
            let mut asked = keep.iter();
            screen(&mut messages, &mut |_| *asked.next().unwrap());
            prop_assert!(asked.next().is_none());
            let (told, strays) = told(&messages);
            prop_assert_eq!(told, expected);
            prop_assert!(!strays || strayed && kept.len() == keep.len());
        }
    }
}
