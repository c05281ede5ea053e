//! What travels between the admin endpoint and those who ask it, as JSON.
//!
//! Incarnations are decimal strings: they exceed what a browser's number holds. Times are RFC 3339.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Answer to `GET /v1/members`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MembersBody {
    /// Sorted by name.
    pub(crate) members: Vec<MemberBody>,
}

/// One member as the agent sees it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemberBody {
    pub(crate) name: String,
    pub(crate) address: String,
    /// `alive`, `suspect`, `dead` or `left`.
    pub(crate) state: String,
    pub(crate) incarnation: String,
    pub(crate) metadata: BTreeMap<String, String>,
    /// When the agent last changed what it holds of the member.
    pub(crate) last_update: String,
    /// Milliseconds since then: right even where two machines' clocks differ.
    pub(crate) age_ms: u64,
    /// How the agent gets through to it; absent of the agent itself, and before anything was noticed.
    #[serde(flatten)]
    pub(crate) contact: ContactBody,
}

/// Answer to `GET /v1/members/{name}`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MemberDetailBody {
    /// Which agent says so.
    pub(crate) agent: String,
    /// `null` of one that is forgotten, of which only a history is left, and of one that is missing.
    pub(crate) member: Option<MemberBody>,
    /// Where it lived, live, before the agent restarted, if it has not been seen since.
    #[serde(default)]
    pub(crate) missing: Option<String>,
    /// What the agent remembers of it, the latest first.
    pub(crate) history: Vec<IncidentBody>,
}

/// Something that the agent noticed of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct IncidentBody {
    pub(crate) time: String,
    /// Milliseconds since then.
    pub(crate) age_ms: u64,
    /// As in events, or `probe_failed`: the agent itself got no answer.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) name: String,
    /// Who accused, refuted, removed or told, if known. Where that is another agent, that one knows how
    /// it came to it.
    pub(crate) by: Option<String>,
    /// As in events; `null` of a failed probe.
    pub(crate) reason: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) incarnation: Option<String>,
    pub(crate) address: Option<String>,
    /// As in events.
    pub(crate) old_address: Option<String>,
    /// What a failed probe tried.
    pub(crate) probe: Option<ProbeBody>,
}

/// By which ways the agent tried in vain to get an answer of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProbeBody {
    /// For each ping by datagram: milliseconds before the probe failed, the first ping first.
    pub(crate) pings_ms: Vec<u64>,
    /// Likewise, when relays were asked and a ping went by stream.
    pub(crate) asked_ms: u64,
    pub(crate) relays: Vec<RelayBody>,
    /// The ping by stream: `failing` with `why`, `ok` when somebody took it and no answer came in time,
    /// `waiting` when nobody had taken it so far; `null` when there was none.
    pub(crate) stream: Option<PathBody>,
    /// Nobody at all was heard meanwhile: it says more of the agent than of the member.
    pub(crate) silence: bool,
}

/// A member that was asked to try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RelayBody {
    pub(crate) name: String,
    /// `nack`: it got no answer either; `nothing`: it did not say anything in time.
    pub(crate) said: String,
}

/// How an agent gets through to a member; `null` is what it has not noticed yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ContactBody {
    /// When a datagram or an answer by stream last came from it.
    pub(crate) last_seen: Option<String>,
    /// Milliseconds since then.
    pub(crate) last_seen_ms: Option<u64>,
    /// Smoothed round trip of direct probes in milliseconds.
    pub(crate) round_trip_ms: Option<f64>,
    pub(crate) paths: PathsBody,
}

/// The two ways to a member.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PathsBody {
    /// `ok` while the member is alive and was heard, `failing` while it is not.
    pub(crate) datagram: Option<PathBody>,
    /// How the last stream that the agent opened to it went.
    pub(crate) stream: Option<PathBody>,
}

/// How one way is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PathBody {
    /// `ok` or `failing`.
    pub(crate) state: String,
    /// Milliseconds since that was noticed; of datagrams, since the last one.
    pub(crate) age_ms: u64,
    /// Why it is failing, if that is known.
    pub(crate) why: Option<String>,
}

