//! What peers may send at worst: refused with a reason, at a price in proportion.

mod common;

use common::memory::{EXPANSION, memory_of};
use common::schema::v1::{self, message::Kind};
use common::{alive, codec, decode, message, packet, schema};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use swim_core::{
    Accusation, Coordinate, Digest, GossipMessage, MemberUpdate, Notice, Said, Stamp, UserEvent,
    UserNotice, UserQuery,
};
use swim_wire::{Codec, DecodeError, Limits, ProtobufCodec};

/// Why a packet of one message of that kind is refused.
fn refusal(kind: Kind) -> DecodeError {
    let mut packet = schema::packet(&[]);
    packet.messages.push(v1::Message { kind: Some(kind) });
    decode(&packet.encode_to_vec()).expect_err("a refusal")
}

/// Three updates: v4, then v6 with the same port, then none.
fn columns() -> v1::Updates {
    let updates = vec![
        alive("a", "10.0.0.1:7946", 5 << 32),
        alive("b", "[::1]:7946", 9 << 32),
        MemberUpdate { address: None, metadata: None, ..alive("c", "[::1]:1", 0) },
    ];
    let mut packet = schema::packet(&[GossipMessage::Gossip { updates }]);
    match packet.messages.remove(0).kind {
        Some(Kind::Gossip(columns)) => columns,
        _ => unreachable!("a gossip was put in"),
    }
}

/// Why those three are refused once something was done to them.
fn spoiled(spoil: impl FnOnce(&mut v1::Updates)) -> DecodeError {
    let mut columns = columns();
    spoil(&mut columns);
    refusal(Kind::Gossip(columns))
}

fn column_length(column: &'static str, found: usize, expected: usize) -> DecodeError {
    DecodeError::ColumnLength { column, found, expected }
}

#[test]
fn columns_of_different_lengths_are_refused() {
    assert_eq!(spoiled(|it| it.status.truncate(2)), column_length("status", 2, 3));
    assert_eq!(spoiled(|it| it.status.push(0)), column_length("status", 4, 3));
    assert_eq!(spoiled(|it| it.epoch.clear()), column_length("epoch", 0, 3));
    assert_eq!(spoiled(|it| it.name.clear()), column_length("status", 3, 0));
    assert_eq!(spoiled(|it| it.metadata.push(v1::Metadata::default())), {
        column_length("metadata", 1, 0)
    });
    assert_eq!(spoiled(|it| it.status[2] |= 32), column_length("metadata", 0, 1));
}

#[test]
fn addresses_that_do_not_fit_their_statuses_are_refused() {
    let short = |missing| DecodeError::AddressesTooShort { missing };
    assert_eq!(spoiled(|it| it.addresses.truncate(20)), short(2));
    assert_eq!(spoiled(|it| it.addresses.clear()), short(4));
    assert_eq!(spoiled(|it| it.addresses.push(0)), DecodeError::AddressesTooLong { left: 1 });
    let sync = refusal(Kind::Sync(columns()));
    assert_eq!(sync, DecodeError::MissingAddress { entry: 2 });
}

#[test]
fn statuses_that_make_no_sense_are_refused() {
    for status in [3 << 2, 1 << 4, 1 << 38, 1 << 2 | 1 << 5 | 1 << 38, 1 << 39, u64::MAX] {
        let expected = DecodeError::Status { status, entry: 2 };
        assert_eq!(spoiled(|it| it.status[2] = status), expected);
    }
    // The first address has none before it whose port it could share.
    let expected = DecodeError::Status { status: 1 << 2 | 1 << 4, entry: 0 };
    assert_eq!(spoiled(|it| it.status[0] |= 1 << 4), expected);
}

#[test]
fn epochs_outside_32_bits_are_refused() {
    for difference in [-10, i64::MIN, i64::MAX, 1 << 32] {
        let expected = DecodeError::Epoch { difference, entry: 2 };
        assert_eq!(spoiled(|it| it.epoch[2] = difference), expected);
    }
}

