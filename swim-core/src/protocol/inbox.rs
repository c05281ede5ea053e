//! What arrives: messages by name as the engine hears them.

use std::net::SocketAddr;
use std::time::Instant;

use super::card::Card;
use super::directory::Directory;
use crate::engine::{Accusers, DigestRef, MemberIdx, Rumor, Update};
use crate::member::{Incarnation, Member, MemberId, MemberState};
use crate::message::{Accusation, Digest, MemberUpdate};

/// The updates of one message, with an index for every name in it.
pub(super) fn updates(
    directory: &mut Directory,
    cards: &[Card],
    now: Instant,
    updates: Vec<MemberUpdate>,
) -> Vec<Update<Card>> {
    updates.into_iter().map(|news| update(directory, cards, now, news)).collect()
}

/// The records of a whole view.
pub(super) fn members(
    directory: &mut Directory,
    cards: &[Card],
    members: Vec<Member>,
) -> Vec<Update<Card>> {
    let whole = |member: Member| {
        let at = directory.intern(cards, &member.id);
        let rumor = rumor(at, member.state, member.incarnation);
        Update { rumor, profile: Some(Card(Some(member))) }
    };
    members.into_iter().map(whole).collect()
}

fn update(
    directory: &mut Directory,
    cards: &[Card],
    now: Instant,
    news: MemberUpdate,
) -> Update<Card> {
    let at = directory.intern(cards, &news.id);
    let rumor = rumor(at, news.state, news.incarnation);
    let held = cards.get(at.0 as usize).and_then(Card::member);
    Update { rumor, profile: card(held, now, news).map(|member| Card(Some(member))) }
}

/// What an update says of its member; what it leaves out stays as held. `None` when it says
/// nothing, or no address of a member whose address nobody knows.
fn card(held: Option<&Member>, now: Instant, news: MemberUpdate) -> Option<Member> {
    if news.address.is_none() && news.metadata.is_none() {
        return None;
    }
    let address = news.address.or(held.map(|member| member.address))?;
    let kept = || held.map(|member| member.metadata.clone()).unwrap_or_default();
    Some(Member {
        id: news.id,
        address,
        state: news.state,
        incarnation: news.incarnation,
        metadata: news.metadata.unwrap_or_else(kept),
        last_update: now,
    })
}

fn rumor(member: MemberIdx, state: MemberState, incarnation: Incarnation) -> Rumor {
    let accusers = Accusers::default();
    Rumor { member, state, incarnation, age: None, with_profile: true, accusers }
}

/// Accusations by subject and incarnation; those that name an unknown member say nothing here.
pub(super) fn accusations(
    directory: &Directory,
    cards: &[Card],
    accusations: &[Accusation],
) -> Vec<(MemberIdx, Incarnation, Accusers)> {
    let find = |name: &MemberId| directory.find(cards, name);
    let mut found: Vec<(MemberIdx, Incarnation, Accusers)> = Vec::new();
    for accusation in accusations {
        let (Some(subject), Some(accuser)) = (find(&accusation.subject), find(&accusation.accuser))
        else {
            continue;
        };
        let same = |(held, incarnation, _): &&mut (MemberIdx, Incarnation, Accusers)| {
            *held == subject && *incarnation == accusation.incarnation
        };
        // Accusations of one subject stand together.
        match found.last_mut().filter(same) {
            Some((_, _, accusers)) => drop(accusers.insert(accuser, accusation.health)),
            None => {
                let accusers = Accusers::one(accuser, accusation.health);
                found.push((subject, accusation.incarnation, accusers));
            }
        }
    }
    found
}

pub(super) fn digest(digest: &Digest) -> DigestRef<'_> {
    match digest {
        Digest::View { hash } => DigestRef::View(*hash),
        Digest::Buckets { hashes } => DigestRef::Buckets(hashes),
        Digest::Versions { of, buckets, versions } => {
            DigestRef::Versions { of: *of, buckets, versions }
        }
    }
}

/// The `Gossip` heard last, whose companion may follow.
#[derive(Debug, Default)]
pub(super) struct LastGossip {
    from: Option<SocketAddr>,
    members: Vec<MemberIdx>,
}

impl LastGossip {
    pub(super) fn note(&mut self, from: SocketAddr, updates: &[Update<Card>]) {
        self.from = Some(from);
        self.members.clear();
        self.members.extend(updates.iter().map(|update| update.rumor.member));
    }

    /// The ages of its updates, if the companion is from the same sender.
    pub(super) fn ages<'a>(
        &'a mut self,
        from: SocketAddr,
        ages: &'a [u8],
    ) -> impl Iterator<Item = (MemberIdx, u8)> + 'a {
        let fits = self.from.take() == Some(from) && ages.len() <= self.members.len();
        let ages = if fits { ages } else { &[] };
        self.members.iter().copied().zip(ages.iter().copied())
    }
}
