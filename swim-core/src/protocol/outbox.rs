//! What leaves: the engine's effects as actions by name.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::action::{EventKind, GossipAction, MemberEvent, ProbeReport};
use super::card::Card;
use super::directory::Directory;
use super::removal;
use super::timer_name;
use crate::engine::{
    Answer, Change, Dest, DigestRef, FailedProbe, MemberIdx, Message, NoticeMessage, Outgoing,
    Output, Profile, Response, Rumor, Timer,
};
use crate::member::{Member, MemberId, MemberState};
use crate::message::{Accusation, Digest, GossipMessage, MemberUpdate};
use crate::notice::{Notice, Said, Stamp};
use crate::time::Time;
use crate::user::UserNotice;

/// Collects the actions of one call.
pub(super) struct Outbox<'a> {
    pub(super) directory: &'a mut Directory,
    pub(super) actions: Vec<GossipAction>,
    pub(super) me: MemberIdx,
    pub(super) now: Time,
    /// `now` as `last_update` says it.
    pub(super) instant: Instant,
    pub(super) named_timers: bool,
    pub(super) events: bool,
    /// Where another one lives that claims the name of whom the next event is about.
    pub(super) claimed: Option<SocketAddr>,
}

/// A deadline that has passed already still is one: no delay is zero.
const LEAST_DELAY: Duration = Duration::from_millis(1);

fn address(cards: &[Card], to: Dest<SocketAddr>) -> SocketAddr {
    match to {
        Dest::Address(address) => address,
        Dest::Member(member) => cards[member.0 as usize].address(member),
    }
}

pub(super) fn name(cards: &[Card], member: MemberIdx) -> Option<MemberId> {
    cards.get(member.0 as usize).and_then(Card::member).map(|member| member.id.clone())
}

impl Outbox<'_> {
    fn send_by(&mut self, stream: bool, to: SocketAddr, message: GossipMessage) {
        self.actions.push(match stream {
            true => GossipAction::SendByStream { to, message },
            false => GossipAction::Send { to, message },
        });
    }

    fn send_owned(&mut self, to: SocketAddr, message: GossipMessage) {
        self.send_by(false, to, message);
    }

    /// A `Gossip` and, where there is more to say, its companion.
    fn gossip(&mut self, cards: &[Card], stream: bool, to: SocketAddr, rumors: &[Rumor]) {
        let updates = updates(cards, rumors);
        self.send_by(stream, to, GossipMessage::Gossip { updates });
        if let Some(evidence) = self.evidence(cards, stream, rumors) {
            self.send_by(stream, to, evidence);
        }
    }

    /// A datagram shows whom it comes from, who accuses if nobody else does; a stream does not.
    fn evidence(&self, cards: &[Card], stream: bool, rumors: &[Rumor]) -> Option<GossipMessage> {
        let mut ages: Vec<u8> = Vec::new();
        if told(cards, rumors).any(|(rumor, _)| rumor.age.is_some_and(|age| age > 0)) {
            ages.extend(told(cards, rumors).map(|(rumor, _)| rumor.age.unwrap_or(0)));
        }
        let forwarded = |rumor: &Rumor| {
            rumor.state == MemberState::Suspect
                && rumor.accusers.iter().any(|(accuser, _)| stream || accuser != self.me)
        };
        // `max_piggyback` is at most 255.
        let accusations: Vec<Accusation> = (0..=u8::MAX)
            .zip(told(cards, rumors))
            .filter(|(_, (rumor, _))| forwarded(rumor))
            .flat_map(|(update, (rumor, _))| accusations(cards, update, rumor))
            .collect();
        let silent = ages.is_empty() && accusations.is_empty();
        (!silent).then_some(GossipMessage::Evidence { ages, accusations })
    }

    fn message(&self, cards: &[Card], message: Outgoing<'_>) -> Option<GossipMessage> {
        let from = || name(cards, self.me);
        Some(match message {
            Message::Ping { seq } => GossipMessage::Ping { seq, from: from()? },
            Message::Ack { seq, member, coordinate } => {
                let from = name(cards, member?)?;
                match coordinate {
                    None => GossipMessage::Ack { seq, from },
                    Some(coordinate) => GossipMessage::LocatedAck { seq, from, coordinate },
                }
            }
            Message::PingReq { seq, target } => {
                GossipMessage::PingReq { seq, from: from()?, target: name(cards, target?)? }
            }
            Message::Nack { seq, .. } => GossipMessage::Nack { seq, from: from()? },
            Message::SyncRequest => GossipMessage::SyncRequest { from: from()? },
            Message::Gossip(rumors) => GossipMessage::Gossip { updates: updates(cards, rumors) },
            Message::Sync(rumors) => GossipMessage::Sync { members: members(cards, rumors) },
            Message::Digest(digest) => GossipMessage::Digest { digest: owned(digest) },
            Message::Delta { updates: rumors, wanted } => {
                GossipMessage::Delta { updates: updates(cards, rumors), wanted: wanted.to_vec() }
            }
        })
    }

    fn event(
        &self,
        cards: &[Card],
        change: &Change,
        updated: bool,
        from: Option<SocketAddr>,
    ) -> Option<MemberEvent> {
        let kind = EventKind::of(change, change.member == self.me, updated)?;
        let member = cards[change.member.0 as usize].member()?;
        Some(MemberEvent {
            kind,
            member: member.id.clone(),
            address: member.address,
            old_address: from.filter(|from| *from != member.address),
            old_state: change.old.filter(|_| !change.hidden),
            state: change.new.filter(|_| kind != EventKind::Forgotten),
            incarnation: change.incarnation,
            by: change.cause.by.and_then(|by| name(cards, by)),
            reason: change.cause.reason,
        })
    }
}

