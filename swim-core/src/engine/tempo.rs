//! Automatic tuning: slow down while this node's accusations turn out wrong.

use super::Engine;
use super::output::Profile;

/// Scales the probe interval.
#[derive(Debug, Clone)]
pub(super) struct Tempo {
    factor: f64,
    /// Accusations and refutations at the last tuning.
    accused: u64,
    refuted: u64,
}

/// Share of wrong accusations above which a node slows down.
const TOO_WRONG: f64 = 0.05;
/// Accusations that make a share worth acting on.
const ENOUGH: u64 = 4;
const STEP: f64 = 1.25;
const SLOWEST: f64 = 4.0;

impl Tempo {
    pub(super) fn new() -> Self {
        Self { factor: 1.0, accused: 0, refuted: 0 }
    }

    pub(super) fn factor(&self) -> f64 {
        self.factor
    }
}

impl<P: Profile> Engine<P> {
    /// Compares what this node accused since the last tuning with what was refuted: above 5 % it
    /// probes slower by a quarter, down to a fourth of the configured rate; else it returns
    /// towards it.
    pub fn auto_tune(&mut self) {
        let accused = self.stats.suspicions + self.stats.deaths;
        let (recent, wrong) =
            (accused - self.tempo.accused, self.stats.refuted - self.tempo.refuted);
        if recent >= ENOUGH {
            #[expect(clippy::cast_precision_loss, reason = "a ratio of counters")]
            let share = wrong as f64 / recent as f64;
            (self.tempo.accused, self.tempo.refuted) = (accused, self.stats.refuted);
            if share > TOO_WRONG {
                self.tempo.factor = (self.tempo.factor * STEP).min(SLOWEST);
                return;
            }
        }
        self.tempo.factor = (self.tempo.factor * 0.99).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::config::{Config, Options};
    use crate::engine::MemberIdx;

    /// How slow a node probes that accused twenty, so many of them wrongly, since it was tuned last.
    fn factor_after(wrong: u64, tunings: u64) -> f64 {
        let mut engine = Engine::<()>::new(Config::from(Options::default()), MemberIdx(0), (), 7);
        for _ in 0..tunings {
            engine.stats.suspicions += 15;
            engine.stats.deaths += 5;
            engine.stats.refuted += wrong;
            engine.auto_tune();
        }
        engine.tempo.factor()
    }

    #[test]
    fn who_accuses_more_than_one_in_twenty_wrongly_slows_down_by_a_quarter_to_a_fourth() {
        let near = |factor: f64, expected: f64| (factor - expected).abs() < 1e-9;
        assert!(near(factor_after(1, 1), 1.0), "one in twenty");
        assert!(near(factor_after(2, 1), 1.25));
        assert!(near(factor_after(2, 2), 1.25 * 1.25), "only what is new counts");
        assert!(near(factor_after(20, 10), 4.0));
    }

    #[test]
    fn who_accuses_nobody_returns_to_its_rate_and_few_accusations_tell_nothing() {
        let mut engine = Engine::<()>::new(Config::from(Options::default()), MemberIdx(0), (), 7);
        for (accused, expected) in [(3, 1.0), (1, 1.25), (0, 1.25 * 0.99), (0, 1.25 * 0.99 * 0.99)]
        {
            engine.stats.suspicions += accused;
            engine.stats.refuted += accused;
            engine.auto_tune();
            let factor = engine.tempo.factor();
            assert!((factor - expected).abs() < 1e-9, "{factor}, {expected}");
        }
    }
}
