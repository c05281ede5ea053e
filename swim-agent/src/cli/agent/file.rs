//! The configuration file: what the flags can say, and the protocol's knobs.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use swim_core::{Mechanisms, Options};

use super::admin::SocketMode;
use super::filter::HandlerTable;
use super::logging::{LogFormat, LogLevel};
use super::settings::Profile;
use crate::cli::address::HttpAddr;
use crate::cli::failure::Failure;

/// A configuration file in TOML; every key may be left out, a key that is none of these is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: Option<String>,
    pub(super) bind: Option<SocketAddr>,
    pub(super) advertise: Option<String>,
    pub(super) join: Option<Vec<String>>,
    pub(super) dns_server: Option<SocketAddr>,
    pub(super) discover: Option<String>,
    pub(super) discover_interface: Option<String>,
    pub(super) cluster: Option<String>,
    pub(super) profile: Option<Profile>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) http_addr: Option<HttpAddr>,
    pub(super) http_token_file: Option<String>,
    pub(super) http_socket_mode: Option<SocketMode>,
    pub(super) log_level: Option<LogLevel>,
    pub(super) log_format: Option<LogFormat>,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) protocol: Protocol,
    #[serde(default)]
    pub(super) event_handlers: Vec<HandlerTable>,
}

/// The table `[protocol]`: changes to the profile, named and measured as in `swim_core::Options`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Protocol {
    probe_interval: Option<u64>,
    probe_timeout: Option<u64>,
    indirect_probes: Option<usize>,
    suspicion_multiplier: Option<u32>,
    fanout: Option<usize>,
    max_piggyback: Option<usize>,
    anti_entropy_interval: Option<u64>,
    broadcast_queue_size: Option<usize>,
    retransmit_mult: Option<u32>,
    dynamic_tuning: Option<bool>,
    gossip_interval: Option<u64>,
    datagram_budget: Option<usize>,
    metadata_limit: Option<usize>,
    suspicion_ratio: Option<u32>,
    confirmations: Option<u32>,
    healing_interval: Option<u64>,
    dead_retention: Option<u64>,
    mechanisms: Option<MechanismSet>,
}

/// Which mechanisms are on: for comparisons.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
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
        Self::parse(&text).map_err(|why| Failure::Usage(format!("{}{why}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let place = error.span().map_or_else(String::new, |span| place(text, span.start));
            format!("{place}: {}", error.message().trim().replace('\n', " "))
        })
    }
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

impl Protocol {
    /// Changes what the table names.
    pub(super) fn apply(&self, options: &mut Options) {
        let gossip = &mut options.gossip;
        let base = &mut gossip.base;
        set(&mut base.probe_interval, self.probe_interval);
        set(&mut base.probe_timeout, self.probe_timeout);
        set(&mut base.indirect_probes, self.indirect_probes);
        set(&mut base.suspicion_multiplier, self.suspicion_multiplier);
        set(&mut base.fanout, self.fanout);
        set(&mut base.max_piggyback, self.max_piggyback);
        set(&mut gossip.anti_entropy_interval, self.anti_entropy_interval);
        set(&mut gossip.broadcast_queue_size, self.broadcast_queue_size);
        set(&mut gossip.retransmit_mult, self.retransmit_mult);
        set(&mut gossip.dynamic_tuning, self.dynamic_tuning);
        set(&mut options.gossip_interval, self.gossip_interval);
        set(&mut options.datagram_budget, self.datagram_budget);
        set(&mut options.metadata_limit, self.metadata_limit);
        set(&mut options.suspicion_ratio, self.suspicion_ratio);
        set(&mut options.confirmations, self.confirmations);
        set(&mut options.healing_interval, self.healing_interval);
        set(&mut options.dead_retention, self.dead_retention);
        set(&mut options.mechanisms, self.mechanisms.map(Mechanisms::from));
    }
}

fn set<T>(knob: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *knob = value;
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
        assert_eq!(file.metadata["role"], "web");
        assert_eq!(file.data_dir.as_deref(), Some(Path::new("/var/lib/swim")));
        assert!(file.dns_server.is_some());
        let handlers: Vec<_> =
            file.event_handlers.iter().map(|table| table.handler(PATIENCE).unwrap()).collect();
        assert_eq!(handlers[0].patience.as_secs(), 300);
        assert_eq!((handlers[1].command.as_str(), handlers[1].patience), ("logger swim", PATIENCE));
        let mut options = Options::lan();
        file.protocol.apply(&mut options);
        assert_eq!(options.gossip.base.probe_interval, 900);
        assert_eq!(options.mechanisms, Mechanisms::lifeguard());
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
            ("[protocol]\nfanout = -1", "fanout"),
            ("[metadata]\nrole = 3", "role"),
        ] {
            let error = File::parse(text).unwrap_err();
            assert!(error.contains(key) && !error.contains('\n'), "{error}");
        }
    }
}
