//! Agents of one network segment that find each other by multicast DNS: on loopback.
#![cfg(feature = "mdns")]

#[path = "common/skip.rs"]
mod skip;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use swim_agent::{Agent, AgentBuilder, Handle, SpawnError};
use swim_core::{MemberState, Options};

const PATIENCE: Duration = Duration::from_secs(120);

fn agent(name: &str, ip: [u8; 4]) -> AgentBuilder {
    Agent::builder().name(name).bind((ip, 0).into()).options(Options::local())
}

/// A name that no other run of these tests announces.
fn group(what: &str) -> String {
    format!("{what}-{}", std::process::id())
}

async fn alive(agent: &Handle, count: usize) {
    let mut watch = agent.watch();
    let wanted = watch.wait_for(|members| members.count(MemberState::Alive) == count);
    tokio::time::timeout(PATIENCE, wanted).await.expect("everybody in time").expect("running");
}

async fn until(is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time");
}

/// Whether this machine's loopback carries multicast, which some sandboxes forbid.
fn can_multicast() -> bool {
    let group = std::net::Ipv4Addr::new(224, 0, 0, 251);
    let tried = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.join_multicast_v4(&group, &[127, 0, 0, 1].into())?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        let to: SocketAddr = (group, socket.local_addr()?.port()).into();
        UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", to)?;
        socket.recv(&mut [0])
    };
    let tried = tried();
    if let Err(error) = &tried {
        skip::skipped(&format!("loopback carries no multicast here ({error})"));
    }
    tried.is_ok()
}

#[tokio::test]
async fn agents_that_announce_one_name_find_each_other() {
    if !can_multicast() {
        return;
    }
    let (lab, other) = (group("lab"), group("other"));
    // At one moment: neither has been announced when the other looks first.
    let a = agent("a", [127, 64, 1, 1]).discover(&lab).spawn().await.unwrap();
    let b = agent("b", [127, 64, 1, 2]).discover(&lab).discover_interface("lo").spawn().await;
    let b = b.unwrap();
    let stranger = agent("s", [127, 64, 1, 3]).discover(&other).spawn().await.unwrap();
    alive(&a, 2).await;
    alive(&b, 2).await;
    // One that announces nothing may join through those who do.
    let c = agent("c", [127, 64, 1, 4]).join([format!("mdns:{lab}")]).spawn().await.unwrap();
    alive(&c, 3).await;
    // It finds itself alone, and is the first of its cluster.
    until(async || stranger.info().await.unwrap().join_attempts.is_none()).await;
    assert_eq!(stranger.members().len(), 1, "another name");
    // Who has left is announced no more.
    for agent in [&a, &b] {
        agent.leave().await.unwrap();
    }
    let error = stranger.join(vec![format!("mdns:{lab}")]).await.unwrap_err().to_string();
    assert!(error.contains(&lab) && error.contains("nobody announces it on lo"), "{error}");
}

#[tokio::test]
async fn who_was_announced_before_it_answered_is_tried_again() {
    if !can_multicast() {
        return;
    }
    let lab = group("late");
    // Announced, and of another cluster: it does not answer.
    let deaf = agent("deaf", [127, 64, 2, 1]).cluster("elsewhere").discover(&lab);
    let deaf = deaf.spawn().await.unwrap();
    let port = deaf.local_addr().port();
    let b = agent("b", [127, 64, 2, 2]).join([format!("mdns:{lab}")]).spawn().await.unwrap();
    until(async || b.info().await.unwrap().join_attempts > Some(0)).await;
    deaf.shutdown().await;
    let back = Agent::builder().name("a").bind(([127, 64, 2, 1], port).into());
    let _back = back.options(Options::local()).discover(&lab).spawn().await.unwrap();
    alive(&b, 2).await;
}

#[tokio::test]
async fn who_is_announced_from_outside_is_not_asked() {
    if !can_multicast() {
        return;
    }
    let lab = group("outside");
    let allowed = ["127.40.6.0/24".parse().unwrap()];
    let near = agent("near", [127, 40, 6, 1]).allow(allowed).discover(&lab).spawn().await.unwrap();
    let far = agent("far", [127, 40, 7, 1]).discover(&lab).spawn().await.unwrap();
    // It asks for its part, in vain.
    until(async || near.info().await.unwrap().counters.refused_address > 0).await;
    let other = agent("other", [127, 40, 6, 2]).discover(&lab).spawn().await.unwrap();
    alive(&near, 2).await;
    alive(&other, 3).await;
    let info = near.info().await.unwrap();
    assert_eq!((info.counts.alive, info.counters.sends_refused), (2, 0));
    drop(far);
}

#[tokio::test]
async fn a_name_or_an_interface_that_cannot_be_is_refused() {
    for name in ["", "two words", "a.b", "n\u{f6}", "\n", &"n".repeat(64)] {
        let error = agent("a", [127, 64, 3, 1]).discover(name).spawn().await.unwrap_err();
        assert!(matches!(error, SpawnError::Discover { .. }), "{error}");
        assert!(error.to_string().contains("1 to 63 letters"), "{error}");
    }
    let builder = agent("a", [127, 64, 3, 1]).discover("lab").discover_interface("no such");
    let error = builder.spawn().await.unwrap_err().to_string();
    assert!(error.contains("\"no such\"") && error.contains("--discover"), "{error}");
}
