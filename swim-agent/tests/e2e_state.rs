//! Agents with a data directory: what they know after a power cut, and who they are.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use common::{Agent, assert_fails, run, text, until};
use rustix::process::Signal;
use swim_agent::state;

/// An empty place for the directories of one test.
fn place(test: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("state-{test}"));
    // It is there only when the test ran before.
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory");
    path
}

fn path(place: &Path, name: &str) -> String {
    place.join(name).to_str().expect("its path is text").to_owned()
}

/// Starts an agent whose data directory is named as it is, where others know it.
fn start(place: &Path, name: &str, args: &[&str]) -> Agent {
    Agent::start(name, &[&["--data-dir", &path(place, name)], args].concat())
}

/// Three agents that know each other, each with a data directory; only two had a seed, once.
fn cluster(place: &Path) -> Vec<Agent> {
    let a = start(place, "a", &[]);
    let seed = a.gossip.to_string();
    let others = ["b", "c"].map(|name| start(place, name, &["--join", &seed]));
    let agents: Vec<Agent> = [a].into_iter().chain(others).collect();
    agents.iter().for_each(|agent| agent.until_states("a:alive b:alive c:alive"));
    until("each remembers the others", || {
        let remembers = |name| {
            let state = state::read(&place.join(name)).expect("a state");
            state.members.values().filter(|place| place.standing == state::Standing::Live).count()
                == 2
        };
        ["a", "b", "c"].into_iter().all(remembers)
    });
    agents
}

/// Starts an agent again where it was, without seeds.
fn again(place: &Path, agent: &Agent) -> Agent {
    start(place, &agent.name, &["--bind", &agent.gossip.to_string()])
}

fn incarnation(agent: &Agent, name: &str) -> u64 {
    text(&agent.members()[name]["incarnation"]).parse().expect("a number")
}

#[test]
fn a_member_that_was_killed_comes_back_under_its_name_without_seeds() {
    let place = place("back");
    let mut agents = cluster(&place);
    // Several lives within a second.
    for _ in 0..3 {
        let before = incarnation(&agents[0], "c") >> 32;
        agents[2].process.kill();
        let killed = Instant::now();
        agents[2] = again(&place, &agents[2]);
        agents[2].until_states("a:alive b:alive c:alive");
        println!("it sees all others {:?} after it was killed", killed.elapsed());
        until("its new life is known", || incarnation(&agents[0], "c") >> 32 > before);
        agents[0].until_states("a:alive b:alive c:alive");
    }
}

#[test]
fn a_cluster_that_lost_its_power_finds_together_without_seeds() {
    let place = place("outage");
    let mut agents = cluster(&place);
    agents.iter_mut().for_each(|agent| agent.process.kill());
    let killed = Instant::now();
    let agents: Vec<Agent> = agents.iter().map(|agent| again(&place, agent)).collect();
    agents.iter().for_each(|agent| agent.until_states("a:alive b:alive c:alive"));
    println!("all three see each other {:?} after they were killed", killed.elapsed());
    until("they hold the same", || {
        let hashes = agents.iter().map(|agent| text(&agent.json(&["info"])["view_hash"]));
        let hashes: Vec<String> = hashes.collect();
        hashes.iter().all(|hash| *hash == hashes[0])
    });
}

#[test]
fn a_cluster_that_was_stopped_finds_together_without_seeds() {
    let place = place("stopped");
    let mut agents = cluster(&place);
    for agent in &mut agents {
        agent.process.signal(Signal::TERM);
        assert_eq!(agent.process.wait().code(), Some(0));
    }
    let agents: Vec<Agent> = agents.iter().map(|agent| again(&place, agent)).collect();
    agents.iter().for_each(|agent| agent.until_states("a:alive b:alive c:alive"));
}

