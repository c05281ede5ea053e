//! Errors that a caller can act on. A peer's packet never makes one: it is dropped and counted.

/// A configuration that makes no sense; nothing was built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A ping may not take longer than the period it belongs to.
    #[error("probe_timeout of {probe_timeout} ms is above probe_interval of {probe_interval} ms")]
    TimeoutAboveInterval {
        /// Milliseconds.
        probe_timeout: u64,
        /// Milliseconds.
        probe_interval: u64,
    },
    /// Metadata must leave room for other updates.
    #[error(
        "metadata_limit of {metadata_limit} bytes is above half of datagram_budget of \
         {datagram_budget} bytes"
    )]
    MetadataAboveBudget {
        /// Bytes.
        metadata_limit: usize,
        /// Bytes.
        datagram_budget: usize,
    },
    /// A value outside its range.
    #[error("{name} of {value} is not within {range}")]
    OutOfRange {
        /// The field.
        name: &'static str,
        /// What it was set to.
        value: u64,
        /// What it may be.
        range: &'static str,
    },
    /// The metadata to start with must fit its limit.
    #[error("metadata of {len} bytes encoded is above the limit of {limit} bytes")]
    Metadata {
        /// Bytes that the map would take on the wire.
        len: usize,
        /// Bytes that it may take.
        limit: usize,
    },
    /// Keys that begin with `swim.` are the protocol's own.
    #[error(
        "the metadata key {key:?} is reserved: keys that begin with \"swim.\" are the protocol's own"
    )]
    ReservedKey {
        /// The key.
        key: String,
    },
    /// A name must have between 1 and 255 bytes.
    #[error("a name of {len} bytes is not within 1 to {max} bytes")]
    NameLength {
        /// Bytes of the name.
        len: usize,
        /// Most bytes of a name.
        max: usize,
    },
}

/// Metadata that was refused; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The whole map must fit the limit.
    #[error("metadata of {len} bytes encoded is above the limit of {limit} bytes")]
    TooLarge {
        /// Bytes that the map would take on the wire.
        len: usize,
        /// Bytes that it may take.
        limit: usize,
    },
    /// Keys that begin with `swim.` are the protocol's own.
    #[error("the key {key:?} is reserved: keys that begin with \"swim.\" are the protocol's own")]
    Reserved {
        /// The key.
        key: String,
    },
    /// A node that left has nothing to say any more.
    #[error("the node has left its cluster")]
    Left,
}

/// A member that was not removed; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemovalError {
    /// A node does not remove itself: it says goodbye.
    #[error("that is this node itself: it leaves by leave")]
    Oneself,
    /// Nobody is known by that name.
    #[error("no member is named {name:?}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A node that left has nothing to say any more.
    #[error("the node has left its cluster")]
    Left,
}

/// An event or a query that was refused; nothing has changed and nobody was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// It must fit [`Options::event_limit`](crate::Options::event_limit).
    #[error("{len} bytes encoded are above the limit of {limit} bytes")]
    TooLarge {
        /// Bytes that it would take on the wire.
        len: usize,
        /// Bytes that it may take.
        limit: usize,
    },
    /// A name must have between 1 and 255 bytes.
    #[error("a name of {len} bytes is not within 1 to {max} bytes")]
    NameLength {
        /// Bytes of the name.
        len: usize,
        /// Most bytes of a name.
        max: usize,
    },
    /// A query may name so many members and patterns.
    #[error("{found} members and patterns are above the limit of {max}")]
    TooManyFilters {
        /// How many.
        found: usize,
        /// Most of them.
        max: usize,
    },
    /// So much waits to be told that this one would push out what was accepted before.
    #[error("{waiting} events wait to be told already; try again later")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// A node that left has nothing to say any more.
    #[error("the node has left its cluster")]
    Left,
}
