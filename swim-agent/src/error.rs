//! Errors, one enum per operation; each names the culprit.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::ConfigError;
use swim_transport::BindError;
use swim_wire::CodecError;

use crate::state::StateError;

/// Why an agent did not start. Nothing is left running or bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The host has no usable name, and none was given.
    #[error("the host's name cannot be a member's name; give one (name, --name)")]
    HostName,
    /// An option out of range, or a name or metadata that do not fit.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The codec refused its settings, such as the cluster's name.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The address to bind was refused.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address to advertise is one that nobody can send to.
    #[error(
        "cannot advertise {address}: {why}; give one that others reach (advertise, --advertise)"
    )]
    Advertise {
        /// What was given.
        address: SocketAddr,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What is to be advertised stands for no address.
    #[error("cannot advertise {given:?}: {why} (advertise, --advertise)")]
    AdvertiseName {
        /// What was given.
        given: String,
        /// Why it stands for none, in words.
        why: String,
    },
    /// Bound to every address of the host, and none of them is one that others could reach.
    #[error(
        "bound to {bound}, this host has no {family} address to advertise but loopback and \
         link-local ones; give one (advertise, --advertise) or bind to one (bind, --bind)"
    )]
    NoAddress {
        /// What it is bound to.
        bound: SocketAddr,
        /// The family of addresses that others would reach it by.
        family: &'static str,
    },
    /// An address that the agent was given is not one that it allows.
    #[error("cannot {what} {address}: it is {outside}")]
    Outside {
        /// What was to be done with it: `advertise`, or `join through`.
        what: &'static str,
        /// What was given.
        address: SocketAddr,
        /// What is allowed, in words.
        outside: String,
    },
    /// Not even the agent itself would have room.
    #[error(
        "room for {max_members} members has none for the agent itself (max_members, --max-members)"
    )]
    NoRoom {
        /// What was given.
        max_members: usize,
    },
    /// The name cannot be announced to the network segment.
    #[error("cannot be discovered as {name:?}: {why} (discover, --discover)")]
    Discover {
        /// What was given.
        name: String,
        /// Why not, in words.
        why: String,
    },
    /// Nothing can be sealed.
    #[cfg(feature = "seal")]
    #[error(transparent)]
    Seal(#[from] swim_wire::seal::SealError),
    /// The data directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Tasks need a Tokio runtime, and the caller is outside of one.
    #[error("an agent needs a tokio runtime to run in")]
    NoRuntime,
}

/// The agent has ended: it left, was shut down, or its last handle was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent has stopped")]
pub struct Stopped;

/// Why a join through given addresses did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// There was nobody to ask.
    #[error("no address to join through")]
    NoAddress,
    /// Nobody answered in time.
    #[error("nobody answered the join: {}", Listed(.0))]
    Unanswered(Vec<Unanswered>),
    /// The agent has left the cluster, or is about to.
    #[error("the agent is leaving its cluster")]
    Leaving,
    /// The agent has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A join that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joined {
    /// How many of the addresses have answered; at least one.
    pub answered: usize,
    /// The others, and why they did not.
    pub unanswered: Vec<Unanswered>,
}

/// An address that did not answer a join.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unanswered {
    /// As it was given: `host:port`.
    pub address: String,
    /// Why not, in words.
    pub why: String,
}

struct Listed<'a>(&'a [Unanswered]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Unanswered { address, why }) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{address} ({why})")?;
        }
        Ok(())
    }
}

/// Why an event or a query was refused. Nobody was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// Its name, its size or its filters are out of bounds, too much waits, or the node has left.
    #[error("the event or query was refused: {0}")]
    Refused(#[from] swim_core::EventError),
    /// A pattern makes no sense.
    #[error("metadata {key:?}: pattern {pattern:?}: {why}")]
    Pattern {
        /// The key whose values it is for.
        key: String,
        /// As it was given.
        pattern: String,
        /// What is wrong with it, in words.
        why: String,
    },
    /// A time-out out of bounds.
    #[error("a time-out of {found:?} is not within 1 ms to 1 h")]
    Timeout {
        /// What was given.
        found: Duration,
    },
    /// Too many relays.
    #[error("{found} relays are above the limit of 8")]
    Relays {
        /// What was given.
        found: u8,
    },
    /// A ping is nothing but its acks.
    #[error("a query named \"swim.ping\" is answered by acks alone, and asks for none")]
    PingWithoutAck,
    /// Agents ask it of each other.
    #[error("the name \"swim.keys\" is reserved for what agents ask each other")]
    Reserved,
    /// The agent has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a round trip is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoundTripError {
    /// Not a member that this agent knows.
    #[error("no member {name:?}")]
    Unknown {
        /// As it was given.
        name: String,
    },
    /// Both are the same member.
    #[error("from {name:?} to itself there is no round trip")]
    Itself {
        /// As it was given.
        name: String,
    },
    /// Nothing was measured, and the member has told no coordinate so far.
    #[error(
        "no coordinate of {name:?} has come here yet: each member tells its own with one answer \
         to a probe in eight"
    )]
    NoCoordinate {
        /// The member, or this agent when it has measured nothing itself.
        name: String,
    },
    /// Nothing was measured, and coordinates are switched off.
    #[error("not measured, and network coordinates are switched off (protocol.coordinates)")]
    Off,
    /// The agent has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why metadata was not changed. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The whole map would be too large, or the node has left.
    #[error(transparent)]
    Metadata(#[from] swim_core::MetadataError),
    /// The agent has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a member was not removed. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// It is the agent itself, nobody has that name, or the agent leaves.
    #[error(transparent)]
    Refused(#[from] swim_core::RemovalError),
    /// The agent has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
