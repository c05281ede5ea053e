//! What befalls a datagram: a pure function of the knobs and of a fixed number of seeded draws.

use std::time::Duration;

use rand::Rng as _;
use rand_pcg::Pcg32;

/// PCG's own default sequence; the seed is the state. Named here because a seed in a bug report
/// must replay for years, which no "recommended" generator promises.
const STREAM: u64 = 0x0a02_bdbf_7bb3_c0a7;

/// The knobs. Probabilities are within 0..=1, the shortest delay is at most the longest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) loss: f64,
    pub(super) duplication: f64,
    pub(super) reordering: f64,
    /// What a reordered datagram waits on top of its delay.
    pub(super) hold: Duration,
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        let none = Duration::ZERO;
        Self {
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            hold: none,
            shortest: none,
            longest: none,
        }
    }
}

/// The draws for one datagram. Always all of them, whatever the knobs say: turning one fault on or
/// off then does not change which datagrams meet the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Roll {
    loss: u32,
    duplication: u32,
    reordering: u32,
    delay: u32,
    copy_delay: u32,
}

#[derive(Debug)]
pub(super) struct Dice(Pcg32);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Pcg32::new(seed, STREAM))
    }

    pub(super) fn roll(&mut self) -> Roll {
        Roll {
            loss: self.0.next_u32(),
            duplication: self.0.next_u32(),
            reordering: self.0.next_u32(),
            delay: self.0.next_u32(),
            copy_delay: self.0.next_u32(),
        }
    }
}

/// What befalls one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) lost: bool,
    pub(super) reordered: bool,
    pub(super) delay: Duration,
    /// The delay of the second copy, when there is one.
    pub(super) copy: Option<Duration>,
}

impl Plan {
    pub(super) fn judge(&self, roll: Roll) -> Verdict {
        let reordered = happens(self.reordering, roll.reordering);
        let hold = if reordered { self.hold } else { Duration::ZERO };
        Verdict {
            lost: happens(self.loss, roll.loss),
            reordered,
            delay: hold + self.delay(roll.delay),
            copy: happens(self.duplication, roll.duplication).then(|| self.delay(roll.copy_delay)),
        }
    }

    /// Uniform between the shortest and the longest delay, to the nanosecond, both included.
    fn delay(&self, draw: u32) -> Duration {
        let choices = (self.longest - self.shortest).as_nanos() + 1;
        let nanos = (choices * u128::from(draw)) >> 32;
        // An hour at most (`Faults` sees to it), so it fits.
        self.shortest + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Whether an event of this probability happens on this draw: never at 0, always at 1.
fn happens(probability: f64, draw: u32) -> bool {
    f64::from(draw) < probability * (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(plan: &Plan, seed: u64) -> Vec<Verdict> {
        let mut dice = Dice::new(seed);
        (0..10_000).map(|_| plan.judge(dice.roll())).collect()
    }

    fn share(verdicts: &[Verdict], wanted: impl Fn(&Verdict) -> bool) -> f64 {
        verdicts.iter().filter(|verdict| wanted(verdict)).count() as f64 / verdicts.len() as f64
    }

    /// Computed apart from this code, from the definition of PCG-XSH-RR 64/32.
    #[test]
    fn the_first_draws_of_a_seed_never_change() {
        let roll = Dice::new(42).roll();
        let draws = [roll.loss, roll.duplication, roll.reordering, roll.delay, roll.copy_delay];
        assert_eq!(draws, [3270867926, 1795671209, 1924641435, 1143034755, 4121910957]);
    }

    #[test]
    fn probabilities_are_met_and_their_ends_are_exact() {
        let plan = Plan { loss: 0.3, duplication: 0.1, reordering: 0.05, ..Plan::default() };
        let seen = verdicts(&plan, 7);
        assert!((share(&seen, |v| v.lost) - 0.3).abs() < 0.02);
        assert!((share(&seen, |v| v.copy.is_some()) - 0.1).abs() < 0.02);
        assert!((share(&seen, |v| v.reordered) - 0.05).abs() < 0.02);
        assert!(verdicts(&Plan { loss: 1.0, ..Plan::default() }, 7).iter().all(|v| v.lost));
        assert!(
            verdicts(&Plan::default(), 7)
                .iter()
                .all(|v| !v.lost && !v.reordered && v.copy.is_none())
        );
        assert!(!happens(0.0, 0) && happens(1.0, u32::MAX));
    }

    #[test]
    fn delays_fill_their_range_and_stay_inside() {
        let (shortest, longest) = (Duration::from_millis(10), Duration::from_millis(20));
        let plan = Plan { shortest, longest, ..Plan::default() };
        let seen = verdicts(&plan, 7);
        assert!(seen.iter().all(|v| (shortest..=longest).contains(&v.delay)));
        let upper_half = share(&seen, |v| v.delay > Duration::from_millis(15));
        assert!((upper_half - 0.5).abs() < 0.02, "{upper_half}");
        assert_eq!(plan.delay(0), shortest);
        assert_eq!(plan.delay(u32::MAX), longest);
    }

    #[test]
    fn one_fault_does_not_change_who_meets_another() {
        let lossy = Plan { loss: 0.3, ..Plan::default() };
        let messy = Plan {
            duplication: 0.5,
            reordering: 0.5,
            longest: Duration::from_secs(1),
            ..lossy.clone()
        };
        let lost = |plan| verdicts(plan, 7).iter().map(|v| v.lost).collect::<Vec<_>>();
        assert_eq!(lost(&lossy), lost(&messy));
        assert_ne!(lost(&lossy), verdicts(&lossy, 8).iter().map(|v| v.lost).collect::<Vec<_>>());
    }
}
