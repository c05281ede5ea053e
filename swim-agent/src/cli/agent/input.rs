//! What an event handler is told: `docs/events.md` says it to those who write one.

use swim_agent::{Event, Handle, StreamItem};

use super::handlers::Happened;
use crate::http::events;

/// The variables of its environment.
pub(super) fn environment(handle: &Handle, happened: &Happened) -> Vec<(String, String)> {
    let mut all = vec![
        ("SWIM_EVENT".to_owned(), happened.kind.to_owned()),
        ("SWIM_SELF_NAME".to_owned(), handle.name().to_owned()),
    ];
    for (key, value) in &handle.members().local().metadata {
        let upper = key.to_ascii_uppercase();
        let key = upper.replace(|char: char| !char.is_ascii_alphanumeric(), "_");
        all.push((format!("SWIM_META_{key}"), value.clone()));
    }
    if let Some(told) = happened.told() {
        let kind = if happened.kind == "query" { "SWIM_QUERY" } else { "SWIM_USER" };
        all.push((format!("{kind}_NAME"), told.name.clone()));
        all.push((format!("{kind}_ORIGIN"), told.origin.clone()));
        all.push((format!("{kind}_LTIME"), told.ltime.to_string()));
    }
    // No variable can hold a zero byte.
    all.iter_mut().for_each(|(_, value)| *value = value.replace('\0', "\u{fffd}"));
    all
}

/// Its standard input.
pub(super) fn stdin(handle: &Handle, happened: &Happened, json: bool) -> Vec<u8> {
    if json {
        let body = events::body(happened.item.clone());
        // Without maps whose keys are no text, as here, JSON cannot fail.
        let mut text = serde_json::to_vec(&body).unwrap_or_default();
        text.push(b'\n');
        return text;
    }
    match &happened.item {
        StreamItem::Event(event) => member(handle, event).into_bytes(),
        StreamItem::User(event) | StreamItem::Query(event) => event.payload.clone(),
        _ => Vec::new(),
    }
}

/// A member in one line of columns: name, address, state, and a pair of metadata in each.
fn member(handle: &Handle, event: &Event) -> String {
    let state = event.state.map_or_else(|| "forgotten".to_owned(), |state| state.to_string());
    let mut line = format!("{}\t{}\t{state}", escaped(&event.name, false), event.address);
    if let Some(member) = handle.members().get(&event.name) {
        for (key, value) in &member.metadata {
            line.push_str(&format!("\t{}={}", escaped(key, true), escaped(value, false)));
        }
    }
    line.push('\n');
    line
}

/// Without what separates columns and lines; of a key, without `=` too.
fn escaped(text: &str, key: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n");
    if key { text.replace('=', "\\=") } else { text }
}
