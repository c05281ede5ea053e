//! The ping time-out learned per member from measured round trips.

use std::time::Duration;

use crate::tuning::PING_TIMEOUT_FLOOR;

/// Smoothed round trip and its deviation as TCP keeps them (Jacobson 1988), in units of 64 us.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rtt {
    smoothed: u16,
    deviation: u16,
}

const UNIT_MICROS: u64 = 64;

impl Rtt {
    /// Takes in one measured round trip.
    pub(super) fn sample(&mut self, round_trip: Duration) {
        let units = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX) / UNIT_MICROS;
        let sample = u16::try_from(units).unwrap_or(u16::MAX).max(1);
        if self.smoothed == 0 {
            (self.smoothed, self.deviation) = (sample, sample / 2);
            return;
        }
        let error = sample.abs_diff(self.smoothed);
        self.deviation = towards(self.deviation, error, 4);
        self.smoothed = towards(self.smoothed, sample, 8).max(1);
    }

    /// The smoothed round trip, if any was measured.
    pub(super) fn smoothed(self) -> Option<Duration> {
        (self.smoothed > 0).then(|| Duration::from_micros(u64::from(self.smoothed) * UNIT_MICROS))
    }

    /// The greatest round trip that is nothing unusual, a deviation above the smoothed one; `None`
    /// if none was measured.
    pub(super) fn usual(self) -> Option<Duration> {
        // What was cut off in rounding is usual too.
        let units = u64::from(self.smoothed) + u64::from(self.deviation) + 1;
        (self.smoothed > 0).then(|| Duration::from_micros(units * UNIT_MICROS))
    }

    /// Smoothed round trip plus four deviations, within the floor and `cap`; `None` if none was
    /// measured.
    pub(super) fn timeout(self, cap: Duration) -> Option<Duration> {
        let smoothed = self.smoothed()?;
        let learned = smoothed + Duration::from_micros(4 * u64::from(self.deviation) * UNIT_MICROS);
        Some(learned.clamp(PING_TIMEOUT_FLOOR.min(cap), cap))
    }
}

/// Moves `value` by one part in `parts` of the way to `target`.
fn towards(value: u16, target: u16, parts: i32) -> u16 {
    let moved = i32::from(value) + (i32::from(target) - i32::from(value)) / parts;
    moved.clamp(0, i32::from(u16::MAX)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_millis(500);

    #[test]
    fn without_a_measurement_there_is_no_timeout() {
        assert_eq!(Rtt::default().timeout(CAP), None);
        assert_eq!(Rtt::default().smoothed(), None);
    }

    #[test]
    fn the_shortest_round_trip_is_one() {
        let mut rtt = Rtt::default();
        rtt.sample(Duration::ZERO);
        assert!(rtt.smoothed() > Some(Duration::ZERO));
        assert_eq!(rtt.timeout(CAP), Some(PING_TIMEOUT_FLOOR));
    }

    #[test]
    fn a_lan_round_trip_brings_the_timeout_to_its_floor() {
        let mut rtt = Rtt::default();
        (0..20).for_each(|_| rtt.sample(Duration::from_micros(300)));
        assert_eq!(rtt.timeout(CAP), Some(PING_TIMEOUT_FLOOR));
        assert_eq!(rtt.timeout(Duration::from_millis(10)), Some(Duration::from_millis(10)));
    }

    #[test]
    fn a_jittery_path_keeps_a_longer_timeout() {
        let mut rtt = Rtt::default();
        for i in 0..40u64 {
            rtt.sample(Duration::from_millis(if i % 2 == 0 { 20 } else { 60 }));
        }
        let timeout = rtt.timeout(CAP).unwrap();
        assert!(timeout > Duration::from_millis(80) && timeout < CAP, "{timeout:?}");
    }

    #[test]
    fn absurd_samples_are_capped() {
        let mut rtt = Rtt::default();
        rtt.sample(Duration::MAX);
        assert_eq!(rtt.timeout(CAP), Some(CAP));
    }

    #[test]
    fn usual_is_what_is_no_more_than_a_deviation_above_the_smoothed() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.usual(), None);
        let mut short = rtt;
        short.sample(Duration::from_micros(100));
        assert!(short.usual() >= Some(Duration::from_micros(100)), "{short:?}");
        (0..200).for_each(|_| rtt.sample(Duration::from_millis(10)));
        let usual = rtt.usual().unwrap();
        // Deviations are counted in whole units and end three above none.
        assert!(usual >= Duration::from_millis(10) && usual < Duration::from_micros(10_400));
        let mut jittery = rtt;
        (0..40)
            .for_each(|i| jittery.sample(Duration::from_millis(if i % 2 == 0 { 5 } else { 15 })));
        let usual = jittery.usual().unwrap();
        assert!((13_000..18_000).contains(&usual.as_micros()), "{usual:?}");
        assert!(usual < jittery.timeout(CAP).unwrap());
    }

    #[test]
    fn after_one_round_trip_the_timeout_is_three_times_as_long() {
        let mut rtt = Rtt::default();
        rtt.sample(Duration::from_millis(64));
        assert_eq!(rtt.timeout(CAP), Some(Duration::from_millis(3 * 64)));
    }
}
