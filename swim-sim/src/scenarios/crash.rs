//! A crash, of one member or of many at once: when does the first know, when do all?

use super::trial::{Trial, mean, or_never, pooled, run_all, total};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::Crash;
use crate::lab::Contender;
use crate::report::{Cell, Report, Table};

pub(super) static CRASH: Scenario = Scenario {
    name: "crash",
    about: "one member crashes: how soon does the first declare it dead, how soon do all?",
    least_nodes: 3,
    usual: Defaults { nodes: &[32, 100, 1_000], seeds: 30, against: &["memberlist"], seconds: 120 },
    quick: Defaults { nodes: &[32], seeds: 4, against: &[], seconds: 60 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: crash,
};

pub(super) static MASS_CRASH: Scenario = Scenario {
    name: "mass-crash",
    about: "10 % and 30 % of the members crash at once: how long until nobody holds them live?",
    least_nodes: 10,
    usual: Defaults { nodes: &[100, 1_000], seeds: 5, against: &["memberlist"], seconds: 120 },
    quick: Defaults { nodes: &[40], seeds: 2, against: &[], seconds: 60 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: mass_crash,
};

fn trial(settings: &Settings, nodes: u32, who: Contender, crashed: usize) -> Trial<Crash> {
    let (network, limit) = (settings.network(), settings.length);
    Trial::new(nodes, who, Crash { nodes, network, crashed, limit })
}

fn crash(settings: &Settings) -> Report {
    let trials: Vec<_> = settings.clusters().map(|(n, who)| trial(settings, n, who, 1)).collect();
    let columns = [
        ("nodes", ""),
        ("contender", ""),
        ("first", "s"),
        ("first, 99 % of runs", "s"),
        ("99 % of members", "s"),
        ("all", "s"),
        ("false deaths", ""),
        ("sent meanwhile", "B/s/node"),
    ];
    let mut table = Table::new("A crash, until it is declared dead", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "crash", &trials)) {
        table.row([
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            mean(&runs, 2, |it| only(&it.first)),
            Cell::number(pooled(&runs, |it| &it.first).percentile(99.0), 2),
            mean(&runs, 2, |it| only(&it.most)),
            mean(&runs, 2, |it| only(&it.everywhere)),
            total(&runs, |it| it.false_deaths),
            mean(&runs, 0, |it| it.bytes),
        ]);
    }
    settings.note_conditions(&mut table);
    table.note(format!("Each run is given up after {} s.", settings.length.as_secs_f64()));
    Report { tables: vec![table], ..Report::new("crash") }
}

/// The time of the only victim.
fn only(times: &[f64]) -> f64 {
    times.first().copied().unwrap_or(f64::INFINITY)
}

fn mass_crash(settings: &Settings) -> Report {
    let shares = [10_u32, 30];
    let with_share = |share: u32| {
        let crashed = move |n: u32| (n * share).div_ceil(100) as usize;
        settings.clusters().map(move |(n, who)| trial(settings, n, who, crashed(n)))
    };
    let trials: Vec<_> = shares.into_iter().flat_map(with_share).collect();
    let columns = [
        ("nodes", ""),
        ("crashed", ""),
        ("contender", ""),
        ("first death, median", "s"),
        ("known to all, median", "s"),
        ("known to all, 99 %", "s"),
        ("nobody holds any live", "s"),
        ("false deaths", ""),
        ("sent meanwhile", "B/s/node"),
    ];
    let mut table = Table::new("Many crash at once", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "mass-crash", &trials)) {
        let everywhere = pooled(&runs, |it| &it.everywhere);
        table.row([
            Cell::count(trial.nodes.into()),
            Cell::count(trial.what.crashed as u64),
            trial.who.name.clone().into(),
            Cell::number(pooled(&runs, |it| &it.first).median(), 2),
            Cell::number(everywhere.median(), 2),
            Cell::number(everywhere.percentile(99.0), 2),
            mean(&runs, 2, |it| or_never(it.all_gone)),
            total(&runs, |it| it.false_deaths),
            mean(&runs, 0, |it| it.bytes),
        ]);
    }
    settings.note_conditions(&mut table);
    table.note(format!("Each run is given up after {} s.", settings.length.as_secs_f64()));
    Report { tables: vec![table], ..Report::new("mass-crash") }
}
