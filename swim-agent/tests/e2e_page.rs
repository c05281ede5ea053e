//! The page on the admin port, as far as it shows without a browser; `.ci/browser` tries it in one.
#![cfg(all(unix, feature = "cli"))]

mod common;

use common::Agent;
use ureq::http::Response;

fn get(agent: &Agent, path: &str, headers: &[(&str, &str)]) -> Response<ureq::Body> {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let mut request = config.new_agent().get(format!("http://{}{path}", agent.http));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.call().unwrap()
}

/// What a file of the page refers to.
fn links(text: &str) -> Vec<String> {
    let quoted = text.split(['"', '\'']);
    let links = quoted.filter(|text| text.starts_with("/web/") || text.starts_with("./"));
    links.map(|link| link.replace("./", "/web/")).collect()
}

#[test]
fn a_browser_gets_the_whole_page_and_is_told_to_load_nothing_else() {
    let agent = Agent::start("a", &[]);
    let (mut open, mut seen) = (vec!["/".to_owned()], Vec::new());
    while let Some(path) = open.pop() {
        let mut answer = get(&agent, &path, &[]);
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(header("x-content-type-options"), "nosniff");
        let kind = header("content-type");
        let extension = path.rsplit_once('.').map_or("html", |(_, extension)| extension);
        let expected = [("html", "html"), ("css", "css"), ("js", "javascript"), ("svg", "svg")];
        let expected = expected.iter().find(|(of, _)| *of == extension).unwrap().1;
        assert!(kind.contains(expected), "{path} is {kind}");
        let text = answer.body_mut().read_to_string().unwrap();
        seen.push(path);
        for link in links(&text) {
            if !seen.contains(&link) && !open.contains(&link) {
                open.push(link);
            }
        }
        assert!(!text.contains("https://"), "nothing comes from elsewhere");
    }
    assert!(seen.len() >= 12, "{seen:?}");
}

#[test]
fn the_page_is_shown_without_a_token_and_what_it_asks_for_is_not() {
    use std::os::unix::fs::PermissionsExt;
    let token = common::file("page-token", "secret\n");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let agent = Agent::start("a", &["--http-token-file", &token]);
    for path in ["/", "/web/style.css", "/web/main.js"] {
        let mut answer = get(&agent, path, &[]);
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(!text.contains("secret") && !text.contains(&agent.gossip.to_string()), "{path}");
    }
    for path in ["/v1/info", "/v1/members", "/v1/events", "/v1/series", "/web/", "/web/x.js", "//"]
    {
        assert_eq!(get(&agent, path, &[]).status().as_u16(), 401, "{path}");
    }
    let shown = [("authorization", "Bearer secret")];
    assert_eq!(get(&agent, "/v1/series", &shown).status().as_u16(), 200);
}

#[test]
fn a_page_from_elsewhere_does_not_get_the_files_either() {
    let agent = Agent::start("a", &[]);
    for header in [("origin", "http://example.com"), ("host", "example.com:7373")] {
        for path in ["/", "/web/main.js"] {
            assert_eq!(get(&agent, path, &[header]).status().as_u16(), 403, "{path} {header:?}");
        }
    }
}
