//! `swim check-config`: everything that is wrong with a configuration file, at once.
//!
//! Each key is tried by itself, so that one mistake hides no other.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use swim_agent::{Seed, Subnet};
use swim_core::{ConfigError, GossipProtocol, Member, MemberId, Options};
use swim_wire::ProtobufCodec;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::File;
use super::filter::HandlerTable;
use super::sealing::{KeyringFile, NO_KEYRING};
use super::settings::{Profile, closed};
use crate::cli::address::{self, HttpAddr};
use crate::cli::client::Format;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::http::Token;

/// Check a configuration file: all that is wrong with it, each with its line.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Configuration file of `swim agent`.
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// How to print the findings.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// What is found.
#[derive(Serialize)]
struct Report {
    file: String,
    ok: bool,
    errors: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Problem {
    pub(super) line: usize,
    /// With its table; `null` where the text is no TOML.
    key: Option<String>,
    /// As it is written.
    value: Option<String>,
    pub(super) error: String,
}

/// Checks, and prints what is wrong.
pub(in crate::cli) fn run(args: &Args) -> Result<(), Failure> {
    let file = args.file.display().to_string();
    let text = read(&args.file)?;
    let errors = Check::new(&text).all();
    let lines = errors.iter().map(|problem| problem.line(&file)).collect();
    let ok = errors.is_empty();
    match args.format {
        Format::Json => output::json(&Report { file: file.clone(), ok, errors })?,
        Format::Table if ok => output::line(&format!("{}: ok", output::printable(&file)))?,
        Format::Table => {}
    }
    match args.format {
        _ if ok => Ok(()),
        // They are told; a program reads one of the two.
        Format::Json => Err(Failure::Several(vec![format!("{file}: not ok")])),
        Format::Table => Err(Failure::Several(lines)),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

impl Problem {
    pub(super) fn line(&self, file: &str) -> String {
        let what = match (&self.key, &self.value) {
            (Some(key), Some(value)) => format!("{key} = {value}: "),
            (Some(key), None) => format!("{key}: "),
            _ => String::new(),
        };
        output::printable(&format!("{file}:{}: {what}{}", self.line, self.error)).into_owned()
    }
}

/// One entry of the file, with the table it is in.
struct Entry<'i> {
    table: Option<&'i str>,
    key: &'i Spanned<std::borrow::Cow<'i, str>>,
    value: &'i Spanned<DeValue<'i>>,
}

pub(super) struct Check<'i> {
    text: &'i str,
    problems: Vec<Problem>,
}

/// The tables whose entries are checked one by one.
const TABLES: [&str; 2] = ["metadata", "protocol"];
/// The tables that there may be several of.
const HANDLERS: &str = "event_handlers";
/// Bytes of a value that are shown.
const SHOWN: usize = 60;

impl<'i> Check<'i> {
    pub(super) fn new(text: &'i str) -> Self {
        Self { text, problems: Vec::new() }
    }

