//! Sealed traffic by the command: keygen, keyring files, keys list, install, use and remove.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::{Agent, assert_fails, file, run, stderr, stdout, text, until};
use rustix::process::Signal;
use serde_json::json;

/// A directory for one test, empty.
fn place(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // It is there only when the test ran before.
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    place
}

/// A file with a new key; its path and the key's id.
fn key(place: &Path, name: &str) -> (String, String) {
    let path = place.join(name).to_str().unwrap().to_owned();
    let output = run(&["keygen", "--out", &path]);
    assert!(output.status.success(), "{}", stderr(&output));
    (path, stdout(&output).trim().to_owned())
}

/// A copy of a keyring file for another agent.
fn copy(path: &str, name: &str) -> String {
    let copy = Path::new(path).with_file_name(name).to_str().unwrap().to_owned();
    fs::copy(path, &copy).unwrap();
    copy
}

/// Agents a, b and c with keyring files of those names, that know each other.
fn cluster(ring: &str) -> [Agent; 3] {
    let a = Agent::start("a", &["--keyring-file", &copy(ring, "a")]);
    let join = a.gossip.to_string();
    let [b, c] = ["b", "c"]
        .map(|name| Agent::start(name, &["--join", &join, "--keyring-file", &copy(ring, name)]));
    for agent in [&a, &b, &c] {
        agent.until_states("a:alive b:alive c:alive");
    }
    [a, b, c]
}

#[test]
fn a_key_is_made_and_its_file_is_private_and_never_overwritten() {
    let place = place("keygen");
    for algorithm in ["aes-256-gcm", "chacha20-poly1305"] {
        let [one, other] = [0, 1].map(|_| stdout(&run(&["keygen", "--algorithm", algorithm])));
        assert!(one.starts_with(&format!("{algorithm}:")) && one.lines().count() == 1, "{one}");
        assert_ne!(one, other);
    }
    let (path, id) = key(&place, "key");
    assert_eq!(id.len(), 8, "{id}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let held = fs::read(&path).unwrap();
    assert_fails(&run(&["keygen", "--out", &path]), 1, "it is there already");
    assert_fails(&run(&["keygen", "--out", "/nowhere/key"]), 1, "/nowhere/key");
    assert_fails(&run(&["keygen", "--algorithm", "rot13"]), 2, "rot13");
    assert_fails(&run(&["keygen", "--key", "x"]), 2, "--key");
    assert_eq!(fs::read(&path).unwrap(), held);
    let full = common::swim(&["keygen"]).stdout(fs::File::create("/dev/full").unwrap()).output();
    assert_fails(&full.unwrap(), 1, "standard output");
}

#[test]
fn a_key_is_replaced_on_all_members_with_counts() {
    let place = place("replaced");
    let ((ring, old), (new, id)) = (key(&place, "ring"), key(&place, "new"));
    let [a, b, c] = cluster(&ring);
    let list = a.ok(&["keys", "list"]);
    assert!(list.contains(&format!("{old}  aes-256-gcm  [3/3]  [3/3]\n")), "{list}");
    assert!(list.contains("sealing: require [3/3]"), "{list}");
    assert_fails(&a.run(&["keys", "use", &id]), 1, &format!("key {id} is not installed"));
    assert_eq!(b.ok(&["keys", "install", "--key-file", &new]), format!("{id} installed [3/3]\n"));
    assert_eq!(c.ok(&["keys", "use", &id]), format!("{id} in use [3/3]\n"));
    assert_fails(&a.run(&["keys", "remove", &id]), 1, &format!("key {id} is in use"));
    let body = a.json(&["keys", "remove", &old]);
    assert_eq!(body, json!({"id": old, "confirmed": 3, "members": 3, "unconfirmed": {}}));
    let body = b.json(&["keys", "list"]);
    let only = json!([{"id": id, "algorithm": "aes-256-gcm", "held": 3, "primary": 3}]);
    assert_eq!((&body["keys"], &body["members"]), (&only, &json!(3)));
    for name in ["a", "b", "c"] {
        let path = place.join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(&path).unwrap().ends_with(&fs::read_to_string(&new).unwrap()));
    }
    a.until_states("a:alive b:alive c:alive");
}

