//! `swim rtt`: what was measured, what coordinates tell, and what is not known.
#![cfg(all(unix, feature = "cli"))]

mod common;

use common::{Agent, assert_fails, file, stderr, text, until};
use serde_json::Value;

/// An agent with ten protocol periods a second, so that coordinates come soon.
fn quick(name: &str, coordinates: bool, join: Option<&Agent>) -> Agent {
    let knobs = format!("probe_interval = 100\nprobe_timeout = 80\ncoordinates = {coordinates}\n");
    let config = file(&format!("rtt-{name}-{coordinates}.toml"), &format!("[protocol]\n{knobs}"));
    let seed = join.map(|agent| agent.gossip.to_string());
    let join: Vec<&str> = seed.iter().flat_map(|seed| ["--join", seed.as_str()]).collect();
    Agent::start(name, &[&["--config", &config][..], &join].concat())
}

fn rtt(agent: &Agent, names: &[&str]) -> Value {
    agent.json(&[&["rtt"], names].concat())
}

fn known(agent: &Agent, names: &[&str]) -> bool {
    agent.run(&[&["rtt"], names].concat()).status.success()
}

#[test]
fn a_round_trip_is_measured_or_estimated_and_says_which() {
    let a = quick("a", true, None);
    let b = quick("b", true, Some(&a));
    let c = quick("c", true, Some(&a));
    for agent in [&a, &b, &c] {
        agent.until_states("a:alive b:alive c:alive");
    }
    until("it is measured", || known(&a, &["b"]));
    let measured = rtt(&a, &["b"]);
    assert_eq!((&measured["from"], &measured["to"]), (&"a".into(), &"b".into()));
    assert_eq!((&measured["source"], &measured["error_ms"]), (&"measured".into(), &Value::Null));
    let time = measured["round_trip_ms"].as_f64().unwrap();
    assert!(time > 0.0 && time < 80.0, "{measured}");
    let table = a.ok(&["rtt", "b"]);
    assert!(table.starts_with("a to b: ") && table.ends_with(" ms, measured\n"), "{table}");
    let back = rtt(&a, &["b", "a"]);
    assert_eq!((&back["from"], &back["source"]), (&"b".into(), &"measured".into()));

    until("a knows both coordinates", || known(&a, &["b", "c"]));
    let estimated = rtt(&a, &["b", "c"]);
    assert_eq!(text(&estimated["source"]), "estimated");
    let (time, error) = (&estimated["round_trip_ms"], &estimated["error_ms"]);
    assert!(time.as_f64().unwrap() < 1_000.0 && error.as_f64().unwrap() >= 0.0, "{estimated}");
    let table = a.ok(&["rtt", "b", "c"]);
    assert!(table.contains(" ms, estimated, give or take "), "{table}");

    until("a is sure of its place", || a.json(&["info"])["coordinate"]["error"] != 1.5);
    let coordinate = a.json(&["info"])["coordinate"].clone();
    assert_eq!(coordinate["position_ms"].as_array().unwrap().len(), 3);
    assert!(coordinate["height_ms"].is_f64() && coordinate["error"].is_f64(), "{coordinate}");
    assert!(a.ok(&["info"]).contains(" ms above, error "));
}

#[test]
fn what_is_not_known_is_told_in_one_line() {
    let a = quick("a", true, None);
    assert_fails(&a.run(&["rtt", "b"]), 1, "no member \"b\"");
    assert_fails(&a.run(&["rtt", "a", "b"]), 1, "no member \"b\"");
    assert_fails(&a.run(&["rtt", "a"]), 1, "itself");
    assert_fails(&a.run(&["rtt", "a", "a"]), 1, "itself");
    assert_fails(&a.run(&["rtt", ""]), 1, "no member \"\"");
    for strange in ["two words", "n\u{f6}de&to=a", "\u{1b}[2J\n", "%00#?"] {
        let output = a.run(&["rtt", "a", strange]);
        assert_fails(&output, 1, "no member ");
        assert!(!stderr(&output).contains('\u{1b}'));
    }
    let long = "n".repeat(100_000);
    assert_fails(&a.run(&["rtt", &long]), 2, "to of 100000 bytes");
    let no_such = "n".repeat(10_000);
    assert_fails(&a.run(&["rtt", &no_such]), 1, "no member");
    assert_fails(&a.run(&["members", "--name", &long]), 2, "name of 100000 bytes");
    assert_eq!(a.states(), "a:alive", "it runs all the same");
}

#[test]
fn a_name_that_is_known_and_strange_is_found() {
    let a = quick("a", true, None);
    let strange = "n\u{f6}de &to=a%";
    let b = Agent::start(strange, &["--join", &a.gossip.to_string()]);
    until("it is measured", || known(&a, &[strange]));
    assert_eq!(text(&rtt(&a, &[strange])["to"]), strange);
    drop(b);
}

#[test]
fn switched_off_only_what_was_measured_is_known() {
    let a = quick("a", false, None);
    let _b = quick("b", true, Some(&a));
    let _c = quick("c", true, Some(&a));
    a.until_states("a:alive b:alive c:alive");
    until("it is measured", || known(&a, &["b"]));
    assert_fails(&a.run(&["rtt", "b", "c"]), 1, "protocol.coordinates");
    assert_eq!(a.json(&["info"])["coordinate"], Value::Null);
    assert!(a.ok(&["info"]).contains("off"));
}