    /// Everything, in the order of the lines.
    pub(super) fn all(mut self) -> Vec<Problem> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = error.span().map_or(1, |span| self.line(span.start));
            let error = error.message().trim().replace('\n', " ");
            self.problems.push(Problem { line, key: None, value: None, error });
        }
        let entries = entries(root.get_ref());
        self.handlers(root.get_ref());
        let mut good = DeTable::new();
        for entry in &entries {
            let alone = entry.alone();
            match parse::<File>(alone.clone()) {
                Ok(_) => merge(&mut good, alone),
                Err(error) => self.wrong(entry, error),
            }
        }
        if let Ok(file) = parse(good) {
            self.meaning(&file, &entries);
        }
        self.problems.sort();
        // What does not parse is not told twice.
        self.problems.dedup_by(|next, first| next.line == first.line && first.key.is_none());
        self.problems
    }

    /// The event handlers, each with all its keys.
    fn handlers(&mut self, root: &DeTable<'_>) {
        let Some((key, value)) = root.get_key_value(HANDLERS) else { return };
        let whole = Entry { table: None, key, value };
        let Some(tables) = value.get_ref().as_array() else {
            return self.wrong(&whole, "expected tables, [[event_handlers]]".to_owned());
        };
        for (number, value) in tables.iter().enumerate() {
            let Some(table) = value.get_ref().as_table() else {
                self.wrong(&Entry { value, ..whole }, "expected a table".to_owned());
                continue;
            };
            self.handler(&format!("{HANDLERS}[{number}]"), value.span().start, table);
        }
    }

    /// One of them, which begins there.
    fn handler(&mut self, name: &str, start: usize, table: &DeTable<'_>) {
        let entry = |(key, value)| Entry { table: Some(name), key, value };
        let entries: Vec<_> = table.iter().map(entry).collect();
        let mut good = DeTable::new();
        for entry in &entries {
            match parse::<HandlerTable>(entry.inner()) {
                Ok(_) => merge(&mut good, entry.inner()),
                Err(error) => self.wrong(entry, error),
            }
        }
        let Ok(good) = parse::<HandlerTable>(good) else { return };
        for (key, error) in good.problems() {
            match entries.iter().find(|entry| entry.key.get_ref() == key) {
                // What is wrong by itself is told.
                Some(entry) if parse::<HandlerTable>(entry.inner()).is_err() => {}
                Some(entry) => self.wrong(entry, error),
                None => {
                    let (line, key) = (self.line(start), Some(format!("{name}.{key}")));
                    self.problems.push(Problem { line, key, value: None, error });
                }
            }
        }
    }

    /// What each value says, now that all have the right types.
    fn meaning(&mut self, file: &File, entries: &[Entry<'_>]) {
        let profile = file.profile.unwrap_or(Profile::Lan);
        let mut options = profile.options();
        file.protocol.apply(&mut options);
        for problem in options.problems() {
            let (keys, mut error) = (culprits(&problem), problem.to_string());
            if let Some(key) = keys.iter().find(|key| !file.protocol.names(key)) {
                error.push_str(&format!(" ({key} as profile {} has it)", profile.as_str()));
            }
            self.at(entries, Some("protocol"), &keys, error);
        }
        for error in file.join.iter().flatten().filter_map(|seed| wrong_seed(seed)) {
            self.at(entries, None, &["join"], error);
        }
        for net in file.allow.iter().flatten() {
            if let Err(why) = net.parse::<Subnet>() {
                self.at(entries, None, &["allow"], format!("{why}, not {net:?}"));
            }
        }
        for (key, error) in outside(file) {
            self.at(entries, None, &[key], error);
        }
        for (key, value) in &file.metadata {
            if let Some(error) = wrong_metadata([(key.clone(), value.clone())], usize::MAX) {
                self.at(entries, Some("metadata"), &[key], error);
            }
        }
        if let Some(error) = wrong_size(file, options.metadata_limit) {
            self.at(entries, Some("metadata"), &[], error);
        }
        let token = file.http_token_file.as_ref().map(|path| path.parse::<Token>());
        let keyring = file.keyring_file.as_ref().map(|path| path.parse::<KeyringFile>());
        let alone = file.sealing.is_some() && keyring.is_none();
        for (key, error) in [
            ("keyring_file", keyring.and_then(Result::err)),
            ("sealing", alone.then(|| NO_KEYRING.to_owned())),
            ("max_members", file.max_members.and_then(wrong_room)),
            ("name", file.name.as_deref().and_then(wrong_name)),
            ("cluster", file.cluster.as_deref().and_then(wrong_cluster)),
            ("discover", file.discover.as_deref().and_then(|name| address::group(name).err())),
            ("advertise", file.advertise.as_deref().and_then(wrong_advertise)),
            ("http_token_file", token.as_ref().and_then(|token| token.as_ref().err().cloned())),
            (
                "http_addr",
                file.http_addr.as_ref().and_then(|addr| wrong_http(addr, token.is_some())),
            ),
        ] {
            if let Some(error) = error {
                self.at(entries, None, &[key], error);
            }
        }
    }

    /// A problem of the first of these keys that the table of the file has; of any if there are none.
    fn at(&mut self, entries: &[Entry<'_>], table: Option<&str>, keys: &[&str], error: String) {
        let mut held = entries.iter().filter(|entry| entry.table == table);
        let named = |key: &&str| {
            entries.iter().find(|entry| entry.table == table && entry.key.get_ref() == *key)
        };
        match keys.iter().find_map(named).or_else(|| held.next().filter(|_| keys.is_empty())) {
            Some(entry) => self.wrong(entry, error),
            None => self.problems.push(Problem { line: 1, key: None, value: None, error }),
        }
    }

    fn wrong(&mut self, entry: &Entry<'_>, error: String) {
        let line = self.line(entry.key.span().start);
        let value = self.text.get(entry.value.span()).map(shortened);
        self.problems.push(Problem { line, key: Some(entry.name()), value, error });
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or(self.text).matches('\n').count() + 1
    }
}

impl<'i> Entry<'i> {
    fn name(&self) -> String {
        let key = self.key.get_ref();
        self.table.map_or_else(|| key.to_string(), |table| format!("{table}.{key}"))
    }

    /// A table that has nothing else.
    fn inner(&self) -> DeTable<'i> {
        let mut inner = DeTable::new();
        inner.insert(self.key.clone(), self.value.clone());
        inner
    }

    /// A file that has nothing else.
    fn alone(&self) -> DeTable<'i> {
        let inner = self.inner();
        let Some(table) = self.table else { return inner };
        let mut outer = DeTable::new();
        let span = self.value.span();
        outer.insert(
            Spanned::new(span.clone(), table.into()),
            Spanned::new(span, DeValue::Table(inner)),
        );
        outer
    }
}

