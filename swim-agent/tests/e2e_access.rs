//! Who gets at the admin endpoint: tokens, Unix sockets, and nobody else.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{Agent, Process, assert_fails, eventually, file, run, stderr, swim, until};
use rustix::process::Signal;

/// A file with a token, and its mode.
fn token(name: &str, text: &str, mode: u32) -> String {
    let path = file(name, text);
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

/// A path for a socket, short enough for one and free.
fn socket(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("swim-{}-{name}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

/// The status that a request written by hand is answered with.
fn status(agent: &Agent, head: &str) -> u16 {
    let mut stream = TcpStream::connect(agent.http).unwrap();
    stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap()
}

#[test]
fn what_is_open_to_others_needs_a_token() {
    for open in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7373"] {
        let output = run(&["agent", "--bind", "127.0.0.1:0", "--http-addr", open]);
        assert_fails(&output, 2, "is open to other machines");
        let config =
            file("open.toml", &format!("bind = \"127.0.0.1:0\"\nhttp_addr = \"{open}\"\n"));
        let output = run(&["agent", "--config", &config]);
        assert_fails(&output, 2, "open.toml");
        assert!(stderr(&output).contains("http_token_file"), "it says what to do");
    }
}

#[test]
fn a_token_file_that_is_no_secret_is_refused() {
    for (name, text, mode, culprit) in [
        ("world", "secret\n", 0o644, "chmod 600"),
        ("writable", "secret\n", 0o602, "chmod 600"),
        ("empty", "", 0o600, "the file is empty"),
        ("blank", "\n \n", 0o600, "the file is empty"),
        ("two", "one\ntwo\n", 0o600, "one line"),
        ("words", "two words", 0o600, "one line"),
        ("umlaut", "geh\u{e9}im", 0o600, "ASCII"),
        ("huge", &"x".repeat(10_000_000), 0o600, "more than 1024 bytes"),
    ] {
        let path = token(&format!("refused-{name}"), text, mode);
        let agent = ["agent", "--bind", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
        let output = run(&[&agent[..], &["--http-token-file", &path]].concat());
        assert_fails(&output, 2, culprit);
        assert!(stderr(&output).contains(&path), "{}", stderr(&output));
        assert_fails(&run(&["info", "--token-file", &path]), 2, culprit);
        let config = file("token.toml", &format!("http_token_file = \"{path}\"\n"));
        assert_fails(&run(&[&agent[..], &["--config", &config]].concat()), 2, culprit);
    }
    assert_fails(&run(&["info", "--token-file", "/nowhere/token"]), 2, "/nowhere/token");
    assert_fails(&run(&["info", "--token-file", "/"]), 2, "'/'");
}

#[test]
fn a_token_lets_in_and_nothing_else_does() {
    let right = token("right", "s3cr3t-of-the-test\n", 0o600);
    let wrong = token("wrong", "s3cr3t-of-the-tesu\n", 0o640);
    let agent = Agent::start("a", &["--http-token-file", &right]);
    for args in [&["info"][..], &["members"], &["leave"], &["monitor"], &["meta", "rm", "k"]] {
        assert_fails(&agent.run(args), 1, "this needs the agent's token (--token-file");
        let output = agent.run(&[args, &["--token-file", &wrong]].concat());
        assert_fails(&output, 1, "this is not the agent's token");
    }
    let a = "Host: 127.0.0.1";
    assert_eq!(status(&agent, &format!("GET /v1/info HTTP/1.1\r\n{a}")), 401);
    assert_eq!(status(&agent, &format!("GET /nothing HTTP/1.1\r\n{a}")), 401, "not even what is");
    assert_eq!(status(&agent, &format!("GET //metrics HTTP/1.1\r\n{a}")), 401);
    for open in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(status(&agent, &format!("GET {open} HTTP/1.1\r\n{a}")), 200, "{open}");
    }
    let shown = "Authorization: Bearer s3cr3t-of-the-test";
    assert_eq!(status(&agent, &format!("GET /v1/info HTTP/1.1\r\n{a}\r\n{shown}")), 200);
    let page = "Origin: http://example.com";
    assert_eq!(status(&agent, &format!("GET /v1/info HTTP/1.1\r\n{a}\r\n{shown}\r\n{page}")), 403);
    // A proxy with TLS leaves the name by which it is called.
    let proxied = "Host: swim.example.com\r\nOrigin: https://swim.example.com";
    assert_eq!(status(&agent, &format!("GET /v1/info HTTP/1.1\r\n{proxied}\r\n{shown}")), 200);
    assert_eq!(status(&agent, &format!("GET /v1/info HTTP/1.1\r\n{proxied}")), 401);
    assert_eq!(status(&agent, "GET / HTTP/1.1\r\nHost: swim.example.com"), 200, "the page");
    assert!(agent.ok(&["info", "--token-file", &right]).contains("alive"));
    let output = agent.command(&["members"]).env("SWIM_TOKEN_FILE", &right).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!agent.process.stderr().contains("s3cr3t"), "and the log does not tell it");
}

#[test]
fn with_a_token_others_may_reach_it() {
    let token = token("others", "another-s3cr3t\n", 0o600);
    // The later flag counts.
    let mut command = swim(&["agent", "--name", "a", "--bind", "127.0.0.1:0"]);
    command.args(["--http-addr", "0.0.0.0:0", "--http-token-file", &token]);
    let process = Process::start(command);
    let port = eventually("it is up", || {
        let banner = process.stdout();
        let line = banner.lines().find_map(|line| line.strip_prefix("http: 0.0.0.0:"))?;
        Some(line.to_owned())
    });
    let address = format!("localhost:{port}");
    let asked = ["info", "--http-addr", &address];
    assert_fails(&run(&asked), 1, "token");
    assert!(run(&[&asked[..], &["--token-file", &token]].concat()).status.success());
}

/// Starts an agent on a socket and waits until it is up.
fn on_socket(path: &str, args: &[&str]) -> Process {
    let fixed = ["agent", "--name", "a", "--bind", "127.0.0.1:0", "--profile", "local"];
    let mut process = Process::start(swim(&[&fixed[..], &["--http-addr", path], args].concat()));
    until("it is up", || {
        assert!(process.is_running(), "{}", process.stderr());
        process.stdout().contains("\nup\n")
    });
    process
}

#[test]
fn a_unix_socket_serves_every_command() {
    let path = socket("commands");
    let address = format!("unix:{}", path.display());
    let mut agent = on_socket(&address, &[]);
    assert!(agent.stdout().contains(&format!("\nhttp: {address}\n")), "{}", agent.stdout());
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "its owner's");
    let ask = |args: &[&str]| {
        let output = run(&[args, &["--http-addr", &address]].concat());
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        common::stdout(&output)
    };
    assert!(ask(&["info"]).contains(&address));
    assert!(ask(&["members", "--name", "a", "--format", "json"]).contains("\"name\":\"a\""));
    assert_eq!(ask(&["meta", "set", "k=v"]), "k=v\n");
    let monitor = Process::start(swim(&["monitor", "--http-addr", &address]));
    until("the monitor watches", || monitor.stderr().contains("watching a at unix:/"));
    let mut b = swim(&["members"]);
    b.env("SWIM_HTTP_ADDR", &address);
    assert!(b.output().unwrap().status.success(), "the environment names it too");
    assert_eq!(ask(&["leave"]), "left\n");
    assert_eq!(agent.wait().code(), Some(0));
    assert!(!path.exists(), "it is gone with its agent");
    assert_fails(&run(&["info", "--http-addr", &address]), 3, &address);
}

