//! No datagram makes agents send more than three times its bytes to who has not answered there; on
//! virtual time.

mod lib_support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use lib_support::{Raw, addr, builder, cluster, news, options, spawn, until};
use proptest::prelude::*;
use swim_agent::{Agent, Handle};
use swim_core::{
    Accusation, Digest, GossipMessage, Member, MemberState, MemberUpdate, Notice, Options, Recent,
    Said, Stamp, UserEvent, UserNotice,
};
use swim_transport::{Network, Transport};
use swim_wire::{Codec, ProtobufCodec};
use tokio::io::AsyncWriteExt as _;

/// As long as anything that began with a datagram may go on.
const LONG: Duration = Duration::from_secs(120);
/// The member whose address the forger writes on packets, and the stranger that it is.
const FORGED: u8 = 98;
const STRANGER: u8 = 99;
/// Where nobody of the cluster lives.
const VICTIMS: [u8; 3] = [66, 67, 68];

/// All bytes that the agents sent to an address, and the streams that they opened to it.
fn sent_to(network: &Network, agents: u8, to: SocketAddr) -> (u64, u64) {
    let all = (1..=agents).map(|number| network.traffic(addr(number), to));
    all.fold((0, 0), |(bytes, streams), link| {
        (bytes + link.bytes + link.stream_bytes, streams + link.streams)
    })
}

async fn counters(agent: &Handle) -> swim_agent::Counters {
    agent.info().await.unwrap().counters
}

#[tokio::test(start_paused = true)]
async fn a_forged_claim_makes_a_whole_cluster_send_next_to_nothing() {
    let network = Network::new();
    let agents = cluster(&network, 8).await;
    let victim = network.bind(addr(66)).unwrap();
    let raw = Raw::new(&network, STRANGER);
    let sent = raw.send(1, &[news("x", addr(66), MemberState::Alive)]);
    tokio::time::sleep(LONG).await;
    let (bytes, streams) = sent_to(&network, 8, addr(66));
    assert!(bytes > 0 && bytes <= 3 * sent as u64, "{bytes} bytes for {sent}");
    assert_eq!(streams, 0);
    assert!(agents.iter().all(|agent| agent.members().get("x").is_none()));
    assert_eq!(counters(&agents[0]).await.claims_refused_unproven, 1);
    assert_eq!(counters(&agents[1]).await.addresses_asked, 6, "those that came after it");
    drop(victim);
}

