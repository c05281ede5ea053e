//! `swim members`: who is in the cluster.

use std::io::IsTerminal;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use regex::Regex;

use super::client::{Body, Client, Endpoint, Format};
use super::failure::Failure;
use super::output;
use crate::http::members::reason;
use crate::http::types::{ContactBody, MemberBody, MembersBody, PathBody};

/// List the members that the agent knows.
#[derive(clap::Args)]
#[command(after_help = COLUMNS)]
pub(super) struct Args {
    /// Only members in this state; may be given several times.
    #[arg(long, value_enum, value_name = "STATE")]
    state: Vec<State>,
    /// Only members whose value of this key matches: a search, as grep does it, so `^` and `$` are
    /// up to you. May be given several times; all must match.
    #[arg(long, value_name = "K=REGEX", value_parser = key_regex)]
    meta: Vec<String>,
    /// Only members whose name matches: a search too.
    #[arg(long, value_name = "REGEX", value_parser = regex)]
    name: Option<String>,
    /// Print again whenever something changes, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// The states, as a flag names them.
#[derive(Clone, Copy, ValueEnum)]
enum State {
    Alive,
    Suspect,
    Dead,
    Left,
}

/// Checks a regular expression here, so that a mistake is wrong usage.
fn regex(text: &str) -> Result<String, String> {
    Regex::new(text).map(|_| text.to_owned()).map_err(|error| reason(&error))
}

pub(super) fn key_regex(text: &str) -> Result<String, String> {
    let (key, pattern) = super::meta::pair(text).map_err(|_| "expected KEY=REGEX".to_owned())?;
    regex(&pattern).map(|pattern| format!("{key}={pattern}"))
}

/// Asks once, or every second until Ctrl-C.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = Client::new(&args.endpoint);
    let query = query(args);
    let format = args.endpoint.format();
    if !args.watch {
        let body = client.get("/v1/members", &query)?;
        return body.print(format, readable);
    }
    let redraw = std::io::stdout().is_terminal() && format == Format::Table;
    let mut shown = None;
    loop {
        let body = client.get("/v1/members", &query)?;
        show_again(format, redraw, &body, &mut shown)?;
        thread::sleep(Duration::from_secs(1));
    }
}

/// What the endpoint filters by.
fn query(args: &Args) -> Vec<(&'static str, String)> {
    let states = args.state.iter().filter_map(ValueEnum::to_possible_value);
    let mut query: Vec<_> = states.map(|state| ("state", state.get_name().to_owned())).collect();
    query.extend(args.name.iter().map(|name| ("name", name.clone())));
    query.extend(args.meta.iter().map(|meta| ("meta", meta.clone())));
    query
}

/// Prints what differs from what was shown last; a terminal is drawn anew, for the ages.
fn show_again(
    format: Format,
    redraw: bool,
    body: &Body,
    shown: &mut Option<MembersBody>,
) -> Result<(), Failure> {
    let mut members: MembersBody = body.parse()?;
    let table = readable(&members);
    // Time that passes is no change.
    for member in &mut members.members {
        (member.age_ms, member.contact) = (0, ContactBody::default());
    }
    if redraw {
        output::line(&format!("{CLEAR}{table}"))?;
    } else if shown.as_ref().is_none_or(|shown| shown.members != members.members) {
        body.print(format, |_: &MembersBody| format!("{table}\n"))?;
    }
    *shown = Some(members);
    Ok(())
}

/// To the upper left corner, and nothing else on the screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

fn readable(body: &MembersBody) -> String {
    let none = || "-".to_owned();
    let rows = body.members.iter().map(|member| {
        let contact = &member.contact;
        let seen = contact.last_seen_ms.map(|ago| output::age(Duration::from_millis(ago)));
        let stream = contact.paths.stream.as_ref();
        [
            output::shortened(&member.name),
            output::printable(&member.address).into_owned(),
            output::printable(&member.state).into_owned(),
            output::printable(&member.incarnation).into_owned(),
            output::age(Duration::from_millis(member.age_ms)),
            seen.unwrap_or_else(none),
            contact.round_trip_ms.map_or_else(none, |ms| format!("{ms:.1} ms")),
            stream.map_or_else(none, |stream| output::printable(&stream.state).into_owned()),
            output::pairs(&member.metadata),
        ]
    });
    output::table(HEADER, rows.collect())
}

