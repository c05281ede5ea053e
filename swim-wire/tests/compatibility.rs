//! Newer and foreign senders.

mod common;

use common::{decode, packet, schema};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use swim_core::{Decline, GossipMessage};
use swim_wire::{CodecError, DecodeError, Limits, ProtobufCodec};

fn ping() -> GossipMessage {
    GossipMessage::Ping { seq: 1, from: "a".into() }
}

fn delimited(field: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(field, WireType::LengthDelimited, &mut bytes);
    encode_varint(body.len() as u64, &mut bytes);
    bytes.extend_from_slice(body);
    bytes
}

/// Field 100 of each wire type, a group included.
fn unknown_fields() -> Vec<u8> {
    let mut bytes = delimited(100, b"news");
    encode_key(100, WireType::Varint, &mut bytes);
    encode_varint(u64::MAX, &mut bytes);
    encode_key(100, WireType::SixtyFourBit, &mut bytes);
    bytes.extend([0; 8]);
    encode_key(100, WireType::ThirtyTwoBit, &mut bytes);
    bytes.extend([0; 4]);
    encode_key(100, WireType::StartGroup, &mut bytes);
    bytes.extend(delimited(1, b"inside"));
    encode_key(100, WireType::EndGroup, &mut bytes);
    bytes
}

#[test]
fn messages_of_unknown_kinds_are_skipped_and_counted() {
    let mut bytes = packet(&[ping()]).to_vec();
    bytes.extend(delimited(4, &delimited(77, b"a kind of tomorrow")));
    bytes.extend(delimited(4, &[]));
    // A digest of a summary unknown here.
    bytes.extend(delimited(4, &delimited(9, &delimited(8, b"finer"))));
    bytes.extend(&packet(&[ping()])[packet(&[]).len()..]);
    // A notice that says something unknown here.
    bytes.extend(delimited(4, &delimited(11, &delimited(1, &delimited(9, b"more")))));
    let (messages, decoded) = decode(&bytes).unwrap();
    assert_eq!(messages.len(), 3);
    assert_eq!((decoded.skipped_kinds, decoded.skipped_fields), (4, 0));
}

#[test]
fn unknown_fields_are_skipped_and_counted_at_every_level() {
    let news = unknown_fields();
    let with_news = |body: &[u8]| [body, &news].concat();
    let named = with_news(&delimited(2, b"a"));
    let accused = with_news(&delimited(2, b"a"));
    let entry = with_news(&delimited(1, b"key"));
    let metadata = with_news(&delimited(1, &entry));
    let columns = [delimited(1, b"a"), delimited(2, &[32]), delimited(4, &[0])].concat();
    let updates = with_news(&[columns, delimited(5, &metadata)].concat());
    let versions = [vec![0x08, 4], news.clone()].concat();
    let event = with_news(&[delimited(1, b"a"), delimited(2, b"b")].concat());
    let query = [delimited(1, b"a"), delimited(2, b"b"), delimited(5, &news)].concat();
    let query = with_news(&query);
    let kinds = [
        (1, named),
        (6, with_news(&delimited(1, b"a"))),
        (4, updates.clone()),
        (8, with_news(&delimited(2, &accused))),
        (9, with_news(&delimited(2, &with_news(&delimited(1, &[0; 8]))))),
        (9, delimited(3, &versions)),
        (10, with_news(&delimited(1, &updates))),
        (11, with_news(&delimited(1, &with_news(&delimited(6, &event))))),
        (11, delimited(1, &delimited(7, &query))),
        (12, with_news(&[])),
        (13, with_news(&[])),
        (14, with_news(&[delimited(1, b"a"), delimited(4, &news)].concat())),
        (15, with_news(&[delimited(2, b"a"), delimited(3, b"b")].concat())),
    ];
    // Levels with news: in the messages, in each of these, in the packet.
    let levels = [1, 1, 3, 2, 2, 1, 4, 3, 2, 1, 1, 2, 1].iter().sum::<u32>();
    let levels = levels + kinds.len() as u32 + 1;
    let mut bytes = packet(&[]).to_vec();
    for (kind, body) in &kinds {
        bytes.extend(delimited(4, &with_news(&delimited(*kind, body))));
    }
    let (messages, decoded) = decode(&with_news(&bytes)).unwrap();
    assert_eq!(messages.len(), kinds.len());
    assert_eq!((decoded.skipped_kinds, decoded.skipped_fields), (0, 5 * levels));
}

