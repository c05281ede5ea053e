//! The commands that ask no agent: what they find, and how they say it.
#![cfg(all(unix, feature = "cli"))]

mod common;

use common::{assert_fails, file, run, stderr, stdout, swim};
use serde_json::{Value, json};

const WRONG: &str = r#"name = ""
bnd = "x"
bind = "localhost:1"
join = ["a:1", "node-1", "node-2"]
http_addr = "0.0.0.0:1"
profile = 3

[metadata]
role = 3
"swim.x" = "y"

[protocol]
probe_interval = 0
fan_out = 3
fanout = -1
indirect_probes = 99
"#;

#[test]
fn everything_that_is_wrong_with_a_file_is_said_at_once() {
    let path = file("check.toml", WRONG);
    let output = run(&["check-config", &path]);
    assert_eq!(output.status.code(), Some(2));
    let errors = stderr(&output);
    let expected = [
        (1, "name = \"\": a name of 0 bytes"),
        (2, "bnd = \"x\": unknown field `bnd`"),
        (3, "bind = \"localhost:1\": expected IP:PORT, such as"),
        (4, "join = [\"a:1\", \"node-1\", \"node-2\"]: expected HOST:PORT"),
        (4, "not \"node-2\""),
        (5, "http_addr = \"0.0.0.0:1\": 0.0.0.0:1 is open to other machines"),
        (6, "profile = 3: "),
        (9, "metadata.role = 3: "),
        (10, "metadata.swim.x = \"y\": the metadata key \"swim.x\" is reserved"),
        (13, "protocol.probe_interval = 0: probe_interval of 0 is not within 2 ms to 7 days"),
        (14, "protocol.fan_out = 3: unknown field `fan_out`"),
        (15, "protocol.fanout = -1: "),
        (16, "protocol.indirect_probes = 99: indirect_probes of 99 is not within 0 to 8"),
    ];
    assert_eq!(errors.lines().count(), expected.len(), "{errors}");
    for (line, (number, text)) in errors.lines().zip(expected) {
        assert!(line.starts_with(&format!("error: {path}:{number}: ")), "{line}");
        assert!(line.contains(text), "{text:?} is not in {line}");
    }
    let output = run(&["check-config", &path, "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&report["ok"], &report["file"]), (&json!(false), &json!(path)));
    assert_eq!(report["errors"].as_array().unwrap().len(), expected.len());
    let last = &report["errors"][12];
    assert_eq!((&last["line"], &last["key"]), (&json!(16), &json!("protocol.indirect_probes")));
    assert_eq!(last["value"], "99");
}

#[test]
fn what_is_no_toml_does_not_hide_the_rest() {
    let path = file("torn.toml", "name = \nfanout = 0\n\"half\n[protocol\nfanout = 0");
    let output = run(&["check-config", &path]);
    assert_eq!(output.status.code(), Some(2));
    let errors = stderr(&output);
    for number in [1, 2, 3, 4] {
        assert!(errors.contains(&format!("{path}:{number}: ")), "{number} is not in {errors}");
    }
    assert!(errors.lines().all(|line| line.starts_with("error: ")), "{errors}");
}

#[test]
fn what_is_named_and_not_allowed_is_told() {
    let text = "join = [\"192.0.2.1:1\", \"name:1\", \"10.0.0.2:1\"]\nadvertise = \"192.0.2.9\"\n\
                allow = [\"10.0.0.0/8\", \"10.0.0.1/8\"]\nmax_members = 0\n";
    let path = file("allow-check.toml", text);
    let output = run(&["check-config", &path]);
    assert_eq!(output.status.code(), Some(2));
    let errors = stderr(&output);
    let expected = [
        "192.0.2.1 is outside of the networks that are allowed (allow)",
        "192.0.2.9 is outside of the networks that are allowed (allow)",
        "it has bits beyond its first 8: write 10.0.0.0/8, not \"10.0.0.1/8\"",
        "max_members = 0: expected at least 1",
    ];
    assert_eq!(errors.lines().count(), expected.len(), "{errors}");
    for (number, (line, text)) in errors.lines().zip(expected).enumerate() {
        assert!(line.contains(&format!(":{}: ", number + 1)) && line.contains(text), "{line}");
    }
}

#[test]
fn where_it_is_bound_and_not_allowed_is_told_as_the_agent_tells_it() {
    let outside = "bind = \"127.92.2.50:7946\"\nallow = [\"10.0.0.0/8\"]\n";
    let path = file("bind-check.toml", outside);
    let expected = ":1: bind = \"127.92.2.50:7946\": 127.92.2.50 is outside of the networks";
    assert_fails(&run(&["check-config", &path]), 2, expected);
    let agent = run(&["agent", "--http-addr", "none", "--config", &path]);
    assert_fails(&agent, 2, "cannot advertise 127.92.2.50:7946");
    for else_where in ["advertise = \"10.0.0.1\"\n", "advertise = \"eth0\"\n"] {
        let path = file("bind-check.toml", &format!("{outside}{else_where}"));
        assert_eq!(stderr(&run(&["check-config", &path])), "");
    }
    let path = file("bind-check.toml", "bind = \"0.0.0.0:7946\"\nallow = [\"10.0.0.0/8\"]\n");
    assert_eq!(stderr(&run(&["check-config", &path])), "");
}

#[test]
fn numbers_and_metadata_beyond_their_limits_are_told_with_the_file() {
    let path = file("room.toml", "max_members = 99999999999\n");
    let expected = "expected at most 16,777,216";
    assert_fails(
        &run(&["check-config", &path]),
        2,
        &format!("{path}:1: max_members = 99999999999: {expected}"),
    );
    let agent = run(&["agent", "--http-addr", "none", "--config", &path]);
    assert_fails(&agent, 2, &format!("{path}: max_members: {expected}"));
    let agent = run(&["agent", "--http-addr", "none", "--max-members", "16777217"]);
    assert_fails(&agent, 2, expected);
    let large = "v".repeat(600);
    let path = file("large-metadata.toml", &format!("[metadata]\nk = \"{large}\"\n"));
    let agent = run(&["agent", "--http-addr", "none", "--config", &path]);
    assert_fails(&agent, 2, &format!("{path}: metadata of 609 bytes"));
    let path = file("small-metadata.toml", "[metadata]\nk = \"v\"\n");
    let flag = format!("m={large}");
    let agent = run(&["agent", "--http-addr", "none", "--config", &path, "--meta", &flag]);
    assert_fails(&agent, 2, "--meta: metadata of 6");
}

#[test]
fn a_clash_is_told_where_it_can_be_mended() {
    let path = file("clash-check.toml", "[protocol]\nprobe_timeout = 3000\nmetadata_limit = 701\n");
    let errors = stderr(&run(&["check-config", &path]));
    assert!(errors.contains(":2: protocol.probe_timeout = 3000: "), "{errors}");
    assert!(errors.contains(":3: protocol.metadata_limit = 701: "), "{errors}");
    // The line is that of the value that the file gives, and the other one is said to be a default.
    for (text, expected) in [
        (
            "name = \"a\"\n[protocol]\nprobe_timeout = 2000\n",
            ":3: protocol.probe_timeout = 2000: probe_timeout of 2000 ms is above probe_interval of 1000 ms (probe_interval as profile lan has it)",
        ),
        (
            "profile = \"wan\"\n[protocol]\nprobe_interval = 400\n",
            ":3: protocol.probe_interval = 400: probe_timeout of 3000 ms is above probe_interval of 400 ms (probe_timeout as profile wan has it)",
        ),
        (
            "[metadata]\nprobe_timeout = \"x\"\n[protocol]\nprobe_timeout = 2000\n",
            ":4: protocol.probe_timeout = 2000: ",
        ),
        (
            "cluster = \"\"\n[metadata]\ncluster = \"x\"\n",
            ":1: cluster = \"\": cluster name of 0 bytes",
        ),
        (
            "[protocol]\nprobe_interval = 0\nprobe_timeout = 2000\n",
            ":2: protocol.probe_interval = 0: probe_interval of 0 is not",
        ),
    ] {
        let path = file("default-clash.toml", text);
        assert_fails(&run(&["check-config", &path]), 2, &format!("{path}{expected}"));
    }
    let path = file("advertise-check.toml", "advertise = \"0.0.0.0:7946\"\n");
    assert_fails(&run(&["check-config", &path]), 2, "advertise = \"0.0.0.0:7946\": it stands for");
    for (key, nobodys) in [("advertise", "255.255.255.255"), ("bind", "224.0.0.1:7946")] {
        let path = file("nobodys-check.toml", &format!("{key} = \"{nobodys}\"\n"));
        assert_fails(&run(&["check-config", &path]), 2, &format!("{key} = \"{nobodys}\": it is "));
        let agent = run(&["agent", "--http-addr", "none", "--config", &path]);
        assert_fails(&agent, 2, "which no host has");
    }
    let large = format!("[metadata]\nk = \"{}\"\n", "v".repeat(600));
    let path = file("large-check.toml", &large);
    assert_fails(&run(&["check-config", &path]), 2, "above the limit of 512 bytes");
    // The cause, and not what follows from it.
    let path = file("cause.toml", "[protocol]\nprobe_interval = 0\n");
    assert_fails(&run(&["check-config", &path]), 2, "probe_interval of 0");
    let agent = run(&["agent", "--bind", "127.0.0.1:0", "--config", &path]);
    assert_fails(&agent, 2, "probe_interval of 0 is not within 2 ms to 7 days");
}

#[test]
fn a_wrong_value_says_what_is_expected_to_the_agent_as_well() {
    for (text, expected) in [
        ("bind = \"localhost\"", "bind: expected IP:PORT, such as 127.0.0.1:7946"),
        ("dns_server = \"dns\"", "dns_server: expected IP:PORT"),
        (
            "[protocol]\nprobe_interval = \"1s\"",
            "expected milliseconds, a whole number such as 1000",
        ),
        ("[protocol]\nfanout = -1", "fanout: invalid value: integer `-1`, expected a whole number"),
        ("[protocol]\nconfirmations = 5_000_000_000", "confirmations: invalid value"),
        ("[protocol]\nmechanisms = \"none\"", "one of \"all\", \"lifeguard\", \"plain\""),
        ("join = \"a:1\"", "join: invalid type: string \"a:1\", expected a list of texts"),
        ("join = [1]", "join: invalid type: integer `1`, expected a string"),
        ("http_socket_mode = 600", "one of \"600\", \"660\""),
        ("log_level = \"loud\"", "one of \"off\", \"error\""),
        ("stranger_streams = \"20\"", "stranger_streams: invalid type: string"),
        ("member_datagrams = -1", "member_datagrams: invalid value: integer `-1`"),
        ("name = \"\"", "name: a name of 0 bytes is not within 1 to 255 bytes"),
        ("cluster = \"\"", "cluster: cluster name of 0 bytes"),
        ("bnd = 1", "unknown field `bnd`"),
    ] {
        let path = file("expected.toml", text);
        let agent =
            run(&["agent", "--bind", "127.0.0.1:0", "--http-addr", "none", "--config", &path]);
        assert_fails(&agent, 2, expected);
        let hint = format!("(swim check-config {path} says all that is wrong)");
        assert_fails(&agent, 2, &hint);
        let said = expected.split_once(": ").map_or(expected, |(_, said)| said);
        assert_fails(&run(&["check-config", &path]), 2, said);
    }
}

#[test]
fn each_event_handler_is_checked() {
    let text = "[[event_handlers]]\nfilter = \"member-jion\"\ncommand = \"x\"\n\
                [[event_handlers]]\ncommand = 3\ncomand = \"x\"\n\
                [[event_handlers]]\nfilter = \"user\"\n\
                [[event_handlers]]\ncommand = \" \"\ntimeout = \"soon\"\n\
                [[event_handlers]]\ncommand = \"x\"\ntimeout = \"0s\"\n";
    let path = file("handlers-check.toml", text);
    let output = run(&["check-config", &path]);
    assert_eq!(output.status.code(), Some(2));
    let errors = stderr(&output);
    let expected = [
        (2, "event_handlers[0].filter = \"member-jion\": no filter \"member-jion\"; there are *,"),
        (5, "event_handlers[1].command = 3: "),
        (6, "event_handlers[1].comand = \"x\": unknown field `comand`"),
        (7, "event_handlers[2].command: expected a command for /bin/sh -c"),
        (10, "event_handlers[3].command = \" \": expected a command"),
        (11, "event_handlers[3].timeout = \"soon\": expected a time"),
        (14, "event_handlers[4].timeout = \"0s\": a time-out is within 1ms to 1h"),
    ];
    assert_eq!(errors.lines().count(), expected.len(), "{errors}");
    for (line, (number, text)) in errors.lines().zip(expected) {
        assert!(line.starts_with(&format!("error: {path}:{number}: {text}")), "{line}");
    }
    for (text, culprit) in [
        ("event_handlers = \"x\"\n", ":1: event_handlers = \"x\": expected tables"),
        ("event_handlers = [3]\n", ":1: event_handlers = 3: expected a table"),
    ] {
        let path = file("handlers-shape.toml", text);
        assert_fails(&run(&["check-config", &path]), 2, culprit);
    }
}

#[test]
fn a_file_that_is_right_is_said_to_be() {
    let path = file("right.toml", "name = \"a\"\n[protocol]\nfanout = 4\n");
    assert_eq!(stdout(&run(&["check-config", &path])), format!("{path}: ok\n"));
    let report: Value =
        serde_json::from_str(&stdout(&run(&["check-config", &path, "--format", "json"]))).unwrap();
    assert_eq!(report, json!({"file": path, "ok": true, "errors": []}));
    let empty = file("empty-check.toml", "");
    assert!(run(&["check-config", &empty]).status.success(), "every key may be left out");
}

#[test]
fn what_cannot_be_read_is_named() {
    assert_fails(&run(&["check-config", "/nowhere/x.toml"]), 2, "/nowhere/x.toml");
    assert_fails(&run(&["check-config", "/"]), 2, "directory");
    assert_fails(&run(&["check-config"]), 2, "FILE.toml");
    let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("latin1.toml");
    std::fs::write(&path, b"name = \"\xe9\"\n").unwrap();
    assert_fails(&run(&["check-config", path.to_str().unwrap()]), 2, "UTF-8");
    // Ten megabytes of it, and what would steer a terminal.
    let huge = file("huge-check.toml", &format!("name = \"{}\"\n", "n".repeat(10_000_000)));
    let output = run(&["check-config", &huge]);
    assert_fails(&output, 2, "a name of 10000000 bytes");
    assert!(output.stderr.len() < 1_000, "and not all of it is said again");
    let steering = file("steering-check.toml", "bind = \"\u{202e}\u{200b}\"\n");
    let errors = stderr(&run(&["check-config", &steering]));
    assert!(errors.contains("\\u{202e}") && !errors.contains('\u{202e}'), "{errors}");
}

#[test]
fn the_version_is_told_with_that_of_the_wire() {
    let text = stdout(&run(&["version"]));
    assert!(text.starts_with(&format!("swim {}, wire version 1.", env!("CARGO_PKG_VERSION"))));
    let body: Value =
        serde_json::from_str(&stdout(&run(&["version", "--format", "json"]))).unwrap();
    assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
    assert!(body["wire_version"]["major"] == 1 && body["wire_version"]["minor"].is_u64());
    assert_fails(&run(&["version", "--format", "yaml"]), 2, "'yaml'");
}

#[test]
fn shells_are_told_what_there_is() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&run(&["completions", shell]));
        assert!(script.contains("check-config") && script.contains("token-file"), "{shell}");
    }
    assert_fails(&run(&["completions", "tcsh"]), 2, "'tcsh'");
    assert_fails(&run(&["completions"]), 2, "SHELL");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = swim(&["completions", "bash"]).stdout(full).output().unwrap();
    assert_fails(&output, 1, "standard output");
}
