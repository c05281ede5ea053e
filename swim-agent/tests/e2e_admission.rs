//! Flags and keys that say who may be a member, over real sockets.
#![cfg(all(unix, feature = "cli"))]

mod common;

use common::{Agent, assert_fails, file, run, stderr, text, until};
use rustix::process::Signal;
use serde_json::json;

const QUIET: [&str; 5] = ["agent", "--http-addr", "none", "--log-level", "off"];

#[test]
fn who_lives_outside_is_not_heard_and_says_why_it_is_alone() {
    let a = Agent::start("a", &["--bind", "127.40.1.1:0", "--allow", "127.40.1.0/24"]);
    let seed = a.gossip.to_string();
    let b = Agent::start("b", &["--bind", "127.40.1.2:0", "--join", &seed]);
    let c = Agent::start("c", &["--bind", "127.40.2.3:0", "--join", &seed]);
    a.until_states("a:alive b:alive");
    b.until_states("a:alive b:alive");
    // Whatever b says of it.
    c.ok(&["join", &b.gossip.to_string()]);
    b.until_states("a:alive b:alive c:alive");
    let counter = |name: &str| a.json(&["info"])["counters"][name].as_u64().unwrap();
    until("b has told", || counter("claims_refused_address") > 0);
    until("c has tried", || counter("refused_address") > 0);
    assert_eq!(a.states(), "a:alive b:alive");
    assert_eq!(counter("sends_refused"), 0);
    let log = a.process.stderr();
    assert!(log.contains("outside of the networks that this agent allows, 127.40.1.0/24"), "{log}");
    let refused = a.run(&["join", &c.gossip.to_string()]);
    assert_fails(&refused, 1, "outside of the networks that this agent allows");
    assert_eq!(a.json(&["info"])["allow"], json!(["127.40.1.0/24"]));
}

#[test]
fn an_agent_that_is_full_says_so() {
    let a = Agent::start("a", &["--bind", "127.40.3.1:0", "--max-members", "2"]);
    let seed = a.gossip.to_string();
    let b = Agent::start("b", &["--bind", "127.40.3.2:0", "--join", &seed]);
    a.until_states("a:alive b:alive");
    let c = Agent::start("c", &["--bind", "127.40.3.3:0"]);
    assert_fails(&c.run(&["join", &seed]), 1, "does it let this agent in?");
    let info = a.json(&["info"]);
    assert_eq!((&info["members_held"], &info["max_members"]), (&json!(2), &json!(2)));
    assert!(a.ok(&["info"]).contains("2, nobody unknown is taken in"));
    until("the log says so", || a.process.stderr().contains("--max-members"));
    drop(b);
}

#[test]
fn what_makes_no_sense_is_named() {
    for (args, culprit) in [
        (&["--allow", "10.0.0.5/8"][..], "write 10.0.0.0/8"),
        (&["--allow", "nowhere"], "expected NETWORK/BITS"),
        (&["--max-members", "0"], "expected at least 1"),
        (&["--max-members", "many"], "expected a whole number"),
        (&["--allow", "10.0.0.0/8", "--bind", "127.40.4.1:0"], "cannot advertise 127.40.4.1"),
        (
            &["--bind", "127.40.4.1:0", "--allow", "127.40.4.0/24", "--join", "192.0.2.1:7946"],
            "cannot join through 192.0.2.1:7946",
        ),
    ] {
        assert_fails(&run(&[&QUIET[..], args].concat()), 2, culprit);
    }
    let path = file("admission.toml", "allow = [\"nowhere\"]\n");
    let output = run(&[&QUIET[..], &["--config", &path]].concat());
    assert_fails(&output, 2, "allow: expected NETWORK/BITS");
    assert!(stderr(&output).contains("not \"nowhere\""), "{}", stderr(&output));
}

#[test]
fn what_the_file_allows_applies_from_the_next_start_on() {
    let config = file("allow.toml", "bind = \"127.40.5.1:0\"\nallow = [\"127.40.5.0/24\"]\n");
    let a = Agent::start("a", &["--config", &config, "--bind", "127.40.5.1:0"]);
    file("allow.toml", "bind = \"127.40.5.1:0\"\nallow = [\"127.40.0.0/16\"]\nmax_members = 9\n");
    a.process.signal(Signal::HUP);
    until("what waits is named", || {
        a.process.stderr().contains("for the next start only: allow, max_members")
    });
    assert_eq!(text(&a.json(&["info"])["allow"][0]), "127.40.5.0/24");
}
