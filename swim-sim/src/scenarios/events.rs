//! What users tell.

use std::time::Duration;

use super::trial::{Trial, mean, or_never, run_all, total};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::Events;
use crate::report::{Cell, Report, Table};

pub(super) static EVENTS: Scenario = Scenario {
    name: "events",
    about: "events of users, one and many: how soon do all hear them, and at whose cost?",
    least_nodes: 3,
    usual: Defaults { nodes: &[5, 32, 1_000], seeds: 5, against: &[], seconds: 30 },
    quick: Defaults { nodes: &[16], seeds: 2, against: &[], seconds: 4 },
    takes: &[Knob::Nodes, Knob::Loss, Knob::Length, Knob::Profile],
    answer: events,
};

/// Events in a second.
const RATES: [f64; 4] = [0.1, 10.0, 200.0, 2_000.0];
/// Bytes of each with its headers.
const BYTES: u32 = 64;
const LIMIT: Duration = Duration::from_secs(60);
/// Events times members that a run may keep count of.
const MOST_HEARD: f64 = 3e6;

fn events(settings: &Settings) -> Report {
    let of_rate = |rate: f64| {
        let trial = move |(nodes, who)| {
            let (network, length, limit) = (settings.network(), settings.length, LIMIT);
            let count = ((rate * length.as_secs_f64()) as u32).max(1);
            Trial::new(nodes, who, Events { nodes, network, count, length, bytes: BYTES, limit })
        };
        settings.clusters().map(trial)
    };
    let feasible =
        |trial: &Trial<Events>| f64::from(trial.what.count) * f64::from(trial.nodes) <= MOST_HEARD;
    let trials: Vec<_> = RATES.into_iter().flat_map(of_rate).filter(feasible).collect();
    let columns = [
        ("nodes", ""),
        ("events", "1/s"),
        ("refused", ""),
        ("heard", "%"),
        ("half heard it", "s"),
        ("all heard it", "s"),
        ("slowest", "s"),
        ("twice or out of order", ""),
        ("suspicions", ""),
        ("deaths", ""),
        ("sent", "B/s/node"),
    ];
    let mut table = Table::new("Events", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "events", &trials)) {
        table.row([
            Cell::count(trial.nodes.into()),
            Cell::number(f64::from(trial.what.count) / trial.what.length.as_secs_f64(), 1),
            total(&runs, |it| it.refused),
            mean(&runs, 3, |it| 100.0 * it.heard),
            mean(&runs, 2, |it| or_never(it.half)),
            mean(&runs, 2, |it| or_never(it.all)),
            mean(&runs, 2, |it| or_never(it.slowest)),
            total(&runs, |it| it.disorder),
            total(&runs, |it| it.suspicions),
            total(&runs, |it| it.deaths),
            mean(&runs, 0, |it| it.bytes),
        ]);
    }
    settings.note_conditions(&mut table);
    table.note(format!(
        "Events of {BYTES} bytes by random members over {} s. Half and all: medians over events. ∞: \
         not within {} s after the last.",
        settings.length.as_secs_f64(),
        LIMIT.as_secs()
    ));
    Report { tables: vec![table], ..Report::new("events") }
}
