//! `GET /v1/members`: who is in the cluster.

use std::time::SystemTime;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use regex::{Regex, RegexBuilder};
use swim_agent::{Contact, MemberInfo, Members};
use swim_core::MemberState;
use tokio::task;

use super::error::ApiError;
use super::types::{
    ContactBody, MemberBody, MemberDetailBody, MembersBody, PathBody, PathsBody, millis,
};
use super::{Shared, events, history};

/// Parameters in one query: each is a regular expression, to be compiled and matched.
const MAX_PARAMETERS: usize = 16;

/// Answers all members that the query lets through, sorted by name.
///
/// The query may hold `state` (several: any of them), `name` and `meta=KEY=REGEX` (several: all of
/// them). Regular expressions search, as grep does: without `^` and `$` a part is enough.
pub(super) async fn members(
    State(admin): Shared,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query?;
    if query.len() > MAX_PARAMETERS {
        let message = format!("{} parameters are above {MAX_PARAMETERS}", query.len());
        return Err(ApiError::bad_request(message));
    }
    let members = admin.handle.members();
    let local = members.local().name.clone();
    // Ten thousand members or a costly expression take their time, on a thread that is not the
    // gossip's.
    let kept = task::spawn_blocking(move || filtered(&members, &query));
    let kept = kept.await.map_err(|_| ending())??;
    let names = kept.iter().map(|member| member.name.clone()).collect();
    let contacts = admin.handle.contacts(names).await?;
    let answer = task::spawn_blocking(move || answer(&kept, contacts, &local));
    answer.await.map_err(|_| ending())
}

