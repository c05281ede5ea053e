//! One exchange of views.

use super::trial::{Trial, mean, run_all, sample};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::{AntiEntropy, AntiEntropyOutcome, Difference};
use crate::report::{Cell, Report, Table};

pub(super) static ANTI_ENTROPY: Scenario = Scenario {
    name: "anti-entropy",
    about: "bytes of one exchange of views that agree, or differ in 1, 10 or 100 members",
    least_nodes: 2,
    usual: Defaults { nodes: &[100, 2_000], seeds: 10, against: &["memberlist"], seconds: 1 },
    quick: Defaults { nodes: &[16], seeds: 2, against: &[], seconds: 1 },
    takes: &[Knob::Nodes, Knob::Against],
    answer: anti_entropy,
};

const DIFFERENCES: [u32; 4] = [0, 1, 10, 100];

fn exchanges(nodes: u32) -> impl Iterator<Item = AntiEntropy> {
    let of_kind = move |difference| {
        let some = DIFFERENCES.into_iter().filter(move |d| *d > 0 && *d + 2 <= nodes);
        some.map(move |differences| AntiEntropy { nodes, differences, difference })
    };
    let in_sync = AntiEntropy { nodes, differences: 0, difference: Difference::Restarts };
    std::iter::once(in_sync)
        .chain(of_kind(Difference::Restarts))
        .chain(of_kind(Difference::Newcomers))
}

/// What differs, in words.
fn name(exchange: &AntiEntropy) -> &'static str {
    match (exchange.differences, exchange.difference) {
        (0, _) => "nothing",
        (_, Difference::Restarts) => "restarted",
        (_, Difference::Newcomers) => "new",
    }
}

fn bytes(outcome: &AntiEntropyOutcome) -> f64 {
    outcome.bytes.map_or(f64::NAN, |bytes| bytes as f64)
}

fn anti_entropy(settings: &Settings) -> Report {
    let of_cluster = |(nodes, who): (u32, crate::lab::Contender)| {
        exchanges(nodes).map(move |exchange| Trial::new(nodes, who.clone(), exchange))
    };
    let trials: Vec<_> = settings.clusters().flat_map(of_cluster).collect();
    let columns = [
        ("nodes", ""),
        ("contender", ""),
        ("differing", ""),
        ("how", ""),
        ("both directions", "B"),
        ("per difference", "B"),
        ("packets", ""),
        ("then agree", "% of runs"),
    ];
    let mut table = Table::new("One exchange of views", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "anti-entropy", &trials)) {
        let differences = f64::from(trial.what.differences);
        let per_difference = match trial.what.differences {
            0 => Cell::Missing,
            _ => Cell::number(sample(&runs, bytes).mean() / differences, 0),
        };
        let agreed = runs.iter().filter(|it| it.agreed).count() as f64 / runs.len() as f64;
        table.row([
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            Cell::number(differences, 0),
            name(&trial.what).into(),
            mean(&runs, 0, bytes),
            per_difference,
            mean(&runs, 1, |it| it.packets as f64),
            Cell::number(100.0 * agreed, 0),
        ]);
    }
    table.note(format!(
        "{}. Payload with its envelopes, without headers of the network. One of two nodes has the \
         news; in half of the runs it begins, in half the other one does.",
        settings.runs()
    ));
    Report { tables: vec![table], ..Report::new("anti-entropy") }
}
