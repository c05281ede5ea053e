//! Who is claimed to live where, and has not shown it so far: kept from the protocol until an answer
//! comes from there ([`validation`](super::validation)).
//!
//! So every address that the protocol sends to by itself has received something and answered, was
//! told on a stream, or is a seed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use swim_core::{GossipMessage, GossipProtocol, MemberId, MemberState, MemberUpdate};
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::time::Instant;

use super::Driver;
use super::burden::Burden;
use super::post::Origin;
use super::screen::{Claimed, screen};
use super::validation::{Claim, Fate, Sizes, Step, Teller, Validation};

/// Most pings that a stream pays for: that of a stranger with a large view of its own, whose streams
/// count as soon as it is a member.
const PINGS_OF_STREAM: usize = 256;
/// Streams to unproven addresses in a second.
const STREAMS: u32 = 8;
/// How often a member is asked for all that it holds because others do not answer here.
const ASK_AGAIN: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Where a packet with claims came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// A datagram.
    ByDatagram,
    /// A stream that somebody else opened: its address is proven.
    ByStream,
}

/// How often streams help where pings do not pass.
#[derive(Debug)]
pub(super) struct Streams {
    since: Instant,
    opened: u32,
    asked: Option<Instant>,
}

impl Streams {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, opened: 0, asked: None }
    }

    /// Whether one may be opened to an unproven address now.
    fn may_open(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= SECOND {
            (self.since, self.opened) = (now, 0);
        }
        self.opened += 1;
        self.opened <= STREAMS
    }

    /// Whether a member may be asked for all that it holds now.
    fn may_ask(&mut self, now: Instant) -> bool {
        let may = self.asked.is_none_or(|at| now.saturating_duration_since(at) >= ASK_AGAIN);
        if may {
            self.asked = Some(now);
        }
        may
    }
}

/// What a claim says of where somebody lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing that this node does not hold.
    Nothing,
    /// That somebody lives there.
    Lives(SocketAddr),
    /// That a live member had moved there, and is gone.
    Gone,
}

fn judge(protocol: &GossipProtocol, claimed: &Claimed<'_>) -> Verdict {
    let Some(address) = claimed.address else { return Verdict::Nothing };
    let lives = matches!(claimed.state, MemberState::Alive | MemberState::Suspect);
    let verdict = if lives { Verdict::Lives(address) } else { Verdict::Gone };
    let counts = match protocol.member(claimed.id) {
        // That somebody unknown is gone is not kept.
        None => lives,
        Some(held) if held.address == address || *claimed.id == protocol.local_member().id => false,
        Some(held) if claimed.incarnation > held.incarnation => lives || held.state.is_live(),
        // Two of one name: the greater address stays.
        Some(held) if claimed.incarnation == held.incarnation => {
            claimed.state == MemberState::Alive && held.state.is_live()
        }
        Some(_) => false,
    };
    if counts { verdict } else { Verdict::Nothing }
}

/// Whether a member can live at an address, and a ping goes to one host.
fn is_place(address: &SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
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
        let now = Instant::now().into_std();
        let is_member = told == Told::ByStream && view.hosts().have(from.ip());
        screen(messages, &mut |claimed| {
            let address = match judge(protocol, &claimed) {
                Verdict::Nothing => return true,
                Verdict::Lives(address) => Some(address),
                Verdict::Gone => None,
            };
            let own = address.is_some_and(|address| address.ip() == from.ip());
            if is_member || told == Told::ByStream && own {
                return true;
            }
            if address.is_some_and(|at| admission.refuses(protocol, claimed.id, &at)) {
                // It is taken out, and counted, without asking anybody.
                return true;
            }
            if address.is_some_and(|at| validation.has_answered(&at, claimed.id)) {
                return true;
            }
            let Some(address) = address.filter(is_place) else {
                meter.claims_refused_unproven.one();
                return false;
            };
            let claim = Claim { from, teller, update: alive(&claimed) };
            match validation.keep(address, claim, budget, now) {
                Fate::Kept { displaced } => meter.claims_dropped.add(displaced),
                Fate::Dropped => meter.claims_dropped.one(),
                Fate::Refused => meter.claims_refused_unproven.one(),
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
        let (GossipMessage::Ack { seq, from } | GossipMessage::LocatedAck { seq, from, .. }) =
            message
        else {
            return false;
        };
        if !Validation::is_cookie(*seq) {
            return false;
        }
        let now = Instant::now().into_std();
        let (proven, refused) = self.validation.answered(*seq, from, now);
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

    /// Asks the addresses whose turn it is.
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
                    if worth && self.streams.may_open(now) {
                        self.post.send_by_stream(to, &question(cookie, 0));
                    } else {
                        self.validation.give_up(cookie, now.into_std());
                    }
                }
                Step::Refused { told_by } => {
                    self.meter.claims_refused_unproven.add(told_by.len());
                    let teller = told_by.into_iter().find(|at| self.is_proven(at));
                    if let Some(teller) = teller.filter(|_| self.streams.may_ask(now)) {
                        // Who is out of reach from here is taken from whom it has answered.
                        let from = self.protocol.local_member().id.clone();
                        self.post.send_by_stream(teller, &GossipMessage::SyncRequest { from });
                    }
                }
            }
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
