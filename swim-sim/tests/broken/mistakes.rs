//! Mistakes in code.

use std::collections::BTreeMap;

use swim_core::MemberState::{Alive, Dead, Suspect};
use swim_core::{Incarnation, MemberIdx, Reason, Rumor, Time};
use swim_sim::invariants::Observed;
use swim_sim::node::{Io, Node, Sent, Via};
use swim_sim::nodes::swim::{Item, Letter};

use crate::mistake::{Mistake, Right};

/// All that is said in a call.
fn said(io: &mut Io<Letter>) -> impl Iterator<Item = &mut Rumor> {
    io.sent.iter_mut().flat_map(|sent| &mut sent.packet.rumors)
}

/// Takes one member for one that has answered, and never pings it.
#[derive(Debug, Default)]
pub(crate) struct Overlooks;

impl Overlooks {
    const MEMBER: MemberIdx = MemberIdx(2);
}

impl Mistake for Overlooks {
    fn act(&mut self, node: &mut Right, now: Time, io: &mut Io<Letter>) {
        let mut seqs = Vec::new();
        io.sent.retain(|sent| {
            let ping = |item: &Item| match item {
                Item::Ping { seq } => Some(*seq),
                _ => None,
            };
            let seq = sent.packet.items.iter().find_map(ping).filter(|_| sent.to == Self::MEMBER);
            seqs.extend(seq);
            seq.is_none()
        });
        for seq in seqs {
            let member = Some(Self::MEMBER);
            let mut ack = Letter { items: vec![Item::Ack { seq, member }], ..Letter::default() };
            node.node.handle_packet(now, Self::MEMBER, Via::Datagram, &mut ack, io);
        }
    }
}

/// Takes any Alive about the dead for a newer one.
#[derive(Debug, Default)]
pub(crate) struct BelievesAnyAlive {
    /// Incarnations that were made up, and the real ones.
    real: BTreeMap<(MemberIdx, Incarnation), Incarnation>,
}

impl BelievesAnyAlive {
    fn real(&self, member: MemberIdx, held: Incarnation) -> Incarnation {
        self.real.get(&(member, held)).copied().unwrap_or(held)
    }
}

impl Mistake for BelievesAnyAlive {
    fn hear(&mut self, node: &Right, letter: &mut Letter) {
        for rumor in letter.rumors.iter_mut().filter(|rumor| rumor.state == Alive) {
            let held = node.node.incarnation_of(rumor.member);
            if node.node.state(rumor.member) == Some(Dead) && held >= Some(rumor.incarnation) {
                let made_up = held.unwrap_or(0) + 1;
                self.real.insert((rumor.member, made_up), rumor.incarnation);
                rumor.incarnation = made_up;
            }
        }
    }

    fn act(&mut self, _: &mut Right, _: Time, io: &mut Io<Letter>) {
        for change in &mut io.changes {
            change.incarnation = self.real(change.member, change.incarnation);
        }
        for rumor in said(io) {
            rumor.incarnation = self.real(rumor.member, rumor.incarnation);
        }
    }

    fn incarnation(&self, _: &Right, member: MemberIdx, held: Incarnation) -> Incarnation {
        self.real(member, held)
    }
}

/// Accuses at an incarnation above the known one, so that the accusation wins.
#[derive(Debug, Default)]
pub(crate) struct AccusesAbove;

impl Mistake for AccusesAbove {
    fn act(&mut self, _: &mut Right, _: Time, io: &mut Io<Letter>) {
        for rumor in said(io).filter(|rumor| rumor.state == Suspect) {
            rumor.incarnation += 1;
        }
    }
}

/// Takes refutations in below what they refute.
#[derive(Debug, Default)]
pub(crate) struct CountsBack;

