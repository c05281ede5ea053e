//! Real `swim` processes, and patience.
#![allow(dead_code, reason = "each test file uses a part of this")]

pub(crate) mod skip;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

/// How long anything may take before a test gives up: far longer than on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The command under test, with nothing inherited that would change what it does.
pub(crate) fn swim(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swim"));
    command
        .args(args)
        .env_remove("SWIM_HTTP_ADDR")
        .env_remove("SWIM_TOKEN_FILE")
        .stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    swim(args).output().expect("the command starts")
}

/// What a command wrote to standard output.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is text")
}

/// What a command wrote to standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("errors are text")
}

/// Checks that a command failed with `code` and one line that holds `culprit`.
pub(crate) fn assert_fails(output: &Output, code: i32, culprit: &str) {
    let line = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("error: ") && line.contains(culprit), "{culprit:?} is not in {line}");
}

/// Waits until `found` finds something.
pub(crate) fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until `is_so`.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, || is_so().then_some(()));
}

/// A process that is killed, by its id, when the test is done with it.
pub(crate) struct Process {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

impl Process {
    /// Starts a command and collects what it writes.
    pub(crate) fn start(mut command: Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let stdout = collect(child.stdout.take().expect("a pipe"));
        let stderr = collect(child.stderr.take().expect("a pipe"));
        Self { child, stdout, stderr }
    }

    /// What it has written to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.lock().expect("no reader has panicked").clone()
    }

    /// What it has written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().expect("no reader has panicked").clone()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its state is known").is_none()
    }

    /// Its id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("it takes signals");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually("a process ends", || self.child.try_wait().expect("its state is known"))
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- stderr of {}:\n{}", self.child.id(), self.stderr());
        }
    }
}

fn collect(pipe: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let collected = Arc::clone(&text);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            let mut text = collected.lock().expect("no reader has panicked");
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}

/// A running `swim agent`.
pub(crate) struct Agent {
    pub(crate) process: Process,
    pub(crate) name: String,
    pub(crate) gossip: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Agent {
    /// Starts an agent, on free ports unless told otherwise, and waits for its banner.
    pub(crate) fn start(name: &str, args: &[&str]) -> Self {
        let fixed = ["agent", "--name", name, "--profile", "local"];
        let mut command = swim(&[&fixed[..], &["--http-addr", "127.0.0.1:0"]].concat());
        if !args.contains(&"--bind") {
            command.args(["--bind", "127.0.0.1:0"]);
        }
        command.args(args);
        Self::of(name, command)
    }

    /// Starts an agent by this command and waits for its banner.
    pub(crate) fn of(name: &str, command: Command) -> Self {
        let mut process = Process::start(command);
        let banner = eventually(&format!("{name} is up"), || {
            assert!(process.is_running(), "{name} ended: {}", process.stderr());
            Some(process.stdout()).filter(|text| text.contains("\nup\n"))
        });
        let [gossip, http] = ["advertise", "http"].map(|key| address(&banner, key));
        Self { process, name: name.to_owned(), gossip, http }
    }

    /// Starts an agent that joins through `seed`.
    pub(crate) fn join(name: &str, seed: &Self) -> Self {
        Self::start(name, &["--join", &seed.gossip.to_string()])
    }

    /// A command about this agent.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = swim(args);
        command.env("SWIM_HTTP_ADDR", self.http.to_string());
        command
    }

    /// Runs a command about this agent.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the command starts")
    }

    /// Runs a command about this agent that is to succeed, and returns what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "swim {args:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// What the agent answers to a command with `--format json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(&[args, &["--format", "json"]].concat());
        serde_json::from_str(&text).expect("the answer is JSON")
    }

    /// All members by name.
    pub(crate) fn members(&self) -> BTreeMap<String, Value> {
        let body = self.json(&["members"]);
        let members = body["members"].as_array().expect("an array of members").iter();
        members.map(|member| (text(&member["name"]), member.clone())).collect()
    }

    /// The states of all members by name, as `name:state` separated by spaces.
    pub(crate) fn states(&self) -> String {
        let members = self.members();
        let states =
            members.iter().map(|(name, member)| format!("{name}:{}", text(&member["state"])));
        states.collect::<Vec<_>>().join(" ")
    }

    /// Waits until the agent holds exactly these states.
    pub(crate) fn until_states(&self, states: &str) {
        until(&format!("{} sees {states}", self.name), || self.states() == states);
    }
}

/// The text of a JSON string.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// An address that a banner tells.
fn address(banner: &str, key: &str) -> SocketAddr {
    let value = banner.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    let value = value.unwrap_or_else(|| panic!("no {key} in the banner:\n{banner}"));
    value.parse().unwrap_or_else(|_| panic!("{key} is {value}"))
}

/// A file for one test, with this text.
pub(crate) fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the file can be written");
    path.to_str().expect("its path is text").to_owned()
}

/// A port on 127.0.0.1 that nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}