/// All entries, those of tables one by one.
fn entries<'i>(root: &'i DeTable<'i>) -> Vec<Entry<'i>> {
    let mut all = Vec::new();
    for (key, value) in root {
        let name = key.get_ref().as_ref();
        match value.get_ref() {
            DeValue::Table(table) if TABLES.contains(&name) => {
                let entry = |(key, value)| Entry { table: Some(name), key, value };
                all.extend(table.iter().map(entry));
            }
            // Checked by themselves.
            _ if name == HANDLERS => {}
            _ => all.push(Entry { table: None, key, value }),
        }
    }
    all
}

fn parse<T: DeserializeOwned>(table: DeTable<'_>) -> Result<T, String> {
    let document = toml::de::Deserializer::from(Spanned::new(0..0, table));
    T::deserialize(document).map_err(|error| error.message().trim().replace('\n', " "))
}

fn merge<'i>(good: &mut DeTable<'i>, one: DeTable<'i>) {
    for (key, value) in one {
        match (good.get_mut(&key).map(Spanned::get_mut), value.get_ref()) {
            (Some(DeValue::Table(held)), DeValue::Table(more)) => held.extend(more.clone()),
            _ => drop(good.insert(key, value)),
        }
    }
}

fn shortened(value: &str) -> String {
    let line = value.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None if line.len() < value.len() => format!("{line}..."),
        None => line.to_owned(),
    }
}

/// The keys that a mistake may be corrected at.
fn culprits(problem: &ConfigError) -> Vec<&'static str> {
    match problem {
        ConfigError::OutOfRange { name, .. } => vec![*name],
        ConfigError::TimeoutAboveInterval { .. } => vec!["probe_timeout", "probe_interval"],
        ConfigError::MetadataAboveBudget { .. } => vec!["metadata_limit", "datagram_budget"],
        _ => Vec::new(),
    }
}

/// Checks the name of a node.
pub(super) fn name(text: &str) -> Result<String, String> {
    wrong_name(text).map_or_else(|| Ok(text.to_owned()), Err)
}

/// Checks the name of a cluster.
pub(super) fn cluster(text: &str) -> Result<String, String> {
    wrong_cluster(text).map_or_else(|| Ok(text.to_owned()), Err)
}

pub(super) fn wrong_name(name: &str) -> Option<String> {
    let nowhere = ([127, 0, 0, 1], 1).into();
    let built = GossipProtocol::builder(MemberId::from(name), nowhere).build();
    built.err().map(|error| error.to_string())
}