/// Answers what the agent knows of one member, and what it remembers of it.
pub(super) async fn member(
    State(admin): Shared,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<MemberDetailBody>, ApiError> {
    let Path(name) = name?;
    let members = admin.handle.members();
    let history = admin.handle.history(name.as_str()).await?;
    let missing = admin.handle.missing(name.as_str()).await?;
    let member = match members.get(&name) {
        Some(member) if name == members.local().name => {
            Some(body(member, Contact::default(), SystemTime::now()))
        }
        Some(member) => {
            let contact = admin.handle.contacts(vec![name]).await?.pop().unwrap_or_default();
            Some(body(member, contact, SystemTime::now()))
        }
        None if history.is_empty() && missing.is_none() => {
            return Err(ApiError::not_found(format!("no member is named {name:?}")));
        }
        None => None,
    };
    let agent = admin.handle.name().to_owned();
    let missing = missing.map(|address| address.to_string());
    Ok(Json(MemberDetailBody { agent, member, missing, history: history::bodies(history) }))
}

fn ending() -> ApiError {
    ApiError::unavailable("the agent is ending")
}

fn filtered(members: &Members, query: &[(String, String)]) -> Result<Vec<MemberInfo>, ApiError> {
    let filter = Filter::parse(query)?;
    Ok(members.iter().filter(|member| filter.keeps(member)).cloned().collect())
}

fn answer(kept: &[MemberInfo], contacts: Vec<Contact>, local: &str) -> Response {
    let now = SystemTime::now();
    let both = kept.iter().zip(contacts);
    let members = both.map(|(member, contact)| {
        let contact = if member.name == local { Contact::default() } else { contact };
        body(member, contact, now)
    });
    Json(MembersBody { members: members.collect() }).into_response()
}

fn body(member: &MemberInfo, contact: Contact, now: SystemTime) -> MemberBody {
    MemberBody {
        name: member.name.clone(),
        address: member.address.to_string(),
        state: member.state.to_string(),
        incarnation: member.incarnation.to_string(),
        metadata: member.metadata.clone(),
        last_update: events::rfc3339(member.last_update),
        age_ms: millis(member.age()),
        contact: contact_body(contact, member.state, now),
    }
}

fn contact_body(contact: Contact, state: MemberState, now: SystemTime) -> ContactBody {
    let Contact { round_trip, heard, stream, .. } = contact;
    let answered = stream.as_ref().filter(|stream| stream.failure.is_none());
    let seen = heard.into_iter().chain(answered.map(|stream| stream.ago)).min();
    let path = |ago, ok, why| {
        let state = if ok { "ok" } else { "failing" }.to_owned();
        PathBody { state, age_ms: millis(ago), why }
    };
    let stream = stream.map(|stream| path(stream.ago, stream.failure.is_none(), stream.failure));
    let datagram = heard.map(|ago| path(ago, state == MemberState::Alive, None));
    ContactBody {
        last_seen: seen.and_then(|ago| now.checked_sub(ago)).map(events::rfc3339),
        last_seen_ms: seen.map(millis),
        round_trip_ms: round_trip.map(|time| time.as_secs_f64() * 1e3),
        paths: PathsBody { datagram, stream },
    }
}

/// Which members are asked for.
#[derive(Debug, Default)]
struct Filter {
    states: Vec<MemberState>,
    names: Vec<Regex>,
    metadata: Vec<(String, Regex)>,
}

impl Filter {
    fn parse(query: &[(String, String)]) -> Result<Self, ApiError> {
        let mut filter = Self::default();
        for (key, value) in query {
            match key.as_str() {
                "state" => filter.states.push(state(value)?),
                "name" => filter.names.push(regex("name", value)?),
                "meta" => {
                    let Some((key, pattern)) = value.split_once('=') else {
                        let message = format!("meta: expected KEY=REGEX, not {value:?}");
                        return Err(ApiError::bad_request(message));
                    };
                    filter.metadata.push((key.to_owned(), regex("meta", pattern)?));
                }
                _ => {
                    let message = format!("no parameter {key:?}; there are state, name and meta");
                    return Err(ApiError::bad_request(message));
                }
            }
        }
        Ok(filter)
    }

    fn keeps(&self, member: &MemberInfo) -> bool {
        (self.states.is_empty() || self.states.contains(&member.state))
            && self.names.iter().all(|regex| regex.is_match(&member.name))
            && self.metadata.iter().all(|(key, regex)| {
                member.metadata.get(key).is_some_and(|value| regex.is_match(value))
            })
    }
}

fn state(text: &str) -> Result<MemberState, ApiError> {
    use MemberState::{Alive, Dead, Left, Suspect};
    [Alive, Suspect, Dead, Left].into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
        ApiError::bad_request(format!("state: {text:?} is none of alive, suspect, dead, left"))
    })
}

/// Compiles what a client asks for, within limits that keep the agent small.
fn regex(parameter: &str, pattern: &str) -> Result<Regex, ApiError> {
    compile(pattern)
        .map_err(|reason| ApiError::bad_request(format!("{parameter}: {pattern:?}: {reason}")))
}

/// The same, with what is wrong in words.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let compiled = RegexBuilder::new(pattern).size_limit(1 << 20).dfa_size_limit(1 << 20).build();
    compiled.map_err(|error| reason(&error))
}

/// What is wrong with a pattern: the library draws the place of the mistake over several lines; the last
/// says what it is.
pub(crate) fn reason(error: &regex::Error) -> String {
    error.to_string().lines().last().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::Filter;

    fn parse(key: &str, value: &str) -> Result<Filter, super::ApiError> {
        Filter::parse(&[(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for (key, value) in [
            ("sate", "alive"),
            ("state", "Alive"),
            ("name", "a("),
            ("meta", "role"),
            ("meta", "r=["),
        ] {
            assert!(parse(key, value).is_err(), "{key}={value}");
        }
    }

    #[test]
    fn a_regex_that_would_need_much_memory_is_refused() {
        assert!(parse("name", r"(\w{100}){1000}").is_err());
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        assert_eq!(parse("meta", "k=a=b").unwrap().metadata[0].1.as_str(), "a=b");
    }
}
