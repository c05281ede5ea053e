//! `swim agent`: one member, with its admin endpoint.

mod admin;
mod banner;
pub(super) mod check;
mod file;
mod filter;
#[cfg(feature = "fuzz")]
mod fuzz;
mod handlers;
mod input;
mod logging;
mod reload;
mod sealing;
mod settings;
mod value;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use swim_agent::{Agent, Handle, SpawnError, Subnet};
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task;
use tracing::info;

use super::address::{self, HttpAddr};
use super::failure::Failure;
use super::meta;
use super::signals::{Hangups, Signals};
use crate::http::{Admin, LeaveRequest, Token, query};
use admin::{Bound, Server, SocketMode};
use filter::Handler;
#[cfg(feature = "fuzz")]
pub use fuzz::config_file;
use handlers::Handlers;
use logging::{LogFormat, LogLevel};
use reload::Reload;
use sealing::{KeyringFile, Sealing};
use settings::{Profile, Settings};

/// Threads for what may take long, such as filters over all members and reading files. Tokio's own
/// limit is 512, and each is one of the tasks that a service may have.
const BLOCKING_THREADS: usize = 16;

/// Run a member until SIGINT, SIGTERM or `swim leave`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Its name, unique in the cluster [default: the host's name].
    #[arg(long, value_parser = check::name)]
    name: Option<String>,
    /// Where to receive gossip, UDP and TCP; port 0 takes a free one [default: 127.0.0.1:7946].
    #[arg(long, value_name = "IP:PORT", value_parser = address::bind)]
    bind: Option<SocketAddr>,
    /// Where others reach it, if not where it is bound: an IP address, an interface or a host, each
    /// with or without :PORT.
    #[arg(long, value_name = "IP|IFACE|HOST", value_parser = check::advertise)]
    advertise: Option<String>,
    /// Member to join through, srv:NAME for those that SRV records name, or mdns:NAME for those that
    /// are announced on the network segment; may be given several times. Tried until one answers.
    #[arg(long, visible_alias = "retry-join", value_name = "HOST:PORT", value_parser = address::seed)]
    join: Vec<String>,
    /// DNS server to ask for the names to join through [default: the system's].
    #[arg(long, value_name = "IP:PORT", value_parser = address::ip_port)]
    dns_server: Option<SocketAddr>,
    /// Name under which agents of one network segment find each other by multicast DNS
    /// [default: none].
    #[arg(long, value_name = "NAME", value_parser = address::group)]
    discover: Option<String>,
    /// Interface whose segment that is [default: the advertised address's].
    #[arg(long, value_name = "IFACE")]
    discover_interface: Option<String>,
    /// Network whose addresses are heard and sent to, and no others, 10.0.0.0/8 or an address; may be
    /// given several times [default: all].
    #[arg(long, value_name = "NET", value_parser = Subnet::from_str)]
    allow: Vec<Subnet>,
    /// Most members that are held, dead ones that are not forgotten included; nobody unknown is taken in
    /// beyond [default: 65536].
    #[arg(long, value_name = "COUNT", value_parser = check::max_members)]
    max_members: Option<usize>,
    /// What it says of itself; may be given several times.
    #[arg(long, value_name = "K=V", value_parser = meta::pair)]
    meta: Vec<(String, String)>,
    /// Name of the cluster: others are not heard [default: swim].
    #[arg(long, value_name = "NAME", value_parser = check::cluster)]
    cluster: Option<String>,
    /// Timing to start from [default: lan].
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// Directory for what survives a restart; made if it is missing [default: none].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where to serve the admin endpoint: IP:PORT, unix:/PATH or none [default: 127.0.0.1:7373].
    #[arg(long, value_name = "ADDR")]
    http_addr: Option<HttpAddr>,
    /// File with the token that the admin endpoint asks for: needed where others can reach it.
    #[arg(long, value_name = "FILE", value_parser = Token::from_str)]
    http_token_file: Option<Token>,
    /// Who may connect to a Unix socket: its owner, or the group too [default: 600].
    #[arg(long, value_enum, value_name = "MODE")]
    http_socket_mode: Option<SocketMode>,
    /// File with the keys that packets are sealed with [default: none, packets are open].
    #[arg(long, value_name = "FILE", value_parser = KeyringFile::from_str)]
    keyring_file: Option<KeyringFile>,
    /// Which packets are sealed and which are heard [default: require, with a keyring].
    #[arg(long, value_enum, value_name = "MODE")]
    sealing: Option<Sealing>,
    /// Datagrams per second that one address of no member may send, 0 for any number [default: 500].
    #[arg(long, value_name = "N")]
    stranger_datagrams: Option<u32>,
    /// Streams per second that one address of no member may open, 0 for any number [default: 20].
    #[arg(long, value_name = "N")]
    stranger_streams: Option<u32>,
    /// Datagrams per second that one member may send, 0 for any number [default: 10000].
    #[arg(long, value_name = "N")]
    member_datagrams: Option<u32>,
    /// Configuration file; flags override it. SIGHUP reads log_level, metadata, event_handlers, sealing
    /// and the keyring file again.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Command to run when something happens, [FILTER=]COMMAND; may be given several times. See
    /// docs/events.md for filters, environment and input.
    #[arg(long, value_name = "[FILTER=]COMMAND", value_parser = filter::handler)]
    event_handler: Vec<Handler>,
    /// How long a command of an event handler may take before it is killed [default: 30s].
    #[arg(long, value_name = "TIME", value_parser = super::query::duration)]
    event_handler_timeout: Option<Duration>,
    /// How much to log, on standard error [default: info].
    #[arg(long, value_enum, value_name = "LEVEL")]
    log_level: Option<LogLevel>,
    /// How log lines look [default: text].
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// Runs until the agent is asked to end.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let settings = Settings::new(args.clone())?;
    let cannot_start = |error| failed("cannot start", &error);
    let log = logging::start(settings.log_level, settings.log_format).map_err(cannot_start)?;
    let mut runtime = runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(BLOCKING_THREADS).build();
    let runtime = runtime.map_err(cannot_start)?;
    let reload = Reload::new(args, settings.clone(), log.level());
    let done = runtime.block_on(serve(settings, reload));
    // A name that is still being looked up must not delay the end.
    runtime.shutdown_background();
    log.finish();
    done
}

