//! What each mechanism is worth: the same runs with one of them taken away.

use std::time::Duration;

use super::trial::{Trial, mean, or_never, pooled, run_all, sample};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::{Anomalies, Crash, Held, Loss, Partition};
use crate::lab::{Contender, WITHOUT};
use crate::network::{Latency, Network, Streams};
use crate::nodes::swim::MECHANISMS;
use crate::report::{Cell, Report, Table};

pub(super) static ABLATION: Scenario = Scenario {
    name: "ablation",
    about: "what is each mechanism worth? The same runs with one of them taken away",
    least_nodes: 16,
    usual: Defaults { nodes: &[128], seeds: 10, against: &[], seconds: 240 },
    quick: Defaults { nodes: &[32], seeds: 1, against: &[], seconds: 64 },
    takes: &[Knob::Nodes, Knob::Length],
    answer: ablation,
};

/// A corner of Lifeguard's grid: durations and intervals in milliseconds.
const CORNER: [(u64, u64); 4] = [(2_048, 64), (8_192, 1_024), (16_384, 64), (16_384, 4_096)];

/// Crashes are cheap and their times vary: so many times as many.
const CRASHES: u64 = 10;

fn network() -> Network {
    Network::new(Latency::Fixed(Duration::from_millis(1)))
}

fn contenders(nodes: u32) -> Vec<Contender> {
    let without = MECHANISMS.iter().map(|(name, _)| format!("{WITHOUT}{name}"));
    let names = std::iter::once("swim".to_owned()).chain(without);
    names.filter_map(|name| Contender::named(&name, nodes)).collect()
}

fn ablation(settings: &Settings) -> Report {
    let nodes = settings.nodes.first().copied().unwrap_or(128);
    let who = contenders(nodes);
    let columns = [
        ("without", ""),
        ("false deaths, slow members", ""),
        ("sent", "B/s/node"),
        ("false deaths, held members", ""),
        ("sent", "B/s/node"),
        ("crash known to one", "s"),
        ("99 %", "s"),
        ("to all", "s"),
        ("20 % loss: suspicions", ""),
        ("sent", "B/s/node"),
        ("split healed", "s"),
    ];
    let mut table = Table::new("One mechanism less", columns);
    let rows: Vec<Vec<Cell>> = [
        names(&who),
        slow(settings, nodes, &who),
        held(settings, nodes, &who),
        crash(settings, nodes, &who),
        loss(settings, nodes, &who),
        split(settings, nodes, &who),
    ]
    .into_iter()
    .reduce(|rows, more| rows.into_iter().zip(more).map(|(a, b)| [a, b].concat()).collect())
    .unwrap_or_default();
    for row in rows {
        table.row(row);
    }
    table.note(format!("{}; {nodes} nodes; equal seeds in every row.", settings.runs()));
    table.note(
        "Slow: a corner of Lifeguard's grid with 1 member of 8. Held: 1 of 16, 16 s of every 32 s. \
         Split: into halves for 400 s.",
    );
    Report { tables: vec![table], ..Report::new("ablation") }
}

fn names(who: &[Contender]) -> Vec<Vec<Cell>> {
    let name = |it: &Contender| it.name.strip_prefix(WITHOUT).unwrap_or("nothing").to_owned();
    who.iter().map(|it| vec![name(it).into()]).collect()
}

fn slow(settings: &Settings, nodes: u32, who: &[Contender]) -> Vec<Vec<Cell>> {
    let slow = (nodes / 8) as usize;
    let cell = |(duration, interval): (u64, u64)| Anomalies {
        nodes,
        slow,
        duration: Duration::from_millis(duration),
        interval: Some(Duration::from_millis(interval)),
    };
    let corner = |it: &Contender| CORNER.map(|at| Trial::new(nodes, it.clone(), cell(at)));
    let trials: Vec<_> = who.iter().flat_map(corner).collect();
    let runs = run_all(settings, "slow members", &trials);
    let row = |runs: &[Vec<crate::experiments::AnomalyOutcome>]| {
        let runs = runs.concat();
        // Each run goes on for two minutes and the rest of an anomaly.
        let rate = |bytes: u64| bytes as f64 / f64::from(nodes) / 130.0;
        let sent = mean(&runs, 0, |it| rate(it.traffic.bytes()));
        vec![mean(&runs, 2, |it| it.false_deaths as f64), sent]
    };
    runs.chunks(CORNER.len()).map(row).collect()
}

fn held(settings: &Settings, nodes: u32, who: &[Contender]) -> Vec<Vec<Cell>> {
    let what = Held {
        nodes,
        slow: (nodes / 16) as usize,
        pause: Duration::from_secs(16),
        period: Duration::from_secs(32),
        length: settings.length,
        frozen: false,
    };
    let trials: Vec<_> = who.iter().map(|it| Trial::new(nodes, it.clone(), what)).collect();
    let row = |runs: &Vec<crate::experiments::HeldOutcome>| {
        vec![mean(runs, 1, |it| it.false_deaths as f64), mean(runs, 0, |it| it.bytes)]
    };
    run_all(settings, "held members", &trials).iter().map(row).collect()
}

fn crash(settings: &Settings, nodes: u32, who: &[Contender]) -> Vec<Vec<Cell>> {
    let limit = Duration::from_secs(120);
    let what = Crash { nodes, network: network(), crashed: 1, limit };
    let of = |it: &Contender| {
        let it = it.clone();
        let what = what.clone();
        (0..CRASHES).map(move |salt| Trial { salt, ..Trial::new(nodes, it.clone(), what.clone()) })
    };
    let trials: Vec<_> = who.iter().flat_map(of).collect();
    let runs = run_all(settings, "crash", &trials);
    let row = |runs: &[Vec<crate::experiments::CrashOutcome>]| {
        let runs = runs.concat();
        let first = pooled(&runs, |it| &it.first);
        let all = pooled(&runs, |it| &it.everywhere);
        vec![
            Cell::interval(&first, 2),
            Cell::number(first.percentile(99.0), 2),
            Cell::interval(&all, 2),
        ]
    };
    runs.chunks(CRASHES as usize).map(row).collect()
}

fn loss(settings: &Settings, nodes: u32, who: &[Contender]) -> Vec<Vec<Cell>> {
    let mut network = network();
    (network.loss, network.streams) = (0.2, Streams::OneShot);
    let what = Loss { nodes, network, length: settings.length };
    let trials: Vec<_> = who.iter().map(|it| Trial::new(nodes, it.clone(), what.clone())).collect();
    let row = |runs: &Vec<crate::experiments::LossOutcome>| {
        vec![mean(runs, 0, |it| it.suspicions as f64), mean(runs, 0, |it| it.bytes())]
    };
    run_all(settings, "loss", &trials).iter().map(row).collect()
}

fn split(settings: &Settings, nodes: u32, who: &[Contender]) -> Vec<Vec<Cell>> {
    let length = Duration::from_secs(if settings.quick { 60 } else { 400 });
    let what = Partition { nodes, network: network(), length, limit: Duration::from_secs(120) };
    let trials: Vec<_> = who.iter().map(|it| Trial::new(nodes, it.clone(), what.clone())).collect();
    let row = |runs: &Vec<crate::experiments::PartitionOutcome>| {
        vec![Cell::interval(&sample(runs, |it| or_never(it.healed)), 1)]
    };
    run_all(settings, "split", &trials).iter().map(row).collect()
}