impl Output<Card> for Outbox<'_> {
    fn send(&mut self, cards: &[Card], to: Dest<SocketAddr>, message: Outgoing<'_>) {
        let to = address(cards, to);
        if let Message::Gossip(rumors) = message {
            self.gossip(cards, false, to, rumors);
        } else if let Some(message) = self.message(cards, message) {
            self.send_owned(to, message);
        }
    }

    fn send_by_stream(&mut self, cards: &[Card], to: Dest<SocketAddr>, message: Outgoing<'_>) {
        let to = address(cards, to);
        if let Message::Gossip(rumors) = message {
            self.gossip(cards, true, to, rumors);
        } else if let Some(message) = self.message(cards, message) {
            self.send_by(true, to, message);
        }
    }

    fn send_notices(
        &mut self,
        cards: &[Card],
        to: Dest<SocketAddr>,
        message: NoticeMessage<'_, UserNotice>,
    ) {
        let message = match message {
            NoticeMessage::Tell(notices) => GossipMessage::Notices { notices: notices.to_vec() },
            NoticeMessage::Fetch(stamps) => GossipMessage::Fetch { stamps: stamps.to_vec() },
            NoticeMessage::Recent(recent) => GossipMessage::Recent { recent },
            NoticeMessage::Held { above, upto, stamps } => {
                let Some(from) = name(cards, self.me) else { return };
                GossipMessage::Held { from, above, upto, stamps: stamps.to_vec() }
            }
            NoticeMessage::Answer(Answer { query, from, to, relay, response }) => {
                let named = |member: Option<MemberIdx>| name(cards, member?);
                let (Some(from), Some(to)) = (named(from), named(to)) else { return };
                let (payload, declined) = match response {
                    Response::Heard => (None, None),
                    Response::Answer(payload) => (Some(payload.to_vec()), None),
                    Response::Declined(why) => (None, Some(why)),
                };
                GossipMessage::QueryAnswer { query, from, to, relay, payload, declined }
            }
        };
        self.send_owned(address(cards, to), message);
    }

    fn notice(&mut self, _cards: &[Card], notice: &Notice<UserNotice>) {
        let Said::Whole(said) = &notice.said else { return };
        let Stamp { ltime, id } = notice.stamp;
        self.actions.push(match said.clone() {
            UserNotice::Event(event) => GossipAction::UserEvent { event, ltime },
            UserNotice::Query(query) => GossipAction::Query { id, query, ltime },
        });
    }

    fn answered(&mut self, cards: &[Card], id: u64, from: MemberIdx, response: Response<'_>) {
        let Some(from) = name(cards, from) else { return };
        self.actions.push(match response {
            Response::Heard => GossipAction::QueryAck { id, from },
            Response::Answer(payload) => {
                GossipAction::QueryAnswer { id, from, payload: payload.to_vec() }
            }
            Response::Declined(why) => GossipAction::QueryDeclined { id, from, why },
        });
    }

    fn claimed(&mut self, at: SocketAddr) {
        self.claimed = Some(at);
    }

    fn probe_failed(&mut self, cards: &[Card], probe: &FailedProbe<'_>) {
        if !self.events {
            return;
        }
        let Some(member) = name(cards, probe.member) else { return };
        let ago = |at: &Time| self.now.since(*at);
        let relays =
            probe.relays.iter().enumerate().filter_map(|(at, &relay)| {
                Some((name(cards, relay)?, probe.nacked & (1 << at) != 0))
            });
        self.actions.push(GossipAction::ProbeFailed(ProbeReport {
            member,
            pings: probe.pings.iter().map(ago).collect(),
            asked: ago(&probe.asked_at),
            relays: relays.collect(),
            by_stream: probe.by_stream,
            silence: probe.silence,
        }));
    }

    fn changed(&mut self, cards: &mut [Card], change: Change, replaced: Option<Card>) {
        let at = change.member.0 as usize;
        if let (Some(member), Some(state)) = (cards[at].0.as_mut(), change.new) {
            member.state = state;
            member.incarnation = change.incarnation;
            member.last_update = self.instant;
        }
        let newcomer = change.old.is_none();
        let updated = replaced.is_some();
        let from = replaced.and_then(|card| card.0).map(|member| member.address);
        let other = from.or(self.claimed.take());
        if newcomer || updated {
            self.directory.moved(cards, change.member, from);
        }
        let old = change.old.unwrap_or(MemberState::Dead);
        if let Some(new) = change.new.filter(|new| *new != old)
            && let Some(member) = name(cards, change.member)
        {
            let (old_state, new_state) = (old, new);
            self.actions.push(GossipAction::MembershipChange { member, old_state, new_state });
        }
        if self.events
            && let Some(event) = self.event(cards, &change, updated, other)
        {
            self.actions.push(GossipAction::Event(event));
        }
        if change.new.is_none() {
            self.directory.forget(cards, change.member);
        }
    }

    fn timer_set(&mut self, cards: &[Card], timer: Timer, at: Time) {
        if !self.named_timers {
            return;
        }
        if let Some(name) = timer_name::name(timer, cards) {
            let delay = at.since(self.now).max(LEAST_DELAY);
            self.actions.push(GossipAction::ScheduleTimer { name, delay });
        }
    }
}