#[test]
fn a_group_may_be_let_in() {
    let path = socket("group");
    let address = format!("unix:{}", path.display());
    let mut agent = on_socket(&address, &["--http-socket-mode", "0660"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait().code(), Some(0));
    assert!(!path.exists());
    let args = ["agent", "--http-addr", &address, "--http-socket-mode", "777"];
    assert_fails(&run(&args), 2, "'777'");
}

#[test]
fn a_socket_that_a_killed_agent_left_is_replaced() {
    let path = socket("stale");
    let address = format!("unix:{}", path.display());
    let mut agent = on_socket(&address, &[]);
    let other = ["agent", "--bind", "127.0.0.1:0", "--http-addr", &address];
    assert_fails(&run(&other), 1, "an agent listens there");
    assert!(run(&["info", "--http-addr", &address]).status.success(), "which is not disturbed");
    agent.kill();
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    let _again = on_socket(&address, &[]);
    assert!(run(&["info", "--http-addr", &address]).status.success());
}

#[test]
fn what_is_no_socket_of_an_agent_stays() {
    let path = socket("file");
    fs::write(&path, "precious").unwrap();
    let address = format!("unix:{}", path.display());
    let agent = ["agent", "--bind", "127.0.0.1:0", "--http-addr"];
    assert_fails(&run(&[&agent[..], &[&address]].concat()), 1, "no socket");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    assert_fails(
        &run(&[&agent[..], &["unix:/nowhere/socket"]].concat()),
        1,
        "unix:/nowhere/socket",
    );
    assert_fails(&run(&[&agent[..], &["unix:socket"]].concat()), 2, "'unix:socket'");
    let long = format!("unix:/tmp/{}", "x".repeat(200));
    assert_fails(&run(&[&agent[..], &[&long]].concat()), 1, &long);
    assert_fails(&run(&["info", "--http-addr", "unix:x"]), 2, "'unix:x'");
    assert_fails(&run(&["info", "--http-addr", &long]), 3, &long);
    assert_fails(&run(&["info", "--http-addr", "unix:/nowhere/x"]), 3, "unix:/nowhere/x");
}

#[test]
fn who_listens_and_says_nothing_is_not_waited_for_for_ever() {
    let path = socket("silent");
    let listener = UnixListener::bind(&path).unwrap();
    let address = format!("unix:{}", path.display());
    let mut asking = Process::start(swim(&["info", "--http-addr", &address]));
    let (stream, _) = listener.accept().unwrap();
    assert!(asking.is_running());
    drop(stream);
    assert_eq!(asking.wait().code(), Some(3), "{}", asking.stderr());
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_socket_is_bounded_as_a_port_is() {
    let path = socket("bounded");
    let address = format!("unix:{}", path.display());
    let _agent = on_socket(&address, &[]);
    let many: Vec<_> = (0..200).filter_map(|_| UnixStream::connect(&path).ok()).collect();
    drop(many);
    let mut stream = UnixStream::connect(&path).unwrap();
    let head = "POST /v1/join HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: 10000000\r\nConnection: close\r\n\r\n").unwrap();
    let part = [b' '; 4096];
    // It stops reading and says so before all is sent.
    let sent = (0..2_442).take_while(|_| stream.write_all(&part).is_ok()).count();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => assert!(sent < 2_442 || answer.starts_with(b"HTTP/1.1 413"), "{sent}"),
    }
    // A page that was shown elsewhere has no business here either.
    let mut stream = UnixStream::connect(&path).unwrap();
    write!(stream, "GET /v1/info HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

/// What a process has in memory, in KiB.
#[cfg(target_os = "linux")]
fn resident(agent: &Agent) -> u64 {
    let pid = agent.process.pid().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn bodies_that_do_not_end_take_no_memory_and_hold_up_nobody() {
    let agent = Agent::start("a", &[]);
    let before = resident(&agent);
    let head = "POST /v1/event HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json";
    // Each as large as may be, and larger; none ends.
    let bodies: Vec<_> = (0..120)
        .map(|number| {
            let length = if number % 2 == 0 { 450_000 } else { 6_000_000 };
            let mut stream = TcpStream::connect(agent.http).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
            write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n").unwrap();
            let part = vec![b' '; length - 1];
            // An error says that it is not read on.
            let _ = stream.write_all(&part);
            stream
        })
        .collect();
    assert!(agent.ok(&["info"]).contains("alive"));
    let more = resident(&agent).saturating_sub(before);
    println!("{} bodies under way: {more} KiB more", bodies.len());
    assert!(more < 100 * 1024, "{more} KiB more");
    drop(bodies);
    agent.ok(&["event", "e", &"x".repeat(65_000)]);
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let agent = Agent::start("a", &[]);
    for (path, limit) in [("event", 458_752), ("join", 65_536), ("leave", 65_536)] {
        let mut stream = TcpStream::connect(agent.http).unwrap();
        let head = format!("POST /v1/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close");
        write!(stream, "{head}\r\nExpect: 100-continue\r\nContent-Length: 9000000\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        let error = format!("a body of 9000000 bytes is above the limit of {limit} bytes");
        assert!(answer.ends_with(&format!("{{\"error\":\"{error}\"}}")), "{answer}");
    }
}

#[test]
fn a_request_that_does_not_end_is_cut_off() {
    let agent = Agent::start("a", &[]);
    let mut stream = TcpStream::connect(agent.http).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let start = Instant::now();
    stream.write_all(b"GET /v1/info HTTP/1.1\r\n").unwrap();
    let cut = eventually("it is cut off", || {
        let sent = stream.write_all(b"X");
        match stream.read(&mut [0; 64]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && sent.is_ok() => None,
            _ => Some(start.elapsed()),
        }
    });
    assert!(cut > Duration::from_secs(2), "a slow link is no reason: {cut:?}");
}