#[test]
fn bad_names_are_refused() {
    let empty = DecodeError::EmptyName { field: "name" };
    assert_eq!(spoiled(|it| it.name[1].clear()), empty);
    let long = DecodeError::NameTooLong { field: "name", len: 256, max: 255 };
    assert_eq!(spoiled(|it| it.name[1] = "n".repeat(256)), long);

    let ping = refusal(Kind::Ping(v1::Probe::default()));
    assert_eq!(ping, DecodeError::EmptyName { field: "from" });
    let untargeted = v1::Probe { from: "a".to_owned(), ..Default::default() };
    assert_eq!(refusal(Kind::PingReq(untargeted)), DecodeError::EmptyName { field: "target" });
    let unasked = refusal(Kind::SyncRequest(v1::SyncRequest::default()));
    assert_eq!(unasked, DecodeError::EmptyName { field: "from" });

    let mut bytes = packet(&[GossipMessage::Ping { seq: 1, from: "abc".into() }]);
    *bytes.last_mut().unwrap() = 0xFF;
    assert_eq!(decode(&bytes).unwrap_err(), DecodeError::NotUtf8 { field: "from", len: 3 });
}

#[test]
fn coordinates_of_another_length_are_refused() {
    for found in [1, 13, 15, 200] {
        let ack =
            v1::Probe { from: "a".to_owned(), coordinate: vec![0; found], ..Default::default() };
        let expected = DecodeError::Coordinate { found, expected: 14 };
        assert_eq!(refusal(Kind::Ack(ack.clone())), expected);
        // Nobody sends it with a ping, but what is wrong is wrong.
        assert_eq!(refusal(Kind::Ping(ack)), expected);
    }
}

#[test]
fn a_coordinate_counts_with_acks_alone() {
    let probe = |coordinate| v1::Probe { from: "a".to_owned(), coordinate, ..Default::default() };
    let taken = |kind| {
        let mut packet = schema::packet(&[]);
        packet.messages.push(v1::Message { kind: Some(kind) });
        decode(&packet.encode_to_vec()).unwrap().0.remove(0)
    };
    let zeros = vec![0; Coordinate::LEN];
    assert!(matches!(taken(Kind::Ping(probe(zeros.clone()))), GossipMessage::Ping { .. }));
    assert!(matches!(taken(Kind::Nack(probe(zeros.clone()))), GossipMessage::Nack { .. }));
    assert!(matches!(taken(Kind::Ack(probe(zeros))), GossipMessage::LocatedAck { .. }));
}

#[test]
fn digests_that_make_no_sense_are_refused() {
    let summary = |summary| refusal(Kind::Digest(v1::Digest { summary: Some(summary) }));
    let buckets = |hashes| summary(v1::digest::Summary::Buckets(v1::Buckets { hashes }));
    assert_eq!(buckets(vec![]), DecodeError::BucketCount { found: 0 });
    assert_eq!(buckets(vec![1, 2, 3]), DecodeError::BucketCount { found: 3 });

    let versions = |of, buckets| {
        let versions = v1::Versions { of, buckets, versions: vec![] };
        summary(v1::digest::Summary::Versions(versions))
    };
    assert_eq!(versions(0, vec![]), DecodeError::BucketCount { found: 0 });
    assert_eq!(versions(6, vec![]), DecodeError::BucketCount { found: 6 });
    assert_eq!(versions(8, vec![3, 8]), DecodeError::Bucket { bucket: 8, of: 8 });
    assert_eq!(versions(8, vec![3, 3]), DecodeError::Bucket { bucket: 3, of: 8 });
    assert_eq!(versions(8, vec![3, 2]), DecodeError::Bucket { bucket: 2, of: 8 });
}

