//! What can be wrong with a packet, a codec's settings, a frame.

use crate::codec::MAJOR;

/// Why a packet was refused; nothing of it has been delivered.
///
/// All of these are the sender's doing (or chance's, or an attacker's); none is a bug here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Of another layout; the cluster is being upgraded across a major version.
    #[error("packet of major version {found}, this node speaks {MAJOR}")]
    OtherMajor {
        /// The packet's; 0 if it names none.
        found: u32,
    },
    /// For another cluster, or for none (an empty name).
    #[error("packet of cluster {found:?}, this node is in {expected:?}")]
    OtherCluster {
        /// The packet's, at most 64 bytes.
        found: String,
        /// The codec's.
        expected: String,
    },
    /// Not protobuf: cut off, a length that points outside, an impossible key or number.
    #[error("malformed {message} {left} bytes before its end")]
    Malformed {
        /// The innermost message it was met in.
        message: &'static str,
        /// Bytes of it that were not read.
        left: usize,
    },
    /// A known field with a type that is not its own.
    #[error("field {field} is of another wire type")]
    WireType {
        /// The field.
        field: &'static str,
    },
    /// What may occur once in a message occurs again.
    #[error("field {field} occurs twice")]
    Repeated {
        /// The field.
        field: &'static str,
    },
    /// A number above what its field can say.
    #[error("{field} of {found}, the most is {max}")]
    NumberTooLarge {
        /// The field.
        field: &'static str,
        /// The number.
        found: u64,
        /// The largest allowed.
        max: u64,
    },
    /// A text that is not UTF-8.
    #[error("{field} of {len} bytes is not utf-8")]
    NotUtf8 {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// A member without a name.
    #[error("{field} is empty")]
    EmptyName {
        /// The field.
        field: &'static str,
    },
    /// A column that does not fit those beside it.
    #[error("column {column} has {found} entries, the others want {expected}")]
    ColumnLength {
        /// The column.
        column: &'static str,
        /// Its entries.
        found: usize,
        /// One per name; of metadata, one per status that announces some, as far as read.
        expected: usize,
    },
    /// The addresses end before the last one that a status announces.
    #[error("addresses end {missing} bytes too early")]
    AddressesTooShort {
        /// Bytes of the first missing address that are not there.
        missing: usize,
    },
    /// Bytes after the last address that a status announces.
    #[error("{left} bytes after the last address")]
    AddressesTooLong {
        /// How many.
        left: usize,
    },
    /// A status with an unknown address family, a repeated port where there is none, or bits
    /// above the counter.
    #[error("status {status:#x} of entry {entry} makes no sense")]
    Status {
        /// The status.
        status: u64,
        /// Which entry's, from 0.
        entry: usize,
    },
    /// Differences of epochs that lead outside 32 bits.
    #[error("epoch difference {difference} of entry {entry} leaves 32 bits")]
    Epoch {
        /// The difference.
        difference: i64,
        /// Which entry's, from 0.
        entry: usize,
    },
    /// A member in a `Sync` without an address.
    #[error("member {entry} of a sync has no address")]
    MissingAddress {
        /// Which, from 0.
        entry: usize,
    },
    /// Numbers of fixed size that fill their column unevenly.
    #[error("{column} of {len} bytes does not hold whole numbers of {size}")]
    UnevenColumn {
        /// The column.
        column: &'static str,
        /// Its length in bytes.
        len: usize,
        /// Bytes per number.
        size: usize,
    },
    /// A digest cut into a number of buckets that is not a power of two.
    #[error("{found} buckets are not a power of two")]
    BucketCount {
        /// How many.
        found: u64,
    },
    /// Buckets of a digest that do not ascend or lie outside.
    #[error("bucket {bucket} of {of} is out of order or range")]
    Bucket {
        /// The bucket.
        bucket: u64,
        /// How many there are.
        of: u32,
    },
    /// A coordinate of another length.
    #[error("coordinate of {found} bytes, it takes {expected}")]
    Coordinate {
        /// Its length in bytes.
        found: usize,
        /// That of every coordinate.
        expected: usize,
    },
    /// A predecessor of a notice that is not before it, or before all time.
    #[error("a notice of time {ltime} after one that is {lag} earlier")]
    Lag {
        /// The notice's time.
        ltime: u64,
        /// By how much the other's is lower.
        lag: u64,
    },
    /// Longer than [`Limits::packet_bytes`](crate::Limits::packet_bytes).
    #[error("packet of {len} bytes, the most is {max}")]
    PacketTooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Longer than [`Limits::name_bytes`](crate::Limits::name_bytes), or a cluster name above 64.
    #[error("{field} of {len} bytes, the most is {max}")]
    NameTooLong {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// More than [`Limits::metadata_bytes`](crate::Limits::metadata_bytes) of one member.
    #[error("metadata of {len} bytes, the most is {max}")]
    MetadataTooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// More than [`Limits::messages`](crate::Limits::messages).
    #[error("{found} messages in a packet, the most is {max}")]
    TooManyMessages {
        /// How many, as far as counted.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// More than [`Limits::updates`](crate::Limits::updates).
    #[error("{found} updates in a packet, the most is {max}")]
    TooManyUpdates {
        /// How many, as far as counted.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// More than [`Limits::accusations`](crate::Limits::accusations).
    #[error("{found} accusations in a packet, the most is {max}")]
    TooManyAccusations {
        /// How many, as far as counted.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// More than [`Limits::digest_entries`](crate::Limits::digest_entries).
    #[error("{found} digest entries in a packet, the most is {max}")]
    TooManyDigestEntries {
        /// How many, as far as counted.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// More than [`Limits::notices`](crate::Limits::notices).
    #[error("{found} events and queries in a packet, the most is {max}")]
    TooManyNotices {
        /// How many, as far as counted.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// More names and patterns than a query may have.
    #[error("{found} members and patterns in a query, the most is {max}")]
    TooManyFilters {
        /// How many, as far as counted.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// More than [`Limits::stamps`](crate::Limits::stamps), or predecessors than a notice may have.
    #[error("{found} stamps of events and queries, the most is {max}")]
    TooManyStamps {
        /// How many, as far as counted.
        found: usize,
        /// The limit.
        max: usize,
    },
}

/// Settings that a codec refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// A cluster name that is empty or too long.
    #[error("cluster name of {len} bytes, it takes 1 to {max}")]
    ClusterName {
        /// Its length in bytes.
        len: usize,
        /// The longest allowed.
        max: usize,
    },
    /// A limit above what it can be raised to.
    #[error("limit {limit} of {value}, the most is {max}")]
    Limit {
        /// The field of [`Limits`](crate::Limits).
        limit: &'static str,
        /// What was asked for.
        value: usize,
        /// The largest allowed.
        max: usize,
    },
}

/// A packet or a frame header that a stream refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame without content; no packet is empty.
    #[error("empty frame")]
    Empty,
    /// A frame longer than the reader takes, or than a header can say.
    #[error("frame of {len} bytes, the most is {max}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
}
