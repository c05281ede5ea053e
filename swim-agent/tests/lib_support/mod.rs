//! Agents on a network in memory, and patience.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::time::Duration;

use swim_agent::{Agent, AgentBuilder, Event, EventStream, Handle, Members, StreamItem};
use swim_core::{EventKind, MemberState, Options};
use swim_transport::{MemoryTransport, Network, Transport};

pub(crate) const SEED: &str = "10.0.0.1:7946";

/// The address of the agent with that number.
pub(crate) fn addr(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 7946))
}

/// Fast, and the same on every run.
pub(crate) fn options(seed: u64) -> Options {
    Options { seed: Some(seed), boot_epoch: 1, ..Options::local() }
}

/// An agent to be: `n<number>` at `addr(number)`, joining through the first unless it is that.
pub(crate) fn builder(network: &Network, number: u8) -> AgentBuilder<MemoryTransport> {
    let transport = network.bind(addr(number)).expect("a free address");
    over(transport, number)
}

/// The same over any transport.
pub(crate) fn over<T: Transport>(transport: T, number: u8) -> AgentBuilder<T> {
    let seeds = (number != 1).then_some(SEED);
    Agent::builder()
        .name(format!("n{number}"))
        .transport(transport)
        .options(options(number.into()))
        .join(seeds)
}

pub(crate) async fn spawn(network: &Network, number: u8) -> Handle {
    builder(network, number).spawn().await.expect("an agent")
}

/// Agents 1 to `count` that all know each other.
pub(crate) async fn cluster(network: &Network, count: u8) -> Vec<Handle> {
    let mut agents = Vec::new();
    for number in 1..=count {
        agents.push(spawn(network, number).await);
    }
    for agent in &agents {
        alive(agent, count.into()).await;
    }
    agents
}

/// Waits until an agent's view is as wanted; fails after two minutes of the runtime's time.
pub(crate) async fn until(agent: &Handle, what: &str, wanted: impl Fn(&Members) -> bool) -> Members {
    let mut watch = agent.watch();
    let waiting = async {
        loop {
            let members = watch.borrow_and_update().clone();
            if wanted(&members) {
                return members;
            }
            watch.changed().await.expect("a running agent");
        }
    };
    match tokio::time::timeout(Duration::from_secs(120), waiting).await {
        Ok(members) => members,
        Err(_) => panic!("{} waited in vain for {what}: {:?}", agent.name(), agent.members()),
    }
}

/// Waits until an agent holds `count` members Alive and no other in any other state but Left.
pub(crate) async fn alive(agent: &Handle, count: usize) -> Members {
    until(agent, &format!("{count} alive"), |members| members.count(MemberState::Alive) == count)
        .await
}

/// Waits until an agent holds a member in a state.
pub(crate) async fn state(agent: &Handle, name: &str, state: MemberState) -> Members {
    until(agent, &format!("{name} {state}"), |members| {
        members.get(name).is_some_and(|member| member.state == state)
    })
    .await
}

/// Waits for what happens to a member.
pub(crate) async fn event(events: &mut EventStream, kind: EventKind, name: &str) -> Event {
    let waiting = async {
        loop {
            match events.next().await.expect("a running agent") {
                StreamItem::Event(event) if event.kind == kind && event.name == name => {
                    return event;
                }
                _ => {}
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs(120), waiting).await {
        Ok(event) => event,
        Err(_) => panic!("nobody told that {name} {}", kind.as_str()),
    }
}
