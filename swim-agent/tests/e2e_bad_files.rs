//! Files and disks that are not as they should be: half-written, full, forbidden.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{Agent, Process, assert_fails, run, skip::skipped, stderr, stdout, swim, text, until};
use serde_json::json;

/// An empty place for the files of one test.
fn place(test: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bad-{test}"));
    // It is there only when the test ran before.
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory");
    path
}

/// A file there, and its path as text.
fn write(place: &Path, name: &str, bytes: &[u8], mode: u32) -> String {
    let path = place.join(name);
    fs::write(&path, bytes).expect("the file can be written");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
    path.to_str().expect("its path is text").to_owned()
}

const CONFIG: &str = r#"name = "n1"
cluster = "swim"
join = ["127.0.0.1:1"]

[metadata]
role = "db"

[protocol]
probe_interval = 1000
"#;

/// Starts an agent that must not start.
fn refused(args: &[&str]) -> Output {
    let fixed = ["agent", "--bind", "127.0.0.1:0", "--http-addr", "none", "--log-level", "off"];
    run(&[&fixed[..], args].concat())
}

#[test]
fn a_configuration_that_is_cut_anywhere_is_told_or_is_whole() {
    let place = place("cut-config");
    let (mut told, mut whole) = (0, 0);
    for len in 0..CONFIG.len() {
        let path = write(&place, "cut.toml", &CONFIG.as_bytes()[..len], 0o600);
        let output = run(&["check-config", &path]);
        if output.status.success() {
            whole += 1;
            continue;
        }
        told += 1;
        assert_eq!(output.status.code(), Some(2), "{len}: {}", stderr(&output));
        for line in stderr(&output).lines() {
            assert!(line.starts_with(&format!("error: {path}")), "{len}: {line}");
        }
    }
    // At the ends of lines and of numbers.
    assert!(told > 80 && whole > 8, "{told} {whole}");
}

#[test]
fn a_file_that_is_no_configuration_is_named_by_all_who_read_it() {
    let place = place("config");
    let link = place.join("circle");
    std::os::unix::fs::symlink(&link, &link).unwrap();
    let directory = place.to_str().unwrap().to_owned();
    let link = link.to_str().unwrap().to_owned();
    for path in [
        write(&place, "latin.toml", b"name = \"n\xf6de\"\n", 0o600),
        write(&place, "zeros.toml", &[0; 4096], 0o600),
        write(&place, "elf.toml", &fs::read("/bin/sh").unwrap()[..4096], 0o600),
        write(&place, "huge.toml", &vec![b'x'; 10_000_000], 0o600),
        write(&place, "quote.toml", b"name = \"n1\ncluster = \"x\"\n", 0o600),
        write(&place, "twice.toml", b"name = \"a\"\nname = \"b\"\n", 0o600),
        write(&place, "odd \x1b name\n.toml", b"[", 0o600),
        directory,
        link,
        "/no/such.toml".to_owned(),
        String::new(),
    ] {
        let shown = path.escape_debug().to_string();
        for output in [run(&["check-config", &path]), refused(&["--config", &path])] {
            let line = stderr(&output);
            assert_eq!(
                (output.status.code(), line.lines().count()),
                (Some(2), 1),
                "{path}: {line}"
            );
            assert!(
                line.contains(&shown) || line.contains(r"odd \u{1b} name\n.toml"),
                "{shown}: {line}"
            );
            assert!(line.len() < 1_000, "{} bytes", line.len());
        }
    }
}

#[test]
fn a_token_that_is_half_written_lets_nobody_in() {
    let place = place("token");
    let whole = write(&place, "whole", b"s3cr3t-of-files\n", 0o600);
    let agent = Agent::start("n1", &["--http-token-file", &whole]);
    for (name, bytes) in
        [("half", &b"s3cr3t-of-fi"[..]), ("none", b""), ("zeros", &[0; 16]), ("line", b"\n")]
    {
        let half = write(&place, name, bytes, 0o600);
        let output = agent.run(&["meta", "set", "k=v", "--token-file", &half]);
        let line = stderr(&output);
        assert!(!output.status.success() && line.lines().count() == 1, "{line}");
        assert!(line.contains("token"), "{line}");
        if name != "half" {
            assert_fails(&refused(&["--http-token-file", &half]), 2, &half);
        }
    }
    let members = agent.json(&["members", "--token-file", &whole]);
    assert_eq!(members["members"][0]["metadata"], json!({}), "nothing was set");
}

