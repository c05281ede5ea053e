//! Bodies of requests: JSON within a limit, and one line that names what is wrong with them.

use axum::body::Body as Stream;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// Bytes of a usual body: some hundred addresses, or far more metadata than a member may have.
pub(super) const USUAL: usize = 64 * 1024;
/// Bytes that are read and thrown away of a body that is too large, so that who sends it hears how
/// large it was; beyond them the connection is closed.
const THROWN_AWAY: usize = 64 * 1024 * 1024;

/// The JSON of a request, of at most `MAX` bytes.
pub(super) struct Body<T, const MAX: usize = USUAL>(pub(super) T);

impl<T: DeserializeOwned, S: Sync, const MAX: usize> FromRequest<S> for Body<T, MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.map_or(&b"nothing"[..], |kind| kind.as_bytes());
        let kind = String::from_utf8_lossy(kind).into_owned();
        let bytes = read(request.into_body(), MAX).await?;
        if !kind.split(';').next().is_some_and(is_json) {
            let message = format!("the content type is {kind}, expected application/json");
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        parse(&bytes).map(Self)
    }
}

fn is_json(kind: &str) -> bool {
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// All of a body, or how large it is.
async fn read(body: Stream, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut parts = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| {
            ApiError::bad_request(format!("the body broke off after {length} bytes: {error}"))
        })?;
        length += part.len();
        match length <= limit {
            true => bytes.extend_from_slice(&part),
            false => bytes = Vec::new(),
        }
        if length > limit.max(THROWN_AWAY) {
            break;
        }
    }
    if length > limit {
        let message = format!("a body of {length} bytes is above the limit of {limit} bytes");
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    Ok(bytes)
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
