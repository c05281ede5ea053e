//! `PUT /v1/metadata`: changes what the agent says of itself.

use axum::Json;
use axum::extract::State;
use swim_agent::ChangeError;

use super::Shared;
use super::body::Body;
use super::error::ApiError;
use super::types::{MetadataBody, MetadataRequest};

/// Answers what the agent says of itself then.
pub(super) async fn change(
    State(admin): Shared,
    Body(MetadataRequest { set, remove }): Body<MetadataRequest>,
) -> Result<Json<MetadataBody>, ApiError> {
    if let Some(key) = remove.iter().find(|key| set.contains_key(*key)) {
        return Err(ApiError::bad_request(format!("{key:?} is in both set and remove")));
    }
    if set.contains_key("") {
        return Err(ApiError::bad_request("set: a key must not be empty"));
    }
    admin.handle.change_metadata(set, remove).await?;
    Ok(Json(MetadataBody { metadata: admin.handle.members().local().metadata.clone() }))
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let message = error.to_string();
        match error {
            ChangeError::Metadata(swim_core::MetadataError::Left) => Self::conflict(message),
            ChangeError::Stopped(_) => Self::unavailable(message),
            _ => Self::bad_request(message),
        }
    }
}
