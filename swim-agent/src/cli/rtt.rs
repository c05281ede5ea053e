//! `swim rtt`: the round trip between two members.

use super::client::{Client, Endpoint};
use super::failure::Failure;
use super::output;
use crate::http::rtt::RttBody;

/// Show the round trip between two members, measured or estimated.
#[derive(clap::Args)]
pub(super) struct Args {
    /// A member's name.
    #[arg(value_name = "A")]
    one: String,
    /// Another's; the agent that is asked unless given.
    #[arg(value_name = "B")]
    other: Option<String>,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Asks once and prints the answer.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let query = match &args.other {
        None => vec![("to", args.one.clone())],
        Some(other) => vec![("from", args.one.clone()), ("to", other.clone())],
    };
    let body = Client::new(&args.endpoint).get("/v1/rtt", &query)?;
    body.print(args.endpoint.format(), readable)
}

fn readable(body: &RttBody) -> String {
    let (from, to) = (output::shortened(&body.from), output::shortened(&body.to));
    let RttBody { round_trip_ms, source, error_ms, .. } = body;
    let error = error_ms.map(|error| format!(", give or take {error:.2} ms")).unwrap_or_default();
    format!("{from} to {to}: {round_trip_ms:.2} ms, {source}{error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_says_how_good_it_is() {
        let (from, to) = ("a".to_owned(), "b\u{1b}".to_owned());
        let source = "estimated".to_owned();
        let body = RttBody { from, to, round_trip_ms: 12.345, source, error_ms: Some(1.5) };
        assert_eq!(readable(&body), "a to b\\u{1b}: 12.35 ms, estimated, give or take 1.50 ms");
        let source = "measured".to_owned();
        let body = RttBody { source, error_ms: None, ..body };
        assert_eq!(readable(&body), "a to b\\u{1b}: 12.35 ms, measured");
    }
}
