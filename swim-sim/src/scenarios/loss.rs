//! A cluster in which nothing happens, in networks from perfect to dreadful: what it costs, and who
//! is blamed.

use std::time::Duration;

use super::trial::{Trial, mean, run_all, sample, total};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::{Loss, LossOutcome};
use crate::network::{Bursts, Network, Streams};
use crate::report::{Cell, Plot, Report, Series, Table};

pub(super) static STEADY: Scenario = Scenario {
    name: "steady",
    about: "nothing happens and nothing is lost: datagrams and bytes per node and second",
    least_nodes: 2,
    usual: Defaults {
        nodes: &[32, 100, 320, 1_000, 3_200, 10_000],
        seeds: 3,
        against: &[],
        seconds: 60,
    },
    quick: Defaults { nodes: &[10, 32], seeds: 2, against: &[], seconds: 20 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Length, Knob::Profile],
    answer: steady,
};

pub(super) static LOSS: Scenario = Scenario {
    name: "loss",
    about: "0 to 30 % of all packets are lost: who is blamed, and what does it cost?",
    least_nodes: 2,
    usual: Defaults { nodes: &[100], seeds: 5, against: &["memberlist", "foca"], seconds: 600 },
    quick: Defaults { nodes: &[16], seeds: 2, against: &[], seconds: 20 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: loss,
};

pub(super) static BURSTS: Scenario = Scenario {
    name: "bursts",
    about: "loss comes in bursts at each receiver (Gilbert-Elliott): who is blamed, at what cost?",
    least_nodes: 2,
    usual: Defaults { nodes: &[100], seeds: 5, against: &["memberlist", "foca"], seconds: 600 },
    quick: Defaults { nodes: &[16], seeds: 2, against: &[], seconds: 20 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Length, Knob::Profile],
    answer: bursts,
};

/// The losses of a sweep.
const LOSSES: [f64; 6] = [0.0, 0.01, 0.05, 0.1, 0.2, 0.3];

/// Every network with every cluster, the networks of one cluster together.
fn trials(settings: &Settings, networks: &[Network]) -> Vec<Trial<Loss>> {
    let length = settings.length;
    let clusters = settings.clusters();
    let with_networks = clusters.flat_map(|(nodes, who)| {
        networks.iter().map(move |network| {
            Trial::new(nodes, who.clone(), Loss { nodes, network: network.clone(), length })
        })
    });
    with_networks.collect()
}

fn steady(settings: &Settings) -> Report {
    let trials = trials(settings, &[settings.network()]);
    let columns = [
        ("nodes", ""),
        ("contender", ""),
        ("datagrams", "1/s/node"),
        ("sent", "B/s/node"),
        ("of it by stream", "B/s/node"),
        ("suspicions", ""),
    ];
    let mut table = Table::new("Traffic of a quiet cluster", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "steady", &trials)) {
        let by_stream = |it: &LossOutcome| {
            (it.traffic.stream_bytes + it.traffic.stream_headers) as f64 / it.node_seconds
        };
        table.row([
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            mean(&runs, 3, |it| it.datagrams()),
            mean(&runs, 1, |it| it.bytes()),
            mean(&runs, 1, by_stream),
            trial.suspicions(total(&runs, |it| it.suspicions)),
        ]);
    }
    table.note(format!(
        "{}; {} s after 20 s of warm-up; with the headers of IP, UDP and TCP; profile {}.",
        settings.runs(),
        settings.length.as_secs_f64(),
        settings.profile.name()
    ));
    Report { tables: vec![table], ..Report::new("steady") }
}

