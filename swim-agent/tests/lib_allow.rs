//! Allowed networks: who lives elsewhere is not heard, not held and not sent to; on virtual time.

mod lib_support;

use std::net::SocketAddr;
use std::time::Duration;

use lib_support::{Raw, SEED, addr, alive, builder, news, options, over, spawn, until, ways};
use swim_agent::{Counters, Handle, RateLimits, SpawnError, Subnet, state};
use swim_core::{GossipMessage, MemberState};
use swim_transport::{Network, Transport};

const WHILE: Duration = Duration::from_secs(60);

/// An address that nobody here allows.
fn outside() -> SocketAddr {
    ([192, 0, 2, 7], 7946).into()
}

fn inside() -> [Subnet; 1] {
    ["10.0.0.0/8".parse().unwrap()]
}

async fn counters(agent: &Handle) -> Counters {
    agent.info().await.unwrap().counters
}

#[tokio::test(start_paused = true)]
async fn who_lives_outside_comes_in_by_no_door_and_hears_nothing() {
    let network = Network::new();
    let agent = builder(&network, 1).allow(inside()).spawn().await.unwrap();
    let victim = network.bind(outside()).unwrap();
    // Told by a stranger and by a member, by datagram and by stream.
    let raw = Raw::new(&network, 2);
    for known in [false, true] {
        if known {
            raw.introduce("raw", 1).await;
            alive(&agent, 2).await;
        }
        for message in ways("out", outside(), 5 << 32) {
            raw.send(1, std::slice::from_ref(&message));
            raw.ask(1, &[message]).await;
            assert!(agent.members().get("out").is_none());
        }
    }
    let relay = GossipMessage::PingReq { seq: 1, from: "raw".into(), target: "out".into() };
    raw.send(1, &[relay]);
    tokio::time::sleep(WHILE).await;
    assert!(agent.members().get("out").is_none());
    let counters = counters(&agent).await;
    // Four words of each state at each of four times, and in one packet of four two claims, of which
    // that without an address is void.
    assert_eq!(counters.claims_refused_address, 4 * 16);
    assert_eq!((counters.sends_refused, counters.refused_address), (0, 0));
    assert_eq!(network.traffic(addr(1), victim.local_addr()).datagrams, 0);
    assert_eq!(agent.info().await.unwrap().members_held, 2);
}

