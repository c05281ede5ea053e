//! Where a connection is with its request: what it may be waited for, and whether it may be asked to
//! make room.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;

/// How long a request may take to come up to the end of its headers, which are sent at once.
const HEAD: Duration = Duration::from_secs(3);
/// How long its body may take: who sends a byte now and then is no better than who sends none.
const BODY: Duration = Duration::from_secs(30);
/// How long a connection may be without a byte in either direction. A stream of events has a sign of
/// life well before, unless its reader does not read.
const IDLE: Duration = Duration::from_secs(60);
/// Who was silent for less is not asked to make room: its request may be on the way.
const SILENT: Duration = Duration::from_millis(500);

/// The place of one connection; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Place(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    stage: Stage,
    /// When a byte last went in either direction.
    moved: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Between two requests.
    Waiting,
    /// A request's headers are coming, since then.
    Head(Instant),
    /// They have come, then, and its body is coming.
    Body(Instant),
    /// The request has come whole.
    Answering,
}

impl Place {
    /// Of a connection that begins now.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(State { stage: Stage::Head(now), moved: now })))
    }

    /// Bytes were read or written.
    pub(super) fn moved(&self, read: bool) {
        let mut state = self.state();
        state.moved = Instant::now();
        if read && state.stage == Stage::Waiting {
            state.stage = Stage::Head(state.moved);
        }
    }

    /// The headers of a request have come, and with them the `whole` of it or not.
    pub(super) fn asked(&self, whole: bool) {
        self.state().stage = if whole { Stage::Answering } else { Stage::Body(Instant::now()) };
    }

    /// The answer is on its way; a stream is not `done` with it.
    pub(super) fn answered(&self, done: bool) {
        self.state().stage = if done { Stage::Waiting } else { Stage::Answering };
    }

    /// The body of the request has come; it is only answered from now on, however long that takes.
    pub(super) fn came(&self) {
        self.state().stage = Stage::Answering;
    }

    /// Until when the next byte is waited for.
    pub(super) fn until(&self) -> Instant {
        let state = self.state();
        let idle = state.moved + IDLE;
        match state.stage {
            Stage::Head(since) => since + HEAD,
            Stage::Body(since) => idle.min(since + BODY),
            Stage::Waiting | Stage::Answering => idle,
        }
    }

    /// Whether it is between two requests.
    pub(super) fn is_waiting(&self) -> bool {
        self.state().stage == Stage::Waiting
    }

    /// Since when it has been silent, if it may be asked to make room.
    pub(super) fn silent(&self) -> Option<Instant> {
        let state = self.state();
        let may = state.stage != Stage::Answering && state.moved.elapsed() >= SILENT;
        may.then_some(state.moved)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes down where a connection is with each of its requests.
pub(super) async fn follow(
    ConnectInfo(place): ConnectInfo<Place>,
    request: Request,
    next: Next,
) -> Response {
    place.asked(request.body().is_end_stream());
    let response = next.run(request).await;
    // Of a stream, the length is not known.
    place.answered(response.body().size_hint().exact().is_some());
    response
}
