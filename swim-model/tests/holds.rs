//! Small clusters in which everything that can happen was tried.

use std::time::Duration;

use swim_model::{Check, Report, Scenario};

/// Far more than it takes: a search that is given up has shown nothing.
const PATIENCE: Duration = Duration::from_secs(600);

fn search(scenario: Scenario) -> Report {
    let name = scenario.name;
    let report = Check::new(scenario).run(2, PATIENCE);
    let Report { states, reached, depth, took, .. } = &report;
    println!("{name}: {states} states, reached {reached} times, depth {depth}, {took:?}");
    assert!(report.exhausted, "given up, or not so: {:#?}", report.broken);
    report
}

#[test]
fn whatever_the_order_a_crash_is_detected_and_nobody_else_is_dead_for_good() {
    let report = search(Scenario::crash());
    assert!(report.unseen.is_empty(), "never seen: {:?}", report.unseen);
    assert!(report.states > 1_000, "a search that finds so little looked at little");
}

#[test]
fn whatever_is_lost_a_false_death_is_refuted() {
    let report = search(Scenario::loss());
    assert_eq!(report.unseen, ["a crash is detected"], "nobody crashes");
}