async fn serve(settings: Settings, reload: Reload) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| failed("cannot take signals over", &error))?;
    let hangups = Hangups::new().map_err(|error| failed("cannot take signals over", &error))?;
    let (bound, handle) = tokio::select! {
        started = start(&settings) => started?,
        signal = signals.next() => {
            // Nobody has heard of it yet.
            info!("{signal}: ended before it had started");
            return Ok(());
        }
    };
    // From the first event on: nobody has joined yet.
    let handlers = Handlers::start(&handle, settings.handlers.clone())
        .map_err(|error| failed("cannot start event handlers", &error))?;
    let (sender, mut leave) = mpsc::channel(1);
    let at = bound.as_ref().map_or(&HttpAddr::None, |bound| &bound.address);
    let banner = banner::text(&handle, at, settings.profile);
    let server = bound.map(|bound| {
        let admin = Admin::new(handle.clone(), bound.access(&settings), sender, handlers.dropped());
        Server::start(admin, bound)
    });
    // Not waited for: whoever stops the terminal must not stop the agent.
    let banner = task::spawn_blocking(move || banner::print(&banner));
    let watched = handle.clone();
    let ready = tokio::spawn(async move {
        // An error says that the runtime ends.
        let _ = banner.await;
        banner::when_ready(&watched).await;
    });
    let hangup = tokio::spawn(reload.run(handle.clone(), handlers.lists(), hangups));
    let asked = until_left(&handle, signals, &mut leave).await;
    hangup.abort();
    ready.abort();
    handlers.finish().await;
    let mut asked = asked?;
    tokio::spawn(async move {
        // Who asks only now is told the same.
        while let Some(request) = match asked.take() {
            None => leave.recv().await,
            first => first,
        } {
            // Whoever asked may have gone.
            let _ = request.send(());
        }
    });
    if let Some(server) = server {
        server.finish().await;
    }
    info!("left the cluster");
    Ok(())
}

