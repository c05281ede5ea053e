//! `swim reachability`: which members hear and are heard, beyond what failure detection says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::client::{Endpoint, Format};
use super::failure::Failure;
use super::{output, query};
use crate::http::query::{QueryLine, QueryRequest};
use crate::http::types::millis;

/// Ask all live members for a sign, and name those who gave none.
#[derive(clap::Args)]
pub(super) struct Args {
    /// How long to wait, such as 500ms, 5s or 2m.
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = query::duration)]
    timeout: Duration,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Report {
    expected: usize,
    acks: usize,
    /// Who died or left meanwhile.
    gone: BTreeMap<String, String>,
    missing: BTreeSet<String>,
    after_ms: u64,
    causes: &'static [&'static str],
}

/// Where to look when somebody did not answer.
const CAUSES: &[&str] = &[
    "it has just crashed or left: `swim members` shows it suspect, dead or left soon",
    "it hears nothing: its gossip port must be open for UDP and TCP from all members",
    "its answer went to an address that is not this agent's: check --advertise of both",
    "it is overloaded or stopped: `swim info` there, local_health and late_wakeups",
    "the network loses much: try again with a longer --timeout",
];

/// Asks, and fails when somebody did not answer.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let request = QueryRequest {
        name: swim_agent::Query::PING.to_owned(),
        timeout_ms: Some(millis(args.timeout)),
        ..QueryRequest::default()
    };
    let (mut expected, mut report) = (0, None);
    query::ask(&args.endpoint, &request, |line, _| {
        match line {
            QueryLine::Query { expected: all, .. } => expected = all.len(),
            QueryLine::Done { acks, gone, missing, after_ms, .. } => {
                let causes = if missing.is_empty() { &[][..] } else { CAUSES };
                let (acks, after_ms) = (*acks, *after_ms);
                let (gone, missing) = (gone.clone(), missing.clone());
                report = Some(Report { expected, acks, gone, missing, after_ms, causes });
            }
            _ => {}
        }
        Ok(())
    })?;
    let Some(report) = report else { return Ok(()) };
    print(&report, args.endpoint.format())?;
    if report.missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = report.missing.iter().map(|name| output::printable(name)).collect();
    Err(Failure::Failed(format!("no sign of {}", names.join(", "))))
}

fn print(report: &Report, format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        let text = serde_json::to_string(report).map_err(|why| Failure::Failed(why.to_string()))?;
        return output::line(&text);
    }
    let Report { expected, acks, after_ms, causes, gone, missing } = report;
    let mut text = format!("{acks} of {expected} live members answered within {after_ms} ms");
    for (name, state) in gone {
        let (name, state) = (output::printable(name), output::printable(state));
        text.push_str(&format!("\n{name} is {state} by now"));
    }
    for name in missing {
        text.push_str(&format!("\nno sign of {}", output::printable(name)));
    }
    if !causes.is_empty() {
        text.push_str("\nwhat to look at:");
    }
    for cause in *causes {
        text.push_str(&format!("\n- {cause}"));
    }
    output::line(&text)
}