/// Answer to `GET /v1/info`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InfoBody {
    pub(crate) name: String,
    /// What the agent tells others to reach it at.
    pub(crate) address: String,
    /// What its sockets are bound to.
    pub(crate) bind_address: String,
    pub(crate) http_address: String,
    pub(crate) cluster: String,
    /// `off`, `accept`, `send` or `require`.
    #[serde(default)]
    pub(crate) sealing: String,
    pub(crate) version: String,
    pub(crate) state: String,
    pub(crate) incarnation: String,
    pub(crate) uptime_ms: u64,
    /// When its admin endpoint started: the same as long as it is the same run of the agent.
    #[serde(default)]
    pub(crate) started: String,
    /// As `GET /readyz` tells.
    #[serde(default)]
    pub(crate) ready: bool,
    /// Why not.
    #[serde(default)]
    pub(crate) unready: Option<String>,
    /// 0 when the agent hears what it should, 8 at worst.
    pub(crate) local_health: u8,
    /// Milliseconds of a protocol period now, local health and tuning included.
    pub(crate) probe_interval_ms: u64,
    /// Milliseconds that an unconfirmed suspicion lasts.
    pub(crate) suspicion_timeout_ms: u64,
    pub(crate) members: MemberCounts,
    /// Members that are held in memory, dead and pruned ones that are not forgotten included.
    #[serde(default)]
    pub(crate) members_held: usize,
    /// How many may be.
    #[serde(default)]
    pub(crate) max_members: usize,
    /// The networks whose addresses are heard and sent to; none stands for all.
    #[serde(default)]
    pub(crate) allow: Vec<String>,
    /// Updates that wait to be told.
    pub(crate) updates_waiting: usize,
    /// Events and queries of users that wait to be told.
    #[serde(default)]
    pub(crate) notices_waiting: usize,
    /// Queries that were asked here and are open.
    #[serde(default)]
    pub(crate) queries_open: usize,
    /// Streams of events that are read.
    #[serde(default)]
    pub(crate) streams_open: usize,
    /// How often a join was tried in vain so far; `null` when none is under way.
    pub(crate) join_attempts: Option<u32>,
    /// Where the agent is in the space of round trips; `null` where coordinates are switched off.
    #[serde(default)]
    pub(crate) coordinate: Option<CoordinateBody>,
    /// Agents that hold the same of all live members have the same.
    pub(crate) view_hash: String,
    /// Measured from this agent's traffic, 0 without data.
    pub(crate) convergence: ConvergenceBody,
    /// The last time that the agent stood still; `null` when it never did.
    #[serde(default)]
    pub(crate) standstill: Option<StandstillBody>,
    /// Members that were live before the agent restarted and have not been seen since.
    #[serde(default)]
    pub(crate) members_missing: MissingBody,
    /// The latest accusations of anybody and what was said of the agent itself, the latest first.
    #[serde(default)]
    pub(crate) accusations: Vec<IncidentBody>,
    /// Counters since the start, by name.
    pub(crate) counters: BTreeMap<String, u64>,
    /// What each of all that means; with `?explain=true` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) glossary: Option<BTreeMap<String, String>>,
}

/// A time in which the agent could not run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StandstillBody {
    pub(crate) lasted_ms: u64,
    /// Milliseconds since it ended.
    pub(crate) age_ms: u64,
}

/// Remembered members that have not come back.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct MissingBody {
    pub(crate) count: usize,
    /// The first of their names, at most 16.
    pub(crate) names: Vec<String>,
}

/// The query of `GET /v1/info`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InfoQuery {
    /// Whether to explain.
    #[serde(default)]
    pub(crate) explain: bool,
}

/// How many members are in which state.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemberCounts {
    pub(crate) alive: usize,
    pub(crate) suspect: usize,
    pub(crate) dead: usize,
    pub(crate) left: usize,
}

/// A network coordinate: the distance of two positions and both heights make a round trip.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CoordinateBody {
    pub(crate) position_ms: [f64; 3],
    pub(crate) height_ms: f64,
    /// The share by which it misses what the agent measures.
    pub(crate) error: f64,
}

/// How well news travels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ConvergenceBody {
    pub(crate) avg_rounds_to_converge: f64,
    pub(crate) message_overhead: f64,
    pub(crate) false_positive_rate: f64,
}

