//! An agent that lets in who it wants: addresses by network, newcomers by what they say of themselves,
//! and another cluster as a whole or not at all.
//!
//! ```sh
//! cargo run -p swim-agent --example admission
//! ```

use std::error::Error;

use swim_agent::{Agent, AgentBuilder, Handle, Merge, Newcomer, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run().await
}

/// The example itself, apart from `main` so that a test can run it.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    // What is refused is counted, and in the log of a program that installs a subscriber.
    let first = agent("first").admit(has_role).admit_merge(of_one_site).spawn().await?;
    let seed = first.advertise_addr().to_string();

    let second = agent("second").join([&seed]).metadata([("role", "db"), ("site", "north")]);
    let second = second.spawn().await?;
    everybody(&first, 2).await?;
    println!("second is in");

    // It has no role, and is told that it is not let in.
    let third = agent("third").spawn().await?;
    let refused = third.join(vec![seed.clone()]).await;
    println!("third is not: {}", refused.err().ok_or("it came in")?);

    // It may change its mind, and this time it is heard.
    third.update_metadata("role", "web").await?;
    third.join(vec![seed.clone()]).await?;
    everybody(&first, 3).await?;
    println!("third is in, with a role");

    // Two agents that found each other elsewhere, and are of different sites: what they tell of each
    // other is refused as a whole.
    let south = agent("south").metadata([("role", "db"), ("site", "south")]).spawn().await?;
    let other = south.advertise_addr().to_string();
    let more = agent("more").join([&other]).metadata([("role", "db"), ("site", "north")]);
    let more = more.spawn().await?;
    everybody(&more, 2).await?;
    first.join(vec![other]).await?;

    let info = first.info().await?;
    println!("first holds {} of at most {}", info.members_held, info.max_members);
    println!("and did not believe {} claims", info.counters.claims_refused_veto);
    for agent in [more, south, third, second, first] {
        agent.leave().await?;
    }
    Ok(())
}

/// Only who says what it is for. Asked of everybody new, and of members that change.
fn has_role(newcomer: &Newcomer<'_>) -> Result<(), String> {
    match newcomer.metadata.contains_key("role") {
        true => Ok(()),
        false => Err(format!("{} has no role", newcomer.name)),
    }
}

/// Nobody of a packet in which anybody is of another site.
fn of_one_site(merge: &Merge<'_>) -> Result<(), String> {
    let sites = merge.newcomers.iter().filter_map(|newcomer| newcomer.metadata.get("site"));
    match sites.into_iter().find(|site| *site != "north") {
        None => Ok(()),
        Some(site) => Err(format!("{} of {site} and its company", merge.newcomers.len())),
    }
}

fn agent(name: &str) -> AgentBuilder {
    // Nothing beyond this machine is heard or sent to, and a hundred members are enough.
    let here = "127.0.0.0/8".parse().expect("a network");
    let any = ([127, 0, 0, 1], 0).into();
    Agent::builder().name(name).bind(any).options(Options::local()).allow([here]).max_members(100)
}

/// Waits until an agent holds `count` members.
async fn everybody(agent: &Handle, count: usize) -> Result<(), Box<dyn Error>> {
    agent.watch().wait_for(|members| members.len() == count).await?;
    Ok(())
}
