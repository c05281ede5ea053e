//! Upper bounds of what messages take on the wire.
//!
//! The byte budget of a datagram needs them, a codec does not: `swim-wire` proves by property
//! test that its encoding stays below these bounds.

use std::collections::HashMap;
use std::net::SocketAddr;

/// Most bytes that a datagram's envelope, its cluster name of up to 64 bytes included, and the
/// frame around its messages take.
pub const ENVELOPE: usize = 88;
/// Most bytes of a `Ping`, `Ack` or `Nack` beside its names.
pub(crate) const PROBE: usize = 20;
/// Most bytes of a `Gossip` and its `Evidence` beside the updates: the column headers.
pub(crate) const GOSSIP: usize = 32;
/// Most bytes of one update beside name, address and metadata: state, age, incarnation.
pub(crate) const UPDATE: usize = 16;
/// Most bytes of the frame around one member's metadata.
pub(crate) const METADATA: usize = 5;
/// Most bytes of one accusation beside its two names.
pub(crate) const ACCUSATION: usize = 28;

/// Most bytes that a text of `len` bytes takes with its header.
pub(crate) const fn text(len: usize) -> usize {
    len + match len {
        0..128 => 2,
        128..16_384 => 3,
        _ => 5,
    }
}

/// Bytes of an address: the IP and the port.
pub(crate) fn address(address: &SocketAddr) -> usize {
    if address.is_ipv4() { 6 } else { 18 }
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
