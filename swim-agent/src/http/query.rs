//! `POST /v1/query`: asks members, and streams what they say as lines of JSON.
//!
//! The first line says who is expected to answer, then a line for each ack and each answer as it
//! comes, and the last one sums up. An empty line is a sign of life.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use swim_agent::{Answers, Decline, MemberState, Pattern, Query, Reply};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time;

use super::body::Payload;
use super::error::ApiError;
use super::types::millis;
use super::users::PayloadBody;
use super::{Shared, members};

/// How often a silent stream says that it still stands.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Body of `POST /v1/query`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with name")]
pub(crate) struct QueryRequest {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload_base64: Option<String>,
    /// Names of members that are asked; all if empty.
    #[serde(default)]
    pub(crate) nodes: Vec<String>,
    /// `KEY=REGEX`, all of which must match.
    #[serde(default)]
    pub(crate) meta: Vec<String>,
    /// 5,000 unless given.
    #[serde(default)]
    pub(crate) timeout_ms: Option<u64>,
    /// True unless given.
    #[serde(default)]
    pub(crate) ack: Option<bool>,
    #[serde(default)]
    pub(crate) relays: u8,
}

/// One line of the answer to `POST /v1/query`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum QueryLine {
    /// It is on its way.
    Query {
        name: String,
        /// Live members that it is for.
        expected: BTreeSet<String>,
    },
    /// A member has heard it.
    Ack {
        from: String,
        /// Since it was asked.
        after_ms: u64,
    },
    /// A member answered.
    Answer {
        from: String,
        after_ms: u64,
        #[serde(flatten)]
        payload: PayloadBody,
    },
    /// A member has nobody who answers, and said so.
    Declined {
        from: String,
        after_ms: u64,
        /// `none`, `busy` or `failed`.
        reason: String,
    },
    /// A member that was expected died or left, and is not waited for any more.
    Gone {
        from: String,
        after_ms: u64,
        /// `dead` or `left`.
        state: String,
    },
    /// Nothing more comes.
    Done {
        acks: usize,
        answers: usize,
        /// Who declined, and why.
        #[serde(default)]
        declined: BTreeMap<String, String>,
        /// Who died or left meanwhile, and which of it.
        #[serde(default)]
        gone: BTreeMap<String, String>,
        /// Who has not answered (of a ping: not acked), nor declined, died or left.
        missing: BTreeSet<String>,
        /// Replies that were lost here, because they were not read in time.
        dropped: u64,
        after_ms: u64,
    },
}

/// Answers what members say, until all have or the time-out has passed.
pub(super) async fn query(
    State(admin): Shared,
    Payload(request): Payload<QueryRequest>,
) -> Result<Response, ApiError> {
    let permit = admin.queries.clone().try_acquire_owned();
    let permit = permit.map_err(|_| admin.busy("too many queries are open"))?;
    let query = parse(request)?;
    let name = query.name.clone();
    let answers = admin.handle.query(query).await?;
    let asked = Instant::now();
    let expected = answers.expected().map(str::to_owned).collect();
    let first = Some(QueryLine::Query { name, expected });
    let stream = stream::unfold(Reader { answers, asked, first, done: false, permit }, next);
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, axum::body::Body::from_stream(stream)).into_response())
}

fn parse(request: QueryRequest) -> Result<Query, ApiError> {
    let mut query = Query::new(request.name);
    let payload = PayloadBody { payload: request.payload, payload_base64: request.payload_base64 };
    query.payload = payload.bytes()?;
    query.nodes = request.nodes;
    for meta in request.meta {
        let Some((key, pattern)) = meta.split_once('=') else {
            let message = format!("meta: expected KEY=REGEX, not {meta:?}");
            return Err(ApiError::bad_request(message));
        };
        query.metadata.push((key.to_owned(), pattern.to_owned()));
    }
    if let Some(timeout) = request.timeout_ms {
        query.timeout = Duration::from_millis(timeout);
    }
    query.ack = request.ack.unwrap_or(query.ack);
    query.relays = request.relays;
    Ok(query)
}

/// What the patterns of queries mean to agents of the command: a search, as everywhere else.
pub(crate) fn pattern(text: &str) -> Result<Pattern, String> {
    let regex = members::compile(text)?;
    Ok(Box::new(move |value| regex.is_match(value)))
}

/// What [`query`] keeps between two lines; the permit is given back when the reader is gone.
struct Reader {
    answers: Answers,
    asked: Instant,
    first: Option<QueryLine>,
    done: bool,
    permit: OwnedSemaphorePermit,
}

async fn next(mut reader: Reader) -> Option<(Result<Bytes, Infallible>, Reader)> {
    if reader.done {
        drop(reader.permit);
        return None;
    }
    let mut text = String::new();
    match reader.first.take() {
        Some(first) => text = json(&first),
        None => {
            if let Ok(reply) = time::timeout(SIGN_OF_LIFE, reader.answers.next()).await {
                text = json(&reader.line(reply));
            }
        }
    }
    text.push('\n');
    Some((Ok(text.into()), reader))
}

impl Reader {
    fn line(&mut self, reply: Option<Reply>) -> QueryLine {
        let after_ms = millis(self.asked.elapsed());
        match reply {
            Some(Reply::Ack { from }) => QueryLine::Ack { from, after_ms },
            Some(Reply::Answer { from, payload }) => {
                QueryLine::Answer { from, after_ms, payload: PayloadBody::new(payload) }
            }
            Some(Reply::Declined { from, why }) => {
                QueryLine::Declined { from, after_ms, reason: why.as_str().to_owned() }
            }
            Some(Reply::Gone { from, state }) => {
                QueryLine::Gone { from, after_ms, state: state.to_string() }
            }
            _ => {
                self.done = true;
                QueryLine::Done {
                    acks: self.answers.acked().count(),
                    answers: self.answers.answered().count(),
                    declined: words(self.answers.declined(), Decline::as_str),
                    gone: words(self.answers.gone(), MemberState::as_str),
                    missing: self.answers.missing().map(str::to_owned).collect(),
                    dropped: self.answers.dropped(),
                    after_ms,
                }
            }
        }
    }
}

/// Names and what is said of each in a word.
fn words<'a, T>(
    pairs: impl Iterator<Item = (&'a str, T)>,
    word: impl Fn(T) -> &'static str,
) -> BTreeMap<String, String> {
    pairs.map(|(name, it)| (name.to_owned(), word(it).to_owned())).collect()
}

fn json(line: &QueryLine) -> String {
    // Without maps whose keys are no text, as here, JSON cannot fail.
    serde_json::to_string(line).unwrap_or_default()
}
