//! A partition that heals.

use std::time::Duration;

use super::trial::{Trial, mean, or_never, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::Partition;
use crate::report::{Cell, Report, Table};

pub(super) static PARTITION: Scenario = Scenario {
    name: "partition",
    about: "the network falls into halves for 10 minutes: how soon after is there one view again?",
    least_nodes: 4,
    usual: Defaults { nodes: &[100, 1_000], seeds: 3, against: &[], seconds: 600 },
    quick: Defaults { nodes: &[16], seeds: 2, against: &[], seconds: 60 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: partition,
};

/// How long to wait for one view.
const LIMIT: Duration = Duration::from_secs(300);

fn partition(settings: &Settings) -> Report {
    let trial = |(nodes, who)| {
        let (network, length, limit) = (settings.network(), settings.length, LIMIT);
        Trial::new(nodes, who, Partition { nodes, network, length, limit })
    };
    let trials: Vec<_> = settings.clusters().map(trial).collect();
    let columns = [
        ("nodes", ""),
        ("contender", ""),
        ("halves apart", "% of runs"),
        ("one view", "s"),
        ("slowest", "s"),
        ("sent until then", "kB/node"),
        ("sent while apart", "B/s/node"),
        ("deaths after healing", ""),
    ];
    let mut table = Table::new("A partition, healed", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "partition", &trials)) {
        let healed = super::trial::sample(&runs, |it| or_never(it.healed));
        let apart = runs.iter().filter(|it| it.apart).count();
        table.row([
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            Cell::number(100.0 * apart as f64 / runs.len() as f64, 0),
            Cell::interval(&healed, 2),
            Cell::number(healed.max(), 2),
            mean(&runs, 1, |it| it.bytes / 1e3),
            mean(&runs, 0, |it| it.bytes_apart),
            mean(&runs, 1, |it| it.late_deaths as f64),
        ]);
    }
    settings.note_conditions(&mut table);
    table.note(format!(
        "Random halves, apart for {} s. ∞: not one view within {} s. While apart: the second half of \
         that time.",
        settings.length.as_secs_f64(),
        LIMIT.as_secs()
    ));
    Report { tables: vec![table], ..Report::new("partition") }
}
