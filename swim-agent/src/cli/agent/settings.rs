//! What an agent runs on: flags over the configuration file over defaults.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use swim_agent::keys::{Keys, Mode};
use swim_agent::{RateLimits, Subnet};
use swim_core::Options;

use super::Args;
use super::admin::SocketMode;
use super::check;
use super::file::{self, File, Protocol, knobs};
use super::filter::{self, Handler};
use super::handlers::check_shell;
use super::logging::{LogFormat, LogLevel};
use super::sealing;
use crate::cli::address::{self, HttpAddr};
use crate::cli::failure::Failure;
use crate::http::Token;

/// Which presets to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Members on one machine.
    Local,
    /// Members in one data centre.
    Lan,
    /// Members on several continents.
    Wan,
}

impl Profile {
    /// As flags and files name it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Lan => "lan",
            Self::Wan => "wan",
        }
    }

    pub(super) fn options(self) -> Options {
        match self {
            Self::Local => Options::local(),
            Self::Lan => Options::lan(),
            Self::Wan => Options::wan(),
        }
    }
}

/// What an agent runs on.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The host's name when there is none.
    pub(super) name: Option<String>,
    pub(super) bind: SocketAddr,
    pub(super) advertise: Option<String>,
    pub(super) join: Vec<String>,
    pub(super) dns_server: Option<SocketAddr>,
    pub(super) discover: Option<String>,
    pub(super) discover_interface: Option<String>,
    /// Whose addresses are heard and sent to; none stands for all.
    pub(super) allow: Vec<Subnet>,
    pub(super) max_members: Option<usize>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) cluster: String,
    pub(super) profile: Profile,
    /// What the file changes of it.
    protocol: Protocol,
    pub(super) options: Options,
    pub(super) rate_limits: RateLimits,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) http_addr: HttpAddr,
    pub(super) http_token: Option<Token>,
    pub(super) http_socket_mode: SocketMode,
    /// Keys, and whether they are used.
    pub(super) sealing: Option<(Keys, Mode)>,
    /// Those of the flags, then those of the file.
    pub(super) handlers: Vec<Handler>,
    pub(super) log_level: LogLevel,
    pub(super) log_format: LogFormat,
}

