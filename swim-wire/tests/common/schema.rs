//! Messages in the types that prost derives from the schema: slow, plain, and not the codec.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use swim_core::{
    Accusation, Coordinate, Decline, Digest, GossipMessage, Member, MemberState, MemberUpdate,
    Notice, Said, Stamp, UserNotice,
};

use self::v1::message::Kind;

/// Derived by prost.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub(crate) mod v1 {
    include!(concat!(env!("OUT_DIR"), "/swim.v1.rs"));
}

/// A packet of cluster `swim` with `messages`.
pub(crate) fn packet(messages: &[GossipMessage]) -> v1::Packet {
    v1::Packet {
        major: 1,
        minor: 0,
        cluster: "swim".to_owned(),
        messages: messages.iter().map(|it| v1::Message { kind: Some(kind(it)) }).collect(),
    }
}

fn kind(message: &GossipMessage) -> Kind {
    match message {
        GossipMessage::Ping { seq, from } => Kind::Ping(probe(*seq, &from.0, "")),
        GossipMessage::Ack { seq, from } => Kind::Ack(probe(*seq, &from.0, "")),
        GossipMessage::LocatedAck { seq, from, coordinate } => {
            let coordinate = octets_of(*coordinate);
            Kind::Ack(v1::Probe { coordinate, ..probe(*seq, &from.0, "") })
        }
        GossipMessage::Nack { seq, from } => Kind::Nack(probe(*seq, &from.0, "")),
        GossipMessage::PingReq { seq, from, target } => {
            Kind::PingReq(probe(*seq, &from.0, &target.0))
        }
        GossipMessage::SyncRequest { from } => {
            Kind::SyncRequest(v1::SyncRequest { from: from.0.clone() })
        }
        GossipMessage::Gossip { updates } => Kind::Gossip(columns(updates)),
        GossipMessage::Sync { members } => {
            Kind::Sync(columns(&members.iter().map(update).collect::<Vec<_>>()))
        }
        GossipMessage::Evidence { ages, accusations } => Kind::Evidence(v1::Evidence {
            ages: ages.clone(),
            accusations: accusations.iter().map(accusation).collect(),
        }),
        GossipMessage::Digest { digest } => {
            Kind::Digest(v1::Digest { summary: Some(summary(digest)) })
        }
        GossipMessage::Delta { updates, wanted } => Kind::Delta(v1::Delta {
            updates: Some(columns(updates)).filter(|_| !updates.is_empty()),
            wanted: wanted.clone(),
        }),
        GossipMessage::Notices { notices } => {
            Kind::Notices(v1::Notices { notices: notices.iter().map(notice).collect() })
        }
        GossipMessage::Fetch { stamps } => Kind::Fetch(columns_of(stamps)),
        GossipMessage::Recent { recent } => Kind::Recent(v1::Recent {
            clock: recent.clock,
            above: recent.above,
            span: recent.upto - recent.above,
            hash: recent.hash,
        }),
        GossipMessage::Held { from, above, upto, stamps } => Kind::Held(v1::Held {
            from: from.0.clone(),
            above: *above,
            span: upto - above,
            stamps: Some(columns_of(stamps)).filter(|_| !stamps.is_empty()),
        }),
        GossipMessage::QueryAnswer { query, from, to, relay, payload, declined } => {
            Kind::QueryAnswer(v1::QueryAnswer {
                query: *query,
                from: from.0.clone(),
                to: to.0.clone(),
                relay: *relay,
                payload: payload.clone(),
                declined: declined.map_or(0, reason),
            })
        }
    }
}

fn reason(why: Decline) -> u32 {
    match why {
        Decline::NoHandler => 1,
        Decline::Failed => 2,
        Decline::Busy => 3,
        _ => unreachable!("a reason that has no number so far"),
    }
}

fn probe(seq: u64, from: &str, target: &str) -> v1::Probe {
    v1::Probe { seq, from: from.to_owned(), target: target.to_owned(), coordinate: vec![] }
}

/// As the schema tells it, bit by bit.
fn octets_of(coordinate: Coordinate) -> Vec<u8> {
    let position = coordinate.position().map(|along| (along + (1 << 24)) as u32 % (1 << 24));
    let height = coordinate.height().as_micros() as u32;
    let error = (coordinate.error() * 32_768.0) as u16;
    let numbers = position.into_iter().chain([height]);
    numbers
        .flat_map(|number| number.to_be_bytes().into_iter().skip(1))
        .chain(error.to_be_bytes())
        .collect()
}

fn accusation(it: &Accusation) -> v1::Accusation {
    v1::Accusation {
        update: it.update.into(),
        accuser: it.accuser.0.clone(),
        health: it.health.into(),
    }
}

