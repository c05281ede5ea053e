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
