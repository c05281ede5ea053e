//! Messages of any kind, of few members, so that what is said meets what is held.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use swim_core::{
    Accusation, Coordinate, Decline, Digest, GossipMessage, Member, MemberId, MemberState,
    MemberUpdate, Notice, Recent, Said, Stamp, UserEvent, UserNotice, UserQuery,
};

use crate::source::Source;

/// Names and addresses that are in use.
pub(crate) const NODES: usize = 6;

pub(crate) fn addr(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, node as u8 + 1], 7946))
}

pub(crate) fn id(node: usize) -> MemberId {
    MemberId(format!("node-{node}"))
}

/// One of those in use, rarely another.
pub(crate) fn name(source: &mut Source<'_>) -> MemberId {
    match source.byte() {
        255 => MemberId(String::from_utf8_lossy(source.take(12)).into_owned()),
        254 => MemberId("n".repeat(255)),
        node => id(usize::from(node) % NODES),
    }
}

fn state(source: &mut Source<'_>) -> MemberState {
    [MemberState::Alive, MemberState::Suspect, MemberState::Dead, MemberState::Left]
        [source.below(4)]
}

fn metadata(source: &mut Source<'_>) -> HashMap<String, String> {
    let entry = |source: &mut Source<'_>| {
        let key = match source.below(6) {
            4 => Member::REMOVED.to_owned(),
            5 => Member::PRUNED.to_owned(),
            number => format!("k{number}"),
        };
        (key, "v".repeat(source.below(256)))
    };
    source.list(3, entry).into_iter().collect()
}

pub(crate) fn update(source: &mut Source<'_>) -> MemberUpdate {
    MemberUpdate {
        id: name(source),
        state: state(source),
        incarnation: source.number(),
        address: source.flag().then(|| addr(source.below(NODES))),
        metadata: source.flag().then(|| metadata(source)),
    }
}

pub(crate) fn member(source: &mut Source<'_>, last_update: Instant) -> Member {
    Member {
        id: name(source),
        address: addr(source.below(NODES)),
        state: state(source),
        incarnation: source.number(),
        metadata: metadata(source),
        last_update,
    }
}

fn digest(source: &mut Source<'_>) -> Digest {
    let numbers = |source: &mut Source<'_>| source.list(6, |source| source.word() as u32);
    match source.below(3) {
        0 => Digest::View { hash: source.word() },
        1 => Digest::Buckets { hashes: source.list(255, Source::word) },
        _ => Digest::Versions {
            of: 1 << source.below(9),
            buckets: source.list(6, |source| source.number() as u32),
            versions: numbers(source),
        },
    }
}

pub(crate) fn stamp(source: &mut Source<'_>) -> Stamp {
    Stamp { ltime: source.number(), id: source.below(4) as u64 }
}

fn notice(source: &mut Source<'_>) -> Notice<UserNotice> {
    let said = match source.below(4) {
        0 => Said::Announced(source.number() as usize),
        1 => {
            let query = UserQuery { origin: name(source), ..UserQuery::new("x") };
            Said::Whole(UserNotice::Query(query.into()))
        }
        _ => {
            let payload = vec![0; source.below(256) * 12];
            let event = UserEvent { origin: name(source), name: "x".into(), payload };
            Said::Whole(UserNotice::Event(event.into()))
        }
    };
    Notice { stamp: stamp(source), after: source.list(12, stamp).into(), said }
}

pub(crate) fn decline(source: &mut Source<'_>) -> Decline {
    [Decline::NoHandler, Decline::Busy, Decline::Failed][source.below(3)]
}

pub(crate) fn coordinate(source: &mut Source<'_>) -> Coordinate {
    let along = [0; 3].map(|_: i32| source.word() as i32);
    let height = Duration::from_micros(source.number());
    Coordinate::new(along, height, f64::from_bits(source.word()))
}

/// What users tell, and what is asked of it.
fn told(source: &mut Source<'_>) -> GossipMessage {
    match source.below(5) {
        0 => GossipMessage::Notices { notices: source.list(6, notice) },
        1 => GossipMessage::Fetch { stamps: source.list(12, stamp) },
        2 => {
            let (clock, above, upto) = (source.number(), source.number(), source.number());
            GossipMessage::Recent { recent: Recent { clock, above, upto, hash: source.word() } }
        }
        3 => GossipMessage::Held {
            from: name(source),
            above: source.number(),
            upto: source.number(),
            stamps: source.list(12, stamp),
        },
        _ => GossipMessage::QueryAnswer {
            query: source.below(4) as u64,
            from: name(source),
            to: name(source),
            relay: source.flag(),
            declined: source.flag().then(|| decline(source)),
            payload: source.flag().then(|| source.take(6).to_vec()),
        },
    }
}

/// News, and what comes after it from the same sender: ages and accusers of what it tells.
pub(crate) fn gossip(source: &mut Source<'_>) -> [GossipMessage; 2] {
    let updates = source.list(6, update);
    let ages = updates.iter().map(|_| source.byte()).collect();
    let mut accusations = Vec::new();
    for update in 0..updates.len() as u8 {
        let one = |source: &mut Source<'_>| {
            let (accuser, health) = (name(source), source.byte());
            Accusation { update, accuser, health }
        };
        accusations.extend(source.list(3, one));
    }
    [GossipMessage::Gossip { updates }, GossipMessage::Evidence { ages, accusations }]
}

/// A message of any kind.
pub(crate) fn message(source: &mut Source<'_>, now: Instant) -> GossipMessage {
    match source.below(13) {
        0 => GossipMessage::Ping { seq: source.number(), from: name(source) },
        1 => GossipMessage::Ack { seq: source.number(), from: name(source) },
        2 => GossipMessage::Nack { seq: source.number(), from: name(source) },
        3 => GossipMessage::PingReq {
            seq: source.number(),
            from: name(source),
            target: name(source),
        },
        4 | 5 => GossipMessage::Gossip { updates: source.list(6, update) },
        6 => GossipMessage::Sync { members: source.list(6, |source| member(source, now)) },
        7 => GossipMessage::SyncRequest { from: name(source) },
        8 => GossipMessage::Evidence {
            ages: source.list(8, Source::byte),
            accusations: source.list(6, |source| Accusation {
                update: source.byte(),
                accuser: name(source),
                health: source.byte(),
            }),
        },
        9 => GossipMessage::Digest { digest: digest(source) },
        10 => GossipMessage::Delta {
            updates: source.list(6, update),
            wanted: source.list(6, |source| source.word() as u32),
        },
        11 => GossipMessage::LocatedAck {
            seq: source.number(),
            from: name(source),
            coordinate: coordinate(source),
        },
        _ => told(source),
    }
}
