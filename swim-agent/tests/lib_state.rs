//! What an agent remembers, over several lives on a network in memory.

mod lib_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lib_support::{addr, alive, builder, options};
use swim_agent::state::{self, Standing};
use swim_agent::{Agent, Handle, SpawnError};
use swim_core::Options;
use swim_transport::Network;

/// An empty directory for one test.
fn place(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lib-state-{test}"));
    // It is there only when the test ran before.
    let _ = std::fs::remove_dir_all(&path);
    path
}

/// Agent 1, without seeds, on its directory, while the clock shows `epoch`.
async fn life(network: &Network, directory: &Path, epoch: u32) -> Handle {
    loop {
        let options = Options { boot_epoch: epoch, ..options(1) };
        match builder(network, 1).options(options).data_dir(directory).spawn().await {
            // The former life may still be writing: the runtime's time does not pass for the disk.
            Err(SpawnError::State(state::StateError::InUse { .. })) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            started => return started.expect("an agent"),
        }
    }
}

/// Waits until the disk has what is wanted.
fn until(directory: &Path, wanted: impl Fn(&BTreeMap<String, state::Place>) -> bool) {
    for _ in 0..2_000 {
        let held = state::read(directory).expect("a state").members;
        if wanted(&held) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("not within ten seconds: {:?}", state::read(directory));
}

fn standings(held: &BTreeMap<String, state::Place>) -> Vec<(&str, Standing)> {
    held.iter().map(|(name, place)| (name.as_str(), place.standing)).collect()
}

#[tokio::test(start_paused = true)]
async fn who_is_not_found_again_is_remembered_as_dead_so_that_memories_do_not_pile_up() {
    let (network, directory) = (Network::new(), place("piling"));
    let n1 = life(&network, &directory, 1).await;
    let others = [builder(&network, 2).spawn().await, builder(&network, 3).spawn().await];
    alive(&n1, 3).await;
    until(&directory, |held| standings(held) == [("n2", Standing::Live), ("n3", Standing::Live)]);
    n1.shutdown().await;
    for other in others {
        other.expect("an agent").shutdown().await;
    }
    // Where the second one lived there is another now; the third one is gone for good.
    let other = builder(&network, 2).name("other").spawn().await.expect("an agent");
    let n1 = life(&network, &directory, 1).await;
    alive(&n1, 2).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let wanted = [("n2", Standing::Dead), ("n3", Standing::Dead), ("other", Standing::Live)];
    until(&directory, |held| standings(held) == wanted);
    assert_eq!(n1.info().await.expect("a running agent").join_attempts, None, "it asks no more");
    drop(other);
}

/// An agent on its directory below `place`, in an epoch of its own, through these seeds.
async fn rising(network: &Network, place: &Path, number: u8, seeds: Option<&str>) -> Handle {
    loop {
        let transport = network.bind(addr(number)).expect("a free address");
        let name = format!("n{number}");
        let agent = Agent::builder().name(&name).transport(transport).join(seeds);
        let agent = agent.options(options(number.into())).data_dir(place.join(&name));
        match agent.spawn().await {
            Err(SpawnError::State(state::StateError::InUse { .. })) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            started => return started.expect("an agent"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_larger_than_what_is_asked_at_a_time_finds_together_after_an_outage() {
    const COUNT: u8 = 30;
    let (network, place) = (Network::new(), place("outage"));
    let mut agents = Vec::new();
    for number in 1..=COUNT {
        let seed = (number > 1).then_some(lib_support::SEED);
        agents.push(rising(&network, &place, number, seed).await);
    }
    for (number, agent) in (1..).zip(&agents) {
        alive(agent, COUNT.into()).await;
        until(&place.join(format!("n{number}")), |held| held.len() + 1 == usize::from(COUNT));
    }
    for agent in agents.drain(..) {
        agent.shutdown().await;
    }
    let started = tokio::time::Instant::now();
    for number in 1..=COUNT {
        agents.push(rising(&network, &place, number, None).await);
    }
    for agent in &agents {
        alive(agent, COUNT.into()).await;
    }
    println!("{COUNT} agents see each other {:?} after an outage", started.elapsed());
}

/// In real time: what an agent waits for at its end is the disk.
#[tokio::test]
async fn an_agent_that_does_not_start_leaves_its_directory_free() {
    let (network, directory) = (Network::new(), place("free"));
    let large = [("key", "v".repeat(400))];
    let n1 = life(&network, &directory, 1).await;
    n1.update_metadata("other", "v".repeat(400)).await.expect("room");
    n1.shutdown().await;
    for _ in 0..3 {
        let refused = builder(&network, 1).data_dir(&directory).metadata(large.clone());
        let error = refused.spawn().await.expect_err("both together are too large");
        assert!(matches!(error, SpawnError::Config(_)), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_has_a_higher_epoch_in_each_life_whatever_the_clock_says() {
    let (network, directory) = (Network::new(), place("epoch"));
    for (clock, epoch) in [(100, 100), (100, 101), (7, 102), (500, 500)] {
        let n1 = life(&network, &directory, clock).await;
        let incarnation = n1.info().await.expect("a running agent").incarnation;
        assert_eq!(incarnation >> 32, epoch);
        n1.shutdown().await;
    }
}
