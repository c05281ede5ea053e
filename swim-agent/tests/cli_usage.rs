//! What the command line understands, and how it says what it does not.
#![cfg(all(unix, feature = "cli"))]

mod common;

use common::{assert_fails, file, free_port, run, stderr, stdout};

#[test]
fn version_and_help_go_to_standard_output() {
    let version = run(&["--version"]);
    assert_eq!(stdout(&version), format!("swim {}\n", env!("CARGO_PKG_VERSION")));
    for args in [&["--help"][..], &["agent", "--help"], &["meta", "set", "--help"]] {
        let help = run(args);
        assert!(help.status.success() && stdout(&help).contains("Usage:"), "{args:?}");
    }
}

#[test]
fn the_columns_of_members_are_explained() {
    let help = stdout(&run(&["members", "--help"]));
    for column in ["INCARNATION", "AGE", "SEEN", "RTT", "STREAM"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(column)), "{column}: {help}");
    }
}

#[test]
fn no_command_is_wrong_usage() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("Usage: swim"));
}

#[test]
fn a_mistake_is_one_line_that_names_the_culprit() {
    for (args, culprit) in [
        (&["membrs"][..], "'membrs'"),
        (&["members", "--state", "gone"], "'gone'"),
        (&["members", "--name", "a("], "'a('"),
        (&["members", "--meta", "role"], "'role'"),
        (&["members", "--meta", "role=["], "'role=['"),
        (&["members", "--format", "xml"], "'xml'"),
        (&["members", "--http-addr", "nowhere"], "'nowhere'"),
        (&["join"], "HOST:PORT"),
        (&["rtt"], "<A>"),
        (&["rtt", "a", "b", "c"], "'c'"),
        (&["meta", "set"], "K=V"),
        (&["meta", "set", "role"], "'role'"),
        (&["meta", "rm"], "<K>"),
        (&["demo", "--nodes", "2"], "'2'"),
        (&["demo", "--nodes", "many"], "'many'"),
        (&["agent", "--bind", "localhost:1"], "'localhost:1'"),
        (&["agent", "--join", "node-1"], "'node-1'"),
        (&["agent", "--meta", "=x"], "'=x'"),
        (&["agent", "--join", "srv:"], "'srv:'"),
        (&["agent", "--join", "srv:two words"], "'srv:two words'"),
        (&["agent", "--retry-join", "n\u{f6}de:1"], "'n\u{f6}de:1'"),
        (&["agent", "--join", "bell\u{7}:1"], "--join"),
        (&["agent", "--dns-server", "localhost"], "'localhost'"),
        (&["agent", "--profile", "moon"], "'moon'"),
        (&["agent", "--http-addr", "off"], "'off'"),
        (&["agent", "--log-level", "loud"], "'loud'"),
        (&["agent", "--log-format", "xml"], "'xml'"),
        (&["agent", "--bnd", "127.0.0.1:0"], "'--bnd'"),
    ] {
        assert_fails(&run(args), 2, culprit);
    }
}

/// Runs an agent that must not start.
fn refused(args: &[&str]) -> std::process::Output {
    let fixed = ["agent", "--bind", "127.0.0.1:0", "--http-addr", "none"];
    run(&[&fixed[..], args].concat())
}

#[test]
fn settings_that_no_agent_can_have_are_wrong_usage() {
    let long = "n".repeat(300);
    assert_fails(&refused(&["--name", &long]), 2, "300 bytes");
    assert_fails(&refused(&["--name", ""]), 2, "'--name <NAME>': a name of 0 bytes");
    assert_fails(&refused(&["--cluster", ""]), 2, "'--cluster <NAME>': cluster name of 0 bytes");
    let file = file("no-directory", "");
    assert_fails(
        &refused(&["--data-dir", &file]),
        1,
        &format!("{file:?} is a file, not a directory"),
    );
    let below = format!("{file}/data");
    assert_fails(&refused(&["--data-dir", &below]), 1, &format!("{below:?}: {file:?} is a file"));
    let large = format!("key={}", "v".repeat(600));
    assert_fails(&refused(&["--meta", &large]), 2, "512");
    assert_fails(&refused(&["--advertise", "0.0.0.0:1"]), 2, "0.0.0.0:1");
    assert_fails(&refused(&["--advertise", "eth0:port"]), 2, "'eth0:port'");
    assert_fails(&refused(&["--advertise", "bell\u{7}"]), 2, "'bell' for '--advertise");
    assert_fails(&refused(&["--advertise", "[::]"]), 2, "'[::]'");
    for nobodys in ["255.255.255.255:7946", "224.0.0.1:7946", "[ff02::1]:7946"] {
        let advertised = refused(&["--advertise", nobodys]);
        assert_fails(&advertised, 2, &format!("'{nobodys}' for '--advertise"));
        let bound = run(&["agent", "--http-addr", "none", "--bind", nobodys]);
        assert_fails(&bound, 2, &format!("'{nobodys}' for '--bind"));
        assert!(stderr(&bound).contains("which no host has"), "{}", stderr(&bound));
    }
}

#[test]
fn a_wrong_configuration_file_is_named_with_the_culprit() {
    for (name, text, culprit) in [
        ("unknown-key.toml", "name = \"a\"\nbnd = \"x\"\n", "unknown-key.toml:2: bnd: "),
        ("unknown-knob.toml", "[protocol]\nfan_out = 3\n", "`fan_out`"),
        ("wrong-value.toml", "bind = \"localhost:1\"\n", "wrong-value.toml:1: bind: "),
        (
            "wrong-advertise.toml",
            "advertise = \"eth0:port\"\n",
            "advertise: expected IP, INTERFACE",
        ),
        ("wrong-join.toml", "join = [\"node-1\"]\n", "\"node-1\""),
        ("wrong-service.toml", "join = [\"srv:a b\"]\n", "wrong-service.toml: join: "),
        ("wrong-server.toml", "dns_server = 53\n", "wrong-server.toml:1: dns_server: "),
        ("no-toml.toml", "name = \n", "no-toml.toml:1"),
        (
            "clash.toml",
            "[protocol]\nprobe_timeout = 3000\n",
            "clash.toml: probe_timeout of 3000 ms is above probe_interval of 1000 ms",
        ),
        ("range.toml", "[protocol]\nfanout = 0\n", "range.toml: fanout of 0"),
    ] {
        let path = file(name, text);
        assert_fails(&refused(&["--config", &path]), 2, culprit);
    }
    assert_fails(&refused(&["--config", "/nowhere/x.toml"]), 2, "/nowhere/x.toml");
}

#[test]
fn no_agent_is_exit_code_3() {
    let address = format!("127.0.0.1:{}", free_port());
    for args in [
        &["members"][..],
        &["members", "--watch"],
        &["info"],
        &["join", "127.0.0.1:1"],
        &["leave"],
        &["rtt", "a"],
        &["meta", "rm", "k"],
        &["monitor"],
    ] {
        let output = run(&[args, &["--http-addr", &address]].concat());
        assert_fails(&output, 3, &address);
        assert!(stderr(&output).contains("--http-addr"), "{args:?}");
    }
}

#[test]
fn what_answers_but_is_no_agent_is_said() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
        }
    });
    assert_fails(&run(&["info", "--http-addr", &address]), 1, "is that a swim agent?");
}
