//! Asking a running agent through its admin endpoint.

use std::io::{BufRead, BufReader};
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{RequestBuilder, Timeout};

use super::address;
use super::failure::Failure;
use super::output;
use super::socket;
use crate::http::Token;
use crate::http::types::ErrorBody;

/// Which agent to ask, and how to print what it answers.
#[derive(clap::Args)]
pub(super) struct Endpoint {
    /// Admin endpoint of the agent to ask: HOST:PORT or unix:/PATH.
    #[arg(
        long,
        global = true,
        env = "SWIM_HTTP_ADDR",
        default_value = "127.0.0.1:7373",
        value_name = "ADDR",
        value_parser = address::admin
    )]
    http_addr: String,
    /// File with the agent's token, if it asks for one.
    #[arg(long, global = true, env = "SWIM_TOKEN_FILE", value_name = "FILE", value_parser = Token::from_str)]
    token_file: Option<Token>,
    /// How to print the answer.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl Endpoint {
    /// How to print the answer.
    pub(super) fn format(&self) -> Format {
        self.format
    }
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// The body of the admin endpoint, as it came.
    Json,
}

/// How long an answer may take: longer than an agent takes to leave or to try a join.
const ANSWER: Duration = Duration::from_secs(30);
/// How long what an agent knows may take to be told.
const FACTS: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// A stream of events is never silent for longer: the agent sends a sign of life well before.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes of parameters: each may take three in a URL, which the client library makes no longer than
/// 64 KiB. Above that it panics.
const MAX_QUERY: usize = 16 * 1024;
/// Far above what a cluster of 10,000 members takes.
const MAX_BODY: u64 = 256 * 1024 * 1024;

/// Asks one agent.
pub(super) struct Client {
    address: String,
    /// What URLs begin with.
    base: String,
    token: Option<String>,
    agent: ureq::Agent,
}

impl Client {
    /// Asks the agent at `endpoint`; nothing is sent yet.
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The agent is meant, not whatever stands between this machine and the internet.
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("swim/", env!("CARGO_PKG_VERSION")))
            .build();
        let address = endpoint.http_addr.clone();
        let (base, agent) = match address.strip_prefix(address::UNIX) {
            // The name in the URL leads nowhere, but the agent wants to know what it is asked as.
            Some(path) => ("http://localhost".to_owned(), socket::agent(config, path)),
            None => (format!("http://{address}"), config.new_agent()),
        };
        let token = endpoint.token_file.as_ref().map(Token::bearer);
        Self { address, base, token, agent }
    }

    /// The endpoint's address, as it was given.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Asks for `path`.
    pub(super) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Body, Failure> {
        let (mut len, mut longest) = (0, ("query", 0));
        for (key, value) in query {
            len += value.len();
            longest = if value.len() > longest.1 { (*key, value.len()) } else { longest };
        }
        if len > MAX_QUERY {
            let (key, len) = longest;
            return Err(Failure::Usage(format!(
                "{key} of {len} bytes is too long to be asked for"
            )));
        }
        let pairs = query.iter().map(|(key, value)| (*key, value.as_str()));
        let request = self.shown(self.agent.get(self.url(path))).query_pairs(pairs);
        self.body(request.config().timeout_recv_response(Some(FACTS)).build().call())
    }

    /// Posts `body` to `path`.
    pub(super) fn post(&self, path: &str, body: &impl Serialize) -> Result<Body, Failure> {
        let request = self.shown(self.agent.post(self.url(path))).content_type(JSON);
        self.body(request.send(json(body)?))
    }

    /// Puts `body` to `path`.
    pub(super) fn put(&self, path: &str, body: &impl Serialize) -> Result<Body, Failure> {
        let request = self.shown(self.agent.put(self.url(path))).content_type(JSON);
        self.body(request.send(json(body)?))
    }

    /// The lines of an endless answer; of events those after the one whose id is `last`, if one was read.
    pub(super) fn lines(
        &self,
        path: &str,
        last: Option<&str>,
    ) -> Result<impl Iterator<Item = Result<String, Failure>> + '_, Failure> {
        let request = self.shown(self.agent.get(self.url(path)));
        let request = match last {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        self.read_lines(request.call())
    }

    /// Posts `body` to `path`; the lines of the answer as they come.
    pub(super) fn post_lines(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<impl Iterator<Item = Result<String, Failure>> + '_, Failure> {
        let request = self.shown(self.agent.post(self.url(path))).content_type(JSON);
        self.read_lines(request.send(json(body)?))
    }

    fn read_lines(
        &self,
        answer: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<impl Iterator<Item = Result<String, Failure>> + '_, Failure> {
        let response = self.accepted(answer.map_err(|error| self.lost(&error))?)?;
        let reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        let lines = BufReader::new(reader).lines();
        Ok(lines.map(|line| line.map_err(|error| self.gone(&error))))
    }

    /// The failure of an agent that cannot be reached, or accepts and says nothing.
    fn lost(&self, why: &ureq::Error) -> Failure {
        let address = self.address.clone();
        match why {
            ureq::Error::Timeout(Timeout::RecvResponse) => Failure::Silent { address },
            why => Failure::Unreachable { address, why: plain(why) },
        }
    }

    /// The failure of an agent that ended, or was killed, while it answered.
    pub(super) fn gone(&self, why: &impl ToString) -> Failure {
        Failure::Gone { address: self.address.clone(), why: plain(why) }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A request with the token, if there is one.
    fn shown<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", token),
            None => request,
        }
    }

    fn body(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<Body, Failure> {
        let response = answer.map_err(|error| self.lost(&error))?;
        let mut response = self.accepted(response)?;
        let text = response.body_mut().with_config().limit(MAX_BODY).read_to_string();
        let text = text.map_err(|error| self.gone(&error))?;
        Ok(Body { text, address: self.address.clone() })
    }

    /// The answer, if it is one; else what the endpoint says is wrong.
    fn accepted(&self, mut answer: Response<ureq::Body>) -> Result<Response<ureq::Body>, Failure> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        let error = serde_json::from_str::<ErrorBody>(&text).map_or_else(
            |_| format!("{} answered {status}: is that a swim agent?", self.address),
            |body| body.error,
        );
        Err(Failure::Failed(output::printable(&error).into_owned()))
    }
}

/// The client library says where in its own terms a message of the system comes from.
fn plain(why: &impl ToString) -> String {
    let why = why.to_string();
    match why.strip_prefix("io: ").unwrap_or(&why) {
        "Peer disconnected" => "it closed the connection, or was killed".to_owned(),
        // Its signs of life are missing.
        "timeout: per read" => "it says nothing any more: frozen, or very busy?".to_owned(),
        other => other.to_owned(),
    }
}

const JSON: &str = "application/json";

fn json(body: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(body).map_err(|error| Failure::Failed(error.to_string()))
}

/// What the endpoint answered.
pub(super) struct Body {
    /// As it came.
    pub(super) text: String,
    address: String,
}

impl Body {
    /// Prints it: as it came, or as `readable` puts it.
    pub(super) fn print<T: DeserializeOwned>(
        &self,
        format: Format,
        readable: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        match format {
            Format::Json => output::line(self.text.trim_end()),
            Format::Table => output::line(&readable(&self.parse()?)),
        }
    }

    /// What it says.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.text).map_err(|error| {
            let address = &self.address;
            Failure::Failed(format!("{address} does not answer as a swim agent does: {error}"))
        })
    }
}
