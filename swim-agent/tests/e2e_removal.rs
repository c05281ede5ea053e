//! `swim force-leave`: nobody is blocked, the live come back, the removed are not asked again.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use common::{Agent, PATIENCE, assert_fails, text, until};
use serde_json::{Value, json};

/// Below what waiting for others took elsewhere, and far above what an answer takes.
const AT_ONCE: Duration = Duration::from_secs(5);

fn cluster(names: &[&str]) -> Vec<Agent> {
    let mut agents: Vec<Agent> = Vec::new();
    for name in names {
        let agent = match agents.first() {
            Some(seed) => Agent::join(name, seed),
            None => Agent::start(name, &[]),
        };
        agents.push(agent);
    }
    let states: Vec<_> = names.iter().map(|name| format!("{name}:alive")).collect();
    agents.iter().for_each(|agent| agent.until_states(&states.join(" ")));
    agents
}

#[test]
fn a_dead_member_is_removed_and_then_pruned() {
    let mut agents = cluster(&["a", "b", "c"]);
    agents[2].process.kill();
    agents[..2].iter().for_each(|agent| agent.until_states("a:alive b:alive c:dead"));
    assert_eq!(agents[0].ok(&["force-leave", "c"]), "removed c, which was dead\n");
    assert_eq!(agents[0].states(), "a:alive b:alive c:left", "here at once");
    agents[1].until_states("a:alive b:alive c:left");
    let detail = agents[1].json(&["info", "c"]);
    let last = &detail["history"][0];
    assert_eq!(
        (&last["type"], &last["reason"], &last["by"]),
        (&json!("left"), &json!("removed"), &json!("a"))
    );
    let body = agents[1].json(&["force-leave", "--prune", "c"]);
    assert_eq!(body, json!({"name": "c", "old_state": "left", "pruned": true}));
    agents[..2].iter().for_each(|agent| agent.until_states("a:alive b:alive"));
    let detail = agents[0].json(&["info", "c"]);
    assert!(detail["member"].is_null(), "{detail}");
    assert_eq!(
        detail["history"][0]["reason"], "pruned",
        "what happened to it can still be looked up"
    );
    assert!(agents[0].ok(&["info", "c"]).contains("no member any more"));
    assert_eq!(agents[0].json(&["info"])["counters"]["removals"], 2);
    let again = Agent::join("c", &agents[0]);
    agents[..2].iter().for_each(|agent| agent.until_states("a:alive b:alive c:alive"));
    drop(again);
}

#[test]
fn nobody_is_blocked_while_a_live_member_is_pruned_and_comes_back() {
    let agents = cluster(&["a", "b", "c", "d"]);
    let (done, slowest) = (AtomicBool::new(false), std::sync::Mutex::new(Duration::ZERO));
    thread::scope(|scope| {
        for agent in &agents {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    let start = Instant::now();
                    agent.members();
                    let mut slowest = slowest.lock().unwrap();
                    *slowest = start.elapsed().max(*slowest);
                }
            });
        }
        for _ in 0..10 {
            let start = Instant::now();
            let said = agents[0].ok(&["force-leave", "--prune", "c"]);
            assert!(said.starts_with("pruned c, which was "), "{said}");
            assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
            until("c is back", || {
                agents.iter().all(|agent| agent.states() == "a:alive b:alive c:alive d:alive")
            });
        }
        done.store(true, Relaxed);
    });
    let slowest = *slowest.lock().unwrap();
    println!("the slowest call of all: {slowest:?}");
    assert!(slowest < AT_ONCE, "{slowest:?}");
    until("c logs who removed it", || {
        let log = agents[2].process.stderr();
        log.contains(" WARN ") && log.contains("a removed this agent from the cluster")
    });
    let said = agents[2].json(&["info"])["accusations"].clone();
    let refuted =
        |said: &Value| said["type"] == "refuted" && said["reason"] == "pruned" && said["by"] == "a";
    assert!(said.as_array().unwrap().iter().any(refuted), "{said}");
}