/// Body of `POST /v1/join`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with addresses")]
pub(crate) struct JoinRequest {
    /// `HOST:PORT` of members.
    pub(crate) addresses: Vec<String>,
}

/// Answer to `POST /v1/join`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct JoinBody {
    /// Addresses that answered.
    pub(crate) joined: usize,
    /// Those that did not.
    #[serde(default)]
    pub(crate) unanswered: Vec<UnansweredBody>,
}

/// An address that did not answer a join.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UnansweredBody {
    /// As it was given.
    pub(crate) address: String,
    pub(crate) why: String,
}

/// Body of `POST /v1/force-leave`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with name and, if wanted, prune")]
pub(crate) struct ForceLeaveRequest {
    pub(crate) name: String,
    /// Whether nobody is to show it any more.
    #[serde(default)]
    pub(crate) prune: bool,
}

/// Answer to `POST /v1/force-leave`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ForceLeaveBody {
    pub(crate) name: String,
    /// What was held of it so far.
    pub(crate) old_state: String,
    pub(crate) pruned: bool,
}

/// Answer to `POST /v1/leave`; the agent ends after it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LeaveBody {
    pub(crate) left: bool,
}

/// Body of `PUT /v1/metadata`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with set, remove or both")]
pub(crate) struct MetadataRequest {
    /// Pairs to add or replace.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, String>,
    /// Keys to take away; one that is not there is no mistake.
    #[serde(default)]
    pub(crate) remove: Vec<String>,
}

/// Answer to `PUT /v1/metadata`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MetadataBody {
    /// All that the agent says of itself now.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Answer to `GET /healthz` and `GET /readyz`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HealthBody {
    pub(crate) status: String,
}

/// Answer to whatever was wrong.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: String,
}

/// The query of `GET /v1/series`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeriesQuery {
    /// How many samples; all without it.
    #[serde(default)]
    pub(crate) last: Option<u16>,
}

/// Answer to `GET /v1/series`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SeriesBody {
    /// Milliseconds between two samples.
    pub(crate) interval_ms: u64,
    /// The oldest first.
    pub(crate) samples: Vec<SampleBody>,
}

/// Members at a moment; and rates per second since the sample before, bytes without headers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SampleBody {
    pub(crate) time: String,
    pub(crate) alive: usize,
    pub(crate) suspect: usize,
    pub(crate) dead: usize,
    pub(crate) left: usize,
    pub(crate) messages_sent: f32,
    pub(crate) messages_received: f32,
    pub(crate) datagrams_sent: f32,
    pub(crate) datagrams_received: f32,
    /// Of datagrams and streams together.
    pub(crate) bytes_sent: f32,
    pub(crate) bytes_received: f32,
}

/// The query of `GET /v1/events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// How many of the events so far come first, 0 to 512.
    #[serde(default)]
    pub(crate) backlog: usize,
}

/// The data of one server-sent event of `GET /v1/events`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum StreamBody {
    /// Something happened to a member.
    Event(Box<EventBody>),
    /// A user's event or query.
    User(super::users::ToldBody),
    /// The reader was too slow: so many events were not sent.
    Missed(MissedBody),
}

/// What happened to a member.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EventBody {
    /// `joined`, `suspected`, `refuted`, `died`, `left`, `updated`, `forgotten` or `conflict`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) address: String,
    /// Where it lived before, when it moved just now. Of a conflict, and of the agent itself, where
    /// another one lives that claims its name.
    #[serde(default)]
    pub(crate) old_address: Option<String>,
    /// `null` of a newcomer.
    pub(crate) old_state: Option<String>,
    /// `null` of a member that was forgotten.
    pub(crate) state: Option<String>,
    pub(crate) incarnation: String,
    /// Who accused, refuted or told, if known.
    pub(crate) by: Option<String>,
    pub(crate) reason: String,
    /// Of an updated member: metadata that changed, `null` where it is gone.
    #[serde(default)]
    pub(crate) changed: BTreeMap<String, Option<String>>,
    pub(crate) time: String,
}

/// Events that a slow reader missed.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MissedBody {
    /// `missed`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) missed: u64,
}

/// A duration as JSON has it: whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
