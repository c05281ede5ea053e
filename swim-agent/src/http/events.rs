//! `GET /v1/events`: what happens to members and what users tell, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use swim_agent::{Event, EventStream, StreamItem, UserEvent};
use tokio::sync::OwnedSemaphorePermit;

use super::error::ApiError;
use super::types::{EventBody, EventsQuery, MissedBody, StreamBody};
use super::users::{PayloadBody, ToldBody};
use super::{Admin, Shared};

/// How often a silent stream says that it still stands.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// The header by which a reader that was interrupted says what it has read.
const LAST_READ: &str = "last-event-id";

/// Answers the last `backlog` events and everything that happens from now on until the agent ends; to
/// a reader that was interrupted, what came after the event that it read last.
pub(super) async fn events(
    State(admin): Shared,
    headers: HeaderMap,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    let Query(EventsQuery { backlog }) = query?;
    if backlog > EventStream::KEPT {
        let kept = EventStream::KEPT;
        let message = format!("backlog: {backlog} is above {kept}, and no more events are kept");
        return Err(ApiError::bad_request(message));
    }
    let permit = admin.streams.clone().try_acquire_owned();
    let permit = permit.map_err(|_| admin.busy("too many streams of events are open"))?;
    let run = admin.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    let events = match headers.get(LAST_READ) {
        Some(id) => admin.handle.events_from(after(id, run)),
        None => admin.handle.events_with_backlog(backlog),
    };
    let reader = Reader { events, run, admin, _permit: permit };
    Ok(Sse::new(stream::unfold(reader, next)).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)))
}

/// The position after an event by its id. Whoever read of another run of the agent, or says what is no
/// id, has read nothing of this one.
fn after(id: &HeaderValue, run: u128) -> u64 {
    let id = id.to_str().ok().and_then(|id| id.split_once('-'));
    let read = id.filter(|(of, _)| u128::from_str_radix(of, 16) == Ok(run));
    let read = read.and_then(|(_, number)| number.parse::<u64>().ok());
    read.map_or(0, |number| number.saturating_add(1))
}

/// What [`events`] keeps between two events; the permit is given back when the reader is gone.
struct Reader {
    events: EventStream,
    run: u128,
    admin: Arc<Admin>,
    _permit: OwnedSemaphorePermit,
}

async fn next(mut reader: Reader) -> Option<(Result<sse::Event, Infallible>, Reader)> {
    let item = reader.events.next().await?;
    if let StreamItem::Missed(missed) = &item {
        reader.admin.unread.fetch_add(*missed, Relaxed);
    }
    let body = body(item);
    let id = format!("{:x}-{}", reader.run, reader.events.position() - 1);
    // Without maps whose keys are no text, as here, JSON cannot fail.
    let event = sse::Event::default().json_data(body).unwrap_or_default().id(id);
    Some((Ok(event), reader))
}

/// What is told of an item.
pub(crate) fn body(item: StreamItem) -> StreamBody {
    match item {
        StreamItem::Event(event) => StreamBody::Event(Box::new(event_body(event))),
        StreamItem::User(event) => StreamBody::User(told("user", event)),
        StreamItem::Query(event) => StreamBody::User(told("query", event)),
        StreamItem::Missed(missed) => {
            StreamBody::Missed(MissedBody { kind: "missed".to_owned(), missed })
        }
    }
}

fn told(kind: &str, event: UserEvent) -> ToldBody {
    ToldBody {
        kind: kind.to_owned(),
        name: event.name,
        payload: PayloadBody::new(event.payload),
        origin: event.origin,
        ltime: event.ltime.to_string(),
        time: rfc3339(event.time),
    }
}

fn event_body(event: Event) -> EventBody {
    EventBody {
        kind: event.kind.as_str().to_owned(),
        name: event.name,
        address: event.address.to_string(),
        old_address: event.old_address.map(|address| address.to_string()),
        old_state: event.old_state.map(|state| state.to_string()),
        state: event.state.map(|state| state.to_string()),
        incarnation: event.incarnation.to_string(),
        by: event.by,
        reason: event.reason.as_str().to_owned(),
        changed: event.changed,
        time: rfc3339(event.time),
    }
}

/// A time in milliseconds as RFC 3339; a clock set beyond its years reads as 1970.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use axum::http::HeaderValue;

    use super::{after, rfc3339};

    #[test]
    fn a_reader_goes_on_after_what_it_read_of_this_run() {
        let run = 0x1a;
        for (id, position) in [
            ("1a-0", 1),
            ("1a-41", 42),
            ("1b-41", 0),
            ("41", 0),
            ("1a-x", 0),
            ("", 0),
            ("1a-18446744073709551615", u64::MAX),
        ] {
            assert_eq!(after(&HeaderValue::from_static(id), run), position, "{id}");
        }
        assert_eq!(after(&HeaderValue::from_bytes(b"\xff-1").unwrap(), run), 0);
    }

    #[test]
    fn times_are_rfc_3339_with_milliseconds() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(rfc3339(time), "1970-01-01T00:00:01.500Z");
    }
}
