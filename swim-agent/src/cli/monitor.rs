//! `swim monitor`: what happens to members and what users tell, as it happens.

use std::collections::BTreeMap;

use swim_agent::EventStream;

use super::client::{Client, Endpoint, Format};
use super::failure::{self, Failure};
use super::{event, output};
use crate::http::types::{EventBody, InfoBody, StreamBody};
use crate::http::users::ToldBody;

/// Watch what happens to members and what users tell, until Ctrl-C.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    endpoint: Endpoint,
    /// How many of the events so far to print first, 0 to 512.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=EventStream::KEPT as i64))]
    backlog: u16,
}

/// Prints events until the agent ends, which is a failure, or Ctrl-C.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = Client::new(&args.endpoint);
    let info: InfoBody = client.get("/v1/info", &[])?.parse()?;
    let lines = client.lines(&format!("/v1/events?backlog={}", args.backlog), None)?;
    // From here on no event is missed; whoever reads standard output is not disturbed.
    let name = output::printable(&info.name);
    failure::say(&format!("watching {name} at {}", client.address()));
    for line in lines {
        let line = line?;
        // Anything else is a comment, a sign of life or the end of an event: its data is one line.
        let Some(data) = line.strip_prefix("data:").map(str::trim_start) else { continue };
        match args.endpoint.format() {
            Format::Json => output::line(data)?,
            Format::Table => output::line(&readable(data)?)?,
        }
    }
    Err(client.gone(&"it ended"))
}

/// An event as people read it: a line, in colours.
pub(super) fn readable(data: &str) -> Result<String, Failure> {
    let body = serde_json::from_str(data).map_err(|error| {
        Failure::Failed(format!("not an event of a swim agent: {error}: {data}"))
    })?;
    Ok(match body {
        StreamBody::Event(event) => event_line(&event),
        StreamBody::User(told) => told_line(&told),
        StreamBody::Missed(missed) => {
            let style = output::style("missed");
            format!("{style}missed{style:#} {} events: read faster", missed.missed)
        }
    })
}

fn told_line(told: &ToldBody) -> String {
    let style = output::style(&told.kind);
    let line = format!(
        "{time}  {style}{kind:<9}{style:#}  {name}  by {origin}: {payload}",
        time = output::printable(&told.time),
        kind = output::printable(&told.kind),
        name = output::printable(&told.name),
        origin = output::printable(&told.origin),
        payload = event::beginning(&told.payload),
    );
    line.trim_end().to_owned()
}

fn event_line(event: &EventBody) -> String {
    let style = output::style(&event.kind);
    let state = |state: &Option<String>| state.clone().unwrap_or_else(|| "-".to_owned());
    // The agent's own refutation: the one named is whom it contradicts.
    let own =
        event.kind == "refuted" && event.old_state == event.state && event.old_address.is_none();
    let accused = if own { " accused" } else { "" };
    let by = event.by.as_deref().map(|by| format!("{accused} by {}", output::printable(by)));
    let changed = changes(&event.changed);
    format!(
        "{time}  {style}{kind:<9}{style:#}  {name}  {address}  {old} -> {new}{by} ({reason}){changed}",
        time = output::printable(&event.time),
        kind = output::printable(&event.kind),
        name = output::printable(&event.name),
        address = output::printable(&event.address),
        old = output::printable(&state(&event.old_state)),
        new = output::printable(&state(&event.state)),
        by = by.unwrap_or_default(),
        reason = output::printable(&event.reason),
    )
}

/// Metadata that changed, as it is now: `role=db`, and `-zone` for what is gone.
fn changes(changed: &BTreeMap<String, Option<String>>) -> String {
    let mut text = String::new();
    for (key, value) in changed {
        let key = output::printable(key);
        text.push_str(&match value {
            Some(value) => format!(" {key}={}", output::printable(value)),
            None => format!(" -{key}"),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn an_event_is_one_line() {
        let data = r#"{"type":"died","name":"n\n2","address":"127.0.0.1:1","old_state":"suspect",
            "state":"dead","incarnation":"7","by":"n1","reason":"suspicion_expired","time":"T"}"#;
        let line = anstream::adapter::strip_str(&readable(data).unwrap()).to_string();
        assert_eq!(
            line,
            "T  died       n\\n2  127.0.0.1:1  suspect -> dead by n1 (suspicion_expired)"
        );
    }

    #[test]
    fn an_update_says_what_has_changed() {
        let data = r#"{"type":"updated","name":"b","address":"127.0.0.1:1","old_state":"alive",
            "state":"alive","incarnation":"8","by":null,"reason":"gossip","time":"T",
            "changed":{"role":"d\u202eb","zone":null}}"#;
        let line = anstream::adapter::strip_str(&readable(data).unwrap()).to_string();
        assert!(line.ends_with("(gossip) role=d\\u{202e}b -zone"), "{line}");
    }

    #[test]
    fn missed_events_are_said() {
        let line = readable(r#"{"type":"missed","missed":3}"#).unwrap();
        assert!(line.contains("3 events"), "{line}");
    }
}
