//! Who is claimed to live where, and has not shown it so far: kept from the protocol until an answer
//! comes from there ([`validation`](super::validation)).
//!
//! So every address that the protocol sends to by itself has received something and answered, was
//! told on a stream, or is a seed.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{GossipMessage, GossipProtocol, MemberId, MemberState, MemberUpdate};
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::time::Instant;

use super::Driver;
use super::burden::Burden;
use super::post::Origin;
use super::rate::{Bucket, Rate};
use super::screen::{Claimed, screen};
use super::validation::{Claim, Fate, Sizes, Step, Teller, Validation};
use crate::address::no_host;

/// Most pings that a stream pays for: that of a stranger with a large view of its own, whose streams
/// count as soon as it is a member.
const PINGS_OF_STREAM: usize = 256;
/// Streams to unproven addresses in a second, and as many at once.
const DETOURS: u32 = 8;
const DETOUR_BURST: Duration = Duration::from_millis(900);

/// Where a packet with claims came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// A datagram.
    ByDatagram,
    /// A stream that somebody else opened: its address is proven.
    ByStream,
}

/// How often a stream is tried where no ping passes.
#[derive(Debug)]
pub(super) struct Detours {
    rate: Rate,
    bucket: Bucket,
}

impl Detours {
    pub(super) fn new() -> Self {
        Self { rate: Rate::new(DETOURS, DETOUR_BURST), bucket: Bucket::default() }
    }

    /// Whether one more may be tried now.
    fn may_try(&mut self, now: Instant) -> bool {
        self.bucket.take(self.rate, now)
    }
}

/// Where a claim says that somebody lives, if this node does not hold that.
fn news(protocol: &GossipProtocol, claimed: &Claimed<'_>) -> Option<SocketAddr> {
    let lives = matches!(claimed.state, MemberState::Alive | MemberState::Suspect);
    let address = claimed.address.filter(|_| lives)?;
    let counts = match protocol.member(claimed.id) {
        None => true,
        Some(held) if held.address == address || *claimed.id == protocol.local_member().id => false,
        Some(held) if claimed.incarnation > held.incarnation => true,
        // Two of one name: the greater address stays.
        Some(held) if claimed.incarnation == held.incarnation => {
            claimed.state == MemberState::Alive && held.state.is_live()
        }
        Some(_) => false,
    };
    counts.then_some(address)
}

/// Takes out where else than it is held those lived who are gone. Nobody has shown that; that they are
/// gone can be said without.
fn forget_last_moves(protocol: &GossipProtocol, messages: &mut [GossipMessage]) {
    let held = |id: &MemberId, state: MemberState| {
        let is_gone = !state.is_live() && *id != protocol.local_member().id;
        is_gone.then(|| protocol.member(id)).flatten().map(|held| held.address)
    };
    for message in messages {
        match message {
            GossipMessage::Gossip { updates } | GossipMessage::Delta { updates, .. } => {
                for update in updates.iter_mut().filter(|update| update.address.is_some()) {
                    update.address = held(&update.id, update.state).or(update.address);
                }
            }
            GossipMessage::Sync { members } => {
                for member in members {
                    member.address = held(&member.id, member.state).unwrap_or(member.address);
                }
            }
            _ => {}
        }
    }
}

/// Whether a member can live at an address, and a ping goes to one host.
fn is_place(address: &SocketAddr) -> bool {
    address.port() != 0 && no_host(address.ip()).is_none()
}

impl<T: Transport, C: Codec> Driver<T, C> {
    /// Keeps from the protocol what a packet claims of members at addresses that have not answered
    /// so far, and has them asked; `budget` is how many bytes that may take.
    pub(super) fn screen_claims(
        &mut self,
        messages: &mut [GossipMessage],
        (from, told): (SocketAddr, Told),
        budget: &mut usize,
    ) {
        let teller = match told {
            Told::ByDatagram if self.is_proven(&from) => Teller::Member,
            _ => Teller::Stranger,
        };
        let Self { protocol, admission, validation, meter, view, .. } = self;
        forget_last_moves(protocol, messages);
        let now = Instant::now().into_std();
        let is_member = told == Told::ByStream && view.hosts().have(from.ip());
        screen(messages, &mut |claimed| {
            let Some(address) = news(protocol, &claimed) else { return true };
            if is_member || told == Told::ByStream && address.ip() == from.ip() {
                return true;
            }
            if validation.has_answered(&address, claimed.id) {
                return true;
            }
            if admission.refuses(protocol, claimed.id, &address) {
                // It is taken out, and counted, without asking anybody.
                return true;
            }
            if !is_place(&address) {
                meter.claims_refused_unproven.one();
                return false;
            }
            let by_stream = told == Told::ByStream;
            let claim = Claim { from, by_stream, teller, update: alive(&claimed) };
            let may_be_named = claim.may_be_named();
            match validation.keep(address, claim, budget, now) {
                Fate::Kept { displaced } => meter.claims_dropped.add(displaced),
                Fate::Dropped => meter.claims_dropped.one(),
                Fate::Refused => {
                    meter.claims_refused_unproven.one();
                    if may_be_named {
                        admission.silent(claimed.id, address, from);
                    }
                }
            }
            false
        });
        validation.repeat((teller, from.ip()), budget, now);
    }

