//! Questions to DNS servers: those that resolv.conf names at the moment, or one of the user's.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{Resolver, TokioResolver};
use tokio::task::JoinSet;

use super::draw;

/// How long a server may take for one question. Each is asked twice.
const ANSWER: Duration = Duration::from_secs(2);
/// Targets of one service that are looked up, drawn anew each time: an answer can name thousands.
const TARGETS: usize = 32;

/// All addresses of a host.
pub(super) async fn host(
    server: Option<SocketAddr>,
    name: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, String> {
    let found = resolver(server)?.lookup_ip(name).await.map_err(in_words)?;
    Ok(found.iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// All addresses of the targets of a service that are to be asked first.
pub(super) async fn service(
    server: Option<SocketAddr>,
    name: &str,
) -> Result<Vec<SocketAddr>, String> {
    let resolver = resolver(server)?;
    let found = resolver.srv_lookup(name).await.map_err(in_words)?;
    let records = found.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(service) if !service.target.is_root() => Some(service),
        _ => None,
    });
    let mut targets: Vec<_> = records.collect();
    // The lower, the earlier; the others stand in for them, and weights do not matter to a join.
    let first = targets.iter().map(|target| target.priority).min();
    targets.retain(|target| Some(target.priority) == first);
    draw(&mut targets, TARGETS);
    let mut lookups = JoinSet::new();
    for target in targets {
        let (resolver, name, port) = (resolver.clone(), target.target.clone(), target.port);
        lookups.spawn(async move {
            let found = resolver.lookup_ip(name.clone()).await;
            let found = found.map_err(|error| format!("{name}: {}", in_words(error)))?;
            Ok::<_, String>(found.iter().map(|ip| SocketAddr::new(ip, port)).collect::<Vec<_>>())
        });
    }
    let (mut addresses, mut failed) = (Vec::new(), None);
    while let Some(lookup) = lookups.join_next().await {
        match lookup {
            Ok(Ok(found)) => addresses.extend(found),
            Ok(Err(why)) => failed = Some(why),
            Err(error) => failed = Some(error.to_string()),
        }
    }
    // One target that leads somewhere is enough to join through.
    failed.filter(|_| addresses.is_empty()).map_or(Ok(addresses), Err)
}

/// A resolver for one lookup. Reading a small file each time costs less than being wrong after
/// it changed.
fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, String> {
    let mut builder = match server {
        Some(server) => {
            let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = server.port());
            let server = NameServerConfig::new(server.ip(), true, connections.into());
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
        None => Resolver::builder_tokio().map_err(|error| format!("resolv.conf: {error}"))?,
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = options.timeout.min(ANSWER);
    options.attempts = options.attempts.min(2);
    builder.build().map_err(in_words)
}

/// What went wrong, in one line.
fn in_words(error: NetError) -> String {
    if error.is_nx_domain() {
        return "no such name".to_owned();
    }
    if error.is_no_records_found() {
        return "the name has no such record".to_owned();
    }
    match error {
        NetError::Timeout => "the DNS server does not answer".to_owned(),
        other => other.to_string(),
    }
}
