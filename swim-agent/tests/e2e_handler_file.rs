//! Event handlers of the configuration file, which come and go with SIGHUP.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Agent, Process, assert_fails, file, run, until};
use rustix::process::{Pid, Signal, test_kill_process_group};

/// A file for handlers to write to, not there yet.
fn fresh(name: &str) -> (PathBuf, String) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    let text = path.to_str().expect("its path is text").to_owned();
    (path, text)
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Sends SIGHUP, waits until it was dealt with, and returns what was logged of it.
fn hangup(agent: &Agent) -> String {
    let count = || agent.process.stderr().matches("SIGHUP: ").count();
    let before = count();
    agent.process.signal(Signal::HUP);
    until("SIGHUP is dealt with", || count() > before);
    let log = agent.process.stderr();
    log.lines().rfind(|line| line.contains("SIGHUP: ")).unwrap_or_default().to_owned()
}

/// A handler that writes a word for each event.
fn table(word: &str, to: &str) -> String {
    format!("[[event_handlers]]\nfilter = \"user:e\"\ncommand = \"echo {word} >> {to}\"\n")
}

#[test]
fn handlers_of_the_file_come_change_and_go_with_sighup_and_those_of_flags_stay() {
    let (path, to) = fresh("file-handlers");
    let (flags, to_flags) = fresh("file-handlers-flags");
    let config = file("handlers.toml", &table("one", &to));
    let flag = format!("user:e=echo flag >> {to_flags}");
    let agent = Agent::start("a", &["--config", &config, "--event-handler", &flag]);
    let tell = |expected: &[&str]| {
        let _ = fs::remove_file(&path);
        let flagged = read(&flags).lines().count();
        agent.ok(&["event", "e"]);
        until(&format!("{expected:?} are run"), || {
            let mut words: Vec<_> = read(&path).lines().map(str::to_owned).collect();
            words.sort();
            words == expected && read(&flags).lines().count() == flagged + 1
        });
    };
    tell(&["one"]);
    file("handlers.toml", &[table("one", &to), table("two", &to)].concat());
    assert!(hangup(&agent).contains("was read again"));
    tell(&["one", "two"]);
    file("handlers.toml", &[table("changed", &to), table("two", &to)].concat());
    hangup(&agent);
    tell(&["changed", "two"]);
    file("handlers.toml", "");
    hangup(&agent);
    tell(&[]);
    assert!(agent.process.stderr().contains("event handlers: 1 begin, 1 end"));
}

#[test]
fn a_command_that_runs_outlives_its_handler_and_what_waits_is_dropped_and_counted() {
    let (path, to) = fresh("file-outlive");
    let (go, to_go) = fresh("file-outlive-go");
    let (told, to_told) = fresh("file-outlive-told");
    // Eight run at a time: the others wait.
    let slow = format!(
        "echo begun >> {to}; while ! test -e {to_go}; do sleep 0.1; done; echo done >> {to}"
    );
    let text = format!("[[event_handlers]]\nfilter = \"user\"\ncommand = \"{slow}\"\n");
    let config = file("outlive.toml", &text);
    let flag = format!("user=echo $SWIM_USER_NAME >> {to_told}");
    let agent = Agent::start("a", &["--config", &config, "--event-handler", &flag]);
    let lines = |word: &str| read(&path).lines().filter(|line| *line == word).count();
    for number in 0..12 {
        agent.ok(&["event", &format!("e{number}")]);
    }
    until("all are told", || read(&told).lines().count() == 12 && lines("begun") == 8);
    file("outlive.toml", "");
    hangup(&agent);
    let dropped = || agent.json(&["info"])["counters"]["handler_events_dropped"].clone();
    until("what waits is dropped while the others run", || dropped() == 4);
    fs::write(&go, "").unwrap();
    until("those that ran are done", || lines("done") == 8);
    agent.ok(&["event", "late"]);
    until("who stays is told", || read(&told).contains("late"));
    assert_eq!((lines("begun"), dropped()), (8, 4.into()));
}

#[test]
fn a_query_that_waits_for_a_handler_that_goes_is_declined() {
    let config = file(
        "declined.toml",
        "[[event_handlers]]\nfilter = \"user,query\"\ncommand = \"sleep 600\"\n",
    );
    let agent = Agent::start("a", &["--config", &config]);
    for _ in 0..8 {
        agent.ok(&["event", "e"]);
    }
    let asking = ["query", "q", "--timeout", "10m", "--format", "json"];
    let mut asking = Process::start(agent.command(&asking));
    until("it is asked", || asking.stdout().contains("\"ack\""));
    file("declined.toml", "");
    hangup(&agent);
    asking.wait();
    until("who asked is told", || asking.stdout().contains("\"declined\":{\"a\":\"none\"}"));
}

#[test]
fn a_bad_file_changes_nothing_at_all() {
    let (path, to) = fresh("file-bad");
    let good = format!("log_level = \"info\"\n{}[metadata]\nrole = \"web\"\n", table("one", &to));
    let config = file("bad-handlers.toml", &good);
    let agent = Agent::start("a", &["--config", &config]);
    let changed = format!("log_level = \"off\"\n{}", table("two", &to));
    let with_role =
        |handler: &str| format!("[metadata]\nrole = \"db\"\n[[event_handlers]]\n{handler}");
    for (bad, why) in [
        (with_role("command = \"x\"\nfilter = \"member-jion\"\n"), "member-jion"),
        (with_role("filter = \"user\"\n"), "event_handlers.command: expected a command"),
        (with_role("command = \"x\"\ntimeout = \"soon\"\n"), "event_handlers.timeout"),
        (with_role("command = \"x\"\nwhen = \"user\"\n"), "`when`"),
        (with_role("command = \"x"), "bad-handlers.toml:8"),
        (format!("[metadata]\nrole = \"{}\"\n", "v".repeat(600)), "512"),
    ] {
        file("bad-handlers.toml", &format!("{changed}{bad}"));
        let said = hangup(&agent);
        assert!(said.contains("nothing was changed") && said.contains(why), "{why}: {said}");
        let _ = fs::remove_file(&path);
        agent.ok(&["event", "e"]);
        until("the old handler is run", || read(&path) == "one\n");
        assert_eq!(agent.members()["a"]["metadata"]["role"], "web");
    }
    assert!(!agent.process.stderr().contains("event handlers: 1 begin, 1 end"));
}

#[test]
fn a_handler_of_the_file_has_its_own_timeout() {
    let (path, to) = fresh("file-timeout");
    let text = format!(
        "[[event_handlers]]\ntimeout = \"300ms\"\ncommand = \"echo $$ > {to}; sleep 600 & sleep 600\"\n"
    );
    let config = file("timeout.toml", &text);
    let agent = Agent::start("a", &["--config", &config]);
    agent.ok(&["event", "e"]);
    until("it runs", || read(&path).ends_with('\n'));
    let group = Pid::from_raw(read(&path).trim().parse().unwrap()).unwrap();
    until("all of it is killed", || test_kill_process_group(group).is_err());
    until("which is told", || agent.process.stderr().contains("killed after 300ms"));
}

#[test]
fn a_wrong_handler_in_the_file_keeps_the_agent_from_starting() {
    let config =
        file("wrong-handler.toml", "[[event_handlers]]\nfilter = \"usr\"\ncommand = \"x\"\n");
    let args = ["agent", "--http-addr", "none", "--bind", "127.0.0.1:0", "--config", &config];
    assert_fails(&run(&args), 2, "wrong-handler.toml: event_handlers.filter: no filter \"usr\"");
}
