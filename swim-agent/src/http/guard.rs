//! Keeps web pages from steering the agent.
//!
//! The endpoint trusts whoever reaches its port, and a browser on the same machine does so in the
//! name of any page it shows. A browser says which page asks: requests of other origins are refused,
//! and so are those of a page whose name was pointed at this address afterwards, which claims to be
//! the same origin.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// Refuses requests that a page from elsewhere makes.
pub(super) async fn same_origin(request: Request, next: Next) -> Response {
    match foreign_origin(request.headers()) {
        Some(origin) => {
            ApiError::forbidden(format!("requests from {origin} are refused")).into_response()
        }
        None => next.run(request).await,
    }
}

/// The page that asks, unless it is none or one of this endpoint's own.
fn foreign_origin(headers: &HeaderMap) -> Option<String> {
    let origin = headers.get(header::ORIGIN)?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let same = host.is_some_and(|host| {
        is_fixed(host) && origin.as_bytes() == format!("http://{host}").as_bytes()
    });
    (!same).then(|| origin.to_str().unwrap_or("an origin that is no text").to_owned())
}

/// Whether a host leads here for everyone: an address or this machine, but no name of a DNS.
fn is_fixed(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::foreign_origin;

    fn is_refused(origin: &'static str, host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        headers.insert(header::HOST, HeaderValue::from_static(host));
        foreign_origin(&headers).is_some()
    }

    #[test]
    fn who_is_no_browser_is_welcome() {
        assert_eq!(foreign_origin(&HeaderMap::new()), None);
    }

    #[test]
    fn a_page_of_this_endpoint_is_welcome() {
        assert!(!is_refused("http://127.0.0.1:7373", "127.0.0.1:7373"));
        assert!(!is_refused("http://localhost:7373", "localhost:7373"));
        assert!(!is_refused("http://[::1]:7373", "[::1]:7373"));
    }

    #[test]
    fn a_page_from_elsewhere_is_refused() {
        assert!(is_refused("https://example.com", "127.0.0.1:7373"));
        assert!(is_refused("null", "127.0.0.1:7373"));
    }

    #[test]
    fn a_name_pointed_here_is_refused() {
        assert!(is_refused("http://example.com:7373", "example.com:7373"));
    }
}
