//! What messages take on the wire, and the bounds that the core's byte budget counts on.

mod common;

use common::{accusation, alive, codec, metadata, name, packet, update};
use proptest::collection::vec;
use proptest::prelude::*;
use swim_core::{Accusation, Digest, ENVELOPE, GossipMessage, MemberUpdate, metadata_len};
use swim_wire::{Codec, FRAME_HEADER_LEN, Limits, ProtobufCodec};

/// Eight members that booted at some time of one year, with counters below `counters`.
fn eight_alive(counters: u64) -> Vec<MemberUpdate> {
    let update = |i: u64| {
        let booted = 1_700_000_000 + (i * 11_456_789) % 31_536_000;
        let address = format!("10.{i}.{}.{}:7946", i * 29 % 256, i * 83 % 256);
        alive(&format!("node-{i:06}"), &address, booted << 32 | (i * 7 % counters))
    };
    (0..8).map(update).collect()
}

fn ping() -> GossipMessage {
    GossipMessage::Ping { seq: 70_000, from: "node-000042".into() }
}

#[test]
fn ping_with_eight_updates_fits_in_240_bytes() {
    for (what, counters) in [("up to 1", 2), ("up to 511", 512)] {
        let packet = packet(&[ping(), GossipMessage::Gossip { updates: eight_alive(counters) }]);
        println!("ping and 8 updates, counters {what}: {} bytes", packet.len());
        assert!(packet.len() <= 240, "{} bytes", packet.len());
    }
}

#[test]
fn ping_with_eight_updates_of_different_ports_fits_in_256_bytes() {
    let mut updates = eight_alive(512);
    for (i, update) in updates.iter_mut().enumerate() {
        update.address.as_mut().expect("an address").set_port(40_000 + i as u16);
    }
    let packet = packet(&[ping(), GossipMessage::Gossip { updates }]);
    println!("ping and 8 updates, different ports: {} bytes", packet.len());
    assert!(packet.len() <= 256, "{} bytes", packet.len());
}

#[test]
fn in_sync_digest_fits_in_64_bytes() {
    let packet = packet(&[GossipMessage::Digest { digest: Digest::View { hash: u64::MAX } }]);
    println!("digest of a view: {} bytes", packet.len());
    assert!(packet.len() <= 64, "{} bytes", packet.len());
}

#[test]
fn envelope_and_frame_stay_below_their_bound() {
    let mut packet = bytes::BytesMut::new();
    ProtobufCodec::new("c".repeat(64)).unwrap().start(&mut packet);
    assert!(packet.len() + FRAME_HEADER_LEN <= ENVELOPE, "{} bytes", packet.len());
}

// The formulas of the core's budget, again.

fn text(len: usize) -> usize {
    len + match len {
        0..128 => 2,
        128..16_384 => 3,
        _ => 5,
    }
}

fn update_bound(update: &MemberUpdate) -> usize {
    let address = update.address.map_or(0, |address| if address.is_ipv4() { 6 } else { 18 });
    let metadata = update.metadata.as_ref().map_or(0, |metadata| 4 + metadata_len(metadata));
    16 + text(update.id.0.len()) + address + metadata
}

fn accusation_bound(accusation: &Accusation) -> usize {
    28 + text(accusation.accuser.0.len())
}

fn gossip_bound(updates: &[MemberUpdate], accusations: &[Accusation]) -> usize {
    32 + updates.iter().map(update_bound).sum::<usize>()
        + accusations.iter().map(accusation_bound).sum::<usize>()
}

/// Bytes of a gossip and of evidence that gives an age to each update.
fn gossip_len(updates: Vec<MemberUpdate>, accusations: Vec<Accusation>) -> usize {
    let ages = vec![255; updates.len()];
    codec().encoded_len(&GossipMessage::Gossip { updates })
        + codec().encoded_len(&GossipMessage::Evidence { ages, accusations })
}

proptest! {
    #![proptest_config(common::config())]

    #[test]
    fn gossip_stays_below_its_bound(
        updates in vec(update(), 0..40),
        accusations in vec(accusation(), 0..20),
    ) {
        let bound = gossip_bound(&updates, &accusations);
        prop_assert!(gossip_len(updates, accusations) <= bound);
    }

    #[test]
    fn one_update_stays_below_its_bound(update in update()) {
        let bound = gossip_bound(std::slice::from_ref(&update), &[]);
        prop_assert!(gossip_len(vec![update], vec![]) <= bound);
    }

    #[test]
    fn probes_stay_below_their_bound(seq: u64, from in name()) {
        let bound = 20 + text(from.0.len());
        let kinds = [
            GossipMessage::Ping { seq, from: from.clone() },
            GossipMessage::Ack { seq, from: from.clone() },
            GossipMessage::Nack { seq, from },
        ];
        for kind in kinds {
            prop_assert!(codec().encoded_len(&kind) <= bound);
        }
    }

    #[test]
    fn metadata_within_the_cores_limit_is_within_the_codecs(mut metadata in metadata()) {
        // Filled up to the limit exactly, as the core counts.
        let rest = Limits::MAX_METADATA_BYTES - metadata_len(&metadata);
        metadata.insert("filler".to_owned(), "x".repeat(rest.saturating_sub(18)));
        prop_assume!(metadata_len(&metadata) <= Limits::MAX_METADATA_BYTES);
        let update = MemberUpdate { metadata: Some(metadata), ..eight_alive(1).remove(0) };
        let sent = packet(&[GossipMessage::Gossip { updates: vec![update] }]);
        prop_assert!(common::decode(&sent).is_ok());
    }
}

#[test]
fn bounds_hold_at_every_length_of_header() {
    // Lengths around which headers grow by a byte, with the largest numbers beside them.
    for len in [1, 127, 128, 16_383, 16_384, 60_000] {
        let mut update = alive(&"n".repeat(len.min(255)), "[::1]:7946", u64::MAX);
        update.metadata = Some([("k".to_owned(), "v".repeat(len))].into());
        for count in [1, 2, 127, 128, 300] {
            // Alternating between the ends of the range makes every difference of epochs long.
            let mut updates = vec![update.clone(); count];
            updates.iter_mut().step_by(2).for_each(|update| update.incarnation = u32::MAX.into());
            let bound = gossip_bound(&updates, &[]);
            let actual = gossip_len(updates, vec![]);
            assert!(actual <= bound, "{count} of {len}: {actual} > {bound}");
        }
    }
}
