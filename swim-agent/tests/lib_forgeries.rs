//! Whatever datagrams are forged: no more than three times their bytes go to who has not answered; on
//! virtual time.

mod lib_support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use lib_support::{Raw, addr, cluster};
use proptest::prelude::*;
use swim_core::{
    Accusation, Digest, GossipMessage, Member, MemberState, MemberUpdate, Notice, Recent, Said,
    Stamp, UserEvent, UserNotice,
};
use swim_transport::{Network, Transport};
use swim_wire::{Codec as _, ProtobufCodec};

/// As long as anything that began with a datagram may go on.
const LONG: Duration = Duration::from_secs(120);
/// The member whose address the forger writes on packets, and the stranger that it is.
const FORGED: u8 = 98;
const STRANGER: u8 = 99;
/// Where nobody of the cluster lives.
const VICTIMS: [u8; 3] = [66, 67, 68];

fn name() -> impl Strategy<Value = String> {
    let known = (1..=3u8).prop_map(|number| format!("n{number}"));
    prop_oneof![
        known,
        Just("forged".to_owned()),
        (0..6u8).prop_map(|x| format!("x{x}")),
        (20..255usize).prop_map(|len| "y".repeat(len))
    ]
}

fn place() -> impl Strategy<Value = SocketAddr> {
    let victims = proptest::sample::select(&VICTIMS[..]).prop_map(addr);
    let members = (1..=3u8).prop_map(addr);
    let ports = (1..=60u16).prop_map(|port| SocketAddr::new(addr(66).ip(), port));
    let odd = proptest::sample::select(vec!["224.0.0.1:9", "255.255.255.255:9", "0.0.0.0:9"])
        .prop_map(|at| at.parse().unwrap());
    prop_oneof![4 => victims, 1 => members, 4 => ports, 1 => odd, 1 => Just(addr(STRANGER))]
}

fn state() -> impl Strategy<Value = MemberState> {
    use MemberState::{Alive, Dead, Left, Suspect};
    prop_oneof![4 => Just(Alive), 2 => Just(Suspect), 1 => Just(Dead), 1 => Just(Left)]
}

fn update() -> impl Strategy<Value = MemberUpdate> {
    let incarnation =
        prop_oneof![Just(1u64 << 32), (1u64..9).prop_map(|it| it << 32), any::<u64>()];
    let metadata = proptest::option::of(prop_oneof![Just(0usize), 1..200usize]);
    (name(), state(), incarnation, proptest::option::weighted(0.9, place()), metadata).prop_map(
        |(id, state, incarnation, address, metadata)| MemberUpdate {
            id: id.as_str().into(),
            state,
            incarnation,
            address,
            metadata: metadata.map(|len| HashMap::from([("k".to_owned(), "v".repeat(len))])),
        },
    )
}

fn record() -> impl Strategy<Value = Member> {
    (update(), place()).prop_map(|(update, place)| Member {
        state: update.state,
        incarnation: update.incarnation,
        metadata: update.metadata.unwrap_or_default(),
        ..lib_support::member(update.id.as_str(), place)
    })
}

fn event(ltime: u64, id: u64, origin: &str, len: usize) -> Notice<UserNotice> {
    let event = UserEvent { origin: origin.into(), name: "e".into(), payload: vec![7; len] };
    let said = Said::Whole(UserNotice::Event(event.into()));
    Notice { stamp: Stamp { ltime, id }, after: [].into(), said }
}

fn message() -> impl Strategy<Value = GossipMessage> {
    let seq = prop_oneof![1u64..2_000_000, any::<u64>()];
    let few = || prop_oneof![1..4usize, 1..40usize];
    let updates = few().prop_flat_map(|count| prop::collection::vec(update(), count));
    let records = few().prop_flat_map(|count| prop::collection::vec(record(), count));
    let digest = prop_oneof![
        any::<u64>().prop_map(|hash| Digest::View { hash }),
        (0..6u32).prop_map(|of| Digest::Buckets { hashes: vec![5; 1 << of] }),
        prop::collection::vec(any::<u32>(), 0..30).prop_map(|mut versions| {
            versions.sort_unstable();
            Digest::Versions { of: 1, buckets: vec![0], versions }
        }),
    ];
    let names = (seq, name(), name());
    let probe = (0..5u8, names).prop_map(|(kind, (seq, from, target))| {
        let (from, target) = (from.as_str().into(), target.as_str().into());
        match kind {
            0 => GossipMessage::Ping { seq, from },
            1 => GossipMessage::Ack { seq, from },
            2 => GossipMessage::Nack { seq, from },
            3 => GossipMessage::SyncRequest { from },
            _ => GossipMessage::PingReq { seq, from, target },
        }
    });
    let told = (name(), name(), 1..400usize, 0..6u8, any::<bool>()).prop_map(
        |(from, to, len, kind, flag)| match kind {
            0 => GossipMessage::Notices { notices: vec![event(3, len as u64, &from, len)] },
            1 => GossipMessage::Fetch { stamps: vec![Stamp { ltime: 1, id: 1 }] },
            2 => GossipMessage::Recent {
                recent: Recent { clock: len as u64, above: 0, upto: 99, hash: 4 },
            },
            3 => GossipMessage::Held {
                from: from.as_str().into(),
                above: 0,
                upto: 99,
                stamps: Vec::new(),
            },
            _ => GossipMessage::QueryAnswer {
                query: 5,
                from: from.as_str().into(),
                to: to.as_str().into(),
                relay: flag,
                payload: Some(vec![1; len]),
                declined: None,
            },
        },
    );
    let evidence = (prop::collection::vec(any::<u8>(), 0..5), name(), 0..3u8).prop_map(
        |(ages, accuser, update)| GossipMessage::Evidence {
            ages,
            accusations: vec![Accusation { update, accuser: accuser.as_str().into(), health: 0 }],
        },
    );
    let wanted = prop::collection::vec(any::<u32>(), 0..9);
    prop_oneof![
        5 => updates.clone().prop_map(|updates| GossipMessage::Gossip { updates }),
        2 => records.prop_map(|members| GossipMessage::Sync { members }),
        2 => (updates, wanted).prop_map(|(updates, wanted)| GossipMessage::Delta { updates, wanted }),
        2 => digest.prop_map(|digest| GossipMessage::Digest { digest }),
        4 => probe,
        2 => told,
        1 => evidence,
    ]
}

