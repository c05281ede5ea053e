//! Trials: experiments with contenders, run for every seed on all cores, and figures of them.

use std::sync::{Condvar, Mutex, PoisonError};

use super::Settings;
use crate::lab::{Contender, Experiment};
use crate::report::{Cell, run_seeds};
use crate::statistics::Sample;

/// One measurement: a contender in an experiment.
#[derive(Debug, Clone)]
pub(super) struct Trial<E> {
    /// Nodes in all.
    pub(super) nodes: u32,
    /// Who.
    pub(super) who: Contender,
    /// In what.
    pub(super) what: E,
    /// Sets its seeds apart from those of trials with another salt.
    pub(super) salt: u64,
}

/// Farther apart than anybody asks for seeds.
const SALT: u64 = 1_000_000_007;

impl<E> Trial<E> {
    /// A trial.
    pub(super) fn new(nodes: u32, who: Contender, what: E) -> Self {
        Self { nodes, who, what, salt: 0 }
    }

    /// A figure about suspicions, if the contender tells of them.
    pub(super) fn suspicions(&self, cell: Cell) -> Cell {
        if self.who.tells_suspicions() { cell } else { Cell::Missing }
    }
}

/// Runs every trial with every seed, and returns the outcomes of each trial in the order of the
/// seeds. Trials of one salt have the same seeds, so that what differs is not chance.
pub(super) fn run_all<E: Experiment>(
    settings: &Settings,
    label: &str,
    trials: &[Trial<E>],
) -> Vec<Vec<E::Outcome>> {
    let seeds: Vec<u64> = settings.seeds.clone().collect();
    let per_trial = seeds.len().max(1) as u64;
    let pairs: Vec<u64> = (0..trials.len() as u64 * seeds.len() as u64).collect();
    let gate = Gate::default();
    let outcomes = run_seeds(&pairs, label, settings.quiet, |pair| {
        let trial = &trials[(pair / per_trial) as usize];
        let seed = seeds[(pair % per_trial) as usize];
        let _pass = gate.enter(u64::from(trial.nodes) * u64::from(trial.nodes));
        trial.who.run(&trial.what, seed.wrapping_add(trial.salt.wrapping_mul(SALT)))
    });
    let mut outcomes = outcomes.into_iter();
    trials.iter().map(|_| outcomes.by_ref().take(seeds.len()).collect()).collect()
}

/// Keeps runs that hold much memory from being many at once: records in all that may be held, one
/// for each node and member.
const MOST_RECORDS: u64 = 120_000_000;

#[derive(Debug, Default)]
struct Gate {
    inside: Mutex<u64>,
    left: Condvar,
}

struct Pass<'a> {
    gate: &'a Gate,
    records: u64,
}

impl Gate {
    /// Waits until there is room; a run that is alone always has it.
    fn enter(&self, records: u64) -> Pass<'_> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |inside: &mut u64| *inside > 0 && *inside + records > MOST_RECORDS;
        let mut inside = self.left.wait_while(inside, full).unwrap_or_else(PoisonError::into_inner);
        *inside += records;
        Pass { gate: self, records }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        *self.gate.inside.lock().unwrap_or_else(PoisonError::into_inner) -= self.records;
        self.gate.left.notify_all();
    }
}

/// One figure of each outcome.
pub(super) fn sample<O>(outcomes: &[O], figure: impl Fn(&O) -> f64) -> Sample {
    outcomes.iter().map(figure).collect()
}

/// All figures of all outcomes.
pub(super) fn pooled<'a, O, I>(outcomes: &'a [O], figures: impl Fn(&'a O) -> I) -> Sample
where
    I: IntoIterator<Item = &'a f64>,
{
    outcomes.iter().flat_map(figures).copied().collect()
}

/// The mean of one figure with its confidence interval.
pub(super) fn mean<O>(outcomes: &[O], decimals: usize, figure: impl Fn(&O) -> f64) -> Cell {
    Cell::interval(&sample(outcomes, figure), decimals)
}

/// A sum over all outcomes.
pub(super) fn total<O>(outcomes: &[O], figure: impl Fn(&O) -> u64) -> Cell {
    Cell::count(outcomes.iter().map(figure).sum())
}

/// What may never have happened: infinity if so.
pub(super) fn or_never(figure: Option<f64>) -> f64 {
    figure.unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use swim_core::MemberIdx;

    use super::super::{Request, named};
    use super::*;
    use crate::node::Node;

    struct Echo(u64);

    impl Experiment for Echo {
        type Outcome = (u64, u64);

        fn run<N: Node>(
            &self,
            _: impl Fn(MemberIdx, u32, u64) -> N + 'static,
            seed: u64,
        ) -> (u64, u64) {
            std::thread::sleep(Duration::from_micros(97 * (seed % 3)));
            (self.0, seed)
        }
    }

    #[test]
    fn outcomes_are_grouped_by_trial_in_the_order_of_the_seeds() {
        let scenario = named("crash").expect("a scenario");
        let request = Request { seeds: Some(3), first_seed: 5, quiet: true, ..Request::default() };
        let settings = Settings::new(scenario, request).unwrap();
        // The largest ones wait for each other, and for nothing else.
        let trials: Vec<_> = [2, 50_000, 7, 50_000]
            .map(|n| Trial::new(n, Contender::named("swim", n).unwrap(), Echo(n.into())))
            .into();
        let outcomes = run_all(&settings, "test", &trials);
        let expected = trials.iter().map(|trial| [5, 6, 7].map(|seed| (trial.what.0, seed)));
        assert_eq!(outcomes, expected.collect::<Vec<_>>());
    }

    #[test]
    fn the_mean_of_what_never_happened_is_infinite() {
        let outcomes = [Some(1.0), None];
        assert_eq!(sample(&outcomes, |it| or_never(*it)).mean(), f64::INFINITY);
    }
}
