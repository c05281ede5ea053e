//! `POST /v1/join`: joins the cluster of others.

use axum::Json;
use axum::extract::State;
use swim_agent::{JoinError, Seed, Unanswered};

use super::Shared;
use super::body::Body;
use super::error::ApiError;
use super::types::{JoinBody, JoinRequest, UnansweredBody};

/// Addresses in one request.
const MAX_ADDRESSES: usize = 64;

/// Answers when all answered the join, failed, or took too long.
pub(super) async fn join(
    State(admin): Shared,
    Body(JoinRequest { addresses }): Body<JoinRequest>,
) -> Result<Json<JoinBody>, ApiError> {
    if addresses.is_empty() {
        return Err(ApiError::bad_request("addresses: name at least one"));
    }
    if addresses.len() > MAX_ADDRESSES {
        let message = format!("addresses: {} are above {MAX_ADDRESSES}", addresses.len());
        return Err(ApiError::bad_request(message));
    }
    // One that is right is enough: the answer names the others.
    let mut wrong = Vec::new();
    for address in &addresses {
        if let Err(why) = address.parse::<Seed>() {
            wrong.push(format!("addresses: {address:?}: {why}"));
        }
    }
    if wrong.len() == addresses.len() {
        return Err(ApiError::bad_request(wrong.join("; ")));
    }
    let joined = admin.handle.join_all(addresses).await?;
    let unanswered = joined.unanswered.into_iter();
    let unanswered =
        unanswered.map(|Unanswered { address, why, .. }| UnansweredBody { address, why }).collect();
    Ok(Json(JoinBody { joined: joined.answered, unanswered }))
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
