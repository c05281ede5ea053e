//! swim-core
#![forbid(unsafe_code)]
mod config;
mod engine;
mod error;
mod mechanisms;
mod member;
mod message;
mod protocol;
mod rng;
mod stats;
mod time;
mod tuning;
mod wire_size;

pub use config::{AdvancedGossipConfig, Config, GossipConfig, Options, Timers};
pub use engine::{
    Accusers, Cause, Change, Dest, DigestRef, Engine, Incoming, MemberIdx, Message, Outgoing,
    Output, Profile, Reason, Rumor, Source, Timer, Update,
};
pub use error::{ConfigError, MetadataError};
pub use mechanisms::Mechanisms;
pub use member::{Incarnation, Member, MemberId, MemberState};
pub use message::{Accusation, Digest, GossipMessage, MemberUpdate};
pub use protocol::{
    Builder, Clock, EventKind, GossipAction, GossipProtocol, MemberEvent, SystemClock,
};
pub use stats::{ConvergenceStats, Stats};
pub use time::Time;
pub use wire_size::{ENVELOPE, metadata_len};
