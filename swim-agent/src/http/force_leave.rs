//! `POST /v1/force-leave`: declares a member gone for good.

use axum::Json;
use axum::extract::State;
use swim_agent::{RemovalError, RemoveError};

use super::Shared;
use super::body::Body;
use super::error::ApiError;
use super::types::{ForceLeaveBody, ForceLeaveRequest};

/// Answers what was held of it; nobody waits for the others to hear it.
pub(super) async fn force_leave(
    State(admin): Shared,
    Body(ForceLeaveRequest { name, prune }): Body<ForceLeaveRequest>,
) -> Result<Json<ForceLeaveBody>, ApiError> {
    let held =
        admin.handle.force_leave(name.as_str(), prune).await.map_err(|error| match error {
            RemoveError::Refused(RemovalError::Oneself) => ApiError::conflict(format!(
                "{name:?} is this agent itself: have it leave (swim leave)"
            )),
            RemoveError::Refused(RemovalError::Unknown { .. }) => {
                ApiError::not_found(error.to_string())
            }
            RemoveError::Stopped(_) => ApiError::unavailable(error.to_string()),
            _ => ApiError::conflict(error.to_string()),
        })?;
    Ok(Json(ForceLeaveBody { name, old_state: held.to_string(), pruned: prune }))
}
