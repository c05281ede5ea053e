//! Event handlers: commands that are run when something happens.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use common::{Agent, PATIENCE, assert_fails, run, text, until};
use rustix::process::{Pid, test_kill_process_group};
use serde_json::Value;
use swim_agent::state;

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
fn what_others_call_themselves_and_an_event_is_never_a_command() {
    let (trap, place) = fresh("handler-trap");
    let (told, to) = fresh("handler-words");
    let handler = format!("user={{ echo \"$SWIM_USER_NAME $SWIM_USER_ORIGIN\"; cat; }} >> {to}");
    let (joined, to) = fresh("handler-members-words");
    let on_join = format!("member-join=cat >> {to}");
    let agent = Agent::start("n1", &["--event-handler", &handler, "--event-handler", &on_join]);
    let evil = format!("$(touch {place})");
    let pair = format!("`touch {place}`=;touch {place};\n${{IFS}}");
    let seed = agent.gossip.to_string();
    let other = Agent::start(&evil, &["--join", &seed, "--meta", &pair]);
    other.until_states(&format!("{evil}:alive n1:alive"));
    other.ok(&["event", &evil, &format!("`touch {place}`;\n{evil}")]);
    until("the event is handled", || read(&told).ends_with(&evil));
    assert_eq!(read(&told), format!("{evil} {evil}\n`touch {place}`;\n{evil}"));
    let (key, value) = pair.split_once('=').expect("it is a pair");
    let value = value.replace('\n', "\\n");
    let line = format!("{evil}\t{}\talive\t{key}={value}\n", other.gossip);
    until("the join is handled", || read(&joined) == line);
    assert!(!trap.exists(), "a command was run");
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

/// A client that takes every status.
fn client() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
    // A server that does not answer must not hang the test.
    config.timeout_global(Some(PATIENCE)).build().new_agent()
}

/// Submits an event; whether it was taken.
fn tell(client: &ureq::Agent, agent: &Agent) -> bool {
    let request = client.post(format!("http://{}/v1/event", agent.http));
    let request = request.content_type("application/json");
    match request.send(r#"{"name":"e"}"#).unwrap().status().as_u16() {
        200 => true,
        503 => false,
        other => panic!("{other}"),
    }
}

/// The median of how long nine questions take.
fn median(client: &ureq::Agent, agent: &Agent) -> Duration {
    let ask = |_| {
        let started = Instant::now();
        let info = client.get(format!("http://{}/v1/info", agent.http)).call().unwrap();
        assert_eq!(info.status().as_u16(), 200);
        started.elapsed()
    };
    let mut took: Vec<_> = (0..9).map(ask).collect();
    took.sort();
    took[4]
}

/// Waits until the agent answers as fast as it is to: other processes may hold a machine up for a
/// while, an agent that waits for its handlers is held up all the time.
fn until_fast(client: &ureq::Agent, agent: &Agent, beside: &str) {
    until(&format!("answers within 50 ms beside {beside}"), || {
        let median = median(client, agent);
        println!("info beside {beside}: median {median:?}");
        median < Duration::from_millis(50)
    });
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
        log.contains("above the limit of 65536 bytes") && log.contains("query=big")
    });
}

#[test]
fn a_stuck_handler_holds_up_nothing_and_drops_are_counted() {
    let agent = Agent::start("n1", &["--event-handler", "*=sleep 600"]);
    let mut other = Agent::join("n2", &agent);
    agent.until_states("n1:alive n2:alive");
    let client = client();
    let started = Instant::now();
    let mut sent = 0;
    while sent < 6_000 {
        match tell(&client, &agent) {
            true => sent += 1,
            false => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    println!("6,000 events after {:?}", started.elapsed());
    let counters = || agent.json(&["info"])["counters"].clone();
    until("drops are counted", || counters()["handler_events_dropped"].as_u64() > Some(5_700));
    until_fast(&client, &agent, "a stuck handler");
    other.process.kill();
    agent.until_states("n1:alive n2:dead");
    let _third = Agent::join("n3", &agent);
    agent.until_states("n1:alive n2:dead n3:alive");
}

#[test]
fn eight_handlers_that_end_at_once_hold_up_nothing_under_a_flood() {
    let handlers = ["--event-handler", "user=true"].repeat(8);
    let agent = Agent::start("n1", &handlers);
    let other = Agent::join("n2", &agent);
    agent.until_states("n1:alive n2:alive");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (client, started) = (client(), Instant::now());
            // A test that fails must end, too.
            while !over.load(Relaxed) && started.elapsed() < 2 * PATIENCE {
                tell(&client, &other);
                // Still more than it takes to keep all handlers at work all the time.
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let counters = || agent.json(&["info"])["counters"].clone();
        until("handlers are behind", || counters()["handler_events_dropped"].as_u64() > Some(0));
        until_fast(&client(), &agent, "eight handlers under a flood");
        over.store(true, Relaxed);
    });
    agent.until_states("n1:alive n2:alive");
}

#[test]
fn events_from_before_a_restart_are_not_told_again() {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("handler-restart");
    // It is there only when the test ran before.
    let _ = fs::remove_dir_all(&place);
    let (file, to) = fresh("handler-restart-told");
    let handler = format!("user=echo $SWIM_USER_LTIME $SWIM_USER_NAME >> {to}");
    let args = ["--data-dir", place.to_str().unwrap(), "--event-handler", &handler];
    let mut agent = Agent::start("n1", &args);
    let other = Agent::join("n2", &agent);
    other.until_states("n1:alive n2:alive");
    for number in 0..20 {
        other.ok(&["event", &format!("old{number}")]);
    }
    until("all are handled", || read(&file).lines().count() == 20);
    let told = read(&file);
    let times = told.lines().map(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap());
    let last = times.max().unwrap();
    until("the last one's time is on the disk", || state::read(&place).unwrap().clock >= last);
    agent.process.kill();
    let bind = agent.gossip.to_string();
    // Without seeds: what it remembers is all that it has.
    let again = Agent::start("n1", &[&args[..], &["--bind", &bind]].concat());
    again.until_states("n1:alive n2:alive");
    other.ok(&["event", "new"]);
    until("the new one is handled", || read(&file).contains("new"));
    assert_eq!(read(&file).lines().count(), 21, "{}", read(&file));
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
