//! `swim info`: what the agent says of itself.

use std::fmt::Write as _;
use std::time::Duration;

use super::client::{Client, Endpoint};
use super::failure::Failure;
use super::output;
use crate::http::types::{CoordinateBody, InfoBody};

/// Show what the agent says of itself: addresses, health, counters.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Say what each of it means.
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Asks once and prints the answer.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let query = if args.explain { vec![("explain", "true".to_owned())] } else { Vec::new() };
    let body = Client::new(&args.endpoint).get("/v1/info", &query)?;
    body.print(args.endpoint.format(), readable)
}

fn coordinate(held: &CoordinateBody) -> String {
    let [x, y, z] = held.position_ms;
    let (height, error) = (held.height_ms, 100.0 * held.error);
    format!("{x:.2} {y:.2} {z:.2} ms, {height:.2} ms above, error {error:.0} %")
}

fn readable(info: &InfoBody) -> String {
    let counts = &info.members;
    let convergence = &info.convergence;
    let facts = [
        ("name", output::printable(&info.name).into_owned()),
        ("address", info.address.clone()),
        ("bound to", info.bind_address.clone()),
        ("admin", info.http_address.clone()),
        ("cluster", output::printable(&info.cluster).into_owned()),
        ("version", info.version.clone()),
        ("state", format!("{}, incarnation {}", info.state, info.incarnation)),
        ("ready", info.unready.as_deref().unwrap_or("yes").to_owned()),
        ("uptime", output::age(Duration::from_millis(info.uptime_ms))),
        (
            "members",
            format!(
                "{} alive, {} suspect, {} dead, {} left",
                counts.alive, counts.suspect, counts.dead, counts.left
            ),
        ),
        ("local health", format!("{} (0 is healthy)", info.local_health)),
        ("probe interval", format!("{} ms", info.probe_interval_ms)),
        ("suspicion time-out", format!("{} ms", info.suspicion_timeout_ms)),
        ("updates waiting", info.queue.to_string()),
        ("coordinate", info.coordinate.as_ref().map_or("off".to_owned(), coordinate)),
        ("view", info.view_hash.clone()),
        ("rounds to converge", format!("{:.1}", convergence.avg_rounds_to_converge)),
        ("messages per update", format!("{:.1}", convergence.message_overhead)),
        ("false positives", format!("{:.1} %", 100.0 * convergence.false_positive_rate)),
    ];
    let mut text = String::new();
    for (name, value) in facts {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name:<22}{value}");
    }
    text.push_str("counters\n");
    for (name, value) in &info.counters {
        let _ = writeln!(text, "  {name:<24}{value:>12}");
    }
    if let Some(glossary) = &info.glossary {
        text.push_str("meaning\n");
        for (name, meaning) in glossary {
            let _ = writeln!(text, "  {}: {}", output::printable(name), output::printable(meaning));
        }
    }
    text.trim_end().to_owned()
}
