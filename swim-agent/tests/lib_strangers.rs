//! Strangers: what they are answered, and what they cannot break; on virtual time.

mod lib_support;

use std::time::Duration;

use lib_support::{
    Raw, SEED, addr, alive, builder, cluster, crowd, member, news, options, over, spawn, state,
};
use swim_agent::{Handle, Incident};
use swim_core::{Digest, EventKind, GossipMessage, MemberState, Options};
use swim_transport::{Network, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const WHILE: Duration = Duration::from_secs(1);

/// What a stranger sends in one datagram, and what it gets back.
async fn answered(raw: &Raw, messages: &[GossipMessage]) -> (usize, usize, Vec<GossipMessage>) {
    let sent = raw.send(1, messages);
    let (bytes, answers) = raw.recv_for(WHILE).await;
    assert!(bytes <= 3 * sent, "{bytes} bytes for {sent}: {answers:?}");
    (sent, bytes, answers)
}

/// An agent of a cluster with much to tell: a large view, a full queue, metadata.
async fn talkative(network: &Network) -> (Handle, Raw) {
    let metadata = [("note", "x".repeat(400))];
    let agent = builder(network, 1).metadata(metadata).spawn().await.unwrap();
    let raw = Raw::new(network, 99);
    raw.ask(1, &[GossipMessage::Sync { members: crowd(60) }]).await;
    lib_support::until(&agent, "the crowd", |members| members.len() == 61).await;
    (agent, raw)
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_by_an_ack_without_piggyback() {
    let network = Network::new();
    let (agent, raw) = talkative(&network).await;
    let ping = GossipMessage::Ping { seq: 7, from: "stranger".into() };
    let (_, _, answers) = answered(&raw, &[ping]).await;
    assert!(matches!(&answers[..], [GossipMessage::Ack { seq: 7, .. }]), "{answers:?}");
    agent.update_metadata("note", "news").await.unwrap();
    // Nor when it goes by the name of a member that lives elsewhere.
    let ping = GossipMessage::Ping { seq: 8, from: "crowd-5".into() };
    let (_, _, answers) = answered(&raw, &[ping]).await;
    assert!(matches!(&answers[..], [GossipMessage::Ack { seq: 8, .. }]), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_for_everything_by_datagram_is_dropped_and_counted() {
    let network = Network::new();
    let (agent, raw) = talkative(&network).await;
    let request = GossipMessage::SyncRequest { from: "stranger".into() };
    assert_eq!(answered(&raw, std::slice::from_ref(&request)).await.1, 0);
    assert_eq!(agent.info().await.unwrap().counters.sync_requests_dropped, 1);
    let (_, answers) = raw.ask(1, &[request]).await;
    let [GossipMessage::Sync { members }] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(members.len(), 61);
    assert!(agent.members().get("stranger").is_none(), "asking makes nobody a member");
}

#[tokio::test(start_paused = true)]
async fn a_packet_full_of_requests_is_answered_in_part() {
    let network = Network::new();
    let (agent, raw) = talkative(&network).await;
    let request = GossipMessage::SyncRequest { from: "stranger".into() };
    let (_, answers) = raw.ask(1, &vec![request; 1_000]).await;
    assert!((1..=4).contains(&answers.len()), "{}", answers.len());
    assert_eq!(agent.info().await.unwrap().counters.requests_dropped, 996);
}

#[tokio::test(start_paused = true)]
async fn comparisons_with_strangers_are_limited_in_a_packet_and_in_a_second() {
    let network = Network::new();
    let (agent, raw) = talkative(&network).await;
    let versions = Digest::Versions { of: 1, buckets: vec![0], versions: vec![1] };
    let digest = GossipMessage::Digest { digest: versions };
    raw.send(1, &vec![digest.clone(); 1_000]);
    tokio::time::sleep(2 * WHILE).await;
    assert_eq!(agent.info().await.unwrap().counters.requests_dropped, 996);
    for _ in 0..100 {
        raw.send(1, std::slice::from_ref(&digest));
    }
    tokio::time::sleep(WHILE).await;
    assert_eq!(agent.info().await.unwrap().counters.requests_dropped, 996 + 68);
}

#[tokio::test(start_paused = true)]
async fn digests_and_accusations_are_not_amplified() {
    let network = Network::new();
    let (agent, raw) = talkative(&network).await;
    answered(&raw, &[GossipMessage::Digest { digest: Digest::View { hash: 1 } }]).await;
    let hashes = vec![5; 4];
    answered(&raw, &[GossipMessage::Digest { digest: Digest::Buckets { hashes } }]).await;
    let versions = Digest::Versions { of: 1, buckets: vec![0], versions: vec![1] };
    let (_, bytes, _) = answered(&raw, &[GossipMessage::Digest { digest: versions }]).await;
    assert_eq!(bytes, 0, "all that the agent knows");
    // Nor to who pays for it with a large datagram.
    let padding = vec![5; 3_000];
    let versions = Digest::Versions { of: 1, buckets: vec![0], versions: padding };
    let (_, _, answers) = answered(&raw, &[GossipMessage::Digest { digest: versions }]).await;
    assert!(answers.is_empty(), "{answers:?}");
    answered(&raw, &[news("n1", addr(1), MemberState::Dead)]).await;
    answered(&raw, &[GossipMessage::Sync { members: vec![member("n1", addr(5))] }]).await;
    let delta = GossipMessage::Delta { updates: Vec::new(), wanted: vec![1, 2, 3] };
    answered(&raw, &[delta]).await;
    let traffic = network.traffic(addr(1), addr(99));
    assert_eq!(traffic.streams, 0, "no stream to who never proved to be there");
    assert!(agent.info().await.unwrap().counters.answers_withheld > 0);
    assert_eq!(agent.members().local().state, MemberState::Alive);
}

#[tokio::test(start_paused = true)]
async fn a_known_member_hears_all_there_is() {
    let network = Network::new();
    let (_agent, raw) = talkative(&network).await;
    raw.introduce("raw", 1).await;
    let ping = GossipMessage::Ping { seq: 7, from: "raw".into() };
    let sent = raw.send(1, &[ping]);
    let (bytes, answers) = raw.recv_for(Duration::from_millis(10)).await;
    assert!(bytes > 3 * sent, "{bytes} {answers:?}");
}

#[tokio::test(start_paused = true)]
async fn packets_of_another_cluster_are_dropped_and_counted() {
    let network = Network::new();
    let agents = cluster(&network, 2).await;
    let other = over(network.bind(addr(3)).unwrap(), 3).cluster("other").spawn().await.unwrap();
    let error = other.join(vec![SEED.to_owned()]).await.unwrap_err();
    assert!(error.to_string().contains("same cluster"), "{error}");
    assert!(agents[0].info().await.unwrap().counters.refused_cluster > 0);
    assert_eq!(agents[0].members().len(), 2);
    assert_eq!(other.members().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn garbage_never_stops_an_agent() {
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let raw = Raw::new(&network, 99);
    let mut noise = 0x2545_f491_u32;
    let mut garbage = |len: usize| -> Vec<u8> {
        let mut byte = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        };
        (0..len).map(|_| byte()).collect()
    };
    for len in 0..500 {
        raw.transport.send_to(addr(1), &garbage(len)).unwrap();
        let mut packet = raw.packet(&[news("x", addr(98), MemberState::Alive)]);
        let at = len % packet.len();
        packet[at] ^= 1 << (len % 8);
        raw.transport.send_to(addr(1), &packet).unwrap();
    }
    for len in 0..100 {
        let mut stream = raw.transport.connect(addr(1)).await.unwrap();
        // The agent may have hung up already.
        let _ = stream.write_all(&garbage(len * 7)).await;
        drop(stream);
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(WHILE).await;
    let counters = agent.info().await.unwrap().counters;
    assert!(counters.refused_malformed > 100, "{counters:?}");
    assert!(counters.streams_failed > 50, "{counters:?}");
    assert_eq!(counters.datagrams_received, 1_000);
    let second = spawn(&network, 2).await;
    state(&second, "n1", MemberState::Alive).await;
}

#[tokio::test(start_paused = true)]
async fn streams_that_say_nothing_are_closed_and_others_served_meanwhile() {
    let network = Network::new();
    let first = spawn(&network, 1).await;
    let raw = Raw::new(&network, 99);
    let mut idle = Vec::new();
    for _ in 0..60 {
        idle.push(raw.transport.connect(addr(1)).await.unwrap());
    }
    let second = spawn(&network, 2).await;
    alive(&second, 2).await;
    // A quarter of the places is theirs at a time, for two seconds each.
    tokio::time::sleep(Duration::from_secs(9)).await;
    for stream in &mut idle {
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "closed");
    }
    assert_eq!(first.info().await.unwrap().counters.streams_failed, 60);
}

#[tokio::test(start_paused = true)]
async fn a_large_view_goes_by_stream_and_datagrams_stay_small() {
    let network = Network::new().with_mtu(1_400);
    let first = spawn(&network, 1).await;
    let raw = Raw::new(&network, 99);
    raw.ask(1, &[GossipMessage::Sync { members: crowd(300) }]).await;
    assert_eq!(first.members().len(), 301);
    let second = over(network.bind(addr(2)).unwrap(), 2).options(options(2)).spawn().await.unwrap();
    lib_support::until(&second, "everybody", |members| members.len() == 302).await;
    let traffic = network.traffic(addr(1), addr(2));
    assert!(traffic.stream_bytes > 300 * 10, "{traffic:?}");
    assert_eq!(first.info().await.unwrap().counters.transport_errors, 0);
}

/// Two agents of one name, in a cluster of three besides, which say so much of themselves.
async fn twins(bytes: [usize; 2]) {
    let network = Network::new();
    let agents = cluster(&network, 3).await;
    let twin = |(number, bytes): (u8, usize)| {
        let options = Options { boot_epoch: number.into(), ..options(number.into()) };
        let metadata = (bytes > 0).then(|| ("note", "x".repeat(bytes)));
        builder(&network, number).name("db-1").options(options).metadata(metadata).spawn()
    };
    // The later one has the greater address, and so stays.
    let first = twin((10, bytes[0])).await.unwrap();
    alive(&agents[0], 4).await;
    let second = twin((200, bytes[1])).await.unwrap();
    let told = async |agent: &Handle| {
        let places = [addr(10), addr(200)];
        agent.history("db-1").await.unwrap().into_iter().any(|incident| match incident {
            Incident::Event(event) => {
                let both = [event.address, event.old_address.unwrap_or(event.address)];
                matches!(event.kind, EventKind::Conflict | EventKind::Refuted)
                    && places.iter().all(|place| both.contains(place))
            }
            _ => false,
        })
    };
    let counted = async |agent: &Handle| agent.info().await.unwrap().stats.conflicts > 0;
    for agent in agents.iter().chain([&first, &second]) {
        let what = format!("{} at {} with {bytes:?}", agent.name(), agent.local_addr());
        for _ in 0..120 {
            if told(agent).await && counted(agent).await {
                break;
            }
            tokio::time::sleep(WHILE).await;
        }
        assert!(told(agent).await, "{what} was not told of both");
        assert!(counted(agent).await, "{what} did not count it");
    }
    tokio::time::sleep(30 * WHILE).await;
    for agent in &agents {
        assert_eq!(agent.members().get("db-1").unwrap().address, addr(200), "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn agents_of_one_name_are_told_whatever_their_metadata() {
    for bytes in [[0, 0], [8, 8], [0, 8], [8, 0], [60, 60], [500, 0], [0, 500], [500, 500]] {
        twins(bytes).await;
    }
}
