//! `GET /v1/info`: what the agent says of itself.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use swim_agent::{Coordinate, Info};

use super::types::{
    ConvergenceBody, CoordinateBody, InfoBody, InfoQuery, MemberCounts, MissingBody,
    StandstillBody, millis,
};
use super::{Admin, ApiError, Dropped, Shared, events, glossary, health, history};

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

fn body(info: Info, dropped: Dropped, admin: &Admin) -> InfoBody {
    let members = info.counts;
    let unready = health::unready(&info);
    InfoBody {
        address: info.advertise_addr.to_string(),
        bind_address: info.local_addr.to_string(),
        http_address: admin.access.address.clone(),
        started: events::rfc3339(admin.started),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sealing: admin.handle.sealing().map_or("off", |mode| mode.name()).to_owned(),
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
        members_held: info.members_held,
        max_members: info.max_members,
        allow: info.allow.iter().map(ToString::to_string).collect(),
        probe_interval_ms: millis(info.probe_interval),
        suspicion_timeout_ms: millis(info.suspicion_timeout),
        updates_waiting: info.updates_waiting,
        notices_waiting: info.notices_waiting,
        queries_open: info.queries_open,
        streams_open: admin.streams_open(),
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
        members_missing: MissingBody {
            count: info.members_missing.count,
            names: info.members_missing.names.clone(),
        },
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

/// What the protocol, the agent, its sockets, its handlers and this endpoint have counted: name, count,
/// meaning.
pub(super) fn counts(
    info: &Info,
    dropped: Dropped,
) -> impl Iterator<Item = (&'static str, u64, &'static str)> {
    let lost = info.net.iter().map(|net| ("datagrams_lost", net.lost(), LOST));
    let beside = [
        ("handler_events_dropped", dropped.handler_events, HANDLERS),
        ("reader_events_dropped", dropped.reader_events, READERS),
        ("http_connections_dropped", dropped.connections, CONNECTIONS),
        ("http_requests_dropped", dropped.requests, REQUESTS),
    ];
    info.stats.entries().chain(info.counters.entries()).chain(lost).chain(beside)
}

/// What the count of events that handlers missed means.
const HANDLERS: &str = "Events that a handler missed because too many waited for it or it was taken \
    away, and events of any kind that came too fast for all handlers.";
/// What those of the admin endpoint mean.
const READERS: &str = "Events that readers of /v1/events missed because they read too slowly, or were away for too long.";
const CONNECTIONS: &str = "Connections to the admin endpoint that were closed before they had their answer: too \
    slow, or silent when others waited for a place.";
const REQUESTS: &str = "Requests to the admin endpoint that were refused because too many streams, queries or large \
    bodies were open.";
/// What the count of lost datagrams means.
pub(super) const LOST: &str = "Datagrams that the system said were lost on the way out.";