    /// What a packet on a stream of somebody else's pays for.
    pub(super) fn stream_budget(&self) -> usize {
        PINGS_OF_STREAM * self.validation.cost()
    }

    /// Whether a message is an answer under a cookie; what it proves is heard now.
    pub(super) fn is_proof(&mut self, message: &GossipMessage) -> bool {
        let Some((cookie, name)) = Validation::proof(message) else { return false };
        let now = Instant::now().into_std();
        let (proven, refused) = self.validation.answered(cookie, name, now);
        self.meter.claims_refused_unproven.add(refused.len());
        for Claim { from, update, .. } in proven {
            let mut origin = self.origin(from, 0);
            let mut news = vec![GossipMessage::Gossip { updates: vec![update] }];
            self.admit(from, &mut news);
            for message in news {
                self.handle(from, message, &mut origin, &mut Burden::default());
            }
        }
        true
    }

    /// Asks the addresses whose turn it is, and the tellers of those who did not answer.
    pub(super) fn validate(&mut self) {
        let now = Instant::now();
        while let Some(step) = self.validation.due(now.into_std()) {
            match step {
                Step::Ping { to, cookie, padding } => {
                    self.meter.addresses_asked.one();
                    self.post.send(to, &question(cookie, padding), &mut Origin::Proven);
                }
                Step::Stream { to, cookie, told_by } => {
                    let worth = told_by.iter().any(|at| self.is_proven(at));
                    let tried = worth
                        && self.detours.may_try(now)
                        && self.post.ask_unproven(to, &question(cookie, 0));
                    if !tried {
                        self.validation.give_up(cookie, now.into_std());
                    }
                }
                Step::Refused { claims } => {
                    self.meter.claims_refused_unproven.add(claims.len());
                    for claim in claims {
                        self.say_silent(&claim);
                        if self.is_proven(&claim.from) {
                            self.unreached.note(claim, now.into_std());
                        }
                    }
                }
            }
        }
        let Some(claims) = self.unreached.due(now.into_std()) else { return };
        let unknown =
            |claim: &&Claim| news(&self.protocol, &Claimed::from(&claim.update)).is_some();
        let mut still = claims.iter().filter(unknown);
        if let Some(claim) = still.find(|claim| self.is_proven(&claim.from)) {
            self.unreached.asked(now.into_std());
            let from = self.protocol.local_member().id.clone();
            self.post.send_by_stream(claim.from, &GossipMessage::SyncRequest { from });
        }
    }

    /// Has the log name who does not answer where it is claimed to live, if that is still unknown.
    fn say_silent(&mut self, claim: &Claim) {
        let claimed = Claimed::from(&claim.update);
        let address = news(&self.protocol, &claimed).filter(|_| claim.may_be_named());
        if let Some(address) = address {
            self.admission.silent(claimed.id, address, claim.from);
        }
    }

    /// Whether a message may be heard as far as it asks to ping somebody else. That is for members, where
    /// they live; behind a NAT from another port of theirs, if the request pays for both answers.
    pub(super) fn relays_for(
        &self,
        from: SocketAddr,
        message: &GossipMessage,
        origin: &mut Origin,
    ) -> bool {
        let GossipMessage::PingReq { seq, from: name, target } = message else { return true };
        let relays = match origin {
            Origin::Proven => true,
            Origin::Stranger { allowance, .. } => {
                let held = self.protocol.member(name).filter(|held| held.state.is_live());
                let ack = GossipMessage::Ack { seq: *seq, from: target.clone() };
                let me = self.protocol.local_member().id.clone();
                let nack = GossipMessage::Nack { seq: *seq, from: me };
                let answers = self.post.datagram_len(&ack) + self.post.datagram_len(&nack);
                held.is_some_and(|held| held.address.ip() == from.ip()) && allowance.take(answers)
            }
            Origin::Stream { .. } => false,
        };
        if !relays {
            self.meter.relays_refused.one();
        }
        relays
    }

    /// Whether a live member is held there: nobody is without having answered.
    pub(super) fn is_proven(&self, address: &SocketAddr) -> bool {
        self.protocol.member_at(address).is_some_and(|member| member.state.is_live())
    }
}

/// The ping that asks an address. No member asks here, but a name that is as short as can be, for whoever
/// made this node ask is to have sent more; or so much longer that the answer is not withheld, which may
/// have three times its bytes.
fn question(cookie: u64, padding: usize) -> GossipMessage {
    GossipMessage::Ping { seq: cookie, from: MemberId("?".repeat(1 + padding)) }
}

/// How long it is, and its answer, where datagrams have so many bytes.
pub(super) fn sizes(datagram_len: impl Fn(&GossipMessage) -> usize) -> Sizes {
    let ack = GossipMessage::Ack { seq: Validation::COOKIE, from: MemberId::from("?") };
    let question = question(Validation::COOKIE, 0);
    Sizes { question: datagram_len(&question), ack: datagram_len(&ack) }
}

/// A claim as it counts when its member has answered: it is alive then.
fn alive(claimed: &Claimed<'_>) -> MemberUpdate {
    MemberUpdate {
        id: claimed.id.clone(),
        state: MemberState::Alive,
        incarnation: claimed.incarnation,
        address: claimed.address,
        metadata: claimed.metadata.cloned(),
    }
}
