//! How fast the simulator is.

use super::trial::{Trial, run_all, sample};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::Loss;
use crate::report::{Cell, Report, Table};

pub(super) static SPEED: Scenario = Scenario {
    name: "speed",
    about: "how many node-seconds does the simulator do in a second of wall time on one core?",
    least_nodes: 2,
    usual: Defaults { nodes: &[100, 1_000], seeds: 4, against: &["foca"], seconds: 60 },
    quick: Defaults { nodes: &[100], seeds: 2, against: &[], seconds: 20 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length],
    answer: speed,
};

fn speed(settings: &Settings) -> Report {
    let trial = |(nodes, who)| {
        let (network, length) = (settings.network(), settings.length);
        Trial::new(nodes, who, Loss { nodes, network, length })
    };
    let trials: Vec<_> = settings.clusters().map(trial).collect();
    let columns =
        [("nodes", ""), ("contender", ""), ("median", "node-s per s"), ("best", "node-s per s")];
    let mut table = Table::new("Speed of the simulator", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "speed", &trials)) {
        let speeds = sample(&runs, |it| it.node_seconds / it.wall);
        table.row([
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            Cell::number(speeds.median(), 0),
            Cell::number(speeds.max(), 0),
        ]);
    }
    table.note(format!(
        "{}; {} s of a converged cluster at {} % loss. Wall time: it differs from run to run.",
        settings.runs(),
        settings.length.as_secs_f64(),
        100.0 * settings.loss.unwrap_or(0.0)
    ));
    Report { tables: vec![table], ..Report::new("speed") }
}