#[tokio::test(start_paused = true)]
async fn whoever_answers_by_that_name_is_a_member_and_nobody_else_is() {
    let network = Network::new();
    let agents = cluster(&network, 3).await;
    let raw = Raw::new(&network, STRANGER);
    for (name, answers) in [("liar", "raw"), ("raw", "raw")] {
        raw.send(1, &[news(name, addr(STRANGER), MemberState::Alive)]);
        let [GossipMessage::Ping { seq, .. }] = raw.recv().await[..] else { panic!("no question") };
        // Not even the right name counts under another number.
        raw.send(1, &[GossipMessage::Ack { seq: seq ^ 1, from: name.into() }]);
        assert!(agents[0].members().get(name).is_none());
        raw.send(1, &[GossipMessage::Ack { seq, from: answers.into() }]);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(agents[0].members().get(name).is_some(), name == answers, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_moves_when_it_has_moved_and_not_when_others_say_so() {
    let network = Network::new();
    let agents = cluster(&network, 5).await;
    let victim = network.bind(addr(66)).unwrap();
    let raw = Raw::new(&network, STRANGER);
    let moved = |address, incarnation| {
        let (id, state, metadata) = ("n5".into(), MemberState::Alive, Some(HashMap::new()));
        let address = Some(address);
        let update = MemberUpdate { id, state, incarnation, address, metadata };
        GossipMessage::Gossip { updates: vec![update] }
    };
    // Newer than it is, as new, and where another member lives, who answers by its own name.
    for (address, incarnation) in [(addr(66), 9 << 32), (addr(66), 1 << 32), (addr(2), 8 << 32)] {
        raw.send(1, &[moved(address, incarnation)]);
        let suspect = MemberUpdate {
            id: "n5".into(),
            state: MemberState::Suspect,
            incarnation,
            address: Some(address),
            metadata: None,
        };
        raw.send(2, &[GossipMessage::Delta { updates: vec![suspect], wanted: Vec::new() }]);
    }
    // Not for a moment, and not in the end.
    for wait in (0..300).map(|_| Duration::from_millis(10)).chain([LONG]) {
        tokio::time::sleep(wait).await;
        for agent in &agents {
            let held = agent.members().get("n5").unwrap().clone();
            let expected = (addr(5), MemberState::Alive);
            assert_eq!((held.address, held.state), expected, "{}", agent.name());
        }
    }
    drop(victim);

    agents[4].shutdown().await;
    let again = lib_support::over(network.bind(addr(66)).unwrap(), 5);
    let again = again.options(Options { boot_epoch: 20, ..options(55) }).spawn().await.unwrap();
    let started = tokio::time::Instant::now();
    for agent in agents[..4].iter().chain([&again]) {
        until(agent, "the new address", |members| {
            let held = members.get("n5").unwrap();
            held.address == addr(66) && held.state == MemberState::Alive
        })
        .await;
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_from_elsewhere_is_heard_and_nothing_of_where_that_is() {
    let network = Network::new();
    let agents = cluster(&network, 3).await;
    let victim = network.bind(addr(66)).unwrap();
    let raw = Raw::new(&network, STRANGER);
    let gone =
        |state, incarnation| Member { state, incarnation, ..lib_support::member("n3", addr(66)) };
    // It lives and says so, whoever made it up and in whatever message.
    for (state, incarnation) in [(MemberState::Left, 5 << 32), (MemberState::Dead, 7 << 32)] {
        let update = MemberUpdate {
            id: "n3".into(),
            state,
            incarnation,
            address: Some(addr(66)),
            metadata: None,
        };
        for message in [
            GossipMessage::Gossip { updates: vec![update] },
            GossipMessage::Sync { members: vec![gone(state, (1 << 32) + incarnation)] },
        ] {
            let before = agents[0].members().get("n3").unwrap().incarnation;
            raw.send(1, &[message]);
            until(&agents[0], "a refutation", |members| {
                let held = members.get("n3").unwrap();
                assert_eq!(held.address, addr(3));
                held.state == MemberState::Alive && held.incarnation > before
            })
            .await;
        }
    }
    // One that really left somewhere else, and is cut off from here.
    network.cut(addr(1), addr(3));
    network.cut(addr(2), addr(3));
    raw.send(1, &[GossipMessage::Sync { members: vec![gone(MemberState::Left, 99 << 32)] }]);
    for agent in &agents[..2] {
        lib_support::state(agent, "n3", MemberState::Left).await;
        assert_eq!(agent.members().get("n3").unwrap().address, addr(3));
    }
    tokio::time::sleep(LONG).await;
    assert_eq!(sent_to(&network, 3, addr(66)), (0, 0));
    drop(victim);
}

#[tokio::test(start_paused = true)]
async fn who_can_be_reached_by_stream_only_becomes_a_member_everywhere() {
    let network = Network::new();
    let agents = cluster(&network, 4).await;
    let transport = swim_transport::Faulty::new(network.bind(addr(5)).unwrap(), 1);
    // Nothing that it sends by datagram arrives.
    transport.faults().set_loss(1.0);
    let fifth = lib_support::over(transport, 5).spawn().await.unwrap();
    for agent in agents.iter().chain([&fifth]) {
        until(agent, "the fifth", |members| members.len() == 5).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_out_of_reach_from_here_is_taken_from_whom_it_has_answered() {
    let network = Network::new();
    let agents = cluster(&network, 3).await;
    network.cut(addr(2), addr(4));
    let fourth = spawn(&network, 4).await;
    until(&fourth, "all", |members| members.len() == 4).await;
    until(&agents[1], "the fourth", |members| members.get("n4").is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn relays_are_for_members_only() {
    let network = Network::new();
    let agents = cluster(&network, 3).await;
    let raw = Raw::new(&network, STRANGER);
    let ask =
        |from: &str| GossipMessage::PingReq { seq: 7, from: from.into(), target: "n2".into() };
    let before = network.traffic(addr(1), addr(2)).datagrams;
    for name in ["x", "n3", "n1"] {
        raw.send(1, &[ask(name)]);
        raw.ask(1, &[ask(name)]).await;
    }
    let (bytes, answers) = raw.recv_for(Duration::from_millis(50)).await;
    assert_eq!(bytes, 0, "{answers:?}");
    assert!(network.traffic(addr(1), addr(2)).datagrams <= before + 3, "the usual pings");
    assert_eq!(counters(&agents[0]).await.relays_refused, 6);
    raw.introduce("raw", 1).await;
    raw.send(1, &[ask("raw")]);
    relayed(&raw).await;
    // A NAT gave it another port.
    let mut other = addr(STRANGER);
    other.set_port(9_000);
    let other = Raw::at(&network, other);
    other.send(1, &[ask("raw"), news("padding", addr(STRANGER), MemberState::Left)]);
    relayed(&other).await;
}

/// Waits for the answer of a relay.
async fn relayed(raw: &Raw) {
    let answer = async {
        loop {
            if let [GossipMessage::Ack { seq: 7, from }, ..] = &raw.recv().await[..] {
                return from.clone();
            }
        }
    };
    let from = tokio::time::timeout(LONG, answer).await.expect("an answer");
    assert_eq!(from.as_str(), "n2");
}

#[tokio::test(start_paused = true)]
async fn islands_merge_by_the_stream_of_one_member() {
    let network = Network::new();
    let agents = cluster(&network, 3).await;
    let mut others = vec![builder(&network, 11).join(None::<&str>).spawn().await.unwrap()];
    for number in 12..=14 {
        let other = builder(&network, number).join(["10.0.0.11:7946"]).spawn().await.unwrap();
        others.push(other);
    }
    until(&others[0], "the island", |members| members.len() == 4).await;
    others[3].join(vec![lib_support::SEED.to_owned()]).await.unwrap();
    for agent in agents.iter().chain(&others) {
        until(agent, "all", |members| members.len() == 7).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_a_long_name_is_validated_by_datagram() {
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let name = "y".repeat(255);
    // It knows nobody, so that whoever asks is a stranger.
    let alone = Agent::builder().name(&name).transport(network.bind(addr(2)).unwrap());
    let _alone = alone.options(options(2)).spawn().await.unwrap();
    let raw = Raw::new(&network, STRANGER);
    let sent = raw.send(1, &[news(&name, addr(2), MemberState::Alive)]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(agent.members().get(&name).is_some());
    let link = network.traffic(addr(1), addr(2));
    assert!(link.streams == 0 && link.bytes <= 3 * sent as u64, "{link:?} for {sent} bytes");
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_is_heard_although_a_stranger_of_its_host_sends_too_much() {
    let network = Network::new();
    let agents = cluster(&network, 2).await;
    let raw = Raw::new(&network, STRANGER);
    let mad = Raw::at(&network, SocketAddr::new(addr(STRANGER).ip(), 9_999));
    let flood = async |count| {
        for _ in 0..count {
            for _ in 0..100 {
                mad.send(1, &[GossipMessage::Ping { seq: 1, from: "mad".into() }]);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let member = Raw::new(&network, FORGED);
    member.introduce("forged", 1).await;
    flood(30).await;
    member.send(1, &[news("raw", addr(STRANGER), MemberState::Alive)]);
    let asked = raw.recv().await;
    let [GossipMessage::Ping { seq, .. }] = asked[..] else { panic!("{asked:?}") };
    flood(2).await;
    for _ in 0..9 {
        mad.send(1, &[GossipMessage::Ping { seq: 1, from: "mad".into() }]);
    }
    raw.send(1, &[GossipMessage::Ack { seq, from: "raw".into() }]);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(counters(&agents[0]).await.stranger_datagrams_dropped > 1_000);
    assert!(agents[0].members().get("raw").is_some());
}

/// A member of the first agent's, which answers its pings.
async fn member(network: &Network) -> Arc<Raw> {
    let member = Arc::new(Raw::new(network, FORGED));
    member.introduce("forged", 1).await;
    let answering = Arc::clone(&member);
    tokio::spawn(async move {
        loop {
            if let GossipMessage::Ping { seq, .. } = answering.recv().await[0] {
                answering.send(1, &[GossipMessage::Ack { seq, from: "forged".into() }]);
            }
        }
    });
    member
}

#[tokio::test(start_paused = true)]
async fn on_a_stream_to_where_nobody_is_known_only_the_proof_is_heard() {
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let member = member(&network).await;
    let raw = Raw::new(&network, STRANGER);
    member.send(1, &[news("raw", addr(STRANGER), MemberState::Alive)]);
    let accepted = tokio::time::timeout(LONG, raw.transport.accept()).await;
    let (mut stream, _) = accepted.expect("a stream").unwrap();
    let question = raw.read(&mut stream).await;
    let [GossipMessage::Ping { seq, .. }] = question[..] else { panic!("{question:?}") };
    let all = GossipMessage::Sync { members: elsewhere(100) };
    let x = news("x", addr(66), MemberState::Alive);
    let packet = raw.packet(&[all, x, GossipMessage::Ack { seq, from: "raw".into() }]);
    stream.write_all(&swim_wire::encode_frame_header(packet.len()).unwrap()).await.unwrap();
    stream.write_all(&packet).await.unwrap();
    drop(stream);
    until(&agent, "who has proven it", |members| members.get("raw").is_some()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(agent.members().len(), 3);
    assert_eq!(counters(&agent).await.addresses_asked, 3, "that one, thrice");
}

#[tokio::test(start_paused = true)]
async fn streams_to_where_nobody_answers_are_few_at_a_time_and_hold_up_no_others() {
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let member = member(&network).await;
    // Streams open there, and nobody reads them.
    let silent: Vec<_> = (100..160).map(|number| network.bind(addr(number)).unwrap()).collect();
    let opened = || silent.iter().map(|at| network.traffic(addr(1), at.local_addr()).streams);
    for number in 100..160 {
        member.send(1, &[news(&format!("x{number}"), addr(number), MemberState::Alive)]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(opened().sum::<u64>(), 8);
    assert_eq!(agent.members().len(), 2);
    let second = spawn(&network, 2).await;
    until(&second, "the cluster", |members| members.get("n1").is_some()).await;
}

/// Members at addresses where nobody is, of as many hosts.
fn elsewhere(count: u16) -> Vec<Member> {
    let at = |number: u16| SocketAddr::from(([10, 9, (number >> 8) as u8, number as u8], 7946));
    (0..count).map(|number| lib_support::member(&format!("x{number}"), at(number))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_member_brings_its_island_by_stream_and_a_stranger_has_some_addresses_asked() {
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let raw = Raw::new(&network, STRANGER);
    let push = [GossipMessage::Sync { members: elsewhere(3_000) }];
    raw.ask(1, &push).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let held = counters(&agent).await;
    assert!((200..=256).contains(&held.addresses_asked), "{held:?}");
    assert_eq!(held.claims_dropped + held.claims_refused_unproven, 3_000);
    assert_eq!(agent.members().len(), 1);
    raw.introduce("raw", 1).await;
    raw.ask(1, &push).await;
    until(&agent, "the island", |members| members.len() == 3_002).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_claims_is_bounded_and_over_soon() {
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let raw = Raw::new(&network, STRANGER);
    for some in elsewhere(5_000).chunks(20) {
        raw.send(1, &[GossipMessage::Sync { members: some.to_vec() }]);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    let held = counters(&agent).await;
    assert_eq!(held.claims_dropped + held.claims_refused_unproven, 5_000);
    assert!(held.claims_dropped > 3_000, "{held:?}");
    // Who comes afterwards is let in as ever.
    let second = spawn(&network, 2).await;
    until(&second, "both", |members| members.len() == 2).await;
    until(&agent, "both", |members| members.len() == 2).await;
}

#[cfg(feature = "seal")]
#[tokio::test(start_paused = true)]
async fn who_has_no_key_makes_an_agent_send_nothing_at_all() {
    use proptest::strategy::ValueTree as _;
    use swim_agent::keys::{Algorithm, Key, Keyring, Mode};
    let network = Network::new();
    let ring = Keyring::new(Key::generate(Algorithm::Aes256Gcm).unwrap());
    let agent = builder(&network, 1).seal(ring, Mode::Require).spawn().await.unwrap();
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
    let held = counters(&agent).await;
    let sent = (held.datagrams_sent, held.streams_opened, held.stream_bytes_sent);
    assert_eq!(sent, (0, 0, 0), "{held:?}");
    assert_eq!(held.refused_plain, 1_000);
    for raw in &others {
        let link = network.traffic(addr(1), raw.transport.local_addr());
        assert_eq!((link.datagrams, link.streams, link.stream_bytes, link.lost()), (0, 0, 0, 0));
    }
}

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
