//! `swim top` in a terminal of its own.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{Agent, assert_fails, eventually, free_port, until};
use rustix::process::{Pid, Signal};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};
use serde_json::json;

/// A command in a terminal, and what the terminal shows.
struct Screen {
    child: Child,
    keys: File,
    /// The command's side: what it did to the terminal's modes.
    line: OwnedFd,
    before: Termios,
    shown: Arc<Mutex<vt100::Parser>>,
    /// Whether the terminal takes nothing any more.
    stuck: Arc<AtomicBool>,
}

impl Screen {
    fn start(mut command: Command, (width, height): (u16, u16)) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("it is ours");
        let name = ptsname(&ours, Vec::new()).expect("it has a name");
        let name = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let line = File::options().read(true).write(true).open(name).expect("it opens");
        let size = Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&line, size).expect("it takes a size");
        let before = tcgetattr(&line).expect("it has modes");
        // Of whoever runs the tests.
        for name in ["TERM", "COLUMNS", "LINES"] {
            command.env_remove(name);
        }
        let side = || line.try_clone().expect("its descriptor can be copied");
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn();
        let some = |size| NonZero::new(size).expect("a terminal has a size");
        let shown = Arc::new(Mutex::new(vt100::Parser::new(some(height), some(width), 0)));
        let keys = File::from(ours);
        let mut output = keys.try_clone().expect("its descriptor can be copied");
        let (parser, stuck) = (Arc::clone(&shown), Arc::<AtomicBool>::default());
        let is_stuck = Arc::clone(&stuck);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                parser.lock().expect("no reader has panicked").process(&bytes[..read]);
                while is_stuck.load(Relaxed) {
                    thread::sleep(Duration::from_millis(10));
                }
            }
        });
        Self {
            child: child.expect("the command starts"),
            keys,
            line: line.into(),
            before,
            shown,
            stuck,
        }
    }

    fn top(agent: &Agent, size: (u16, u16)) -> Self {
        Self::start(agent.command(&["top"]), size)
    }

    fn text(&self) -> String {
        self.shown.lock().expect("no reader has panicked").screen().contents()
    }

    fn until(&self, shows: &str) {
        let start = std::time::Instant::now();
        while !self.text().contains(shows) {
            assert!(start.elapsed() < common::PATIENCE, "no {shows:?} on\n{}", self.text());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn has_colors(&self) -> bool {
        let shown = self.shown.lock().expect("no reader has panicked");
        let (height, width) = shown.screen().size();
        let mut cells = (0..height.get()).flat_map(|y| (0..width.get()).map(move |x| (y, x)));
        cells.any(|(y, x)| {
            let cell = shown.screen().cell(y, x).expect("it is on the screen");
            cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default
        })
    }

    /// Waits until what happens at `agent` is shown.
    fn until_it_listens(&self, agent: &Agent) {
        until("events are shown", || {
            agent.ok(&["event", "heard"]);
            thread::sleep(Duration::from_millis(200));
            self.text().contains("user       heard")
        });
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it takes keys");
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits for its end; the terminal must be as it was.
    fn ended(&mut self) -> ExitStatus {
        let status = eventually("it ends", || self.child.try_wait().expect("its state is known"));
        let after = tcgetattr(&self.line).expect("it has modes");
        assert_eq!(after.local_modes, self.before.local_modes);
        assert!(after.local_modes.contains(LocalModes::ECHO | LocalModes::ICANON));
        assert_eq!(after.input_modes, self.before.input_modes);
        until("the screen is given back", || {
            let shown = self.shown.lock().expect("no reader has panicked");
            !shown.screen().alternate_screen() && !shown.screen().hide_cursor()
        });
        status
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_shows_the_cluster_as_it_changes_and_gives_the_terminal_back() {
    let seed = Agent::start("n1", &["--meta", "role=db"]);
    let mut screen = Screen::top(&seed, (120, 30));
    screen.until("1 alive  0 suspect");
    screen.until("role=db");
    screen.until_it_listens(&seed);
    let mut other = Agent::join("n2", &seed);
    screen.until("2 alive");
    screen.until("joined     n2");
    // Rates come with the second answer.
    until("rates are shown", || {
        screen.text().contains("per s: out ") && !screen.text().contains("out - ")
    });
    other.process.kill();
    screen.until("died       n2");
    screen.press("s\x1b[B\r");
    screen.until("incarnation");
    screen.press("e");
    screen.until("Events, the latest first");
    screen.press("?");
    screen.until("sort by something else");
    screen.press("?/n1\r");
    screen.until("1 of 2 with n1");
    screen.press("q");
    assert!(screen.ended().success());
}

#[test]
fn a_member_is_opened_with_its_history_as_it_grows() {
    let seed = Agent::start("n1", &[]);
    let mut other = Agent::join("n2", &seed);
    let mut screen = Screen::top(&seed, (140, 40));
    screen.until("2 alive");
    screen.press("\x1b[B\r");
    screen.until("nothing has happened");
    other.process.kill();
    screen.until("died          n2 by n1 (suspicion_expired)");
    screen.until("pinged ");
    // The agent is gone: what was seen of the member stays.
    drop(seed);
    screen.until("no answer from");
    assert!(screen.text().contains("died          n2"), "{}", screen.text());
    screen.press("q");
    assert!(screen.ended().success());
}

#[test]
fn every_way_out_gives_the_terminal_back() {
    let agent = Agent::start("n1", &[]);
    for out in ["\x1b", "q", "\x03"] {
        let mut screen = Screen::top(&agent, (40, 10));
        screen.until("1 alive");
        screen.press(out);
        assert!(screen.ended().success(), "{out:?}");
    }
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut screen = Screen::top(&agent, (40, 10));
        screen.until("1 alive");
        screen.signal(signal);
        assert!(screen.ended().success(), "{signal:?}");
    }
}

#[test]
fn a_terminal_that_takes_nothing_does_not_keep_it_from_ending() {
    let agent = Agent::start("n1", &[]);
    let mut screen = Screen::top(&agent, (250, 100));
    screen.until("1 alive");
    screen.stuck.store(true, Relaxed);
    // Each of these is a picture, and the terminal's buffer is full soon.
    for _ in 0..200 {
        screen.press("?");
        thread::sleep(Duration::from_millis(40));
    }
    screen.signal(Signal::TERM);
    let status = eventually("it ends", || screen.child.try_wait().expect("its state is known"));
    assert!(status.success(), "{status}");
    let after = tcgetattr(&screen.line).expect("it has modes");
    assert_eq!(after.local_modes, screen.before.local_modes);
}

#[test]
fn an_agent_that_goes_is_said_and_one_that_comes_back_is_shown() {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let start = |name: &str| {
        let args = ["agent", "--name", name, "--profile", "local", "--bind", "127.0.0.1:0"];
        Agent::of(name, common::swim(&[&args[..], &["--http-addr", &address]].concat()))
    };
    let mut first = start("n1");
    let mut screen = Screen::top(&first, (100, 24));
    screen.until("1 alive");
    first.process.kill();
    screen.until("no answer from 127.0.0.1");
    screen.until("trying again: Connection refused");
    let second = start("n2");
    screen.until("n2  cluster swim");
    until("that is over", || !screen.text().contains("no answer"));
    // The stream of events is open again too.
    screen.until_it_listens(&second);
    let _third = Agent::join("n3", &second);
    screen.until("joined     n3");
    screen.press("q");
    assert!(screen.ended().success());
}

/// So many members, as an agent tells them.
fn members(count: usize) -> String {
    let of = |at: usize| {
        json!({
            "name": format!("n{at:05}"), "address": "127.0.0.1:1", "state": "alive",
            "incarnation": "7", "metadata": {"role": "db", "zone": "a"}, "last_update": "T",
            "age_ms": at, "last_seen_ms": at, "round_trip_ms": 0.2,
            "paths": {"datagram": null, "stream": null},
        })
    };
    json!({ "members": (0..count).map(of).collect::<Vec<_>>() }).to_string()
}

/// Answers as an agent might, `answer` being given the path that is asked for and the id of the event that
/// was read last; returns its address.
fn pretend(mut answer: impl FnMut(&str, Option<&str>) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let head = BufReader::new(stream.try_clone().expect("a descriptor")).lines();
            let head = head.map_while(Result::ok).take_while(|line| !line.is_empty());
            let head: Vec<_> = head.collect();
            let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
            let last = head.iter().find_map(|line| line.strip_prefix("last-event-id: "));
            let body = answer(path, last);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", body.len());
            // It may have gone.
            let _ = write!(stream, "{head}Connection: close\r\n\r\n{body}");
        }
    });
    address
}

