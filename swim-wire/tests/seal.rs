//! Sealed packets: opened once, by members, as they were made; or not at all.
#![cfg(feature = "seal")]

use std::collections::BTreeSet;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use swim_core::GossipMessage;
use swim_wire::seal::{
    Algorithm, Carrier, Key, Keyring, Mode, OVERHEAD, OpenError, Opened, Seal, SealError,
};
use swim_wire::{Codec, ProtobufCodec};

const CARRIERS: [Carrier; 2] = [Carrier::Datagram, Carrier::Stream];
/// Begins as all plain packets do.
const TEXT: &[u8] = b"\x08\x01 and what else a codec wrote";

fn ring(algorithm: Algorithm) -> Keyring {
    Keyring::new(Key::generate(algorithm).unwrap())
}

fn member(ring: &Keyring) -> Seal {
    Seal::new("prod", ring.clone(), Mode::Require).unwrap()
}

/// Two members of a cluster.
fn pair(algorithm: Algorithm) -> (Seal, Seal) {
    let ring = ring(algorithm);
    (member(&ring), member(&ring))
}

fn seal(by: &Seal, carrier: Carrier, text: &[u8]) -> BytesMut {
    let mut packet = BytesMut::from(text);
    by.seal(carrier, &mut packet).unwrap();
    packet
}

fn sealed(by: &Seal) -> BytesMut {
    seal(by, Carrier::Datagram, TEXT)
}

/// Opens a copy.
fn open(to: &Seal, carrier: Carrier, packet: &[u8]) -> Result<Vec<u8>, OpenError> {
    to.open(carrier, &mut packet.to_vec()).map(|opened| opened.packet.to_vec())
}

fn opened(to: &Seal, packet: &[u8]) -> Result<Vec<u8>, OpenError> {
    open(to, Carrier::Datagram, packet)
}

proptest! {
    #[test]
    fn what_is_sealed_opens_as_it_was(
        algorithm in select(&Algorithm::ALL[..]),
        carrier in select(&CARRIERS[..]),
        cluster in "\\PC{1,16}",
        text in vec(any::<u8>(), 0..3_000),
    ) {
        let ring = ring(algorithm);
        let seals = || Seal::new(&cluster, ring.clone(), Mode::Require).unwrap();
        let (one, other) = (seals(), seals());
        let mut packet = seal(&one, carrier, &text);
        prop_assert_eq!(packet.len(), text.len() + OVERHEAD);
        // What is long enough to be told from chance does not show.
        prop_assert!(text.len() < 8 || !packet.windows(text.len()).any(|part| part == text));
        let key = Some(ring.primary().id());
        prop_assert_eq!(other.open(carrier, &mut packet), Ok(Opened { packet: &text, key }));
    }

    #[test]
    fn junk_is_refused_without_a_trace(packet in vec(any::<u8>(), 0..200)) {
        let (one, _) = pair(Algorithm::Aes256Gcm);
        for first in [packet.first().copied().unwrap_or(0), 0x0f] {
            let mut packet = packet.clone();
            packet.iter_mut().take(1).for_each(|byte| *byte = first);
            prop_assert!(CARRIERS.iter().all(|carrier| open(&one, *carrier, &packet).is_err()));
        }
        prop_assert!(CARRIERS.iter().all(|carrier| one.sessions_open(*carrier) == 0));
    }
}

#[test]
fn a_packet_with_any_bit_changed_is_refused_and_stays_as_it_is() {
    for algorithm in Algorithm::ALL {
        let (one, other) = pair(algorithm);
        let packet = sealed(&one);
        for bit in 0..packet.len() * 8 {
            let mut changed = packet.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let before = changed.clone();
            assert!(other.open(Carrier::Datagram, &mut changed).is_err(), "bit {bit}");
            assert_eq!(changed, before, "bit {bit}");
        }
        // None of them did harm.
        assert_eq!(opened(&other, &packet).unwrap(), TEXT);
    }
}

#[test]
fn a_packet_cut_anywhere_or_prolonged_is_refused() {
    let (one, other) = pair(Algorithm::default());
    let mut packet = sealed(&one);
    for len in 0..packet.len() {
        let expected = match len {
            0 => OpenError::Plain,
            1..OVERHEAD => OpenError::TooShort { len },
            _ => OpenError::Forged,
        };
        assert_eq!(opened(&other, &packet[..len]), Err(expected), "{len} bytes");
    }
    packet.extend_from_slice(&[0]);
    assert_eq!(opened(&other, &packet), Err(OpenError::Forged));
}

