//! `swim agent --discover` on two hosts of one segment: two network namespaces and a cable.
#![cfg(all(target_os = "linux", feature = "cli"))]

mod common;

use std::process::Command;

use common::{Process, assert_fails, file, run, skip::skipped, swim, until};
use rustix::process::Signal;
use serde_json::Value;

/// Two namespaces, each with one end of a cable; taken away in the end.
struct Hosts([String; 2]);

impl Hosts {
    /// `None` where this user may make none, which is said.
    fn new() -> Option<Self> {
        let hosts = Self(["a", "b"].map(|host| format!("swim-{}-{host}", std::process::id())));
        let [a, b] = &hosts.0;
        let cable = format!("link add name eth7 netns {a} type veth peer name eth7 netns {b}");
        let steps = [
            format!("netns add {a}"),
            format!("netns add {b}"),
            cable,
            format!("-n {a} addr add 10.64.7.1/24 dev eth7"),
            format!("-n {b} addr add 10.64.7.2/24 dev eth7"),
            format!("-n {a} link set eth7 up"),
            format!("-n {b} link set eth7 up"),
        ];
        for step in steps {
            if let Err(why) = ip(&step) {
                skipped(&format!("ip {step}: {why}"));
                return None;
            }
        }
        Some(hosts)
    }

    /// An agent on one of them, and where it is asked.
    fn agent(&self, host: usize, args: &[&str]) -> (Process, String) {
        let name = &self.0[host];
        let socket = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.sock"));
        let http = format!("unix:{}", socket.display());
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name, env!("CARGO_BIN_EXE_swim"), "agent", "--name", name]);
        command.args(["--profile", "local", "--http-addr", &http]).args(args);
        (Process::start(command), http)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in &self.0 {
            // One that was not made need not go.
            let _ = ip(&format!("netns del {host}"));
        }
    }
}

fn ip(args: &str) -> Result<(), String> {
    let done = Command::new("ip").args(args.split(' ')).output().map_err(|why| why.to_string())?;
    let why = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    if done.status.success() { Ok(()) } else { Err(why) }
}

/// The states of all members that an agent knows, in the order of their names.
fn states(http: &str) -> Vec<String> {
    let output = swim(&["members", "--format", "json", "--http-addr", http]).output().unwrap();
    let body: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let members = body["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["state"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn two_hosts_of_a_segment_find_each_other_and_say_goodbye() {
    let Some(hosts) = Hosts::new() else { return };
    let (_first, a) = hosts.agent(0, &["--bind", "10.64.7.1:7946", "--discover", "lab"]);
    // Bound to every address: the interface is the one that is named.
    let config = "discover = \"lab\"\ndiscover_interface = \"eth7\"\nbind = \"0.0.0.0:7946\"\n\
                  advertise = \"eth7\"\n";
    let config = file("discover.toml", config);
    let (mut second, b) = hosts.agent(1, &["--config", &config]);
    for http in [&a, &b] {
        until("both see both", || states(http) == ["alive", "alive"]);
    }
    second.signal(Signal::TERM);
    assert!(second.wait().success(), "{}", second.stderr());
    until("a goodbye is heard", || states(&a) == ["alive", "left"]);
}

#[test]
fn what_cannot_be_discovered_is_refused_in_one_line() {
    for name in ["", "two words", "a.b", "bell\u{7}", "n\u{f6}"] {
        assert_fails(&run(&["agent", "--discover", name]), 2, "--discover");
    }
    let quiet = ["agent", "--http-addr", "none", "--bind", "127.64.9.1:0", "--discover", "lab"];
    let output = run(&[&quiet[..], &["--discover-interface", "no such"]].concat());
    assert_fails(&output, 1, "no interface \"no such\"");
    let config = file("discover-wrong.toml", "name = \"a\"\ndiscover = \"a b\"\n");
    assert_fails(&run(&["agent", "--config", &config]), 2, "not \"a b\"");
    assert_fails(&run(&["check-config", &config]), 2, ":2: discover = \"a b\": expected 1 to 63");
}