/// The rumors that can be told, since there is a card of whom they are about; an update's index is
/// its place among them.
fn told<'a>(
    cards: &'a [Card],
    rumors: &'a [Rumor],
) -> impl Iterator<Item = (&'a Rumor, &'a Member)> {
    let with_member =
        |rumor: &'a Rumor| Some((rumor, cards.get(rumor.member.0 as usize)?.member()?));
    rumors.iter().filter_map(with_member)
}

fn updates(cards: &[Card], rumors: &[Rumor]) -> Vec<MemberUpdate> {
    // `collect` does not know how many have a card, and would allocate three times for ten.
    let mut updates = Vec::with_capacity(rumors.len());
    updates.extend(told(cards, rumors).map(|told| update(cards, told)));
    updates
}

fn update(cards: &[Card], (rumor, member): (&Rumor, &Member)) -> MemberUpdate {
    let removal = removal::mark(cards, rumor);
    let with_profile = rumor.with_profile && removal.is_none();
    MemberUpdate {
        id: member.id.clone(),
        state: rumor.state,
        incarnation: rumor.incarnation,
        address: with_profile.then_some(member.address),
        metadata: removal.or_else(|| with_profile.then(|| member.metadata.clone())),
    }
}

fn members(cards: &[Card], rumors: &[Rumor]) -> Vec<Member> {
    // What is told of a member is not always what is held: a suspicion may be this node's own affair.
    let say = |(rumor, member): (&Rumor, &Member)| Member {
        id: member.id.clone(),
        address: member.address,
        state: rumor.state,
        incarnation: rumor.incarnation,
        metadata: removal::mark(cards, rumor).unwrap_or_else(|| member.metadata.clone()),
        last_update: member.last_update,
    };
    let mut members = Vec::with_capacity(rumors.len());
    members.extend(told(cards, rumors).map(say));
    members
}

fn accusations<'a>(
    cards: &'a [Card],
    update: u8,
    rumor: &'a Rumor,
) -> impl Iterator<Item = Accusation> + use<'a> {
    rumor.accusers.iter().filter_map(move |(accuser, health)| {
        Some(Accusation { update, accuser: name(cards, accuser)?, health })
    })
}

fn owned(digest: DigestRef<'_>) -> Digest {
    match digest {
        DigestRef::View(hash) => Digest::View { hash },
        DigestRef::Buckets(hashes) => Digest::Buckets { hashes: hashes.to_vec() },
        DigestRef::Versions { of, buckets, versions } => {
            Digest::Versions { of, buckets: buckets.to_vec(), versions: versions.to_vec() }
        }
    }
}