fn wrong_size(file: &File, limit: usize) -> Option<String> {
    // A key that is reserved is told where it stands.
    let others =
        file.metadata.clone().into_iter().filter(|(key, _)| !key.starts_with(Member::RESERVED));
    wrong_metadata(others, limit)
}

pub(super) fn wrong_metadata(
    metadata: impl IntoIterator<Item = (String, String)>,
    limit: usize,
) -> Option<String> {
    let nowhere = ([127, 0, 0, 1], 1).into();
    let roomy = Options { datagram_budget: 65_000, ..Options::default() };
    // A limit that is wrong itself is told already.
    let options = Options { metadata_limit: limit.min(32_500), ..roomy };
    let builder = GossipProtocol::builder(MemberId::from("n"), nowhere);
    let built = builder.metadata(metadata.into_iter().collect()).options(options).build();
    built.err().map(|error| error.to_string())
}

/// Names and interfaces are looked up at the start only.
pub(super) fn wrong_advertise(given: &str) -> Option<String> {
    let alone = given.parse::<IpAddr>();
    if let Ok(ip) = given.parse::<SocketAddr>().map(|address| address.ip()).or(alone) {
        return address::no_host(ip).map(str::to_owned);
    }
    let (name, port) = given.rsplit_once(':').unwrap_or((given, "0"));
    let wrong = name.is_empty() || name.contains(char::is_control) || port.parse::<u16>().is_err();
    wrong.then(|| "expected IP, INTERFACE or HOST, each with or without :PORT".to_owned())
}

/// `--advertise`.
pub(super) fn advertise(given: &str) -> Result<String, String> {
    wrong_advertise(given).map_or_else(|| Ok(given.to_owned()), Err)
}

pub(super) fn wrong_cluster(cluster: &str) -> Option<String> {
    ProtobufCodec::new(cluster).err().map(|error| error.to_string())
}

fn wrong_seed(seed: &str) -> Option<String> {
    seed.parse::<Seed>().err().map(|error| format!("{error}, not {seed:?}"))
}

/// What the file names and does not allow, as far as it says addresses.
fn outside(file: &File) -> Vec<(&'static str, String)> {
    let networks: Vec<Subnet> =
        file.allow.iter().flatten().filter_map(|net| net.parse().ok()).collect();
    let ip = |text: &str| {
        text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse()).ok()
    };
    let allowed = |ip: &IpAddr| networks.is_empty() || networks.iter().any(|net| net.contains(*ip));
    let joins = file.join.iter().flatten().map(|seed| ("join", seed));
    let named = joins.chain(file.advertise.iter().map(|given| ("advertise", given)));
    let named = named.filter_map(|(key, text)| Some((key, ip(text)?)));
    // Where it is bound is advertised unless something else is, or it is bound to all that the host has.
    let bound = file.bind.filter(|bound| file.advertise.is_none() && !bound.ip().is_unspecified());
    let named = named.chain(bound.map(|bound| ("bind", bound.ip())));
    let of = |ip| format!("{ip} is outside of the networks that are allowed (allow)");
    named.filter(|(_, ip)| !allowed(ip)).map(|(key, ip)| (key, of(ip))).collect()
}

/// Nobody has room for more: an agent takes some 600 bytes for each.
const MOST_MEMBERS: usize = 1 << 24;

/// What is wrong with so many members.
pub(super) fn wrong_room(most: usize) -> Option<String> {
    match most {
        0 => Some("expected at least 1, the agent itself".to_owned()),
        1..=MOST_MEMBERS => None,
        _ => Some("expected at most 16,777,216, which is 10 GB".to_owned()),
    }
}

/// `--max-members`.
pub(super) fn max_members(given: &str) -> Result<usize, String> {
    let most = given.parse().map_err(|_| "expected a whole number".to_owned())?;
    wrong_room(most).map_or(Ok(most), Err)
}

fn wrong_http(address: &HttpAddr, token: bool) -> Option<String> {
    closed(address, token).err()
}