#[test]
fn notices_that_make_no_sense_are_refused() {
    let event = || v1::Event { origin: "a".to_owned(), name: "b".to_owned(), payload: vec![] };
    let whole = || v1::Notice {
        id: 1,
        ltime: 5,
        after: vec![7],
        lag: vec![1],
        said: Some(v1::notice::Said::Event(event())),
    };
    let refused = |notice| refusal(Kind::Notices(v1::Notices { notices: vec![notice] }));
    for lag in [0, 6, u64::MAX] {
        let expected = DecodeError::Lag { ltime: 5, lag };
        assert_eq!(refused(v1::Notice { lag: vec![lag], ..whole() }), expected);
    }
    let uneven = refused(v1::Notice { lag: vec![1, 1], ..whole() });
    assert_eq!(uneven, column_length("lag", 2, 1));
    let many = refused(v1::Notice { after: vec![1; 9], lag: vec![1; 9], ..whole() });
    assert_eq!(many, DecodeError::TooManyStamps { found: 9, max: 8 });

    let said = |event| refused(v1::Notice { said: Some(event), ..whole() });
    let nameless = v1::Event { name: String::new(), ..event() };
    let empty = |field| DecodeError::EmptyName { field };
    assert_eq!(said(v1::notice::Said::Event(nameless)), empty("event name"));
    let long = v1::Event { name: "n".repeat(256), ..event() };
    let too_long = DecodeError::NameTooLong { field: "event name", len: 256, max: 255 };
    assert_eq!(said(v1::notice::Said::Event(long)), too_long);
    let query =
        || v1::Query { origin: "a".to_owned(), name: "b".to_owned(), ..v1::Query::default() };
    let asked = |query| said(v1::notice::Said::Query(query));
    assert_eq!(asked(v1::Query { origin: String::new(), ..query() }), empty("origin"));
    assert_eq!(asked(v1::Query { nodes: vec![String::new()], ..query() }), empty("nodes"));
    let many = v1::Query {
        nodes: vec!["a".to_owned(); 1_000],
        metadata: vec![v1::Pattern::default(); 25],
        ..query()
    };
    assert_eq!(asked(many), DecodeError::TooManyFilters { found: 1_025, max: 1_024 });
    let relays = DecodeError::NumberTooLarge { field: "relays", found: 256, max: 255 };
    assert_eq!(asked(v1::Query { relays: 256, ..query() }), relays);
}

#[test]
fn times_that_lead_beyond_all_time_are_refused() {
    let large = |field, found, max| DecodeError::NumberTooLarge { field, found, max };
    let stamps = v1::Stamps { id: vec![1, 2], ltime: vec![u64::MAX, 1] };
    assert_eq!(refusal(Kind::Fetch(stamps)), large("ltime", 1, 0));
    let recent = v1::Recent { above: u64::MAX - 1, span: 2, ..Default::default() };
    assert_eq!(refusal(Kind::Recent(recent)), large("span", 2, 1));
    let held = v1::Held { from: "a".to_owned(), above: 1, span: u64::MAX, stamps: None };
    assert_eq!(refusal(Kind::Held(held)), large("span", u64::MAX, u64::MAX - 1));
    let nameless = v1::Held { above: 1, span: 1, ..Default::default() };
    assert_eq!(refusal(Kind::Held(nameless)), DecodeError::EmptyName { field: "from" });
    let stamps = v1::Stamps { id: vec![1, 2], ltime: vec![1] };
    assert_eq!(refusal(Kind::Fetch(stamps)), column_length("ltime", 1, 2));
    let answer = v1::QueryAnswer { from: "a".to_owned(), ..Default::default() };
    assert_eq!(refusal(Kind::QueryAnswer(answer)), DecodeError::EmptyName { field: "to" });
}

#[test]
fn accusations_that_make_no_sense_are_refused() {
    let accusation = |update, accuser: &str, health| {
        let accusations = vec![v1::Accusation { update, accuser: accuser.to_owned(), health }];
        refusal(Kind::Evidence(v1::Evidence { ages: vec![], accusations }))
    };
    let large = |field, found| DecodeError::NumberTooLarge { field, found, max: 255 };
    assert_eq!(accusation(256, "a", 0), large("update", 256));
    assert_eq!(accusation(u32::MAX, "a", 0), large("update", u32::MAX.into()));
    assert_eq!(accusation(0, "a", 256), large("health", 256));
    assert_eq!(accusation(0, "", 0), DecodeError::EmptyName { field: "accuser" });
    let long = DecodeError::NameTooLong { field: "accuser", len: 256, max: 255 };
    assert_eq!(accusation(0, &"a".repeat(256), 0), long);
}