fn summary(digest: &Digest) -> v1::digest::Summary {
    use v1::digest::Summary;
    match digest.clone() {
        Digest::View { hash } => Summary::View(hash),
        Digest::Buckets { hashes } => Summary::Buckets(v1::Buckets { hashes }),
        Digest::Versions { of, buckets, versions } => {
            Summary::Versions(v1::Versions { of, buckets, versions })
        }
    }
}

fn update(member: &Member) -> MemberUpdate {
    MemberUpdate {
        id: member.id.clone(),
        state: member.state,
        incarnation: member.incarnation,
        address: Some(member.address),
        metadata: Some(member.metadata.clone()),
    }
}

/// The columns as the comments of the schema tell them, one record at a time.
fn columns(updates: &[MemberUpdate]) -> v1::Updates {
    let mut columns = v1::Updates::default();
    let (mut port, mut epoch) = (None, 0);
    for update in updates {
        columns.name.push(update.id.0.clone());
        let address = update.address;
        let same_port = address.is_some() && address.map(|address| address.port()) == port;
        columns.status.push(status(update, same_port));
        columns.addresses.extend(address.iter().flat_map(|address| octets(address, same_port)));
        let own_epoch = (update.incarnation >> 32) as i64;
        columns.epoch.push(own_epoch - epoch);
        columns.metadata.extend(entry(update).map(metadata));
        (port, epoch) = (address.map(|address| address.port()).or(port), own_epoch);
    }
    columns
}

fn status(update: &MemberUpdate, same_port: bool) -> u64 {
    let state = match update.state {
        MemberState::Alive => 0,
        MemberState::Suspect => 1,
        MemberState::Dead => 2,
        MemberState::Left => 3,
    };
    let family = match update.address {
        None => 0,
        Some(SocketAddr::V4(_)) => 1,
        Some(SocketAddr::V6(_)) => 2,
    };
    let counter = update.incarnation % (1 << 32);
    state
        + 4 * family
        + 16 * u64::from(same_port)
        + 32 * u64::from(entry(update).is_some())
        + 64 * counter
        + (1 << 38) * u64::from(update.metadata.is_none() && update.address.is_some())
}

/// Beside an address, no metadata needs no entry.
fn entry(update: &MemberUpdate) -> Option<&HashMap<String, String>> {
    let goes_without_saying =
        |metadata: &HashMap<_, _>| metadata.is_empty() && update.address.is_some();
    update.metadata.as_ref().filter(|metadata| !goes_without_saying(metadata))
}

fn octets(address: &SocketAddr, same_port: bool) -> Vec<u8> {
    let mut octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    if !same_port {
        octets.extend(address.port().to_be_bytes());
    }
    octets
}

fn metadata(metadata: &HashMap<String, String>) -> v1::Metadata {
    v1::Metadata { entries: metadata.clone().into_iter().collect() }
}

fn notice(it: &Notice<UserNotice>) -> v1::Notice {
    use v1::notice::Said as Told;
    let said = match &it.said {
        Said::Announced(len) => Told::Announced(*len as u32),
        Said::Whole(UserNotice::Event(event)) => Told::Event(v1::Event {
            origin: event.origin.0.clone(),
            name: event.name.clone(),
            payload: event.payload.clone(),
        }),
        Said::Whole(UserNotice::Query(query)) => Told::Query(v1::Query {
            origin: query.origin.0.clone(),
            name: query.name.clone(),
            payload: query.payload.clone(),
            nodes: query.nodes.iter().map(|node| node.0.clone()).collect(),
            metadata: query.metadata.iter().cloned().map(pattern).collect(),
            ack: query.ack,
            relays: query.relays.into(),
            timeout: query.timeout.as_millis() as u32,
        }),
    };
    v1::Notice {
        id: it.stamp.id,
        ltime: it.stamp.ltime,
        after: it.after.iter().map(|stamp| stamp.id).collect(),
        lag: it.after.iter().map(|stamp| it.stamp.ltime - stamp.ltime).collect(),
        said: Some(said),
    }
}

fn pattern((key, pattern): (String, String)) -> v1::Pattern {
    v1::Pattern { key, pattern }
}

fn columns_of(stamps: &[Stamp]) -> v1::Stamps {
    let ltimes: Vec<u64> = stamps.iter().map(|stamp| stamp.ltime).collect();
    let before = std::iter::once(0).chain(ltimes.iter().copied());
    v1::Stamps {
        id: stamps.iter().map(|stamp| stamp.id).collect(),
        ltime: ltimes.iter().zip(before).map(|(ltime, before)| ltime - before).collect(),
    }
}
