//! Names that steer a terminal, wherever they are shown: whole and harmless.
#![cfg(all(unix, feature = "cli"))]

mod common;

use common::{Agent, run, stderr, until};
use serde_json::{Value, json};

#[test]
fn what_an_error_quotes_does_not_steer_the_terminal() {
    for args in [
        &["members", "--http-addr", "a\n\x1b[2J:80"][..],
        &["nosuch\u{202e}\x1b[2J"],
        &["join", "a\nb"],
        &["check-config", "/no\n\x1b/such"],
        &["info", "--token-file", "/no\n\x1b/such"],
        &["meta", "set", "a\n\x07"],
    ] {
        let output = run(args);
        let line = stderr(&output);
        assert!(!output.status.success() && line.lines().count() == 1, "{line}");
        let steers = |char: char| char.is_control() || char == '\u{202e}';
        assert!(!line.trim_end().contains(steers), "{line:?}");
    }
}

#[test]
fn names_may_be_any_text_and_are_shown_whole_and_harmless() {
    let names =
        ["two words", "bell\x07 and\nlines\x1b[2J", "\u{202e}n\u{f6}d \u{1f980}", "=,:/#?&%\"'\\"];
    let seed = Agent::start(names[0], &["--meta", "a key=a \x1b value"]);
    let others: Vec<_> = names[1..].iter().map(|name| Agent::join(name, &seed)).collect();
    until("all are there", || {
        let members = seed.members();
        names.iter().all(|name| members.get(*name).is_some_and(|it| it["state"] == "alive"))
    });
    let steers = |char: &char| (char.is_control() && *char != '\n') || *char == '\u{202e}';
    for args in [&["members"][..], &["info"], &["reachability"]] {
        let shown = seed.ok(args);
        assert!(!shown.chars().any(|char| steers(&char)), "{shown:?}");
    }
    assert_eq!(seed.ok(&["members"]).lines().count(), 1 + names.len());
    // Each can be asked for by its name, and by a pattern.
    for (at, name) in names.iter().enumerate() {
        let said = seed.ok(&["query", "q", "--node", name, "--format", "json"]);
        let first: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        assert_eq!(first["expected"], json!([name]));
        assert!(said.lines().any(|line| line.contains("\"ack\"")), "{at}: {said}");
    }
    let found = seed.json(&["members", "--name", "^\u{202e}n\u{f6}d \u{1f980}$"]);
    assert_eq!(found["members"].as_array().unwrap().len(), 1);
    let odd = "k\n\x1b\u{202e}=v\u{1f980} =\t\"";
    assert!(!others[0].ok(&["meta", "set", odd]).trim_end().chars().any(|char| steers(&char)));
    until("the pair is known", || {
        seed.members()[names[1]]["metadata"]["k\n\x1b\u{202e}"] == "v\u{1f980} =\t\""
    });
    // A cluster's name is as free.
    let other = Agent::start("a", &["--cluster", "prod \u{202e}\n"]);
    assert_eq!(other.json(&["info"])["cluster"], "prod \u{202e}\n");
    assert!(!other.ok(&["info"]).chars().any(|char| steers(&char)));
}

#[test]
fn what_others_call_themselves_does_not_steer_the_log() {
    let name = "bell\x07\x1b[2J\r\u{202e}";
    for format in ["text", "json"] {
        let seed = Agent::start("n1", &["--log-level", "trace", "--log-format", format]);
        let other = Agent::start(name, &["--join", &seed.gossip.to_string()]);
        seed.until_states(&format!("{name}:alive n1:alive"));
        other.ok(&["event", name, name]);
        other.ok(&["leave"]);
        let stranger = ["--join", &seed.gossip.to_string(), "--cluster", name];
        let _stranger = Agent::start("n3", &stranger);
        let logged = |what: &str| until(what, || seed.process.stderr().contains(what));
        logged("bell\\");
        logged("was refused: packet of cluster");
        let steers = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        let log = seed.process.stderr();
        let line = log.lines().find(|line| line.chars().any(steers));
        assert_eq!(line, None, "{format}");
    }
}
