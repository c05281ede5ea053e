//! Anti-entropy between agents that do not believe in the same members; on virtual time.

mod lib_support;

use std::net::SocketAddr;
use std::time::Duration;

use lib_support::{Raw, addr, alive, builder, news, spawn, until};
use swim_agent::{Handle, Subnet};
use swim_core::{Digest, GossipMessage, MemberState, MemberUpdate};
use swim_transport::Network;

const WHILE: Duration = Duration::from_secs(60);
/// As long as an answer takes here.
const MOMENT: Duration = Duration::from_millis(20);

/// The hosts with these numbers.
fn hosts(numbers: &[u8]) -> Vec<Subnet> {
    numbers.iter().map(|&number| addr(number).ip().to_string().parse().unwrap()).collect()
}

fn delta(name: &str, at: SocketAddr) -> GossipMessage {
    let GossipMessage::Gossip { updates } = news(name, at, MemberState::Alive) else { panic!() };
    GossipMessage::Delta { updates, wanted: Vec::new() }
}

fn view(hash: u64) -> GossipMessage {
    GossipMessage::Digest { digest: Digest::View { hash } }
}

/// What comes back from the agent with that number.
async fn answer(raw: &Raw, to: u8, said: GossipMessage) -> Option<Digest> {
    raw.send(to, &[said]);
    let (_, heard) = raw.recv_for(MOMENT).await;
    heard.into_iter().find_map(|message| match message {
        GossipMessage::Digest { digest } => Some(digest),
        _ => None,
    })
}

async fn withheld(agent: &Handle) -> u64 {
    agent.info().await.unwrap().counters.comparisons_withheld
}

/// Whoever tells of members that are refused, in whatever company and however often, views are
/// compared all the same.
#[tokio::test(start_paused = true)]
async fn who_tells_of_the_refused_stops_no_comparison() {
    let outside = ([192, 0, 2, 7], 7946).into();
    for limit in ["networks", "room", "word"] {
        let network = Network::new();
        let agent = builder(&network, 1);
        let (agent, refused) = match limit {
            "networks" => (agent.allow(["10.0.0.0/8".parse().unwrap()]), outside),
            "room" => (agent.max_members(4), addr(9)),
            _ => (
                agent.admit(|it| if it.name == "x" { Err(String::new()) } else { Ok(()) }),
                addr(9),
            ),
        };
        let agent = agent.spawn().await.unwrap();
        let other = spawn(&network, 2).await;
        alive(&agent, 2).await;
        let [insider, honest, stranger] = [3, 4, 9].map(|number| Raw::new(&network, number));
        insider.introduce("insider", 1).await;
        honest.introduce("honest", 1).await;
        let versions = GossipMessage::Digest {
            digest: Digest::Versions { of: 1, buckets: vec![0], versions: vec![1] },
        };
        let buckets = GossipMessage::Digest { digest: Digest::Buckets { hashes: vec![77] } };
        for round in 0..200 {
            let tale = delta("x", refused);
            let packet = [view(round), buckets.clone(), versions.clone(), tale.clone()];
            for raw in [&stranger, &insider] {
                raw.send(1, &packet[3..]);
                raw.send(1, &packet);
                raw.ask(1, &packet).await;
            }
            tokio::time::sleep(MOMENT).await;
        }
        honest.recv_for(MOMENT).await;
        let counters = agent.info().await.unwrap().counters;
        let taken = [
            counters.claims_refused_address,
            counters.claims_refused_full,
            counters.claims_refused_veto,
        ];
        assert!(taken.iter().sum::<u64>() > 200, "{limit}: {counters:?}");
        let hash = agent.info().await.unwrap().view_hash;
        let heard = answer(&honest, 1, view(hash.wrapping_add(5_000))).await;
        assert!(matches!(heard, Some(Digest::Buckets { .. })), "{limit}: {heard:?}");
        drop(other);
    }
}

/// Four agents, of which the first one does not hear the last; and what else differs.
#[tokio::test(start_paused = true)]
async fn what_differs_besides_the_refused_is_repaired() {
    let network = Network::new();
    let mut agents =
        vec![builder(&network, 1).allow(hosts(&[1, 2, 3, 5, 6])).spawn().await.unwrap()];
    for number in 2..=4 {
        let agent = builder(&network, number).join([addr(2).to_string()]);
        agents.push(agent.spawn().await.unwrap());
    }
    for agent in &agents[1..] {
        alive(agent, 4).await;
    }
    tokio::time::sleep(20 * WHILE).await;
    let before = withheld(&agents[0]).await;
    assert!(before > 10, "what they differ in is known: {before}");
    let [own, theirs] = [0, 1].map(|at| agents[at].clone());
    let [own, theirs] =
        [own.info().await.unwrap().view_hash, theirs.info().await.unwrap().view_hash];
    let raw = Raw::new(&network, 5);
    raw.introduce("raw", 1).await;
    raw.introduce("raw", 2).await;
    until(&agents[1], "raw", |members| members.get("raw").is_some()).await;
    let now = agents[0].info().await.unwrap().view_hash;
    let rest = theirs.wrapping_sub(own);
    assert_eq!(answer(&raw, 1, view(now.wrapping_add(rest))).await, None, "as the others differ");
    // By one member more.
    let heard = answer(&raw, 1, view(now.wrapping_add(rest).wrapping_add(1))).await;
    assert!(matches!(heard, Some(Digest::Buckets { .. })), "{heard:?}");
    let all = Digest::Versions { of: 1, buckets: vec![0], versions: vec![7] };
    raw.send(1, &[GossipMessage::Digest { digest: all }]);
    let (_, heard) = raw.recv_for(MOMENT).await;
    let asks = |message: &GossipMessage| matches!(message, GossipMessage::Delta { wanted, .. } if wanted == &[7]);
    assert!(heard.iter().any(asks), "{heard:?}");
    let update = |name: &str, number| MemberUpdate {
        id: name.into(),
        state: MemberState::Alive,
        incarnation: 1 << 32,
        address: Some(addr(number)),
        metadata: None,
    };
    let updates = vec![update("n4", 4), update("new", 6)];
    let _there = builder(&network, 6).name("new").spawn().await.unwrap();
    raw.send(1, &[GossipMessage::Delta { updates, wanted: Vec::new() }]);
    until(&agents[0], "the newcomer", |members| members.get("new").is_some()).await;
    assert!(agents[0].members().get("n4").is_none());
}

