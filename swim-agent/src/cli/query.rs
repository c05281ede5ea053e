//! `swim query`: asks members something, and prints what they say as they say it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use super::client::{Client, Endpoint, Format};
use super::failure::{self, Failure};
use super::{event, members, output};
use crate::http::query::{QueryLine, QueryRequest};
use crate::http::types::millis;
use crate::http::users::PayloadBody;

/// Ask members something: acks and answers are printed as they come, until all have answered or declined.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What is asked.
    name: String,
    /// More of it; `-` takes it from standard input, byte by byte.
    payload: Option<String>,
    /// Only this member; may be given several times: any of them.
    #[arg(long, value_name = "NAME")]
    node: Vec<String>,
    /// Only members whose value of this key matches: a search, as grep does it. May be given several
    /// times; all must match.
    #[arg(long, value_name = "K=REGEX", value_parser = members::key_regex)]
    meta: Vec<String>,
    /// How long answers are taken, such as 500ms, 5s or 2m.
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = duration)]
    timeout: Duration,
    /// Do not have members say that they heard it.
    #[arg(long)]
    no_ack: bool,
    /// Members that pass on each answer besides, at most 8: for networks that lose much.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u8).range(..=8))]
    relay: u8,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Asks, and prints until all have answered or the time is over. Silence is no failure; that it is for
/// nobody is one.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let PayloadBody { payload, payload_base64 } = event::payload(args.payload.as_deref())?;
    let request = QueryRequest {
        name: args.name.clone(),
        payload,
        payload_base64,
        nodes: args.node.clone(),
        meta: args.meta.clone(),
        timeout_ms: Some(millis(args.timeout)),
        ack: Some(!args.no_ack),
        relays: args.relay,
    };
    let mut asked = BTreeSet::new();
    ask(&args.endpoint, &request, |line, text| {
        if let QueryLine::Query { expected, .. } = line {
            asked.clone_from(expected);
        }
        match args.endpoint.format() {
            Format::Json => output::line(text),
            Format::Table => readable(line).map_or(Ok(()), |line| output::line(&line)),
        }
    })?;
    not_asked(&args.node, &asked)
}

/// Says which of the named members the query was not for.
fn not_asked(named: &[String], asked: &BTreeSet<String>) -> Result<(), Failure> {
    let others = named.iter().filter(|name| !asked.contains(*name));
    let others: Vec<_> = others.map(|name| format!("{name:?}")).collect();
    if asked.is_empty() {
        let named =
            if others.is_empty() { String::new() } else { format!(": {}", others.join(", ")) };
        return Err(Failure::Failed(format!("no live member is meant by that{named}")));
    }
    if !others.is_empty() {
        failure::say(&format!(
            "not asked, because no live member of that name matches: {}",
            others.join(", ")
        ));
    }
    Ok(())
}

/// Asks, and hands over each line, parsed and as it came.
pub(super) fn ask(
    endpoint: &Endpoint,
    request: &QueryRequest,
    mut each: impl FnMut(&QueryLine, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let client = Client::new(endpoint);
    for text in client.post_lines("/v1/query", request)? {
        let text = text?;
        // A sign of life.
        if text.is_empty() {
            continue;
        }
        let line = serde_json::from_str(&text).map_err(|error| {
            Failure::Failed(format!("not an answer of a swim agent: {error}: {text}"))
        })?;
        each(&line, &text)?;
        if matches!(line, QueryLine::Done { .. }) {
            return Ok(());
        }
    }
    Err(client.gone(&"it ended"))
}

fn readable(line: &QueryLine) -> Option<String> {
    Some(match line {
        QueryLine::Query { .. } => return None,
        QueryLine::Ack { from, after_ms } => {
            format!("ack       {}  ({after_ms} ms)", output::printable(from))
        }
        QueryLine::Answer { from, after_ms, payload } => {
            let payload = event::readable(payload);
            format!("answer    {}  ({after_ms} ms): {payload}", output::printable(from))
        }
        QueryLine::Declined { from, after_ms, reason } => {
            format!(
                "declined  {}  ({after_ms} ms): {}",
                output::printable(from),
                readable_reason(reason)
            )
        }
        QueryLine::Gone { from, after_ms, state } => {
            let (from, state) = (output::printable(from), output::printable(state));
            format!("gone      {from}  ({after_ms} ms): {state}, not waited for any more")
        }
        QueryLine::Done { acks, answers, declined, gone, missing, dropped, after_ms } => {
            let count = |count: &usize, what| {
                format!("{count} {what}{}", if *count == 1 { "" } else { "s" })
            };
            let (acks, answers) = (count(acks, "ack"), count(answers, "answer"));
            let mut text = format!("{acks}, {answers} in {after_ms} ms");
            if !declined.is_empty() {
                text.push_str(&format!("; {} declined", declined.len()));
            }
            for (name, state) in gone {
                let (name, state) = (output::printable(name), output::printable(state));
                text.push_str(&format!("; {name} is {state}"));
            }
            if !missing.is_empty() {
                let names: Vec<_> = missing.iter().map(|name| output::printable(name)).collect();
                text.push_str(&format!("; no answer from {}", names.join(", ")));
            }
            if *dropped > 0 {
                text.push_str(&format!("; {dropped} replies were lost: read faster"));
            }
            text
        }
    })
}

/// Why a member declined, as people read it.
fn readable_reason(reason: &str) -> Cow<'_, str> {
    match reason {
        "none" => "no handler, or none that wrote anything".into(),
        "busy" => "too much waits there".into(),
        "failed" => "its handler failed".into(),
        other => output::printable(other),
    }
}

/// Parses a number and `ms`, `s` or `m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected a time such as 500ms, 5s, 2m or 1h".to_owned()),
    };
    let number: u64 =
        number.parse().map_err(|_| "expected a time such as 500ms, 5s, 2m or 1h".to_owned())?;
    match number.checked_mul(factor) {
        Some(millis @ 1..=3_600_000) => Ok(Duration::from_millis(millis)),
        _ => Err("a time-out is within 1ms to 1h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn times_have_a_unit_and_bounds() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("60m"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("1h"), duration("60m"));
        for wrong in ["", "5", "s", "0s", "61m", "-1s", "2h", "1d", "99999999999999999999s", "1.5s"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
