//! Event handlers: commands that are run when something happens.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{Agent, assert_fails, run, text, until};
use rustix::process::{Pid, test_kill_process_group};
use serde_json::Value;

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

#[test]
fn handlers_are_told_of_members_events_and_queries() {
    let (members, to) = fresh("handler-members");
    let on_join = format!("member-join={{ echo $SWIM_EVENT; cat; }} >> {to}");
    let (users, to) = fresh("handler-users");
    let on_user =
        format!("user:deploy={{ echo $SWIM_USER_NAME $SWIM_META_MY_ROLE; cat; }} >> {to}");
    let (all, to) = fresh("handler-json");
    let in_json = format!("json,*=cat >> {to}");
    let args = ["--event-handler", &on_join, "--event-handler", &on_user, "--meta", "my-role=x"];
    let first = Agent::start("n1", &[&args[..], &["--event-handler", &in_json]].concat());
    let second = Agent::start("n2", &["--join", &first.gossip.to_string(), "--meta", "k=a\tb=c"]);
    first.until_states("n1:alive n2:alive");
    let line = format!("member-join\nn2\t{}\talive\tk=a\\tb=c\n", second.gossip);
    until("the join is handled", || read(&members) == line);
    second.ok(&["event", "other", "no"]);
    second.ok(&["event", "deploy", "abc\n123"]);
    until("the event is handled", || read(&users) == "deploy x\nabc\n123");
    until("all are told in JSON", || read(&all).lines().count() == 3);
    for line in read(&all).lines() {
        let line: Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(["joined", "user"].contains(&text(&line["type"]).as_str()), "{line}");
    }
}

#[test]
fn a_query_is_answered_by_standard_output_alone_and_ends_with_the_last_answer() {
    let handler = "query:load=echo noise >&2; printf '%s:%s' \"$SWIM_SELF_NAME\" \"$(cat)\"";
    let first = Agent::start("n1", &["--event-handler", handler]);
    let seed = first.gossip.to_string();
    let others: Vec<_> = ["n2", "n3", "n4"]
        .iter()
        .map(|name| Agent::start(name, &["--event-handler", handler, "--join", &seed]))
        .collect();
    for agent in others.iter().chain([&first]) {
        agent.until_states("n1:alive n2:alive n3:alive n4:alive");
    }
    let started = Instant::now();
    let said = first.ok(&["query", "load", "now?", "--timeout", "20s", "--format", "json"]);
    let took = started.elapsed();
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut answers: Vec<_> = lines
        .iter()
        .filter(|line| line["type"] == "answer")
        .map(|line| text(&line["payload"]))
        .collect();
    answers.sort();
    assert_eq!(answers, ["n1:now?", "n2:now?", "n3:now?", "n4:now?"]);
    println!("4 answered after {} ms, command {took:?}", lines.last().unwrap()["after_ms"]);
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn who_writes_nothing_neither_answers_nor_keeps_another_from_it() {
    let logger = ["--event-handler", "*=cat > /dev/null"];
    let answerer = ["--event-handler", "query:load=sleep 0.2; echo real"];
    let agent = Agent::start("n1", &[logger, answerer].concat());
    let said = agent.ok(&["query", "load", "--timeout", "60s"]);
    assert!(said.contains("real") && said.contains("1 answer"), "{said}");
    let started = Instant::now();
    let said = agent.ok(&["query", "other", "--timeout", "60s"]);
    assert!(said.contains("0 answers") && said.contains("declined"), "{said}");
    assert!(started.elapsed() < Duration::from_secs(30), "it waited for nobody");
}

#[test]
fn an_answer_that_is_too_large_is_told_to_both() {
    let agent = Agent::start("n1", &["--event-handler", "query:big=head -c 70000 /dev/zero"]);
    let said = agent.ok(&["query", "big", "--timeout", "60s"]);
    assert!(said.contains("its handler failed"), "{said}");
    until("the log names both sizes", || {
        let log = agent.process.stderr();
        log.contains("above the limit of 65536 bytes") && log.contains("query=\"big\"")
    });
}

#[test]
fn a_stuck_handler_holds_up_nothing_and_drops_are_counted() {
    let agent = Agent::start("n1", &["--event-handler", "user=sleep 600"]);
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let client = config.new_agent();
    let mut sent = 0;
    let started = Instant::now();
    while sent < 6_000 {
        let request = client.post(format!("http://{}/v1/event", agent.http));
        let request = request.content_type("application/json");
        match request.send(r#"{"name":"e"}"#).unwrap().status().as_u16() {
            200 => sent += 1,
            503 => std::thread::sleep(Duration::from_millis(50)),
            other => panic!("{other}"),
        }
    }
    println!("6,000 events after {:?}", started.elapsed());
    let counters = || agent.json(&["info"])["counters"].clone();
    until("drops are counted", || counters()["handler_events_dropped"].as_u64() > Some(5_700));
    let mut took: Vec<_> = (0..9)
        .map(|_| {
            let started = Instant::now();
            let info = client.get(format!("http://{}/v1/info", agent.http)).call().unwrap();
            assert_eq!(info.status().as_u16(), 200);
            started.elapsed()
        })
        .collect();
    took.sort();
    println!("info beside a stuck handler: median {:?}, at most {:?}", took[4], took[8]);
    assert!(took[4] < Duration::from_millis(50), "{took:?}");
    let other = Agent::start("n2", &["--join", &agent.gossip.to_string()]);
    agent.until_states("n1:alive n2:alive");
    drop(other);
}

#[test]
fn what_takes_too_long_is_killed_with_all_it_started() {
    let (file, to) = fresh("handler-group");
    let handler = format!("user=echo $$ > {to}; sleep 600 & sleep 600");
    let limits = ["--event-handler-timeout", "500ms", "--event-handler", &handler];
    let agent = Agent::start("n1", &limits);
    agent.ok(&["event", "e"]);
    until("it runs", || read(&file).ends_with('\n'));
    let group = Pid::from_raw(read(&file).trim().parse().unwrap()).unwrap();
    until("all of it is killed", || test_kill_process_group(group).is_err());
    until("which is told", || agent.process.stderr().contains("killed after 500ms"));
}

#[test]
fn an_agent_that_ends_takes_its_handlers_with_it() {
    let (file, to) = fresh("handler-end");
    let mut agent =
        Agent::start("n1", &["--event-handler", &format!("user=echo $$ > {to}; sleep 600")]);
    agent.ok(&["event", "e"]);
    until("it runs", || read(&file).ends_with('\n'));
    let group = Pid::from_raw(read(&file).trim().parse().unwrap()).unwrap();
    agent.ok(&["leave"]);
    assert!(agent.process.wait().success());
    until("it is gone", || test_kill_process_group(group).is_err());
}

#[test]
fn a_filter_that_is_none_is_refused_in_one_line() {
    for (handler, culprit) in
        [("member-jion=x", "member-jion"), ("user=", "expected"), ("member-join:a=x", "user:NAME")]
    {
        assert_fails(&run(&["agent", "--event-handler", handler]), 2, culprit);
    }
    assert_fails(&run(&["agent", "--event-handler-timeout", "soon"]), 2, "'soon'");
}
