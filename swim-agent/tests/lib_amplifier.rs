//! No datagram makes agents send more than three times its bytes to who has not answered there; on
//! virtual time.

mod lib_support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lib_support::{Raw, addr, builder, cluster, news, options, spawn, until};
use swim_agent::{Agent, Handle};
use swim_core::{GossipMessage, Member, MemberState, MemberUpdate, Options};
use swim_transport::{Network, Transport as _};
use tokio::io::AsyncWriteExt as _;

/// As long as anything that began with a datagram may go on.
const LONG: Duration = Duration::from_secs(120);
/// The member whose address the forger writes on packets, and the stranger that it is.
const FORGED: u8 = 98;
const STRANGER: u8 = 99;

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