/// Answers as an agent would that says `info` and knows `members`, and to which nothing happens.
fn pretend_still(info: String, members: String) -> String {
    pretend(move |path, _| match path {
        "/v1/info" => info.clone(),
        "/v1/members" => members.clone(),
        _ => String::new(),
    })
}

#[test]
fn a_stream_that_broke_off_goes_on_after_the_event_that_was_read_last() {
    let info = Agent::start("n1", &[]).ok(&["info", "--format", "json"]);
    // Three that look the same, within a millisecond; the third breaks off before its end.
    let told = "data: {\"type\":\"user\",\"name\":\"deploy\",\"payload\":\"v42\",\"origin\":\"n1\",\
                \"ltime\":\"1\",\"time\":\"2026-01-01T00:00:00.000Z\"}\n";
    let whole = |id: usize| format!("{told}id: 1a-{id}\n\n");
    let parts = [format!("{}:\n\n{}{told}", whole(0), whole(1)), whole(2)];
    let address = pretend(move |path, last| match (path, last) {
        ("/v1/info", _) => info.clone(),
        ("/v1/members", _) => members(1),
        ("/v1/events?backlog=100", None) => parts[0].clone(),
        ("/v1/events?backlog=100", Some("1a-1")) => parts[1].clone(),
        _ => String::new(),
    });
    let mut screen = Screen::start(common::swim(&["top", "--http-addr", &address]), (100, 24));
    let shown = || screen.text().matches("user       deploy  by n1: v42").count();
    until("all are shown", || shown() == 3);
    screen.press("q");
    assert!(screen.ended().success());
}

