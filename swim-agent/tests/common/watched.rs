//! An agent that is given bad input, and what is lost by that: nothing.

use serde_json::json;

use crate::common::{Agent, Process, until};

/// An agent with something to lose, and somebody who watches it.
pub(crate) fn watched() -> (Agent, Process) {
    let agent = Agent::start("n1", &["--meta", "role=db"]);
    let monitor = Process::start(agent.command(&["monitor", "--format", "json"]));
    until("the monitor watches", || monitor.stderr().contains("watching"));
    agent.ok(&["event", "first"]);
    until("the first event is told", || monitor.stdout().contains(r#""name":"first""#));
    (agent, monitor)
}

/// Checks that nothing was changed or told, by telling something at last.
pub(crate) fn unchanged((agent, monitor): &(Agent, Process)) {
    agent.ok(&["event", "last"]);
    until("the last event is told", || monitor.stdout().contains(r#""name":"last""#));
    let told = monitor.stdout();
    let after = told.lines().skip_while(|line| !line.contains(r#""name":"first""#));
    assert_eq!(after.count(), 2, "{told}");
    assert_eq!(agent.members()["n1"]["metadata"], json!({"role": "db"}));
    assert_eq!(agent.states(), "n1:alive");
}
