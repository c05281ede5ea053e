//! The command: every scenario answers, equal arguments give equal answers, and what makes no sense
//! is refused by name.

use std::process::{Command, Output};

use serde_json::Value;

fn swim_sim(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swim-sim"));
    command.args(args).output().expect("the command runs")
}

fn stdout(args: &[&str]) -> String {
    let output = swim_sim(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    assert_eq!(stderr, "", "{args:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&[args, &["--format", "json"]].concat())).expect("JSON")
}

/// Runs a scenario quickly and checks that its tables hold figures.
fn answers(args: &[&str]) -> Value {
    let report = json(&[args, &["--quick"]].concat());
    assert_eq!(report["name"], args[0]);
    let tables = report["tables"].as_array().expect("tables");
    assert!(!tables.is_empty(), "{args:?}");
    for table in tables {
        let rows = table["rows"].as_array().expect("rows");
        assert!(!rows.is_empty(), "{args:?}: {table}");
    }
    report
}

/// One line that names the culprit, and exit code 2.
fn refused(args: &[&str], culprits: &[&str]) {
    let output = swim_sim(args);
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    for culprit in culprits {
        assert!(stderr.contains(culprit), "{args:?}: {stderr}");
    }
}

#[test]
fn every_scenario_answers() {
    let list = json(&["list"]);
    let rows = list["tables"][0]["rows"].as_array().expect("rows").clone();
    assert!(rows.len() > 20);
    for row in rows {
        match row["scenario"].as_str().expect("a name") {
            "scoreboard" => answers(&["scoreboard", "--nodes", "20", "--length", "10s"]),
            name => answers(&[name]),
        };
    }
}

#[test]
fn equal_arguments_give_equal_answers_and_other_seeds_others() {
    let args = |seed| ["crash", "--quick", "--nodes", "12", "--loss", "0.05", "--first-seed", seed];
    assert_eq!(stdout(&args("7")), stdout(&args("7")));
    assert_ne!(stdout(&args("7")), stdout(&args("8")));
}

#[test]
fn peers_stand_beside_swim() {
    let report =
        answers(&["crash", "--nodes", "12", "--against", "foca,memberlist", "--seeds", "1"]);
    let rows = report["tables"][0]["rows"].as_array().expect("rows");
    let names: Vec<_> = rows.iter().filter_map(|row| row["contender"].as_str()).collect();
    assert_eq!(names, ["swim", "foca", "memberlist"]);
}

#[test]
fn each_format_is_printed_and_each_file_written() {
    let dir = std::env::temp_dir().join(format!("swim-sim-cli-{}", std::process::id()));
    let file = |name: &str| dir.join(name).display().to_string();
    let args = ["loss", "--quick", "--nodes", "4", "--seeds", "1", "--length", "2s"];
    let to_files = ["--csv", &file(""), "--svg", &file(""), "--json", &file("report.json")];
    let table = stdout(&[&args[..], &to_files].concat());
    assert!(table.starts_with("Uniform loss\n─"), "{table}");
    let csv = stdout(&[&args[..], &["--format", "csv"]].concat());
    assert_eq!(std::fs::read_to_string(file("loss-uniform-loss.csv")).unwrap(), csv);
    let svg = std::fs::read_to_string(file("loss-traffic-under-loss.svg")).unwrap();
    assert!(svg.starts_with("<svg"));
    let markdown = stdout(&[&args[..], &["--format", "markdown"]].concat());
    assert!(markdown.contains("](loss-traffic-under-loss.svg)"), "{markdown}");
    let json = std::fs::read_to_string(file("report.json")).unwrap();
    assert_eq!(json, stdout(&[&args[..], &["--format", "json"]].concat()));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    refused(&["crush"], &["crush", "list"]);
    refused(&["crash", "--against", "swim,nobody"], &["--against", "nobody"]);
    refused(&["crash", "--nodes", "2"], &["--nodes", "2", "crash"]);
    refused(&["crash", "--nodes", "many"], &["--nodes", "many"]);
    refused(&["crash", "--loss", "1.5"], &["--loss", "1.5"]);
    refused(&["crash", "--length", "10"], &["--length", "10", "units"]);
    refused(&["crash", "--seeds", "0"], &["--seeds", "0"]);
    refused(&["crash", "--profile", "moon"], &["--profile", "moon", "wan"]);
    refused(&["crash", "--profile", "wan", "--against", "foca"], &["foca", "wan"]);
    refused(&["crash", "--format", "pdf"], &["--format", "pdf"]);
    refused(&["crash", "--only-long"], &["--only-long", "crash"]);
    refused(&["crash", "--depth", "3"], &["--depth"]);
    refused(&["crash", "crash"], &["crash"]);
}

#[test]
fn a_file_that_cannot_be_written_is_named_with_exit_code_1() {
    let args = ["list", "--json", "/nowhere/report.json"];
    let output = swim_sim(&args);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/report.json"));
}