/// Why a packet of these bytes behind a valid envelope is refused.
fn refusal_of_raw(rest: &[u8]) -> DecodeError {
    let mut bytes = packet(&[]);
    bytes.extend_from_slice(rest);
    decode(&bytes).expect_err("a refusal")
}

#[test]
fn what_occurs_twice_is_refused() {
    // A message with two pings; a gossip with two status columns.
    let two_pings = [0x22, 10, 0x0a, 3, 0x12, 1, b'a', 0x0a, 3, 0x12, 1, b'a'];
    assert_eq!(refusal_of_raw(&two_pings), DecodeError::Repeated { field: "message" });
    let two_columns = [0x22, 6, 0x22, 4, 0x12, 0, 0x12, 0];
    assert_eq!(refusal_of_raw(&two_columns), DecodeError::Repeated { field: "status" });
}

#[test]
fn fields_of_another_wire_type_are_refused() {
    let wire_type = |field| DecodeError::WireType { field };
    assert_eq!(refusal_of_raw(&[0x08, 1, 0x1d, 1, 2, 3, 4]), wire_type("cluster"));
    assert_eq!(refusal_of_raw(&[0x20, 1]), wire_type("messages"));
    assert_eq!(refusal_of_raw(&[0x22, 2, 0x08, 1]), wire_type("kind"));
    // The update of an accusation as a text.
    let accusation = [0x22, 7, 0x42, 5, 0x12, 3, 0x0a, 1, b'a'];
    assert_eq!(refusal_of_raw(&accusation), wire_type("update"));
    // A status column that is not packed.
    assert_eq!(refusal_of_raw(&[0x22, 4, 0x22, 2, 0x10, 0]), wire_type("status"));
}

#[test]
fn malformed_bytes_are_refused() {
    let malformed = |message, left| DecodeError::Malformed { message, left };
    // Cut off, longer than what is there, field number 0, a group that never ends, a column
    // whose last number has no end.
    assert_eq!(refusal_of_raw(&[0x22]), malformed("packet", 1));
    assert_eq!(refusal_of_raw(&[0x22, 0xff, 0xff, 0xff, 0xff, 0x0f]), malformed("packet", 6));
    assert_eq!(refusal_of_raw(&[0x00, 1]), malformed("packet", 2));
    assert_eq!(refusal_of_raw(&[0x7b, 0x7b]), malformed("packet", 2));
    assert_eq!(refusal_of_raw(&[0x22, 5, 0x22, 3, 0x12, 1, 0x80]), malformed("status", 1));
    let uneven = DecodeError::UnevenColumn { column: "wanted", len: 3, size: 4 };
    assert_eq!(refusal_of_raw(&[0x22, 7, 0x52, 5, 0x12, 3, 1, 2, 3]), uneven);
    // Groups in groups, deeper than anybody means.
    assert!(matches!(refusal_of_raw(&[0x7b; 100_000]), DecodeError::Malformed { .. }));
}

fn limited(limits: Limits, messages: &[GossipMessage]) -> DecodeError {
    let codec = ProtobufCodec::with_limits("swim", limits).unwrap();
    codec.decode(&packet(messages), &mut Vec::new()).expect_err("a refusal")
}