#[test]
fn a_query_is_declined_for_a_reason_that_is_newer_too() {
    for (number, why) in [
        (0, None),
        (1, Some(Decline::NoHandler)),
        (2, Some(Decline::Failed)),
        (3, Some(Decline::Busy)),
        (4, Some(Decline::Failed)),
        (u32::MAX, Some(Decline::Failed)),
    ] {
        let answer = schema::v1::QueryAnswer {
            from: "a".to_owned(),
            to: "b".to_owned(),
            declined: number,
            ..Default::default()
        };
        let mut bytes = packet(&[]).to_vec();
        bytes.extend(delimited(4, &delimited(15, &answer.encode_to_vec())));
        let (messages, _) = decode(&bytes).unwrap();
        let GossipMessage::QueryAnswer { declined, payload: None, .. } = &messages[0] else {
            panic!("{messages:?}");
        };
        assert_eq!(*declined, why);
    }
}

#[test]
fn a_newer_minor_version_is_taken_and_told() {
    let newer = schema::v1::Packet { minor: 7, ..schema::packet(&[ping()]) };
    let (messages, decoded) = decode(&newer.encode_to_vec()).unwrap();
    assert_eq!((messages.len(), decoded.minor), (1, 7));
}

#[test]
fn another_major_version_is_refused_whatever_follows() {
    for found in [0, 2, u32::MAX] {
        let packet = schema::v1::Packet { major: found, ..schema::packet(&[ping()]) };
        let refused = decode(&packet.encode_to_vec()).unwrap_err();
        assert_eq!(refused, DecodeError::OtherMajor { found });
    }
    assert_eq!(decode(&[]).unwrap_err(), DecodeError::OtherMajor { found: 0 });
    // Not protobuf behind the version: a layout to come.
    let tomorrow = [0x08, 2, 0xff, 0xff];
    assert_eq!(decode(&tomorrow).unwrap_err(), DecodeError::OtherMajor { found: 2 });
}

#[test]
fn another_cluster_is_refused_by_name() {
    let refused = |cluster: &str| {
        let packet = schema::v1::Packet { cluster: cluster.into(), ..schema::packet(&[ping()]) };
        decode(&packet.encode_to_vec()).unwrap_err()
    };
    for found in ["staging", "", &"c".repeat(64)] {
        let (found, expected) = (found.to_owned(), "swim".to_owned());
        assert_eq!(refused(&found.clone()), DecodeError::OtherCluster { found, expected });
    }
    let long = DecodeError::NameTooLong { field: "cluster", len: 65, max: 64 };
    assert_eq!(refused(&"c".repeat(65)), long);
    assert_eq!(
        refused("staging").to_string(),
        r#"packet of cluster "staging", this node is in "swim""#
    );
}

#[test]
fn fields_in_any_order_are_read() {
    // As another writer of protobuf may do: the envelope last, names last, metadata first.
    let gossip = [
        delimited(5, &[]),
        delimited(4, &[0, 0]),
        delimited(2, &[0, 32]),
        delimited(1, b"a"),
        delimited(1, b"b"),
    ];
    let mut bytes = delimited(4, &delimited(4, &gossip.concat()));
    bytes.extend(packet(&[]));
    let (messages, _) = decode(&bytes).unwrap();
    let GossipMessage::Gossip { updates } = &messages[0] else { panic!("not a gossip") };
    assert_eq!((updates[0].id.as_str(), updates[1].id.as_str()), ("a", "b"));
    assert!(updates[0].metadata.is_none() && updates[1].metadata.is_some());
}

#[test]
fn impossible_settings_are_refused() {
    let cluster = |len| CodecError::ClusterName { len, max: 64 };
    assert_eq!(ProtobufCodec::new("").unwrap_err(), cluster(0));
    assert_eq!(ProtobufCodec::new("c".repeat(65)).unwrap_err(), cluster(65));
    let limited = |limits| ProtobufCodec::with_limits("swim", limits).unwrap_err();
    let names = limited(Limits { name_bytes: 256, ..Limits::default() });
    assert_eq!(names, CodecError::Limit { limit: "name_bytes", value: 256, max: 255 });
    let metadata = limited(Limits { metadata_bytes: 65_537, ..Limits::default() });
    assert_eq!(metadata.to_string(), "limit metadata_bytes of 65537, the most is 65536");
}
