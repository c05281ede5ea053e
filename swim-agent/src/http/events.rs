//! `GET /v1/events`: what happens to members and what users tell, as server-sent events.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use swim_agent::{Event, EventStream, StreamItem, UserEvent};
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::error::ApiError;
use super::types::{EventBody, MissedBody, StreamBody};
use super::users::{PayloadBody, ToldBody};

/// How often a silent stream says that it still stands.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Answers everything that happens from now on until the agent ends.
pub(super) async fn events(
    State(admin): Shared,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    let permit = admin.streams.clone().try_acquire_owned();
    let permit =
        permit.map_err(|_| ApiError::unavailable("too many streams of events are open"))?;
    let stream = stream::unfold((admin.handle.events(), permit), next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)))
}

/// What [`events`] keeps between two events; the permit is given back when the reader is gone.
type Reader = (EventStream, OwnedSemaphorePermit);

async fn next((mut events, permit): Reader) -> Option<(Result<sse::Event, Infallible>, Reader)> {
    let body = loop {
        if let Some(body) = body(events.next().await?) {
            break body;
        }
    };
    // Without maps whose keys are no text, as here, JSON cannot fail.
    let event = sse::Event::default().json_data(body).unwrap_or_default();
    Some((Ok(event), (events, permit)))
}

/// What is told of an item; `None` of one of a kind that is newer than this.
pub(crate) fn body(item: StreamItem) -> Option<StreamBody> {
    Some(match item {
        StreamItem::Event(event) => StreamBody::Event(Box::new(event_body(event))),
        StreamItem::User(event) => StreamBody::User(told("user", event)),
        StreamItem::Query(event) => StreamBody::User(told("query", event)),
        StreamItem::Missed(missed) => {
            StreamBody::Missed(MissedBody { kind: "missed".to_owned(), missed })
        }
        _ => return None,
    })
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

    use super::rfc3339;

    #[test]
    fn times_are_rfc_3339_with_milliseconds() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(rfc3339(time), "1970-01-01T00:00:01.500Z");
    }
}
