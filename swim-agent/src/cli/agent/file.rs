//! The configuration file: what the flags can say, and the protocol's knobs.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;
use swim_core::{Mechanisms, Options};

use super::admin::SocketMode;
use super::filter::HandlerTable;
use super::logging::{LogFormat, LogLevel};
use super::sealing::Sealing;
use super::settings::{Fixed, Profile};
use super::value;
use crate::cli::address::HttpAddr;
use crate::cli::failure::Failure;

/// A configuration file in TOML; every key may be left out, a key that is none of these is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "value::bind")]
    pub(super) bind: Option<SocketAddr>,
    pub(super) advertise: Option<String>,
    #[serde(default, deserialize_with = "value::list")]
    pub(super) join: Option<Vec<String>>,
    #[serde(default, deserialize_with = "value::ip_port")]
    pub(super) dns_server: Option<SocketAddr>,
    pub(super) discover: Option<String>,
    pub(super) discover_interface: Option<String>,
    #[serde(default, deserialize_with = "value::list")]
    pub(super) allow: Option<Vec<String>>,
    #[serde(default, deserialize_with = "value::number")]
    pub(super) max_members: Option<usize>,
    pub(super) cluster: Option<String>,
    #[serde(default, deserialize_with = "value::word")]
    pub(super) profile: Option<Profile>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) http_addr: Option<HttpAddr>,
    pub(super) http_token_file: Option<String>,
    #[serde(default, deserialize_with = "value::word")]
    pub(super) http_socket_mode: Option<SocketMode>,
    pub(super) keyring_file: Option<String>,
    #[serde(default, deserialize_with = "value::word")]
    pub(super) sealing: Option<Sealing>,
    #[serde(default, deserialize_with = "value::number")]
    pub(super) stranger_datagrams: Option<u32>,
    #[serde(default, deserialize_with = "value::number")]
    pub(super) stranger_streams: Option<u32>,
    #[serde(default, deserialize_with = "value::number")]
    pub(super) member_datagrams: Option<u32>,
    #[serde(default, deserialize_with = "value::word")]
    pub(super) log_level: Option<LogLevel>,
    #[serde(default, deserialize_with = "value::word")]
    pub(super) log_format: Option<LogFormat>,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) protocol: Protocol,
    #[serde(default)]
    pub(super) event_handlers: Vec<HandlerTable>,
}

/// The knobs of the table `[protocol]`: how each is read, its key and type, and which option it is.
macro_rules! protocol {
    ($($how:literal $key:ident: $kind:ty => $($option:ident).+,)*) => {
        /// The table `[protocol]`: changes to the profile, named and measured as in
        /// `swim_core::Options`.
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Protocol {
            $(#[serde(default, deserialize_with = $how)] $key: Option<$kind>,)*
        }

        impl Protocol {
            /// Changes what the table names.
            pub(super) fn apply(&self, options: &mut Options) {
                $(if let Some(value) = self.$key {
                    options.$($option).+ = value.into();
                })*
            }

            /// Whether the table names this key.
            pub(super) fn names(&self, key: &str) -> bool {
                match key {
                    $(stringify!($key) => self.$key.is_some(),)*
                    _ => false,
                }
            }
        }

        /// All keys of the table, each with its value among these options.
        pub(super) fn knobs(options: &Options) -> Vec<Fixed> {
            vec![$((
                concat!("protocol.", stringify!($key)),
                format!("{:?}", options.$($option).+),
            ),)*]
        }
    };
}

protocol! {
    "value::millis" probe_interval: u64 => gossip.base.probe_interval,
    "value::millis" probe_timeout: u64 => gossip.base.probe_timeout,
    "value::number" indirect_probes: usize => gossip.base.indirect_probes,
    "value::number" suspicion_multiplier: u32 => gossip.base.suspicion_multiplier,
    "value::number" fanout: usize => gossip.base.fanout,
    "value::number" max_piggyback: usize => gossip.base.max_piggyback,
    "value::millis" anti_entropy_interval: u64 => gossip.anti_entropy_interval,
    "value::number" broadcast_queue_size: usize => gossip.broadcast_queue_size,
    "value::number" retransmit_mult: u32 => gossip.retransmit_mult,
    "Option::deserialize" dynamic_tuning: bool => gossip.dynamic_tuning,
    "value::millis" gossip_interval: u64 => gossip_interval,
    "value::number" datagram_budget: usize => datagram_budget,
    "value::number" metadata_limit: usize => metadata_limit,
    "value::number" suspicion_ratio: u32 => suspicion_ratio,
    "value::number" confirmations: u32 => confirmations,
    "value::millis" healing_interval: u64 => healing_interval,
    "value::millis" dead_retention: u64 => dead_retention,
    "Option::deserialize" coordinates: bool => coordinates,
    "value::word" mechanisms: MechanismSet => mechanisms,
}

/// Which mechanisms are on: for comparisons.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum MechanismSet {
    /// Everything.
    All,
    /// What the Lifeguard paper describes.
    Lifeguard,
    /// What the SWIM paper describes.
    Plain,
}