#[test]
fn a_removed_member_is_not_asked_after_a_restart() {
    for prune in [false, true] {
        let directory =
            format!("{}/removal-{prune}-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        let state = || swim_agent::state::read(directory.as_ref()).unwrap().members;
        let b = Agent::start("b", &[]);
        let mut c = Agent::join("c", &b);
        let mut a = Agent::start("a", &["--data-dir", &directory, "--join", &b.gossip.to_string()]);
        a.until_states("a:alive b:alive c:alive");
        c.process.kill();
        a.until_states("a:alive b:alive c:dead");
        b.ok(if prune { &["force-leave", "--prune", "c"] } else { &["force-leave", "c"] });
        until("that is on the disk", || {
            state()["c"].standing == swim_agent::state::Standing::Removed
        });
        a.process.kill();
        let again = Agent::start("a", &["--data-dir", &directory]);
        again.until_states("a:alive b:alive");
        let log = again.process.stderr();
        assert!(log.contains("through 1 of 1 remembered"), "only b is asked: {log}");
        std::fs::remove_dir_all(&directory).unwrap();
    }
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let agents = cluster(&["a", "b"]);
    let a = &agents[0];
    assert_fails(&a.run(&["force-leave", "a"]), 1, "\"a\" is this agent itself: have it leave");
    assert_fails(
        &a.run(&["force-leave", "a b\u{1b}[2J\u{e9}"]),
        1,
        "no member is named \"a b\\u{1b}[2J\u{e9}\"",
    );
    assert_fails(&a.run(&["force-leave"]), 2, "<NAME>");
    assert_fails(&a.run(&["force-leave", ""]), 2, "0 bytes");
    assert_fails(&a.run(&["force-leave", "b", "--purge"]), 2, "--purge");
    assert_fails(&a.run(&["force-leave", &"n".repeat(100_000)]), 2, "100000 bytes");
    let nobody = common::run(&["force-leave", "b", "--http-addr", "127.62.0.1:1"]);
    assert_fails(&nobody, 3, "127.62.0.1:1");
    assert_eq!(a.states(), "a:alive b:alive", "nothing has happened");
    assert_eq!(a.json(&["info"])["counters"]["removals"], 0);
    assert!(PATIENCE > AT_ONCE && text(&a.members()["b"]["state"]) == "alive");
}

#[test]
fn who_does_not_come_back_after_an_outage_is_named_until_it_does_or_is_removed() {
    let directory = format!("{}/outage-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let mut a = Agent::start("a", &["--data-dir", &directory]);
    let mut agents: Vec<_> = ["b", "c", "d"].iter().map(|name| Agent::join(name, &a)).collect();
    a.until_states("a:alive b:alive c:alive d:alive");
    until("all are on the disk", || {
        swim_agent::state::read(directory.as_ref()).unwrap().members.len() == 3
    });
    assert_eq!(a.json(&["info"])["members_missing"], json!({"count": 0, "names": []}));
    a.process.kill();
    agents.iter_mut().for_each(|agent| agent.process.kill());
    let a = Agent::start("a", &["--data-dir", &directory]);
    assert_eq!(a.json(&["info"])["members_missing"], json!({"count": 3, "names": ["b", "c", "d"]}));
    let words = a.ok(&["info"]);
    assert!(words.contains("members missing               3: b, c, d\n"), "{words}");
    let d = a.json(&["info", "d"]);
    assert_eq!((&d["member"], text(&d["missing"])), (&json!(null), agents[2].gossip.to_string()));
    let words = a.ok(&["info", "d"]);
    assert!(words.contains(&format!("before that it lived at {}\n", agents[2].gossip)), "{words}");
    let _b = Agent::join("b", &a);
    until("b is back", || a.json(&["info"])["members_missing"]["count"] == 2);
    assert_eq!(a.ok(&["force-leave", "c"]), "removed c, which was dead\n");
    assert_eq!(a.json(&["info"])["members_missing"], json!({"count": 1, "names": ["d"]}));
    assert_fails(&a.run(&["force-leave", "c"]), 1, "\"c\"");
    until("c is not asked after the next restart", || {
        let members = swim_agent::state::read(directory.as_ref()).unwrap().members;
        members["c"].standing == swim_agent::state::Standing::Removed
    });
    drop(a);
    std::fs::remove_dir_all(&directory).unwrap();
}
