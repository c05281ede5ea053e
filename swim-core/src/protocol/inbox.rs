//! What arrives: messages by name as the engine hears them.

use std::net::SocketAddr;
use std::time::Instant;

use super::card::Card;
use super::directory::Directory;
use super::removal;
use crate::engine::{Accusers, DigestRef, MemberIdx, Removal, Rumor, Update};
use crate::member::{Incarnation, Member, MemberState};
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
        match removal::read(directory, cards, rumor, Some(&member.metadata)) {
            Some(rumor) => Update { rumor, profile: None },
            None => Update { rumor, profile: Some(Card(Some(member))) },
        }
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
    if news.address.is_none()
        && let Some(rumor) = removal::read(directory, cards, rumor, news.metadata.as_ref())
    {
        return Update { rumor, profile: None };
    }
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
    let (accusers, removal) = (Accusers::default(), Removal::No);
    Rumor { member, state, incarnation, age: None, with_profile: true, accusers, removal }
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
    /// Whom its updates are about, and at which incarnation.
    updates: Vec<(MemberIdx, Incarnation)>,
}

impl LastGossip {
    pub(super) fn note(&mut self, from: SocketAddr, updates: &[Update<Card>]) {
        self.from = Some(from);
        self.updates.clear();
        let told = |update: &Update<Card>| (update.rumor.member, update.rumor.incarnation);
        self.updates.extend(updates.iter().map(told));
    }

    /// Its companion will not be understood any more: what has come since may have given the
    /// indices of members that were not taken in to others.
    pub(super) fn forget(&mut self) {
        self.from = None;
    }

    /// Whether a companion from there is its own; that is so once.
    pub(super) fn take(&mut self, from: SocketAddr) -> bool {
        self.from.take_if(|sender| *sender == from).is_some()
    }

    /// The ages of its updates; none if there are more, which then are not about it.
    pub(super) fn ages(&self, ages: &[u8]) -> impl Iterator<Item = (MemberIdx, u8)> {
        let ages = if ages.len() <= self.updates.len() { ages } else { &[] };
        self.updates.iter().map(|(member, _)| *member).zip(ages.iter().copied())
    }

    /// Who accuses the subjects of its updates. Accusations of no update and by nobody known say
    /// nothing here.
    pub(super) fn accused(
        &self,
        directory: &Directory,
        cards: &[Card],
        accusations: &[Accusation],
    ) -> Vec<(MemberIdx, Incarnation, Accusers)> {
        let of_one = accusations.chunk_by(|one, next| one.update == next.update);
        let accused = |of_one: &[Accusation]| {
            let (member, incarnation) = *self.updates.get(usize::from(of_one[0].update))?;
            let accusers = accusers(directory, cards, of_one);
            (!accusers.is_empty()).then_some((member, incarnation, accusers))
        };
        of_one.filter_map(accused).collect()
    }
}

fn accusers(directory: &Directory, cards: &[Card], accusations: &[Accusation]) -> Accusers {
    let mut accusers = Accusers::default();
    for accusation in accusations {
        if let Some(accuser) = directory.find(cards, &accusation.accuser) {
            accusers.insert(accuser, accusation.health);
        }
    }
    accusers
}
