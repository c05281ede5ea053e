//! What an agent remembers of a member, in words.

use std::fmt::Write as _;
use std::time::Duration;

use super::output;
use crate::http::types::{IncidentBody, ProbeBody};

/// An incident as `agent` remembers it, in a line; one more for what was tried, or for who knows that.
pub(super) fn lines(incident: &IncidentBody, agent: &str) -> String {
    let printable =
        |text: &Option<String>| text.as_deref().map(|t| output::printable(t).into_owned());
    let style = output::style(&incident.kind);
    let mut text = format!(
        "  {time}  {age:>7} ago  {style}{kind:<12}{style:#}  {name}",
        time = output::printable(&incident.time),
        age = output::age(Duration::from_millis(incident.age_ms)),
        kind = output::printable(&incident.kind),
        name = output::shortened(&incident.name),
    );
    let by = printable(&incident.by);
    if let Some(by) = &by {
        // Its own refutation: the one named is whom it contradicts.
        let accused = incident.kind == "refuted" && incident.old_address.is_none();
        let own = accused && incident.name == agent;
        let _ = write!(text, "{} by {by}", if own { " accused" } else { "" });
    }
    if let Some(reason) = printable(&incident.reason) {
        let _ = write!(text, " ({reason})");
    }
    if let (Some(from), Some(to)) = (printable(&incident.old_address), printable(&incident.address))
    {
        let _ = match incident.kind.as_str() {
            "conflict" | "refuted" => write!(text, ": one at {to}, one at {from}"),
            _ => write!(text, ": moved from {from} to {to}"),
        };
    }
    if let Some(probe) = &incident.probe {
        let _ = write!(text, "\n{INDENT}{}", tried(probe));
    }
    let accused = matches!(incident.kind.as_str(), "suspected" | "died");
    if let Some(by) = by.filter(|_| accused && incident.by.as_deref() != Some(agent)) {
        let _ = write!(text, "\n{INDENT}the agent {by} knows by which ways it was probed");
    }
    text + "\n"
}

const INDENT: &str = "      ";

/// By which ways a member was probed, and what became of each.
fn tried(probe: &ProbeBody) -> String {
    let pings: Vec<_> = probe.pings_ms.iter().map(|ms| format!("{ms}")).collect();
    let mut text = format!("pinged {} ms before, no answer", pings.join(", "));
    if !probe.relays.is_empty() {
        let relays = probe.relays.iter().map(|relay| {
            let said = match relay.said.as_str() {
                "nack" => "got none either".to_owned(),
                said => format!("said {}", output::printable(said)),
            };
            format!("{} {said}", output::printable(&relay.name))
        });
        let relays: Vec<_> = relays.collect();
        let _ = write!(text, "; relays asked {} ms before: {}", probe.asked_ms, relays.join(", "));
    }
    if let Some(stream) = &probe.stream {
        let why = stream.why.as_deref().unwrap_or(match stream.state.as_str() {
            "ok" => "taken, no answer",
            _ => "nobody took it",
        });
        let _ = write!(text, "; stream: {}", output::printable(why));
    }
    if probe.silence {
        text.push_str("; heard nobody at all meanwhile");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn plain(json: &str) -> String {
        anstream::adapter::strip_str(&lines(&serde_json::from_str(json).unwrap(), "n9")).to_string()
    }

    #[test]
    fn an_accusation_names_the_accuser() {
        let json = r#"{"time":"T","age_ms":61000,"type":"suspected","name":"n\u202e2","by":"n1",
            "reason":"rumor","state":"suspect","incarnation":"7","address":"127.0.0.1:1",
            "old_address":null,"probe":null}"#;
        assert_eq!(
            plain(json),
            "  T    1m 1s ago  suspected     n\\u{202e}2 by n1 (rumor)\n      the agent n1 knows by \
                    which ways it was probed\n"
        );
    }

    #[test]
    fn a_probe_says_what_was_tried_and_what_became_of_it() {
        let json = r#"{"time":"T","age_ms":0,"type":"probe_failed","name":"n2","by":null,"reason":null,
            "state":null,"incarnation":null,"address":null,"old_address":null,"probe":{
            "pings_ms":[700,400],"asked_ms":300,"relays":[{"name":"n3","said":"nack"},
            {"name":"n4","said":"nothing"}],"stream":{"state":"failing","age_ms":1,"why":"refused"},
            "silence":false}}"#;
        assert_eq!(
            plain(json),
            "  T       0s ago  probe_failed  n2\n      pinged 700, 400 ms before, no answer; relays \
             asked 300 ms before: n3 got none either, n4 said nothing; stream: refused\n"
        );
    }
}
