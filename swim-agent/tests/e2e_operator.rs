//! What an operator sees of members and of the agent itself.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::time::{Duration, Instant};

use common::{Agent, Process, assert_fails, free_port, text, until};
use serde_json::{Value, json};

#[test]
fn members_tell_how_the_agent_gets_through_to_them() {
    let a = Agent::start("a", &[]);
    let mut b = Agent::join("b", &a);
    let contact = |agent: &Agent, name: &str, key: &str| agent.members()[name][key].clone();
    until("a round trip is measured", || contact(&a, "b", "round_trip_ms").is_f64());
    let member = a.members()["b"].clone();
    assert!(member["last_seen_ms"].as_u64().unwrap() < 60_000, "{member}");
    assert!(text(&member["last_seen"]).ends_with('Z'), "{member}");
    assert_eq!(member["paths"]["datagram"]["state"], "ok");
    let stream = contact(&b, "a", "paths")["stream"].clone();
    assert_eq!(
        (&stream["state"], &stream["why"]),
        (&"ok".into(), &Value::Null),
        "it joined by one"
    );
    let own = contact(&a, "a", "last_seen_ms");
    assert!(own.is_null() && contact(&a, "a", "round_trip_ms").is_null(), "none to itself");
    let table = a.ok(&["members", "--name", "b"]);
    assert!(table.contains(" ms ") && table.contains("SEEN"), "{table}");
    b.process.kill();
    until("b is dead", || a.states() == "a:alive b:dead");
    assert_eq!(contact(&a, "b", "paths")["datagram"]["state"], "failing");
    until("time passes since it was seen", || {
        contact(&a, "b", "last_seen_ms").as_u64().unwrap() > 1_000
    });
    until("the stream that was to make sure failed", || {
        let stream = contact(&a, "b", "paths")["stream"].clone();
        stream["state"] == "failing" && text(&stream["why"]).contains("refused")
    });
}

#[test]
fn info_tells_of_health_and_explains_every_word() {
    let seed = format!("127.0.0.1:{}", free_port());
    let agent = Agent::start("a", &["--join", &seed]);
    let info = agent.json(&["info"]);
    assert_eq!((&info["ready"], &info["glossary"]), (&false.into(), &Value::Null));
    assert!(text(&info["unready"]).contains("no seed has answered"));
    assert!(agent.ok(&["info"]).contains("no seed has answered"));
    let info = agent.json(&["info", "--explain"]);
    let glossary = info["glossary"].as_object().unwrap();
    for name in info["counters"].as_object().unwrap().keys() {
        assert!(glossary.contains_key(name), "{name} is not explained");
    }
    for (name, meaning) in glossary {
        assert!(text(meaning).len() > 12, "{name}: {meaning}");
        let (outer, inner) = name.split_once('.').unwrap_or((name, ""));
        let known = &info[outer];
        // `null` where nothing of it is so.
        let is_there = info.as_object().unwrap().contains_key(outer);
        assert!(
            is_there || info["counters"].get(name).is_some(),
            "{name} is explained and not there"
        );
        assert!(inner.is_empty() || !known[inner].is_null(), "{name}");
    }
    let table = agent.ok(&["info", "--explain"]);
    // One list: as without it, and each line with what it means.
    let plain = agent.ok(&["info"]);
    let first = |table: &str| {
        let name = |line: &str| line.chars().take(30).collect::<String>().trim_end().to_owned();
        table.lines().map(name).collect::<Vec<_>>()
    };
    assert_eq!(first(&plain), first(&table));
    let health = table.lines().find(|line| line.starts_with("local health")).unwrap();
    assert!(health.contains("0 (0 is healthy)") && health.contains("0 when it hears"), "{health}");
    let explained = |line: &&str| glossary.values().any(|meaning| line.ends_with(&text(meaning)));
    let bare: Vec<_> = table.lines().filter(|line| !explained(line)).collect();
    assert_eq!(bare, ["counters"], "{table}");
    assert_eq!(table.lines().filter(explained).count(), glossary.len());
    assert_fails(&agent.run(&["info", "--explian"]), 2, "--explian");
}

