//! Records in a file: where one begins, how long it is, and whether it is whole.
//!
//! ```text
//! file    HEADER frame*
//! frame   MARK u8 | kind u8 | length u32 | checksum u32 | payload       integers little-endian
//! ```
//!
//! The checksum (CRC-32) covers kind, length and payload. No text contains the mark, so no name and
//! no metadata of a peer's choice is ever taken for a record.

/// What a file begins with: its name and the major version of the format.
pub(super) const HEADER: &[u8] = b"SWIMST\x00\x01";
/// Begins a frame; no byte of UTF-8.
const MARK: u8 = 0xf5;
/// Bytes of a frame without its payload.
pub(super) const OVERHEAD: usize = 10;
/// The longest payload in bytes: far above metadata, far below what a damaged length could claim.
const MAX_PAYLOAD: usize = 1 << 20;

/// Appends one frame to `out`.
pub(super) fn append(kind: u8, payload: &[u8], out: &mut Vec<u8>) {
    // Payloads are members and metadata, each limited to some kilobytes.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    out.extend([MARK, kind]);
    out.extend(length);
    out.extend(checksum(kind, length, payload).to_le_bytes());
    out.extend(payload);
}

fn checksum(kind: u8, length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

/// What was found beside whole frames.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    /// Offset and length of each stretch that is followed by whole frames.
    pub(super) stretches: Vec<(usize, usize)>,
    /// Bytes behind the last whole frame: one that was being written when the process ended.
    pub(super) torn: usize,
}

/// Hands each whole frame behind the header to `each`, in order. O(bytes).
pub(super) fn scan(bytes: &[u8], mut each: impl FnMut(u8, &[u8])) -> Damage {
    let mut damage = Damage::default();
    let (mut at, mut end) = (HEADER.len().min(bytes.len()), HEADER.len().min(bytes.len()));
    while let Some(skipped) = bytes[at..].iter().position(|&byte| byte == MARK) {
        at += skipped;
        let Some((kind, payload)) = whole(&bytes[at..]) else {
            at += 1;
            continue;
        };
        if at > end {
            damage.stretches.push((end, at - end));
        }
        each(kind, payload);
        at += OVERHEAD + payload.len();
        end = at;
    }
    damage.torn = bytes.len() - end;
    damage
}

/// The frame that `bytes` begin with, if it is whole.
fn whole(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (head, rest) = bytes.split_at_checked(OVERHEAD)?;
    let length: [u8; 4] = head[2..6].try_into().ok()?;
    let held: [u8; 4] = head[6..].try_into().ok()?;
    let payload = usize::try_from(u32::from_le_bytes(length)).ok()?;
    let payload = rest.get(..payload).filter(|payload| payload.len() <= MAX_PAYLOAD)?;
    (checksum(head[1], length, payload) == u32::from_le_bytes(held)).then_some((head[1], payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Frames = Vec<(u8, Vec<u8>)>;

    fn file(frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        frames.iter().for_each(|(kind, payload)| append(*kind, payload, &mut bytes));
        bytes
    }

    fn read(bytes: &[u8]) -> (Frames, Damage) {
        let mut frames = Frames::new();
        let damage = scan(bytes, |kind, payload| frames.push((kind, payload.to_vec())));
        (frames, damage)
    }

    fn some() -> Frames {
        vec![(1, b"one".to_vec()), (2, Vec::new()), (9, vec![MARK; 40]), (3, b"last".to_vec())]
    }

    #[test]
    fn cut_at_any_byte_the_frames_before_it_remain() {
        let bytes = file(&some());
        for end in 0..=bytes.len() {
            let (frames, damage) = read(&bytes[..end]);
            assert_eq!(frames, some()[..frames.len()], "cut at {end}");
            let kept = file(&frames).len().min(end.max(HEADER.len()));
            assert_eq!((damage.stretches.len(), damage.torn), (0, end.saturating_sub(kept)));
        }
    }

    #[test]
    fn whatever_byte_is_flipped_no_frame_is_wrong_and_at_most_one_is_lost() {
        let bytes = file(&some());
        for at in HEADER.len()..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                let (frames, damage) = read(&bytes);
                assert_eq!(frames.len(), some().len() - 1, "byte {at}, bit {bit}");
                assert!(frames.iter().all(|frame| some().contains(frame)));
                let lost: usize = damage.stretches.iter().map(|(_, length)| length).sum();
                assert_eq!(lost + damage.torn + file(&frames).len(), bytes.len());
            }
        }
    }

    proptest! {
        #[test]
        fn garbage_holds_no_frames(garbage in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let (frames, damage) = read(&garbage);
            prop_assert_eq!(frames, Frames::new());
            prop_assert_eq!(damage.torn, garbage.len().saturating_sub(HEADER.len()));
        }

        #[test]
        fn garbage_between_frames_costs_no_frame(
            garbage in proptest::collection::vec(any::<u8>(), 0..300),
            place in 0..4_usize,
        ) {
            let mut bytes = file(&some()[..place]);
            let offset = bytes.len();
            bytes.extend(&garbage);
            bytes.extend(&file(&some()[place..])[HEADER.len()..]);
            let (frames, damage) = read(&bytes);
            prop_assert_eq!(frames, some());
            let stretch = (!garbage.is_empty()).then_some((offset, garbage.len()));
            prop_assert_eq!(damage, Damage { stretches: stretch.into_iter().collect(), torn: 0 });
        }
    }
}
