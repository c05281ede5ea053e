//! What is sent is what arrives, here and with any other reader of the schema.

mod common;

use std::collections::HashMap;

use common::{codec, decode, meaning, message, packet, schema};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use swim_core::GossipMessage;
use swim_wire::Codec;

fn meanings(messages: &[GossipMessage]) -> Vec<String> {
    messages.iter().map(meaning).collect()
}

proptest! {
    #![proptest_config(common::config())]

    #[test]
    fn messages_arrive_as_sent_and_in_order(messages in vec(message(), 0..6)) {
        let (decoded, rest) = decode(&packet(&messages)).unwrap();
        prop_assert_eq!(meanings(&decoded), meanings(&messages));
        prop_assert_eq!(rest, Default::default());
    }

    #[test]
    fn encoded_len_is_what_append_adds(message in message()) {
        let mut packet = packet(&[]);
        let before = packet.len();
        codec().append(&message, &mut packet);
        prop_assert_eq!(packet.len() - before, codec().encoded_len(&message));
    }

    #[test]
    fn bytes_are_those_of_the_derived_types(messages in vec(message(), 0..6)) {
        let derived = schema::packet(&messages);
        let packet = packet(&messages);
        prop_assert_eq!(&derived.encode_to_vec(), &packet);
        prop_assert_eq!(schema::v1::Packet::decode(&packet[..]).unwrap(), derived);
    }

    #[test]
    fn equal_messages_have_equal_bytes(message in message()) {
        // A clone of a map has an order of its own once it is built anew.
        let (decoded, _) = decode(&packet(std::slice::from_ref(&message))).unwrap();
        prop_assert_eq!(packet(&decoded), packet(&[message]));
    }
}

#[test]
fn decode_clears_what_the_buffer_held() {
    let ping = || GossipMessage::Ping { seq: 1, from: "a".into() };
    let mut messages = vec![ping(), ping(), ping()];
    codec().decode(&packet(&[ping()]), &mut messages).unwrap();
    assert_eq!(messages.len(), 1);
    codec().decode(b"junk", &mut messages).unwrap_err();
    assert!(messages.is_empty());
}

#[test]
fn start_clears_the_packet() {
    let mut reused = packet(&[GossipMessage::Ping { seq: 1, from: "a".into() }]);
    codec().start(&mut reused);
    assert_eq!(reused, packet(&[]));
}

#[test]
fn metadata_known_to_be_empty_is_not_metadata_unknown() {
    let update = |metadata| swim_core::MemberUpdate {
        metadata,
        ..common::alive("a", "10.0.0.1:7946", u64::MAX)
    };
    let some = HashMap::from([("k".to_owned(), "v".to_owned())]);
    for told in [
        vec![None, Some(HashMap::new())],
        vec![Some(HashMap::new()), None, Some(some), None, Some(HashMap::new())],
    ] {
        let updates = told.iter().cloned().map(update).collect();
        let (decoded, _) = decode(&packet(&[GossipMessage::Gossip { updates }])).unwrap();
        let GossipMessage::Gossip { updates } = &decoded[0] else { panic!("not a gossip") };
        assert!(updates.iter().map(|update| &update.metadata).eq(&told));
    }
}