#[test]
fn each_limit_is_kept() {
    let ping = || GossipMessage::Ping { seq: 1, from: "four".into() };
    let update = || MemberUpdate {
        metadata: Some([("k".to_owned(), "v".to_owned())].into()),
        ..alive("a", "10.0.0.1:7946", 1)
    };
    let gossip = || GossipMessage::Gossip { updates: vec![update()] };
    let accusation = || Accusation { update: 0, accuser: "b".into(), health: 0 };
    let evidence =
        || GossipMessage::Evidence { ages: vec![], accusations: vec![accusation(), accusation()] };
    let digest = || GossipMessage::Digest { digest: Digest::Buckets { hashes: vec![1, 2] } };
    let none = Limits::default;

    let long = DecodeError::PacketTooLong { len: packet(&[ping()]).len(), max: 9 };
    assert_eq!(limited(Limits { packet_bytes: 9, ..none() }, &[ping()]), long);
    let many = DecodeError::TooManyMessages { found: 2, max: 1 };
    assert_eq!(limited(Limits { messages: 1, ..none() }, &[ping(), ping()]), many);
    let name = DecodeError::NameTooLong { field: "from", len: 4, max: 3 };
    assert_eq!(limited(Limits { name_bytes: 3, ..none() }, &[ping()]), name);
    // Two messages of one update each: a packet's messages count together.
    let many = DecodeError::TooManyUpdates { found: 2, max: 1 };
    assert_eq!(limited(Limits { updates: 1, ..none() }, &[gossip(), gossip()]), many);
    let long = DecodeError::MetadataTooLong { len: 8, max: 7 };
    assert_eq!(limited(Limits { metadata_bytes: 7, ..none() }, &[gossip()]), long);
    let many = DecodeError::TooManyAccusations { found: 4, max: 3 };
    assert_eq!(limited(Limits { accusations: 3, ..none() }, &[evidence(), evidence()]), many);
    let many = DecodeError::TooManyDigestEntries { found: 4, max: 3 };
    assert_eq!(limited(Limits { digest_entries: 3, ..none() }, &[digest(), digest()]), many);
    let fetch = || GossipMessage::Fetch { stamps: vec![Stamp { ltime: 1, id: 2 }; 2] };
    let many = DecodeError::TooManyStamps { found: 4, max: 3 };
    assert_eq!(limited(Limits { stamps: 3, ..none() }, &[fetch(), fetch()]), many);
    let stamp = Stamp { ltime: 1, id: 2 };
    let notice = Notice { stamp, after: [].into(), said: Said::Announced(9) };
    let notices = || GossipMessage::Notices { notices: vec![notice.clone(); 2] };
    let many = DecodeError::TooManyNotices { found: 4, max: 3 };
    assert_eq!(limited(Limits { notices: 3, ..none() }, &[notices(), notices()]), many);
}

#[test]
fn what_is_as_much_as_a_limit_allows_is_taken() {
    let (stamp, before) = (Stamp { ltime: 2, id: 2 }, Stamp { ltime: 1, id: 1 });
    let notice = Notice { stamp, after: [before].into(), said: Said::Announced(9) };
    let accusation = Accusation { update: 0, accuser: "four".into(), health: 0 };
    let metadata = Some([("k".to_owned(), "v".to_owned())].into());
    let update = MemberUpdate { metadata, ..alive("four", "10.0.0.1:7946", 1) };
    let messages = [
        GossipMessage::Gossip { updates: vec![update] },
        GossipMessage::Evidence { ages: vec![], accusations: vec![accusation; 2] },
        GossipMessage::Digest { digest: Digest::Buckets { hashes: vec![1, 2] } },
        GossipMessage::Fetch { stamps: vec![stamp; 2] },
        GossipMessage::Notices { notices: vec![notice; 2] },
    ];
    let limits = Limits {
        packet_bytes: packet(&messages).len(),
        messages: 5,
        name_bytes: 4,
        updates: 1,
        metadata_bytes: 8,
        accusations: 2,
        digest_entries: 2,
        notices: 2,
        stamps: 4,
    };
    let codec = ProtobufCodec::with_limits("swim", limits.clone()).unwrap();
    assert_eq!(*codec.limits(), limits);
    let mut heard = Vec::new();
    codec.decode(&packet(&messages), &mut heard).unwrap();
    assert_eq!(format!("{heard:?}"), format!("{messages:?}"));
}

