//! Agents over UDP and TCP on loopback, in real time.

#[path = "../examples/embed.rs"]
#[allow(dead_code, reason = "its main is for cargo run")]
mod embed;

#[path = "../examples/admission.rs"]
#[allow(dead_code, reason = "its main is for cargo run")]
mod admission;

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use swim_agent::{Agent, AgentBuilder, Handle, SpawnError};
use swim_core::{MemberState, Options};
use swim_transport::{Faulty, NetTransport, Transport};

const PATIENCE: Duration = Duration::from_secs(60);

fn agent(name: &str) -> AgentBuilder {
    let bind = ([127, 0, 0, 1], 0).into();
    Agent::builder().name(name).bind(bind).options(Options::local())
}

async fn alive(agent: &Handle, count: usize) {
    let mut watch = agent.watch();
    let wanted = watch.wait_for(|members| members.count(MemberState::Alive) == count);
    tokio::time::timeout(PATIENCE, wanted).await.expect("everybody in time").expect("running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_run_to_their_ends() {
    tokio::time::timeout(PATIENCE, embed::run()).await.expect("in time").expect("without error");
    let admission = tokio::time::timeout(PATIENCE, admission::run()).await;
    admission.expect("in time").expect("without error");
}

#[tokio::test]
async fn three_agents_meet_and_part_by_name_of_host() {
    let first = agent("a").spawn().await.unwrap();
    let seed = format!("localhost:{}", first.local_addr().port());
    let second = agent("b").join([seed.clone()]).spawn().await.unwrap();
    let third = agent("c").spawn().await.unwrap();
    assert_eq!(third.join(vec![seed]).await.unwrap(), 1);
    for agent in [&first, &second, &third] {
        alive(agent, 3).await;
    }
    let sent = async {
        loop {
            let net = first.info().await.unwrap().net.expect("counters of the sockets");
            assert!(net.streams_accepted >= 2, "{net:?}");
            if net.datagrams_sent > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, sent).await.expect("a first ping in time");
    let parting = async { tokio::join!(first.leave(), second.leave(), third.leave()) };
    let (a, b, c) = tokio::time::timeout(PATIENCE, parting).await.expect("in time");
    a.and(b).and(c).unwrap();
}

#[tokio::test]
async fn a_partition_of_sockets_heals_by_itself() {
    let (mut agents, mut faults) = (Vec::<Handle>::new(), Vec::new());
    for seed in 0..4 {
        let transport = NetTransport::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let transport = Faulty::new(transport, seed);
        faults.push((transport.local_addr(), transport.faults()));
        let mut options = Options { healing_interval: 500, ..Options::local() };
        options.gossip.base.probe_interval = 200;
        options.gossip.base.probe_timeout = 100;
        let seeds = agents.first().map(|agent| agent.local_addr().to_string());
        let agent = agent(&format!("n{seed}")).transport(transport).options(options).join(seeds);
        agents.push(agent.spawn().await.unwrap());
    }
    for agent in &agents {
        alive(agent, 4).await;
    }
    for (at, (_, faults_here)) in faults.iter().enumerate() {
        let beyond = faults.iter().enumerate().filter(|(other, _)| (*other < 2) != (at < 2));
        beyond.for_each(|(_, (address, _))| faults_here.block(*address));
    }
    for agent in &agents {
        alive(agent, 2).await;
    }
    faults.iter().for_each(|(_, faults)| faults.clear());
    for agent in &agents {
        alive(agent, 4).await;
    }
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it_and_free_after_the_end() {
    let first = agent("a").spawn().await.unwrap();
    let taken = first.local_addr();
    let error = agent("b").bind(taken).spawn().await.unwrap_err();
    assert!(matches!(error, SpawnError::Bind(_)), "{error:?}");
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    first.shutdown().await;
    let second = agent("b").bind(taken).spawn().await.unwrap();
    assert_eq!(second.local_addr(), taken);
}

#[tokio::test]
async fn a_wildcard_is_bound_but_not_advertised() {
    for bind in ["0.0.0.0:0", "[::]:0"] {
        let Ok(wild) = agent("a").bind(bind.parse().unwrap()).spawn().await else {
            // A machine without IPv6.
            continue;
        };
        let advertised = wild.advertise_addr();
        assert!(!advertised.ip().is_unspecified(), "{advertised}");
        assert_eq!(advertised.port(), wild.local_addr().port());
        let seed = SocketAddr::from(([127, 0, 0, 1], advertised.port()));
        let other = agent("b").bind("0.0.0.0:0".parse().unwrap()).join([seed.to_string()]);
        let other = other.spawn().await.unwrap();
        alive(&wild, 2).await;
        alive(&other, 2).await;
    }
}

#[tokio::test]
async fn raw_bytes_on_both_ports_change_nothing() {
    let first = agent("a").spawn().await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for len in [0, 1, 7, 60_000] {
        socket.send_to(&vec![0xa5; len], first.local_addr()).unwrap();
    }
    for _ in 0..10 {
        let mut stream = TcpStream::connect(first.local_addr()).unwrap();
        std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    }
    let second = agent("b").join([first.local_addr().to_string()]).spawn().await.unwrap();
    alive(&first, 2).await;
    alive(&second, 2).await;
}

#[tokio::test]
async fn nobody_listening_is_told_as_such() {
    let agent = agent("a").spawn().await.unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = agent.join(vec![free.to_string(), "no.such.host.invalid:1".into()]).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains(&free.to_string()) && text.contains("refused"), "{text}");
    assert!(text.contains("no.such.host.invalid:1 (its name cannot be resolved"), "{text}");
}
