//! `POST /v1/leave`: says goodbye and ends the agent.

use axum::Json;
use axum::extract::{Request, State};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::Shared;
use super::body;
use super::error::ApiError;
use super::types::LeaveBody;

/// Answers when the goodbye is said; the process ends after that. A body says nothing.
pub(super) async fn leave(
    State(admin): Shared,
    request: Request,
) -> Result<Json<LeaveBody>, ApiError> {
    body::ignore(request).await?;
    let (answer, left) = oneshot::channel();
    admin.leave.try_send(answer).map_err(|error| match error {
        TrySendError::Full(_) => ApiError::conflict("the agent is leaving already"),
        TrySendError::Closed(_) => ApiError::conflict("this agent ends with its process only"),
    })?;
    left.await.map_err(|_| ApiError::unavailable("the agent ended before its goodbye was said"))?;
    Ok(Json(LeaveBody { left: true }))
}
