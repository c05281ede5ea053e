//! Packets in a stream: each after its length, 32 bits, big-endian.
//!
//! Bytes in, bytes out; whose stream it is and how it is read is the caller's.

use crate::error::FrameError;

/// Bytes before each packet in a stream.
pub const FRAME_HEADER_LEN: usize = 4;

/// The header to write before a packet of `packet_len` bytes.
///
/// # Errors
/// [`FrameError::Empty`] for 0, [`FrameError::TooLong`] above 4 GiB - 1.
pub fn encode_frame_header(packet_len: usize) -> Result<[u8; FRAME_HEADER_LEN], FrameError> {
    if packet_len == 0 {
        return Err(FrameError::Empty);
    }
    let too_long = |_| FrameError::TooLong { len: packet_len, max: u32::MAX as usize };
    u32::try_from(packet_len).map(u32::to_be_bytes).map_err(too_long)
}

/// The length in bytes of the packet that follows `header`, for a reader that takes `max`.
///
/// To be asked before a buffer is made for the packet: the header is the peer's word.
///
/// # Errors
/// [`FrameError::Empty`] for 0, [`FrameError::TooLong`] above `max`. The stream cannot be
/// followed any further after either.
///
/// ```
/// use swim_wire::{FrameError, decode_frame_header, encode_frame_header};
/// let header = encode_frame_header(300).unwrap();
/// assert_eq!(header, [0, 0, 1, 44]);
/// assert_eq!(decode_frame_header(header, 1_024), Ok(300));
/// assert_eq!(decode_frame_header(header, 256), Err(FrameError::TooLong { len: 300, max: 256 }));
/// ```
pub fn decode_frame_header(
    header: [u8; FRAME_HEADER_LEN],
    max: usize,
) -> Result<usize, FrameError> {
    // No loss: pointers of the machines that this runs on have at least 32 bits.
    let len = u32::from_be_bytes(header) as usize;
    match len {
        0 => Err(FrameError::Empty),
        _ if len > max => Err(FrameError::TooLong { len, max }),
        _ => Ok(len),
    }
}
