//! SIGHUP: the configuration file is read again, and nothing that was changed at run time is lost.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::fs;

use common::{Agent, file, until};
use rustix::process::Signal;

fn metadata(agent: &Agent) -> String {
    agent.members()["a"]["metadata"].to_string()
}

/// Sends SIGHUP and waits until it was dealt with, for the so-manieth time.
fn hangup(agent: &Agent, times: usize) {
    agent.process.signal(Signal::HUP);
    until("SIGHUP is dealt with", || agent.process.stderr().matches("SIGHUP: ").count() == times);
}

#[test]
fn the_file_applies_and_what_was_set_at_run_time_wins_until_it_is_removed() {
    let config = file("reload.toml", "[metadata]\nrole = \"web\"\nzone = \"a\"\nrack = \"1\"\n");
    let agent = Agent::start("a", &["--config", &config, "--meta", "flag=1"]);
    agent.ok(&["meta", "set", "role=db", "canary=1"]);
    agent.ok(&["meta", "rm", "rack"]);
    file(
        "reload.toml",
        "[metadata]\nrole = \"cache\"\nzone = \"b\"\nrack = \"1\"\nflag = \"2\"\nnew = \"1\"\n",
    );
    hangup(&agent, 1);
    let expected = r#"{"canary":"1","flag":"1","new":"1","role":"db","zone":"b"}"#;
    assert_eq!(metadata(&agent), expected);
    agent.ok(&["meta", "rm", "role", "canary"]);
    file("reload.toml", "[metadata]\nrole = \"proxy\"\nrack = \"2\"\n");
    hangup(&agent, 2);
    assert_eq!(metadata(&agent), r#"{"flag":"1","rack":"2","role":"proxy"}"#);
    let log = agent.process.stderr();
    let last = log.lines().rfind(|line| line.contains("SIGHUP")).unwrap();
    assert!(last.contains("event handlers") && !last.contains("sealing"), "{last}");
}

#[test]
fn what_was_set_at_run_time_survives_a_restart_and_a_reload_after_it() {
    let config = file("restart.toml", "[metadata]\nrole = \"web\"\n");
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("reload-restart");
    // It is there only when the test ran before.
    let _ = fs::remove_dir_all(&place);
    let args = ["--config", &config, "--data-dir", place.to_str().unwrap()];
    let mut agent = Agent::start("a", &args);
    agent.ok(&["meta", "set", "canary=1"]);
    agent.process.kill();
    file("restart.toml", "[metadata]\nrole = \"db\"\n");
    let agent = Agent::start("a", &args);
    assert_eq!(metadata(&agent), r#"{"canary":"1","role":"db"}"#);
    hangup(&agent, 1);
    assert_eq!(metadata(&agent), r#"{"canary":"1","role":"db"}"#);
}

#[test]
fn a_file_that_makes_no_sense_changes_nothing_and_is_named() {
    let config = file("nonsense.toml", "log_level = \"info\"\n[metadata]\nrole = \"web\"\n");
    let agent = Agent::start("a", &["--config", &config]);
    let large = format!("log_level = \"off\"\n[metadata]\nrole = \"{}\"\n", "v".repeat(600));
    for (times, (text, why)) in [
        ("[metadata]\nrole = \"d", "nonsense.toml:2"),
        ("bnd = 1", "bnd"),
        (&large, "nonsense.toml: metadata of 6"),
    ]
    .into_iter()
    .enumerate()
    {
        file("nonsense.toml", text);
        hangup(&agent, times + 1);
        let log = agent.process.stderr();
        let last = log.lines().rfind(|line| line.contains("SIGHUP")).unwrap();
        assert!(last.contains("nothing was changed") && last.contains(why), "{last}");
        assert_eq!(metadata(&agent), r#"{"role":"web"}"#);
    }
    fs::remove_file(&config).unwrap();
    hangup(&agent, 4);
    assert_eq!(metadata(&agent), r#"{"role":"web"}"#);
}

#[test]
fn the_log_level_changes() {
    let config = file("level.toml", "log_level = \"info\"\n");
    let agent = Agent::start("a", &["--config", &config]);
    agent.ok(&["meta", "set", "k=1"]);
    assert!(!agent.process.stderr().contains("DEBUG"), "{}", agent.process.stderr());
    file("level.toml", "log_level = \"debug\"\njoin = [\"127.0.0.1:1\"]\n[protocol]\nfanout = 5\n");
    hangup(&agent, 1);
    let log = agent.process.stderr();
    assert!(log.contains("for the next start only: join, protocol.fanout\n"), "{log}");
    // What a peer sends that makes no sense is traced at debug level.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    until("a debug line appears", || {
        socket.send_to(b"nonsense", agent.gossip).unwrap();
        agent.process.stderr().contains("DEBUG")
    });
}

#[test]
fn the_keys_that_wait_for_a_restart_are_named_and_no_others() {
    let config = file("later.toml", "[protocol]\nprobe_interval = 600\n");
    let args = ["agent", "--name", "a", "--http-addr", "127.0.0.1:0", "--bind", "127.0.0.1:0"];
    let mut command = common::swim(&args);
    command.args(["--config", &config]);
    let agent = Agent::of("a", command);
    for (times, (text, expected)) in [
        // What a flag says stays, and what says the default changes nothing.
        ("name = \"b\"\nprofile = \"lan\"\n[protocol]\nprobe_interval = 600\nfanout = 3\n", ""),
        ("[protocol]\nprobe_interval = 700\n", "protocol.probe_interval"),
        (
            "profile = \"wan\"\n[protocol]\nprobe_interval = 5000\nprobe_timeout = 600\n",
            "profile, protocol.probe_interval, protocol.probe_timeout",
        ),
        (
            "log_format = \"json\"\nhttp_socket_mode = \"660\"\nstranger_streams = 9\n\
             [protocol]\nprobe_interval = 600\n",
            "http_socket_mode, stranger_streams, log_format",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let said = agent.process.stderr().matches("for the next start only").count();
        file("later.toml", text);
        hangup(&agent, times + 1);
        let log = agent.process.stderr();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("next start only")).collect();
        match expected {
            "" => assert_eq!(lines.len(), said, "{log}"),
            keys => assert!(lines[said].ends_with(&format!("only: {keys}")), "{log}"),
        }
    }
}

#[test]
fn without_a_file_a_hangup_does_not_end_the_agent() {
    let mut agent = Agent::start("a", &[]);
    hangup(&agent, 1);
    assert!(agent.process.is_running() && agent.process.stderr().contains("--config"));
}