/// Four agents, of which the first one's program refuses the last, or what it says of itself from some time on.
/// What is told of it goes by datagram.
#[tokio::test(start_paused = true)]
async fn who_the_program_refuses_is_not_compared_all_the_time() {
    for refused_at_once in [true, false] {
        let network = Network::new();
        let builder_of = |number| {
            let rude = refused_at_once && number == 4;
            let agent = builder(&network, number).join([addr(2).to_string()]);
            if rude { agent.metadata([("word", "no")]) } else { agent }
        };
        let judging = builder_of(1).admit(|it| match it.metadata.contains_key("word") {
            true => Err("a word".to_owned()),
            false => Ok(()),
        });
        let mut agents = vec![judging.spawn().await.unwrap()];
        for number in 2..=4 {
            agents.push(builder_of(number).spawn().await.unwrap());
        }
        for agent in &agents[1..] {
            alive(agent, 4).await;
        }
        if !refused_at_once {
            alive(&agents[0], 4).await;
            agents[3].update_metadata("word", "no").await.unwrap();
        }
        tokio::time::sleep(5 * WHILE).await;
        let before = agents[0].info().await.unwrap().counters;
        tokio::time::sleep(30 * WHILE).await;
        let counters = agents[0].info().await.unwrap().counters;
        let refused = counters.claims_refused_veto - before.claims_refused_veto;
        // Once in ten minutes, and where gossip comes by.
        assert!(refused < 20, "{refused_at_once}: {refused} {counters:?}");
        assert!(counters.comparisons_withheld > 100, "{refused_at_once}: {counters:?}");
        let held = agents[0].members().get("n4").map(|held| held.metadata.len());
        assert_eq!(held, (!refused_at_once).then_some(0));
    }
}

/// Who was refused for want of room comes in once there is some, although nobody tells of it any more.
#[tokio::test(start_paused = true)]
async fn who_has_room_again_takes_in_whom_the_others_hold() {
    let network = Network::new();
    let full = builder(&network, 1).max_members(3).spawn().await.unwrap();
    let join = |number| builder(&network, number).join([addr(2).to_string()]).spawn();
    let roomy = spawn(&network, 2).await;
    let leaving = join(3).await.unwrap();
    alive(&full, 3).await;
    let late = join(4).await.unwrap();
    alive(&roomy, 4).await;
    tokio::time::sleep(30 * WHILE).await;
    assert_eq!(full.members().len(), 3);
    assert!(withheld(&full).await > 10);
    leaving.shutdown().await;
    // It is forgotten a minute after its death, and views are compared twice in fifteen seconds.
    until(&full, "nobody dead", |members| members.get("n3").is_none()).await;
    until(&full, "who was refused", |members| members.get("n4").is_some()).await;
    alive(&late, 3).await;
}

/// What the first agent sends and hears in ten minutes, in bytes, when all has settled.
async fn traffic(network: &Network, agents: &[Handle]) -> u64 {
    tokio::time::sleep(10 * WHILE).await;
    let own = addr(1);
    let sum = || {
        let both = |at| [network.traffic(own, at), network.traffic(at, own)];
        let all = agents.iter().flat_map(|agent| both(agent.advertise_addr()));
        all.map(|one| one.bytes + one.stream_bytes).sum::<u64>()
    };
    let before = sum();
    tokio::time::sleep(10 * WHILE).await;
    sum() - before
}

/// Thirty agents, of which the first one has room for some.
async fn crowded(room: usize) -> (Network, Vec<Handle>) {
    let network = Network::new();
    let mut agents = vec![builder(&network, 1).max_members(room).spawn().await.unwrap()];
    for number in 2..=30 {
        let agent = builder(&network, number).metadata([("note", "x".repeat(400))]);
        agents.push(agent.join([addr(2).to_string()]).spawn().await.unwrap());
    }
    for agent in &agents[1..] {
        alive(agent, 30).await;
    }
    (network, agents)
}

#[tokio::test(start_paused = true)]
async fn views_that_differ_for_good_are_not_compared_all_the_time() {
    let (network, agents) = crowded(30).await;
    let usual = traffic(&network, &agents).await;
    let (network, agents) = crowded(10).await;
    let full = traffic(&network, &agents).await;
    assert!(full < usual + usual / 4, "{full} bytes where {usual} are usual");
    let info = agents[0].info().await.unwrap();
    assert_eq!((info.members_held, info.counts.alive), (10, 10));
    assert!(info.counters.comparisons_withheld > 10);
    // Whom it does not know holds it alive nevertheless, and so do all others.
    for agent in &agents[1..] {
        alive(agent, 30).await;
    }
    eprintln!("{full} bytes in ten minutes where {usual} are usual");
}
