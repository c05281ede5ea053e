//! The grid of the Lifeguard paper (Dadgar, Phillips, Currey 2018, section 5): false positives,
//! latency and load, each as a share of what plain SWIM has in the same runs, beside the paper's.

use std::time::Duration;

use super::trial::{Trial, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::{Anomalies, AnomalyOutcome, DURATIONS, INTERVALS, SLOW};
use crate::lab::Contender;
use crate::report::{Cell, Plot, Report, Series, Table};
use crate::statistics::Sample;

pub(super) static LIFEGUARD: Scenario = Scenario {
    name: "lifeguard",
    about: "Lifeguard's grid of anomalies: false positives, latency, load as shares of plain SWIM's",
    least_nodes: 16,
    usual: Defaults { nodes: &[128], seeds: 1, against: &["lifeguard"], seconds: 120 },
    quick: Defaults { nodes: &[32], seeds: 1, against: &[], seconds: 120 },
    takes: &[Knob::Nodes, Knob::Against, Knob::OnlyLong],
    answer: |settings| report("lifeguard", settings),
};

pub(super) static LIFEGUARD_TABLE: Scenario = Scenario {
    name: "lifeguard-table",
    about: "the same for every configuration of the Lifeguard paper, beside its figures",
    least_nodes: 16,
    usual: Defaults { nodes: &[128], seeds: 1, against: &CONFIGURATIONS, seconds: 120 },
    quick: Defaults { nodes: &[32], seeds: 1, against: &["lifeguard"], seconds: 120 },
    takes: &[Knob::Nodes, Knob::Against, Knob::OnlyLong],
    answer: |settings| report("lifeguard-table", settings),
};

/// What the paper calls SWIM.
pub(super) const BASELINE: &str = "lifeguard-baseline";

const CONFIGURATIONS: [&str; 12] = [
    "lha-probe",
    "lha-suspicion",
    "buddy",
    "lifeguard",
    "lifeguard-a2b2",
    "lifeguard-a2b4",
    "lifeguard-a2b6",
    "lifeguard-a4b2",
    "lifeguard-a4b4",
    "lifeguard-a4b6",
    "lifeguard-a5b2",
    "lifeguard-a5b4",
];

/// What the paper has (tables IV to VII): FP and FP- in % of SWIM, first detection at the median
/// and at 99 %, in seconds. Of the last eight, it has the latter as shares of SWIM's.
const PAPER: [(&str, [f64; 4]); 13] = [
    (BASELINE, [100.0, 100.0, 12.44, 16.96]),
    ("lha-probe", [67.72, 32.88, 12.42, 17.75]),
    ("lha-suspicion", [3.00, 6.71, 12.42, 17.47]),
    ("buddy", [94.08, 44.57, 12.45, 17.12]),
    ("lifeguard", [1.53, 1.89, 12.45, 17.90]),
    ("lifeguard-a2b2", [98.37, 31.15, 6.61, 11.84]),
    ("lifeguard-a2b4", [43.64, 22.47, 6.73, 12.36]),
    ("lifeguard-a2b6", [24.16, 13.65, 6.76, 12.81]),
    ("lifeguard-a4b2", [37.72, 20.29, 10.32, 15.99]),
    ("lifeguard-a4b4", [8.04, 9.50, 10.33, 16.31]),
    ("lifeguard-a4b6", [3.18, 4.83, 10.34, 16.42]),
    ("lifeguard-a5b2", [26.61, 15.38, 12.41, 17.80]),
    ("lifeguard-a5b4", [5.43, 5.05, 12.38, 17.42]),
];

/// Anomalies shorter than this cause hardly a false positive, and no detection.
const LONG: u64 = 8_192;

/// The cells of the experiment: how many are slow, for how long, with which pauses. Those without a
/// pause are the threshold experiment, from which the latencies come.
fn cells(settings: &Settings, nodes: u32) -> Vec<Anomalies> {
    let long = |duration: &u64| *duration >= LONG || !settings.only_long;
    let mut cells = Vec::new();
    for slow in some(settings, &SLOW).filter(|slow| 2 * slow <= nodes as usize) {
        for duration in some(settings, &DURATIONS).filter(long) {
            let cell = |interval| Anomalies {
                nodes,
                slow,
                duration: Duration::from_millis(duration),
                interval,
            };
            let intervals = some(settings, &INTERVALS).map(Duration::from_millis);
            cells.extend(intervals.map(|interval| cell(Some(interval))));
            cells.extend((duration >= LONG).then(|| cell(None)));
        }
    }
    cells
}

/// All of the paper's values of a parameter, or a third of them.
fn some<T: Copy>(settings: &Settings, values: &[T]) -> impl Iterator<Item = T> {
    let (skipped, step) = if settings.quick { (1, 3) } else { (0, 1) };
    values.iter().copied().skip(skipped).step_by(step)
}

/// All runs of one contender.
pub(super) struct Runs {
    pub(super) name: String,
    cells: Vec<(Anomalies, AnomalyOutcome)>,
}

impl Runs {
    fn interval_cells(&self) -> impl Iterator<Item = &(Anomalies, AnomalyOutcome)> {
        self.cells.iter().filter(|(cell, _)| cell.interval.is_some())
    }

    /// A sum over the interval experiment, over one number of slow members or all.
    pub(super) fn sum(&self, slow: Option<usize>, figure: impl Fn(&AnomalyOutcome) -> u64) -> f64 {
        let chosen =
            self.interval_cells().filter(|(cell, _)| slow.is_none_or(|slow| cell.slow == slow));
        chosen.map(|(_, outcome)| figure(outcome)).sum::<u64>() as f64
    }

    /// Latencies of the threshold experiment.
    pub(super) fn latencies(&self, figure: impl Fn(&AnomalyOutcome) -> &Vec<f64>) -> Sample {
        let once = self.cells.iter().filter(|(cell, _)| cell.interval.is_none());
        once.flat_map(|(_, outcome)| figure(outcome)).copied().collect()
    }

    fn paper(&self) -> [f64; 4] {
        let of = PAPER.iter().find(|(name, _)| *name == self.name);
        of.map_or([f64::NAN; 4], |(_, figures)| *figures)
    }
}

/// Runs the grid, for plain SWIM first.
pub(super) fn run(label: &str, settings: &Settings, nodes: u32) -> Vec<Runs> {
    let others = settings.contenders_for(nodes).filter(|it| it.name != BASELINE);
    let contenders: Vec<_> = Contender::named(BASELINE, nodes).into_iter().chain(others).collect();
    let cells = cells(settings, nodes);
    let trial = |who: &Contender, at: usize, cell: &Anomalies| Trial {
        salt: at as u64,
        ..Trial::new(nodes, who.clone(), *cell)
    };
    let trials_of = |who| cells.iter().enumerate().map(move |(at, cell)| trial(who, at, cell));
    let trials: Vec<_> = contenders.iter().flat_map(trials_of).collect();
    let mut outcomes = run_all(settings, label, &trials).into_iter();
    let runs_of = |who: &Contender| {
        let outcomes = outcomes.by_ref().take(cells.len());
        let with_cell = cells
            .iter()
            .zip(outcomes)
            .flat_map(|(cell, runs)| runs.into_iter().map(move |outcome| (*cell, outcome)));
        Runs { name: who.name.clone(), cells: with_cell.collect() }
    };
    contenders.iter().map(runs_of).collect()
}

fn report(name: &str, settings: &Settings) -> Report {
    let mut report = Report::new(name);
    for &nodes in &settings.nodes {
        let all = run(name, settings, nodes);
        report.tables.push(blame(settings, nodes, &all));
        report.tables.push(latency(nodes, &all));
        report.tables.push(by_slow(nodes, &all));
        report.plots.push(plot(nodes, &all));
    }
    report
}

pub(super) fn false_deaths(outcome: &AnomalyOutcome) -> u64 {
    outcome.false_deaths
}

pub(super) fn by_healthy(outcome: &AnomalyOutcome) -> u64 {
    outcome.false_deaths_by_healthy
}

fn messages(outcome: &AnomalyOutcome) -> u64 {
    outcome.traffic.datagrams + outcome.traffic.streams
}

fn blame(settings: &Settings, nodes: u32, all: &[Runs]) -> Table {
    let columns = [
        ("contender", ""),
        ("FP", ""),
        ("FP-", ""),
        ("FP", "% of SWIM"),
        ("FP-", "% of SWIM"),
        ("paper FP", "%"),
        ("paper FP-", "%"),
        ("messages", "% of SWIM"),
        ("bytes", "% of SWIM"),
        ("sent", "B/s/node"),
    ];
    let mut table =
        Table::new(format!("Lifeguard's grid, {nodes} nodes: false positives"), columns);
    let Some(swim) = all.first() else { return table };
    for runs in all {
        let share = |figure: fn(&AnomalyOutcome) -> u64| {
            100.0 * runs.sum(None, figure) / swim.sum(None, figure)
        };
        let [paper, paper_by_healthy, ..] = runs.paper();
        let bytes = |outcome: &AnomalyOutcome| outcome.traffic.bytes();
        let seconds: f64 = runs.interval_cells().map(|(cell, _)| cell.length().as_secs_f64()).sum();
        table.row([
            runs.name.clone().into(),
            Cell::number(runs.sum(None, false_deaths), 0),
            Cell::number(runs.sum(None, by_healthy), 0),
            Cell::number(share(false_deaths), 2),
            Cell::number(share(by_healthy), 2),
            Cell::number(paper, 2),
            Cell::number(paper_by_healthy, 2),
            Cell::number(share(messages), 1),
            Cell::number(share(bytes), 1),
            Cell::number(runs.sum(None, bytes) / seconds / f64::from(nodes), 0),
        ]);
    }
    let runs = swim.interval_cells().count();
    table.note(format!(
        "FP: deaths declared of members that were no part of the anomaly; FP-: those declared by \
         such members. {runs} runs of the interval experiment each, {}; SWIM is {BASELINE}, {:.1} FP \
         a run (the paper: 78.5).",
        settings.runs(),
        swim.sum(None, false_deaths) / runs as f64
    ));
    table
}

fn latency(nodes: u32, all: &[Runs]) -> Table {
    let columns = [
        ("contender", ""),
        ("detections", ""),
        ("first, median", "s"),
        ("first, 99 %", "s"),
        ("first, 99.9 %", "s"),
        ("paper, median", "s"),
        ("paper, 99 %", "s"),
        ("all, median", "s"),
        ("all, 99 %", "s"),
        ("all, 99.9 %", "s"),
        ("first, median", "% of SWIM"),
        ("first, 99 %", "% of SWIM"),
    ];
    let mut table = Table::new(format!("Lifeguard's grid, {nodes} nodes: detection"), columns);
    let Some(swim) = all.first() else { return table };
    let swim = swim.latencies(|it| &it.first);
    for runs in all {
        let first = runs.latencies(|it| &it.first);
        let full = runs.latencies(|it| &it.everywhere);
        let [_, _, median, most] = runs.paper();
        table.row([
            runs.name.clone().into(),
            Cell::count(first.len() as u64),
            Cell::number(first.median(), 2),
            Cell::number(first.percentile(99.0), 2),
            Cell::number(first.percentile(99.9), 2),
            Cell::number(median, 2),
            Cell::number(most, 2),
            Cell::number(full.median(), 2),
            Cell::number(full.percentile(99.0), 2),
            Cell::number(full.percentile(99.9), 2),
            Cell::number(100.0 * first.median() / swim.median(), 1),
            Cell::number(100.0 * first.percentile(99.0) / swim.percentile(99.0), 1),
        ]);
    }
    table.note(
        "From the beginning of one anomaly of 8 s or more to the death of a slow member, at the \
         first healthy member and at all, as far as that came before the end.",
    );
    table
}

/// The numbers of slow members that were run.
fn numbers_of_slow(all: &[Runs]) -> Vec<usize> {
    let mut slow: Vec<_> =
        all.first().into_iter().flat_map(|runs| &runs.cells).map(|(cell, _)| cell.slow).collect();
    slow.dedup();
    slow
}

fn by_slow(nodes: u32, all: &[Runs]) -> Table {
    let kinds = |runs: &Runs| ["FP", "FP-"].map(|kind| (format!("{kind} {}", runs.name), ""));
    let first = [("C".to_owned(), "")];
    let columns = first.into_iter().chain(all.iter().flat_map(kinds));
    let mut table =
        Table::new(format!("Lifeguard's grid, {nodes} nodes: by slow members"), columns);
    for slow in numbers_of_slow(all) {
        let sums = |runs: &Runs| {
            let sum = |figure: fn(&AnomalyOutcome) -> u64| runs.sum(Some(slow), figure);
            [Cell::number(sum(false_deaths), 0), Cell::number(sum(by_healthy), 0)]
        };
        table.row([Cell::count(slow as u64)].into_iter().chain(all.iter().flat_map(sums)));
    }
    table
}

fn plot(nodes: u32, all: &[Runs]) -> Plot {
    let slow = numbers_of_slow(all);
    let line = |runs: &Runs| Series {
        name: runs.name.clone(),
        points: slow.iter().map(|&c| (c as f64, runs.sum(Some(c), false_deaths))).collect(),
        dashed: runs.name == BASELINE,
    };
    Plot {
        title: format!("False positives by slow members, {nodes} nodes"),
        x_label: "slow members (C)".to_owned(),
        y_label: "members wrongly declared dead".to_owned(),
        log_y: true,
        series: all.iter().map(line).collect(),
        ..Plot::default()
    }
}