/// A setting that applies at the start only: its key and its value, to compare.
pub(super) type Fixed = (&'static str, String);

const GOSSIP_PORT: u16 = 7946;
const ADMIN_PORT: u16 = 7373;

impl Settings {
    /// Reads the file, if one is named, and lets the flags override it.
    ///
    /// # Errors
    /// What cannot be read, or makes no sense; the line names it and the file it comes from.
    pub(super) fn new(args: Args) -> Result<Self, Failure> {
        let file = args.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let config = args.config.clone();
        let settings = Self::merge(args, file).map_err(|(source, why)| match config {
            Some(path) if source == path.display().to_string() => {
                file::wrong(&path, &format!(": {why}"))
            }
            _ => Failure::Usage(format!("{source}: {why}")),
        })?;
        check_shell(&settings.handlers).map_err(Failure::Usage)?;
        Ok(settings)
    }

    /// The keys that apply at the start only and whose value is another than at the `start`.
    pub(super) fn later(&self, start: &Self) -> Vec<&'static str> {
        // A knob that is as another profile has it was not changed itself.
        let knobs = |protocol: &Protocol| {
            let mut options = self.profile.options();
            protocol.apply(&mut options);
            knobs(&options)
        };
        let now = self.fixed().into_iter().chain(knobs(&self.protocol));
        let then = start.fixed().into_iter().chain(knobs(&start.protocol));
        let changed = now.zip(then).filter(|(now, then)| now != then).map(|(now, _)| now.0);
        let token = (self.http_token != start.http_token).then_some("http_token_file");
        changed.chain(token).collect()
    }

    /// What applies at the start only, but for the protocol and the token.
    fn fixed(&self) -> [Fixed; 19] {
        [
            ("name", format!("{:?}", self.name)),
            ("bind", self.bind.to_string()),
            ("advertise", format!("{:?}", self.advertise)),
            ("join", format!("{:?}", self.join)),
            ("dns_server", format!("{:?}", self.dns_server)),
            ("discover", format!("{:?}", self.discover)),
            ("discover_interface", format!("{:?}", self.discover_interface)),
            ("allow", format!("{:?}", self.allow)),
            ("max_members", format!("{:?}", self.max_members)),
            ("cluster", self.cluster.clone()),
            ("profile", self.profile.as_str().to_owned()),
            ("data_dir", format!("{:?}", self.data_dir)),
            ("http_addr", self.http_addr.to_string()),
            ("http_socket_mode", format!("{:?}", self.http_socket_mode)),
            ("keyring_file", format!("{:?}", sealing::path(self.sealing.as_ref()))),
            ("stranger_datagrams", self.rate_limits.stranger_datagrams.to_string()),
            ("stranger_streams", self.rate_limits.stranger_streams.to_string()),
            ("member_datagrams", self.rate_limits.member_datagrams.to_string()),
            ("log_format", format!("{:?}", self.log_format)),
        ]
    }

    /// Flags over file over defaults; an error comes with where the wrong value stands.
    pub(super) fn merge(args: Args, file: File) -> Result<Self, (String, String)> {
        let path = args.config.as_deref().unwrap_or("".as_ref()).display().to_string();
        let rate_limits = rate_limits(&args, &file);
        let profile = args.profile.or(file.profile).unwrap_or(Profile::Lan);
        let mut options = profile.options();
        file.protocol.apply(&mut options);
        options.validate().map_err(|error| (path.clone(), error.to_string()))?;
        checked(&file).map_err(|why| (path.clone(), why))?;
        let join = if args.join.is_empty() { file.join.unwrap_or_default() } else { args.join };
        let patience = args.event_handler_timeout.unwrap_or(filter::PATIENCE);
        let mut handlers = args.event_handler;
        handlers.iter_mut().for_each(|handler| handler.patience = patience);
        for table in &file.event_handlers {
            let culprit = |(key, why)| (path.clone(), format!("event_handlers.{key}: {why}"));
            handlers.push(table.handler(patience).map_err(culprit)?);
        }
        let socket = args.http_socket_mode.or(file.http_socket_mode);
        let metadata = merged_metadata(args.meta, file.metadata, &path, options.metadata_limit)?;
        let token = file.http_token_file.as_deref();
        let http_token = given(args.http_token_file, &path, "http_token_file", token)?;
        let keys = file.keyring_file.as_deref();
        let keys = given(args.keyring_file, &path, "keyring_file", keys)?;
        let sealing = sealing::merged(keys, args.sealing.or(file.sealing));
        let sealing = sealing.map_err(|why| match args.sealing {
            Some(_) => ("--sealing".to_owned(), why),
            None => (path.clone(), format!("sealing: {why}")),
        })?;
        let source = if args.http_addr.is_some() { "--http-addr" } else { &path };
        let http_addr = args.http_addr.or(file.http_addr);
        let http_addr = http_addr.unwrap_or(HttpAddr::Tcp(loopback(ADMIN_PORT)));
        closed(&http_addr, http_token.is_some()).map_err(|why| (source.to_owned(), why))?;
        Ok(Self {
            name: args.name.or(file.name),
            bind: args.bind.or(file.bind).unwrap_or(loopback(GOSSIP_PORT)),
            advertise: args.advertise.or(file.advertise),
            join,
            dns_server: args.dns_server.or(file.dns_server),
            discover: args.discover.or(file.discover),
            discover_interface: args.discover_interface.or(file.discover_interface),
            allow: allowed(args.allow, file.allow).map_err(|why| (path, why))?,
            max_members: args.max_members.or(file.max_members),
            metadata,
            cluster: args.cluster.or(file.cluster).unwrap_or_else(|| "swim".to_owned()),
            profile,
            protocol: file.protocol,
            options,
            rate_limits,
            data_dir: args.data_dir.or(file.data_dir),
            http_addr,
            http_token,
            http_socket_mode: socket.unwrap_or(SocketMode::Owner),
            sealing,
            handlers,
            log_level: args.log_level.or(file.log_level).unwrap_or(LogLevel::Info),
            log_format: args.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
        })
    }
}