impl Mistake for CountsBack {
    fn act(&mut self, node: &mut Right, _: Time, io: &mut Io<Letter>) {
        let refutation = |reason| reason == Reason::Refutation;
        for change in io.changes.iter_mut().filter(|change| change.member != node.me) {
            if refutation(change.cause.reason) {
                change.incarnation -= 2;
            }
        }
    }
}

/// Does not take in what a suspect says of itself.
#[derive(Debug, Default)]
pub(crate) struct IgnoresRefutations;

impl Mistake for IgnoresRefutations {
    fn hear(&mut self, node: &Right, letter: &mut Letter) {
        for rumor in letter.rumors.iter_mut().filter(|rumor| rumor.state == Alive) {
            if node.node.state(rumor.member) == Some(Suspect) {
                rumor.incarnation = 0;
            }
        }
    }
}

/// Declares dead whom a probe did not reach.
#[derive(Debug, Default)]
pub(crate) struct SkipsSuspicion;

impl Mistake for SkipsSuspicion {
    fn act(&mut self, _: &mut Right, _: Time, io: &mut Io<Letter>) {
        for change in &mut io.changes {
            if change.new == Some(Suspect) && change.cause.reason == Reason::ProbeFailed {
                change.new = Some(Dead);
            }
        }
    }
}

/// Gossips to all that it knows.
#[derive(Debug, Default)]
pub(crate) struct TellsEverybody;

impl Mistake for TellsEverybody {
    fn act(&mut self, node: &mut Right, _: Time, io: &mut Io<Letter>) {
        let gossip = |sent: &&Sent<Letter>| {
            let gossip = |item: &Item| matches!(item, Item::Gossip(_));
            sent.via == Via::Datagram && sent.packet.items.iter().all(gossip)
        };
        let Some(round) = io.sent.iter().find(gossip) else { return };
        let (bytes, packet) = (round.bytes, round.packet.clone());
        let live = |member: &MemberIdx| node.node.state(*member).is_some_and(|s| s.is_live());
        let all = (0..100).map(MemberIdx).filter(live).filter(|&member| member != node.me);
        io.sent.extend(all.map(|to| Sent {
            to,
            via: Via::Datagram,
            bytes,
            after: std::time::Duration::ZERO,
            packet: packet.clone(),
        }));
    }
}

/// Outbids an accusation by nothing: says and holds what it began with.
#[derive(Debug, Default)]
pub(crate) struct NeverIncrements;

fn first(incarnation: Incarnation) -> Incarnation {
    incarnation >> 32 << 32
}

impl Mistake for NeverIncrements {
    fn act(&mut self, node: &mut Right, _: Time, io: &mut Io<Letter>) {
        for change in io.changes.iter_mut().filter(|change| change.member == node.me) {
            change.incarnation = first(change.incarnation);
        }
        for rumor in said(io).filter(|rumor| rumor.member == node.me) {
            rumor.incarnation = first(rumor.incarnation);
        }
    }

    fn incarnation(&self, node: &Right, member: MemberIdx, held: Incarnation) -> Incarnation {
        if member == node.me { first(held) } else { held }
    }
}

/// Does not hear what is said against it.
#[derive(Debug, Default)]
pub(crate) struct NeverRefutes;

impl Mistake for NeverRefutes {
    fn hear(&mut self, node: &Right, letter: &mut Letter) {
        for rumor in letter.rumors.iter_mut().filter(|rumor| rumor.member == node.me) {
            rumor.incarnation = 0;
        }
    }
}

/// Passes nothing on: neither by gossip nor by anti-entropy.
#[derive(Debug, Default)]
pub(crate) struct KeepsNewsToItself;

impl Mistake for KeepsNewsToItself {
    fn act(&mut self, _: &mut Right, _: Time, io: &mut Io<Letter>) {
        for sent in &mut io.sent {
            let news = |item: &Item| matches!(item, Item::Gossip(_) | Item::Delta { .. });
            sent.packet.items.retain(|item| !news(item));
        }
        io.sent.retain(|sent| !sent.packet.items.is_empty());
    }
}