#[test]
fn the_densest_packets_take_memory_in_proportion() {
    let nobody = |i: usize| MemberUpdate {
        address: None,
        ..alive(&char::from(b'a' + (i % 26) as u8).to_string(), "[::1]:1", 0)
    };
    let crowd = || (0..50_000).map(nobody).collect::<Vec<_>>();
    let members: Vec<_> =
        (0..50_000).map(|_| common::member(&alive("a", "10.0.0.1:1", 0))).collect();
    let key = |i: u32| (char::from_u32(i + 33).unwrap_or('!').to_string(), String::new());
    let crammed = MemberUpdate { metadata: Some((0..8_000).map(key).collect()), ..nobody(0) };
    let accused = || Accusation { update: 0, accuser: "a".into(), health: 0 };
    let event = UserEvent { origin: "a".into(), name: "b".to_owned(), payload: vec![] };
    let event = Said::Whole(UserNotice::Event(event.into()));
    let metadata = vec![(String::new(), String::new()); 1_024];
    let query = UserQuery { origin: "a".into(), metadata, ..UserQuery::new("b") };
    let query = Said::Whole(UserNotice::Query(query.into()));
    let notices = |said: &Said<UserNotice>, count| {
        let notice = Notice { stamp: Stamp::default(), after: [].into(), said: said.clone() };
        GossipMessage::Notices { notices: vec![notice; count] }
    };
    let dense = [
        ("events", notices(&event, 10_000)),
        ("queries", notices(&query, 100)),
        ("stamps", GossipMessage::Fetch { stamps: vec![Stamp::default(); 10_000] }),
        ("updates", GossipMessage::Gossip { updates: crowd() }),
        ("delta", GossipMessage::Delta { updates: crowd(), wanted: vec![0; 9] }),
        ("members", GossipMessage::Sync { members }),
        ("metadata", GossipMessage::Gossip { updates: vec![crammed] }),
        (
            "accusations",
            GossipMessage::Evidence {
                ages: vec![],
                accusations: (0..4_000).map(|_| accused()).collect(),
            },
        ),
    ];
    for (what, message) in dense {
        let packet = packet(&[message]);
        let memory = memory_of(&decode(&packet).unwrap().0);
        println!("{what}: {memory} bytes of memory from {} on the wire", packet.len());
        assert!(memory <= EXPANSION * packet.len());
    }
}

#[test]
fn repeated_keys_make_no_room() {
    // 30,000 entries without key or value, which fall together to one.
    let metadata = [0x0a, 0x00].repeat(30_000);
    let mut columns = columns();
    columns.status[0] |= 32;
    columns.metadata.push(v1::Metadata::default());
    let mut body = columns.encode_to_vec();
    assert_eq!(body.split_off(body.len() - 2), [0x2a, 0]);
    body.push(0x2a);
    prost::encoding::encode_varint(metadata.len() as u64, &mut body);
    body.extend(metadata);

    let mut message = vec![0x22];
    prost::encoding::encode_varint(body.len() as u64, &mut message);
    message.extend(body);
    let mut bytes = packet(&[]).to_vec();
    bytes.push(0x22);
    prost::encoding::encode_varint(message.len() as u64, &mut bytes);
    bytes.extend(message);

    let (messages, _) = decode(&bytes).unwrap();
    assert!(memory_of(&messages) <= EXPANSION * bytes.len());
}

/// Decoding never panics; what is accepted is bounded and can be sent on; what fails leaves
/// nothing.
fn survives(bytes: &[u8]) {
    let mut messages = Vec::new();
    match codec().decode(bytes, &mut messages) {
        Err(_) => assert!(messages.is_empty()),
        Ok(_) => {
            assert!(memory_of(&messages) <= EXPANSION * bytes.len() + 1_024);
            assert!(decode(&packet(&messages)).is_ok());
        }
    }
}

proptest! {
    #![proptest_config(common::config())]

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..600)) {
        survives(&bytes);
        // Behind a valid envelope they get further.
        let mut enveloped = packet(&[]);
        enveloped.extend_from_slice(&bytes);
        survives(&enveloped);
    }

    #[test]
    fn mutated_packets_do_no_harm(
        messages in vec(message(), 1..4),
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 1..8),
    ) {
        let mut bytes = packet(&messages).to_vec();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len().max(1));
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
            survives(&bytes);
        }
    }

    #[test]
    fn packets_cut_anywhere_do_no_harm(messages in vec(message(), 1..4)) {
        let bytes = packet(&messages);
        for end in 0..bytes.len().min(2_000) {
            survives(&bytes[..end]);
        }
    }
}
