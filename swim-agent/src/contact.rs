//! How an agent gets through to others.

use std::time::Duration;

/// What an agent has noticed of the ways to a member; from [`Handle::contacts`](crate::Handle::contacts).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contact {
    /// Smoothed round trip of direct probes, if one was measured.
    pub round_trip: Option<Duration>,
    /// How long ago a datagram came from its address; `None` before the first one.
    pub heard: Option<Duration>,
    /// How the last stream of this agent to its address went; `None` before the first one. There are
    /// few: they carry what datagrams cannot.
    pub stream: Option<StreamContact>,
}

/// How a stream went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamContact {
    /// How long ago.
    pub ago: Duration,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}
