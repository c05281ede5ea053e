//! `swim info`: what the agent says of itself.

use std::fmt::Write as _;
use std::time::Duration;

use super::client::{Client, Endpoint};
use super::failure::Failure;
use super::output;
use crate::http::types::InfoBody;

/// Show what the agent says of itself: addresses, health, counters.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Say what each of it means, beside it.
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

fn readable(info: &InfoBody) -> String {
    let counts = &info.members;
    let convergence = &info.convergence;
    let attempts = info.join_attempts.map_or_else(|| "none".to_owned(), |count| count.to_string());
    // As they are called here, and in JSON.
    let facts = [
        ("name", "name", output::printable(&info.name).into_owned()),
        ("address", "address", info.address.clone()),
        ("bound to", "bind_address", info.bind_address.clone()),
        ("admin", "http_address", info.http_address.clone()),
        ("cluster", "cluster", output::printable(&info.cluster).into_owned()),
        ("version", "version", info.version.clone()),
        ("state", "state", info.state.clone()),
        ("incarnation", "incarnation", info.incarnation.clone()),
        ("ready", "ready", info.unready.as_deref().unwrap_or("yes").to_owned()),
        ("uptime", "uptime_ms", output::age(Duration::from_millis(info.uptime_ms))),
        (
            "members",
            "members",
            format!(
                "{} alive, {} suspect, {} dead, {} left",
                counts.alive, counts.suspect, counts.dead, counts.left
            ),
        ),
        ("local health", "local_health", format!("{} (0 is healthy)", info.local_health)),
        ("probe interval", "probe_interval_ms", format!("{} ms", info.probe_interval_ms)),
        ("suspicion time-out", "suspicion_timeout_ms", format!("{} ms", info.suspicion_timeout_ms)),
        ("updates waiting", "queue", info.queue.to_string()),
        ("join attempts", "join_attempts", attempts),
        ("view", "view_hash", info.view_hash.clone()),
        (
            "rounds to converge",
            "convergence.avg_rounds_to_converge",
            format!("{:.1}", convergence.avg_rounds_to_converge),
        ),
        (
            "messages per update",
            "convergence.message_overhead",
            format!("{:.1}", convergence.message_overhead),
        ),
        (
            "false positives",
            "convergence.false_positive_rate",
            format!("{:.1} %", 100.0 * convergence.false_positive_rate),
        ),
    ];
    let mut text = String::new();
    for (name, key, value) in facts {
        line(&mut text, info, (name, key), &value);
    }
    text.push_str("counters\n");
    for (name, value) in &info.counters {
        line(&mut text, info, (&format!("  {name}"), name), &format!("{value:>12}"));
    }
    text.trim_end().to_owned()
}

/// One of the facts, and what it means if that was asked for.
fn line(text: &mut String, info: &InfoBody, (name, key): (&str, &str), value: &str) {
    let glossary = info.glossary.as_ref();
    // Writing to a text cannot fail.
    let _ = match glossary.and_then(|glossary| glossary.get(key)) {
        Some(meaning) => writeln!(text, "{name:<30}{value:<34}  {}", output::printable(meaning)),
        None => writeln!(text, "{name:<30}{value}"),
    };
}
