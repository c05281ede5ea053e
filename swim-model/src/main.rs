//! Searches scenarios and prints what was found.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use comfy_table::Table;
use swim_model::{Check, Scenario};

/// Searches every order of messages, faults and time-outs of small clusters.
#[derive(Parser)]
struct Arguments {
    /// Scenarios by name; all when none is given.
    names: Vec<String>,
    /// Threads that search.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seconds after which a search is given up.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut table = Table::new();
    table.set_header(["scenario", "states", "reached", "depth", "seconds", "exhausted", "broken"]);
    let named = |scenario: &Scenario| {
        arguments.names.is_empty() || arguments.names.iter().any(|name| name == scenario.name)
    };
    let mut failed = false;
    for scenario in Scenario::all().into_iter().filter(named) {
        let name = scenario.name;
        let report =
            Check::new(scenario).run(arguments.threads, Duration::from_secs(arguments.seconds));
        for (property, actions) in &report.broken {
            println!("{name}: not so that {property}:\n  {}", actions.join("\n  "));
        }
        for property in &report.unseen {
            println!("{name}: never seen that {property}");
        }
        failed |= !report.broken.is_empty();
        table.add_row([
            name.to_owned(),
            report.states.to_string(),
            report.reached.to_string(),
            report.depth.to_string(),
            format!("{:.1}", report.took.as_secs_f64()),
            report.exhausted.to_string(),
            report.broken.len().to_string(),
        ]);
    }
    println!("{table}");
    ExitCode::from(u8::from(failed))
}
