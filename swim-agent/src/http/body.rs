//! Bodies of requests: JSON within a limit, and one line that names what is wrong with them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{ConnectInfo, FromRequest, Request};
use axum::http::{StatusCode, header};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::Admin;
use super::error::ApiError;
use super::place::Place;

/// Bytes of a usual body: some hundred addresses, or far more metadata than a member may have.
const USUAL: usize = 64 * 1024;
/// Bytes that are read and thrown away of a body that is too large, so that who sends it hears how
/// large it was; beyond them the connection is closed.
const THROWN_AWAY: usize = 64 * 1024 * 1024;
/// Bodies above the usual size at a time.
pub(super) const LARGE_AT_A_TIME: usize = 8;
/// How long one more waits for others to be done.
const ROOM: Duration = Duration::from_secs(5);

/// The JSON of a request of the usual size.
pub(super) struct Body<T>(pub(super) T);

/// The JSON of a request with a payload, which may be six times as long there as it is.
pub(super) struct Payload<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        json(request, USUAL, None).await.map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Admin>> for Payload<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, admin: &Arc<Admin>) -> Result<Self, ApiError> {
        let limit = 6 * admin.access.event_limit + USUAL;
        json(request, limit, Some(admin)).await.map(Self)
    }
}

async fn json<T: DeserializeOwned>(
    request: Request,
    limit: usize,
    admin: Option<&Admin>,
) -> Result<T, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.map_or(&b"nothing"[..], |kind| kind.as_bytes());
    let kind = String::from_utf8_lossy(kind).into_owned();
    let (bytes, _room) = read(request, limit, admin).await?;
    if !kind.split(';').next().is_some_and(is_json) {
        let message = format!("the content type is {kind}, expected application/json");
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    parse(&bytes)
}

fn is_json(kind: &str) -> bool {
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// Reads a body that says nothing to its end: who is still writing it would find the connection closed
/// in place of an answer.
pub(super) async fn ignore(request: Request) -> Result<(), ApiError> {
    read(request, USUAL, None).await.map(drop)
}

/// All of a body, or how large it is; one above the usual size with a place among the large ones.
async fn read(
    request: Request,
    limit: usize,
    admin: Option<&Admin>,
) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), ApiError> {
    let place = request.extensions().get::<ConnectInfo<Place>>().cloned();
    let told = usize::try_from(request.body().size_hint().lower()).unwrap_or(usize::MAX);
    if told > limit && request.headers().contains_key(header::EXPECT) {
        // It has not been sent yet.
        return Err(too_large(told, limit));
    }
    let mut parts = request.into_body().into_data_stream();
    let (mut bytes, mut length, mut room) = (Vec::new(), 0, None);
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| {
            ApiError::bad_request(format!("the body broke off after {length} bytes: {error}"))
        })?;
        length += part.len();
        if told.max(length) > limit {
            bytes = Vec::new();
            if length > limit.max(THROWN_AWAY) {
                break;
            }
            continue;
        }
        if let Some(admin) = admin.filter(|_| length > USUAL && room.is_none()) {
            let found = timeout(ROOM, admin.large.acquire()).await;
            let busy = || admin.busy("too many large bodies come at a time: try again");
            room = Some(found.map_err(|_| busy())?.map_err(|_| busy())?);
        }
        bytes.extend_from_slice(&part);
    }
    if let Some(ConnectInfo(place)) = place {
        place.came();
    }
    if length > limit {
        return Err(too_large(length, limit));
    }
    Ok((bytes, room))
}

fn too_large(length: usize, limit: usize) -> ApiError {
    let message = format!("a body of {length} bytes is above the limit of {limit} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// What the body says; an error names the field, what it is and what it should be.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let found = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        (Some(path).filter(|path| path != "."), error.into_inner())
    });
    let done = found.and_then(|found| json.end().map(|()| found).map_err(|error| (None, error)));
    done.map_err(|(path, error)| {
        let text = error.to_string();
        // The line of a body means something to who has sent several.
        let place = format!(" at line {} column {}", error.line(), error.column());
        if !error.is_data() {
            return ApiError::bad_request(format!("the body is no JSON: {text}"));
        }
        let mut text = text.strip_suffix(&place).unwrap_or(&text).to_owned();
        for (rust, meant) in
            [("expected u8", "expected 0 to 255"), ("expected u64", "expected a whole number")]
        {
            text = text.replace(rust, meant);
        }
        let path = path.map_or_else(String::new, |path| format!("{path}: "));
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{path}{text}"))
    })
}