#[test]
fn a_member_that_was_dead_before_the_restart_is_still_looked_for() {
    let place = place("dead");
    let mut agents = cluster(&place);
    agents[1].process.kill();
    agents[2].process.kill();
    agents[0].until_states("a:alive b:dead c:dead");
    until("the deaths are remembered", || {
        let state = state::read(&place.join("a")).expect("a state");
        state.members.values().all(|place| place.standing == state::Standing::Dead)
    });
    agents[0].process.kill();
    // Only the dead one comes back, and it knows nobody.
    let late = Agent::start("b", &["--bind", &agents[1].gossip.to_string()]);
    let a = again(&place, &agents[0]);
    a.until_states("a:alive b:alive");
    late.until_states("a:alive b:alive");
}

#[test]
fn metadata_that_was_set_is_there_after_a_power_cut() {
    let place = place("metadata");
    let mut agent = start(&place, "a", &["--meta", "role=web", "--meta", "zone=a"]);
    agent.ok(&["meta", "rm", "zone"]);
    for life in 0..5 {
        agent.ok(&["meta", "set", &format!("life={life}"), &format!("k{life}=v")]);
        // At once: whoever was answered can rely on it.
        agent.process.kill();
        agent = start(&place, "a", &["--meta", "role=web", "--meta", "zone=a"]);
        let metadata = &agent.members()["a"]["metadata"];
        let keys = metadata.as_object().expect("pairs").len();
        assert_eq!(text(&metadata["life"]), life.to_string());
        assert_eq!((text(&metadata["role"]).as_str(), keys), ("web", 3 + life), "{metadata}");
    }
}

#[test]
fn whoever_was_answered_can_rely_on_it_whenever_the_power_goes() {
    let place = place("hammered");
    let mut acked = 0_u32;
    for life in 0..8 {
        let agent = &mut start(&place, "a", &[]);
        if acked > 0 {
            let held = text(&agent.members()["a"]["metadata"]["n"]).parse::<u32>().unwrap();
            assert!((acked..=acked + 1).contains(&held), "life {life}: {held} after {acked}");
        }
        let log = agent.process.stderr();
        assert!(!log.contains("damaged") && !log.contains("ERROR"), "{log}");
        let hammered = &*agent;
        acked = thread::scope(|scope| {
            let hammer = scope.spawn(|| {
                let next = |n: &u32| hammered.run(&["meta", "set", &format!("n={n}")]);
                (acked + 1..).take_while(|n| next(n).status.success()).last().unwrap_or(acked)
            });
            thread::sleep(Duration::from_millis(60 + 17 * life));
            hammered.process.signal(Signal::KILL);
            hammer.join().expect("the last one that was answered")
        });
        agent.process.wait();
    }
    assert!(acked > 8, "{acked}");
}

/// Runs an agent that must not start.
fn refused(name: &str, directory: &str) -> std::process::Output {
    let fixed = ["agent", "--bind", "127.0.0.1:0", "--http-addr", "none", "--log-level", "off"];
    run(&[&fixed[..], &["--name", name, "--data-dir", directory]].concat())
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_in_one_line() {
    let place = place("refused");
    let agent = start(&place, "a", &[]);
    let used = path(&place, "a");
    assert_fails(&refused("a", &used), 1, "another agent is running on it");
    assert_fails(&refused("b", &used), 1, "another agent is running on it");
    drop(agent);
    assert_fails(&refused("b", &used), 1, "belongs to \"a\" of cluster \"swim\", not to \"b\"");
    for (directory, culprit) in [("/dev/null", "/dev/null"), ("/dev/null/a\nb", "a\\nb")] {
        assert_fails(&refused("a", directory), 1, culprit);
    }
    // Nobody may make a directory there, not even root.
    assert_fails(&refused("a", "/proc/swim"), 1, "/proc/swim");
    fs::write(place.join("file"), "text").unwrap();
    assert_fails(&refused("a", &path(&place, "file")), 1, "file");
    let odd = place.join("odd \u{1f980} name");
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("state"), "somebody's notes").unwrap();
    assert_fails(&refused("a", &path(&place, "odd \u{1f980} name")), 1, "no state file");
    assert_eq!(fs::read(odd.join("state")).unwrap(), b"somebody's notes");
}

