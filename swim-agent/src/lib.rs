//! A SWIM agent to embed: cluster membership and failure detection as tasks of a Tokio runtime.
//!
//! An [`Agent`] owns a transport (UDP and TCP unless you bring another), a codec (protobuf unless
//! you bring another) and the protocol of [`swim_core`]. You hold a [`Handle`]: who is in the
//! cluster, what happens to them, and what to tell them of yourself.
//!
//! ```
//! use swim_agent::{Agent, StreamItem};
//! use swim_core::{EventKind, MemberState};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let any = "127.0.0.1:0".parse()?;
//! let db = Agent::builder().name("db-1").bind(any).metadata([("role", "db")]).spawn().await?;
//! let mut events = db.events();
//!
//! let seed = db.advertise_addr().to_string();
//! let web = Agent::builder().name("web-1").bind(any).join([seed]).spawn().await?;
//!
//! // What happens, as it happens:
//! let Some(StreamItem::Event(event)) = events.next().await else { return Err("ended".into()) };
//! assert_eq!((event.kind, event.name.as_str()), (EventKind::Joined, "web-1"));
//!
//! // Who is there, at any time and without waiting:
//! web.watch().wait_for(|members| members.len() == 2).await?;
//! let members = web.members();
//! let roles = members.iter().filter_map(|member| member.metadata.get("role"));
//! assert_eq!(roles.collect::<Vec<_>>(), ["db"]);
//! assert_eq!(members.count(MemberState::Alive), 2);
//!
//! // A goodbye, so that nobody takes it for a crash:
//! web.leave().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embed.rs` shows more: metadata, who crashed and who says so; `examples/admission.rs`, whom an
//! agent lets in.
//!
//! # What to rely on
//!
//! - Nothing a user does slowly stops the agent, and nothing a peer sends makes it panic. What it
//!   refuses is counted ([`Counters`]) and traced at debug level.
//! - It installs nothing global: events go to whatever `tracing` subscriber the program has, in a
//!   span `agent` with the agent's name. Several agents may share a process.
//! - An address where no live member is known is sent at most three times the bytes that came from
//!   there, nothing about others, and all members only by a stream that it opened itself.
//! - After a pause of the process, what waits in the sockets is heard before anybody is suspected.
//! - It holds at most [`max_members`](AgentBuilder::max_members), talks to [allowed](AgentBuilder::allow)
//!   addresses only, and asks you about [newcomers](AgentBuilder::admit), if you like.
//!
//! # What survives
//!
//! With a [data directory](AgentBuilder::data_dir), an agent that ended in whatever way comes back
//! as the same one: under a higher boot epoch, with the metadata that was changed at run time, and
//! through the members that it remembers. [`state`] says what is kept, how, and what a crash loses.
//!
//! # What it costs
//!
//! One task, one more that accepts streams, and a short-lived one per stream. An idle agent wakes
//! up once per [probe interval](swim_core::GossipConfig::probe_interval) and for each packet. An
//! agent takes about 50 KiB, and 600 bytes more per member: its record in the protocol and its
//! entry in the snapshot. A thousand agents fit into one process, in which each costs a twentieth
//! of a millisecond per second (`benches/examples/load`).
//!
//! # Trust
//!
//! Unless the agent is given keys, packets are neither encrypted nor authenticated: whoever reaches the
//! port and knows the cluster's name can take part. Run it on a network where that is acceptable, or
//! give it some: `AgentBuilder::seal` and the module `keys`, with the feature `seal`. `docs/security.md`
//! says against whom they help.
#![forbid(unsafe_code)]

// The command is written as any other program that embeds an agent.
#[cfg(feature = "cli")]
extern crate self as swim_agent;

mod address;
mod admission;
mod builder;
#[cfg(feature = "cli")]
mod cli;
mod contact;
mod counters;
mod driver;
mod error;
mod event;
mod event_log;
mod handle;
mod history;
#[cfg(feature = "cli")]
mod http;
mod info;
#[cfg(feature = "seal")]
pub mod keys;
#[cfg(not(feature = "seal"))]
mod keys {
    /// Nobody holds keys.
    pub(crate) type Keyholder = std::convert::Infallible;
}
mod limits;
mod members;
mod query;
mod received;
mod resolve;
mod rtt;
pub mod state;

pub use admission::{Held, Merge, Newcomer, Subnet};
pub use builder::{Agent, AgentBuilder};
/// What the command makes of the text of a configuration file: for fuzzers.
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub use cli::config_file;
/// The command `swim`: for its own `main`, and not for others.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use cli::run as command;
pub use contact::{Contact, StreamContact};
pub use counters::Counters;
pub use error::{
    ChangeError, EventError, JoinError, Joined, RemoveError, RoundTripError, SpawnError, Stopped,
    Unanswered,
};
pub use event::{Event, EventStream, StreamItem, UserEvent};
pub use handle::Handle;
pub use history::{FailedProbe, Incident, RelayReport};
pub use info::{Info, Missing, SessionCounts, Standstill, StateCounts};
pub use limits::RateLimits;
pub use members::{MemberInfo, Members};
pub use query::{Answers, Pattern, Query, Reply};
pub use received::{QueryItem, QueryStream, ReceivedQuery, RespondError};
pub use resolve::Seed;
pub use rtt::RoundTrip;
/// What the signatures above speak of, so that most programs need no other crate of ours.
pub use swim_core::{
    AdvancedGossipConfig, ConvergenceStats, Coordinate, Decline, EventKind, GossipConfig,
    Mechanisms, MemberState, MetadataError, Options, Reason, RemovalError, RoundTripEstimate,
    Stats,
};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
