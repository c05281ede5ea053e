//! Bad input, for every command and endpoint: one line that names the culprit, the exit code that is
//! promised, nothing lost and nothing half-applied.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};
use std::sync::OnceLock;

use common::{
    Agent, Process, assert_fails, file, free_port, run, stderr, stdout, swim, text, until,
};
use serde_json::{Value, json};

/// The commands that there are, as the help tells them, those below `meta` included.
fn commands() -> Vec<Vec<String>> {
    let below = |path: &[String]| -> Vec<String> {
        let mut args: Vec<_> = path.iter().map(String::as_str).collect();
        args.push("--help");
        let help = stdout(&run(&args));
        let Some((_, listed)) = help.split_once("Commands:\n") else { return Vec::new() };
        let listed = listed.lines().take_while(|line| line.starts_with("  "));
        let names = listed.filter(|line| !line.starts_with("   "));
        names.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
    };
    let mut commands = Vec::new();
    for name in below(&[]).into_iter().filter(|name| name != "help") {
        let path = vec![name];
        let inner: Vec<_> = below(&path).into_iter().filter(|name| name != "help").collect();
        match inner.is_empty() {
            true => commands.push(path),
            false => commands.extend(inner.into_iter().map(|name| vec![path[0].clone(), name])),
        }
    }
    assert!(commands.len() >= 14, "{commands:?}");
    commands
}

/// Those of them that ask an agent, with arguments that make sense.
fn asking() -> Vec<Vec<String>> {
    let mut asking = Vec::new();
    for command in commands() {
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        let help = stdout(&run(&[&words[..], &["--help"]].concat()));
        // `top` wants a terminal first: `e2e_top` has it.
        if words == ["agent"] || words == ["top"] || !help.contains("SWIM_HTTP_ADDR") {
            continue;
        }
        let more: &[&str] = match words[..] {
            ["join"] => &["127.0.0.1:1"],
            ["meta", "set"] => &["k=v"],
            ["keys", "install"] => &["--key-file", key_file()],
            ["keys", "use" | "remove"] => &["1f2e3d4c"],
            _ if help.lines().any(|line| line.starts_with("Usage:") && line.contains('<')) => {
                &["x"]
            }
            _ => &[],
        };
        asking.push(words.iter().chain(more).map(|&word| word.to_owned()).collect());
    }
    assert!(asking.len() >= 10, "{asking:?}");
    asking
}

/// A file with a key.
fn key_file() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| {
        let key = stdout(&run(&["keygen"]));
        let path = file("key", "");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, key).unwrap();
        path
    })
}

fn words(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

#[test]
fn every_command_names_a_flag_that_it_does_not_know() {
    for command in commands() {
        let output = run(&[&words(&command)[..], &["--no-such-flag"]].concat());
        assert_fails(&output, 2, "'--no-such-flag'");
    }
}

#[test]
fn every_command_that_prints_an_answer_names_a_format_that_it_does_not_know() {
    for command in asking() {
        let output = run(&[&words(&command)[..], &["--format", "xml"]].concat());
        assert_fails(&output, 2, "'xml'");
        let output = run(&[&words(&command)[..], &["--http-addr", "nowhere"]].concat());
        assert_fails(&output, 2, "'nowhere'");
        let output = run(&[&words(&command)[..], &["--token-file", "/no/such"]].concat());
        assert_fails(&output, 2, "/no/such");
    }
}

#[test]
fn every_command_says_that_no_agent_is_there() {
    // What takes connections and says nothing but goodbye.
    let rude = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = rude.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in rude.incoming() {
            let _ = stream.and_then(|mut stream| stream.read(&mut [0; 1000]));
        }
    });
    let nobody = format!("127.0.0.1:{}", free_port());
    for command in asking() {
        for address in [&nobody, &address, "no.such.invalid:7373", "unix:/no/such.sock"] {
            let output = run(&[&words(&command)[..], &["--http-addr", address]].concat());
            assert_fails(&output, 3, address);
            assert!(output.stdout.is_empty(), "{command:?} {address}: {}", stdout(&output));
        }
    }
}