/// What the help says of the columns that need it.
const COLUMNS: &str = "\
Columns, all as the agent that is asked sees it:
  INCARNATION  grows when the member restarts, changes its metadata or refutes an accusation
  AGE          since the agent last changed what it holds of the member
  SEEN         since a datagram or an answer by stream last came from it. In a large cluster members
               talk to each other rarely: compare with the probe interval times their number
  RTT          smoothed round trip of direct probes
  STREAM       how the last stream that the agent opened to it went: ok or failing. With SEEN young
               and STREAM failing, a firewall lets UDP through and TCP not
A dash is what has not been noticed yet, and all three of the agent itself.";

/// One member in words.
pub(super) fn facts(member: &MemberBody) -> Vec<(&'static str, String)> {
    let contact = &member.contact;
    let ago = |ms| format!("{} ago", output::age(Duration::from_millis(ms)));
    let unknown = || "unknown".to_owned();
    let way = |path: &Option<PathBody>| {
        path.as_ref().map_or_else(unknown, |path| {
            let why = path.why.as_ref().map(|why| format!(": {}", output::printable(why)));
            let state = output::printable(&path.state);
            format!("{state}{}, {}", why.unwrap_or_default(), ago(path.age_ms))
        })
    };
    let state = output::printable(&member.state);
    let incarnation = output::printable(&member.incarnation);
    vec![
        ("name", output::printable(&member.name).into_owned()),
        ("address", output::printable(&member.address).into_owned()),
        ("state", format!("{state}, incarnation {incarnation}, since {}", ago(member.age_ms))),
        ("last seen", contact.last_seen_ms.map_or_else(unknown, ago)),
        ("round trip", contact.round_trip_ms.map_or_else(unknown, |ms| format!("{ms:.1} ms"))),
        ("datagrams", way(&contact.paths.datagram)),
        ("streams", way(&contact.paths.stream)),
        ("metadata", output::pairs(&member.metadata)),
    ]
}

/// AGE is that of what is held of the member, SEEN that of its last sign of life, STREAM how the last
/// stream to it went.
const HEADER: [&str; 9] =
    ["NAME", "ADDRESS", "STATE", "INCARNATION", "AGE", "SEEN", "RTT", "STREAM", "METADATA"];

#[cfg(test)]
mod tests {
    use super::{key_regex, readable, regex};
    use crate::http::types::MembersBody;

    #[test]
    fn a_broken_regex_is_refused_in_one_line() {
        let error = regex("a(").unwrap_err();
        assert!(error.contains("unclosed group") && !error.contains('\n'), "{error}");
        assert!(key_regex("role=a(").is_err() && key_regex("role").is_err());
    }

    #[test]
    fn members_are_a_table() {
        let body: MembersBody = serde_json::from_str(
            r#"{"members":[{"name":"n1","address":"127.0.0.1:1","state":"alive","incarnation":"7",
            "metadata":{"role":"web","zone":"a"},"last_update":"T","age_ms":61000,"last_seen_ms":1500,"round_trip_ms":0.25,
            "paths":{"datagram":null,"stream":{"state":"failing","age_ms":3,"why":"refused"}}}]}"#,
        )
        .unwrap();
        assert_eq!(
            readable(&body),
            "NAME  ADDRESS      STATE  INCARNATION  AGE    SEEN  RTT     STREAM   METADATA\n\
             n1    127.0.0.1:1  alive  7            1m 1s  1s    0.2 ms  failing  role=web zone=a"
        );
    }
}