#[test]
fn a_state_that_is_cut_anywhere_starts_with_what_is_whole() {
    let place = place("cut-state");
    let data = place.join("data");
    let directory = data.to_str().unwrap();
    let mut agent = Agent::start("n1", &["--data-dir", directory]);
    agent.ok(&["meta", "set", "first=1"]);
    agent.ok(&["meta", "set", "second=2"]);
    agent.process.kill();
    let whole = fs::read(data.join("state")).unwrap();
    for cut in [0, 1, 7, 8, 9, whole.len() / 2, whole.len() - 1] {
        fs::write(data.join("state"), &whole[..cut]).unwrap();
        let mut command =
            swim(&["agent", "--name", "n1", "--bind", "127.0.0.1:0", "--data-dir", directory]);
        command.args(["--http-addr", "127.0.0.1:0", "--profile", "local"]);
        let mut process = Process::start(command);
        until("it is up or has said why not", || {
            !process.is_running() || process.stdout().ends_with("ready\n")
        });
        if process.is_running() {
            drop(process);
        } else {
            // It is no state file, and is left as it was.
            until("it is said", || process.stderr().contains("error: "));
            assert_eq!(process.wait().code(), Some(1), "{}", process.stderr());
            assert!((1..8).contains(&cut), "{cut}: {}", process.stderr());
            assert_eq!(fs::read(data.join("state")).unwrap(), &whole[..cut]);
        }
    }
    fs::write(data.join("state"), &whole).unwrap();
    let agent = Agent::start("n1", &["--data-dir", directory]);
    assert_eq!(agent.members()["n1"]["metadata"], json!({"first": "1", "second": "2"}));
}

#[test]
#[cfg(target_os = "linux")]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let agent = Agent::start("n1", &["--meta", "role=db"]);
    let other = Agent::start("n2", &[]);
    let config = write(&place("full-output"), "good.toml", CONFIG.as_bytes(), 0o600);
    let ping = ["query", "swim.ping"];
    for args in [
        &["members"][..],
        &["members", "--watch"],
        &["info"],
        &["info", "--format", "json"],
        &["meta", "set", "k=v"],
        &["event", "e"],
        &ping,
        &["reachability"],
        &["join", &other.gossip.to_string()],
        &["check-config", &config],
        &["completions", "bash"],
        &["version"],
        &["--help"],
        &["--version"],
        &["members", "--help"],
    ] {
        let full = File::options().write(true).open("/dev/full").expect("Linux has it");
        let output = agent.command(args).stdout(full).output().unwrap();
        assert_fails(&output, 1, "standard output");
    }
    // What was to be done was done once, whoever heard of it.
    assert_eq!(agent.members()["n1"]["metadata"], json!({"k": "v", "role": "db"}));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let watching = File::create(place("full-monitor").join("stderr")).unwrap();
    let mut monitor = agent.command(&["monitor"]).stdout(full).stderr(watching).spawn().unwrap();
    let ended = until_some(|| {
        agent.ok(&["event", "e"]);
        monitor.try_wait().unwrap()
    });
    assert_eq!(ended.code(), Some(1));
    // An agent whose banner and log go nowhere is an agent.
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let http = format!("127.0.0.1:{}", common::free_port());
    let mut command =
        swim(&["agent", "--name", "n2", "--bind", "127.0.0.1:0", "--http-addr", &http]);
    let mut mute = command.stdout(full()).stderr(full()).spawn().unwrap();
    until("it answers", || run(&["info", "--http-addr", &http]).status.success());
    assert!(run(&["leave", "--http-addr", &http]).status.success());
    assert!(mute.wait().unwrap().success());
}

fn until_some<T>(found: impl FnMut() -> Option<T>) -> T {
    common::eventually("it ends", found)
}

