//! Lengths in front of packets.

use swim_wire::{FrameError, decode_frame_header, encode_frame_header};

#[test]
fn headers_say_the_length_from_one_to_the_most() {
    for len in [1, 255, 256, 16 * 1024 * 1024, u32::MAX as usize] {
        let header = encode_frame_header(len).unwrap();
        assert_eq!(decode_frame_header(header, len), Ok(len));
        let refused = decode_frame_header(header, len - 1);
        assert_eq!(refused, Err(FrameError::TooLong { len, max: len - 1 }));
    }
}

#[test]
fn empty_frames_are_refused_on_both_sides() {
    assert_eq!(encode_frame_header(0), Err(FrameError::Empty));
    assert_eq!(decode_frame_header([0; 4], 1_024), Err(FrameError::Empty));
}

#[test]
#[cfg(target_pointer_width = "64")]
fn what_a_header_cannot_say_is_refused() {
    let (len, max) = (u32::MAX as usize + 1, u32::MAX as usize);
    assert_eq!(encode_frame_header(len), Err(FrameError::TooLong { len, max }));
}