#[test]
fn ten_thousand_members_fit_on_a_small_screen() {
    let info = Agent::start("n1", &[]).ok(&["info", "--format", "json"]);
    let address = pretend_still(info, members(10_000));
    let mut screen = Screen::start(common::swim(&["top", "--http-addr", &address]), (40, 10));
    screen.until("n00004");
    screen.press("\x1b[F");
    screen.until("n09999");
    screen.press("/n0777\r");
    screen.until("10 of 10000 with n0777");
    screen.until("n07775");
    screen.press("q");
    assert!(screen.ended().success());
}

#[test]
fn what_is_no_agent_is_said_before_the_screen_is_taken() {
    let address = pretend_still("{}".to_owned(), members(0));
    let mut screen = Screen::start(common::swim(&["top", "--http-addr", &address]), (160, 24));
    assert_eq!(screen.ended().code(), Some(1));
    screen.until("does not answer as a swim agent does");
}

#[test]
fn names_do_not_steer_the_terminal_and_no_color_means_none() {
    let agent = Agent::start("a\x1b[2Jb\u{202e}c", &[]);
    for (no_color, colors) in [("", true), ("1", false)] {
        let mut command = agent.command(&["top"]);
        command.env("NO_COLOR", no_color);
        let mut screen = Screen::start(command, (100, 24));
        screen.until(r"a\u{1b}[2Jb\u{202e}c");
        screen.until("alive");
        assert_eq!(screen.has_colors(), colors);
        screen.press("q");
        assert!(screen.ended().success());
    }
}

#[test]
fn without_a_terminal_or_an_agent_it_says_so_in_a_line() {
    let agent = Agent::start("n1", &[]);
    assert_fails(&agent.run(&["top"]), 2, "swim members --watch");
    assert_fails(&agent.run(&["top", "--format", "json"]), 2, "swim members --watch");
    assert_fails(&agent.run(&["top", "--colour"]), 2, "'--colour'");
    let address = format!("127.0.0.1:{}", free_port());
    let mut screen = Screen::start(common::swim(&["top", "--http-addr", &address]), (160, 24));
    assert_eq!(screen.ended().code(), Some(3));
    assert!(screen.text().contains(&format!("error: no agent at {address}")), "{}", screen.text());
}
