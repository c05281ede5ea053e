//! SWIM cluster membership and failure detection as a pure state machine: who is in the cluster,
//! who is alive, told by gossip.
//!
//! No socket, no thread, no runtime: [`GossipProtocol`] takes messages and the passing of time and
//! returns what is to be sent. Time and randomness come from outside, so that a cluster of any size
//! runs on virtual time and a seed replays. Three layers, each importing only what is below it:
//!
//! - [`GossipProtocol`], [`GossipMessage`], [`GossipAction`]: the face. Members by name, owned
//!   messages, a list of actions from each call.
//! - [`Engine`], [`Output`], [`Timer`]: the state machine. Members by index, borrowed messages,
//!   effects through a sink. It allocates nothing in steady state; simulators run thousands.
//! - leaf modules: configuration, members, messages, formulas.
//!
//! What the mechanisms are and where they come from is in `docs/protocol.md` of the repository.
//!
//! # Two nodes
//!
//! The whole driving loop, without sockets: `b` joins `a`, then falls silent.
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::{Duration, Instant};
//! use swim_core::{GossipAction, GossipProtocol, MemberId, MemberState};
//!
//! let address = |host| SocketAddr::from(([10, 0, 0, host], 7946));
//! let node = |name: &str, host| {
//!     GossipProtocol::builder(MemberId::from(name), address(host)).build().unwrap()
//! };
//! let (mut a, mut b) = (node("a", 1), node("b", 2));
//!
//! // What a driver does with actions: send. Here the other node hears it at once.
//! fn exchange(
//!     actions: Vec<GossipAction>,
//!     (from, at): (&mut GossipProtocol, SocketAddr),
//!     (to, there): (&mut GossipProtocol, SocketAddr),
//! ) {
//!     for action in actions {
//!         if let GossipAction::Send { to: address, message } = action
//!             && address == there
//!         {
//!             let answers = to.handle_message(at, message);
//!             exchange(answers, (to, there), (from, at));
//!         }
//!     }
//! }
//!
//! let actions = b.bootstrap(vec![address(1)]);
//! exchange(actions, (&mut b, address(2)), (&mut a, address(1)));
//! assert_eq!(a.cluster_size(), 2);
//! assert!(b.is_alive(&MemberId::from("a")));
//!
//! // From now on `b` is not driven any more. A driver of `a` would sleep until each time-out;
//! // here its time is simply handed in.
//! let end = Instant::now() + Duration::from_secs(60);
//! while let Some(due) = a.next_timeout().filter(|due| *due < end) {
//!     a.handle_timeout(due); // what it wants to send is lost
//! }
//! assert_eq!(a.member(&MemberId::from("b")).unwrap().state, MemberState::Dead);
//! ```
//!
//! # Events and queries
//!
//! [`GossipProtocol::send_event`] has every member hear something, once and causes before effects;
//! [`GossipProtocol::start_query`] has some answer. What was heard comes as
//! [`GossipAction::UserEvent`] and [`GossipAction::Query`].
//!
//! # Round trips
//!
//! [`GossipProtocol::round_trip`] is what this node measured; [`GossipProtocol::round_trip_estimate`] is
//! what the network [`Coordinate`]s of any two members tell, which come with their acks.
//!
//! # Panics, errors, and junk
//!
//! Bad configuration, oversize metadata and events are errors of the caller: [`ConfigError`],
//! [`MetadataError`] and [`EventError`] name both values. What a peer sends is never an error and never panics: what
//! makes no sense is ignored and counted in [`Stats`].
#![forbid(unsafe_code)]

mod config;
mod coordinate;
mod engine;
mod error;
mod mechanisms;
mod member;
mod message;
mod notice;
mod protocol;
mod rng;
mod stats;
mod time;
mod tuning;
mod user;
pub mod wire_size;

pub use config::{AdvancedGossipConfig, Config, GossipConfig, Options, Timers};
pub use coordinate::{Coordinate, RoundTripEstimate};
pub use engine::{
    Accusers, Answer, Cause, Change, Dest, DigestRef, Engine, FailedProbe, Incoming, MemberIdx,
    Message, NoticeMessage, Outgoing, Output, Profile, Reason, Removal, Response, Rumor, Source,
    Timer, Update,
};
pub use error::{ConfigError, EventError, MetadataError, RemovalError};
pub use mechanisms::Mechanisms;
pub use member::{Incarnation, Member, MemberId, MemberState};
pub use message::{Accusation, Digest, GossipMessage, MemberUpdate};
pub use notice::{Body, Notice, Recent, Said, Stamp};
pub use protocol::{
    Builder, Clock, EventKind, GossipAction, GossipProtocol, MemberEvent, ProbeReport, SystemClock,
};
pub use stats::{ConvergenceStats, Stats};
pub use time::Time;
pub use user::{Decline, UserEvent, UserNotice, UserQuery};
pub use wire_size::{ENVELOPE, metadata_len};
