//! `swim info`: what the agent says of itself, or knows of one member.

use std::fmt::Write as _;
use std::time::Duration;

use super::address;
use super::client::{Client, Endpoint};
use super::failure::Failure;
use super::{history, members, output};
use crate::http::types::{
    CoordinateBody, InfoBody, MemberCounts, MemberDetailBody, MissingBody, StandstillBody,
};

/// Show what the agent says of itself: addresses, health, counters, accusations; or what it knows and
/// remembers of one member.
#[derive(clap::Args)]
pub(super) struct Args {
    /// A member: its state, how the agent gets through to it, and who accused it when, why, and by which
    /// ways it was probed.
    #[arg(value_name = "NAME", value_parser = address::member)]
    name: Option<String>,
    /// Say what each of it means, beside it.
    #[arg(long, conflicts_with = "name")]
    explain: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Asks once and prints the answer.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(name) = &args.name {
        let body = Client::new(&args.endpoint).get(&path(name), &[])?;
        return body.print(args.endpoint.format(), member);
    }
    let query = if args.explain { vec![("explain", "true".to_owned())] } else { Vec::new() };
    let body = Client::new(&args.endpoint).get("/v1/info", &query)?;
    body.print(args.endpoint.format(), readable)
}

/// Where an agent tells what it knows of a member.
pub(super) fn path(name: &str) -> String {
    let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("/v1/members/{name}")
}

fn member(body: &MemberDetailBody) -> String {
    let mut text = match (&body.member, &body.missing) {
        (Some(member), _) => members::facts(member).into_iter().fold(String::new(), line),
        (None, Some(address)) => {
            let address = output::printable(address);
            format!("not seen since the agent started; before that it lived at {address}\n")
        }
        (None, None) => "no member any more\n".to_owned(),
    };
    text.push_str("history\n");
    if body.history.is_empty() {
        text.push_str("  nothing has happened\n");
    }
    body.history.iter().for_each(|it| text.push_str(&history::lines(it, &body.agent)));
    text.trim_end().to_owned()
}

fn line(mut text: String, (name, value): (&str, String)) -> String {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{name:<22}{value}");
    text
}

fn coordinate(held: &CoordinateBody) -> String {
    let [x, y, z] = held.position_ms;
    let (height, error) = (held.height_ms, 100.0 * held.error);
    format!("{x:.2} {y:.2} {z:.2} ms, {height:.2} ms above, error {error:.0} %")
}

fn standstill(last: &StandstillBody) -> String {
    let [lasted, ago] = [last.lasted_ms, last.age_ms].map(Duration::from_millis);
    format!("{:.1} s, until {} ago", lasted.as_secs_f64(), output::age(ago))
}

fn missing(held: &MissingBody) -> String {
    if held.count == 0 {
        return "none".to_owned();
    }
    let names: Vec<_> = held.names.iter().map(|name| output::shortened(name)).collect();
    let more = if held.count > names.len() { ", ..." } else { "" };
    format!("{}: {}{more}", held.count, names.join(", "))
}

/// The facts: each as it is called here and in JSON, and its value.
fn facts(info: &InfoBody) -> Vec<(&'static str, &'static str, String)> {
    let MemberCounts { alive, suspect, dead, left } = info.members;
    let members = format!("{alive} alive, {suspect} suspect, {dead} dead, {left} left");
    let convergence = &info.convergence;
    let accusations = match info.accusations.len() {
        0 => "none".to_owned(),
        count => format!("the latest {count}:"),
    };
    vec![
        ("name", "name", output::printable(&info.name).into_owned()),
        ("address", "address", info.address.clone()),
        ("bound to", "bind_address", info.bind_address.clone()),
        ("admin", "http_address", info.http_address.clone()),
        ("cluster", "cluster", output::printable(&info.cluster).into_owned()),
        ("sealing", "sealing", output::printable(&info.sealing).into_owned()),
        ("version", "version", info.version.clone()),
        ("state", "state", info.state.clone()),
        ("incarnation", "incarnation", info.incarnation.clone()),
        ("ready", "ready", info.unready.as_deref().unwrap_or("yes").to_owned()),
        ("uptime", "uptime_ms", output::age(Duration::from_millis(info.uptime_ms))),
        ("members", "members", members),
        ("members held", "members_held", info.members_held.to_string()),
        ("members at most", "max_members", room(info)),
        ("allowed networks", "allow", allowed(info)),
        ("local health", "local_health", format!("{} (0 is healthy)", info.local_health)),
        ("probe interval", "probe_interval_ms", format!("{} ms", info.probe_interval_ms)),
        ("suspicion time-out", "suspicion_timeout_ms", format!("{} ms", info.suspicion_timeout_ms)),
        (
            "stood still",
            "standstill",
            info.standstill.as_ref().map_or("never".to_owned(), standstill),
        ),
        ("updates waiting", "updates_waiting", info.updates_waiting.to_string()),
        ("notices waiting", "notices_waiting", info.notices_waiting.to_string()),
        ("queries open", "queries_open", info.queries_open.to_string()),
        ("streams open", "streams_open", info.streams_open.to_string()),
        ("join attempts", "join_attempts", attempts(info)),
        ("coordinate", "coordinate", info.coordinate.as_ref().map_or("off".to_owned(), coordinate)),
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
        ("members missing", "members_missing", missing(&info.members_missing)),
        ("accusations", "accusations", accusations),
    ]
}

/// How much room there is for members; an agent of an older release does not say.
fn attempts(info: &InfoBody) -> String {
    let attempts = info.join_attempts;
    attempts.map_or_else(|| "none".to_owned(), |count| format!("{count}, still trying"))
}

fn room(info: &InfoBody) -> String {
    match info.max_members {
        0 => "unknown".to_owned(),
        most if info.members_held >= most => format!("{most}, nobody unknown is taken in"),
        most => most.to_string(),
    }
}

fn allowed(info: &InfoBody) -> String {
    match info.allow.is_empty() {
        true => "all".to_owned(),
        false => output::printable(&info.allow.join(", ")).into_owned(),
    }
}

fn readable(info: &InfoBody) -> String {
    let mut text = String::new();
    for (name, key, value) in facts(info) {
        explained(&mut text, info, (name, key), &value);
    }
    info.accusations.iter().for_each(|it| text.push_str(&history::lines(it, &info.name)));
    text.push_str("counters\n");
    for (name, value) in &info.counters {
        explained(&mut text, info, (&format!("  {name}"), name), &format!("{value:>12}"));
    }
    text.trim_end().to_owned()
}

/// One of the facts, and what it means if that was asked for.
fn explained(text: &mut String, info: &InfoBody, (name, key): (&str, &str), value: &str) {
    let glossary = info.glossary.as_ref();
    // Writing to a text cannot fail.
    let _ = match glossary.and_then(|glossary| glossary.get(key)) {
        Some(meaning) => writeln!(text, "{name:<30}{value:<34}  {}", output::printable(meaning)),
        None => writeln!(text, "{name:<30}{value}"),
    };
}
