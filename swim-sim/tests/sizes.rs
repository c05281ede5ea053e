//! The arithmetic of `swim_sim::size` against the codec: equal for whatever a member may say.
//!
//! Messages of the engine are turned into `GossipMessage`s as swim-core's `protocol/outbox.rs`
//! does, and those are encoded in earnest.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use swim_core::{
    Accusation, Accusers, Digest, DigestRef, GossipMessage, Member, MemberId, MemberIdx,
    MemberState, MemberUpdate, Message, Notice, NoticeMessage, Outgoing, Recent, Removal, Rumor,
    Said, Stamp, UserEvent, UserNotice,
};
use swim_sim::size;
use swim_wire::{Codec, ProtobufCodec};

fn codec() -> ProtobufCodec {
    ProtobufCodec::new("swim").expect("a valid name")
}

// How the face says it.

fn name(member: MemberIdx) -> MemberId {
    MemberId(format!("node-{:06}", member.0))
}

fn address(member: MemberIdx) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from_bits(member.0), 7946))
}

/// Some members are marked as degraded.
fn is_marked(member: MemberIdx) -> bool {
    member.0 % 3 == 1
}

fn metadata(member: MemberIdx) -> HashMap<String, String> {
    let mark = is_marked(member).then(|| (Member::DEGRADED.to_owned(), "1".to_owned()));
    mark.into_iter().collect()
}

fn update(rumor: &Rumor) -> MemberUpdate {
    MemberUpdate {
        id: name(rumor.member),
        state: rumor.state,
        incarnation: rumor.incarnation,
        address: rumor.with_profile.then(|| address(rumor.member)),
        metadata: rumor.with_profile.then(|| metadata(rumor.member)),
    }
}

fn updates(rumors: &[Rumor]) -> Vec<MemberUpdate> {
    rumors.iter().map(update).collect()
}

/// What the face holds of a member and what the engine says of it are the same in a `Sync`.
fn held(rumor: &Rumor) -> Member {
    Member {
        id: name(rumor.member),
        address: address(rumor.member),
        state: rumor.state,
        incarnation: rumor.incarnation,
        metadata: metadata(rumor.member),
        last_update: Instant::now(),
    }
}

fn accusations((update, rumor): (u8, &Rumor)) -> impl Iterator<Item = Accusation> {
    let accusation = move |(accuser, health)| Accusation { update, accuser: name(accuser), health };
    rumor.accusers.iter().map(accusation)
}

