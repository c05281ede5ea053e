//! Members that come and go.

use std::time::Duration;

use super::trial::{Trial, mean, or_never, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::Churn;
use crate::report::{Cell, Report, Table};

pub(super) static CHURN: Scenario = Scenario {
    name: "churn",
    about: "members crash and newcomers take their place all the time: how right are views?",
    least_nodes: 4,
    usual: Defaults { nodes: &[100], seeds: 5, against: &["memberlist", "foca"], seconds: 300 },
    quick: Defaults { nodes: &[16], seeds: 2, against: &[], seconds: 30 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: churn,
};

/// Seconds from one crash to the next.
const EVERY: [u64; 3] = [20, 5, 1];

fn churn(settings: &Settings) -> Report {
    let of_rate = |every| {
        settings.clusters().map(move |(nodes, who)| {
            let (network, length) = (settings.network(), settings.length);
            let every = Duration::from_secs(every);
            Trial::new(nodes, who, Churn { nodes, network, every, length })
        })
    };
    let trials: Vec<_> = EVERY.into_iter().flat_map(of_rate).collect();
    let columns = [
        ("a crash every", "s"),
        ("nodes", ""),
        ("contender", ""),
        ("live ones missing", "%"),
        ("crashed ones held live", "1/view"),
        ("live declared dead", ""),
        ("sent", "B/s/node"),
        ("right after", "s"),
    ];
    let mut table = Table::new("Members come and go", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "churn", &trials)) {
        table.row([
            Cell::number(trial.what.every.as_secs_f64(), 0),
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            mean(&runs, 3, |it| 100.0 * it.missing),
            mean(&runs, 2, |it| it.stale),
            mean(&runs, 1, |it| it.false_deaths as f64),
            mean(&runs, 0, |it| it.bytes),
            mean(&runs, 1, |it| or_never(it.settled)),
        ]);
    }
    settings.note_conditions(&mut table);
    table.note(format!(
        "{} s, views looked at once a second. Each newcomer has a name of its own, and joins through \
         a random member. Right after: from the last crash until all views were right.",
        settings.length.as_secs_f64()
    ));
    Report { tables: vec![table], ..Report::new("churn") }
}
