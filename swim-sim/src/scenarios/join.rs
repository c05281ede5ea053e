//! A join of a quiet cluster.

use super::trial::{Trial, mean, or_never, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::Join;
use crate::report::{Cell, Report, Table};

pub(super) static JOIN: Scenario = Scenario {
    name: "join",
    about: "a newcomer joins through one member: how soon do all know it, and it them?",
    least_nodes: 2,
    usual: Defaults { nodes: &[32, 100, 1_000], seeds: 10, against: &["memberlist"], seconds: 120 },
    quick: Defaults { nodes: &[16], seeds: 2, against: &[], seconds: 30 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: join,
};

fn join(settings: &Settings) -> Report {
    let trial = |(nodes, who)| {
        let (network, limit) = (settings.network(), settings.length);
        Trial::new(nodes, who, Join { nodes, network, limit })
    };
    let trials: Vec<_> = settings.clusters().map(trial).collect();
    let columns = [
        ("nodes", ""),
        ("contender", ""),
        ("50 % know it", "s"),
        ("99 % know it", "s"),
        ("all know it", "s"),
        ("it knows 50 %", "s"),
        ("it knows all", "s"),
        ("sent by it and its seed", "kB"),
    ];
    let mut table = Table::new("One newcomer", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "join", &trials)) {
        table.row([
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            mean(&runs, 2, |it| or_never(it.half)),
            mean(&runs, 2, |it| or_never(it.most)),
            mean(&runs, 2, |it| or_never(it.all)),
            mean(&runs, 3, |it| or_never(it.joiner_half)),
            mean(&runs, 3, |it| or_never(it.joiner_all)),
            mean(&runs, 1, |it| it.bytes / 1_000.0),
        ]);
    }
    settings.note_conditions(&mut table);
    Report { tables: vec![table], ..Report::new("join") }
}