fn evidence(me: MemberIdx, rumors: &[Rumor]) -> Option<GossipMessage> {
    let mut ages = Vec::new();
    if rumors.iter().any(|rumor| rumor.age.is_some_and(|age| age > 0)) {
        ages.extend(rumors.iter().map(|rumor| rumor.age.unwrap_or(0)));
    }
    let forwarded = |(_, rumor): &(u8, &Rumor)| rumor.accusers.iter().any(|(by, _)| by != me);
    let accusations: Vec<_> =
        (0..=u8::MAX).zip(rumors).filter(forwarded).flat_map(accusations).collect();
    let silent = ages.is_empty() && accusations.is_empty();
    (!silent).then_some(GossipMessage::Evidence { ages, accusations })
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

fn one_of_the_face(me: MemberIdx, message: &Outgoing<'_>) -> Option<GossipMessage> {
    let from = name(me);
    Some(match message {
        Message::Ping { seq } => GossipMessage::Ping { seq: *seq, from },
        Message::Ack { seq, member, .. } => {
            GossipMessage::Ack { seq: *seq, from: name((*member)?) }
        }
        Message::PingReq { seq, target } => {
            GossipMessage::PingReq { seq: *seq, from, target: name((*target)?) }
        }
        Message::Nack { seq, .. } => GossipMessage::Nack { seq: *seq, from },
        Message::SyncRequest => GossipMessage::SyncRequest { from },
        Message::Gossip(rumors) => GossipMessage::Gossip { updates: updates(rumors) },
        Message::Sync(rumors) => GossipMessage::Sync { members: rumors.iter().map(held).collect() },
        Message::Digest(digest) => GossipMessage::Digest { digest: owned(*digest) },
        Message::Delta { updates: rumors, wanted } => {
            GossipMessage::Delta { updates: updates(rumors), wanted: wanted.to_vec() }
        }
    })
}

fn of_the_face(me: MemberIdx, message: &Outgoing<'_>) -> Vec<GossipMessage> {
    let companion = match message {
        Message::Gossip(rumors) => evidence(me, rumors),
        _ => None,
    };
    one_of_the_face(me, message).into_iter().chain(companion).collect()
}

/// A text of so many bytes below 16,384, with its header.
fn delimited(len: usize) -> usize {
    if len < 128 { 2 + len } else { 3 + len }
}

/// An event that takes so many bytes, headers included, if there can be one.
fn body(bytes: u32) -> Option<UserNotice> {
    let (origin, event) = (name(MemberIdx(0)), "e".to_owned());
    let named = delimited(origin.0.len()) + delimited(event.len());
    let fits = |len: &usize| delimited(named + delimited(*len)) == bytes as usize;
    let payload = (1..bytes as usize).rev().find(fits)?;
    Some(UserNotice::Event(UserEvent { origin, name: event, payload: vec![7; payload] }.into()))
}

/// The same as the face says it.
fn notice_of_the_face(notice: &Notice<u32>) -> Option<Notice<UserNotice>> {
    let said = match notice.said {
        Said::Announced(len) => Said::Announced(len),
        Said::Whole(bytes) => Said::Whole(body(bytes)?),
    };
    Some(Notice { stamp: notice.stamp, after: notice.after.clone(), said })
}

fn about_notices_of_the_face(
    me: MemberIdx,
    message: &NoticeMessage<'_, u32>,
) -> Option<GossipMessage> {
    Some(match message {
        NoticeMessage::Tell(notices) => GossipMessage::Notices {
            notices: notices.iter().map(notice_of_the_face).collect::<Option<_>>()?,
        },
        NoticeMessage::Fetch(stamps) => GossipMessage::Fetch { stamps: stamps.to_vec() },
        NoticeMessage::Recent(recent) => GossipMessage::Recent { recent: *recent },
        NoticeMessage::Held { above, upto, stamps } => {
            let (above, upto, stamps) = (*above, *upto, stamps.to_vec());
            GossipMessage::Held { from: name(me), above, upto, stamps }
        }
        NoticeMessage::Answer(_) => return None,
    })
}

/// The claim of this file for notices. False where a body of that size cannot be.
fn check_notices(me: MemberIdx, message: &NoticeMessage<'_, u32>) -> bool {
    let Some(said) = about_notices_of_the_face(me, message) else { return false };
    assert_eq!(size::notices(me, message), codec().encoded_len(&said), "{me:?} says {message:?}");
    true
}

/// The claim of this file.
fn check(me: MemberIdx, message: &Outgoing<'_>) {
    let (codec, mut packet) = (codec(), BytesMut::new());
    codec.start(&mut packet);
    let mut told = packet.len();
    for message in of_the_face(me, message) {
        told += codec.encoded_len(&message);
        codec.append(&message, &mut packet);
    }
    let counted = size::ENVELOPE + size::message(me, is_marked, message);
    assert_eq!(counted, packet.len(), "encoded, {me:?} says {message:?}");
    assert_eq!(counted, told, "by encoded_len, {me:?} says {message:?}");
}

// What a member may say.

fn member() -> impl Strategy<Value = MemberIdx> {
    // Names get longer at a million, ten million, ...
    let edge = (6..10u32, -1..=0i64).prop_map(|(digits, off)| 10i64.pow(digits) + off);
    let edge = edge.prop_map(|edge| edge as u32);
    prop_oneof![4 => 0..1_000_000u32, 1 => edge, 1 => any::<u32>()].prop_map(MemberIdx)
}

fn joined(epoch: u32, counter: u32) -> u64 {
    u64::from(epoch) << 32 | u64::from(counter)
}

fn incarnation() -> impl Strategy<Value = u64> {
    let of_halves = |(epoch, counter)| joined(epoch, counter);
    prop_oneof![
        Just(0),
        0..300u64,
        (1_700_000_000..1_731_536_000u32, 0..600u32).prop_map(of_halves),
        // Every length of either half.
        (bits(), bits()).prop_map(of_halves),
        any::<u64>(),
        Just(u64::MAX),
    ]
}

/// Numbers of every length.
fn bits() -> impl Strategy<Value = u32> {
    (any::<u32>(), 0..=32u32).prop_map(|(number, unused)| number.checked_shr(unused).unwrap_or(0))
}

fn seq() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..=64u32).prop_map(|(number, unused)| number.checked_shr(unused).unwrap_or(0))
}

