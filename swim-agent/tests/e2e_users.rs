//! Events and queries of users, by the commands and the admin endpoint.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Agent, Process, assert_fails, eventually, stderr, stdout, swim, text, until};
use serde_json::{Value, json};

/// Four agents that know each other, two of them `role=db`.
fn cluster() -> Vec<Agent> {
    cluster_with(&[])
}

/// The same with these arguments for each.
fn cluster_with(args: &[&str]) -> Vec<Agent> {
    let first = Agent::start("n1", &[args, &["--meta", "role=db"]].concat());
    let seed = first.gossip.to_string();
    let mut agents = vec![first];
    for (name, role) in [("n2", "role=web"), ("n3", "role=db"), ("n4", "role=web")] {
        agents.push(Agent::start(name, &[args, &["--join", &seed, "--meta", role]].concat()));
    }
    for agent in &agents {
        agent.until_states("n1:alive n2:alive n3:alive n4:alive");
        until("metadata has arrived", || {
            agent.members().values().all(|member| member["metadata"]["role"].is_string())
        });
    }
    agents
}

/// The lines of JSON that a command printed.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// Runs a command about an agent with this on its standard input.
fn fed(agent: &Agent, args: &[&str], input: &[u8]) -> std::process::Output {
    let mut command = agent.command(args);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    // It may have seen enough before the end.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("it ends")
}

#[test]
fn an_event_reaches_the_monitors_of_all_once() {
    let agents = cluster();
    let monitors: Vec<_> = agents
        .iter()
        .map(|agent| {
            let monitor = Process::start(agent.command(&["monitor", "--format", "json"]));
            until("the monitor watches", || monitor.stderr().contains("watching"));
            monitor
        })
        .collect();
    let started = Instant::now();
    let sent = agents[2].json(&["event", "de ploy\n", "payl\u{f6}ad"]);
    assert_eq!(sent, serde_json::json!({"sent": true, "name": "de ploy\n", "bytes": 8}));
    let output = fed(&agents[0], &["event", "bytes", "-"], b"\xff\x00\xfe");
    assert!(output.status.success(), "{}", stderr(&output));
    let users = |monitor: &Process| {
        let all = lines(&monitor.stdout()).into_iter();
        all.filter(|line| line["type"] == "user").collect::<Vec<_>>()
    };
    for monitor in &monitors {
        until("both are told", || users(monitor).len() == 2);
    }
    println!("two events at 4 monitors after {:?}", started.elapsed());
    std::thread::sleep(Duration::from_secs(1));
    for monitor in &monitors {
        let told = users(monitor);
        assert_eq!(told.len(), 2, "nothing comes twice");
        let deploy = told.iter().find(|event| event["name"] == "de ploy\n").unwrap();
        assert_eq!(
            (text(&deploy["origin"]), text(&deploy["payload"])),
            ("n3".into(), "payl\u{f6}ad".into())
        );
        let bytes = told.iter().find(|event| event["name"] == "bytes").unwrap();
        assert_eq!(text(&bytes["payload_base64"]), "/wD+");
    }
}

#[test]
fn the_monitor_prints_events_and_queries_in_one_line_each() {
    let agent = Agent::start("n1", &[]);
    let monitor = Process::start(agent.command(&["monitor"]));
    until("the monitor watches", || monitor.stderr().contains("watching"));
    agent.ok(&["event", "e", "a\x1bb\nc"]);
    agent.ok(&["query", "q", "--timeout", "100ms"]);
    until("both are told", || monitor.stdout().lines().count() == 2);
    let told = monitor.stdout();
    assert!(told.contains(r"  user       e  by n1: a\u{1b}b\nc"), "{told}");
    assert!(told.contains("  query      q  by n1:"), "{told}");
}

#[test]
fn a_query_says_who_acked_and_ends_with_the_time_out_when_nobody_answers() {
    let agents = cluster_with(&["--event-handler", "query:load=sleep 600"]);
    let started = Instant::now();
    let args = ["query", "load", "--meta", "role=^d", "--timeout", "1s", "--format", "json"];
    let said = lines(&agents[1].ok(&args));
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(said[0]["expected"], serde_json::json!(["n1", "n3"]));
    let mut acks: Vec<_> =
        said.iter().filter(|line| line["type"] == "ack").map(|line| text(&line["from"])).collect();
    acks.sort();
    assert_eq!(acks, ["n1", "n3"]);
    let done = said.last().unwrap();
    assert_eq!((&done["acks"], &done["answers"]), (&2.into(), &0.into()));
    assert_eq!(done["missing"], serde_json::json!(["n1", "n3"]));
    let quiet = agents[1].ok(&["query", "load", "--node", "n4", "--no-ack", "--timeout", "300ms"]);
    assert!(quiet.contains("0 acks, 0 answers") && quiet.contains("no answer from n4"), "{quiet}");
}

