//! swim-core
#![forbid(unsafe_code)]
mod member;
mod message;
mod rng;
mod time;
mod wire_size;

pub use member::{Incarnation, Member, MemberId, MemberState};
pub use message::{Accusation, Digest, GossipMessage, MemberUpdate};
pub use time::Time;
pub use wire_size::{ENVELOPE, metadata_len};
