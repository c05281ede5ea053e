//! Which packets of a session came already: a bit each for the last thousand, as RFC 6479 keeps
//! them, in a ring of words that is never shifted.

use super::error::OpenError;

const WORD: u64 = u64::BITS as u64;
const WORDS: u64 = 17;
/// How far behind the highest packet of its session one may come. One word more is kept, because
/// the highest packet may be the first of its word.
pub(super) const WINDOW: u64 = (WORDS - 1) * WORD;

/// What came of one session.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// One more than the highest that came, 0 before the first.
    next: u64,
    came: [u64; WORDS as usize],
}

impl Window {
    /// Takes nothing below `next`, of which nobody remembers more: all of it counts as come.
    pub(super) fn from(next: u64) -> Self {
        let came = if next == 0 { 0 } else { u64::MAX };
        Self { next, came: [came; WORDS as usize] }
    }

    /// One more than the highest that came.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether a packet may still come.
    pub(super) fn check(&self, counter: u32) -> Result<(), OpenError> {
        let (at, next) = (u64::from(counter), self.next);
        if at >= next {
            return Ok(());
        }
        if at + WINDOW < next {
            return Err(OpenError::TooOld { counter, next });
        }
        let (word, bit) = place(at);
        if self.came[word] & bit != 0 { Err(OpenError::Replayed { counter }) } else { Ok(()) }
    }

    /// Notes that it came, unless it may not.
    pub(super) fn take(&mut self, counter: u32) -> Result<(), OpenError> {
        self.check(counter)?;
        let at = u64::from(counter);
        if at >= self.next {
            self.clear(at);
            self.next = at + 1;
        }
        let (word, bit) = place(at);
        self.came[word] |= bit;
        Ok(())
    }

    /// Empties the words between the highest that came and `at`, which are of older packets.
    fn clear(&mut self, at: u64) {
        let first = self.next.div_ceil(WORD);
        let last = at / WORD;
        for word in (first..=last).rev().take(WORDS as usize) {
            self.came[(word % WORDS) as usize] = 0;
        }
        // What of the highest word lies above it has not come, though `from` set it.
        if !self.next.is_multiple_of(WORD) {
            let (word, bit) = place(self.next);
            self.came[word] &= bit - 1;
        }
    }
}

/// Word and bit of a packet.
fn place(at: u64) -> (usize, u64) {
    ((at / WORD % WORDS) as usize, 1 << (at % WORD))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Beside a set of all that came.
        #[test]
        fn it_takes_what_a_perfect_memory_would_unless_it_is_too_old(
            from in prop_oneof![Just(0), 0..3_000_u64],
            jumps in proptest::collection::vec((any::<bool>(), 0..2_500_u32), 1..300),
        ) {
            let mut window = Window::from(from);
            let mut came = BTreeSet::new();
            let mut highest = u32::try_from(from).unwrap();
            for (ahead, by) in jumps {
                let counter = if ahead { highest + by / 8 } else { highest.saturating_sub(by) };
                let at = u64::from(counter);
                let expected = match came.last().map_or(from, |last| from.max(last + 1)) {
                    next if at + WINDOW < next => Err(OpenError::TooOld { counter, next }),
                    _ if at < from || came.contains(&at) => Err(OpenError::Replayed { counter }),
                    _ => Ok(()),
                };
                prop_assert_eq!(window.check(counter), expected.clone());
                prop_assert_eq!(window.take(counter), expected.clone());
                if expected.is_ok() {
                    came.insert(at);
                    highest = highest.max(counter);
                }
            }
        }
    }

    #[test]
    fn the_last_counter_is_taken_once() {
        let mut window = Window::from(0);
        assert_eq!(window.take(u32::MAX), Ok(()));
        assert_eq!(window.take(u32::MAX), Err(OpenError::Replayed { counter: u32::MAX }));
        assert_eq!(window.take(u32::MAX - 1), Ok(()));
        let next = 1 << 32;
        assert_eq!(window.take(7), Err(OpenError::TooOld { counter: 7, next }));
    }

    #[test]
    fn it_reaches_exactly_as_far_back_as_it_says() {
        let mut window = Window::from(0);
        window.take(5_000).unwrap();
        let last = 5_001 - u32::try_from(WINDOW).unwrap();
        assert_eq!(window.take(last), Ok(()));
        assert_eq!(
            window.take(last - 1),
            Err(OpenError::TooOld { counter: last - 1, next: 5_001 })
        );
    }
}
