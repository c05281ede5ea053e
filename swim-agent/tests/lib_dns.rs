//! Seeds by name, looked up at a DNS server on loopback whose answers change.
#![cfg(feature = "dns")]

#[path = "common/dns.rs"]
mod dns;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use dns::Dns;
use swim_agent::{Agent, AgentBuilder, Handle};
use swim_core::{MemberState, Options};

const PATIENCE: Duration = Duration::from_secs(120);

fn agent(name: &str, dns: &Dns) -> AgentBuilder {
    let bind = ([127, 0, 0, 1], 0).into();
    Agent::builder().name(name).bind(bind).options(Options::local()).dns_server(dns.address)
}

async fn alive(agent: &Handle, count: usize) {
    let mut watch = agent.watch();
    let wanted = watch.wait_for(|members| members.count(MemberState::Alive) == count);
    tokio::time::timeout(PATIENCE, wanted).await.expect("everybody in time").expect("running");
}

fn ips(text: &[&str]) -> Vec<IpAddr> {
    text.iter().map(|ip| ip.parse().expect("a literal address")).collect()
}

#[tokio::test]
async fn a_service_is_joined_through_its_targets() {
    let dns = Dns::start();
    let first = agent("a", &dns).spawn().await.unwrap();
    dns.hosts("a.test.", ips(&["127.0.0.1", "::1"]));
    dns.services("_swim._udp.test.", vec![(1, "a.test.", first.local_addr().port())]);
    for (name, seed) in [("b", "srv:_swim._udp.test"), ("c", "_swim._udp.test")] {
        let other = agent(name, &dns).join([seed]).spawn().await.unwrap();
        alive(&other, 2).await;
        other.leave().await.unwrap();
    }
    let other = agent("d", &dns).spawn().await.unwrap();
    assert_eq!(other.join(vec!["srv:_swim._udp.test".to_owned()]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_service_whose_first_targets_lead_nowhere_is_joined_through_the_others() {
    let dns = Dns::start();
    let first = agent("a", &dns).spawn().await.unwrap();
    dns.hosts("a.test.", ips(&["127.0.0.1"]));
    let port = first.local_addr().port();
    dns.services("swim.test.", vec![(1, "gone.test.", port), (1, "a.test.", port)]);
    let other = agent("b", &dns).join(["srv:swim.test"]).spawn().await.unwrap();
    alive(&other, 2).await;
}

#[tokio::test]
async fn a_name_that_comes_to_exist_and_moves_is_followed() {
    let dns = Dns::start();
    let first = agent("a", &dns).spawn().await.unwrap();
    let seed = format!("seed.test:{}", first.local_addr().port());
    let other = agent("b", &dns).join([seed]).spawn().await.unwrap();
    let mut asked = Instant::now();
    while other.info().await.unwrap().join_attempts.is_none_or(|attempts| attempts < 2) {
        assert!(asked.elapsed() < PATIENCE, "it tries again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nobody is there.
    dns.hosts("seed.test.", ips(&["127.0.0.9"]));
    let before = dns.asked();
    asked = Instant::now();
    while dns.asked() < before + 4 {
        assert!(asked.elapsed() < PATIENCE, "it looks the name up again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    dns.hosts("seed.test.", ips(&["127.0.0.1"]));
    alive(&other, 2).await;
    assert_eq!(other.info().await.unwrap().join_attempts, None);
}

#[tokio::test]
async fn what_a_server_does_not_know_or_say_is_told_in_one_line() {
    let dns = Dns::start();
    dns.hosts("a.test.", ips(&["127.0.0.1"]));
    let lonely = agent("a", &dns).spawn().await.unwrap();
    let why = async |seed: &str| lonely.join(vec![seed.to_owned()]).await.unwrap_err().to_string();
    for seed in ["srv:none.test", "none.test:7946"] {
        let text = why(seed).await;
        assert!(text.contains(seed) && text.contains("no such name"), "{text}");
    }
    let text = why("srv:a.test").await;
    assert!(text.contains("srv:a.test") && text.contains("no such record"), "{text}");
    dns.services("swim.test.", vec![(1, "gone.test.", 1)]);
    let text = why("srv:swim.test").await;
    assert!(text.contains("gone.test.: no such name"), "{text}");
    dns.silence();
    let started = Instant::now();
    let text = why("srv:swim.test").await;
    assert!(text.contains("does not answer") || text.contains("no answer within"), "{text}");
    assert!(!text.contains('\n') && started.elapsed() < Duration::from_secs(30), "{text}");
}

/// Seeds whose names the server never answers for: one after another, each would take four seconds.
fn dead(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("dead-{number}.test:7946")).collect()
}

#[tokio::test]
async fn dead_names_delay_no_other_seed() {
    let dns = Dns::start();
    dns.silence();
    let first = agent("a", &dns).spawn().await.unwrap();
    let mut seeds = dead(8);
    seeds.push(first.local_addr().to_string());
    let started = Instant::now();
    let other = agent("b", &dns).join(seeds).spawn().await.unwrap();
    alive(&other, 2).await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(other.info().await.unwrap().joined);
}

#[tokio::test]
async fn a_join_that_users_ask_for_looks_all_names_up_at_the_same_time() {
    let dns = Dns::start();
    dns.silence();
    let first = agent("a", &dns).spawn().await.unwrap();
    let other = agent("b", &dns).spawn().await.unwrap();
    let mut seeds = dead(8);
    seeds.insert(3, first.local_addr().to_string());
    let started = Instant::now();
    let joined = other.join_all(seeds).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    assert_eq!(joined.answered, 1);
    let silent: Vec<_> = joined.unanswered.iter().map(|seed| seed.address.as_str()).collect();
    assert_eq!(silent, dead(8), "each is named, in its order");
    for seed in &joined.unanswered {
        assert!(seed.why.contains("its name cannot be resolved"), "{}", seed.why);
    }
}

#[tokio::test]
async fn groups_that_started_apart_merge_when_their_names_come_to_exist() {
    let dns = Dns::start();
    let mut groups = Vec::new();
    for (name, other) in [("left", "right"), ("right", "left")] {
        // Each group knows the other by a service that nobody has announced so far.
        let head = agent(name, &dns).join([format!("srv:{other}.test")]).spawn().await.unwrap();
        let seed = head.local_addr().to_string();
        let tail = agent(&format!("{name}-2"), &dns).join([seed]).spawn().await.unwrap();
        alive(&head, 2).await;
        alive(&tail, 2).await;
        groups.push((name, head, tail));
    }
    dns.hosts("node.test.", ips(&["127.0.0.1"]));
    for (name, head, _) in &groups {
        let port = head.local_addr().port();
        dns.services(&format!("{name}.test."), vec![(1, "node.test.", port)]);
    }
    for (_, head, tail) in &groups {
        alive(head, 4).await;
        alive(tail, 4).await;
    }
}

#[tokio::test]
async fn groups_merge_also_when_one_only_learns_of_the_other_after_it_found_its_own() {
    let dns = Dns::start();
    dns.hosts("node.test.", ips(&["127.0.0.1"]));
    let left = agent("left", &dns).spawn().await.unwrap();
    let right = agent("right", &dns).spawn().await.unwrap();
    let port = |agent: &Handle| agent.local_addr().port();
    dns.services("swim.test.", vec![(1, "node.test.", port(&left))]);
    let knows = agent("left-2", &dns).join(["srv:swim.test"]).spawn().await.unwrap();
    alive(&knows, 2).await;
    let both = vec![(1, "node.test.", port(&left)), (1, "node.test.", port(&right))];
    dns.services("swim.test.", both);
    // Takes up to a minute: so often are the seeds looked up among others.
    for agent in [&left, &knows, &right] {
        alive(agent, 3).await;
    }
}
