//! Three agents in one process: they find each other, one changes its metadata, one leaves, one
//! crashes, and the first tells what it sees.
//!
//! ```sh
//! cargo run -p swim-agent --example embed
//! ```

use std::error::Error;

use swim_agent::{Agent, AgentBuilder, Event, EventStream, Handle, StreamItem};
use swim_core::{EventKind, MemberState, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run().await
}

/// The example itself, apart from `main` so that a test can run it.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    // The first agent starts a cluster by joining nobody. Its port is 0: any free one.
    let first = agent("first").spawn().await?;
    let mut events = first.events();
    println!("first is {} of cluster {}", first.advertise_addr(), first.cluster());

    // The others join through it, and through it they find each other.
    let seed = first.advertise_addr().to_string();
    let second = agent("second").join([&seed]).metadata([("role", "db")]).spawn().await?;
    let third = agent("third").join([&seed]).spawn().await?;
    for agent in [&first, &second, &third] {
        everybody(agent, 3).await?;
    }

    // A snapshot is a value: it does not change under its reader, and holds up nobody.
    for member in &first.members() {
        println!("{} at {}: {} {:?}", member.name, member.address, member.state, member.metadata);
    }

    // What an agent says of itself travels to all others.
    second.update_metadata("role", "cache").await?;
    tell(&seen(&mut events, EventKind::Updated, "second").await?);
    assert_eq!(first.members().get("second").ok_or("second is gone")?.metadata["role"], "cache");

    // Who leaves says so, and the others know at once that it did not crash.
    second.leave().await?;
    tell(&seen(&mut events, EventKind::Left, "second").await?);

    // Who crashes is missed by its peers: somebody suspects it, and it does not refute.
    third.shutdown().await;
    tell(&seen(&mut events, EventKind::Suspected, "third").await?);
    tell(&seen(&mut events, EventKind::Died, "third").await?);

    let info = first.info().await?;
    println!("first sent {} datagrams", info.counters.datagrams_sent);
    first.leave().await?;
    Ok(())
}

fn agent(name: &str) -> AgentBuilder {
    // For agents of one machine; `Options::default()` suits a data centre.
    let mut options = Options::local();
    options.gossip.base.probe_interval = 200;
    options.gossip.base.probe_timeout = 100;
    Agent::builder().name(name).bind(([127, 0, 0, 1], 0).into()).cluster("example").options(options)
}

/// Waits until an agent holds `count` members alive.
async fn everybody(agent: &Handle, count: usize) -> Result<(), Box<dyn Error>> {
    let mut watch = agent.watch();
    watch.wait_for(|members| members.count(MemberState::Alive) == count).await?;
    Ok(())
}

/// Waits until something happens to a member.
async fn seen(
    events: &mut EventStream,
    kind: EventKind,
    name: &str,
) -> Result<Event, Box<dyn Error>> {
    loop {
        match events.next().await.ok_or("the agent has ended")? {
            StreamItem::Event(event) if event.kind == kind && event.name == name => {
                return Ok(event);
            }
            StreamItem::Event(event) => tell(&event),
            StreamItem::User(event) => println!("{} tells of {}", event.origin, event.name),
            StreamItem::Missed(count) => println!("too slow, missed {count} events"),
            _ => {}
        }
    }
}

fn tell(event: &Event) {
    let (what, why) = (event.kind.as_str(), event.reason.as_str());
    let by = event.by.as_deref().unwrap_or("nobody known");
    println!("{} {what} ({why}, by {by})", event.name);
}
