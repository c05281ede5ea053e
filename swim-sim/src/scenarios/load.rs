//! The figures of the SWIM paper, beside what its analysis expects.

use super::trial::{Trial, mean, or_never, pooled, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::Load;
use crate::report::{Cell, Report, Table};

pub(super) static LOAD: Scenario = Scenario {
    name: "load",
    about: "the SWIM paper's load, first detection and infection time, beside what it expects",
    least_nodes: 4,
    usual: Defaults {
        nodes: &[8, 16, 24, 32, 40, 48, 56],
        seeds: 200,
        against: &["swim2002"],
        seconds: 40,
    },
    quick: Defaults { nodes: &[8, 16], seeds: 4, against: &["swim2002"], seconds: 10 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Length],
    answer: load,
};

/// What the paper's analysis expects, in periods (sections 3 and 4).
struct Expected {
    half: f64,
    all: f64,
}

impl Expected {
    /// Of n members, `n / (1 + (n - 1) e^(-(2 - 1/n) t))` are infected after t periods; all means
    /// all but one.
    fn of(nodes: u32) -> Self {
        // One is gone.
        let n = f64::from(nodes - 1);
        let rate = 2.0 - 1.0 / n;
        Self { half: (n - 1.0).ln() / rate, all: 2.0 * (n - 1.0).ln() / rate }
    }
}

fn load(settings: &Settings) -> Report {
    let period = settings.profile.period();
    let periods = settings.length.as_secs() as u32;
    let trial = |(nodes, who)| {
        Trial::new(nodes, who, Load { nodes, network: settings.network(), period, periods })
    };
    let trials: Vec<_> = settings.clusters().map(trial).collect();
    let columns = [
        ("nodes", ""),
        ("contender", ""),
        ("sent, mean", "1/period"),
        ("sent, deviation", "1/period"),
        ("first suspected", "periods"),
        ("50 % suspect it", "periods"),
        ("expected", "periods"),
        ("all suspect it", "periods"),
        ("expected for all but one", "periods"),
    ];
    let mut table = Table::new("SWIM's own figures", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "load", &trials)) {
        let sent = pooled(&runs, |it| &it.sent);
        let expected = Expected::of(trial.nodes);
        table.row([
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            Cell::number(sent.mean(), 3),
            Cell::number(sent.standard_deviation(), 2),
            trial.suspicions(mean(&runs, 2, |it| or_never(it.first))),
            trial.suspicions(mean(&runs, 2, |it| or_never(it.half))),
            Cell::number(expected.half, 2),
            trial.suspicions(mean(&runs, 2, |it| or_never(it.all))),
            Cell::number(expected.all, 2),
        ]);
    }
    settings.note_conditions(&mut table);
    table.note(format!(
        "Periods of {} s, {periods} of them quiet, then a crash. Infection times from the first \
         suspicion.",
        period.as_secs_f64()
    ));
    table.note(
        "The SWIM paper: 2.0 sent per period, deviation about 1; with free-running periods the \
         first ping that fails comes after 1.0 period on average, and is known at its end. ∞ also \
         where members learn of the death without a suspicion.",
    );
    Report { tables: vec![table], ..Report::new("load") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_infection_times_are_those_of_the_logistic_curve() {
        let expected = Expected::of(57);
        assert!((expected.half - 2.02).abs() < 0.01, "{}", expected.half);
        assert!((expected.all - 4.04).abs() < 0.01, "{}", expected.all);
    }
}
