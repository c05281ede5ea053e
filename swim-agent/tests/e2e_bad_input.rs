//! Bad input for every command: one line that names the culprit, the exit code that is promised,
//! nothing lost and nothing half-applied.
#![cfg(all(unix, feature = "cli"))]

mod common;
#[path = "common/watched.rs"]
mod watched;

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};
use std::sync::OnceLock;

use common::{Agent, assert_fails, file, free_port, run, stderr, stdout, swim};
use watched::{unchanged, watched};

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