#[test]
fn who_has_no_handler_or_a_failing_one_says_so_and_is_not_waited_for() {
    let agents = cluster_with(&["--event-handler", "query:fails=exit 3"]);
    let started = Instant::now();
    for (name, reason, words) in
        [("fails", "failed", "its handler failed"), ("other", "none", "no handler")]
    {
        let said = lines(&agents[0].ok(&["query", name, "--timeout", "5m", "--format", "json"]));
        let declined: Vec<_> = said.iter().filter(|line| line["type"] == "declined").collect();
        assert_eq!(declined.len(), 4, "{said:?}");
        assert!(declined.iter().all(|line| line["reason"] == reason), "{said:?}");
        let done = said.last().unwrap();
        assert_eq!((&done["declined"]["n3"], &done["answers"]), (&reason.into(), &0.into()));
        assert_eq!((&done["missing"], &done["gone"]), (&json!([]), &json!({})));
        println!("{name}: 4 declined after {} ms", done["after_ms"]);
        let told = agents[0].ok(&["query", name, "--timeout", "5m", "--node", "n2"]);
        assert!(told.contains("declined  n2  (") && told.contains(words), "{told}");
        assert!(told.contains("; 1 declined"), "{told}");
    }
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
}

#[test]
fn a_query_for_nobody_fails_and_who_was_not_asked_is_named() {
    let agent = Agent::start("n1", &["--event-handler", "query:q=echo yes"]);
    assert_fails(&agent.run(&["query", "q", "--meta", "nokey=."]), 1, "no live member is meant");
    assert_fails(&agent.run(&["query", "q", "--node", "nobody"]), 1, "by that: \"nobody\"");
    let partly = agent.run(&["query", "q", "--node", "n1", "--node", "no\u{1b}body"]);
    assert!(partly.status.success() && stdout(&partly).contains("1 ack, 1 answer in"));
    let said = stderr(&partly);
    assert!(said.contains("not asked") && said.contains(r"no\u{1b}body"), "{said}");
}

#[test]
fn a_monitor_shows_the_beginning_of_a_long_payload() {
    let agent = Agent::start("n1", &[]);
    agent.ok(&["event", "long", &"x".repeat(5_000)]);
    let monitor = Process::start(agent.command(&["monitor"]));
    until("it is shown", || monitor.stdout().contains("(5000 bytes)"));
    let shown = monitor.stdout();
    let line = shown.lines().find(|line| line.contains("long")).unwrap();
    assert!(line.chars().count() < 400, "{line}");
}

#[test]
fn who_is_killed_while_a_query_runs_is_not_waited_for() {
    let mut agents = cluster_with(&["--event-handler", "query:slow=sleep 600"]);
    let args = ["query", "slow", "--node", "n4", "--node", "n3", "--timeout", "10m"];
    let mut query = Process::start(agents[0].command(&args));
    until("both have heard it", || query.stdout().lines().count() == 2);
    agents[3].process.kill();
    agents[2].ok(&["leave"]);
    assert!(query.wait().success(), "{}", query.stderr());
    until("all is told", || query.stdout().contains("2 acks, 0 answers"));
    let told = query.stdout();
    assert!(
        told.contains("gone      n4  (") && told.contains("; n3 is left; n4 is dead"),
        "{told}"
    );
}

#[test]
fn reachability_returns_with_the_last_sign_and_names_who_gave_none() {
    let mut agents = cluster();
    let started = Instant::now();
    let report = agents[0].json(&["reachability", "--timeout", "10m"]);
    println!("4 signs after {} ms, command {:?}", report["after_ms"], started.elapsed());
    assert_eq!((&report["expected"], &report["acks"]), (&4.into(), &4.into()));
    assert!(started.elapsed() < common::PATIENCE, "it waits for nobody else: {report}");
    agents[3].process.kill();
    let output = eventually("it is noticed", || {
        let output = agents[0].run(&["reachability", "--timeout", "500ms"]);
        (!output.status.success()).then_some(output)
    });
    assert_fails(&output, 1, "no sign of n4");
    assert!(stdout(&output).contains("what to look at:"));
}