#[test]
fn arguments_that_are_no_text_are_named() {
    let odd = OsStr::from_bytes(b"od\xffd");
    for command in asking() {
        let output = swim(&words(&command)).arg("--name").arg(odd).output().unwrap();
        // Either the flag or the argument, whichever is read first.
        let line = stderr(&output);
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
        assert!(line.contains("--name") || line.contains(r"od\xFFd"), "{line}");
    }
    let output = swim(&["event"]).arg(odd).output().unwrap();
    assert_fails(&output, 2, r"od\xFFd");
    let output = swim(&["agent", "--config"]).arg(odd).output().unwrap();
    assert_fails(&output, 2, "od\u{fffd}d");
}

#[test]
fn what_an_error_quotes_does_not_steer_the_terminal() {
    for args in [
        &["members", "--http-addr", "a\n\x1b[2J:80"][..],
        &["nosuch\u{202e}\x1b[2J"],
        &["join", "a\nb"],
        &["check-config", "/no\n\x1b/such"],
        &["info", "--token-file", "/no\n\x1b/such"],
        &["meta", "set", "a\n\x07"],
    ] {
        let output = run(args);
        let line = stderr(&output);
        assert!(!output.status.success() && line.lines().count() == 1, "{line}");
        let steers = |char: char| char.is_control() || char == '\u{202e}';
        assert!(!line.trim_end().contains(steers), "{line:?}");
    }
}

