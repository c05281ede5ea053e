//! What messages take on the wire, and the bounds that the core's byte budget counts on.

mod common;

use std::collections::HashMap;

use common::{accusation, alive, codec, coordinate, metadata, name, notice, packet, update};
use proptest::collection::vec;
use proptest::prelude::*;
use swim_core::wire_size::{self, text};
use swim_core::{
    Accusation, Digest, ENVELOPE, GossipAction, GossipMessage, GossipProtocol, Member, MemberId,
    MemberState, MemberUpdate, Notice, Options, Said, Stamp, Timers, UserEvent, UserNotice,
    metadata_len,
};
use swim_wire::{Codec, Limits, ProtobufCodec};

/// Members that booted at some time of one year, with counters below `counters`.
fn usual(members: u64, counters: u64) -> Vec<MemberUpdate> {
    let update = |i: u64| {
        let booted = 1_700_000_000 + (i * 11_456_789) % 31_536_000;
        let address = format!("10.{i}.{}.{}:7946", i * 29 % 256, i * 83 % 256);
        alive(&format!("node-{i:06}"), &address, booted << 32 | (i * 7 % counters))
    };
    (0..members).map(update).collect()
}

fn ping() -> GossipMessage {
    GossipMessage::Ping { seq: 70_000, from: "node-000042".into() }
}

#[test]
fn ping_with_eight_updates_fits_in_240_bytes() {
    for (what, counters) in [("up to 1", 2), ("up to 511", 512)] {
        let packet = packet(&[ping(), GossipMessage::Gossip { updates: usual(8, counters) }]);
        println!("ping and 8 updates, counters {what}: {} bytes", packet.len());
        assert!(packet.len() <= 240, "{} bytes", packet.len());
    }
}