fn loss(settings: &Settings) -> Report {
    let losses = settings.loss.map_or(LOSSES.to_vec(), |loss| vec![loss]);
    let network = |loss: &f64| {
        let mut network = settings.network();
        network.loss = *loss;
        network.streams = Streams::OneShot;
        network
    };
    let networks: Vec<_> = losses.iter().map(network).collect();
    let trials = trials(settings, &networks);
    let outcomes = run_all(settings, "loss", &trials);
    let columns =
        ["loss", "nodes", "contender"].map(|it| (it, if it == "loss" { "%" } else { "" }));
    let mut table = blame_table("Uniform loss", columns);
    for (trial, runs) in trials.iter().zip(&outcomes) {
        let start = [
            Cell::number(100.0 * trial.what.network.loss, 0),
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
        ];
        table.row(start.into_iter().chain(blame(trial, runs)));
    }
    blame_notes(&mut table, settings);
    table.note(
        "Datagrams are lost each for itself, a stream with its first packet: harsher than TCP.",
    );
    let plots = vec![sweep(&trials, &outcomes)];
    Report { tables: vec![table], plots, ..Report::new("loss") }
}

/// Bytes by loss, a line for each cluster.
fn sweep(trials: &[Trial<Loss>], outcomes: &[Vec<LossOutcome>]) -> Plot {
    let mut series: Vec<Series> = Vec::new();
    for (trial, runs) in trials.iter().zip(outcomes) {
        let name = format!("{}, {} nodes", trial.who.name, trial.nodes);
        let point = (100.0 * trial.what.network.loss, sample(runs, |it| it.bytes()).mean());
        match series.iter_mut().find(|series| series.name == name) {
            Some(series) => series.points.push(point),
            None => series.push(Series { name, points: vec![point], dashed: false }),
        }
    }
    Plot {
        title: "Traffic under loss".to_owned(),
        x_label: "packets lost (%)".to_owned(),
        y_label: "sent (B/s/node)".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    }
}

/// Bad phases of these lengths, a tenth of the time, in which nine of ten packets are lost.
const BAD_PHASES: [u64; 4] = [100, 500, 2_000, 8_000];

fn bursts(settings: &Settings) -> Report {
    let bursts = |millis: &u64| Bursts {
        good: Duration::from_millis(9 * millis),
        bad: Duration::from_millis(*millis),
        loss_good: 0.0,
        loss_bad: 0.9,
    };
    let networks = BAD_PHASES.iter().map(bursts).map(|bursts| {
        let mut network = settings.network();
        network.bursts = Some(bursts);
        network
    });
    let networks = networks.collect::<Vec<_>>();
    let trials = trials(settings, &networks);
    let columns = [("bad phase", "s"), ("nodes", ""), ("contender", "")];
    let mut table = blame_table("Bursts of loss", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "bursts", &trials)) {
        let bad = trial.what.network.bursts.map_or(f64::NAN, |bursts| bursts.bad.as_secs_f64());
        let start =
            [Cell::number(bad, 1), Cell::count(trial.nodes.into()), trial.who.name.clone().into()];
        table.row(start.into_iter().chain(blame(trial, &runs)));
    }
    blame_notes(&mut table, settings);
    table.note(
        "Each receiver is in a bad phase for a tenth of the time, of exponential length with this \
         mean, and loses 90 % of all packets then.",
    );
    Report { tables: vec![table], ..Report::new("bursts") }
}

fn blame_table(title: &str, first: [(&'static str, &'static str); 3]) -> Table {
    let figures = [
        ("live declared dead", ""),
        ("suspicions", ""),
        ("datagrams", "1/s/node"),
        ("sent", "B/s/node"),
    ];
    Table::new(title, first.into_iter().chain(figures))
}

/// The last columns of a [`blame_table`].
fn blame(trial: &Trial<Loss>, runs: &[LossOutcome]) -> [Cell; 4] {
    [
        mean(runs, 1, |it| it.false_deaths as f64),
        trial.suspicions(mean(runs, 0, |it| it.suspicions as f64)),
        mean(runs, 2, |it| it.datagrams()),
        mean(runs, 0, |it| it.bytes()),
    ]
}

fn blame_notes(table: &mut Table, settings: &Settings) {
    table.note(format!(
        "{}; {} s after 20 s of warm-up; profile {}. Each observer that suspects or declares dead \
         counts; all members are up. Bytes include headers.",
        settings.runs(),
        settings.length.as_secs_f64(),
        settings.profile.name()
    ));
}
