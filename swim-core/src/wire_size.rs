//! Upper bounds of what messages take on the wire.
//!
//! The byte budget of a datagram needs them and has no codec to ask. They are the arithmetic of
//! `proto/swim/v1/swim.proto`, exact but for what depends on neighbours (a port or an epoch like
//! the one before) and for headers, whose length depends on all that is to come. `swim-wire` proves
//! by property test that its encoding stays below; so must that of any other codec, or datagrams
//! come out larger than planned.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::coordinate::Coordinate;
use crate::member::{Incarnation, Member};
use crate::notice::{Body, Notice, Said};

/// Most bytes of a datagram's envelope: version, and a cluster name of 64 bytes.
pub const ENVELOPE: usize = uint(1) + uint(1) + text(64);
/// Most bytes of a `Ping`, `Ack` or `Nack` beside its name: its header, and the longest `seq`.
pub const PROBE: usize = 2 * HEADER + uint(u64::MAX);
/// Bytes of the coordinate that one `Ack` in some carries beside that.
pub const COORDINATE: usize = text(Coordinate::LEN);
/// Most bytes of a `Gossip` and its `Evidence` in a datagram beside updates and accusations: their
/// headers, those of three columns and that of the ages, for at most 255 updates.
pub const GOSSIP: usize = 2 * 2 * LONG_HEADER + 4 * HEADER;

/// Most bytes of a list of notices in a datagram beside the notices: its headers.
pub const NOTICES: usize = 2 * LONG_HEADER;

/// Key and length of what is below 16 KiB, as every column of 255 entries is.
const HEADER: usize = KEY + 2;
/// Key and length of what is below 2 MiB, as every datagram is.
const LONG_HEADER: usize = KEY + 3;
/// All field numbers are below 16.
const KEY: usize = 1;
const FIXED64: usize = 8;
/// Of an octet in a column.
const AGE: usize = 1;
/// Of the difference of two epochs of 32 bits, which has a sign.
const EPOCH: usize = varint(1 << 32);
/// Flags below the counter in a status.
const FLAGS: u64 = 6;

/// Most bytes of one update in a `Gossip` beside name, address and metadata: state, incarnation,
/// and the age in the companion.
pub fn record(incarnation: Incarnation) -> usize {
    let counter = u64::from(incarnation as u32);
    // Flags lengthen nothing: without a counter they take one byte too.
    varint(counter << FLAGS) + EPOCH + AGE
}

/// Most bytes of an address: the IP and the port.
pub fn address(address: &SocketAddr) -> usize {
    if address.is_ipv4() { 6 } else { 18 }
}

/// Bytes of a member's metadata with its header, beside its address; most bytes where keys or values
/// are empty. None takes none: that goes without saying beside an address, and only there.
pub fn metadata(metadata: &HashMap<String, String>) -> usize {
    if metadata.is_empty() { 0 } else { text(metadata_len(metadata)) }
}

/// Most bytes of one accusation by a member whose name takes `name` bytes with its header.
pub fn accusation(name: usize, health: u8) -> usize {
    text(uint(u8::MAX as u64) + name + uint(health.into()))
}

/// Most bytes of who removed a member, by a member whose name takes `name` bytes with its header: an
/// entry of metadata, beside no address.
pub fn removal(name: usize) -> usize {
    text(text(text(Member::REMOVED.len()) + name.max(text(0))))
}

/// Bytes of a text of `len` bytes, such as a name, with its header.
pub const fn text(len: usize) -> usize {
    KEY + varint(len as u64) + len
}

/// Most bytes that `metadata` takes on the wire: what `metadata_limit` is compared with.
///
/// ```
/// use std::collections::HashMap;
/// let metadata = HashMap::from([("role".to_string(), "db".to_string())]);
/// assert_eq!(swim_core::metadata_len(&metadata), 2 + (2 + 4) + (2 + 2));
/// ```
pub fn metadata_len(metadata: &HashMap<String, String>) -> usize {
    metadata.iter().map(|(key, value)| text(text(key.len()) + text(value.len()))).sum()
}

/// Most bytes of a notice in a datagram: its header, what names it and what precedes it, and its
/// body or how long that is.
pub fn notice<B: Body>(notice: &Notice<B>) -> usize {
    let stamp = notice.stamp;
    let lags = notice.after.iter().map(|before| varint(stamp.ltime.saturating_sub(before.ltime)));
    let after = match notice.after.len() {
        0 => 0,
        count => text(FIXED64 * count) + text(lags.sum()),
    };
    let said = match &notice.said {
        Said::Whole(body) => body.wire_len(),
        Said::Announced(len) => KEY + varint(*len as u64),
    };
    text(KEY + FIXED64 + uint(stamp.ltime) + after + said)
}

/// A number with its key; zero is left out.
const fn uint(value: u64) -> usize {
    if value == 0 { 0 } else { KEY + varint(value) }
}

/// A byte for every seven bits, and one for zero.
const fn varint(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}