#[test]
fn other_clusters_carriers_and_keys_are_refused() {
    let ring = ring(Algorithm::default());
    let (one, other) = (member(&ring), member(&ring));
    let neighbour = Seal::new("pro", ring.clone(), Mode::Require).unwrap();
    assert_eq!(opened(&other, &sealed(&neighbour)), Err(OpenError::Forged));
    assert_eq!(open(&other, Carrier::Stream, &sealed(&one)), Err(OpenError::Forged));
    let stream = seal(&one, Carrier::Stream, TEXT);
    assert_eq!(opened(&other, &stream), Err(OpenError::Forged));

    let stranger = Key::generate(Algorithm::default()).unwrap();
    let id = stranger.id();
    let packet = sealed(&member(&Keyring::new(stranger.clone())));
    assert_eq!(opened(&other, &packet), Err(OpenError::UnknownKey { id }));
    // Under the id of a key that is known.
    let mut packet = sealed(&one);
    let mut both = ring.clone();
    both.install(stranger).unwrap();
    packet[1..5].copy_from_slice(&u32::from_str_radix(&id.to_string(), 16).unwrap().to_be_bytes());
    assert_eq!(opened(&member(&both), &packet), Err(OpenError::Forged));
}

#[test]
fn one_secret_for_two_algorithms_makes_two_keys() {
    let text = Key::generate(Algorithm::Aes256Gcm).unwrap().to_text();
    let other: Key = text.replace("aes-256-gcm", "chacha20-poly1305").parse().unwrap();
    assert_ne!(other.id(), text.parse::<Key>().unwrap().id());
}

#[test]
fn a_packet_opens_once() {
    let (one, other) = pair(Algorithm::default());
    for carrier in CARRIERS {
        let packets: Vec<_> = (0..10).map(|_| seal(&one, carrier, TEXT)).collect();
        packets.iter().for_each(|packet| drop(open(&other, carrier, packet).unwrap()));
        for (counter, packet) in (0..).zip(&packets) {
            assert_eq!(open(&other, carrier, packet), Err(OpenError::Replayed { counter }));
        }
    }
}

#[test]
fn packets_may_overtake_each_other_by_a_thousand() {
    let (one, other) = pair(Algorithm::default());
    let packets: Vec<_> = (0..1_100).map(|_| sealed(&one)).collect();
    opened(&other, packets.last().unwrap()).unwrap();
    for (counter, packet) in (0..1_100).zip(&packets).rev().skip(1) {
        let expected = match counter {
            ..76 => Err(OpenError::TooOld { counter, next: 1_100 }),
            _ => Ok(TEXT.to_vec()),
        };
        assert_eq!(opened(&other, packet), expected);
    }
}

#[test]
fn own_packets_are_refused() {
    let (one, _) = pair(Algorithm::default());
    for carrier in CARRIERS {
        let packet = seal(&one, carrier, TEXT);
        for other in CARRIERS {
            assert_eq!(open(&one, other, &packet), Err(OpenError::Reflected));
        }
    }
}

#[test]
fn strangers_cannot_fill_the_table() {
    let (one, other) = pair(Algorithm::default());
    let mut packet = sealed(&one);
    for session in 0..5_000_u32 {
        packet[5..9].copy_from_slice(&session.to_be_bytes());
        assert_eq!(opened(&other, &packet), Err(OpenError::Forged));
    }
    assert_eq!(other.sessions_open(Carrier::Datagram), 0);
    opened(&other, &sealed(&one)).unwrap();
    assert_eq!(other.sessions_open(Carrier::Datagram), 1);
}

#[test]
fn a_restarted_sender_begins_a_session_of_its_own() {
    let ring = ring(Algorithm::default());
    let other = member(&ring);
    let before = sealed(&member(&ring));
    let after = sealed(&member(&ring));
    assert_ne!(before[5..15], after[5..15], "both lives have the same name");
    for packet in [&before, &after] {
        assert_eq!(opened(&other, packet).unwrap(), TEXT);
        assert_eq!(opened(&other, packet), Err(OpenError::Replayed { counter: 0 }));
    }
}

/// `docs/security.md` says why the protocol bears it.
#[test]
fn a_restarted_receiver_takes_what_it_took_before_once_more() {
    let ring = ring(Algorithm::default());
    let packet = sealed(&member(&ring));
    opened(&member(&ring), &packet).unwrap();
    let restarted = member(&ring);
    opened(&restarted, &packet).unwrap();
    assert_eq!(opened(&restarted, &packet), Err(OpenError::Replayed { counter: 0 }));
}

