//! Keeps web pages from steering the agent, and those without its token, if it has one.
//!
//! Without a token the endpoint trusts whoever reaches it, and a browser on the same machine does so in the
//! name of any page it shows. A browser says when the page that asks is from elsewhere, in one header or
//! another: such requests are refused. A page whose name was pointed
//! at this address afterwards is of the same origin to the browser; it is told by that name, which
//! nobody else calls an endpoint by that has no token. Where there is one, the token keeps such a page
//! out, and names are those of a proxy.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::{Shared, page};

/// What everybody may ask who gets through: probes and scrapers have no secrets, and the answers are
/// counts. The files of the page are open too.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Refuses requests that a page from elsewhere makes, or that lack the token.
pub(super) async fn keep_out(State(admin): Shared, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let part = page::is_part(path);
    let headers = request.headers();
    let whose = foreign(headers, admin.access.token.is_some());
    if let Some(whose) = whose.or_else(|| fetched(headers, part)) {
        return ApiError::forbidden(format!("requests from {whose} are refused")).into_response();
    }
    let open = part || OPEN.contains(&path);
    match &admin.access.token {
        Some(token) if !open && !token.is_shown(request.headers()) => {
            let shown = request.headers().contains_key(header::AUTHORIZATION);
            let error = if shown { ApiError::wrong_token() } else { ApiError::no_token() };
            error.into_response()
        }
        _ => next.run(request).await,
    }
}

/// The page that asks, unless it is none or one of this endpoint's own. With `names` it may be
/// called by any name, and reached by TLS.
fn foreign(headers: &HeaderMap, names: bool) -> Option<String> {
    let (origin, host) = (text(headers, header::ORIGIN), text(headers, header::HOST));
    let fixed = names || host.is_none_or(is_fixed);
    let same = |origin: &str| {
        let plain = origin.strip_prefix("http://");
        let of = plain.or_else(|| origin.strip_prefix("https://").filter(|_| names));
        of.is_some() && of == host
    };
    match origin {
        Some(origin) if !fixed || !same(origin) => Some(origin.to_owned()),
        None if !fixed => host.map(str::to_owned),
        _ => None,
    }
}

/// Who asks for something without saying its origin, as browsers do for what a page may use and not read:
/// an image, say, which would hold a stream of events. A link from elsewhere may lead to the page.
fn fetched(headers: &HeaderMap, part_of_page: bool) -> Option<String> {
    let header = |name| text(headers, HeaderName::from_static(name));
    let site = header("sec-fetch-site")?;
    let followed = part_of_page && header("sec-fetch-mode") == Some("navigate");
    let elsewhere = matches!(site, "cross-site" | "same-site") && !followed;
    elsewhere.then(|| format!("a page from elsewhere ({site})"))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let value = headers.get(name)?;
    Some(value.to_str().unwrap_or("what is no text"))
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
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{fetched, foreign};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair =
            |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        pairs.iter().map(pair).collect()
    }

    fn is_refused(origin: &'static str, host: &'static str, names: bool) -> bool {
        foreign(&headers(&[("origin", origin), ("host", host)]), names).is_some()
    }

    /// Whether a request without an origin, as browsers send it for a page's own reads, is refused.
    fn read_is_refused(host: &'static str, names: bool) -> bool {
        foreign(&headers(&[("host", host)]), names).is_some()
    }

    #[test]
    fn who_is_no_browser_is_welcome() {
        assert_eq!(foreign(&HeaderMap::new(), false), None);
        assert_eq!(fetched(&HeaderMap::new(), false), None);
        assert!(!read_is_refused("127.0.0.1:7373", false));
        assert!(!read_is_refused("LocalHost:7373", false) && !read_is_refused("[::1]", false));
        assert!(!read_is_refused("node-1.example.com:7373", true), "with a token by a name too");
    }

    #[test]
    fn a_page_of_this_endpoint_is_welcome() {
        for names in [false, true] {
            assert!(!is_refused("http://127.0.0.1:7373", "127.0.0.1:7373", names));
            assert!(!is_refused("http://localhost:7373", "localhost:7373", names));
            assert!(!is_refused("http://[::1]:7373", "[::1]:7373", names));
        }
        assert_eq!(fetched(&headers(&[("sec-fetch-site", "same-origin")]), false), None);
        assert_eq!(fetched(&headers(&[("sec-fetch-site", "none")]), false), None, "typed");
    }

    #[test]
    fn a_page_from_elsewhere_is_refused() {
        for names in [false, true] {
            assert!(is_refused("https://example.com", "127.0.0.1:7373", names));
            assert!(is_refused("http://example.com", "swim.example.com", names));
            assert!(is_refused("null", "127.0.0.1:7373", names));
        }
    }

    #[test]
    fn a_name_pointed_here_is_refused() {
        assert!(is_refused("http://example.com:7373", "example.com:7373", false));
        assert!(read_is_refused("example.com:7373", false));
        assert!(read_is_refused("example.com", false));
    }

    #[test]
    fn behind_a_proxy_with_tls_the_token_is_what_counts() {
        assert!(!is_refused("https://swim.example.com", "swim.example.com", true));
        assert!(!read_is_refused("swim.example.com", true));
        assert!(is_refused("https://127.0.0.1:7373", "127.0.0.1:7373", false), "no proxy, no TLS");
    }

    #[test]
    fn what_a_page_from_elsewhere_uses_without_reading_it_is_refused() {
        for site in ["cross-site", "same-site"] {
            let image = headers(&[("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")]);
            assert!(fetched(&image, false).is_some() && fetched(&image, true).is_some());
            let link = headers(&[("sec-fetch-site", site), ("sec-fetch-mode", "navigate")]);
            assert!(fetched(&link, false).is_some(), "not to what is no page");
            assert_eq!(fetched(&link, true), None);
        }
    }
}
