//! `POST /v1/event`: tells all members something; and payloads as JSON.
//!
//! A payload is any bytes: in `payload` when it is text, else in `payload_base64`.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use swim_agent::EventError;

use super::Shared;
use super::body::Payload;
use super::error::ApiError;

/// Bytes of a payload above which no agent takes one, whatever its limit.
pub(crate) const MAX_PAYLOAD: usize = 1024 * 1024;

/// A payload in JSON.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PayloadBody {
    /// As text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<String>,
    /// In base64, when it is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload_base64: Option<String>,
}

impl PayloadBody {
    /// Text if it is some.
    pub(crate) fn new(payload: Vec<u8>) -> Self {
        match String::from_utf8(payload) {
            Ok(text) => Self { payload: Some(text), payload_base64: None },
            Err(error) => {
                let encoded = STANDARD.encode(error.as_bytes());
                Self { payload: None, payload_base64: Some(encoded) }
            }
        }
    }

    /// The bytes; none when nothing is given.
    pub(super) fn bytes(self) -> Result<Vec<u8>, ApiError> {
        match (self.payload, self.payload_base64) {
            (Some(_), Some(_)) => {
                Err(ApiError::bad_request("payload and payload_base64 exclude each other"))
            }
            (Some(text), None) => Ok(text.into_bytes()),
            (None, Some(encoded)) => STANDARD
                .decode(encoded)
                .map_err(|error| ApiError::bad_request(format!("payload_base64: {error}"))),
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// A user's event or query, as `GET /v1/events` tells it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToldBody {
    /// `user` or `query`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) payload: PayloadBody,
    /// The member that sent it.
    pub(crate) origin: String,
    /// Its time on the clock of events.
    pub(crate) ltime: String,
    pub(crate) time: String,
}

/// Body of `POST /v1/event`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with name and payload")]
pub(crate) struct EventRequest {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload_base64: Option<String>,
}

/// Answer to `POST /v1/event`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SentBody {
    /// That it is on its way.
    pub(crate) sent: bool,
    pub(crate) name: String,
    /// Of its payload.
    pub(crate) bytes: usize,
}

/// Answers when the event is on its way.
pub(super) async fn send(
    State(admin): Shared,
    Payload(EventRequest { name, payload, payload_base64 }): Payload<EventRequest>,
) -> Result<Json<SentBody>, ApiError> {
    let payload = PayloadBody { payload, payload_base64 }.bytes()?;
    let bytes = payload.len();
    admin.handle.send_event(name.as_str(), payload).await?;
    Ok(Json(SentBody { sent: true, name, bytes }))
}

impl From<EventError> for ApiError {
    fn from(error: EventError) -> Self {
        let message = error.to_string();
        match error {
            EventError::Refused(swim_core::EventError::Left) => Self::conflict(message),
            EventError::Refused(swim_core::EventError::Busy { .. }) | EventError::Stopped(_) => {
                Self::unavailable(message)
            }
            _ => Self::bad_request(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PayloadBody;

    #[test]
    fn payloads_come_back_as_they_were() {
        for bytes in [&b""[..], b"text \n\x01", b"\xff\x00\xfe"] {
            let body = PayloadBody::new(bytes.to_vec());
            assert_eq!(body.payload.is_none(), bytes.contains(&0xff), "{body:?}");
            assert_eq!(body.bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn two_payloads_or_what_is_no_base64_are_refused() {
        let both = PayloadBody { payload: Some("a".into()), payload_base64: Some("YQ==".into()) };
        assert!(both.bytes().is_err());
        let wrong = PayloadBody { payload: None, payload_base64: Some("%".into()) };
        assert!(wrong.bytes().is_err());
    }
}
