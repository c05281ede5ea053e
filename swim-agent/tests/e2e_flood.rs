//! More events than anybody should tell. `scripts/flood.py` is the long version of it.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use common::{Agent, PATIENCE, swim, until};

/// Events that each agent is offered at a time, how often, and how long after each other: 2,000 a
/// second in all.
const AT_A_TIME: usize = 40;
const TIMES: usize = 30;
const PAUSE: Duration = Duration::from_millis(100);
const ALL: &str = "n1:alive n2:alive n3:alive n4:alive n5:alive";

/// An agent with the time-outs of a network, for this machine is about to be busy.
fn start(name: &str, seed: Option<&Agent>) -> Agent {
    let ports = ["--bind", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
    let mut command = swim(&[&["agent", "--name", name], &ports[..]].concat());
    if let Some(seed) = seed {
        command.args(["--join", &seed.gossip.to_string()]);
    }
    Agent::of(name, command)
}

/// Offers an agent events without waiting for its answers; returns how many it accepted and refused.
fn offer(agent: &Agent) -> (u64, u64) {
    let mut stream = TcpStream::connect(agent.http).expect("the agent listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let answers = BufReader::new(stream.try_clone().expect("one more handle"));
    let body = r#"{"name":"flood"}"#;
    let header = format!("Host: {}\r\nContent-Type: application/json", agent.http);
    let request = format!(
        "POST /v1/event HTTP/1.1\r\n{header}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let counted = thread::spawn(move || {
        let (mut accepted, mut refused) = (0, 0);
        // Answers end with a body and no line feed, so that the next one begins somewhere in a line.
        for line in answers.lines().map(|line| line.expect("an answer")) {
            accepted += u64::from(line.contains("HTTP/1.1 200"));
            refused += u64::from(line.contains("HTTP/1.1 503"));
            if accepted + refused == (AT_A_TIME * TIMES) as u64 {
                break;
            }
        }
        (accepted, refused)
    });
    for _ in 0..TIMES {
        stream.write_all(request.repeat(AT_A_TIME).as_bytes()).expect("the agent reads");
        thread::sleep(PAUSE);
    }
    counted.join().expect("all are answered")
}

/// An agent with this flag, and what it dropped of a thousand datagrams of a stranger.
fn dropped(flag: &[&str]) -> u64 {
    let ports = ["--bind", "127.43.3.1:0", "--http-addr", "127.0.0.1:0"];
    let agent = Agent::of("n1", swim(&[&["agent", "--name", "n1"], &ports[..], flag].concat()));
    let stranger = UdpSocket::bind("127.43.3.2:0").expect("an address of loopback");
    for _ in 0..1_000 {
        stranger.send_to(b"what is no packet", agent.gossip).expect("it goes out");
        // So few at a time that the socket's buffer loses none.
        thread::sleep(Duration::from_micros(50));
    }
    until("all are there", || counters(&agent)["datagrams_received"] >= 1_000);
    counters(&agent)["stranger_datagrams_dropped"]
}

#[test]
fn what_a_stranger_may_send_is_set_by_a_flag() {
    assert!(dropped(&["--stranger-datagrams", "1"]) > 900);
    assert_eq!(dropped(&["--stranger-datagrams", "0"]), 0);
}

fn counters(agent: &Agent) -> BTreeMap<String, u64> {
    serde_json::from_value(agent.json(&["info"])["counters"].clone()).expect("counters")
}

#[test]
fn a_flood_of_events_loses_none_uncounted_and_kills_nobody() {
    let mut agents = vec![start("n1", None)];
    for name in ["n2", "n3", "n4", "n5"] {
        agents.push(start(name, agents.first()));
    }
    for agent in &agents {
        agent.until_states(ALL);
    }
    let offered: Vec<(u64, u64)> = thread::scope(|scope| {
        let offers: Vec<_> = agents.iter().map(|agent| scope.spawn(|| offer(agent))).collect();
        for agent in agents.iter().cycle().take(20) {
            let asked = Instant::now();
            agent.ok(&["info"]);
            println!("info meanwhile: {:?}", asked.elapsed());
        }
        offers.into_iter().map(|offer| offer.join().expect("all are answered")).collect()
    });
    let accepted: u64 = offered.iter().map(|(accepted, _)| accepted).sum();
    let refused: u64 = offered.iter().map(|(_, refused)| refused).sum();
    println!("{accepted} accepted, {refused} refused");
    assert_eq!(accepted + refused, (5 * AT_A_TIME * TIMES) as u64);
    for agent in &agents {
        let lost = || {
            let counts = counters(agent);
            let heard = counts["notices_heard"] + counts["notices_sent"];
            (accepted - heard, counts["notices_missed"] + counts["notices_old"])
        };
        until(&format!("{} heard all, or counted what not", agent.name), || {
            let (lost, counted) = lost();
            lost <= counted
        });
        until(&format!("{} holds nobody accused", agent.name), || agent.states() == ALL);
        let counts = counters(agent);
        assert_eq!((counts["deaths"], counts["notices_refused"]), (0, 0), "{}", agent.name);
    }
    let total = |key: &str| agents.iter().map(|agent| counters(agent)[key]).sum::<u64>();
    let (suspicions, late) = (total("suspicions"), total("late_wakeups"));
    println!("{suspicions} suspicions, {late} late wake-ups, {} missed", total("notices_missed"));
    // Who is kept from running cannot answer: that is the machine's doing, and counted.
    assert!(suspicions == 0 || late > 0, "{suspicions} suspicions, and nobody was held up");
}
