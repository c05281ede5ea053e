//! `GET /v1/info` and `GET /healthz`: how the agent is doing.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use swim_agent::Info;
use swim_core::Stats;
use tokio::time;

use super::types::{ConvergenceBody, HealthBody, InfoBody, MemberCounts};
use super::{ApiError, Shared};

/// An agent that takes longer to look at itself is not healthy.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers what the agent says of itself.
pub(super) async fn info(State(admin): Shared) -> Result<Json<InfoBody>, ApiError> {
    let info = admin.handle.info().await?;
    Ok(Json(body(info, admin.http_address.to_string())))
}

/// Answers whether the protocol runs: by asking it, not only this endpoint.
pub(super) async fn health(State(admin): Shared) -> Result<Json<HealthBody>, ApiError> {
    match time::timeout(PATIENCE, admin.handle.info()).await {
        Ok(info) => info.map(|_| Json(HealthBody { status: "ok".to_owned() })).map_err(Into::into),
        Err(_) => Err(ApiError::unavailable("the protocol does not answer")),
    }
}

fn body(info: Info, http_address: String) -> InfoBody {
    let counts = info.counts;
    InfoBody {
        address: info.advertise_addr.to_string(),
        bind_address: info.local_addr.to_string(),
        http_address,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: info.state.to_string(),
        incarnation: info.incarnation.to_string(),
        uptime_ms: millis(info.uptime),
        local_health: info.local_health,
        members: MemberCounts {
            alive: counts.alive,
            suspect: counts.suspect,
            dead: counts.dead,
            left: counts.left,
        },
        probe_interval_ms: millis(info.probe_interval),
        suspicion_timeout_ms: millis(info.suspicion_timeout),
        queue: info.queue_len,
        join_attempts: info.join_attempts,
        view_hash: format!("{:016x}", info.view_hash),
        convergence: ConvergenceBody {
            avg_rounds_to_converge: info.convergence.avg_rounds_to_converge,
            message_overhead: info.convergence.message_overhead,
            false_positive_rate: info.convergence.false_positive_rate,
        },
        counters: counters(&info),
        name: info.name,
        cluster: info.cluster,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the protocol, the agent and its sockets have counted.
fn counters(info: &Info) -> BTreeMap<String, u64> {
    let lost = info.net.iter().map(|net| ("datagrams_lost", net.lost()));
    let handlers = [("handler_events_dropped", crate::cli::handler_events_dropped())];
    let all = protocol(&info.stats).into_iter().chain(info.counters.entries()).chain(lost);
    let all = all.chain(handlers);
    all.map(|(name, count)| (name.to_owned(), count)).collect()
}

/// The counters of these fields, by their names.
macro_rules! by_name {
    ($stats:expr, $($name:ident),* $(,)?) => { [$((stringify!($name), $stats.$name)),*] };
}

fn protocol(stats: &Stats) -> impl IntoIterator<Item = (&'static str, u64)> + use<> {
    by_name!(
        stats,
        messages_sent,
        messages_received,
        probes,
        probes_failed,
        round_trips,
        updates_learned,
        updates_ignored,
        incarnations_refused,
        suspicions,
        deaths,
        refuted,
        own_refutations,
        deaf,
        broadcasts_dropped,
        relays_dropped,
        syncs_started,
        syncs_differing,
        healing_attempts,
        corrections,
        conflicts,
    )
}
