//! `GET /metrics`: counters and gauges for Prometheus, in the text format of OpenMetrics.
//!
//! Everything is read when it is asked for; nothing is registered for good. The names are a fixed set
//! (`docs/admin.md`), and no label has a value that a peer or a user has chosen.

use std::fmt;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{self, DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use swim_agent::Info;

use super::{ApiError, Dropped, Shared, health, info};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers what the agent has counted and how it is.
pub(super) async fn metrics(State(admin): Shared) -> Result<Response, ApiError> {
    let mut registry = Registry::with_prefix("swim");
    registry.register_collector(Box::new(Scrape {
        info: health::look(&admin).await?,
        dropped: admin.dropped(),
        streams_open: admin.streams_open(),
    }));
    let mut text = String::new();
    encoding::text::encode(&mut text, &registry)
        .map_err(|error| ApiError::unavailable(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response())
}

/// What one scrape tells.
#[derive(Debug)]
struct Scrape {
    info: Info,
    dropped: Dropped,
    streams_open: usize,
}

impl Collector for Scrape {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let info = &self.info;
        let counts = info::counts(info, self.dropped);
        for (name, count, help) in counts.filter(|(name, ..)| *name != "datagrams_lost") {
            put(&mut to, name, help, None, &ConstCounter::new(count))?;
        }
        lost(&mut to, info)?;
        members(&mut to, info)?;
        sessions(&mut to, info)?;
        queues(&mut to, self)?;
        gauges(&mut to, info)?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let help = "The version of the agent; always 1.";
        to.encode_descriptor("build", help, None, MetricType::Info)?.encode_info(&version)
    }
}

fn put(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(to.encode_descriptor(name, help, unit, metric.metric_type())?)
}

fn lost(to: &mut DescriptorEncoder<'_>, info: &Info) -> fmt::Result {
    let Some(net) = info.net else { return Ok(()) };
    let mut family =
        to.encode_descriptor("datagrams_lost", info::LOST, None, MetricType::Counter)?;
    for (reason, count) in [
        ("buffer_full", net.lost_buffer_full),
        ("refused", net.lost_refused),
        ("unreachable", net.lost_unreachable),
        ("too_large", net.lost_too_large),
        ("other", net.lost_other),
    ] {
        let labels = [("reason", reason)];
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn members(to: &mut DescriptorEncoder<'_>, info: &Info) -> fmt::Result {
    let help = "Members that the agent holds in each state, itself included.";
    let mut family = to.encode_descriptor("members", help, None, MetricType::Gauge)?;
    let counts = info.counts;
    for (state, count) in [
        ("alive", counts.alive),
        ("suspect", counts.suspect),
        ("dead", counts.dead),
        ("left", counts.left),
    ] {
        let labels = [("state", state)];
        ConstGauge::new(count as u64).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn sessions(to: &mut DescriptorEncoder<'_>, info: &Info) -> fmt::Result {
    let help = "Sessions of others whose packets are remembered, so that none is heard twice.";
    let mut family = to.encode_descriptor("sessions", help, None, MetricType::Gauge)?;
    let held = info.sessions;
    for (carrier, count) in [("datagrams", held.datagrams), ("streams", held.streams)] {
        let labels = [("carrier", carrier)];
        ConstGauge::new(count as u64).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// What waits, is open or has not come back, by number.
fn queues(to: &mut DescriptorEncoder<'_>, scrape: &Scrape) -> fmt::Result {
    let info = &scrape.info;
    for (name, count, help) in [
        ("updates_waiting", info.updates_waiting, "Updates that wait to be told."),
        (
            "notices_waiting",
            info.notices_waiting,
            "Events and queries of users that wait to be told.",
        ),
        ("queries_open", info.queries_open, "Queries that were asked here and are not over."),
        ("streams_open", scrape.streams_open, "Streams of events that are read."),
        (
            "members_missing",
            info.members_missing.count,
            "Members that were live before the restart and have not been seen since.",
        ),
        ("members_pruned", info.pruned, "Pruned members not forgotten so far."),
        (
            "members_held",
            info.members_held,
            "Members held in memory, dead and pruned ones not forgotten so far included.",
        ),
        ("max_members", info.max_members, "How many members may be held."),
    ] {
        put(to, name, help, None, &ConstGauge::new(count as u64))?;
    }
    Ok(())
}

fn gauges(to: &mut DescriptorEncoder<'_>, info: &Info) -> fmt::Result {
    let (seconds, ratio) = (Some(Unit::Seconds), Some(Unit::Other("ratio".to_owned())));
    let ready = health::unready(info).is_none();
    let join_attempts = info.join_attempts.unwrap_or_default();
    let convergence = &info.convergence;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for (name, value, unit, help) in [
        ("ready", f64::from(u8::from(ready)), &None, "1 when /readyz says yes."),
        (
            "local_health",
            info.local_health.into(),
            &None,
            "Local health: 0 is healthy, 8 the worst.",
        ),
        ("tasks", tasks as f64, &None, "Tasks of the runtime that the agent runs in."),
        ("join_attempts", join_attempts.into(), &None, "Attempts in vain of the join under way."),
        (
            "rounds_to_converge",
            convergence.avg_rounds_to_converge,
            &None,
            "Gossip rounds that fresh updates took to arrive, mean since the start.",
        ),
        (
            "messages_per_update",
            convergence.message_overhead,
            &None,
            "Messages sent per update learned, mean since the start.",
        ),
        (
            "false_positives",
            convergence.false_positive_rate,
            &ratio,
            "Suspicions and deaths that were refuted later, as a share of all.",
        ),
        (
            "probe_interval",
            info.probe_interval.as_secs_f64(),
            &seconds,
            "The protocol period now, local health and tuning included.",
        ),
        (
            "suspicion_timeout",
            info.suspicion_timeout.as_secs_f64(),
            &seconds,
            "How long an unconfirmed suspicion lasts.",
        ),
        ("uptime", info.uptime.as_secs_f64(), &seconds, "Time since the agent started."),
    ] {
        put(to, name, help, unit.as_ref(), &ConstGauge::new(value))?;
    }
    Ok(())
}
