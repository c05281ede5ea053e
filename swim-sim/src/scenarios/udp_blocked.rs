//! Datagrams are blocked while streams pass.

use std::time::Duration;

use super::trial::{Trial, mean, or_never, run_all, sample, total};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::UdpBlocked;
use crate::network::Blocked;
use crate::report::{Cell, Report, Table};

pub(super) static UDP_BLOCKED: Scenario = Scenario {
    name: "udp-blocked",
    about: "datagrams are blocked, streams pass: is a crash found, does news travel, who dies of it?",
    least_nodes: 4,
    usual: Defaults {
        nodes: &[8, 100],
        seeds: 10,
        against: &["swim-without-by_stream"],
        seconds: 120,
    },
    quick: Defaults { nodes: &[8], seeds: 2, against: &[], seconds: 30 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Length],
    answer: udp_blocked,
};

/// How long to wait for news.
const LIMIT: Duration = Duration::from_secs(120);
/// Between whom, and how much is lost besides.
const BLOCKS: [(&str, Blocked, f64); 7] = [
    ("nowhere", Blocked::Nowhere, 0.0),
    ("everywhere", Blocked::Everywhere, 0.0),
    ("everywhere, 20 % loss", Blocked::Everywhere, 0.2),
    ("at one", Blocked::AtOne, 0.0),
    ("at one, 20 % loss", Blocked::AtOne, 0.2),
    ("between halves", Blocked::BetweenHalves, 0.0),
    ("between halves, 20 % loss", Blocked::BetweenHalves, 0.2),
];

fn udp_blocked(settings: &Settings) -> Report {
    let of_block = |&(_, blocked, loss): &(&str, Blocked, f64)| {
        settings.clusters().map(move |(nodes, who)| {
            let mut network = settings.network();
            network.loss = loss;
            let (limit, length) = (LIMIT, settings.length);
            Trial::new(nodes, who, UdpBlocked { nodes, network, blocked, limit, length })
        })
    };
    let trials: Vec<_> = BLOCKS.iter().flat_map(of_block).collect();
    let each = trials.len() / BLOCKS.len();
    let columns = [
        ("blocked", ""),
        ("nodes", ""),
        ("contender", ""),
        ("dead everywhere", "s"),
        ("slowest", "s"),
        ("a join", "s"),
        ("live declared dead", ""),
        ("suspected", ""),
        ("sent", "B/s/node"),
        ("streams", "1/s/node"),
        ("one view after", "s"),
    ];
    let mut table = Table::new("Datagrams blocked", columns);
    for (at, (trial, runs)) in
        trials.iter().zip(run_all(settings, "udp-blocked", &trials)).enumerate()
    {
        let crash = sample(&runs, |it| or_never(it.crash));
        table.row([
            BLOCKS[at / each].0.into(),
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            Cell::interval(&crash, 2),
            Cell::number(crash.max(), 2),
            mean(&runs, 2, |it| or_never(it.join)),
            total(&runs, |it| it.false_deaths),
            total(&runs, |it| it.suspicions),
            mean(&runs, 0, |it| it.bytes),
            mean(&runs, 2, |it| it.streams),
            mean(&runs, 2, |it| or_never(it.healed)),
        ]);
    }
    table.note(format!(
        "{}; a crash 20 s after the block began, then a join, then {} s of quiet, of which suspicions, \
         bytes and streams are; deaths are summed over all observers and all of the time. ∞: not \
         within {} s.",
        settings.runs(),
        settings.length.as_secs_f64(),
        LIMIT.as_secs()
    ));
    Report { tables: vec![table], ..Report::new("udp-blocked") }
}