#[test]
fn who_is_down_holds_up_a_rotation_unless_forced_and_comes_back_by_the_file() {
    let place = place("down");
    let ((ring, old), (new, id)) = (key(&place, "ring"), key(&place, "new"));
    let [a, b, mut c] = cluster(&ring);
    c.process.kill();
    a.until_states("a:alive b:alive c:dead");
    b.until_states("a:alive b:alive c:dead");
    let output = a.run(&["keys", "install", "--key-file", &new]);
    assert_fails(&output, 1, &format!("key {id} is installed on 2 of 3 members only"));
    let said = format!("{id} installed [2/3]\nnot confirmed by c: dead\n");
    assert_eq!(stdout(&output), said);
    assert_fails(&a.run(&["keys", "use", &id]), 1, "c (dead)");
    let said = a.ok(&["keys", "use", &id, "--force"]);
    assert_eq!(said, format!("{id} in use [2/3]\nnot confirmed by c: dead\n"));
    assert_fails(&b.run(&["keys", "remove", &old]), 1, "c (dead)");
    b.ok(&["keys", "remove", &old, "--force"]);

    let (seed, keyring) = (a.gossip.to_string(), place.join("c"));
    let keyring = keyring.to_str().unwrap();
    // At its old address, where the others look for it now and then.
    let again = ["--join", &seed, "--keyring-file", keyring, "--bind", &c.gossip.to_string()];
    let lost = Agent::start("c", &again);
    let named = format!("packet sealed with key {id}, which is not in this node's keyring");
    until("its log names their key", || lost.process.stderr().contains(&named));
    until("and says why it is alone", || lost.process.stderr().contains("with the same keys?"));
    let named = format!("packet sealed with key {old}, which is not in this node's keyring");
    until("their logs name its key", || a.process.stderr().contains(&named));
    assert_eq!(lost.states(), "c:alive");
    fs::copy(place.join("a"), place.join("c")).unwrap();
    lost.process.signal(Signal::HUP);
    for agent in [&a, &b, &lost] {
        agent.until_states("a:alive b:alive c:alive");
    }
    assert!(lost.ok(&["keys", "list"]).contains(&format!("{id}  aes-256-gcm  [3/3]  [3/3]\n")));
}

