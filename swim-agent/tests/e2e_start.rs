//! How an agent starts and ends: exit codes, signals, and the socket it leaves.
#![cfg(all(unix, feature = "cli"))]

mod common;
#[path = "common/dns.rs"]
mod dns;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use common::{Agent, PATIENCE, Process, assert_fails, run, swim, until};
use dns::Dns;
use rustix::process::Signal;

/// What every agent of these tests is started by.
const QUIET: [&str; 5] = ["agent", "--bind", "127.73.0.1:0", "--log-level", "off"];

/// A path for a socket, short enough for one and free, and how it is given.
fn socket(name: &str) -> (PathBuf, String) {
    let path = std::env::temp_dir().join(format!("swim-{}-{name}", std::process::id()));
    let _ = fs::remove_file(&path);
    let address = format!("unix:{}", path.display());
    (path, address)
}

#[test]
fn what_the_network_lacks_is_no_wrong_usage() {
    let dns = Dns::start();
    let server = dns.address.to_string();
    let (path, address) = socket("lacks");
    for (args, culprit) in [
        (&["--advertise", "eth73"][..], "\"eth73\""),
        (&["--advertise", "no-host.example", "--dns-server", &server], "no-host.example"),
        (&["--discover", "lab", "--discover-interface", "eth73"], "\"eth73\""),
    ] {
        let output = run(&[&QUIET[..], &["--http-addr", &address], args].concat());
        assert_fails(&output, 1, culprit);
        assert!(!path.exists(), "and its socket is gone");
    }
    dns.silence();
    let silent = ["--http-addr", "none", "--advertise", "dead.example", "--dns-server", &server];
    assert_fails(&run(&[&QUIET[..], &silent].concat()), 1, "dead.example");
    // This one no network mends.
    let wrong = ["--http-addr", "none", "--advertise", "0.0.0.0"];
    assert_fails(&run(&[&QUIET[..], &wrong].concat()), 2, "'0.0.0.0'");
}

#[test]
fn a_signal_ends_an_agent_that_is_starting() {
    let dns = Dns::start();
    dns.silence();
    let server = dns.address.to_string();
    for signal in [Signal::TERM, Signal::INT] {
        let (path, address) = socket("starting");
        let asked = dns.asked();
        let args = ["--http-addr", &address, "--advertise", "dead.example"];
        let server = ["--dns-server", &server];
        let mut agent = Process::start(swim(&[&QUIET[..3], &args, &server].concat()));
        until("it looks its address up", || dns.asked() > asked);
        agent.signal(signal);
        assert_eq!(agent.wait().code(), Some(0), "{}", agent.stderr());
        let log = agent.stderr();
        assert!(log.contains("ended before it had started"), "{log}");
        assert!(!log.contains("dead.example"), "it did not wait for the answer: {log}");
        assert!(!path.exists(), "and its socket is gone");
    }
}

#[test]
fn a_second_signal_ends_at_once_and_leaves_no_socket() {
    let (path, address) = socket("second");
    let peer = Agent::start("peer", &[]);
    let mut args = vec!["agent", "--name", "a", "--profile", "local", "--http-addr", &address];
    let seed = peer.gossip.to_string();
    args.extend(["--bind", "127.0.0.1:0", "--join", &seed]);
    let mut agent = Process::start(swim(&args));
    until("it has joined", || agent.stdout().contains("\nready\n"));
    // Nobody hears the goodbye.
    peer.process.signal(Signal::STOP);
    agent.signal(Signal::TERM);
    until("it says goodbye", || agent.stderr().contains("leaving the cluster"));
    agent.signal(Signal::TERM);
    let code = agent.wait().code();
    peer.process.signal(Signal::CONT);
    // On a slow machine the goodbye may be over first.
    println!("ended with {code:?}: {}", agent.stderr());
    assert!(!path.exists(), "{}", agent.stderr());
}

#[test]
fn of_agents_that_start_at_once_over_a_dead_ones_socket_one_has_it() {
    for round in 0..8 {
        let (path, address) = socket(&format!("race{round}"));
        // As `kill -9` leaves it.
        drop(UnixListener::bind(&path).unwrap());
        let start = |_| {
            let args = ["agent", "--bind", "127.73.0.1:0", "--http-addr", &address];
            Process::start(swim(&args))
        };
        let mut agents: Vec<Process> = (0..4).map(start).collect();
        until("three have ended and one is up", || {
            let up = agents.iter().filter(|agent| agent.stdout().contains("\nup\n")).count();
            let running = agents.iter_mut().filter_map(|agent| agent.is_running().then_some(()));
            let running = running.count();
            assert!(running > 0 && up <= 1, "{up} are up, {running} run");
            (up, running) == (1, 1)
        });
        for agent in agents.iter_mut().filter(|agent| !agent.stdout().contains("\nup\n")) {
            assert_eq!(agent.wait().code(), Some(1));
            assert!(agent.stderr().contains("an agent listens there"), "{}", agent.stderr());
        }
        let output = run(&["info", "--http-addr", &address]);
        assert!(output.status.success(), "{}", common::stderr(&output));
        drop(agents);
        let _ = fs::remove_file(&path);
    }
}

#[test]
fn who_asks_to_leave_while_the_agent_leaves_is_not_told_that_it_does_not() {
    let watching = Agent::start("b", &[]);
    let mut agent = Agent::join("a", &watching);
    watching.until_states("a:alive b:alive");
    let mut late = TcpStream::connect(agent.http).unwrap();
    late.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "POST /v1/leave HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{";
    late.write_all(head.as_bytes()).unwrap();
    // It must be seen as a request that is under way.
    thread::sleep(Duration::from_millis(200));
    agent.process.signal(Signal::TERM);
    watching.until_states("a:left b:alive");
    // Its goodbye is said; for a second more it answers. On a slow machine it may be gone.
    let _ = late.write_all(b"}");
    let mut answer = String::new();
    let _ = late.read_to_string(&mut answer);
    println!("answered {answer:?}");
    assert!(answer.is_empty() || answer.ends_with("{\"left\":true}"), "{answer}");
    assert_eq!(agent.process.wait().code(), Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_burst_of_filters_takes_a_bounded_number_of_threads() {
    let agent = Agent::start("a", &[]);
    let request = "GET /v1/members?name=a.*b%7C%5Ea HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let mut many: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(agent.http).unwrap()).collect();
    let tasks = format!("/proc/{}/task", agent.process.pid().as_raw_nonzero());
    let mut most = 0;
    for _ in 0..10 {
        many.iter_mut().for_each(|stream| stream.write_all(request.as_bytes()).unwrap());
        for stream in &mut many {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            most = most.max(fs::read_dir(&tasks).unwrap().count());
        }
    }
    // Those for what may take long, and the protocol's, the log's, the handlers'.
    println!("{most} threads");
    assert!(most <= 16 + 4, "{most}");
}