#[test]
fn members_one_step_apart_understand_each_other() {
    let ring = ring(Algorithm::default());
    let at = |mode| Seal::new("prod", ring.clone(), mode).unwrap();
    let talks = |from: Mode, to: Mode| opened(&at(to), &sealed(&at(from))) == Ok(TEXT.to_vec());
    let steps = [Mode::Accept, Mode::Send, Mode::Require];
    for pair in steps.windows(2) {
        assert!(talks(pair[0], pair[1]) && talks(pair[1], pair[0]), "{pair:?}");
    }
    assert!(steps.iter().all(|mode| talks(*mode, *mode)));
    assert!(!talks(Mode::Accept, Mode::Require));
    assert_eq!(opened(&at(Mode::Require), TEXT), Err(OpenError::Plain));
    assert_eq!([at(Mode::Accept).overhead(), at(Mode::Send).overhead()], [0, OVERHEAD]);
    let changed = at(Mode::Accept);
    changed.set_mode(Mode::Require);
    assert_eq!((changed.mode(), changed.overhead()), (Mode::Require, OVERHEAD));
}

#[test]
fn plain_packets_are_told_from_sealed_ones() {
    let codec = ProtobufCodec::new("prod").unwrap();
    let mut packet = BytesMut::new();
    codec.start(&mut packet);
    codec.append(&GossipMessage::Ping { seq: 7, from: "node-1".into() }, &mut packet);
    let ring = ring(Algorithm::default());
    let both = Seal::new("prod", ring.clone(), Mode::Send).unwrap();
    assert_eq!(both.open(Carrier::Datagram, &mut packet.clone()).unwrap().key, None);
    assert_eq!(opened(&member(&ring), &packet), Err(OpenError::Plain));
    // A node without keys refuses what it cannot open.
    let sealed = seal(&both, Carrier::Datagram, &packet);
    assert!(codec.decode(&sealed, &mut Vec::new()).is_err());
    // Of a version to come, also where both kinds are taken.
    let mut other = sealed.clone();
    other[0] = 0x17;
    assert_eq!(opened(&both, &other), Err(OpenError::Version { found: 2 }));
}

/// As `Keyring` says: install, use, remove, all members one step before any the next.
#[test]
fn a_key_is_replaced_without_a_packet_lost() {
    let old = ring(Algorithm::Aes256Gcm);
    let new = Key::generate(Algorithm::ChaCha20Poly1305).unwrap();
    let (first, second) = (old.primary().id(), new.id());
    let members: Vec<_> = (0..3).map(|_| member(&old)).collect();
    let talk = || {
        for (from, to) in (0..3).flat_map(|from| (0..3).map(move |to| (from, to))) {
            let packet = sealed(&members[from]);
            assert!(from == to || opened(&members[to], &packet).is_ok(), "{from} to {to}");
        }
    };
    let steps: [&dyn Fn(&mut Keyring); 3] = [
        &|ring| assert_eq!(ring.install(new.clone()), Ok(true)),
        &|ring| assert_eq!(ring.use_key(second), Ok(true)),
        &|ring| assert_eq!(ring.remove(first), Ok(true)),
    ];
    for step in steps {
        for member in &members {
            let mut ring = member.keyring();
            step(&mut ring);
            member.set_keyring(ring).unwrap();
            talk();
        }
    }
    // Who was away comes back with the new keyring, and not with the old one.
    let late = sealed(&member(&old));
    assert_eq!(opened(&members[0], &late), Err(OpenError::UnknownKey { id: first }));
    opened(&members[0], &sealed(&member(&members[1].keyring()))).unwrap();
}

#[test]
fn threads_share_it() {
    let (one, other) = pair(Algorithm::default());
    let packets: Vec<_> = std::thread::scope(|scope| {
        let seal = || (0..500).map(|_| sealed(&one)).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(seal)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let counters: BTreeSet<_> = packets.iter().map(|packet| packet[17..21].to_vec()).collect();
    assert_eq!(counters.len(), 2_000);
    // Each of two threads opens all of the last thousand: once altogether.
    let mut last: Vec<_> = packets;
    last.sort_by_key(|packet| packet[17..21].to_vec());
    let taken: usize = std::thread::scope(|scope| {
        let open = || last[1_000..].iter().filter(|packet| opened(&other, packet).is_ok()).count();
        let threads = [scope.spawn(open), scope.spawn(open)];
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 1_000);
}

#[test]
fn cluster_names_are_as_the_codec_has_them() {
    for len in [0, 65] {
        let seal = Seal::new(&"x".repeat(len), ring(Algorithm::default()), Mode::Send);
        assert_eq!(seal.err(), Some(SealError::ClusterName { len, max: 64 }));
    }
    assert!(Seal::new(&"x".repeat(64), ring(Algorithm::default()), Mode::Send).is_ok());
}

#[test]
fn steps_go_by_the_names_that_configurations_and_other_agents_use() {
    assert_eq!(Mode::ALL.map(Mode::name), ["accept", "send", "require"]);
}