#[tokio::test(start_paused = true)]
async fn what_comes_from_outside_is_dropped_before_it_is_decoded() {
    let network = Network::new();
    let agent = builder(&network, 1).allow(inside()).spawn().await.unwrap();
    let stranger = network.bind(outside()).unwrap();
    stranger.send_to(addr(1), b"no packet at all").unwrap();
    let other = over(stranger, 9).name("out").join([SEED]).spawn().await.unwrap();
    tokio::time::sleep(WHILE).await;
    assert_eq!((agent.members().len(), other.members().len()), (1, 1));
    let counters = counters(&agent).await;
    assert_eq!(counters.refused_malformed, 0);
    assert!(counters.refused_address > 5, "{counters:?}");
    assert_eq!(counters.datagrams_sent, 0);
    let error = other.join(vec![SEED.to_owned()]).await.unwrap_err().to_string();
    assert!(error.contains("closed"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_member_does_not_move_outside() {
    let network = Network::new();
    let seed = builder(&network, 1).allow(inside()).spawn().await.unwrap();
    let other = spawn(&network, 2).await;
    alive(&seed, 2).await;
    let raw = Raw::new(&network, 3);
    for message in ways("n2", outside(), 9 << 32) {
        raw.send(1, std::slice::from_ref(&message));
        raw.ask(1, &[message]).await;
    }
    tokio::time::sleep(WHILE).await;
    let held = seed.members().get("n2").unwrap().clone();
    assert_eq!((held.address, held.state), (addr(2), MemberState::Alive));
    assert_eq!(seed.info().await.unwrap().stats.conflicts, 0);
    assert_eq!(network.traffic(addr(1), outside()).datagrams, 0);
    alive(&other, 2).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_the_agent_itself_is_heard_whatever_its_address() {
    let network = Network::new();
    let agents =
        [builder(&network, 1).allow(inside()).spawn().await.unwrap(), spawn(&network, 2).await];
    alive(&agents[0], 2).await;
    let raw = Raw::new(&network, 3);
    raw.send(1, &[news("n1", outside(), MemberState::Suspect)]);
    tokio::time::sleep(WHILE).await;
    assert!(agents[0].info().await.unwrap().incarnation > 1 << 32, "it was refuted");
    assert_eq!(network.traffic(addr(1), outside()).datagrams, 0);
    alive(&agents[1], 2).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_given_outside_is_refused_where_it_is_given() {
    let network = Network::new();
    let build = |number| builder(&network, number).allow(inside());
    let error = build(1).join([outside().to_string()]).spawn().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot join through 192.0.2.7:7946: it is outside of the networks that this agent allows, \
         10.0.0.0/8 (allow, --allow)"
    );
    let error = build(1).advertise(outside()).spawn().await.unwrap_err();
    assert!(matches!(error, SpawnError::Outside { what: "advertise", .. }), "{error}");
    let error = build(1).max_members(0).spawn().await.unwrap_err();
    assert!(matches!(error, SpawnError::NoRoom { .. }), "{error}");
    let agent = build(1).spawn().await.unwrap();
    let error = agent.join(vec![outside().to_string()]).await.unwrap_err().to_string();
    assert!(error.contains("outside of the networks that this agent allows"), "{error}");
    assert_eq!(agent.info().await.unwrap().allow, inside());
}

/// That a name stands for an address outside is seen when it is looked up.
#[tokio::test]
async fn a_name_for_an_address_outside_leads_nowhere() {
    let network = Network::new();
    let agent =
        builder(&network, 1).allow(inside()).join(["localhost:7946"]).spawn().await.unwrap();
    let error = agent.join(vec!["localhost:7946".to_owned()]).await.unwrap_err().to_string();
    assert!(error.contains("outside of the networks"), "{error}");
    assert_eq!(counters(&agent).await.sends_refused, 0);
}

/// An agent that only one of four does not hear.
#[tokio::test(start_paused = true)]
async fn who_is_refused_by_one_is_a_member_of_the_others() {
    let network = Network::new();
    let few = [1, 2, 3].map(|number| addr(number).ip().to_string().parse().unwrap());
    let mut agents = vec![builder(&network, 1).allow(few).spawn().await.unwrap()];
    for number in 2..=4 {
        let agent = builder(&network, number).join([addr(2).to_string()]);
        agents.push(agent.spawn().await.unwrap());
    }
    for agent in &agents[1..] {
        alive(agent, 4).await;
    }
    tokio::time::sleep(20 * WHILE).await;
    for (agent, members) in agents.iter().zip([3, 4, 4, 4]) {
        let info = agent.info().await.unwrap();
        assert_eq!(info.counts.alive, members, "{:?}", agent.members());
        assert_eq!(info.stats.deaths, 0);
    }
    assert_eq!(counters(&agents[0]).await.sends_refused, 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_remembered_outside_is_not_asked() {
    let network = Network::new();
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("lib-admission");
    // It is there only when the test ran before.
    let _ = std::fs::remove_dir_all(&directory);
    let others = [2, 3].map(|number| builder(&network, number));
    let first = builder(&network, 1).data_dir(&directory).spawn().await.unwrap();
    for other in others {
        let other = other.spawn().await.unwrap();
        until(&first, "the other", |members| members.get(other.name()).is_some()).await;
        other.shutdown().await;
    }
    first.shutdown().await;
    // Somebody would take it.
    let _there = [2, 3].map(|number| network.bind(addr(number)).unwrap());
    let before = [2, 3].map(|number| network.traffic(addr(1), addr(number)));
    let near = [1, 3].map(|number| addr(number).ip().to_string().parse().unwrap());
    let again = loop {
        let options = swim_core::Options { boot_epoch: 2, ..options(1) };
        let again = builder(&network, 1).options(options).data_dir(&directory).allow(near);
        match again.spawn().await {
            // The former life may still be writing.
            Err(SpawnError::State(state::StateError::InUse { .. })) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            started => break started.unwrap(),
        }
    };
    tokio::time::sleep(WHILE).await;
    let after = [2, 3].map(|number| network.traffic(addr(1), addr(number)));
    assert_eq!(before[0], after[0]);
    assert!(before[1].streams < after[1].streams, "whom it may ask");
    let info = again.info().await.unwrap();
    assert!(!info.members_missing.names.contains(&"n2".to_owned()), "{:?}", info.members_missing);
    assert_eq!(info.counters.sends_refused, 0);
}

/// Hosts outside send more than all strangers may: those inside are heard, and the drops are booked as
/// what they are.
#[tokio::test(start_paused = true)]
async fn who_floods_from_outside_uses_up_nothing_of_those_inside() {
    let network = Network::new();
    let limits = RateLimits { stranger_datagrams: 10, ..RateLimits::default() };
    let agent = builder(&network, 1).allow(inside()).rate_limits(limits).spawn().await.unwrap();
    let ping = |name: &str| [GossipMessage::Ping { seq: 1, from: name.into() }];
    // All strangers together have 400 at once.
    for port in 1..=50 {
        let mad = Raw::at(&network, SocketAddr::new(outside().ip(), port));
        for _ in 0..20 {
            mad.send(1, &ping("mad"));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let newcomer = Raw::new(&network, 2);
    newcomer.send(1, &ping("new"));
    let (_, heard) = newcomer.recv_for(Duration::from_secs(1)).await;
    let is_ack = |message: &GossipMessage| {
        matches!(message, GossipMessage::Ack { .. } | GossipMessage::LocatedAck { .. })
    };
    assert!(heard.iter().any(is_ack), "{heard:?}");
    let counters = counters(&agent).await;
    assert_eq!((counters.refused_address, counters.stranger_datagrams_dropped), (1_000, 0));
}