#[test]
fn ping_with_eight_updates_of_different_ports_fits_in_256_bytes() {
    let mut updates = usual(8, 512);
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
fn a_usual_event_fits_in_80_bytes_and_takes_nearly_its_bound() {
    let event =
        UserEvent { origin: "node-000042".into(), name: "deploy".to_owned(), payload: vec![7; 20] };
    let stamp = |ltime| Stamp { ltime, id: u64::MAX / ltime };
    let said = Said::Whole(UserNotice::Event(event.into()));
    let notice = Notice { stamp: stamp(50_000), after: [stamp(49_990)].into(), said };
    let alone = codec().encoded_len(&GossipMessage::Notices { notices: vec![notice.clone()] });
    let many = codec().encoded_len(&GossipMessage::Notices { notices: vec![notice.clone(); 16] });
    println!("an event of 20 bytes: {alone} bytes alone, {} among 16", many / 16);
    assert!(alone <= 80 && many <= 16 * 76);
    assert!(wire_size::notice(&notice) * 100 <= many / 16 * 105);
}

/// Bytes of so many suspicions with evidence, the last of them raised by so many accusers.
fn suspicion_len(updates: u8, accusers: u8) -> usize {
    let alive = alive("node-000001", "[::]:0", 1_700_000_000 << 32);
    let suspect = MemberUpdate { address: None, metadata: None, ..alive };
    let update = updates - 1;
    let accusation =
        |i| Accusation { update, accuser: MemberId(format!("node-{i:06}")), health: 0 };
    gossip_len(vec![suspect; updates.into()], (0..accusers).map(accusation).collect())
}

#[test]
fn an_accuser_takes_its_name_and_at_most_four_bytes() {
    for accusers in [1, 4] {
        println!("suspicion by {accusers}: {} bytes with evidence", suspicion_len(1, accusers));
    }
    for accusers in 1..4 {
        let more =
            |updates| suspicion_len(updates, accusers + 1) - suspicion_len(updates, accusers);
        assert_eq!(more(1), text(11) + 2);
        assert_eq!(more(2), text(11) + 4);
    }
}

#[test]
fn the_longest_envelope_stays_below_its_bound() {
    let mut packet = bytes::BytesMut::new();
    ProtobufCodec::new("c".repeat(64)).unwrap().start(&mut packet);
    assert!(packet.len() <= ENVELOPE, "{} bytes", packet.len());
}

// The sums of the core's budget, over names in place of indices.

fn update_bound(update: &MemberUpdate) -> usize {
    let address = update.address.as_ref().map_or(0, wire_size::address);
    // The core tells both or neither; one of them alone takes some bytes more.
    let alone = 5 * usize::from(update.address.is_some() != update.metadata.is_some());
    let metadata = alone + update.metadata.as_ref().map_or(0, wire_size::metadata);
    wire_size::record(update.incarnation) + text(update.id.0.len()) + address + metadata
}

fn accusation_bound(accusation: &Accusation) -> usize {
    wire_size::accusation(text(accusation.accuser.0.len()), accusation.health)
}

fn gossip_bound(updates: &[MemberUpdate], accusations: &[Accusation]) -> usize {
    wire_size::GOSSIP
        + updates.iter().map(update_bound).sum::<usize>()
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
    fn removals_stay_below_their_bound(
        (id, by) in (name(), name()),
        incarnation: u64,
        key in prop::sample::select(vec![Member::REMOVED, Member::PRUNED]),
        count in 1..40usize,
    ) {
        let update = MemberUpdate {
            state: MemberState::Left,
            address: None,
            metadata: Some([(key.to_owned(), by.0.clone())].into()),
            ..alive(&id.0, "[::]:0", incarnation)
        };
        let removal = wire_size::removal(text(by.0.len()));
        let one = wire_size::record(incarnation) + text(id.0.len()) + removal;
        let bound = wire_size::GOSSIP + count * one;
        prop_assert!(gossip_len(vec![update; count], vec![]) <= bound);
    }

    #[test]
    fn notices_stay_below_their_bound(notices in vec(notice(), 0..20)) {
        let bound = wire_size::NOTICES + notices.iter().map(wire_size::notice).sum::<usize>();
        let message = GossipMessage::Notices { notices };
        prop_assert!(codec().encoded_len(&message) <= bound);
    }

    #[test]
    fn probes_stay_below_their_bound(seq: u64, from in name()) {
        let bound = wire_size::PROBE + text(from.0.len());
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
    fn a_coordinate_takes_sixteen_bytes(seq: u64, from in name(), coordinate in coordinate()) {
        let len = |message| codec().encoded_len(&message);
        let located = GossipMessage::LocatedAck { seq, from: from.clone(), coordinate };
        let located = len(located);
        prop_assert!(located <= wire_size::PROBE + wire_size::COORDINATE + text(from.0.len()));
        // Headers grow by a byte each where what they say the length of passes 127 bytes.
        let more = located - len(GossipMessage::Ack { seq, from });
        prop_assert!((16..=18).contains(&more) && wire_size::COORDINATE == 16);
    }

    #[test]
    fn metadata_within_the_cores_limit_is_within_the_codecs(mut metadata in metadata()) {
        // Filled up to the limit exactly, as the core counts.
        let rest = Limits::MAX_METADATA_BYTES - metadata_len(&metadata);
        metadata.insert("filler".to_owned(), "x".repeat(rest.saturating_sub(18)));
        prop_assume!(metadata_len(&metadata) <= Limits::MAX_METADATA_BYTES);
        let update = MemberUpdate { metadata: Some(metadata), ..usual(1, 1).remove(0) };
        let sent = packet(&[GossipMessage::Gossip { updates: vec![update] }]);
        prop_assert!(common::decode(&sent).is_ok());
    }
}

#[test]
fn bounds_hold_at_every_length_of_header() {
    // Lengths around which headers grow by a byte, with the largest numbers beside them.
    for len in [0, 1, 108, 109, 127, 128, 16_383, 16_384, 60_000] {
        let name = "n".repeat(len.clamp(1, 255));
        let mut update = alive(&name, "[::1]:7946", u64::MAX);
        update.metadata = Some([("k".to_owned(), "v".repeat(len))].into());
        for count in [1, 2, 9, 127, 128, 255].into_iter().filter(|count| count * len < 1 << 20) {
            // Alternating between the ends of the range makes every difference of epochs long.
            let mut updates = vec![update.clone(); count];
            updates.iter_mut().step_by(2).for_each(|update| update.incarnation = u32::MAX.into());
            let accusation =
                |update| Accusation { update, accuser: name.as_str().into(), health: 255 };
            let accusations: Vec<_> = (0..=254).take(count).map(accusation).collect();
            let bound = gossip_bound(&updates, &accusations);
            let actual = gossip_len(updates, accusations);
            assert!(actual <= bound, "{count} of {len}: {actual} > {bound}");
        }
    }
}

#[test]
fn usual_updates_take_nearly_their_bound() {
    for count in [8, 40] {
        for counters in [2, 512] {
            let updates = usual(count, counters);
            let bound = gossip_bound(&updates, &[]);
            let actual = gossip_len(updates, vec![]);
            println!("{count} updates, counters below {counters}: {actual} of {bound} bytes");
            assert!(bound * 100 <= actual * 116, "{actual} of {bound}");
        }
    }
}

/// Bytes of each datagram of one gossip round of a node that has heard of `members` at once.
fn gossip_round(members: u64, counters: u64) -> Vec<usize> {
    let envelope = packet(&[]).len();
    let options = Options { timers: Timers::Named, envelope, ..Options::default() };
    let (id, address) = ("node-999999".into(), "10.99.0.1:7946".parse().expect("an address"));
    let mut protocol = GossipProtocol::builder(id, address).options(options).build().unwrap();
    protocol.handle_message(address, GossipMessage::Gossip { updates: usual(members, counters) });
    // In the second round each has an age.
    protocol.handle_timer("gossip");
    let mut datagrams = HashMap::new();
    for action in protocol.handle_timer("gossip") {
        if let GossipAction::Send { to, message } = action {
            *datagrams.entry(to).or_insert(envelope) += codec().encoded_len(&message);
        }
    }
    datagrams.into_values().collect()
}

#[test]
fn gossip_rounds_fill_their_datagrams_and_no_more() {
    let budget = Options::default().datagram_budget;
    for counters in [2, 512] {
        // As many as wait without a second datagram for each target.
        let datagrams = gossip_round(63, counters);
        println!("a gossip round, counters below {counters}: {datagrams:?} of {budget} bytes");
        assert_eq!(datagrams.len(), 3);
        for len in datagrams {
            assert!(len <= budget && len * 100 >= budget * 85, "{len} of {budget}");
        }
    }
}
