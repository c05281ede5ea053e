//! `POST /v1/leave`: says goodbye and ends the agent.

use axum::Json;
use axum::extract::State;
use tokio::sync::oneshot;

use super::Shared;
use super::error::ApiError;
use super::types::LeaveBody;

/// Answers when the goodbye is said; the process ends after that.
pub(super) async fn leave(State(admin): Shared) -> Result<Json<LeaveBody>, ApiError> {
    let already = || ApiError::conflict("the agent is leaving already");
    let (answer, left) = oneshot::channel();
    admin.leave.try_send(answer).map_err(|_| already())?;
    left.await.map_err(|_| already())?;
    Ok(Json(LeaveBody { left: true }))
}