fn state() -> impl Strategy<Value = MemberState> {
    use MemberState::{Alive, Dead, Left, Suspect};
    prop_oneof![Just(Alive), Just(Suspect), Just(Dead), Just(Left)]
}

fn accusers(me: MemberIdx) -> impl Strategy<Value = Accusers> {
    let health = prop_oneof![Just(0), 1..10u8, any::<u8>()];
    let accuser = prop_oneof![1 => Just(me), 2 => member()];
    vec((accuser, health), 0..=4).prop_map(|pairs| {
        let mut accusers = Accusers::default();
        for (accuser, health) in pairs {
            accusers.insert(accuser, health);
        }
        accusers
    })
}

fn rumor(me: MemberIdx) -> impl Strategy<Value = Rumor> {
    let age = prop_oneof![Just(None), Just(Some(0)), any::<u8>().prop_map(Some)];
    (member(), state(), incarnation(), age, any::<bool>(), accusers(me)).prop_map(
        |(member, state, incarnation, age, with_profile, accusers)| Rumor {
            member,
            state,
            incarnation,
            age,
            with_profile,
            accusers,
            removal: Removal::No,
        },
    )
}

/// Of the accusers only `me`, if it is one.
fn own(me: MemberIdx, accusers: &Accusers) -> Accusers {
    let mine = accusers.iter().find(|(accuser, _)| *accuser == me);
    mine.map_or_else(Accusers::default, |(accuser, health)| Accusers::one(accuser, health))
}

/// By chance alone, long lists would always have ages, foreign accusers and profiles.
fn rumors(me: MemberIdx) -> impl Strategy<Value = Vec<Rumor>> {
    let lists = (vec(rumor(me), 0..=60), any::<[bool; 3]>());
    lists.prop_map(move |(mut rumors, [aged, forwarded, described])| {
        for rumor in &mut rumors {
            rumor.age = rumor.age.filter(|age| aged || *age == 0);
            rumor.with_profile &= described;
            if !forwarded {
                rumor.accusers = own(me, &rumor.accusers);
            }
        }
        rumors
    })
}

fn news() -> impl Strategy<Value = (MemberIdx, Vec<Rumor>)> {
    member().prop_flat_map(|me| (Just(me), rumors(me)))
}

/// Times before which others lie.
fn stamp() -> impl Strategy<Value = Stamp> {
    let id = prop_oneof![4 => any::<u64>(), 1 => Just(0)];
    (10..u64::MAX / 2, 0..64u32, id)
        .prop_map(|(ltime, unused, id)| Stamp { ltime: (ltime >> unused).max(10), id })
}

fn notice() -> impl Strategy<Value = Notice<u32>> {
    let said = prop_oneof![
        any::<u32>().prop_map(|len| Said::Announced(len as usize)),
        (24..3_000u32).prop_map(Said::Whole),
    ];
    (stamp(), vec((1..10u64, any::<u64>()), 0..=8), said).prop_map(|(stamp, after, said)| {
        let before = |(lag, id)| Stamp { ltime: stamp.ltime - lag, id };
        Notice { stamp, after: after.into_iter().map(before).collect(), said }
    })
}

