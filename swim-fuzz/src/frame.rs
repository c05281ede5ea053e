//! Packets in a stream.

use swim_wire::{FRAME_HEADER_LEN, FrameError, decode_frame_header, encode_frame_header};

use crate::source::Source;

/// Reads headers one after the other and skips what they announce, as a reader of a stream does,
/// with a limit that comes first.
pub fn frame(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let max = usize::try_from(source.word()).unwrap_or(usize::MAX);
    while !source.is_empty() {
        let Ok(header) = <[u8; FRAME_HEADER_LEN]>::try_from(source.take(FRAME_HEADER_LEN)) else {
            return;
        };
        let claimed = u32::from_be_bytes(header) as usize;
        match decode_frame_header(header, max) {
            Ok(len) => {
                assert!(len == claimed && 0 < len && len <= max);
                assert_eq!(encode_frame_header(len), Ok(header));
                source.take(len);
            }
            Err(FrameError::Empty) => assert_eq!(claimed, 0),
            Err(FrameError::TooLong { len, max: most }) => {
                assert!(len == claimed && most == max && len > max);
            }
            Err(other) => panic!("{other}"),
        }
    }
}
