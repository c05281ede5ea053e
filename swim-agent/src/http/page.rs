//! `GET /`: the page that shows the agent in a browser, and the files it consists of.
//!
//! They are part of the program, hold no secrets, and are shown without a token: the page asks for it.
//! What they may do is told to the browser with each of them: run and load what comes from this endpoint,
//! and nothing else.

use axum::Router;
use axum::http::{HeaderName, header};
use axum::routing::get;

use super::Admin;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// No script or style in the page itself, nothing from elsewhere, no frame around it, and no text that
/// becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

macro_rules! files {
    ($($path:literal $kind:ident $file:literal,)*) => {
        /// Path, type and text of each file.
        const FILES: &[(&str, &str, &str)] =
            &[$(($path, $kind, include_str!(concat!("../../web/", $file))),)*];
    };
}

files! {
    "/" HTML "index.html",
    "/web/style.css" CSS "style.css",
    "/web/icon.svg" IMAGE "icon.svg",
    "/web/theme.js" SCRIPT "theme.js",
    "/web/main.js" SCRIPT "main.js",
    "/web/api.js" SCRIPT "api.js",
    "/web/detail.js" SCRIPT "detail.js",
    "/web/dom.js" SCRIPT "dom.js",
    "/web/events.js" SCRIPT "events.js",
    "/web/format.js" SCRIPT "format.js",
    "/web/plot.js" SCRIPT "plot.js",
    "/web/store.js" SCRIPT "store.js",
    "/web/table.js" SCRIPT "table.js",
}

/// Whether a path is a file of the page's.
pub(super) fn is_part(path: &str) -> bool {
    FILES.iter().any(|(of, ..)| *of == path)
}

/// Serves the files.
pub(super) fn routes() -> Router<std::sync::Arc<Admin>> {
    FILES.iter().fold(Router::new(), |router, &(path, kind, text)| {
        let answer = (headers(kind), text);
        router.route(path, get(move || std::future::ready(answer)))
    })
}

fn headers(kind: &'static str) -> [(HeaderName, &'static str); 6] {
    [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        // Another version of the agent has other files.
        (header::CACHE_CONTROL, "no-cache"),
    ]
}

#[cfg(test)]
mod tests {
    use super::{FILES, is_part};

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            assert!(name == "index.html" || is_part(&format!("/web/{name}")), "{name}");
        }
    }

    #[test]
    fn nothing_in_a_file_turns_text_into_markup() {
        for (path, _, text) in FILES {
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "style=",
            ] {
                assert!(!text.contains(word), "{path}: {word}");
            }
        }
    }
}