#[test]
fn a_keyring_that_is_no_secret_or_none_is_refused_and_told_nothing_of() {
    let place = place("refused");
    let (ring, _) = key(&place, "ring");
    let secret = fs::read_to_string(&ring).unwrap();
    let half = secret[..secret.len() / 2].to_owned();
    let many = "x".repeat(10_000_000);
    for (name, text, mode, culprit) in [
        ("world", &*secret, 0o644, "chmod 600"),
        ("writable", &secret, 0o602, "chmod 600"),
        ("empty", "", 0o600, "there is no key in it"),
        ("half", &half, 0o600, "line 1: a key ends with 32 bytes in base64"),
        ("word", "\u{1b}[2Jpassword\n", 0o600, "line 1: a key begins with"),
        ("huge", &many, 0o600, "a keyring of more than 65536 bytes"),
        ("twice", &secret.repeat(2), 0o600, "stands there twice"),
    ] {
        let path = place.join(name).to_str().unwrap().to_owned();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let agent = ["agent", "--bind", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
        let config = file("keyring.toml", &format!("keyring_file = \"{path}\"\n"));
        for output in [
            run(&[&agent[..], &["--keyring-file", &path]].concat()),
            run(&[&agent[..], &["--config", &config]].concat()),
            run(&["check-config", &config]),
            run(&["keys", "install", "--key-file", &path]),
        ] {
            assert_fails(&output, 2, culprit);
            assert!(stderr(&output).contains(&path), "{}", stderr(&output));
            let digits = secret.split_once(':').unwrap().1;
            assert!(
                !stderr(&output).contains(&digits[..6]) && !stderr(&output).contains("password")
            );
        }
    }
    let alone = file("sealing.toml", "sealing = \"send\"\n");
    assert_fails(&run(&["agent", "--sealing", "send"]), 2, "--sealing: there is no keyring");
    assert_fails(
        &run(&["agent", "--config", &alone]),
        2,
        "sealing.toml: sealing: there is no keyring",
    );
    assert_fails(&run(&["check-config", &alone]), 2, "sealing.toml:1: sealing");
    assert_fails(&run(&["agent", "--sealing", "loud", "--keyring-file", &ring]), 2, "loud");
}

#[test]
fn a_hangup_takes_mode_and_keys_from_the_files_or_nothing() {
    let place = place("hangup");
    let ((ring, old), (new, id)) = (key(&place, "ring"), key(&place, "new"));
    let config = |sealing: &str| {
        let text = format!("keyring_file = \"{ring}\"\nsealing = \"{sealing}\"\n");
        file("hangup-keys.toml", &text)
    };
    let agent = Agent::start("a", &["--config", &config("accept")]);
    let mut times = 0;
    let mut hangup = || {
        times += 1;
        agent.process.signal(Signal::HUP);
        until("SIGHUP is dealt with", || {
            agent.process.stderr().matches("SIGHUP: ").count() == times
        });
    };
    assert_fails(&agent.run(&["keys", "list"]), 1, "sealing is \"accept\" here");
    config("send");
    hangup();
    let list = agent.ok(&["keys", "list"]);
    assert!(list.contains("sealing: send [1/1]") && list.contains(&old), "{list}");
    assert!(agent.process.stderr().contains("event handlers, sealing"));
    // A keyring that is damaged leaves what holds.
    let held = fs::read(&ring).unwrap();
    fs::write(&ring, "aes-256-gcm:AAAA\n").unwrap();
    config("require");
    hangup();
    assert!(agent.process.stderr().contains("nothing was changed"), "{}", agent.process.stderr());
    assert_eq!(agent.ok(&["keys", "list"]), list);
    fs::write(&ring, [held, fs::read(&new).unwrap()].concat()).unwrap();
    hangup();
    let list = agent.ok(&["keys", "list"]);
    assert!(list.contains("sealing: require [1/1]") && list.contains(&id), "{list}");
}

#[test]
fn a_cluster_goes_from_plain_to_sealed_without_a_restart_but_for_the_keyring() {
    let place = place("migration");
    let (ring, _) = key(&place, "ring");
    let plain = Agent::start("a", &[]);
    let config = |name: &str, sealing: &str| {
        let text = format!("keyring_file = \"{}\"\nsealing = \"{sealing}\"\n", copy(&ring, name));
        file(&format!("migration-{name}.toml"), &text)
    };
    let (a, b) = (plain.gossip.to_string(), config("b", "accept"));
    let b = Agent::start("b", &["--join", &a, "--config", &b]);
    plain.until_states("a:alive b:alive");
    plain.ok(&["leave"]);
    let config_a = config("a", "accept");
    let a = Agent::start("a", &["--join", &b.gossip.to_string(), "--config", &config_a]);
    for (times, mode) in ["send", "require"].into_iter().enumerate() {
        for agent in [&a, &b] {
            agent.until_states("a:alive b:alive");
            config(&agent.name, mode);
            agent.process.signal(Signal::HUP);
            until("SIGHUP is dealt with", || {
                agent.process.stderr().matches("SIGHUP: ").count() == times + 1
            });
        }
        let said = format!("sealing: {mode} [2/2]");
        until("all are there", || a.ok(&["keys", "list"]).contains(&said));
    }
    for agent in [&a, &b] {
        agent.until_states("a:alive b:alive");
        assert_eq!(agent.json(&["info"])["sealing"], "require");
    }
}

#[test]
fn a_change_that_the_disk_refuses_changes_nothing_there_and_is_told() {
    let place = place("disk");
    let ((ring, old), (new, id)) = (key(&place, "ring"), key(&place, "new"));
    let [a, b, _c] = cluster(&ring);
    // Not even root can put a file where a directory is.
    fs::create_dir(place.join(".b.new")).unwrap();
    let held = fs::read(place.join("b")).unwrap();
    let output = a.run(&["keys", "install", "--key-file", &new]);
    assert_fails(&output, 1, &format!("key {id} is installed on 2 of 3 members only"));
    let said = stdout(&output);
    assert!(said.contains("not confirmed by b: the keyring cannot be written: "), "{said}");
    assert!(said.contains(place.join("b").to_str().unwrap()), "{said}");
    assert_fails(&b.run(&["keys", "use", &id]), 1, &format!("key {id} is not installed"));
    assert_fails(&a.run(&["keys", "use", &id]), 1, "b (has other keys)");
    assert_eq!(fs::read(place.join("b")).unwrap(), held);
    fs::remove_dir(place.join(".b.new")).unwrap();
    a.ok(&["keys", "install", "--key-file", &new]);
    a.ok(&["keys", "use", &id]);
    a.ok(&["keys", "remove", &old]);
}

#[test]
fn secrets_are_nowhere_to_be_seen() {
    let place = place("nowhere");
    let ((ring, old), (new, id)) = (key(&place, "ring"), key(&place, "new"));
    let secrets = [&ring, &new].map(|path| {
        let text = fs::read_to_string(path).unwrap();
        text.trim().split_once(':').unwrap().1.to_owned()
    });
    let join = |seed: &str, name: &str| {
        let keyring = copy(&ring, name);
        let data = place.join(format!("{name}-data")).to_str().unwrap().to_owned();
        let seen = format!("env >> {}", place.join("handled").display());
        let mut args =
            vec!["--keyring-file", &keyring, "--log-level", "trace", "--data-dir", &data];
        args.extend(["--event-handler", &seen]);
        if !seed.is_empty() {
            args.extend(["--join", seed]);
        }
        Agent::start(name, &args)
    };
    let a = join("", "a");
    let b = join(&a.gossip.to_string(), "b");
    a.until_states("a:alive b:alive");
    let monitor = common::Process::start(b.command(&["monitor"]));
    let mut seen = a.ok(&["keys", "install", "--key-file", &new]);
    seen += &a.ok(&["keys", "use", &id]);
    seen += &a.ok(&["keys", "remove", &old]);
    seen += &a.ok(&["keys", "list", "--format", "json"]);
    seen += &a.ok(&["info", "--format", "json"]);
    seen += &a.ok(&["members", "--format", "json"]);
    b.ok(&["event", "last"]);
    until("the event came", || monitor.stdout().contains("last"));
    assert!(!monitor.stdout().contains("swim.keys"), "{}", monitor.stdout());
    for agent in [&a, &b] {
        let pid = agent.process.pid().as_raw_nonzero();
        for what in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            seen += &String::from_utf8_lossy(&bytes);
        }
        seen += &agent.process.stderr();
        seen += &agent.process.stdout();
        for entry in fs::read_dir(place.join(format!("{}-data", agent.name))).unwrap() {
            seen += &String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap_or_default());
        }
    }
    until("handlers ran", || {
        fs::read_to_string(place.join("handled")).is_ok_and(|text| text.contains("last"))
    });
    seen += &fs::read_to_string(place.join("handled")).unwrap();
    seen += &monitor.stdout();
    assert!(seen.contains(&id), "ids are seen");
    for secret in &secrets {
        // Six digits of one are too many; and neither as base64 nor as the bytes that it stands for.
        let part =
            (0..=secret.len() - 8).map(|at| &secret[at..at + 8]).find(|part| seen.contains(*part));
        assert_eq!(part, None);
    }
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let place = place("senseless");
    let ((ring, old), (new, _)) = (key(&place, "ring"), key(&place, "new"));
    let open = Agent::start("open", &[]);
    assert_fails(&open.run(&["keys", "list"]), 1, "this agent has no keyring");
    assert_fails(&open.run(&["keys", "install", "--key-file", &new]), 1, "no keyring");
    let agent = Agent::start("a", &["--keyring-file", &ring]);
    for (args, code, culprit) in [
        (&["keys"][..], 2, "Usage"),
        (&["keys", "use"], 2, "<ID>"),
        (&["keys", "use", "x"], 2, "eight hexadecimal digits"),
        (&["keys", "use", "caf\u{e9} \u{1b}"], 2, "eight hexadecimal digits"),
        (&["keys", "use", &"1".repeat(100_000)], 2, "eight hexadecimal digits"),
        (&["keys", "remove", "00000000"], 1, "key 00000000 is not installed"),
        (&["keys", "remove", &old], 1, "in use"),
        (&["keys", "remove", &old, "--force"], 1, "in use"),
        (&["keys", "drop", &old], 2, "drop"),
        (&["keys", "install"], 2, "--key-file"),
        (&["keys", "install", "--key-file", "/no\n/such"], 2, "such"),
        (&["keys", "install", "--key", "x"], 2, "--key"),
        (&["query", "swim.keys"], 1, "reserved"),
        (&["keys", "list", "--http-addr", "127.72.0.1:1"], 3, "127.72.0.1:1"),
    ] {
        let output = agent.run(args);
        if args.len() == 1 {
            assert_eq!(output.status.code(), Some(code));
            continue;
        }
        assert_fails(&output, code, culprit);
    }
    let both = place.join("both");
    fs::write(&both, [fs::read(&ring).unwrap(), fs::read(&new).unwrap()].concat()).unwrap();
    fs::set_permissions(&both, fs::Permissions::from_mode(0o600)).unwrap();
    let output = agent.run(&["keys", "install", "--key-file", both.to_str().unwrap()]);
    assert_fails(&output, 2, "expected one key");
    for _ in 0..7 {
        let (path, _) = key(&place, "more");
        agent.ok(&["keys", "install", "--key-file", &path]);
        fs::remove_file(path).unwrap();
    }
    assert_fails(
        &agent.run(&["keys", "install", "--key-file", &new]),
        1,
        "the keyring has its 8 keys",
    );
    assert_eq!(text(&agent.json(&["keys", "list"])["keys"][0]["id"]), old);
}