/// Metadata of the flags over that of the file at `path`, no larger than the limit.
fn merged_metadata(
    flags: Vec<(String, String)>,
    file: BTreeMap<String, String>,
    path: &str,
    limit: usize,
) -> Result<BTreeMap<String, String>, (String, String)> {
    let source = match check::wrong_metadata(file.clone(), limit) {
        Some(_) => path,
        None => "--meta",
    };
    let mut metadata = file;
    metadata.extend(flags);
    let wrong = check::wrong_metadata(metadata.clone(), limit);
    wrong.map_or(Ok(metadata), |why| Err((source.to_owned(), why)))
}

/// How much one source may send: flags over file over defaults.
fn rate_limits(args: &Args, file: &File) -> RateLimits {
    let usual = RateLimits::default();
    let datagrams = args.stranger_datagrams.or(file.stranger_datagrams);
    let streams = args.stranger_streams.or(file.stranger_streams);
    let members = args.member_datagrams.or(file.member_datagrams);
    RateLimits {
        stranger_datagrams: datagrams.unwrap_or(usual.stranger_datagrams),
        stranger_streams: streams.unwrap_or(usual.stranger_streams),
        member_datagrams: members.unwrap_or(usual.member_datagrams),
    }
}

/// What a flag gave, or else what a key of the file names: the file at `path` is the culprit where that cannot be read.
fn given<T: FromStr<Err = String>>(
    flag: Option<T>,
    path: &str,
    key: &str,
    named: Option<&str>,
) -> Result<Option<T>, (String, String)> {
    if flag.is_some() {
        return Ok(flag);
    }
    let culprit = |why, named: &str| (path.to_owned(), format!("{key}: {why}: {named:?}"));
    named.map(|named| named.parse().map_err(|why| culprit(why, named))).transpose()
}

/// The networks of the flags, or else those of the file.
fn allowed(flags: Vec<Subnet>, file: Option<Vec<String>>) -> Result<Vec<Subnet>, String> {
    let network = |net: String| net.parse().map_err(|why| format!("allow: {why}, not {net:?}"));
    let networks: Vec<Subnet> =
        file.unwrap_or_default().into_iter().map(network).collect::<Result<_, _>>()?;
    Ok(if flags.is_empty() { networks } else { flags })
}

/// Checks the texts of a file that are parsed where they are used.
fn checked(file: &File) -> Result<(), String> {
    for (key, wrong) in [
        ("name", file.name.as_deref().and_then(check::wrong_name)),
        ("cluster", file.cluster.as_deref().and_then(check::wrong_cluster)),
        ("max_members", file.max_members.and_then(check::wrong_room)),
    ] {
        if let Some(why) = wrong {
            return Err(format!("{key}: {why}"));
        }
    }
    for seed in file.join.iter().flatten() {
        address::seed(seed).map_err(|why| format!("join: {why}, not {seed:?}"))?;
    }
    if let Some(given) = &file.advertise {
        check::advertise(given).map_err(|why| format!("advertise: {why}, not {given:?}"))?;
    }
    if let Some(name) = &file.discover {
        address::group(name).map_err(|why| format!("discover: {why}, not {name:?}"))?;
    }
    Ok(())
}

/// Refuses an endpoint that strangers reach and that asks nobody for anything.
pub(super) fn closed(address: &HttpAddr, token: bool) -> Result<(), String> {
    match address {
        HttpAddr::Tcp(address) if !address.ip().is_loopback() && !token => Err(format!(
            "{address} is open to other machines: give a token (http_token_file, \
             --http-token-file), a loopback address or unix:/PATH"
        )),
        _ => Ok(()),
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
