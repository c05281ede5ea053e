//! The admin endpoint as other programs see it.
#![cfg(all(unix, feature = "cli"))]

mod common;

use std::io::{BufRead, BufReader, Read};

use common::{Agent, Process, assert_fails, eventually, until};
use serde_json::{Value, json};

/// Asks the endpoint, and returns the status and the body.
fn ask(
    agent: &Agent,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let mut request =
        ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", agent.http));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let config = config.new_agent();
    let mut response = match body {
        "" => config.run(request.body(()).unwrap()).unwrap(),
        body => config.run(request.body(body.to_owned()).unwrap()).unwrap(),
    };
    let text = response.body_mut().read_to_string().unwrap();
    let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"));
    (response.status().as_u16(), body)
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn get(agent: &Agent, path: &str) -> (u16, Value) {
    ask(agent, "GET", path, &[], "")
}

#[test]
fn what_is_asked_rightly_is_answered() {
    let agent = Agent::start("a", &["--meta", "role=web"]);
    assert_eq!(get(&agent, "/healthz"), (200, json!({"status": "ok"})));
    let (status, body) = get(&agent, "/v1/members?state=alive&name=a&meta=role%3Dweb");
    assert_eq!(status, 200);
    let member = &body["members"][0];
    assert_eq!(member["name"], "a");
    assert_eq!(member["address"], agent.gossip.to_string());
    assert_eq!(member["state"], "alive");
    assert_eq!(member["metadata"], json!({"role": "web"}));
    assert!(member["incarnation"].is_string() && member["last_update"].is_string());
    let change = r#"{"set":{"zone":"z1"},"remove":["role"]}"#;
    let (status, body) = ask(&agent, "PUT", "/v1/metadata", &[JSON], change);
    assert_eq!((status, body), (200, json!({"metadata": {"zone": "z1"}})));
}

/// A request that is wrong: method, path and body; the status it is answered with, and what names the
/// culprit.
type Wrong<'a> = (&'a str, &'a str, &'a str, u16, &'a str);

/// Checks that each is refused, in words for people, and changes nothing.
fn refused(agent: &Agent, requests: &[Wrong<'_>]) {
    for &(method, path, body, status, culprit) in requests {
        let (found, answer) = ask(agent, method, path, &[JSON], body);
        let error = answer["error"].as_str().unwrap_or_default();
        assert_eq!(found, status, "{method} {path} {error}");
        assert!(error.contains(culprit), "{method} {path}: {culprit:?} is not in {error:?}");
        for prose in ["deserialize", "u64", "u8,", "at line"] {
            let told = error.contains(prose) && !error.contains("no JSON");
            assert!(!told, "{method} {path}: {prose:?} is in {error:?}");
        }
    }
    assert_eq!(agent.states(), "a:alive", "and nothing has changed");
}

#[test]
fn paths_and_parameters_that_are_wrong_are_refused_with_a_reason() {
    let many = format!("/v1/members?{}", "name=a&".repeat(17));
    let wrong = [
        ("GET", "/v2/members", "", 404, "/v2/members"),
        ("DELETE", "/v1/info", "", 405, "DELETE"),
        ("GET", "/v1/leave", "", 405, "GET"),
        ("GET", "/v1/info?explian=true", "", 400, "explian"),
        ("GET", "/v1/info?explain=yes", "", 400, "explain: "),
        ("GET", "/v1/events?backlog=513", "", 400, "513"),
        ("GET", "/v1/events?backlog=-1", "", 400, "backlog: "),
        ("GET", "/v1/events?backlog=all", "", 400, "backlog: "),
        ("GET", "/v1/events?bakclog=1", "", 400, "bakclog"),
        ("GET", "/v1/series?last=0", "", 400, "1 to 120"),
        ("GET", "/v1/series?last=121", "", 400, "121"),
        ("GET", "/v1/series?first=1", "", 400, "first"),
        ("GET", "/v1/members?sate=alive", "", 400, "sate"),
        ("GET", "/v1/members?state=gone", "", 400, "gone"),
        ("GET", "/v1/members?name=%5B", "", 400, "name"),
        ("GET", "/v1/members?meta=role", "", 400, "role"),
        ("GET", &many, "", 400, "17 parameters"),
        ("GET", "/v1/rtt", "", 400, "`to`"),
        ("GET", "/v1/rtt?too=b", "", 400, "too"),
        ("GET", "/v1/rtt?to=a&to=b", "", 400, "to"),
        ("GET", "/v1/rtt?to=b", "", 404, "\"b\""),
        ("GET", "/v1/rtt?from=b%0A&to=a", "", 404, "\"b\\n\""),
        ("GET", "/v1/rtt?to=a", "", 400, "itself"),
        ("POST", "/v1/rtt?to=a", "", 405, "POST"),
        ("GET", "/v1/force-leave", "", 405, "GET"),
        ("GET", "/v1/members/b%20c", "", 404, r#"named "b c""#),
        ("GET", "/v1/members/%ff", "", 400, "UTF-8"),
        ("DELETE", "/v1/members/a", "", 405, "DELETE"),
    ];
    refused(&Agent::start("a", &[]), &wrong);
}

#[test]
fn joins_and_queries_that_are_wrong_are_refused_with_a_reason() {
    let huge = format!(r#"{{"addresses":["{}"]}}"#, "x".repeat(100_000));
    let post = "POST";
    let wrong = [
        (post, "/v1/join", "{", 400, "the body is no JSON: EOF"),
        (post, "/v1/join", r#"{"addresses":["a:1"]} x"#, 400, "the body is no JSON: trailing"),
        (post, "/v1/join", "[]", 422, "expected an object with addresses"),
        (post, "/v1/join", "{}", 422, "missing field `addresses`"),
        (
            post,
            "/v1/join",
            r#"{"addresses":["a:1",7]}"#,
            422,
            "addresses[1]: invalid type: integer `7`, expected a string",
        ),
        (
            post,
            "/v1/query",
            r#"{"name":"q","relays":300}"#,
            422,
            "relays: invalid value: integer `300`, expected 0 to 255",
        ),
        (
            post,
            "/v1/query",
            r#"{"name":"q","timeout_ms":"5s"}"#,
            422,
            "timeout_ms: invalid type: string \"5s\", expected a whole number",
        ),
        (post, "/v1/join", r#"{"addresses":[]}"#, 400, "addresses"),
        (post, "/v1/join", r#"{"addresses":["a:1"],"force":true}"#, 422, "force"),
        (post, "/v1/join", r#"{"addresses":["nowhere.invalid:1"]}"#, 504, "nowhere.invalid:1"),
        (post, "/v1/join", r#"{"addresses":["127.0.0.1"]}"#, 400, "127.0.0.1"),
        (post, "/v1/join", r#"{"addresses":["srv:a b"]}"#, 400, "srv:a b"),
        (post, "/v1/join", &huge, 413, "a body of 100018 bytes is above the limit of 65536 bytes"),
    ];
    refused(&Agent::start("a", &[]), &wrong);
}

#[test]
fn changes_that_are_wrong_are_refused_with_a_reason() {
    let large = format!(r#"{{"set":{{"k":"{}"}}}}"#, "v".repeat(600));
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(100_000));
    let post = "POST";
    let wrong = [
        (post, "/v1/force-leave", "{}", 422, "name"),
        (post, "/v1/force-leave", r#"{"name":7}"#, 422, "name"),
        (post, "/v1/force-leave", r#"{"name":"b","prune":"yes"}"#, 422, "prune"),
        (post, "/v1/force-leave", r#"{"name":"b","purge":true}"#, 422, "purge"),
        (post, "/v1/force-leave", r#"{"name":"a"}"#, 409, "\"a\" is this agent itself"),
        (post, "/v1/force-leave", r#"{"name":"b\n"}"#, 404, r#"named "b\n""#),
        (post, "/v1/force-leave", &long, 413, "above the limit of"),
        (
            "PUT",
            "/v1/metadata",
            r#"{"set":{"k":1}}"#,
            422,
            "set.k: invalid type: integer `1`, expected a string",
        ),
        ("PUT", "/v1/metadata", r#"{"put":{}}"#, 422, "put"),
        ("PUT", "/v1/metadata", r#"{"set":{"k":"v"},"remove":["k"]}"#, 400, "k"),
        ("PUT", "/v1/metadata", r#"{"set":{"":"v"}}"#, 400, "key"),
        ("PUT", "/v1/metadata", &large, 400, "512"),
    ];
    refused(&Agent::start("a", &[]), &wrong);
}

#[test]
fn keys_that_are_wrong_are_refused_with_a_reason() {
    let (post, huge) = ("POST", format!(r#"{{"key":"{}"}}"#, "x".repeat(100_000)));
    let wrong = [
        ("GET", "/v1/keys", "", 409, "this agent has no keyring"),
        (post, "/v1/keys", "{}", 405, "POST"),
        (post, "/v1/keys/install", "{}", 422, "key"),
        (post, "/v1/keys/install", r#"{"key":7}"#, 422, "key"),
        (post, "/v1/keys/install", r#"{"key":"secret"}"#, 400, "key: a key begins with"),
        (post, "/v1/keys/install", &huge, 413, "above the limit of 65536 bytes"),
        (
            post,
            "/v1/keys/use",
            r#"{"id":"x\n"}"#,
            400,
            r#"id: a key's id has eight hexadecimal digits, not "x\n""#,
        ),
        (post, "/v1/keys/use", r#"{"id":"00000000","force":1}"#, 422, "force"),
        (post, "/v1/keys/use", r#"{"id":"00000000"}"#, 409, "this agent has no keyring"),
        (post, "/v1/keys/remove", r#"{"id":"00000000"}"#, 409, "this agent has no keyring"),
    ];
    refused(&Agent::start("a", &[]), &wrong);
}

#[test]
fn bodies_of_another_type_or_size_are_refused_with_both() {
    let agent = Agent::start("a", &[]);
    let (status, answer) = ask(&agent, "POST", "/v1/join", &[], r#"{"addresses":["127.0.0.1:1"]}"#);
    assert_eq!(status, 415, "a form of a web page is no JSON");
    assert!(answer["error"].as_str().unwrap().contains("expected application/json"), "{answer}");
    // However large it is, who sends it hears how large it was.
    let body = format!(r#"{{"name":"{}"}}"#, "n".repeat(10_000_000));
    for (path, limit) in [("/v1/event", 6 * 65_536 + 65_536), ("/v1/leave", 65_536)] {
        let (status, answer) = ask(&agent, "POST", path, &[JSON], &body);
        let sizes = format!("a body of 10000011 bytes is above the limit of {limit} bytes");
        assert_eq!((status, &answer), (413, &json!({ "error": sizes })));
    }
    assert_eq!(agent.states(), "a:alive", "and nothing has changed");
}

#[test]
fn web_pages_from_elsewhere_are_refused() {
    let agent = Agent::start("a", &[]);
    let foreign = ("origin", "http://example.com");
    assert_eq!(ask(&agent, "POST", "/v1/leave", &[foreign], "").0, 403);
    assert_eq!(ask(&agent, "GET", "/v1/members", &[foreign], "").0, 403);
    // To a browser, a name pointed here is of the same origin, and its reads name none.
    let rebound = ("host", "example.com:7373");
    assert_eq!(ask(&agent, "GET", "/v1/members", &[rebound], "").0, 403);
    // What asks for no token is no way in either, and nothing but reading is done there.
    for path in ["/metrics", "/healthz", "/readyz", "/v1/info", "/v1/events", "/nothing"] {
        for header in [foreign, rebound, ("origin", "null")] {
            assert_eq!(ask(&agent, "GET", path, &[header], "").0, 403, "{path} {header:?}");
        }
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(ask(&agent, "POST", path, &[JSON], "{}").0, 405, "{path}");
    }
    // Nor does a page hold what it only may use: it says no origin then, but where it is from.
    let site = ("sec-fetch-site", "cross-site");
    for path in ["/v1/events", "/metrics", "/", "/nothing"] {
        let (status, answer) = ask(&agent, "GET", path, &[site], "");
        assert_eq!(status, 403, "{path}");
        assert!(answer["error"].as_str().unwrap().contains("a page from elsewhere"), "{answer}");
    }
    let own = format!("http://{}", agent.http);
    assert_eq!(ask(&agent, "GET", "/v1/members", &[("origin", &own)], "").0, 200);
}

#[test]
fn the_series_tells_members_and_rates() {
    let a = Agent::start("a", &[]);
    let _b = Agent::join("b", &a);
    let (status, body) = get(&a, "/v1/series");
    assert_eq!((status, &body["interval_ms"]), (200, &json!(5_000)));
    let sample = eventually("samples are taken", || {
        let (_, body) = get(&a, "/v1/series?last=1");
        let samples = body["samples"].as_array().unwrap();
        assert!(samples.len() <= 1, "no more than was asked for");
        samples.first().filter(|sample| sample["alive"] == 2).cloned()
    });
    assert_eq!(
        (&sample["suspect"], &sample["dead"], &sample["left"]),
        (&0.into(), &0.into(), &0.into())
    );
    for what in ["messages", "datagrams", "bytes"] {
        for way in ["sent", "received"] {
            let rate = sample[format!("{what}_{way}")].as_f64().unwrap();
            assert!(rate > 0.0 && rate < 100_000.0, "{what}_{way}: {rate}");
        }
    }
    assert!(sample["time"].as_str().unwrap().ends_with('Z'));
}

/// Opens a stream of events.
fn events(agent: &Agent) -> Result<impl Read + use<>, u16> {
    stream(agent, "/v1/events", &[])
}

fn stream(agent: &Agent, path: &str, headers: &[(&str, &str)]) -> Result<impl Read + use<>, u16> {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let mut request = config.new_agent().get(format!("http://{}{path}", agent.http));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.call().unwrap();
    let status = response.status().as_u16();
    if status == 200 { Ok(response.into_body().into_reader()) } else { Err(status) }
}

#[test]
fn events_are_a_stream_of_json() {
    let a = Agent::start("a", &[]);
    let reader = events(&a).unwrap();
    let b = Agent::join("b", &a);
    let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
    let event: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(event["type"], "joined");
    assert_eq!(event["name"], "b");
    assert_eq!(event["address"], b.gossip.to_string());
    assert!(event["reason"].is_string() && event["time"].is_string());
}

/// The first `count` events of a stream: their ids, and their data.
fn read(reader: impl Read, count: usize) -> Vec<(String, Value)> {
    let mut data = Value::Null;
    let lines = BufReader::new(reader).lines().map(Result::unwrap);
    let events = lines.filter_map(|line| {
        if let Some(text) = line.strip_prefix("data: ") {
            data = serde_json::from_str(text).unwrap();
        }
        Some((line.strip_prefix("id: ")?.to_owned(), data.take()))
    });
    events.take(count).collect()
}

/// The names of events in their order.
fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(_, data)| data["name"].as_str().unwrap()).collect()
}

#[test]
fn a_stream_begins_with_the_events_so_far_and_goes_on_where_it_was_cut() {
    let a = Agent::start("a", &[]);
    for name in ["e0", "e1", "e2"] {
        a.ok(&["event", name]);
    }
    let told = read(stream(&a, "/v1/events?backlog=2", &[]).unwrap(), 2);
    assert_eq!(names(&told), ["e1", "e2"]);
    let reader = stream(&a, "/v1/events?backlog=512", &[]).unwrap();
    a.ok(&["event", "e3"]);
    let all = read(reader, 4);
    assert_eq!(names(&all), ["e0", "e1", "e2", "e3"], "no gap and nothing twice at the seam");
    // As a browser does by itself; what it once asked for as a backlog is no matter then.
    let cut = [("last-event-id", all[1].0.as_str())];
    let again = read(stream(&a, "/v1/events?backlog=512", &cut).unwrap(), 2);
    assert_eq!(again, all[2..]);
    // Of another run of the agent: all of this one is news.
    let other = [("last-event-id", "1-2")];
    assert_eq!(read(stream(&a, "/v1/events", &other).unwrap(), 4), all);
}

#[test]
fn what_a_reader_missed_is_told_to_it_and_counted() {
    let a = Agent::start("a", &[]);
    let tell = || assert_eq!(ask(&a, "POST", "/v1/event", &[JSON], r#"{"name":"e"}"#).0, 200);
    tell();
    let first = read(stream(&a, "/v1/events?backlog=1", &[]).unwrap(), 1);
    (0..600).for_each(|_| tell());
    // It comes back when the ring of 512 has gone on.
    let cut = [("last-event-id", first[0].0.as_str())];
    let missed = read(stream(&a, "/v1/events", &cut).unwrap(), 1);
    assert_eq!(missed[0].1["missed"], 600 - 512);
    assert_eq!(a.json(&["info"])["counters"]["reader_events_dropped"], 600 - 512);
}

#[test]
fn a_monitor_begins_with_the_events_so_far() {
    let a = Agent::start("a", &[]);
    (0..23).for_each(|number| drop(a.ok(&["event", &format!("e{number}")])));
    let last = |args: &[&str], count: usize| {
        let monitor = Process::start(a.command(&[&["monitor"], args].concat()));
        until("all are told", || monitor.stdout().lines().count() >= count);
        assert_eq!(monitor.stdout().lines().count(), count);
        monitor.stdout()
    };
    let usual = last(&[], 20);
    assert!(usual.lines().next().unwrap().contains("  e3  by a"), "{usual}");
    let json = last(&["--backlog", "2", "--format", "json"], 2);
    let event: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(event["name"], "e21");
    assert_fails(&a.run(&["monitor", "--backlog", "513"]), 2, "513");
}

#[test]
fn streams_of_events_are_limited_and_given_back() {
    let agent = Agent::start("a", &[]);
    let mut open = Vec::new();
    let refused = loop {
        match events(&agent) {
            Ok(reader) => open.push(reader),
            Err(status) => break status,
        }
        assert!(open.len() < 1_000, "there is a limit");
    };
    assert_eq!(refused, 503);
    assert_eq!(get(&agent, "/healthz").0, 200);
    assert_eq!(agent.json(&["info"])["counters"]["http_requests_dropped"], 1);
    drop(open);
    // Whether a reader has gone shows when something is sent to it: at the next sign of life.
    until("a stream is free again", || events(&agent).is_ok());
}

#[test]
fn open_queries_keep_no_monitor_out() {
    let agent = Agent::start("a", &["--event-handler", "query=sleep 600"]);
    let query = |wanted: u16| {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        let request = config.new_agent().post(format!("http://{}/v1/query", agent.http));
        let body = r#"{"name":"q","timeout_ms":600000}"#;
        let response = request.content_type("application/json").send(body).unwrap();
        let status = response.status().as_u16();
        assert!(status == 200 || status == wanted, "{status}");
        (status == 200).then(|| response.into_body().into_reader())
    };
    let mut open = Vec::new();
    while let Some(reader) = query(503) {
        open.push(reader);
        assert!(open.len() < 128, "there is a limit");
    }
    println!("{} queries are open", open.len());
    assert!(events(&agent).is_ok(), "monitors have places of their own");
    assert_eq!(get(&agent, "/healthz").0, 200);
}

#[test]
fn silent_connections_keep_nobody_out_and_do_not_hold_up_the_end() {
    let mut agent = Agent::start("a", &[]);
    let connect = |_| std::net::TcpStream::connect(agent.http).unwrap();
    let silent: Vec<_> = (0..200).map(connect).collect();
    for _ in 0..10 {
        assert_eq!(get(&agent, "/healthz").0, 200);
    }
    let (_, info) = get(&agent, "/v1/info");
    assert!(info["counters"]["http_connections_dropped"].as_u64() > Some(0), "{info}");
    agent.process.signal(rustix::process::Signal::TERM);
    assert_eq!(agent.process.wait().code(), Some(0));
    drop(silent);
}