/// Runs a script in which `$D` is a file system of 64 KiB; `None` where that is not permitted.
fn on_tiny_disk(place: &Path, script: &str) -> Option<Output> {
    let disk = place.join("disk");
    fs::create_dir_all(&disk).unwrap();
    let within = |script: &str| {
        let mount = r#"mount -t tmpfs -o size=64k,nr_inodes=20 none "$D" || exit 77"#;
        let mut command = Command::new("unshare");
        command.args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            &format!("{mount}\n{script}"),
        ]);
        command.env("D", &disk).env("SWIM", env!("CARGO_BIN_EXE_swim")).output()
    };
    match within("true") {
        Ok(output) if output.status.success() => Some(within(script).unwrap()),
        _ => {
            skipped("this system permits no mounts in a user namespace");
            None
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said_at_the_start_and_leaves_nothing_in_the_way() {
    let place = place("tiny-disk");
    let agent = r#""$SWIM" agent --name n1 --bind 127.0.0.1:0 --http-addr none --log-level off --data-dir "$D/data""#;
    let script = format!(
        r#"head -c 65536 /dev/zero > "$D/fill"
        {agent}; echo "code $?"
        rm "$D/fill"
        {agent} & P=$!
        I=0; until [ -s "$D/data/state" ] || [ $I = 600 ]; do sleep 0.1; I=$((I + 1)); done
        kill -TERM $P; wait $P; echo "code $?""#
    );
    let Some(output) = on_tiny_disk(&place, &script) else { return };
    let (said, errors) = (stdout(&output), stderr(&output));
    assert!(said.contains("code 1\n") && said.ends_with("code 0\n"), "{said} {errors}");
    assert!(errors.starts_with("error: ") && errors.lines().count() == 1, "{errors}");
    assert!(errors.contains("data") && errors.contains("No space left"), "{errors}");
}

/// A command as somebody who owns nothing here; `None` where that cannot be had.
fn as_nobody(args: &[&str]) -> Option<Command> {
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            env!("CARGO_BIN_EXE_swim"),
        ]);
        command
    } else {
        Command::new(env!("CARGO_BIN_EXE_swim"))
    };
    command.env_remove("SWIM_HTTP_ADDR").env_remove("SWIM_TOKEN_FILE");
    if command.arg("version").output().is_ok_and(|output| output.status.success()) {
        let mut again = Command::new(command.get_program());
        let fixed = command.get_args().filter(|&argument| argument != "version");
        again.args(fixed).args(args).env_remove("SWIM_HTTP_ADDR").env_remove("SWIM_TOKEN_FILE");
        return Some(again);
    }
    skipped("root cannot run the command as somebody else here (setpriv)");
    None
}

#[test]
fn what_is_forbidden_is_named() {
    // Others may look into it.
    let place = std::env::temp_dir().join(format!("swim-forbidden-{}", std::process::id()));
    fs::create_dir_all(&place).unwrap();
    fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
    let config = write(&place, "config", CONFIG.as_bytes(), 0o000);
    let token = write(&place, "token", b"s3cr3t\n", 0o000);
    let locked = place.join("locked");
    fs::create_dir_all(&locked).unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o555)).unwrap();
    let data = format!("{}/data", locked.display());
    let socket = format!("unix:{}/socket", locked.display());
    let closed = place.join("closed");
    let listener = UnixListener::bind(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    let closed = format!("unix:{}", closed.display());
    let agent = ["agent", "--bind", "127.0.0.1:0", "--log-level", "off", "--http-addr"];
    for (args, code, culprit) in [
        (&["check-config", &config][..], 2, config.as_str()),
        (&[&agent[..], &["none", "--config", &config]].concat(), 2, &config),
        (&["info", "--token-file", &token], 2, &token),
        (&[&agent[..], &["127.0.0.1:0", "--http-token-file", &token]].concat(), 2, &token),
        (&[&agent[..], &["none", "--keyring-file", &token]].concat(), 2, &token),
        (&["keys", "install", "--key-file", &token], 2, &token),
        (&["keygen", "--out", &data], 1, &data),
        (&[&agent[..], &["none", "--data-dir", &data]].concat(), 1, &data),
        (&[&agent[..], &[&socket]].concat(), 1, &socket),
        (&["info", "--http-addr", &closed], 3, &closed),
    ] {
        let Some(mut command) = as_nobody(args) else { return };
        let output = command.output().unwrap();
        assert_fails(&output, code, culprit);
        assert!(stderr(&output).contains("ermission denied"), "{}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}: {}", stdout(&output));
    }
    assert_eq!(fs::read_dir(&locked).unwrap().count(), 0, "nothing was made there");
    drop(listener);
    fs::remove_dir_all(&place).unwrap();
}

#[test]
fn a_configuration_that_is_half_written_when_it_is_read_again_changes_nothing() {
    let place = place("reload");
    let path = write(&place, "n1.toml", b"[metadata]\nrole = \"db\"\n", 0o600);
    let agent = Agent::start("n1", &["--config", &path]);
    agent.ok(&["meta", "set", "k=v"]);
    for (times, bytes) in
        [&b"[metadata]\nrole = \"we"[..], &[0; 100], b"[metadata]\nrole = \"x\"\n\xff"]
            .iter()
            .enumerate()
    {
        write(&place, "n1.toml", bytes, 0o600);
        agent.process.signal(rustix::process::Signal::HUP);
        let told = || agent.process.stderr().lines().filter(|line| line.contains("ERROR")).count();
        until("it is told", || told() > times);
        let log = agent.process.stderr();
        let last = log.lines().rfind(|line| line.contains("ERROR")).unwrap();
        assert!(last.contains("n1.toml"), "{last}");
        assert_eq!(agent.members()["n1"]["metadata"], json!({"k": "v", "role": "db"}));
    }
    assert_eq!(text(&agent.json(&["info"])["state"]), "alive");
}