#[test]
fn a_file_cut_anywhere_starts_and_says_what_was_cut() {
    let place = place("cut");
    let mut agent = start(&place, "a", &["--meta", "role=web"]);
    agent.ok(&["meta", "set", "kept=1"]);
    agent.ok(&["meta", "set", "torn=1"]);
    agent.process.kill();
    let file = place.join("a/state");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    let agent = start(&place, "a", &[]);
    let metadata = agent.members()["a"]["metadata"].to_string();
    assert_eq!(metadata, r#"{"kept":"1"}"#);
    let log = agent.process.stderr();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("bytes of an unfinished record"), "{log}");
}

#[test]
fn a_damaged_file_is_repaired_and_kept_aside() {
    let place = place("damaged");
    let mut agent = start(&place, "a", &[]);
    agent.ok(&["meta", "set", "first=1"]);
    let at = fs::read(place.join("a/state")).unwrap().len() - 3;
    agent.ok(&["meta", "set", "second=2"]);
    agent.process.kill();
    let mut bytes = fs::read(place.join("a/state")).unwrap();
    bytes[at] ^= 1;
    fs::write(place.join("a/state"), &bytes).unwrap();
    let agent = start(&place, "a", &[]);
    let metadata = agent.members()["a"]["metadata"].to_string();
    assert_eq!(metadata, r#"{"first":"1","second":"2"}"#);
    let log = agent.process.stderr();
    assert!(log.contains("are damaged") && log.contains("at offset"), "{log}");
    assert_eq!(fs::read(place.join("a/state.damaged")).unwrap(), bytes);
}

/// An agent for which a full disk is an error of the write, and not the end of the process.
fn limited(place: &Path, blocks: &str) -> std::process::Command {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_swim")]);
    command.args(["agent", "--name", "a", "--profile", "local", "--bind", "127.0.0.1:0"]);
    command.args(["--http-addr", "127.0.0.1:0", "--data-dir", &path(place, "a")]);
    command
}

#[test]
fn a_disk_that_is_full_at_the_start_is_refused_in_one_line() {
    let place = place("full-start");
    let output = limited(&place, "0").args(["--log-level", "off"]).output().unwrap();
    assert_fails(&output, 1, "state");
    // Nothing half-written is in the way of the next start.
    start(&place, "a", &[]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_fills_up_later_is_counted_and_told_and_the_agent_goes_on() {
    use rustix::process::{Resource, Rlimit, prlimit};

    let place = place("full-later");
    let mut agent = Agent::of("a", limited(&place, "unlimited"));
    let limit = |bytes| {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(agent.process.pid()), Resource::Fsize, limit).expect("a limit");
    };
    agent.ok(&["meta", "set", "before=1"]);
    limit(Some(fs::metadata(place.join("a/state")).unwrap().len() + 3));
    agent.ok(&["meta", "set", "during=1"]);
    let errors = || agent.json(&["info"])["counters"]["state_errors"].as_u64().unwrap();
    until("the error is counted", || errors() > 0);
    until("it is told", || agent.process.stderr().contains("cannot be written"));
    let log = agent.process.stderr();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(told.len() == 1 && told[0].contains("cannot be written"), "{log}");
    let held = || state::read(&place.join("a")).expect("a readable state").overlay;
    let file: std::collections::BTreeMap<_, _> = held().over(&Default::default());
    assert_eq!(file.keys().collect::<Vec<_>>(), ["before"], "half a record is none");
    limit(None);
    until("it is written when there is room", || held().over(&Default::default()).len() == 2);
    until("which is told", || {
        agent.process.stderr().contains("is written to the data directory again")
    });
    agent.process.kill();
    let again = start(&place, "a", &[]);
    assert_eq!(again.members()["a"]["metadata"].to_string(), r#"{"before":"1","during":"1"}"#);
}
