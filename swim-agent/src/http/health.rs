//! `GET /healthz` and `GET /readyz`: what an orchestrator asks, by asking the protocol itself.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use swim_agent::Info;
use swim_core::MemberState;
use tokio::time;

use super::types::HealthBody;
use super::{Admin, ApiError, Shared};

/// An agent that takes longer to look at itself is not healthy.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers whether the protocol runs. Who says no is to be restarted.
pub(super) async fn alive(State(admin): Shared) -> Result<Json<HealthBody>, ApiError> {
    look(&admin).await.map(|_| body("ok"))
}

/// Answers whether the agent has found its cluster and stays. Who says no is to be left alone.
pub(super) async fn ready(State(admin): Shared) -> Result<Json<HealthBody>, ApiError> {
    let info = look(&admin).await?;
    unready(&info).map_or_else(|| Ok(body("ready")), |why| Err(ApiError::unavailable(why)))
}

/// What the agent says of itself, in time.
pub(super) async fn look(admin: &Admin) -> Result<Info, ApiError> {
    match time::timeout(PATIENCE, admin.handle.info()).await {
        Ok(info) => Ok(info?),
        Err(_) => Err(ApiError::unavailable("the protocol does not answer")),
    }
}

/// Why others should not count on the agent, if they should not.
///
/// An agent that found its cluster and lost it again stays ready: it goes on serving what it knows,
/// and taking it away would not bring the others back.
pub(crate) fn unready(info: &Info) -> Option<String> {
    if info.state == MemberState::Left {
        return Some("the agent is leaving".to_owned());
    }
    let attempts = info.join_attempts.unwrap_or_default();
    (!info.joined).then(|| format!("no seed has answered the join yet ({attempts} tried in vain)"))
}

fn body(status: &str) -> Json<HealthBody> {
    Json(HealthBody { status: status.to_owned() })
}
