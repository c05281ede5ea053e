//! What the tests share: arbitrary messages, comparable messages, prost's derived types.
// Each test file uses a part of it.
#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use swim_core::{
    Accusation, Coordinate, Decline, Digest, GossipMessage, Member, MemberId, MemberState,
    MemberUpdate, Notice, Recent, Said, Stamp, UserEvent, UserNotice, UserQuery,
};
use swim_wire::{Codec, DecodeError, Decoded, ProtobufCodec};

pub(crate) mod memory;
pub(crate) mod schema;

/// The codec of most tests.
pub(crate) fn codec() -> ProtobufCodec {
    ProtobufCodec::new("swim").expect("a valid name")
}

/// One packet with `messages`.
pub(crate) fn packet(messages: &[GossipMessage]) -> BytesMut {
    let mut packet = BytesMut::new();
    codec().start(&mut packet);
    for message in messages {
        codec().append(message, &mut packet);
    }
    packet
}

/// What is in `packet`.
pub(crate) fn decode(packet: &[u8]) -> Result<(Vec<GossipMessage>, Decoded), DecodeError> {
    let mut messages = Vec::new();
    codec().decode(packet, &mut messages).map(|decoded| (messages, decoded))
}

type Record<'a> =
    (&'a MemberId, MemberState, u64, Option<SocketAddr>, Option<BTreeMap<&'a String, &'a String>>);

fn record(update: &MemberUpdate) -> Record<'_> {
    let metadata = update.metadata.as_ref().map(|metadata| metadata.iter().collect());
    (&update.id, update.state, update.incarnation, update.address, metadata)
}