/// What fails is kept beside the test and tried first next time.
fn config() -> ProptestConfig {
    let beside = FileFailurePersistence::WithSource("regressions");
    let failure_persistence = Some(Box::new(beside) as Box<_>);
    ProptestConfig { failure_persistence, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn probes(me in member(), other in option::weighted(0.9, member()), seq in seq()) {
        check(me, &Message::Ping { seq });
        check(me, &Message::Ack { seq, member: other, coordinate: None });
        check(me, &Message::PingReq { seq, target: other });
        check(me, &Message::Nack { seq, relay: other });
        check(me, &Message::SyncRequest);
    }

    #[test]
    fn gossip_and_its_evidence((me, rumors) in news()) {
        check(me, &Message::Gossip(&rumors));
    }

    #[test]
    fn syncs((me, rumors) in news()) {
        check(me, &Message::Sync(&rumors));
    }

    #[test]
    fn deltas((me, rumors) in news(), wanted in vec(any::<u32>(), 0..=60)) {
        check(me, &Message::Delta { updates: &rumors, wanted: &wanted });
        check(me, &Message::Delta { updates: &rumors, wanted: &[] });
    }

    #[test]
    fn digests(
        me in member(),
        hashes in vec(any::<u64>(), 0..=60),
        of in bits(),
        buckets in vec(bits(), 0..=60),
        versions in vec(any::<u32>(), 0..=60),
    ) {
        check(me, &Message::Digest(DigestRef::View(hashes.first().copied().unwrap_or(0))));
        check(me, &Message::Digest(DigestRef::Buckets(&hashes)));
        let versions = DigestRef::Versions { of, buckets: &buckets, versions: &versions };
        check(me, &Message::Digest(versions));
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn notices(me in member(), notices in vec(notice(), 0..=20)) {
        // A length just above 127 or 16,383 takes a longer header: some sizes cannot be.
        let can_be: Vec<_> =
            notices.into_iter().filter(|it| notice_of_the_face(it).is_some()).collect();
        prop_assert!(check_notices(me, &NoticeMessage::Tell(&can_be)));
    }

    #[test]
    fn what_is_missed_of_them(
        me in member(),
        above in seq(),
        span in bits(),
        hash in any::<u64>(),
        mut stamps in vec(stamp(), 0..=60),
    ) {
        stamps.sort_unstable();
        prop_assert!(check_notices(me, &NoticeMessage::Fetch(&stamps)));
        let upto = above.saturating_add(span.into());
        let recent = Recent { clock: upto, above, upto, hash };
        prop_assert!(check_notices(me, &NoticeMessage::Recent(recent)));
        let held = NoticeMessage::Held { above, upto, stamps: &stamps };
        prop_assert!(check_notices(me, &held));
    }
}

#[test]
fn a_body_of_most_sizes_can_be() {
    let cannot = (24..3_000).filter(|bytes| body(*bytes).is_none()).count();
    assert!(cannot < 10, "{cannot}");
}

#[test]
fn lists_around_every_length_of_header() {
    let rumor = |at: u32| Rumor {
        member: MemberIdx(at),
        state: MemberState::Alive,
        incarnation: joined(1_700_000_000 + at, at % 7),
        age: Some(1),
        with_profile: at.is_multiple_of(2),
        accusers: Accusers::one(MemberIdx(at + 1), 0),
        removal: Removal::No,
    };
    let (me, rumors): (_, Vec<_>) = (MemberIdx(0), (0..20_000).map(rumor).collect());
    let (hashes, wanted) = (vec![u64::MAX; 20_000], vec![u32::MAX; 20_000]);
    for len in (0..300).chain(4_000..4_200).chain([8_191, 8_192, 16_383, 16_384, 20_000]) {
        let (rumors, wanted) = (&rumors[..len], &wanted[..len]);
        check(me, &Message::Gossip(rumors));
        check(me, &Message::Sync(rumors));
        check(me, &Message::Delta { updates: rumors, wanted });
        check(me, &Message::Digest(DigestRef::Buckets(&hashes[..len])));
        let versions = DigestRef::Versions { of: 4_096, buckets: wanted, versions: wanted };
        check(me, &Message::Digest(versions));
    }
}
