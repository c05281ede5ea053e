//! The commands about a running agent.
#![cfg(all(unix, feature = "cli"))]

mod common;

use common::{Agent, Process, assert_fails, eventually, file, text, until};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn the_banner_and_info_tell_what_is_bound() {
    let agent = Agent::start("a", &["--log-format", "json", "--cluster", "prod"]);
    assert!(agent.gossip.port() > 0 && agent.http.port() > 0);
    let banner = agent.process.stdout();
    assert!(banner.contains("\ncluster: prod\nprofile: local\nup\n"), "{banner}");
    let info = agent.json(&["info"]);
    assert_eq!(info["name"], "a");
    assert_eq!(text(&info["address"]), agent.gossip.to_string());
    assert_eq!(text(&info["http_address"]), agent.http.to_string());
    assert_eq!(info["cluster"], "prod");
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["local_health"], 0);
    let counts = serde_json::json!({"alive": 1, "suspect": 0, "dead": 0, "left": 0});
    assert_eq!(info["members"], counts);
    assert!(text(&info["incarnation"]).parse::<u64>().is_ok());
    assert!(info["counters"]["probes"].is_u64());
    let table = agent.ok(&["info"]);
    assert!(table.contains("1 alive, 0 suspect, 0 dead, 0 left"), "{table}");
}

#[test]
fn logs_are_json_lines_when_asked_for() {
    let mut agent = Agent::start("a", &["--log-format", "json"]);
    agent.process.signal(Signal::TERM);
    agent.process.wait();
    let log = eventually("the last line is logged", || {
        Some(agent.process.stderr()).filter(|log| log.contains("left the cluster"))
    });
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
}

#[test]
fn members_are_filtered_and_printed() {
    let a = Agent::start("a", &["--meta", "role=web", "--meta", "zone=z1"]);
    let b = Agent::start("b", &["--meta", "role=db +1&x", "--join", &a.gossip.to_string()]);
    a.until_states("a:alive b:alive");
    until("metadata has arrived", || a.members()["b"]["metadata"]["role"] == "db +1&x");
    let names = |args: &[&str]| {
        let body = a.json(&[&["members"], args].concat());
        let members = body["members"].as_array().unwrap();
        members.iter().map(|member| text(&member["name"])).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[]), "a b");
    assert_eq!(names(&["--state", "alive"]), "a b");
    assert_eq!(names(&["--state", "dead", "--state", "left"]), "");
    assert_eq!(names(&["--name", "^a$"]), "a");
    assert_eq!(names(&["--meta", "role=e"]), "a", "a search, not a whole match");
    assert_eq!(names(&["--meta", r"role=\+1&x$"]), "b", "the query is encoded");
    assert_eq!(names(&["--meta", "role=.", "--meta", "zone=."]), "a");
    let table = a.ok(&["members", "--name", "b"]);
    let mut lines = table.lines();
    let header: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(
        header,
        ["NAME", "ADDRESS", "STATE", "INCARNATION", "AGE", "SEEN", "RTT", "STREAM", "METADATA"]
    );
    let row = lines.next().unwrap();
    assert!(row.starts_with("b ") && row.ends_with("role=db +1&x"), "{row}");
    assert!(row.contains(&b.gossip.to_string()) && row.contains(" alive "), "{row}");
    assert_eq!(lines.next(), None);
}