#[test]
fn info_tells_what_is_open() {
    let a = Agent::start("a", &["--event-handler", "query=sleep 600"]);
    let is = |key: &str, count: u64| {
        until(&format!("{key} is {count}"), || a.json(&["info"])[key] == count);
        let words = key.replace('_', " ");
        let table = a.ok(&["info"]);
        let line = table.lines().find(|line| line.starts_with(&words)).expect("the same word");
        assert!(line.ends_with(&format!(" {count}")), "{line}");
    };
    a.ok(&["query", "q", "--timeout", "500ms"]);
    for key in ["queries_open", "streams_open"] {
        is(key, 0);
    }
    let _query = Process::start(a.command(&["query", "q", "--timeout", "10m"]));
    is("queries_open", 1);
    let monitors: Vec<_> = (0..2).map(|_| Process::start(a.command(&["monitor"]))).collect();
    is("streams_open", 2);
    drop(monitors);
    until("it is noticed that they are gone", || {
        a.ok(&["event", "e"]);
        a.json(&["info"])["streams_open"] == 0
    });
    for key in ["updates_waiting", "notices_waiting"] {
        is(key, 0);
    }
}

#[test]
fn a_table_bears_any_name() {
    let a = Agent::start("a", &[]);
    let long = format!("{}-last-words", "long ".repeat(38));
    let b = Agent::start(&long, &["--join", &a.gossip.to_string()]);
    let evil = "evil\u{202e}\u{1b}[2J\u{200b}\u{2028}\tname";
    let c = Agent::start(evil, &["--meta", "k=\u{2066}v", "--join", &a.gossip.to_string()]);
    until("all are in", || a.members().len() == 3);
    until("their metadata too", || a.members()[evil]["metadata"]["k"].is_string());
    assert!(a.members().contains_key(&long), "JSON has it whole");
    let table = a.ok(&["members"]);
    let row = table.lines().find(|line| line.contains("last-words")).unwrap();
    assert!(row.contains('\u{2026}') && row.chars().count() < 160, "{row}");
    for steering in ['\u{202e}', '\u{1b}', '\u{200b}', '\u{2028}', '\u{2066}', '\t'] {
        assert!(!table.contains(steering), "{steering:?} in {table}");
    }
    assert!(table.contains("evil\\u{202e}") && table.contains("k=\\u{2066}v"), "{table}");
    assert!(!c.ok(&["info"]).contains('\u{202e}'));
    drop(b);
}

#[test]
fn a_join_names_who_did_not_answer() {
    let a = Agent::start("a", &[]);
    let b = Agent::start("b", &[]);
    let nobody = format!("127.0.0.1:{}", free_port());
    let text = a.ok(&["join", &nobody, &b.gossip.to_string(), "nowhere.invalid:1"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "joined"), "{text}");
    assert!(lines[1].starts_with(&format!("no answer from {nobody}: ")), "{text}");
    assert!(lines[2].starts_with("no answer from nowhere.invalid:1: "), "{text}");
    a.until_states("a:alive b:alive");
    let body = a.json(&["join", &b.gossip.to_string(), &nobody]);
    assert_eq!(body["joined"], 1);
    assert_eq!(body["unanswered"][0]["address"], nobody.as_str());
    assert!(text.contains("refused"), "{text}");
    // Silence takes five seconds each time; a refusal takes as long only on a machine that is held up.
    until("a refusal ends it at once", || {
        let start = Instant::now();
        assert_fails(&a.run(&["join", &nobody]), 1, &nobody);
        start.elapsed() < Duration::from_secs(4)
    });
    let own = a.gossip.to_string();
    assert_fails(&a.run(&["join", &own]), 1, "it is this agent itself");
}

#[test]
fn an_address_that_cannot_be_right_is_wrong_usage() {
    let a = Agent::start("a", &[]);
    for wrong in ["node-1", "node-1:", ":1", "node-1:0", "node-1:99999", "", "a b\u{202e}"] {
        assert_fails(&a.run(&["join", wrong]), 2, "HOST:PORT");
    }
    assert_eq!(a.states(), "a:alive");
}

#[test]
fn a_monitor_tells_what_has_changed() {
    let a = Agent::start("a", &[]);
    let b = Agent::start("b", &["--meta", "zone=z1", "--join", &a.gossip.to_string()]);
    until("b is known", || a.members().contains_key("b"));
    let table = Process::start(a.command(&["monitor", "--backlog", "0"]));
    let json = Process::start(a.command(&["monitor", "--backlog", "0", "--format", "json"]));
    for monitor in [&table, &json] {
        until("the monitor watches", || monitor.stderr().contains("watching a at"));
    }
    b.ok(&["meta", "set", "role=db"]);
    until("a key is new", || table.stdout().contains(" role=db\n"));
    b.ok(&["meta", "rm", "zone"]);
    until("a key is gone", || table.stdout().contains(" -zone\n"));
    let changes = || {
        let events = json.stdout();
        let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.map(|event| event["changed"].clone()).collect::<Vec<_>>()
    };
    until("both are told", || changes().len() >= 2);
    assert_eq!(changes()[..2], [json!({"role": "db"}), json!({"zone": null})]);
}
