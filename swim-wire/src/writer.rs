//! Protobuf written straight into the packet, with the canonical omission of zeros and empties.
//!
//! Each `put_` has a length that is known before it writes: nothing is encoded to be measured.

use bytes::{BufMut, BytesMut};
use prost::encoding::{WireType, encoded_len_varint, key_len};

/// Bytes of a text, a column or a message of `len` bytes with its header.
pub(crate) fn delimited_len(field: u32, len: usize) -> usize {
    key_len(field) + encoded_len_varint(len as u64) + len
}

/// The same where an empty one is left out.
pub(crate) fn nonempty_len(field: u32, len: usize) -> usize {
    if len == 0 { 0 } else { delimited_len(field, len) }
}

/// The header of a text, a column or a message of `len` bytes, which the caller writes next.
pub(crate) fn put_header(field: u32, len: usize, packet: &mut BytesMut) {
    put_key(field, WireType::LengthDelimited, packet);
    put_number(len as u64, packet);
}

fn put_key(field: u32, wire_type: WireType, packet: &mut BytesMut) {
    put_number(u64::from(field << 3 | wire_type as u32), packet);
}

/// A varint without a key. Most take one byte: to write that at once takes a tenth off a `Gossip`.
pub(crate) fn put_number(value: u64, out: &mut impl BufMut) {
    if value < 0x80 {
        out.put_u8(value as u8);
    } else {
        prost::encoding::encode_varint(value, out);
    }
}

/// A text or bytes, unless empty.
pub(crate) fn put_bytes(field: u32, bytes: &[u8], packet: &mut BytesMut) {
    if !bytes.is_empty() {
        put_header(field, bytes.len(), packet);
        packet.put_slice(bytes);
    }
}

/// Bytes of a varint field; none for zero.
pub(crate) fn varint_len(field: u32, value: u64) -> usize {
    if value == 0 { 0 } else { key_len(field) + encoded_len_varint(value) }
}

/// A varint field, unless zero.
pub(crate) fn put_varint(field: u32, value: u64, packet: &mut BytesMut) {
    if value != 0 {
        put_key(field, WireType::Varint, packet);
        put_number(value, packet);
    }
}

/// Bytes of a varint field, zero too: one of a oneof.
pub(crate) fn varint_field_len(field: u32, value: u64) -> usize {
    key_len(field) + encoded_len_varint(value)
}

/// A varint field, zero too.
pub(crate) fn put_key_and_number(field: u32, value: u64, packet: &mut BytesMut) {
    put_key(field, WireType::Varint, packet);
    put_number(value, packet);
}

/// Bytes of a field of eight bytes.
pub(crate) fn fixed64_len(field: u32) -> usize {
    key_len(field) + size_of::<u64>()
}

/// A field of eight bytes, zero too.
pub(crate) fn put_fixed64(field: u32, value: u64, packet: &mut BytesMut) {
    put_key(field, WireType::SixtyFourBit, packet);
    packet.put_u64_le(value);
}

/// Bytes of a packed column of 32-bit numbers.
pub(crate) fn fixed32s_len(field: u32, values: &[u32]) -> usize {
    nonempty_len(field, size_of_val(values))
}

/// A packed column of 32-bit numbers.
pub(crate) fn put_fixed32s(field: u32, values: &[u32], packet: &mut BytesMut) {
    if values.is_empty() {
        return;
    }
    put_header(field, size_of_val(values), packet);
    for value in values {
        packet.put_u32_le(*value);
    }
}
