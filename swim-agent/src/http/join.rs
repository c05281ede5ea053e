//! `POST /v1/join`: joins the cluster of others.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use swim_agent::{JoinError, Seed};

use super::Shared;
use super::error::ApiError;
use super::types::{JoinBody, JoinRequest};

/// Addresses in one request.
const MAX_ADDRESSES: usize = 64;

/// Answers when somebody answered the join, or nobody did in time.
pub(super) async fn join(
    State(admin): Shared,
    request: Result<Json<JoinRequest>, JsonRejection>,
) -> Result<Json<JoinBody>, ApiError> {
    let Json(JoinRequest { addresses }) = request?;
    if addresses.is_empty() {
        return Err(ApiError::bad_request("addresses: name at least one"));
    }
    if addresses.len() > MAX_ADDRESSES {
        let message = format!("addresses: {} are above {MAX_ADDRESSES}", addresses.len());
        return Err(ApiError::bad_request(message));
    }
    for address in &addresses {
        let wrong = |why| ApiError::bad_request(format!("addresses: {address:?}: {why}"));
        address.parse::<Seed>().map_err(wrong)?;
    }
    let joined = admin.handle.join(addresses).await?;
    Ok(Json(JoinBody { joined }))
}

impl From<JoinError> for ApiError {
    fn from(error: JoinError) -> Self {
        let message = error.to_string();
        match error {
            JoinError::NoAddress => Self::bad_request(message),
            JoinError::Leaving => Self::conflict(message),
            JoinError::Stopped(_) => Self::unavailable(message),
            _ => Self::no_answer(message),
        }
    }
}
