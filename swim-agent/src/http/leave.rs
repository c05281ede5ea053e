//! `POST /v1/leave`: says goodbye and ends the agent.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::Shared;
use super::error::ApiError;
use super::types::LeaveBody;

/// Answers when the goodbye is said; the process ends after that. The body says nothing, but is read
/// first: who is still writing it would find the connection closed in place of an answer.
pub(super) async fn leave(State(admin): Shared, _body: Bytes) -> Result<Json<LeaveBody>, ApiError> {
    let (answer, left) = oneshot::channel();
    admin.leave.try_send(answer).map_err(|error| match error {
        TrySendError::Full(_) => ApiError::conflict("the agent is leaving already"),
        TrySendError::Closed(_) => ApiError::conflict("this agent ends with its process only"),
    })?;
    left.await.map_err(|_| ApiError::unavailable("the agent ended before its goodbye was said"))?;
    Ok(Json(LeaveBody { left: true }))
}
