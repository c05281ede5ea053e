//! Rapid's faults: do members that answer badly come to be known as such, once and for all, and
//! nobody else?

use super::trial::{Trial, mean, or_never, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::{Fault, Look, Rapid, RapidOutcome};
use crate::report::{Cell, Plot, Report, Series, Table};

pub(super) static RAPID: Scenario = Scenario {
    name: "rapid",
    about: "Rapid's faults of 1 % of the members: crash, deaf now and then, 80 % loss out or in",
    least_nodes: 10,
    usual: Defaults { nodes: &[1_000], seeds: 2, against: &["memberlist"], seconds: 300 },
    quick: Defaults { nodes: &[40], seeds: 1, against: &[], seconds: 60 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Length, Knob::Profile],
    answer: rapid,
};

/// One of so many is faulty, as in the paper; of few, more.
fn faulty(nodes: u32) -> usize {
    (nodes / 100).max(2) as usize
}

fn rapid(settings: &Settings) -> Report {
    let of_fault = |fault| {
        settings.clusters().map(move |(nodes, who)| {
            let (network, length) = (settings.network(), settings.length);
            Trial::new(nodes, who, Rapid { nodes, faulty: faulty(nodes), fault, network, length })
        })
    };
    let trials: Vec<_> = Fault::ALL.into_iter().flat_map(of_fault).collect();
    let outcomes = run_all(settings, "rapid", &trials);
    let columns = [
        ("fault", ""),
        ("nodes", ""),
        ("contender", ""),
        ("all marked everywhere", "s"),
        ("then unmarked somewhere", "s"),
        ("all removed everywhere", "s"),
        ("healthy marked", ""),
        ("healthy declared dead", ""),
        ("came or went", "1/node"),
        ("after 60 s", "1/node"),
        ("views differed", "s"),
        ("sent", "B/s/node"),
    ];
    let mut table = Table::new("Rapid's faults", columns);
    for (trial, runs) in trials.iter().zip(&outcomes) {
        table.row([
            trial.what.fault.name().into(),
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            mean(runs, 0, |it| or_never(it.all_out)),
            mean(runs, 0, |it| it.back as f64),
            mean(runs, 0, |it| or_never(it.all_removed)),
            mean(runs, 0, |it| it.healthy_marked as f64),
            mean(runs, 0, |it| it.false_deaths as f64),
            mean(runs, 1, |it| it.changes),
            mean(runs, 1, |it| it.late_changes),
            mean(runs, 0, |it| it.disagreement as f64),
            mean(runs, 0, |it| it.bytes),
        ]);
    }
    settings.note_conditions(&mut table);
    table.note(format!(
        "{} s from the beginning of the fault, looked at once a second, as the healthy members see \
         it. Marked: held degraded; a crashed one, not live.",
        settings.length.as_secs()
    ));
    let plots = Fault::ALL.into_iter().flat_map(|fault| plots(fault, &trials, &outcomes));
    Report { tables: vec![table], plots: plots.collect(), ..Report::new("rapid") }
}

/// The first run of each cluster with this fault: sizes of views, and how many are marked.
fn plots(fault: Fault, trials: &[Trial<Rapid>], outcomes: &[Vec<RapidOutcome>]) -> [Plot; 2] {
    let of_fault = || {
        let all = trials.iter().zip(outcomes);
        let such = all.filter(move |(trial, _)| trial.what.fault == fault);
        such.filter_map(|(trial, runs)| Some((trial, runs.first()?)))
    };
    let line = |name: String, run: &RapidOutcome, figure: fn(&Look) -> f64, dashed| Series {
        name,
        points: run.looks.iter().map(|look| (look.second as f64, figure(look))).collect(),
        dashed,
    };
    let sizes = of_fault().flat_map(|(trial, run)| {
        let name = format!("{}, {} nodes", trial.who.name, trial.nodes);
        [
            line(format!("{name}: greatest"), run, |look| look.most as f64, false),
            line(format!("{name}: least"), run, |look| look.least as f64, true),
        ]
    });
    let marks = of_fault().map(|(trial, run)| {
        let name = format!("{}, {} nodes", trial.who.name, trial.nodes);
        line(name, run, |look| 100.0 * look.out, false)
    });
    let plot = |title: &str, y_label: &str, series| Plot {
        title: format!("{title}, {}", fault.name()),
        x_label: "time from the fault (s)".to_owned(),
        y_label: y_label.to_owned(),
        series,
        ..Plot::default()
    };
    [
        plot("Sizes of healthy views", "members held live", sizes.collect()),
        plot("Faulty members marked", "pairs of healthy and faulty (%)", marks.collect()),
    ]
}
