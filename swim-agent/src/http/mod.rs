//! The admin endpoint: asks and steers a running agent over HTTP.

mod body;
mod error;
pub(crate) mod events;
mod force_leave;
mod glossary;
mod guard;
pub(crate) mod health;
mod history;
mod info;
mod join;
pub(crate) mod keys;
mod leave;
mod listener;
pub(crate) mod members;
mod metadata;
mod metrics;
mod page;
mod place;
pub(crate) mod query;
pub(crate) mod rtt;
mod series;
mod token;
pub(crate) mod types;
pub(crate) mod users;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, Uri};
use axum::middleware;
use axum::routing::{get, post, put};
use axum::serve::Listener;
use swim_agent::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot};

use error::ApiError;
use listener::Limited;
use place::Place;
use series::Series;
pub(crate) use token::Token;

/// Connections at a time, streams of events and open queries included.
const MAX_CONNECTIONS: usize = 128;
/// Streams of events at a time; each keeps a connection and a task.
const MAX_STREAMS: usize = 64;
/// Open queries at a time, likewise. The connections that are left are for what is answered at once.
const MAX_QUERIES: usize = 32;

/// A request to leave; to be answered when the goodbye is said.
pub(crate) type LeaveRequest = oneshot::Sender<()>;

/// Who gets at an endpoint, and where it is.
#[derive(Debug)]
pub(crate) struct Access {
    /// Its address, as the command line takes it.
    pub(crate) address: String,
    /// What others must show; always something where other machines reach it.
    pub(crate) token: Option<Token>,
    /// Bytes of an event or a query, [`swim_core::Options::event_limit`]: what bodies are bounded by.
    pub(crate) event_limit: usize,
}

/// What the handlers share.
pub(crate) struct Admin {
    handle: Handle,
    access: Access,
    leave: mpsc::Sender<LeaveRequest>,
    streams: Arc<Semaphore>,
    queries: Arc<Semaphore>,
    /// For bodies above the usual size.
    large: Semaphore,
    /// Tells this run of the agent from others of it.
    started: SystemTime,
    series: Series,
    /// Events that handlers missed.
    missed: Arc<AtomicU64>,
    /// Those that readers missed.
    unread: AtomicU64,
    /// Connections that were closed, and requests that were refused.
    closed: Arc<AtomicU64>,
    refused: AtomicU64,
}

/// What was dropped beside the agent: by its event handlers and by this endpoint.
#[derive(Debug, Clone, Copy)]
struct Dropped {
    handler_events: u64,
    reader_events: u64,
    connections: u64,
    requests: u64,
}

/// What a handler is given.
type Shared = State<Arc<Admin>>;

impl Admin {
    /// Serves `handle` to those who have `access`; who asks it to leave is put into `leave`. Its event
    /// handlers count what they `missed`.
    pub(crate) fn new(
        handle: Handle,
        access: Access,
        leave: mpsc::Sender<LeaveRequest>,
        missed: Arc<AtomicU64>,
    ) -> Self {
        Self {
            handle,
            access,
            leave,
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
            large: Semaphore::new(body::LARGE_AT_A_TIME),
            started: SystemTime::now(),
            series: Series::default(),
            missed,
            unread: AtomicU64::new(0),
            closed: Arc::default(),
            refused: AtomicU64::new(0),
        }
    }

    fn dropped(&self) -> Dropped {
        Dropped {
            handler_events: self.missed.load(Relaxed),
            reader_events: self.unread.load(Relaxed),
            connections: self.closed.load(Relaxed),
            requests: self.refused.load(Relaxed),
        }
    }

    /// Too much is open for one more; counts it.
    fn busy(&self, message: &str) -> ApiError {
        self.refused.fetch_add(1, Relaxed);
        ApiError::unavailable(message)
    }

    /// Streams of events that are read.
    fn streams_open(&self) -> usize {
        MAX_STREAMS - self.streams.available_permits()
    }

    /// Answers until `stop`, then finishes the answers under way. A stream of events is finished
    /// when its agent has ended.
    pub(crate) async fn serve<L: Listener>(
        self,
        listener: L,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()>
    where
        L::Addr: fmt::Debug,
    {
        let closed = Arc::clone(&self.closed);
        let listener = Limited::new(listener, MAX_CONNECTIONS, closed);
        let admin = Arc::new(self);
        let sampling = tokio::spawn(series::sample(Arc::clone(&admin)));
        let router = router(admin).into_make_service_with_connect_info::<Place>();
        let served = axum::serve(listener, router).with_graceful_shutdown(stop).await;
        sampling.abort();
        served
    }
}

fn router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/info", get(info::info))
        .route("/v1/members", get(members::members))
        .route("/v1/members/{name}", get(members::member))
        .route("/v1/rtt", get(rtt::rtt))
        .route("/v1/join", post(join::join))
        .route("/v1/leave", post(leave::leave))
        .route("/v1/force-leave", post(force_leave::force_leave))
        .route("/v1/metadata", put(metadata::change))
        .route("/v1/events", get(events::events))
        .route("/v1/series", get(series::series))
        .route("/v1/event", post(users::send))
        .route("/v1/query", post(query::query))
        .route("/v1/keys", get(keys::list))
        .route("/v1/keys/install", post(keys::install))
        .route("/v1/keys/use", post(keys::use_key))
        .route("/v1/keys/remove", post(keys::remove))
        .merge(page::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&admin), guard::keep_out))
        .layer(middleware::from_fn(place::follow))
        .with_state(admin)
}

async fn unknown_path(uri: Uri) -> ApiError {
    ApiError::not_found(format!("nothing is at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::wrong_method(format!("{} does not take {method}", uri.path()))
}
