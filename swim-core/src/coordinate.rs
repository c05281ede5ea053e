//! Where a member is in the space of round trips, as it travels.

use std::fmt;
use std::time::Duration;

/// Where a member is in the space of round trips: the distance of two coordinates estimates what a
/// message takes from one member to the other and back, though they never spoke.
///
/// A position in three dimensions and a height above it, as Vivaldi has it (Dabek et al. 2004): the
/// space between positions stands for the network between sites, heights for the ways into it. With
/// it goes how well it predicted the round trips that its member measured.
///
/// Fixed-point, so that there is neither a NaN nor an infinity: microseconds throughout, a range of
/// 8.388 s to each side and 16.777 s of height, of which [`MAX`](Self::MAX) are taken; the error in
/// parts of 2^-15.
///
/// ```
/// use std::time::Duration;
/// use swim_core::Coordinate;
///
/// let here = Coordinate::new([0, 0, 0], Duration::from_micros(100), 0.1);
/// let there = Coordinate::new([3_000, 4_000, 0], Duration::from_micros(200), 0.2);
/// assert_eq!(here.round_trip_to(there), Duration::from_micros(5_000 + 100 + 200));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Coordinate([u8; Coordinate::LEN]);

/// Parts of the error.
const ERROR_PARTS: f64 = 32_768.0;
/// Largest number of 24 bits with a sign.
const MOST: i32 = (1 << 23) - 1;

impl Coordinate {
    /// Bytes that one takes: three positions of three bytes with a sign, three of height, two of
    /// error, each in network order.
    pub const LEN: usize = 14;
    /// The greatest position, to each side, and the greatest height that members take: no round
    /// trip worth an estimate is longer.
    pub const MAX: Duration = Duration::from_secs(4);
    /// The error of who has not measured anything so far; the greatest that members take.
    pub const UNKNOWN: f64 = 1.5;

    /// A coordinate of these parts: a position and a height in microseconds, and the share by which
    /// it misses, from 0 to [`UNKNOWN`](Self::UNKNOWN). What is out of range is moved into it.
    pub fn new(position: [i32; 3], height: Duration, error: f64) -> Self {
        // Saturates; a NaN is 0.
        let error = (error * ERROR_PARTS + 0.5) as u16;
        Self::packed(position, u32::try_from(height.as_micros()).unwrap_or(u32::MAX), error)
    }

    /// The height in microseconds, the error in its parts.
    fn packed(position: [i32; 3], height: u32, error: u16) -> Self {
        let mut bytes = [0; Self::LEN];
        let (places, rest) = bytes.split_at_mut(9);
        for (place, along) in places.chunks_exact_mut(3).zip(position) {
            place.copy_from_slice(&along.clamp(-MOST, MOST).to_be_bytes()[1..]);
        }
        rest[..3].copy_from_slice(&height.min((1 << 24) - 1).to_be_bytes()[1..]);
        rest[3..].copy_from_slice(&error.to_be_bytes());
        Self(bytes)
    }

    /// The same of what the engine reckons with, in microseconds.
    pub(crate) fn of_micros(position: [f64; 3], height: f64, error: f64) -> Self {
        let error = (error * ERROR_PARTS + 0.5) as u16;
        Self::packed(position.map(|along| along as i32), height as u32, error)
    }

    /// The coordinate that stands for these bytes; all bytes stand for one.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes that stand for it.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0
    }

    /// Where it is, in microseconds.
    pub fn position(self) -> [i32; 3] {
        // The sign is the first of 24 bits.
        std::array::from_fn(|i| (self.number(3 * i) << 8) as i32 >> 8)
    }

    /// How far above that.
    pub fn height(self) -> Duration {
        Duration::from_micros(self.height_micros().into())
    }

    pub(crate) fn height_micros(self) -> u32 {
        self.number(9)
    }

    /// The share by which its member's round trips missed what it predicted, as a running mean:
    /// 0.1 is a tenth. [`UNKNOWN`](Self::UNKNOWN) where nothing was measured so far.
    pub fn error(self) -> f64 {
        f64::from(u16::from_be_bytes([self.0[12], self.0[13]])) / ERROR_PARTS
    }

    /// What a message takes from one to the other and back, as far as coordinates tell.
    pub fn round_trip_to(self, other: Self) -> Duration {
        let (here, there) = (self.position(), other.position());
        let square = |i: usize| f64::from(here[i] - there[i]).powi(2);
        let apart = (square(0) + square(1) + square(2)).sqrt();
        Duration::from_micros(apart.round() as u64) + self.height() + other.height()
    }

    /// Whether an honest member may be there.
    pub(crate) fn is_sane(self) -> bool {
        let most = Self::MAX.as_micros() as u32;
        let near = self.position().into_iter().all(|along| along.unsigned_abs() <= most);
        near && self.height_micros() <= most && self.error() <= Self::UNKNOWN
    }

    /// Whether its member had measured anything when it told it: else it says nothing.
    pub fn is_known(self) -> bool {
        self.error() < Self::UNKNOWN
    }

    /// The 24 bits from there on.
    fn number(self, at: usize) -> u32 {
        u32::from_be_bytes([0, self.0[at], self.0[at + 1], self.0[at + 2]])
    }
}

impl fmt::Debug for Coordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coordinate")
            .field("position", &self.position())
            .field("height", &self.height())
            .field("error", &self.error())
            .finish()
    }
}

/// What coordinates tell of a round trip.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RoundTripEstimate {
    /// The round trip.
    pub round_trip: Duration,
    /// The share by which it may well be wrong: the greater of the errors of both coordinates, as
    /// [`Coordinate::error`] has them.
    pub error: f64,
}

impl RoundTripEstimate {
    /// From one to the other; `None` where one of them has not measured anything.
    pub(crate) fn between(one: Coordinate, other: Coordinate) -> Option<Self> {
        let (round_trip, error) = (one.round_trip_to(other), one.error().max(other.error()));
        (one.is_known() && other.is_known()).then_some(Self { round_trip, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_the_same() {
        let micros = Duration::from_micros;
        for (position, height, error) in [
            ([0, 0, 0], 0, 0.0),
            ([-1, 1, -MOST], 1, 0.25),
            ([4_000_000, -4_000_000, MOST], (1 << 24) - 1, 1.5),
        ] {
            let coordinate = Coordinate::new(position, micros(height), error);
            assert_eq!(coordinate.position(), position);
            assert_eq!(coordinate.height(), micros(height));
            assert_eq!(coordinate.error(), error);
            assert_eq!(Coordinate::from_bytes(coordinate.to_bytes()), coordinate);
        }
    }

    #[test]
    fn what_is_out_of_range_is_moved_into_it() {
        let far = Coordinate::new([i32::MIN, i32::MAX, 0], Duration::MAX, f64::INFINITY);
        assert_eq!(far.position(), [-MOST, MOST, 0]);
        assert_eq!(far.height(), Duration::from_micros((1 << 24) - 1));
        assert!(far.error() > 1.9 && !far.is_sane());
        assert_eq!(Coordinate::new([0; 3], Duration::ZERO, f64::NAN).error(), 0.0);
    }

    #[test]
    fn no_bytes_make_a_distance_that_cannot_be_told() {
        for byte in [0, 0x7f, 0x80, 0xff] {
            let strange = Coordinate::from_bytes([byte; Coordinate::LEN]);
            let origin = Coordinate::new([0; 3], Duration::ZERO, 0.0);
            let far = strange.round_trip_to(origin);
            assert_eq!(far, origin.round_trip_to(strange));
            assert!(far < Duration::from_secs(40));
        }
    }
}
