//! `GET /v1/info`: what the agent says of itself.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use swim_agent::{Coordinate, Info};

use super::types::{
    ConvergenceBody, CoordinateBody, InfoBody, InfoQuery, MemberCounts, MissingBody, StandstillBody,
};
use super::{Admin, ApiError, Shared, events, glossary, health, history};

/// Accusations that the answer has.
const ACCUSATIONS: usize = 8;

/// Answers what the agent says of itself; with `?explain=true`, also what that means.
pub(super) async fn info(
    State(admin): Shared,
    query: Result<Query<InfoQuery>, QueryRejection>,
) -> Result<Json<InfoBody>, ApiError> {
    let Query(InfoQuery { explain }) = query?;
    let info = admin.handle.info().await?;
    let accusations = history::bodies(admin.handle.accusations(ACCUSATIONS).await?);
    let dropped = admin.dropped();
    let glossary = explain.then(|| glossary::of(&info, dropped));
    Ok(Json(InfoBody { glossary, accusations, ..body(info, dropped, &admin) }))
}

fn body(info: Info, dropped: u64, admin: &Admin) -> InfoBody {
    let members = info.counts;
    let unready = health::unready(&info);
    InfoBody {
        address: info.advertise_addr.to_string(),
        bind_address: info.local_addr.to_string(),
        http_address: admin.access.address.clone(),
        started: events::rfc3339(admin.started),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: info.state.to_string(),
        incarnation: info.incarnation.to_string(),
        uptime_ms: millis(info.uptime),
        ready: unready.is_none(),
        unready,
        local_health: info.local_health,
        members: MemberCounts {
            alive: members.alive,
            suspect: members.suspect,
            dead: members.dead,
            left: members.left,
        },
        probe_interval_ms: millis(info.probe_interval),
        suspicion_timeout_ms: millis(info.suspicion_timeout),
        queue: info.queue_len,
        join_attempts: info.join_attempts,
        coordinate: info.coordinate.map(coordinate),
        view_hash: format!("{:016x}", info.view_hash),
        convergence: ConvergenceBody {
            avg_rounds_to_converge: info.convergence.avg_rounds_to_converge,
            message_overhead: info.convergence.message_overhead,
            false_positive_rate: info.convergence.false_positive_rate,
        },
        counters: counts(&info, dropped).map(|(name, count, _)| (name.to_owned(), count)).collect(),
        standstill: info.standstill.map(|last| StandstillBody {
            lasted_ms: millis(last.lasted),
            age_ms: millis(last.ago),
        }),
        missing: MissingBody { count: info.missing.count, names: info.missing.names.clone() },
        glossary: None,
        accusations: Vec::new(),
        name: info.name,
        cluster: info.cluster,
    }
}

fn coordinate(held: Coordinate) -> CoordinateBody {
    CoordinateBody {
        position_ms: held.position().map(|along| f64::from(along) / 1e3),
        height_ms: held.height().as_secs_f64() * 1e3,
        error: held.error(),
    }
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the protocol, the agent, its sockets and its handlers (`dropped`) have counted: name, count,
/// meaning.
pub(super) fn counts(
    info: &Info,
    dropped: u64,
) -> impl Iterator<Item = (&'static str, u64, &'static str)> {
    let lost = info.net.iter().map(|net| ("datagrams_lost", net.lost(), LOST));
    let handlers = ("handler_events_dropped", dropped, HANDLERS);
    info.stats.entries().chain(info.counters.entries()).chain(lost).chain([handlers])
}

/// What the count of events that handlers missed means.
const HANDLERS: &str = "Events that handlers missed because too many waited for one.";
/// What the count of lost datagrams means.
pub(super) const LOST: &str = "Datagrams that the system said were lost on the way out.";
