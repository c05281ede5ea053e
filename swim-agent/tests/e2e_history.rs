//! Why a member is suspect: what an agent remembers of it, and where it asks others to look.
#![cfg(all(unix, feature = "cli"))]

mod common;

use common::{Agent, Process, assert_fails, text, until};
use serde_json::Value;

/// The incidents of one kind in an answer, the latest first.
fn of_kind(body: &Value, list: &str, kind: &str) -> Vec<Value> {
    let incidents = body[list].as_array().expect("a list of incidents").iter();
    incidents.filter(|incident| incident["type"] == kind).cloned().collect()
}

#[test]
fn a_death_is_told_with_accusers_reasons_and_ways() {
    let a = Agent::start("a", &["--meta", "zone=z1"]);
    let b = Agent::join("b", &a);
    let mut c = Agent::join("c", &a);
    for agent in [&a, &b] {
        agent.until_states("a:alive b:alive c:alive");
    }
    c.process.kill();
    for agent in [&a, &b] {
        agent.until_states("a:alive b:alive c:dead");
    }
    let detail = a.json(&["info", "c"]);
    assert_eq!((&detail["agent"], &detail["member"]["state"]), (&"a".into(), &"dead".into()));
    let died = &of_kind(&detail, "history", "died")[0];
    assert_eq!(died["address"], c.gossip.to_string());
    assert!(died["age_ms"].as_u64().unwrap() < 60_000 && text(&died["time"]).ends_with('Z'));
    // One of the two suspected it first, and says how it came to that.
    let kind = |kind| {
        let of = |agent: &&Agent| of_kind(&agent.json(&["info", "c"]), "history", kind);
        [&a, &b].iter().flat_map(of).next().unwrap_or_else(|| panic!("nobody tells of {kind}"))
    };
    let suspected = kind("suspected");
    assert!(["a", "b"].contains(&text(&suspected["by"]).as_str()), "{suspected}");
    let probe = &kind("probe_failed")["probe"];
    assert!(!probe["pings_ms"].as_array().unwrap().is_empty(), "{probe}");
    let relay = &probe["relays"][0];
    assert!(["a", "b"].contains(&text(&relay["name"]).as_str()), "{probe}");
    assert!(["nack", "nothing"].contains(&text(&relay["said"]).as_str()), "{probe}");
    assert!(["failing", "waiting"].contains(&text(&probe["stream"]["state"]).as_str()), "{probe}");
    let words = a.ok(&["info", "c"]);
    assert!(
        words.contains("state                 dead") && words.contains("\nhistory\n"),
        "{words}"
    );
    let accusations = a.json(&["info"]);
    assert_eq!(of_kind(&accusations, "accusations", "died")[0]["name"], "c");
    assert!(a.ok(&["info"]).contains("\naccusations "));
    let itself = a.json(&["info", "a"]);
    assert_eq!(itself["member"]["metadata"]["zone"], "z1");
    assert!(itself["member"]["last_seen"].is_null(), "none of itself");
}

#[test]
fn an_agent_remembers_what_was_said_of_itself() {
    let a = Agent::start("a", &[]);
    let b = Agent::join("b", &a);
    a.until_states("a:alive b:alive");
    b.process.signal(rustix::process::Signal::STOP);
    until("b is dead", || a.states() == "a:alive b:dead");
    // Long enough to be called a standstill, however soon it was found dead.
    std::thread::sleep(std::time::Duration::from_secs(2));
    b.process.signal(rustix::process::Signal::CONT);
    until("b is back", || a.states() == "a:alive b:alive");
    until("b knows who accused it", || {
        of_kind(&b.json(&["info"]), "accusations", "refuted").iter().any(|it| it["by"] == "a")
    });
    let info = b.json(&["info"]);
    assert!(info["standstill"]["lasted_ms"].as_u64().unwrap() >= 1_000, "{}", info["standstill"]);
    let words = b.ok(&["info"]);
    assert!(words.contains("b accused by a"), "{words}");
    assert!(
        words.lines().any(|it| it.starts_with("stood still") && it.ends_with(" ago")),
        "{words}"
    );
    until("its log says so", || {
        let log = b.process.stderr();
        let warned = |it: &str| it.contains(" WARN ") && it.contains("this agent stood still for");
        log.lines().any(warned) && log.contains("a held this agent suspect or gone")
    });
    let back = of_kind(&a.json(&["info", "b"]), "history", "joined");
    assert!(!back.is_empty(), "a remembers that it came back");
}

#[test]
fn names_that_are_unknown_or_odd_are_answered() {
    let odd = "a/b ?#%2F\u{e9}\n";
    let a = Agent::start(odd, &[]);
    assert_eq!(a.json(&["info", odd])["member"]["name"], odd);
    assert!(a.ok(&["info", odd]).contains("a/b ?#%2F\u{e9}\\n"));
    assert_fails(&a.run(&["info", "nobody"]), 1, "\"nobody\"");
    let long = "n".repeat(100_000);
    assert_fails(&a.run(&["info", &long]), 2, "100000 bytes");
    assert_fails(&a.run(&["info", ""]), 2, "0 bytes");
    assert_fails(&a.run(&["info", "a", "--explain"]), 2, "--explain");
    assert_fails(&a.run(&["info", "a", "b"]), 2, "'b'");
    assert_fails(&common::run(&["info", "a", "--http-addr", "127.62.0.1:1"]), 3, "127.62.0.1:1");
}

#[test]
fn a_quick_restart_is_told_and_remembered() {
    let directory = format!("{}/restart-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let a = Agent::start("a", &[]);
    let c = Agent::join("c", &a);
    let seed = a.gossip.to_string();
    let mut b = Agent::start("b", &["--join", &seed, "--data-dir", &directory]);
    for agent in [&a, &b, &c] {
        agent.until_states("a:alive b:alive c:alive");
    }
    let monitor = Process::start(a.command(&["monitor"]));
    until("the monitor watches", || monitor.stderr().contains("watching a at"));
    // No goodbye, and back before anybody has missed it.
    b.process.kill();
    let bind = b.gossip.to_string();
    let args = ["--join", &seed, "--data-dir", &directory, "--bind", &bind];
    let _b = Agent::start("b", &args);
    for agent in [&a, &c] {
        until("it is remembered", || {
            let detail = agent.json(&["info", "b"]);
            detail["history"].as_array().unwrap().iter().any(|it| it["reason"] == "restarted")
        });
        until("it is logged", || agent.process.stderr().contains("restarted"));
    }
    until("it is told", || monitor.stdout().contains("(restarted)"));
    std::fs::remove_dir_all(directory).unwrap();
}