/// A message as text, equal for messages that say the same: metadata in order, nothing of when.
pub(crate) fn meaning(message: &GossipMessage) -> String {
    match message {
        GossipMessage::Gossip { updates } => {
            format!("Gossip {:?}", updates.iter().map(record).collect::<Vec<_>>())
        }
        GossipMessage::Delta { updates, wanted } => {
            format!("Delta {:?} {wanted:?}", updates.iter().map(record).collect::<Vec<_>>())
        }
        GossipMessage::Sync { members } => {
            let updates: Vec<_> = members.iter().map(as_update).collect();
            format!("Sync {:?}", updates.iter().map(record).collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    }
}

fn as_update(member: &Member) -> MemberUpdate {
    MemberUpdate {
        id: member.id.clone(),
        state: member.state,
        incarnation: member.incarnation,
        address: Some(member.address),
        metadata: Some(member.metadata.clone()),
    }
}

/// An Alive with an address and no metadata.
pub(crate) fn alive(name: &str, address: &str, incarnation: u64) -> MemberUpdate {
    MemberUpdate {
        id: MemberId::from(name),
        state: MemberState::Alive,
        incarnation,
        address: Some(address.parse().expect("an address")),
        metadata: Some(HashMap::new()),
    }
}

/// The member that `update` tells everything of.
pub(crate) fn member(update: &MemberUpdate) -> Member {
    Member {
        id: update.id.clone(),
        address: update.address.expect("an address"),
        state: update.state,
        incarnation: update.incarnation,
        metadata: update.metadata.clone().unwrap_or_default(),
        last_update: Instant::now(),
    }
}

/// Mostly host names; also any text of up to 255 bytes.
pub(crate) fn name() -> impl Strategy<Value = MemberId> {
    let host = "[a-z]{1,6}-[0-9]{1,4}";
    let any = vec(any::<char>(), 1..64).prop_map(String::from_iter);
    let longest = (200_usize..=255).prop_map(|len| "n".repeat(len));
    prop_oneof![4 => host, 1 => any, 1 => longest].prop_map(MemberId)
}

fn state() -> impl Strategy<Value = MemberState> {
    use MemberState::{Alive, Dead, Left, Suspect};
    proptest::sample::select(vec![Alive, Suspect, Dead, Left])
}

/// Boot times with small counters, and anything, the greatest included.
fn incarnation() -> impl Strategy<Value = u64> {
    let booted = (1_700_000_000_u64..1_732_000_000, 0_u64..600);
    let booted = booted.prop_map(|(epoch, counter)| epoch << 32 | counter);
    prop_oneof![4 => booted, 2 => any::<u64>(), 1 => Just(u64::MAX), 1 => 0_u64..9]
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let port = prop_oneof![2 => Just(7946_u16), 1 => any::<u16>()];
    (any::<IpAddr>(), port).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

pub(crate) fn metadata() -> impl Strategy<Value = HashMap<String, String>> {
    let long = (0_usize..20_000).prop_map(|len| "v".repeat(len));
    let value = prop_oneof![8 => "[a-z]{0,8}".boxed(), 1 => long.boxed()];
    hash_map(prop_oneof![4 => "[a-z]{0,8}", 1 => "\\PC{0,70}"], value, 0..4)
}

pub(crate) fn update() -> impl Strategy<Value = MemberUpdate> {
    let told = (proptest::option::of(address()), proptest::option::of(metadata()));
    (name(), state(), incarnation(), told).prop_map(|(id, state, incarnation, told)| MemberUpdate {
        id,
        state,
        incarnation,
        address: told.0,
        metadata: told.1,
    })
}

fn full_member() -> impl Strategy<Value = Member> {
    (update(), address())
        .prop_map(|(update, address)| member(&MemberUpdate { address: Some(address), ..update }))
}

pub(crate) fn accusation() -> impl Strategy<Value = Accusation> {
    // Zeros are left out, so they are to occur.
    let number = || prop_oneof![Just(0_u8), 0..9_u8, any::<u8>()];
    (number(), name(), number()).prop_map(|(update, accuser, health)| Accusation {
        update,
        accuser,
        health,
    })
}

fn digest() -> impl Strategy<Value = Digest> {
    let buckets = (0_u32..8).prop_flat_map(|power| vec(any::<u64>(), 1_usize << power));
    let versions = (0_u32..=31, vec(any::<u32>(), 0..20), vec(any::<u32>(), 0..20));
    let versions = versions.prop_map(|(power, mut buckets, versions)| {
        let of = 1_u32 << power;
        buckets.iter_mut().for_each(|bucket| *bucket %= of);
        buckets.sort_unstable();
        buckets.dedup();
        Digest::Versions { of, buckets, versions }
    });
    prop_oneof![
        any::<u64>().prop_map(|hash| Digest::View { hash }),
        buckets.prop_map(|hashes| Digest::Buckets { hashes }),
        versions,
    ]
}

fn event() -> impl Strategy<Value = UserEvent> {
    let payload = prop_oneof![4 => vec(any::<u8>(), 0..200), 1 => vec(any::<u8>(), 0..20_000)];
    (name(), name(), payload).prop_map(|(origin, MemberId(name), payload)| UserEvent {
        origin,
        name,
        payload,
    })
}

fn query() -> impl Strategy<Value = UserQuery> {
    let pattern = || ("[a-z]{0,8}", "\\PC{0,70}");
    let filters = (vec(name(), 0..4), vec(pattern(), 0..4));
    let numbers = (any::<bool>(), any::<u8>(), any::<u32>());
    (event(), filters, numbers).prop_map(|(event, filters, numbers)| UserQuery {
        origin: event.origin,
        name: event.name,
        payload: event.payload,
        nodes: filters.0,
        metadata: filters.1,
        ack: numbers.0,
        relays: numbers.1,
        timeout: Duration::from_millis(numbers.2.into()),
    })
}

fn answer() -> impl Strategy<Value = GossipMessage> {
    let payload = proptest::option::of(vec(any::<u8>(), 0..200));
    let declined = prop_oneof![
        Just(None),
        Just(Some(Decline::NoHandler)),
        Just(Some(Decline::Failed)),
        Just(Some(Decline::Busy)),
    ];
    (number(), name(), name(), any::<bool>(), payload, declined).prop_map(
        |(query, from, to, relay, payload, declined)| GossipMessage::QueryAnswer {
            query,
            from,
            to,
            relay,
            payload,
            declined,
        },
    )
}

/// Any notice, the latest included.
pub(crate) fn notice() -> impl Strategy<Value = Notice<UserNotice>> {
    let ltime = prop_oneof![4 => 1_u64..100_000, 1 => 1..=u64::MAX];
    let said = prop_oneof![
        3 => event().prop_map(|event| Said::Whole(UserNotice::Event(event.into()))),
        1 => query().prop_map(|query| Said::Whole(UserNotice::Query(query.into()))),
        1 => any::<u32>().prop_map(|len| Said::Announced(len as usize)),
    ];
    (ltime, any::<u64>(), vec((any::<u64>(), any::<u64>()), 0..=8), said).prop_map(
        |(ltime, id, after, said)| {
            let before = |(lag, id)| Stamp { ltime: ltime - 1 - lag % ltime, id };
            let after = after.into_iter().map(before).collect();
            Notice { stamp: Stamp { ltime, id }, after, said }
        },
    )
}

fn stamps() -> impl Strategy<Value = Vec<Stamp>> {
    let ltime = prop_oneof![4 => 0_u64..100_000, 1 => any::<u64>()];
    let stamp = (ltime, any::<u64>()).prop_map(|(ltime, id)| Stamp { ltime, id });
    vec(stamp, 0..20).prop_map(|mut stamps| {
        stamps.sort_unstable();
        stamps
    })
}

/// Any, whether it makes sense or not.
pub(crate) fn coordinate() -> impl Strategy<Value = Coordinate> {
    any::<[u8; Coordinate::LEN]>().prop_map(Coordinate::from_bytes)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0_u64..100_000, any::<u64>()]
}

fn stretch() -> impl Strategy<Value = (u64, u64)> {
    (number(), number()).prop_map(|(one, other)| (one.min(other), one.max(other)))
}

/// Any message that a receiver takes.
pub(crate) fn message() -> impl Strategy<Value = GossipMessage> {
    let probe =
        (any::<u64>(), name(), name(), 0..4).prop_map(|(seq, from, target, kind)| match kind {
            0 => GossipMessage::Ping { seq, from },
            1 => GossipMessage::Ack { seq, from },
            2 => GossipMessage::Nack { seq, from },
            _ => GossipMessage::PingReq { seq, from, target },
        });
    let located = (any::<u64>(), name(), coordinate())
        .prop_map(|(seq, from, coordinate)| GossipMessage::LocatedAck { seq, from, coordinate });
    prop_oneof![
        probe,
        located,
        name().prop_map(|from| GossipMessage::SyncRequest { from }),
        vec(update(), 0..12).prop_map(|updates| GossipMessage::Gossip { updates }),
        vec(full_member(), 0..12).prop_map(|members| GossipMessage::Sync { members }),
        (vec(any::<u8>(), 0..12), vec(accusation(), 0..6))
            .prop_map(|(ages, accusations)| GossipMessage::Evidence { ages, accusations }),
        digest().prop_map(|digest| GossipMessage::Digest { digest }),
        (vec(update(), 0..12), vec(any::<u32>(), 0..12))
            .prop_map(|(updates, wanted)| GossipMessage::Delta { updates, wanted }),
        vec(notice(), 0..6).prop_map(|notices| GossipMessage::Notices { notices }),
        stamps().prop_map(|stamps| GossipMessage::Fetch { stamps }),
        (number(), stretch(), number()).prop_map(|(clock, (above, upto), hash)| {
            GossipMessage::Recent { recent: Recent { clock, above, upto, hash } }
        }),
        (name(), stretch(), stamps()).prop_map(|(from, (above, upto), stamps)| {
            GossipMessage::Held { from, above, upto, stamps }
        }),
        answer(),
    ]
}

/// The usual number of cases; what fails is kept beside the test and tried first next time.
pub(crate) fn config() -> ProptestConfig {
    let beside = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { failure_persistence: Some(Box::new(beside)), ..ProptestConfig::default() }
}
