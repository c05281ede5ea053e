//! Keeps web pages from steering the agent, and those without its token, if it has one.
//!
//! Without a token the endpoint trusts whoever reaches it, and a browser on the same machine does so in the
//! name of any page it shows. A browser says which page asks when the page is of another origin,
//! and when it wants something changed: such requests are refused. A page whose name was pointed
//! at this address afterwards is of the same origin to the browser; it is told by that name, which
//! nobody else calls an endpoint by that only this machine can reach.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::{Shared, page};

/// What everybody may ask who gets through: probes and scrapers have no secrets, and the answers are
/// counts. The files of the page are open too.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Refuses requests that a page from elsewhere makes, or that lack the token.
pub(super) async fn keep_out(State(admin): Shared, request: Request, next: Next) -> Response {
    if let Some(whose) = foreign(request.headers(), admin.access.local) {
        return ApiError::forbidden(format!("requests from {whose} are refused")).into_response();
    }
    let path = request.uri().path();
    let open = OPEN.contains(&path) || page::is_part(path);
    match &admin.access.token {
        Some(token) if !open && !token.is_shown(request.headers()) => {
            let shown = request.headers().contains_key(header::AUTHORIZATION);
            let error = if shown { ApiError::wrong_token() } else { ApiError::no_token() };
            error.into_response()
        }
        _ => next.run(request).await,
    }
}

/// The page that asks, unless it is none or one of this endpoint's own. `local` says that only
/// this machine reaches the endpoint.
fn foreign(headers: &HeaderMap, local: bool) -> Option<String> {
    let text = |name| {
        let value = headers.get(name)?;
        Some(value.to_str().unwrap_or("what is no text"))
    };
    let (origin, host) = (text(header::ORIGIN), text(header::HOST));
    let fixed = host.is_none_or(is_fixed);
    let same = |origin: &str| host.is_some_and(|host| origin == format!("http://{host}"));
    match origin {
        Some(origin) if !fixed || !same(origin) => Some(origin.to_owned()),
        None if local && !fixed => host.map(str::to_owned),
        _ => None,
    }
}

/// Whether a host leads here for everyone: an address or this machine, but no name of a DNS.
fn is_fixed(host: &str) -> bool {
    let port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, rest)| port(rest)).map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::foreign;

    fn is_refused(origin: &'static str, host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        headers.insert(header::HOST, HeaderValue::from_static(host));
        foreign(&headers, false).is_some()
    }

    /// Whether a request without an origin, as browsers send it for a page's own reads, is refused.
    fn read_is_refused(host: &'static str, local: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        foreign(&headers, local).is_some()
    }

    #[test]
    fn who_is_no_browser_is_welcome() {
        assert_eq!(foreign(&HeaderMap::new(), true), None);
        assert!(!read_is_refused("127.0.0.1:7373", true));
        assert!(!read_is_refused("LocalHost:7373", true) && !read_is_refused("[::1]", true));
        assert!(!read_is_refused("node-1.example.com:7373", false), "an endpoint for others too");
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
        assert!(read_is_refused("example.com:7373", true) && read_is_refused("example.com", true));
    }
}
