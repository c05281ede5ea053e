//! Agents find each other, notice who crashed or left, and heal; on virtual time.

mod lib_support;

use std::collections::BTreeMap;
use std::time::Duration;

use lib_support::{SEED, addr, alive, builder, cluster, event, options, over, spawn, state, until};
use swim_agent::{ChangeError, JoinError};
use swim_core::{EventKind, MemberState, MetadataError, Options, Reason};
use swim_transport::{Faulty, Network};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn two_agents_find_each_other_at_once() {
    let network = Network::new();
    let first = spawn(&network, 1).await;
    let mut events = first.events();
    let started = Instant::now();
    let second = spawn(&network, 2).await;
    alive(&second, 2).await;
    alive(&first, 2).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let joined = event(&mut events, EventKind::Joined, "n2").await;
    assert_eq!((joined.address, joined.old_state), (addr(2), None));
    assert_eq!(first.info().await.unwrap().join_attempts, None);
}

#[tokio::test(start_paused = true)]
async fn five_agents_find_each_other_through_one() {
    let agents = cluster(&Network::new(), 5).await;
    let hash = agents[0].info().await.unwrap().view_hash;
    for agent in &agents {
        let info = agent.info().await.unwrap();
        assert_eq!((info.counts.alive, info.view_hash), (5, hash), "{}", agent.name());
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_that_comes_up_later_is_found() {
    let network = Network::new();
    let second = spawn(&network, 2).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(second.info().await.unwrap().join_attempts > Some(2));
    let first = spawn(&network, 1).await;
    alive(&first, 2).await;
    alive(&second, 2).await;
    assert_eq!(second.info().await.unwrap().join_attempts, None);
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_noticed_and_events_say_who_accused_and_why() {
    let agents = cluster(&Network::new(), 5).await;
    let mut events = agents[0].events();
    agents[4].shutdown().await;
    let suspected = event(&mut events, EventKind::Suspected, "n5").await;
    let accuser = suspected.by.expect("an accuser");
    assert!(["n1", "n2", "n3", "n4"].contains(&accuser.as_str()), "{accuser}");
    let by_itself = suspected.reason == Reason::ProbeFailed;
    assert_eq!(by_itself, accuser == "n1", "{:?}", suspected.reason);
    let died = event(&mut events, EventKind::Died, "n5").await;
    assert_eq!((died.old_state, died.state), (Some(MemberState::Suspect), Some(MemberState::Dead)));
    for agent in &agents[..4] {
        state(agent, "n5", MemberState::Dead).await;
    }
    assert!(agents[4].info().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_leaves_is_left_and_not_dead() {
    let network = Network::new();
    let agents = cluster(&network, 5).await;
    let started = Instant::now();
    agents[4].leave().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    for agent in &agents[..4] {
        let members = state(agent, "n5", MemberState::Left).await;
        assert_eq!(members.count(MemberState::Alive), 4);
    }
    assert!(agents[4].leave().await.is_err(), "it has left already");
    assert_eq!(agents[4].members().local().state, MemberState::Left);
    network.bind(addr(5)).expect("the address is free again");
}

#[tokio::test(start_paused = true)]
async fn all_leave_at_once_and_nobody_waits_for_the_others() {
    let agents = cluster(&Network::new(), 5).await;
    let started = Instant::now();
    let leaving = agents.iter().cloned().map(|agent| {
        tokio::spawn(async move {
            agent.leave().await.unwrap();
            Instant::now()
        })
    });
    for left in leaving.collect::<Vec<_>>() {
        assert!(left.await.unwrap() - started < Duration::from_secs(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_under_the_same_name_elsewhere_is_accepted_quickly() {
    let network = Network::new();
    let agents = cluster(&network, 3).await;
    agents[2].shutdown().await;
    let options = Options { boot_epoch: 2, ..options(33) };
    let transport = network.bind(addr(77)).unwrap();
    let started = Instant::now();
    let again = over(transport, 3).options(options).spawn().await.unwrap();
    alive(&again, 3).await;
    for agent in &agents[..2] {
        until(agent, "the new address", |members| {
            let moved = members.get("n3").expect("a member");
            moved.address == addr(77) && moved.state == MemberState::Alive
        })
        .await;
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(agents[0].members().iter().all(|member| member.state == MemberState::Alive));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_metadata_is_seen_by_all() {
    let agents = cluster(&Network::new(), 3).await;
    let mut events = agents[0].events();
    agents[2].update_metadata("role", "db").await.unwrap();
    let updated = event(&mut events, EventKind::Updated, "n3").await;
    assert_eq!(updated.state, Some(MemberState::Alive));
    assert_eq!(agents[0].members().get("n3").unwrap().metadata["role"], "db");
    let set = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
    agents[2].change_metadata(set.clone(), vec!["role".to_owned()]).await.unwrap();
    for agent in &agents {
        until(agent, "the zone", |members| members.get("n3").unwrap().metadata == set).await;
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_above_the_limit_is_refused_with_both_sizes() {
    let agents = cluster(&Network::new(), 2).await;
    let before = agents[0].members().local().incarnation;
    let error = agents[0].update_metadata("k", "x".repeat(600)).await.unwrap_err();
    let ChangeError::Metadata(MetadataError::TooLarge { len, limit: 512 }) = error else {
        panic!("{error:?}")
    };
    assert!(error.to_string().contains(&len.to_string()), "{error}");
    assert!(error.to_string().contains("512"), "{error}");
    assert_eq!(agents[0].members().local().incarnation, before);
}

#[tokio::test(start_paused = true)]
async fn a_partition_heals_without_anybody_joining_again() {
    let network = Network::new();
    let (mut agents, mut faults) = (Vec::new(), Vec::new());
    for number in 1..=6 {
        let transport = Faulty::new(network.bind(addr(number)).unwrap(), number.into());
        faults.push(transport.faults());
        agents.push(over(transport, number).spawn().await.unwrap());
    }
    for agent in &agents {
        alive(agent, 6).await;
    }
    for (at, fault) in faults.iter().enumerate() {
        (1..=6)
            .filter(|&other| (other <= 3) != (at < 3))
            .for_each(|other| fault.block(addr(other)));
    }
    for agent in &agents {
        until(agent, "three dead", |members| members.count(MemberState::Dead) == 3).await;
    }
    faults.iter().for_each(swim_transport::Faults::clear);
    let started = Instant::now();
    for agent in &agents {
        alive(agent, 6).await;
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_outlasts_memory_heals_too() {
    let network = Network::new();
    let (mut agents, mut faults) = (Vec::new(), Vec::new());
    for number in 1..=12 {
        let transport = Faulty::new(network.bind(addr(number)).unwrap(), number.into());
        faults.push(transport.faults());
        agents.push(over(transport, number).spawn().await.unwrap());
    }
    for agent in &agents {
        alive(agent, 12).await;
    }
    for (at, fault) in faults.iter().enumerate() {
        (1..=12)
            .filter(|&other| (other <= 6) != (at < 6))
            .for_each(|other| fault.block(addr(other)));
    }
    for agent in &agents {
        until(agent, "the others forgotten", |members| members.len() == 6).await;
    }
    faults.iter().for_each(swim_transport::Faults::clear);
    let started = Instant::now();
    for agent in &agents {
        alive(agent, 12).await;
    }
    println!("healed after {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn loss_of_a_fifth_accuses_nobody_for_long() {
    let network = Network::new();
    let mut agents = Vec::new();
    for number in 1..=5 {
        let transport = Faulty::new(network.bind(addr(number)).unwrap(), number.into());
        transport.faults().set_loss(0.2);
        agents.push(over(transport, number).spawn().await.unwrap());
    }
    for agent in &agents {
        alive(agent, 5).await;
    }
    tokio::time::sleep(Duration::from_secs(300)).await;
    for agent in &agents {
        assert_eq!(agent.info().await.unwrap().stats.deaths, 0, "{}", agent.name());
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_by_hand_returns_when_somebody_answered() {
    let network = Network::new();
    let first = spawn(&network, 1).await;
    let second = over(network.bind(addr(2)).unwrap(), 1).name("n2").spawn().await.unwrap();
    let asked = vec!["10.0.0.9:7946".to_owned(), SEED.to_owned()];
    assert_eq!(second.join(asked).await.unwrap(), 1);
    assert_eq!(second.members().count(MemberState::Alive), 2);
    alive(&first, 2).await;
    assert_eq!(second.info().await.unwrap().join_attempts, None);
}

#[tokio::test(start_paused = true)]
async fn a_join_by_hand_that_fails_says_why_for_each_address() {
    let network = Network::new();
    let first = spawn(&network, 1).await;
    let asked = ["10.0.0.9:7946", "nonsense", SEED].map(str::to_owned).to_vec();
    let started = Instant::now();
    let error = first.join(asked).await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 5);
    let text = error.to_string();
    for part in ["10.0.0.9:7946 (", "nobody is bound", "nonsense (", "HOST:PORT", "itself"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let JoinError::Unanswered(unanswered) = error else { panic!("{error:?}") };
    assert_eq!(unanswered.len(), 3);
    assert_eq!(first.info().await.unwrap().join_attempts, None, "it stops trying");
    assert_eq!(first.join(Vec::new()).await, Err(JoinError::NoAddress));
}

#[tokio::test(start_paused = true)]
async fn a_join_by_hand_does_not_end_the_join_through_the_seeds() {
    let network = Network::new();
    let second = spawn(&network, 2).await;
    let error = second.join(vec!["10.0.0.9:7946".to_owned()]).await.unwrap_err();
    assert!(matches!(error, JoinError::Unanswered(_)), "{error}");
    let first = spawn(&network, 1).await;
    alive(&first, 2).await;
    alive(&second, 2).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_ends_with_its_last_handle() {
    let network = Network::new();
    let first = spawn(&network, 1).await;
    let (watch, mut events) = (first.watch(), first.events());
    drop(first.clone());
    assert!(network.bind(addr(1)).is_err());
    drop(first);
    while events.next().await.is_some() {}
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(watch.has_changed().is_err());
    network.bind(addr(1)).expect("the address is free again");
}

#[tokio::test(start_paused = true)]
async fn settings_are_refused_by_name_before_anything_is_bound() {
    let network = Network::new();
    let mut wrong = options(1);
    wrong.gossip.base.probe_timeout = 60_000;
    let error = builder(&network, 1).options(wrong).spawn().await.unwrap_err();
    assert!(error.to_string().contains("60000"), "{error}");
    let error = builder(&network, 1).cluster("").spawn().await.unwrap_err();
    assert!(error.to_string().contains("cluster name"), "{error}");
    let error = builder(&network, 1).name("").spawn().await.unwrap_err();
    assert!(error.to_string().contains("name of 0 bytes"), "{error}");
}