/// An agent with something to lose, and somebody who watches it.
fn watched() -> (Agent, Process) {
    let agent = Agent::start("n1", &["--meta", "role=db"]);
    let monitor = Process::start(agent.command(&["monitor", "--format", "json"]));
    until("the monitor watches", || monitor.stderr().contains("watching"));
    agent.ok(&["event", "first"]);
    until("the first event is told", || monitor.stdout().contains(r#""name":"first""#));
    (agent, monitor)
}

/// Checks that nothing was changed or told, by telling something at last.
fn unchanged((agent, monitor): &(Agent, Process)) {
    agent.ok(&["event", "last"]);
    until("the last event is told", || monitor.stdout().contains(r#""name":"last""#));
    let told = monitor.stdout();
    let after = told.lines().skip_while(|line| !line.contains(r#""name":"first""#));
    assert_eq!(after.count(), 2, "{told}");
    assert_eq!(agent.members()["n1"]["metadata"], json!({"role": "db"}));
    assert_eq!(agent.states(), "n1:alive");
}

/// Runs a command about an agent with this on its standard input.
fn fed(agent: &Agent, args: &[&str], input: &[u8]) -> Output {
    let mut command = agent.command(args);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    // It may have seen enough before the end.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("it ends")
}

#[test]
fn wrong_values_change_nothing_not_even_the_right_ones_beside_them() {
    let watched = watched();
    let agent = &watched.0;
    let (long, large) = ("n".repeat(256), format!("big={}", "v".repeat(600)));
    let nobody = format!("127.0.0.1:{}", free_port());
    for (args, code, culprit) in [
        (&["meta", "set", "ok=1", "no"][..], 2, "'no'"),
        (&["meta", "set", "ok=1", "=v"], 2, "'=v'"),
        (&["meta", "set", "ok=1", &large], 1, "512"),
        (&["meta", "set", "ok=1", "swim.x=y"], 1, "swim.x"),
        (&["meta", "rm", "role", "swim.x"], 1, "swim.x"),
        (&["join", &nobody], 1, &nobody),
        (&["join", &nobody, "nowhere"], 2, "'nowhere'"),
        (&["join", "no such:1"], 2, "'no such:1'"),
        (&["join", "127.0.0.1:0"], 2, "'127.0.0.1:0'"),
        (&["join", "127.0.0.1:65536"], 2, "'127.0.0.1:65536'"),
        (&["event", &long], 1, "256"),
        (&["event", "e", "p", "x"], 2, "'x'"),
        (&["query", &long], 1, "256"),
        (&["query", "q", "--node", &long], 1, "256"),
        (&["query", "q", "--timeout", "1.5s"], 2, "'1.5s'"),
        (&["query", "q", "--timeout", "-1s"], 2, "-1"),
        (&["query", "q", "--relay", "many"], 2, "'many'"),
        (&["query", "q", "--meta", "role=a", "--meta", "role=("], 2, "'role=('"),
        (&["query", "q", "--meta", "role=a{1000}{1000}{1000}"], 2, "role=a{1000}{1000}{1000}"),
        (&["members", "--name", "("], 2, "'('"),
        (&["members", "--name", "a{1000}{1000}{1000}"], 2, "size limit"),
        (&["members", "--meta", "role=*"], 2, "'role=*'"),
        (&["members", "--meta", "(=x)("], 2, "unopened group"),
        (&["members", "--state", ""], 2, "--state"),
        (&["members", "--state", "Alive"], 2, "'Alive'"),
        (&["info", "--explain=maybe"], 2, "maybe"),
        (&["leave", "now"], 2, "'now'"),
        (&["monitor", "now"], 2, "'now'"),
        (&["reachability", "--timeout", "0s"], 2, "'0s'"),
    ] {
        let output = agent.run(args);
        let line = stderr(&output);
        assert_eq!(
            (output.status.code(), line.lines().count()),
            (Some(code), 1),
            "{args:?}: {line}"
        );
        // What is long is shortened, or told by its size.
        assert!(line.contains(culprit), "{args:?}: {culprit:?} is not in {line}");
    }
    for args in [&["event", "e", "-"][..], &["query", "q", "-"]] {
        assert_fails(&fed(agent, args, &vec![0xff; 10_000_000]), 2, "1048576");
        assert_fails(&fed(agent, args, &vec![b'x'; 70_000]), 1, "65536");
    }
    unchanged(&watched);
}

/// Sends a request by hand and returns the status; 0 when the connection was cut without an answer.
fn raw(agent: &Agent, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(agent.http).expect("the endpoint listens");
    let mut answer = Vec::new();
    let head = format!("{head}\r\nHost: localhost\r\nConnection: close\r\n");
    let length = format!("Content-Length: {}\r\n\r\n", body.len());
    // It may have seen enough before the end.
    let _ = stream.write_all(format!("{head}{length}").as_bytes());
    let _ = stream.write_all(body);
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

/// The error of an answer, which says nothing else.
fn error(answer: &str) -> String {
    let body: Value = serde_json::from_str(answer).unwrap_or_else(|_| panic!("no JSON: {answer}"));
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{answer}");
    text(&body["error"])
}

const JSON: &str = "Content-Type: application/json";

#[test]
fn every_endpoint_refuses_ten_megabytes_and_stays() {
    let watched = watched();
    let agent = &watched.0;
    let x = "x".repeat(10_000_000);
    let (usual, large) = (65_536, 7 * 65_536);
    for (request, body, limit) in [
        ("POST /v1/event", format!(r#"{{"name":"e","payload":"{x}"}}"#), large),
        ("POST /v1/query", format!(r#"{{"name":"q","payload":"{x}"}}"#), large),
        ("POST /v1/query", format!(r#"{{"name":"q","meta":["role={x}"]}}"#), large),
        ("POST /v1/join", format!(r#"{{"addresses":["{x}:1"]}}"#), usual),
        ("POST /v1/force-leave", format!(r#"{{"name":"{x}"}}"#), usual),
        ("PUT /v1/metadata", format!(r#"{{"set":{{"k":"{x}"}}}}"#), usual),
        ("POST /v1/leave", x.clone(), usual),
    ] {
        let (status, answer) =
            raw(agent, &format!("{request} HTTP/1.1\r\n{JSON}"), body.as_bytes());
        let length = body.len();
        let sizes = format!("a body of {length} bytes is above the limit of {limit} bytes");
        assert_eq!((status, error(&answer)), (413, sizes), "{request}");
    }
    // Who takes no body does not read it, and who reads no further closes: an answer may be lost then.
    let (status, answer) = raw(agent, "GET /v1/members HTTP/1.1", x.as_bytes());
    assert!(matches!(status, 0 | 200), "{status} {answer}");
    for head in [
        format!("GET /v1/members?name={x} HTTP/1.1"),
        format!("GET /{x} HTTP/1.1"),
        format!("GET /v1/members HTTP/1.1\r\nX: {x}"),
        format!("{x} /v1/members HTTP/1.1"),
    ] {
        let (status, answer) = raw(agent, &head, b"");
        assert!(matches!(status, 0 | 431), "{}: {status} {answer}", &head[..40]);
    }
    unchanged(&watched);
}

#[test]
fn every_endpoint_refuses_what_makes_no_sense_and_changes_nothing() {
    let watched = watched();
    let agent = &watched.0;
    let large = format!(r#"{{"set":{{"ok":"1","big":"{}"}}}}"#, "v".repeat(600));
    let refused = std::io::Error::from(rustix::io::Errno::CONNREFUSED);
    let unanswered = format!(
        "nobody answered the join: 127.0.0.1:1 ({refused}); no (it is no address: expected HOST:PORT, \
         such as node-1:7946, srv:NAME or mdns:NAME)"
    );
    for (request, body, refused, why) in [
        (
            "PUT /v1/metadata",
            r#"{"set":{"ok":"1","k":2}}"#,
            422,
            "set.k: invalid type: integer `2`, expected a string",
        ),
        (
            "PUT /v1/metadata",
            r#"{"set":{"ok":"1"},"remove":"role"}"#,
            422,
            r#"remove: invalid type: string "role", expected a sequence"#,
        ),
        (
            "PUT /v1/metadata",
            r#"{"set":{"ok":"1"},"remove":["role"],"x":0}"#,
            422,
            "x: unknown field `x`, expected `set` or `remove`",
        ),
        ("PUT /v1/metadata", r#"{"set":{"ok":"1","":"v"}}"#, 400, "set: a key must not be empty"),
        (
            "PUT /v1/metadata",
            r#"{"set":{"ok":"1","swim.x":"v"}}"#,
            400,
            r#"the key "swim.x" is reserved: keys that begin with "swim." are the protocol's own"#,
        ),
        (
            "PUT /v1/metadata",
            &large,
            400,
            "metadata of 632 bytes encoded is above the limit of 512 bytes",
        ),
        (
            "PUT /v1/metadata",
            r#"{"set":{"ok":"1"}"#,
            400,
            "the body is no JSON: EOF while parsing an object at line 1 column 17",
        ),
        (
            "PUT /v1/metadata",
            "",
            400,
            "the body is no JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            "PUT /v1/metadata",
            "null",
            422,
            "invalid type: null, expected an object with set, remove or both",
        ),
        (
            "POST /v1/join",
            r#"{"addresses":["no","nor this"]}"#,
            400,
            r#"addresses: "no": expected HOST:PORT, such as node-1:7946, srv:NAME or mdns:NAME; addresses: "nor this": expected HOST:PORT, such as node-1:7946, srv:NAME or mdns:NAME"#,
        ),
        // One that is right is enough to try; the answer names both.
        ("POST /v1/join", r#"{"addresses":["127.0.0.1:1","no"]}"#, 504, &unanswered),
        (
            "POST /v1/join",
            r#"{"addresses":"127.0.0.1:1"}"#,
            422,
            r#"addresses: invalid type: string "127.0.0.1:1", expected a sequence"#,
        ),
        (
            "POST /v1/join",
            r#"{"addresses":["\u0000:1"]}"#,
            400,
            r#"addresses: "\0:1": expected HOST:PORT, such as node-1:7946, srv:NAME or mdns:NAME"#,
        ),
        (
            "POST /v1/event",
            r#"{"name":"e","payload":7}"#,
            422,
            "payload: invalid type: integer `7`, expected a string",
        ),
        (
            "POST /v1/event",
            r#"{"name":""}"#,
            400,
            "the event or query was refused: a name of 0 bytes is not within 1 to 255 bytes",
        ),
        (
            "POST /v1/event",
            "\u{feff}{}",
            400,
            "the body is no JSON: expected value at line 1 column 1",
        ),
        (
            "POST /v1/query",
            r#"{"name":"q","timeout_ms":-1}"#,
            422,
            "timeout_ms: invalid value: integer `-1`, expected a whole number",
        ),
        (
            "POST /v1/query",
            r#"{"name":"q","timeout_ms":1e99}"#,
            422,
            "timeout_ms: invalid type: floating point `1e+99`, expected a whole number",
        ),
        (
            "POST /v1/query",
            r#"{"name":"q","meta":["role=a","role=("]}"#,
            400,
            r#"metadata "role": pattern "(": error: unclosed group"#,
        ),
        (
            "POST /v1/query",
            r#"{"name":"q","meta":["=x"],"timeout_ms":99999999}"#,
            400,
            "a time-out of 99999.999s is not within 1 ms to 1 h",
        ),
        (
            "POST /v1/query",
            r#"{"name":"q","nodes":[""]}"#,
            400,
            "the event or query was refused: a name of 0 bytes is not within 1 to 255 bytes",
        ),
        ("GET /v1/members?name=(", "", 400, r#"name: "(": error: unclosed group"#),
        ("GET /v1/members?meta=role=%28", "", 400, r#"meta: "(": error: unclosed group"#),
        ("GET /v1/members?name=%FF", "", 200, ""),
        ("GET /v1/members?state=", "", 400, r#"state: "" is none of alive, suspect, dead, left"#),
        ("GET /v1/info?explain=2", "", 400, "explain: provided string was not `true` or `false`"),
        ("PATCH /v1/metadata", "", 405, "/v1/metadata does not take PATCH"),
        ("GET /v1/../etc/passwd", "", 404, "nothing is at /v1/../etc/passwd"),
    ] {
        let (status, answer) =
            raw(agent, &format!("{request} HTTP/1.1\r\n{JSON}"), body.as_bytes());
        let told = if status == 200 { String::new() } else { error(&answer) };
        assert_eq!((status, told.as_str()), (refused, why), "{request} {body}");
    }
    unchanged(&watched);
}

#[test]
fn names_may_be_any_text_and_are_shown_whole_and_harmless() {
    let names =
        ["two words", "bell\x07 and\nlines\x1b[2J", "\u{202e}n\u{f6}d \u{1f980}", "=,:/#?&%\"'\\"];
    let seed = Agent::start(names[0], &["--meta", "a key=a \x1b value"]);
    let others: Vec<_> = names[1..].iter().map(|name| Agent::join(name, &seed)).collect();
    until("all are there", || {
        let members = seed.members();
        names.iter().all(|name| members.get(*name).is_some_and(|it| it["state"] == "alive"))
    });
    let steers = |char: &char| (char.is_control() && *char != '\n') || *char == '\u{202e}';
    for args in [&["members"][..], &["info"], &["reachability"]] {
        let shown = seed.ok(args);
        assert!(!shown.chars().any(|char| steers(&char)), "{shown:?}");
    }
    assert_eq!(seed.ok(&["members"]).lines().count(), 1 + names.len());
    // Each can be asked for by its name, and by a pattern.
    for (at, name) in names.iter().enumerate() {
        let said = seed.ok(&["query", "q", "--node", name, "--format", "json"]);
        let first: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        assert_eq!(first["expected"], json!([name]));
        assert!(said.lines().any(|line| line.contains("\"ack\"")), "{at}: {said}");
    }
    let found = seed.json(&["members", "--name", "^\u{202e}n\u{f6}d \u{1f980}$"]);
    assert_eq!(found["members"].as_array().unwrap().len(), 1);
    let odd = "k\n\x1b\u{202e}=v\u{1f980} =\t\"";
    assert!(!others[0].ok(&["meta", "set", odd]).trim_end().chars().any(|char| steers(&char)));
    until("the pair is known", || {
        seed.members()[names[1]]["metadata"]["k\n\x1b\u{202e}"] == "v\u{1f980} =\t\""
    });
    // A cluster's name is as free.
    let other = Agent::start("a", &["--cluster", "prod \u{202e}\n"]);
    assert_eq!(other.json(&["info"])["cluster"], "prod \u{202e}\n");
    assert!(!other.ok(&["info"]).chars().any(|char| steers(&char)));
}

#[test]
fn what_others_call_themselves_does_not_steer_the_log() {
    let name = "bell\x07\x1b[2J\r\u{202e}";
    for format in ["text", "json"] {
        let seed = Agent::start("n1", &["--log-level", "trace", "--log-format", format]);
        let other = Agent::start(name, &["--join", &seed.gossip.to_string()]);
        seed.until_states(&format!("{name}:alive n1:alive"));
        other.ok(&["event", name, name]);
        other.ok(&["leave"]);
        let stranger = ["--join", &seed.gossip.to_string(), "--cluster", name];
        let _stranger = Agent::start("n3", &stranger);
        let logged = |what: &str| until(what, || seed.process.stderr().contains(what));
        logged("bell\\");
        logged("was refused: packet of cluster");
        let steers = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        let log = seed.process.stderr();
        let line = log.lines().find(|line| line.chars().any(steers));
        assert_eq!(line, None, "{format}");
    }
}
