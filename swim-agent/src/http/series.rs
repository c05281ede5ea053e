//! `GET /v1/series`: how many members there were, and how much was said, over the last minutes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use swim_agent::{Info, StateCounts};
use tokio::time::{self, MissedTickBehavior};

use super::error::ApiError;
use super::types::{SampleBody, SeriesBody, SeriesQuery, millis};
use super::{Admin, Shared, events};

/// How often the agent is looked at.
const INTERVAL: Duration = Duration::from_secs(5);
/// Samples kept: ten minutes.
const KEPT: usize = 120;

/// Answers the samples of the last ten minutes, or the last `last` of them, the oldest first.
pub(super) async fn series(
    State(admin): Shared,
    query: Result<Query<SeriesQuery>, QueryRejection>,
) -> Result<Json<SeriesBody>, ApiError> {
    let Query(SeriesQuery { last }) = query?;
    let last = last.map_or(KEPT, usize::from);
    if !(1..=KEPT).contains(&last) {
        return Err(ApiError::bad_request(format!("last: {last} is not within 1 to {KEPT}")));
    }
    let samples = admin.series.last(last);
    let samples = samples.iter().map(body).collect();
    Ok(Json(SeriesBody { interval_ms: millis(INTERVAL), samples }))
}

/// The last samples, in a ring.
#[derive(Debug, Default)]
pub(super) struct Series(Mutex<VecDeque<Sample>>);

impl Series {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        // Nobody panics while they hold it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, sample: Sample) {
        let mut samples = self.lock();
        if samples.len() == KEPT {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    fn last(&self, most: usize) -> Vec<Sample> {
        let samples = self.lock();
        let older = samples.len().saturating_sub(most);
        samples.range(older..).copied().collect()
    }
}

/// Members at a moment, and rates since the moment before, per second.
#[derive(Debug, Clone, Copy)]
struct Sample {
    time: SystemTime,
    counts: StateCounts,
    rates: [f32; TOTALS],
}

/// How many counters are followed.
const TOTALS: usize = 6;

/// What was counted until a moment, as [`body`] names it.
fn totals(info: &Info) -> [u64; TOTALS] {
    let (stats, counters) = (&info.stats, &info.counters);
    [
        stats.messages_sent,
        stats.messages_received,
        counters.datagrams_sent,
        counters.datagrams_received,
        counters.datagram_bytes_sent + counters.stream_bytes_sent,
        counters.datagram_bytes_received + counters.stream_bytes_received,
    ]
}

impl Sample {
    fn new(before: &Info, now: &Info) -> Self {
        let seconds = now.uptime.saturating_sub(before.uptime).as_secs_f64().max(0.001);
        let (before, after) = (totals(before), totals(now));
        let rate =
            |place: usize| (after[place].saturating_sub(before[place]) as f64 / seconds) as f32;
        let (time, counts) = (SystemTime::now(), now.counts);
        Self { time, counts, rates: std::array::from_fn(rate) }
    }
}

/// Looks at the agent now and then until it ends.
pub(super) async fn sample(admin: Arc<Admin>) {
    let mut ticks = time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<Info> = None;
    loop {
        ticks.tick().await;
        let Ok(info) = admin.handle.info().await else { return };
        if let Some(before) = before {
            admin.series.push(Sample::new(&before, &info));
        }
        before = Some(info);
    }
}

fn body(sample: &Sample) -> SampleBody {
    let StateCounts { alive, suspect, dead, left, .. } = sample.counts;
    let [
        messages_sent,
        messages_received,
        datagrams_sent,
        datagrams_received,
        bytes_sent,
        bytes_received,
    ] = sample.rates;
    SampleBody {
        time: events::rfc3339(sample.time),
        alive,
        suspect,
        dead,
        left,
        messages_sent,
        messages_received,
        datagrams_sent,
        datagrams_received,
        bytes_sent,
        bytes_received,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64) -> Sample {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        Sample { time, counts: StateCounts::default(), rates: [0.0; TOTALS] }
    }

    #[test]
    fn the_last_samples_are_kept_in_their_order() {
        let series = Series::default();
        (0..300).for_each(|second| series.push(sample(second)));
        let all = series.last(KEPT);
        assert_eq!(all.len(), KEPT);
        assert_eq!((all[0].time, all[KEPT - 1].time), (sample(180).time, sample(299).time));
        assert_eq!(series.last(2)[0].time, sample(298).time);
    }
}
