//! A SWIM agent to embed: cluster membership and failure detection as tasks of a Tokio runtime.
#![forbid(unsafe_code)]

mod address;
mod builder;
mod counters;
mod driver;
mod error;
mod event;
mod handle;
mod info;
mod members;

pub use builder::{Agent, AgentBuilder};
pub use counters::Counters;
pub use error::{ChangeError, JoinError, SpawnError, Stopped, Unanswered};
pub use event::{Event, EventStream, StreamItem};
pub use handle::Handle;
pub use info::{Info, StateCounts};
pub use members::{MemberInfo, Members};
