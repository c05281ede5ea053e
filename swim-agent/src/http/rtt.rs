//! `GET /v1/rtt`: the round trip between two members.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use swim_agent::{RoundTrip, RoundTripError};

use super::Shared;
use super::error::ApiError;

/// The query of `GET /v1/rtt`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RttQuery {
    /// A member's name; the agent itself unless given.
    from: Option<String>,
    /// Another's.
    to: String,
}

/// Answer to `GET /v1/rtt`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RttBody {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Milliseconds.
    pub(crate) round_trip_ms: f64,
    /// `measured` by the agent's own probes, or `estimated` from network coordinates.
    pub(crate) source: String,
    /// Of an estimate, by how many milliseconds it may well be wrong.
    pub(crate) error_ms: Option<f64>,
}

/// Answers what the agent knows of the round trip.
pub(super) async fn rtt(
    State(admin): Shared,
    query: Result<Query<RttQuery>, QueryRejection>,
) -> Result<Json<RttBody>, ApiError> {
    let Query(RttQuery { from, to }) = query?;
    let from = from.unwrap_or_else(|| admin.handle.name().to_owned());
    let known = admin.handle.round_trip(from.as_str(), to.as_str()).await?;
    let round_trip_ms = known.time().as_secs_f64() * 1e3;
    let (source, error_ms) = match known {
        RoundTrip::Estimated(estimate) => ("estimated", Some(round_trip_ms * estimate.error)),
        _ => ("measured", None),
    };
    Ok(Json(RttBody { from, to, round_trip_ms, source: source.to_owned(), error_ms }))
}

impl From<RoundTripError> for ApiError {
    fn from(error: RoundTripError) -> Self {
        let message = error.to_string();
        match error {
            RoundTripError::Unknown { .. } => Self::not_found(message),
            RoundTripError::Itself { .. } => Self::bad_request(message),
            RoundTripError::Off => Self::conflict(message),
            _ => Self::unavailable(message),
        }
    }
}