#[test]
fn a_watch_prints_again_when_something_changes() {
    let a = Agent::start("a", &[]);
    let watch = Process::start(a.command(&["members", "--watch", "--format", "json"]));
    until("the first list is printed", || watch.stdout().lines().count() == 1);
    let _b = Agent::join("b", &a);
    until("the second list is printed", || watch.stdout().contains(r#""name":"b""#));
    for line in watch.stdout().lines() {
        serde_json::from_str::<Value>(line).expect("each list is one line of JSON");
    }
}

#[test]
fn metadata_is_changed_for_all() {
    let a = Agent::start("a", &["--meta", "role=web"]);
    let b = Agent::join("b", &a);
    a.until_states("a:alive b:alive");
    assert_eq!(a.ok(&["meta", "set", "zone=z1", "role=db"]), "role=db zone=z1\n");
    let seen = || b.members()["a"]["metadata"].clone();
    until("both pairs are known", || seen() == serde_json::json!({"role": "db", "zone": "z1"}));
    assert_eq!(a.ok(&["meta", "rm", "role", "nothing"]), "zone=z1\n");
    until("the pair is gone", || seen() == serde_json::json!({"zone": "z1"}));
    assert_eq!(a.json(&["meta", "rm", "nothing"]), serde_json::json!({"metadata": {"zone": "z1"}}));
    assert_eq!(a.ok(&["meta", "rm", "zone"]), "no metadata\n");
    let large = format!("k={}", "v".repeat(600));
    assert_fails(&a.run(&["meta", "set", &large]), 1, "512");
}

#[test]
fn two_clusters_of_one_name_are_joined() {
    let a = Agent::start("a", &[]);
    let b = Agent::start("b", &[]);
    assert_eq!(a.ok(&["join", &b.gossip.to_string()]), "joined\n");
    assert!(a.json(&["join", &b.gossip.to_string()])["joined"].is_u64());
    a.until_states("a:alive b:alive");
    b.until_states("a:alive b:alive");
    assert_fails(&a.run(&["join", "nowhere.invalid:1"]), 1, "nowhere.invalid:1");
    let nobody = format!("127.0.0.1:{}", common::free_port());
    assert_fails(&a.run(&["join", &nobody]), 1, &nobody);
}

#[test]
fn a_monitor_tells_what_happens_and_who_said_so() {
    let a = Agent::start("a", &[]);
    let json = Process::start(a.command(&["monitor", "--format", "json"]));
    let mut lines = Process::start(a.command(&["monitor"]));
    for monitor in [&json, &lines] {
        until("the monitor watches", || monitor.stderr().contains("watching a at"));
    }
    let mut b = Agent::join("b", &a);
    let event = |kind: &str| {
        eventually(&format!("b has {kind}"), || {
            let text = json.stdout();
            let mut events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            events.find(|event| event["type"] == kind && event["name"] == "b")
        })
    };
    let joined = event("joined");
    assert_eq!(joined["old_state"], Value::Null);
    assert_eq!(joined["state"], "alive");
    assert_eq!(text(&joined["address"]), b.gossip.to_string());
    assert!(text(&joined["incarnation"]).parse::<u64>().is_ok());
    let time = text(&joined["time"]);
    assert!(time.len() == 24 && time.ends_with('Z') && time.contains('T'), "{time}");
    b.process.kill();
    let suspected = event("suspected");
    assert_eq!(suspected["by"], "a");
    assert_eq!(suspected["reason"], "probe_failed");
    let died = event("died");
    assert_eq!((&died["old_state"], &died["state"]), (&"suspect".into(), &"dead".into()));
    until("the death is a line", || lines.stdout().contains("  died       b  "));
    drop(a);
    assert_eq!(lines.wait().code(), Some(3));
}

#[test]
fn flags_override_the_configuration_file() {
    // No file in a repository has a mode that a token's must have.
    let mut all = include_str!("data/all-keys.toml").to_owned();
    for key in ["http_token_file", "keyring_file", "sealing"] {
        all = all.replace(key, &format!("# {key}"));
    }
    let path = file("override.toml", &all);
    let agent = Agent::start("flag", &["--config", &path, "--meta", "role=db", "--cluster", "x"]);
    let info = agent.json(&["info"]);
    assert_eq!((&info["name"], &info["cluster"]), (&"flag".into(), &"x".into()));
    let member = &agent.members()["flag"];
    assert_eq!(member["metadata"], serde_json::json!({"role": "db", "zone": "a"}));
    assert_eq!(text(&member["address"]), "127.0.0.1:17946", "from the file");
    assert_eq!(info["probe_interval_ms"], 900, "from the file");
    assert!(agent.process.stderr().starts_with('{'), "logs are JSON, from the file");
}

#[test]
#[cfg(target_os = "linux")]
fn an_interface_can_be_advertised() {
    let agent = Agent::start("a", &["--bind", "0.0.0.0:0", "--advertise", "lo"]);
    assert_eq!(agent.gossip.ip().to_string(), "127.0.0.1");
    let other = Agent::join("b", &agent);
    other.until_states("a:alive b:alive");
}

#[test]
fn an_address_in_use_is_named() {
    let a = Agent::start("a", &[]);
    let (gossip, http) = (a.gossip.to_string(), a.http.to_string());
    let agent = ["agent", "--name", "b"];
    let taken = [&agent[..], &["--bind", "127.0.0.1:0", "--http-addr", &http]].concat();
    assert_fails(&common::run(&taken), 1, &http);
    let taken = [&agent[..], &["--bind", &gossip, "--http-addr", "none"]].concat();
    assert_fails(&common::run(&taken), 1, &gossip);
}

#[test]
fn an_agent_outlives_whoever_read_its_output() {
    let http = format!("127.0.0.1:{}", common::free_port());
    let ports = ["--bind", "127.0.0.1:0", "--http-addr", &http];
    let mut command =
        common::swim(&[&["agent", "--name", "a", "--join", "127.0.0.1:1"], &ports[..]].concat());
    let piped = std::process::Stdio::piped;
    let mut child = command.stdout(piped()).stderr(piped()).spawn().unwrap();
    // Before it can have written anything.
    drop((child.stdout.take(), child.stderr.take()));
    until("it answers", || common::run(&["leave", "--http-addr", &http]).status.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_agent_goes_on_while_nobody_reads_its_log() {
    let http = format!("127.0.0.1:{}", common::free_port());
    let ports = ["--bind", "127.0.0.1:0", "--http-addr", &http, "--log-level", "debug"];
    let mut command = common::swim(&[&["agent", "--name", "a"], &ports[..]].concat());
    let piped = std::process::Stdio::piped;
    // Both pipes stay open and full.
    let mut child = command.stdout(piped()).stderr(piped()).spawn().unwrap();
    let ask = |args: &[&str]| common::run(&[args, &["--http-addr", &http]].concat());
    let body = eventually("it answers", || {
        let output = ask(&["info", "--format", "json"]);
        output.status.success().then(|| common::stdout(&output))
    });
    let info: Value = serde_json::from_str(&body).unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    // Each is refused in a line; together they are more than a pipe and the queue hold.
    for round in 0..4_000 {
        socket.send_to(b"nonsense", text(&info["address"])).unwrap();
        if round % 100 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    assert!(ask(&["info"]).status.success());
    assert!(ask(&["leave"]).status.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn without_an_admin_endpoint_only_signals_end_an_agent() {
    let ports = ["--bind", "127.0.0.1:0", "--http-addr", "none"];
    let mut agent = Process::start(common::swim(&[&["agent", "--name", "a"], &ports[..]].concat()));
    until("it is up", || {
        agent.stdout().ends_with("http: none\ncluster: swim\nprofile: lan\nup\nready\n")
    });
    agent.signal(Signal::INT);
    assert_eq!(agent.wait().code(), Some(0));
}

#[test]
fn a_seed_without_an_address_is_said_and_tried_again() {
    let agent = Agent::start("a", &["--join", "nowhere.invalid:1"]);
    until("it is said", || agent.process.stderr().contains("nowhere.invalid:1"));
    assert_eq!(agent.states(), "a:alive");
}

#[test]
fn an_agent_that_stands_still_is_told_from_none() {
    let agent = Agent::start("a", &[]);
    agent.process.signal(Signal::STOP);
    let asked = agent.run(&["members"]);
    agent.process.signal(Signal::CONT);
    assert_fails(&asked, 3, "takes connections and does not answer");
}

#[test]
fn a_monitor_whose_agent_is_killed_says_so_in_one_line() {
    let mut agent = Agent::start("a", &[]);
    let mut monitors = [&["monitor"][..], &["monitor", "--format", "json"]]
        .map(|args| Process::start(agent.command(args)));
    for monitor in &monitors {
        until("the monitor watches", || monitor.stderr().contains("watching a"));
    }
    agent.process.kill();
    for monitor in &mut monitors {
        assert_eq!(monitor.wait().code(), Some(3));
        let gone = format!("error: the agent at {} is gone: ", agent.http);
        until("it is said", || monitor.stderr().contains(&gone));
        assert_eq!(monitor.stderr().lines().count(), 2, "{}", monitor.stderr());
    }
}
