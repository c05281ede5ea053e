//! What Prometheus and an orchestrator ask an agent.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Agent, free_port, until};
use prometheus_parse::{Sample, Scrape, Value};

/// Asks the endpoint, and returns the status, the type of the body, and the body.
fn get(agent: &Agent, path: &str) -> (u16, String, String) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let mut answer = config.new_agent().get(format!("http://{}{path}", agent.http)).call().unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), kind, answer.body_mut().read_to_string().unwrap())
}

fn scrape(agent: &Agent) -> (String, Scrape) {
    let (status, kind, text) = get(agent, "/metrics");
    assert_eq!(status, 200, "{text}");
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).expect("it parses");
    (text, scrape)
}

fn value(sample: &Sample) -> f64 {
    match sample.value {
        Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => value,
        ref other => panic!("{}: {other:?}", sample.metric),
    }
}

/// The value of the sample of this name, and of this label if one is asked for.
fn of(scrape: &Scrape, name: &str, label: Option<(&str, &str)>) -> f64 {
    let found = scrape.samples.iter().find(|sample| {
        sample.metric == name
            && label.is_none_or(|(key, value)| sample.labels.get(key) == Some(value))
    });
    value(found.unwrap_or_else(|| panic!("no {name} {label:?}")))
}

/// What the documentation says there is: type by name.
fn documented() -> BTreeMap<String, String> {
    let rows = include_str!("../../docs/admin.md").lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `swim_")?.split_once('`')?;
        let kind = rest.trim_start_matches([' ', '|']).split(' ').next()?;
        Some((format!("swim_{name}"), kind.to_owned()))
    });
    rows.collect()
}

#[test]
fn the_names_are_those_of_the_documentation() {
    let agent = Agent::start("a", &[]);
    let (text, scrape) = scrape(&agent);
    let names: BTreeSet<_> = scrape.samples.iter().map(|sample| sample.metric.clone()).collect();
    let documented = documented();
    let promised: BTreeSet<_> = documented.keys().cloned().collect();
    assert_eq!(names, promised, "docs/admin.md has the list");
    assert!(text.ends_with("# EOF\n"), "a scrape that was cut off shows");
    for (name, kind) in documented {
        // In OpenMetrics a family has its name without what marks the kind of its samples.
        let family = name.trim_end_matches("_total").trim_end_matches("_info");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(text.contains(&format!("# TYPE {family} {kind}\n")), "{name} {kind}");
        let help = text.lines().find_map(|line| line.strip_prefix(&format!("# HELP {family} ")));
        assert!(help.is_some_and(|help| help.len() > 10), "{name} has no help");
        for unit in ["seconds", "bytes", "ratio"] {
            let has = text.contains(&format!("# UNIT {family} {unit}\n"));
            assert_eq!(has, family.ends_with(unit), "{name}: {unit}");
        }
    }
}

#[test]
fn labels_are_bounded_and_name_nobody() {
    let a = Agent::start("node-with-a-name", &["--meta", "secret=s3cr3t"]);
    let b = Agent::start("another\"\n\u{202e}name", &["--join", &a.gossip.to_string()]);
    until("b is in", || of(&scrape(&a).1, "swim_members", Some(("state", "alive"))) == 2.0);
    let (text, scrape) = scrape(&a);
    for foreign in ["node-with", "another", "s3cr3t", "127.0.0.1", &b.gossip.port().to_string()] {
        let labels = text.lines().filter_map(|line| line.split_once('{')?.1.split_once('}'));
        assert!(labels.clone().all(|(labels, _)| !labels.contains(foreign)), "{foreign} in {text}");
    }
    let states = scrape.samples.iter().filter(|sample| sample.metric == "swim_members");
    assert_eq!(states.count(), 4, "every state, also those that nobody is in");
}

#[test]
fn counters_count_what_they_say() {
    let a = Agent::start("a", &[]);
    let _b = Agent::join("b", &a);
    let counted = |name: &str| of(&scrape(&a).1, name, None);
    until("probes are counted", || counted("swim_probes_total") >= 2.0);
    assert!(
        counted("swim_datagram_bytes_received_total") > counted("swim_datagrams_received_total")
    );
    assert!(counted("swim_uptime_seconds") > 0.0 && counted("swim_ready") == 1.0);
    let info = a.json(&["info"]);
    assert!(info["counters"]["probes"].as_u64().unwrap() >= 2);
}

#[test]
fn an_agent_is_ready_when_it_has_found_its_cluster() {
    let port = free_port();
    let seed = format!("127.0.0.1:{port}");
    let b = Agent::start("b", &["--join", &seed]);
    assert_eq!(get(&b, "/healthz").0, 200, "nothing is wrong with it");
    let (status, _, body) = get(&b, "/readyz");
    assert_eq!(status, 503);
    assert!(!b.process.stdout().contains("ready"), "the line means the same");
    assert!(body.contains("no seed has answered") && body.lines().count() == 1, "{body}");
    let (_, before) = scrape(&b);
    assert_eq!(of(&before, "swim_ready", None), 0.0);
    // The first of a cluster has nobody to wait for.
    let mut a = Agent::start("a", &["--bind", &seed, "--join", &seed]);
    until("the seed is ready", || get(&a, "/readyz").0 == 200);
    until("who joined is ready", || get(&b, "/readyz").0 == 200);
    for agent in [&a, &b] {
        until("which is said", || agent.process.stdout().ends_with("\nup\nready\n"));
    }
    a.process.kill();
    until("a is dead", || b.states() == "a:dead b:alive");
    assert_eq!(get(&b, "/readyz").0, 200, "to be lonely is no reason to be taken away");
}

#[test]
fn an_agent_without_seeds_is_ready_at_once() {
    let agent = Agent::start("a", &[]);
    let (status, _, body) = get(&agent, "/readyz");
    assert_eq!((status, body.as_str()), (200, r#"{"status":"ready"}"#));
}
