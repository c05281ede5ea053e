//! Bad input for every endpoint: one error that names the culprit, the status that is promised, and
//! nothing half-applied.
#![cfg(all(unix, feature = "cli"))]

mod common;
#[path = "common/watched.rs"]
mod watched;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use common::{Agent, text};
use serde_json::Value;
use watched::{unchanged, watched};

/// Sends a request by hand and returns the status; 0 when the connection was cut without an answer.
fn raw(agent: &Agent, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(agent.http).expect("the endpoint listens");
    let mut answer = Vec::new();
    let head = format!("{head}\r\nHost: localhost\r\nConnection: close\r\n");
    let length = format!("Content-Length: {}\r\n\r\n", body.len());
    // It may have seen enough before the end.
    let _ = stream.write_all(format!("{head}{length}").as_bytes());
    let _ = stream.write_all(body);
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

/// The error of an answer, which says nothing else.
fn error(answer: &str) -> String {
    let body: Value = serde_json::from_str(answer).unwrap_or_else(|_| panic!("no JSON: {answer}"));
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{answer}");
    text(&body["error"])
}

const JSON: &str = "Content-Type: application/json";

#[test]
fn every_endpoint_refuses_ten_megabytes_and_stays() {
    let watched = watched();
    let agent = &watched.0;
    let x = "x".repeat(10_000_000);
    let (usual, large) = (65_536, 7 * 65_536);
    for (request, body, limit) in [
        ("POST /v1/event", format!(r#"{{"name":"e","payload":"{x}"}}"#), large),
        ("POST /v1/query", format!(r#"{{"name":"q","payload":"{x}"}}"#), large),
        ("POST /v1/query", format!(r#"{{"name":"q","meta":["role={x}"]}}"#), large),
        ("POST /v1/join", format!(r#"{{"addresses":["{x}:1"]}}"#), usual),
        ("POST /v1/force-leave", format!(r#"{{"name":"{x}"}}"#), usual),
        ("PUT /v1/metadata", format!(r#"{{"set":{{"k":"{x}"}}}}"#), usual),
        ("POST /v1/leave", x.clone(), usual),
    ] {
        let (status, answer) =
            raw(agent, &format!("{request} HTTP/1.1\r\n{JSON}"), body.as_bytes());
        let length = body.len();
        let sizes = format!("a body of {length} bytes is above the limit of {limit} bytes");
        assert_eq!((status, error(&answer)), (413, sizes), "{request}");
    }
    // Who takes no body does not read it, and who reads no further closes: an answer may be lost then.
    let (status, answer) = raw(agent, "GET /v1/members HTTP/1.1", x.as_bytes());
    assert!(matches!(status, 0 | 200), "{status} {answer}");
    for head in [
        format!("GET /v1/members?name={x} HTTP/1.1"),
        format!("GET /{x} HTTP/1.1"),
        format!("GET /v1/members HTTP/1.1\r\nX: {x}"),
        format!("{x} /v1/members HTTP/1.1"),
    ] {
        let (status, answer) = raw(agent, &head, b"");
        assert!(matches!(status, 0 | 431), "{}: {status} {answer}", &head[..40]);
    }
    unchanged(&watched);
}

#[test]
fn every_endpoint_refuses_what_makes_no_sense_and_changes_nothing() {
    let watched = watched();
    let agent = &watched.0;
    let large = format!(r#"{{"set":{{"ok":"1","big":"{}"}}}}"#, "v".repeat(600));
    let refused = std::io::Error::from(rustix::io::Errno::CONNREFUSED);
    let unanswered = format!(
        "nobody answered the join: 127.0.0.1:1 ({refused}); no (it is no address: expected HOST:PORT, \
         such as node-1:7946, srv:NAME or mdns:NAME)"
    );
    for (request, body, refused, why) in [
        (
            "PUT /v1/metadata",
            r#"{"set":{"ok":"1","k":2}}"#,
            422,
            "set.k: invalid type: integer `2`, expected a string",
        ),
        (
            "PUT /v1/metadata",
            r#"{"set":{"ok":"1"},"remove":"role"}"#,
            422,
            r#"remove: invalid type: string "role", expected a sequence"#,
        ),
        (
            "PUT /v1/metadata",
            r#"{"set":{"ok":"1"},"remove":["role"],"x":0}"#,
            422,
            "x: unknown field `x`, expected `set` or `remove`",
        ),
        ("PUT /v1/metadata", r#"{"set":{"ok":"1","":"v"}}"#, 400, "set: a key must not be empty"),
        (
            "PUT /v1/metadata",
            r#"{"set":{"ok":"1","swim.x":"v"}}"#,
            400,
            r#"the key "swim.x" is reserved: keys that begin with "swim." are the protocol's own"#,
        ),
        (
            "PUT /v1/metadata",
            &large,
            400,
            "metadata of 632 bytes encoded is above the limit of 512 bytes",
        ),
        (
            "PUT /v1/metadata",
            r#"{"set":{"ok":"1"}"#,
            400,
            "the body is no JSON: EOF while parsing an object at line 1 column 17",
        ),
        (
            "PUT /v1/metadata",
            "",
            400,
            "the body is no JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            "PUT /v1/metadata",
            "null",
            422,
            "invalid type: null, expected an object with set, remove or both",
        ),
        (
            "POST /v1/join",
            r#"{"addresses":["no","nor this"]}"#,
            400,
            r#"addresses: "no": expected HOST:PORT, such as node-1:7946, srv:NAME or mdns:NAME; addresses: "nor this": expected HOST:PORT, such as node-1:7946, srv:NAME or mdns:NAME"#,
        ),
        // One that is right is enough to try; the answer names both.
        ("POST /v1/join", r#"{"addresses":["127.0.0.1:1","no"]}"#, 504, &unanswered),
        (
            "POST /v1/join",
            r#"{"addresses":"127.0.0.1:1"}"#,
            422,
            r#"addresses: invalid type: string "127.0.0.1:1", expected a sequence"#,
        ),
        (
            "POST /v1/join",
            r#"{"addresses":["\u0000:1"]}"#,
            400,
            r#"addresses: "\0:1": expected HOST:PORT, such as node-1:7946, srv:NAME or mdns:NAME"#,
        ),
        (
            "POST /v1/event",
            r#"{"name":"e","payload":7}"#,
            422,
            "payload: invalid type: integer `7`, expected a string",
        ),
        (
            "POST /v1/event",
            r#"{"name":""}"#,
            400,
            "the event or query was refused: a name of 0 bytes is not within 1 to 255 bytes",
        ),
        (
            "POST /v1/event",
            "\u{feff}{}",
            400,
            "the body is no JSON: expected value at line 1 column 1",
        ),
        (
            "POST /v1/query",
            r#"{"name":"q","timeout_ms":-1}"#,
            422,
            "timeout_ms: invalid value: integer `-1`, expected a whole number",
        ),
        (
            "POST /v1/query",
            r#"{"name":"q","timeout_ms":1e99}"#,
            422,
            "timeout_ms: invalid type: floating point `1e+99`, expected a whole number",
        ),
        (
            "POST /v1/query",
            r#"{"name":"q","meta":["role=a","role=("]}"#,
            400,
            r#"metadata "role": pattern "(": error: unclosed group"#,
        ),
        (
            "POST /v1/query",
            r#"{"name":"q","meta":["=x"],"timeout_ms":99999999}"#,
            400,
            "a time-out of 99999.999s is not within 1 ms to 1 h",
        ),
        (
            "POST /v1/query",
            r#"{"name":"q","nodes":[""]}"#,
            400,
            "the event or query was refused: a name of 0 bytes is not within 1 to 255 bytes",
        ),
        ("GET /v1/members?name=(", "", 400, r#"name: "(": error: unclosed group"#),
        ("GET /v1/members?meta=role=%28", "", 400, r#"meta: "(": error: unclosed group"#),
        ("GET /v1/members?name=%FF", "", 200, ""),
        ("GET /v1/members?state=", "", 400, r#"state: "" is none of alive, suspect, dead, left"#),
        ("GET /v1/info?explain=2", "", 400, "explain: provided string was not `true` or `false`"),
        ("PATCH /v1/metadata", "", 405, "/v1/metadata does not take PATCH"),
        ("GET /v1/../etc/passwd", "", 404, "nothing is at /v1/../etc/passwd"),
    ] {
        let (status, answer) =
            raw(agent, &format!("{request} HTTP/1.1\r\n{JSON}"), body.as_bytes());
        let told = if status == 200 { String::new() } else { error(&answer) };
        assert_eq!((status, told.as_str()), (refused, why), "{request} {body}");
    }
    unchanged(&watched);
}
