//! Who a member is and what is held of it.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

/// The name of a member: unique in its cluster, at most [`MemberId::MAX_LEN`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberId(pub String);

impl MemberId {
    /// Longest name in bytes; what a DNS name may be long.
    pub const MAX_LEN: usize = 255;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for MemberId {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl From<String> for MemberId {
    fn from(name: String) -> Self {
        Self(name)
    }
}

/// What is held of a member (SWIM, section 4.2; `Left` is Serf's graceful departure).
///
/// At equal incarnation `Left > Dead > Suspect > Alive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberState {
    /// It answers, or nobody has claimed otherwise.
    Alive,
    /// Somebody could not reach it; it has until the suspicion time-out to refute that.
    Suspect,
    /// Its suspicion expired, here or elsewhere.
    Dead,
    /// It said goodbye.
    Left,
}

impl MemberState {
    /// Precedence at equal incarnation, highest wins.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Alive => 0,
            Self::Suspect => 1,
            Self::Dead => 2,
            Self::Left => 3,
        }
    }

    /// Whether the member still counts: Alive or Suspect.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }

    /// The state in lower case, as command lines and logs print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
        }
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The version of what a member says of itself; only its owner raises it.
///
/// The upper half is the owner's boot epoch, the lower half a counter, so that a restarted node
/// outbids its former life at once (see [`Options::boot_epoch`](crate::Options::boot_epoch)).
pub type Incarnation = u64;

impl Member {
    /// The key in the metadata of a member that finds its own paths bad: most of what it sends, or
    /// should hear, is lost. The protocol sets and removes it; it is an attribute, not a state.
    pub const DEGRADED: &str = "swim.degraded";

    /// The key, in an update of a member that left without an address and in a `Sync` beside one, that
    /// says that it did not do so itself: another member, which is the value, declared it gone for good.
    pub const REMOVED: &str = "swim.removed";

    /// Likewise, and that nothing of it is to be shown any more.
    pub const PRUNED: &str = "swim.pruned";

    /// What keys begin with that only the protocol sets.
    pub const RESERVED: &str = "swim.";

    /// Whether only the protocol may set this key.
    pub fn is_reserved(key: &str) -> bool {
        key.starts_with(Self::RESERVED)
    }

    /// Whether the member says of itself that its paths are bad.
    pub fn is_degraded(&self) -> bool {
        self.metadata.contains_key(Self::DEGRADED)
    }
}

/// One member of the cluster as this node sees it.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub id: MemberId,
    /// Where it receives datagrams and streams.
    pub address: SocketAddr,
    /// What is held of it.
    pub state: MemberState,
    /// The incarnation that `state` is about.
    pub incarnation: Incarnation,
    /// What it says of itself.
    pub metadata: HashMap<String, String>,
    /// When this node last changed what it holds of it, by its own clock; never travels.
    pub last_update: Instant,
}
