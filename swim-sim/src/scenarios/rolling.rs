//! A new version is rolled out.

use std::time::Duration;

use super::trial::{Trial, mean, pooled, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::Rolling;
use crate::report::{Cell, Report, Table};

pub(super) static ROLLING: Scenario = Scenario {
    name: "rolling",
    about: "all members are restarted one after the other: who is declared dead, how soon are they back?",
    least_nodes: 3,
    usual: Defaults { nodes: &[100], seeds: 5, against: &["memberlist", "foca"], seconds: 1 },
    quick: Defaults { nodes: &[12], seeds: 2, against: &[], seconds: 1 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Profile],
    answer: rolling,
};

/// From one restart to the next.
const EVERY: Duration = Duration::from_secs(20);
/// How they go: what the table calls it, whether with a goodbye, and for how many seconds.
const WAYS: [(&str, bool, u64); 4] =
    [("goodbye", true, 2), ("killed", false, 0), ("killed", false, 2), ("killed", false, 10)];

fn rolling(settings: &Settings) -> Report {
    let of_way = |way: usize| {
        let (_, goodbye, down) = WAYS[way];
        let down = Duration::from_secs(down);
        settings.clusters().map(move |(nodes, who)| {
            let network = settings.network();
            (way, Trial::new(nodes, who, Rolling { nodes, network, every: EVERY, down, goodbye }))
        })
    };
    let (ways, trials): (Vec<_>, Vec<_>) = (0..WAYS.len()).flat_map(of_way).unzip();
    let columns = [
        ("stopped by", ""),
        ("down", "s"),
        ("nodes", ""),
        ("contender", ""),
        ("false deaths", ""),
        ("back everywhere, median", "s"),
        ("99 %", "s"),
        ("not back in time", ""),
        ("sent", "B/s/node"),
    ];
    let mut table = Table::new("Rolling restarts", columns);
    let outcomes = run_all(settings, "rolling", &trials);
    for ((way, trial), runs) in ways.into_iter().zip(&trials).zip(outcomes) {
        let back = pooled(&runs, |it| &it.back);
        let late = back.values().iter().filter(|seconds| seconds.is_infinite()).count();
        table.row([
            WAYS[way].0.into(),
            Cell::count(WAYS[way].2),
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            mean(&runs, 1, |it| it.false_deaths as f64),
            Cell::number(back.median(), 2),
            Cell::number(back.percentile(99.0), 2),
            Cell::count(late as u64),
            mean(&runs, 0, |it| it.bytes),
        ]);
    }
    settings.note_conditions(&mut table);
    table.note(format!(
        "A restart every {} s, through the next member. False deaths are of members that are up, \
         summed over all observers. Back: from the start until all others hold it alive again.",
        EVERY.as_secs()
    ));
    Report { tables: vec![table], ..Report::new("rolling") }
}