#[test]
fn bad_input_is_one_line_that_names_the_culprit() {
    let agent = Agent::start("n1", &[]);
    let long = "n".repeat(256);
    for (args, code, culprit) in [
        (&["event", ""][..], 1, "0 bytes"),
        (&["event", &long], 1, "256 bytes"),
        (&["query", ""], 1, "0 bytes"),
        (&["query", "q", "--meta", "role=("], 2, "'role=('"),
        (&["query", "q", "--meta", "role"], 2, "'role'"),
        (&["query", "q", "--timeout", "5"], 2, "'5'"),
        (&["query", "q", "--timeout", "2h"], 2, "'2h'"),
        (&["query", "q", "--relay", "9"], 2, "9"),
        (&["query", "q", "--node", ""], 1, "0 bytes"),
        (&["query", "q", "--nod", "x"], 2, "'--nod'"),
        (&["query"], 2, "NAME"),
        (&["event"], 2, "NAME"),
        (&["event", "e", "p", "x"], 2, "'x'"),
        (&["reachability", "--timeout", "x"], 2, "'x'"),
        (&["query", "swim.ping", "--no-ack"], 1, "swim.ping"),
    ] {
        assert_fails(&agent.run(args), code, culprit);
    }
    let oversize = fed(&agent, &["event", "e", "-"], &vec![b'x'; 100_000]);
    assert_fails(&oversize, 1, "65536");
    assert!(stderr(&oversize).contains("100015"), "{}", stderr(&oversize));
    assert_fails(&fed(&agent, &["event", "e", "-"], &vec![0; 10_000_000]), 2, "1048576");
    for args in [&["event", "e"][..], &["query", "q"], &["reachability"]] {
        let mut command = swim(args);
        command.env("SWIM_HTTP_ADDR", format!("127.0.0.1:{}", common::free_port()));
        assert_fails(&command.output().unwrap(), 3, "no agent at");
    }
}

#[test]
fn the_endpoint_refuses_what_makes_no_sense() {
    let agent = Agent::start("n1", &[]);
    let huge = format!(r#"{{"name":"e","payload":"{}"}}"#, "x".repeat(10_000_000));
    let large = format!(r#"{{"name":"e","payload":"{}"}}"#, "x".repeat(70_000));
    for (path, body, status, culprit) in [
        ("/v1/event", "{", 400, "EOF"),
        ("/v1/event", r#"{"name":1}"#, 422, "name"),
        ("/v1/event", r#"{"payload":"x"}"#, 422, "name"),
        ("/v1/event", r#"{"name":"e","colour":"red"}"#, 422, "colour"),
        ("/v1/event", r#"{"name":"e","payload":"a","payload_base64":"YQ=="}"#, 400, "exclude"),
        ("/v1/event", r#"{"name":"e","payload_base64":"%"}"#, 400, "payload_base64"),
        ("/v1/event", large.as_str(), 400, "65536"),
        ("/v1/query", r#"{"name":"q","meta":["role"]}"#, 400, "role"),
        ("/v1/query", r#"{"name":"q","meta":["role=("]}"#, 400, "unclosed group"),
        ("/v1/query", r#"{"name":"q","timeout_ms":0}"#, 400, "1 ms"),
        ("/v1/query", r#"{"name":"q","relays":9}"#, 400, "9 relays"),
        ("/v1/query", r#"{"name":"q","relays":900}"#, 422, "relays"),
    ] {
        let (found, answer) = post(&agent, path, body);
        assert_eq!(found, status, "{path} {answer}");
        assert!(text(&answer["error"]).contains(culprit), "{culprit}: {answer}");
    }
    // The connection may be gone before ten megabytes were read; the agent stays.
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let request = config.new_agent().post(format!("http://{}/v1/event", agent.http));
    if let Ok(response) = request.content_type("application/json").send(&huge) {
        assert_eq!(response.status().as_u16(), 413);
    }
    assert_eq!(agent.json(&["info"])["name"], "n1");
}

fn post(agent: &Agent, path: &str, body: &str) -> (u16, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let request = config.new_agent().post(format!("http://{}{path}", agent.http));
    let mut response = request.content_type("application/json").send(body).expect("an answer");
    let text = response.body_mut().read_to_string().expect("text");
    let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"));
    (response.status().as_u16(), body)
}
