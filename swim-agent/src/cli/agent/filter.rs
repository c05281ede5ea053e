//! Which events an event handler is for: `[filter=]command`, or a table of the configuration file.

use std::time::Duration;

use serde::Deserialize;

use super::handlers::Happened;
use crate::cli::query;

/// How long a command may take unless it is said.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A command, and what it is run for. Equal ones are the same handler to who reads the configuration
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handler {
    filters: Vec<Filter>,
    /// Whether its standard input is JSON.
    pub(super) json: bool,
    /// For `/bin/sh -c`.
    pub(super) command: String,
    /// How long it may take before it is killed.
    pub(super) patience: Duration,
}

/// `[[event_handlers]]` of the configuration file: what `--event-handler` says, in three keys.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HandlerTable {
    filter: Option<String>,
    command: Option<String>,
    timeout: Option<String>,
}

impl HandlerTable {
    /// The handler; `patience` if the table says none.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub(super) fn handler(&self, patience: Duration) -> Result<Handler, (&'static str, String)> {
        let command = self.command.as_deref().unwrap_or_default();
        let filters = self.filter.as_deref().unwrap_or("*");
        let mut handler = Handler::new(filters, command).map_err(|(key, why)| match key {
            "command" => (key, "expected a command for /bin/sh -c".to_owned()),
            _ => (key, why),
        })?;
        let limit = self.timeout.as_deref().map(query::duration).transpose();
        handler.patience = limit.map_err(|why| ("timeout", why))?.unwrap_or(patience);
        Ok(handler)
    }

    /// All keys that are wrong, and why: each by itself, the others taken for right.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let right = || Self { command: Some("true".to_owned()), ..Self::default() };
        [
            Self { filter: self.filter.clone(), ..right() },
            Self { command: self.command.clone(), ..Self::default() },
            Self { timeout: self.timeout.clone(), ..right() },
        ]
        .iter()
        .filter_map(|table| table.handler(PATIENCE).err())
        .collect()
    }
}

/// One of the words before the `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Filter {
    /// `*` is every one.
    kind: String,
    /// Of a user's event or query; any if `None`.
    name: Option<String>,
}

const KINDS: [&str; 11] = [
    "*",
    "member-join",
    "member-leave",
    "member-failed",
    "member-update",
    "member-reap",
    "member-suspect",
    "member-refute",
    "member-conflict",
    "user",
    "query",
];

impl Handler {
    /// A command behind filters, that are parted by commas; an error names the part that is wrong.
    fn new(filters: &str, command: &str) -> Result<Self, (&'static str, String)> {
        let command = command.trim();
        if command.is_empty() || command.contains('\0') {
            return Err(("command", "expected [FILTER=]COMMAND".to_owned()));
        }
        let command = command.to_owned();
        let mut handler = Self { filters: Vec::new(), json: false, command, patience: PATIENCE };
        for word in filters.split(',').map(str::trim) {
            if word == "json" {
                handler.json = true;
            } else {
                handler.filters.push(filter(word).map_err(|why| ("filter", why))?);
            }
        }
        Ok(handler)
    }

    /// Whether the command is to be run.
    pub(super) fn wants(&self, happened: &Happened) -> bool {
        let name = happened.told().map(|event| event.name.as_str());
        self.filters.is_empty()
            || self.filters.iter().any(|filter| {
                (filter.kind == "*" || filter.kind == happened.kind)
                    && filter.name.as_deref().is_none_or(|wanted| name == Some(wanted))
            })
    }
}

/// Parses `[filter=]command`. What stands before the first `=` is a list of filters unless it holds
/// what no filter does: a space, a slash, a capital letter, as `PATH=x command` does.
pub(super) fn handler(text: &str) -> Result<Handler, String> {
    let (filters, command) = match text.split_once('=') {
        Some((words, command)) if is_filter(words) => (words, command),
        _ => ("*", text),
    };
    Handler::new(filters, command).map_err(|(_, why)| why)
}

fn is_filter(words: &str) -> bool {
    // The name of an event may hold anything.
    words.split(',').all(|word| {
        let kind = word.split(':').next().unwrap_or_default();
        !kind.contains(|char: char| char.is_whitespace() || "/$\"'".contains(char))
            && !kind.contains(|char: char| char.is_ascii_uppercase())
    })
}

fn filter(word: &str) -> Result<Filter, String> {
    let (kind, name) = match word.split_once(':') {
        Some((kind @ ("user" | "query"), name)) if !name.is_empty() => (kind, Some(name)),
        Some(_) => return Err(format!("only user:NAME and query:NAME have a name, not {word:?}")),
        None => (word, None),
    };
    if KINDS.contains(&kind) {
        Ok(Filter { kind: kind.to_owned(), name: name.map(str::to_owned) })
    } else {
        let kinds = KINDS.join(", ");
        Err(format!("no filter {word:?}; there are {kinds} (`*=` before the command means all)"))
    }
}

#[cfg(test)]
mod tests {
    use super::handler;

    #[test]
    fn a_filter_is_told_from_a_command() {
        for (text, filters, command) in [
            ("user:deploy=./run a=b", 1, "./run a=b"),
            ("member-join,member-leave=x", 2, "x"),
            ("./run", 1, "./run"),
            ("FOO=1 ./run", 1, "FOO=1 ./run"),
            ("/bin/env a=b x", 1, "/bin/env a=b x"),
            ("*=foo=1 x", 1, "foo=1 x"),
            ("json=x", 0, "x"),
            ("json,query=x", 1, "x"),
        ] {
            let parsed = handler(text).unwrap();
            assert_eq!((parsed.filters.len(), parsed.command.as_str()), (filters, command));
            assert_eq!(parsed.json, text.starts_with("json"));
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in ["", "user=", "member-jion=x", "foo=1 ./x", "member-join:a=x", "user:=x"] {
            assert!(handler(text).is_err(), "{text}");
        }
    }
}