/// Binds the admin endpoint and starts the agent: who cannot be steered does not join first.
async fn start(settings: &Settings) -> Result<(Option<Bound>, Handle), Failure> {
    let bound = Bound::new(settings).await?;
    Ok((bound, spawn(settings).await?))
}

async fn spawn(settings: &Settings) -> Result<Handle, Failure> {
    let mut builder = Agent::builder()
        .bind(settings.bind)
        .join(&settings.join)
        .metadata(&settings.metadata)
        .cluster(&settings.cluster)
        .options(settings.options.clone())
        .allow(settings.allow.iter().copied())
        .rate_limits(settings.rate_limits)
        .patterns(query::pattern);
    if let Some(name) = &settings.name {
        builder = builder.name(name);
    }
    if let Some(name) = &settings.advertise {
        builder = builder.advertise_name(name);
    }
    if let Some(address) = settings.dns_server {
        builder = builder.dns_server(address);
    }
    if let Some(name) = &settings.discover {
        builder = builder.discover(name);
    }
    if let Some(interface) = &settings.discover_interface {
        builder = builder.discover_interface(interface);
    }
    if let Some((keys, mode)) = &settings.sealing {
        builder = builder.seal(keys.clone(), *mode);
    }
    if let Some(most) = settings.max_members {
        builder = builder.max_members(most);
    }
    if let Some(directory) = &settings.data_dir {
        builder = builder.data_dir(directory);
    }
    builder.spawn().await.map_err(refused)
}

/// Settings that no agent can have are wrong usage. What the host or the network lacks may be there
/// later, an interface or the answer of a DNS server: who restarts the agent is to try again.
fn refused(error: SpawnError) -> Failure {
    match error {
        SpawnError::Config(_)
        | SpawnError::Codec(_)
        | SpawnError::Seal(_)
        | SpawnError::Outside { .. }
        | SpawnError::NoRoom { .. }
        | SpawnError::Advertise { .. } => Failure::Usage(error.to_string()),
        SpawnError::Bind(_) => Failure::Failed(format!("{error} (--bind names another address)")),
        SpawnError::State(_) => Failure::Failed(format!("{error} (--data-dir names another)")),
        _ => Failure::Failed(error.to_string()),
    }
}

/// Waits for somebody to end the agent, and says goodbye. Returns who asked for it, to be answered.
async fn until_left(
    handle: &Handle,
    mut signals: Signals,
    leave: &mut mpsc::Receiver<LeaveRequest>,
) -> Result<Option<LeaveRequest>, Failure> {
    let mut asked = None;
    tokio::select! {
        signal = signals.next() => info!("{signal}: leaving the cluster"),
        Some(request) = leave.recv() => {
            info!("asked to leave the cluster");
            asked = Some(request);
        }
        () = handle.stopped() => {
            return Err(Failure::Failed("the agent has ended: its sockets broke".to_owned()));
        }
    }
    tokio::select! {
        // That it has ended already would be no news.
        _ = handle.leave() => {}
        signal = signals.next() => {
            let why = format!("{signal} again: ended before the goodbye was said");
            return Err(Failure::Failed(why));
        }
    }
    Ok(asked)
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::Failed(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_may_come_later_is_no_wrong_usage() {
        let bound = ([0, 0, 0, 0], 0).into();
        let (name, why) = ("x".to_owned(), "it is not there".to_owned());
        for later in [
            SpawnError::NoAddress { bound, family: "IPv4" },
            SpawnError::AdvertiseName { given: name.clone(), why: why.clone() },
            SpawnError::Discover { name, why },
            SpawnError::HostName,
        ] {
            assert!(matches!(refused(later), Failure::Failed(_)));
        }
        let never = SpawnError::Advertise { address: bound, why: "nobody can send to it" };
        assert!(matches!(refused(never), Failure::Usage(_)));
    }
}