/// A datagram: whose address stands on it, which agent gets it, what it says, and which bit of it
/// is another, if any.
type Forgery = (u8, u8, Vec<GossipMessage>, Option<u16>);

fn forgery() -> impl Strategy<Value = Forgery> {
    let source = prop_oneof![Just(STRANGER), Just(FORGED), Just(66), Just(67)];
    let messages = prop::collection::vec(message(), 1..4);
    (source, 1..=3u8, messages, proptest::option::weighted(0.2, any::<u16>()))
}

/// Streams that three agents open at most to where nobody has answered, eight each: all are tried within
/// three seconds, and nobody there closes one before it is given up.
const STREAMS: u64 = 3 * 8;

/// Sends all of that and returns how many bytes that was, how many the agents sent to where nobody
/// has answered, and how many streams they opened to there.
async fn forge(forgeries: &[Forgery]) -> (u64, u64, u64) {
    let network = Network::new();
    let _agents = cluster(&network, 3).await;
    let forged = Raw::new(&network, FORGED);
    for number in 1..=3 {
        forged.introduce("forged", number).await;
    }
    let others: Vec<_> =
        [STRANGER].iter().chain(&VICTIMS).map(|&at| Raw::new(&network, at)).collect();
    let ports = (1..=60u16).map(|port| SocketAddr::new(addr(66).ip(), port));
    let ports: Vec<_> = ports.map(|at| network.bind(at).unwrap()).collect();
    let codec = ProtobufCodec::new("swim").unwrap();
    let mut sent = 0;
    for (source, to, messages, flip) in forgeries {
        let mut packet = BytesMut::new();
        codec.start(&mut packet);
        messages.iter().for_each(|message| codec.append(message, &mut packet));
        if let Some(flip) = flip {
            let at = usize::from(*flip) % packet.len();
            packet[at] ^= 1 << (flip % 8);
        }
        let from =
            others.iter().chain([&forged]).find(|raw| raw.transport.local_addr() == addr(*source));
        from.unwrap().transport.send_to(addr(*to), &packet).unwrap();
        sent += packet.len() as u64;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    tokio::time::sleep(LONG).await;
    let places = others.iter().map(|raw| raw.transport.local_addr());
    let places = places.chain(ports.iter().map(Transport::local_addr));
    let (mut bytes, mut streams) = (0, 0);
    for place in places {
        for link in (1..=3).map(|number| network.traffic(addr(number), place)) {
            // What goes by stream goes to where a handshake came back from.
            (bytes, streams) = (bytes + link.bytes, streams + link.streams);
        }
    }
    (sent, bytes, streams)
}

#[cfg(feature = "seal")]
#[tokio::test(start_paused = true)]
async fn who_has_no_key_makes_an_agent_send_nothing_at_all() {
    use proptest::strategy::ValueTree as _;
    use swim_agent::keys::{Algorithm, Key, Keyring, Mode};
    let network = Network::new();
    let ring = Keyring::new(Key::generate(Algorithm::Aes256Gcm).unwrap());
    let agent = lib_support::builder(&network, 1).seal(ring, Mode::Require).spawn().await.unwrap();
    let mut others: Vec<_> = [STRANGER, FORGED].iter().chain(&VICTIMS).collect();
    others.sort_unstable();
    let others: Vec<_> = others.into_iter().map(|&at| Raw::new(&network, at)).collect();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let some = prop::collection::vec(message(), 1..5);
    for round in 0..500 {
        let messages = some.new_tree(&mut runner).unwrap().current();
        let raw = &others[round % others.len()];
        raw.send(1, &messages);
        let (bytes, answers) = raw.ask(1, &messages).await;
        assert_eq!(bytes, 0, "{answers:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(LONG).await;
    let held = agent.info().await.unwrap().counters;
    let sent = (held.datagrams_sent, held.streams_opened, held.stream_bytes_sent);
    assert_eq!(sent, (0, 0, 0), "{held:?}");
    assert_eq!(held.refused_plain, 1_000);
    for raw in &others {
        let link = network.traffic(addr(1), raw.transport.local_addr());
        assert_eq!((link.datagrams, link.streams, link.stream_bytes, link.lost()), (0, 0, 0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// All datagrams that go to all addresses that never answered, together, have at most three times
    /// the bytes that were sent.
    #[test]
    fn no_datagram_is_amplified(forgeries in prop::collection::vec(forgery(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (sent, bytes, streams) = runtime.block_on(forge(&forgeries));
        prop_assert!(bytes <= 3 * sent, "{} bytes and {} streams for {}", bytes, streams, sent);
        // None for a stranger; a few where the word of a member, or what passes for one, is worth them.
        let member = forgeries.iter().any(|(source, ..)| *source == FORGED);
        let most = if member { STREAMS } else { 0 };
        prop_assert!(streams <= most, "{} streams", streams);
    }
}