impl File {
    /// Reads and parses the file.
    ///
    /// # Errors
    /// One line that names the file, the line in it and what is wrong there.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("--config {}: {error}", path.display())))?;
        Self::parse(&text).map_err(|why| wrong(path, &why))
    }

    /// Parses the text of one; an error is one line that begins with the place.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let place = error.span().map_or_else(String::new, |span| place(text, span.start));
            format!("{place}: {}", error.message().trim().replace('\n', " "))
        })
    }
}

/// What is wrong with a file, and who says all of it.
pub(super) fn wrong(path: &Path, why: &str) -> Failure {
    let path = path.display();
    Failure::Usage(format!("{path}{why} (swim check-config {path} says all that is wrong)"))
}

/// `:LINE: KEY` of what stands at an offset.
fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    match line.split_once('=') {
        Some((key, _)) => format!(":{number}: {}", key.trim()),
        None => format!(":{number}"),
    }
}

impl From<MechanismSet> for Mechanisms {
    fn from(set: MechanismSet) -> Self {
        match set {
            MechanismSet::All => Self::all(),
            MechanismSet::Lifeguard => Self::lifeguard(),
            MechanismSet::Plain => Self::plain(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::PATIENCE;
    use super::*;

    #[test]
    fn every_key_is_understood() {
        let file = File::parse(include_str!("../../../tests/data/all-keys.toml")).unwrap();
        assert_eq!(file.name.as_deref(), Some("node-1"));
        assert_eq!(file.http_token_file.as_deref(), Some("/etc/swim/token"));
        assert_eq!(file.http_socket_mode, Some(SocketMode::Group));
        assert_eq!(file.keyring_file.as_deref(), Some("/etc/swim/keyring"));
        assert_eq!(file.sealing, Some(Sealing::Send));
        let rates = (file.stranger_datagrams, file.stranger_streams, file.member_datagrams);
        assert_eq!(rates, (Some(200), Some(50), Some(0)));
        assert_eq!(file.metadata["role"], "web");
        assert_eq!(file.data_dir.as_deref(), Some(Path::new("/var/lib/swim")));
        assert!(file.dns_server.is_some());
        assert_eq!((file.allow.unwrap().len(), file.max_members), (2, Some(1_000)));
        let handlers: Vec<_> =
            file.event_handlers.iter().map(|table| table.handler(PATIENCE).unwrap()).collect();
        assert_eq!(handlers[0].patience.as_secs(), 300);
        assert_eq!((handlers[1].command.as_str(), handlers[1].patience), ("logger swim", PATIENCE));
        let mut options = Options::lan();
        file.protocol.apply(&mut options);
        assert_eq!(options.gossip.base.probe_interval, 900);
        assert_eq!(options.mechanisms, Mechanisms::lifeguard());
        assert!(!options.coordinates);
        options.validate().unwrap();
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = File::parse("name = \"a\"\nbnd = \"x\"\n").unwrap_err();
        assert!(error.starts_with(":2: bnd: ") && error.contains("`bnd`"), "{error}");
        let error = File::parse("[protocol]\nprobe_intervall = 3\n").unwrap_err();
        assert!(error.starts_with(":2: ") && error.contains("probe_intervall"), "{error}");
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_key() {
        for (text, key) in [
            ("bind = \"localhost\"", "bind"),
            ("http_addr = \"nowhere\"", "http_addr"),
            ("dns_server = \"localhost\"", "dns_server"),
            ("profile = \"moon\"", "profile"),
            ("log_level = \"loud\"", "log_level"),
            ("stranger_streams = -1", "stranger_streams"),
            ("member_datagrams = 5_000_000_000", "member_datagrams"),
            ("[protocol]\nfanout = -1", "fanout"),
            ("[metadata]\nrole = 3", "role"),
        ] {
            let error = File::parse(text).unwrap_err();
            assert!(error.contains(key) && !error.contains('\n'), "{error}");
        }
    }
}
