//! Real agents on this machine: they meet, die, come back and leave.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::time::Instant;

use common::{Agent, PATIENCE, Process, eventually, free_port, text, until};
use rustix::process::Signal;

/// Agents `a`, `b` and so on that see each other.
fn cluster(names: &[&str]) -> Vec<Agent> {
    let mut agents = vec![Agent::start(names[0], &[])];
    for name in &names[1..] {
        agents.push(Agent::join(name, &agents[0]));
    }
    let states = states(names, "alive");
    agents.iter().for_each(|agent| agent.until_states(&states));
    agents
}

fn states(names: &[&str], state: &str) -> String {
    names.iter().map(|name| format!("{name}:{state}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn kill_9_is_noticed_by_all_others() {
    let mut agents = cluster(&["a", "b", "c"]);
    agents[2].process.kill();
    agents[0].until_states("a:alive b:alive c:dead");
    agents[1].until_states("a:alive b:alive c:dead");
}

#[test]
fn a_restart_under_the_same_name_on_another_port_is_accepted() {
    let mut agents = cluster(&["a", "b", "c"]);
    let before = text(&agents[0].members()["c"]["incarnation"]).parse::<u64>().unwrap();
    agents[2].process.kill();
    // At once: the others may not even have noticed the death.
    let again = Agent::join("c", &agents[0]);
    assert_ne!(again.gossip, agents[2].gossip);
    for agent in &agents[..2] {
        let after = eventually("the new address is known", || {
            let member = agent.members()["c"].clone();
            let known = text(&member["address"]) == again.gossip.to_string();
            (known && text(&member["state"]) == "alive").then_some(member)
        });
        // Equal only when both lives began within one second, the grain of the boot epoch.
        assert!(text(&after["incarnation"]).parse::<u64>().unwrap() >= before);
    }
    again.until_states("a:alive b:alive c:alive");
}

#[test]
fn swim_leave_says_goodbye_and_ends_the_agent() {
    let mut agents = cluster(&["a", "b", "c"]);
    assert_eq!(agents[2].ok(&["leave"]), "left\n");
    assert_eq!(agents[2].process.wait().code(), Some(0));
    agents[0].until_states("a:alive b:alive c:left");
    agents[1].until_states("a:alive b:alive c:left");
}

#[test]
fn whoever_asks_an_agent_to_leave_is_answered_and_not_only_the_first() {
    let mut agents = cluster(&["a", "b", "c"]);
    // They do not confirm, so the goodbye takes its second.
    agents[1].process.signal(Signal::STOP);
    agents[2].process.signal(Signal::STOP);
    let first = Process::start(agents[0].command(&["leave"]));
    until("the goodbye has begun", || agents[0].process.stderr().contains("asked to leave"));
    // On a busy machine the agent may have ended before the second asks.
    let second = agents[0].run(&["leave"]).status.code();
    assert!(second == Some(0) || second == Some(3), "{second:?}");
    until("the first is answered", || first.stdout() == "left\n");
    assert_eq!(agents[0].process.wait().code(), Some(0));
}

#[test]
fn sigterm_and_sigint_say_goodbye_too() {
    let mut agents = cluster(&["a", "b", "c"]);
    agents[2].process.signal(Signal::TERM);
    assert_eq!(agents[2].process.wait().code(), Some(0));
    agents[0].until_states("a:alive b:alive c:left");
    agents[1].process.signal(Signal::INT);
    assert_eq!(agents[1].process.wait().code(), Some(0));
    agents[0].until_states("a:alive b:left c:left");
}

#[test]
fn a_stream_of_events_does_not_hold_up_the_end() {
    let mut agent = Agent::start("a", &[]);
    let monitor = Process::start(agent.command(&["monitor"]));
    until("the monitor watches", || monitor.stderr().contains("watching a"));
    agent.process.signal(Signal::TERM);
    assert_eq!(agent.process.wait().code(), Some(0));
}

#[test]
fn all_agents_stopped_together_end_well() {
    let mut agents = cluster(&["a", "b", "c", "d", "e", "f"]);
    let start = Instant::now();
    agents.iter().for_each(|agent| agent.process.signal(Signal::TERM));
    for agent in &mut agents {
        assert_eq!(agent.process.wait().code(), Some(0), "{}", agent.name);
    }
    let took = start.elapsed();
    println!("{} agents stopped together in {took:?}", agents.len());
    assert!(took < PATIENCE / 2, "{took:?}");
}

#[test]
fn agents_stopped_together_have_left_for_those_who_stay() {
    let mut agents = cluster(&["a", "b", "c", "v", "w", "x", "y", "z"]);
    let leavers = agents.split_off(3);
    leavers.iter().for_each(|agent| agent.process.signal(Signal::TERM));
    for mut agent in leavers {
        assert_eq!(agent.process.wait().code(), Some(0), "{}", agent.name);
    }
    for agent in &agents {
        agent.until_states("a:alive b:alive c:alive v:left w:left x:left y:left z:left");
        assert!(!agent.process.stderr().contains("member died"), "{}", agent.process.stderr());
    }
}

#[test]
fn a_join_is_retried_until_the_seed_is_up() {
    let port = free_port();
    let seed = format!("127.0.0.1:{port}");
    let early = Agent::start("early", &["--join", &seed]);
    let why = format!("(attempt 1), trying again: {seed}: Connection refused");
    until("the vain join is said, and why", || early.process.stderr().contains(&why));
    assert_eq!(early.states(), "early:alive");
    let late = Agent::start("late", &["--bind", &seed]);
    early.until_states("early:alive late:alive");
    late.until_states("early:alive late:alive");
}

#[test]
fn another_cluster_is_not_heard() {
    let one = Agent::start("a", &["--cluster", "one"]);
    let other = Agent::start("b", &["--cluster", "other", "--join", &one.gossip.to_string()]);
    until("the vain join is said, and why", || {
        let log = other.process.stderr();
        log.contains("nobody answered the join") && log.contains("is it of the same cluster?")
    });
    assert_eq!(one.states(), "a:alive");
    assert_eq!(other.states(), "b:alive");
}

#[test]
fn a_second_signal_ends_at_once() {
    // Alone with a member that does not confirm its goodbye, an agent waits for a moment.
    let mut agents = cluster(&["a", "b", "c"]);
    agents[1].process.signal(Signal::STOP);
    agents[2].process.signal(Signal::STOP);
    agents[0].process.signal(Signal::TERM);
    until("the goodbye has begun", || agents[0].process.stderr().contains("SIGTERM"));
    agents[0].process.signal(Signal::TERM);
    let code = agents[0].process.wait().code();
    // On a busy machine the goodbye may be over before the second signal is looked at.
    assert!(code == Some(1) || code == Some(0), "{code:?}");
}
