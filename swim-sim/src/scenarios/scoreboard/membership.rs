//! How soon views are right: joins, a storm of them, faults of a few, a partition, an exchange.

use std::time::Duration;

use super::super::trial::or_never;
use super::{Board, Goal, Outcomes};
use crate::experiments::{
    AntiEntropy, Boot, Difference, Fault, Join, Partition, Rapid, RapidOutcome,
};
use crate::statistics::Sample;

pub(super) fn rows(board: &mut Board<'_>) {
    join(board);
    let nodes = board.nodes(1_000);
    boot(board, nodes, ("19.7 s al8n", 8.0), Some(("424 al8n", 250.0)));
    if let Some(nodes) = board.more_nodes(2_000, nodes) {
        boot(board, nodes, ("53 s Rapid, 97 s memberlist", 15.0), None);
    }
    rapid(board);
    partition(board);
    anti_entropy(board);
}

fn join(board: &mut Board<'_>) {
    let nodes = board.nodes(1_000);
    let experiment = Join { nodes, network: board.network(), limit: Duration::from_secs(120) };
    let runs = board.run("scoreboard: join", nodes, &experiment);
    let what = format!("a join, n = {nodes}");
    let most = (&*what, "known to 99 %, s", "0.76 al8n");
    board.add(most, (Goal::AtMost(0.6), 2), &runs, |it| or_never(it.most));
    let all = (&*what, "known to all, s", "0.95 al8n");
    board.add(all, (Goal::AtMost(0.8), 2), &runs, |it| or_never(it.all));
    let joiner = (&*what, "it knows all, s", "0.01 al8n");
    board.add(joiner, (Goal::AtMost(0.02), 3), &runs, |it| or_never(it.joiner_all));
}

fn boot(
    board: &mut Board<'_>,
    nodes: u32,
    (known, most): (&'static str, f64),
    bytes: Option<(&'static str, f64)>,
) {
    let (within, limit) = (Duration::from_secs(1), Duration::from_secs(300));
    let experiment = Boot { nodes, network: board.network(), within, seed_cpu: None, limit };
    let runs = board.run("scoreboard: boot", nodes, &experiment);
    let what = format!("{nodes} join through one seed");
    let all = (&*what, "all know all, s", known);
    board.add(all, (Goal::AtMost(most), 1), &runs, |it| or_never(it.all));
    if let Some((known, most)) = bytes {
        let sent = (&*what, "sent, kB/node", known);
        board.add(sent, (Goal::AtMost(most), 0), &runs, |it| it.bytes / 1e3);
    }
}

/// The losses among Rapid's faults.
const LOSSES: [Fault; 3] = [Fault::DeafNowAndThen, Fault::EgressLoss, Fault::IngressLoss];

fn rapid(board: &mut Board<'_>) {
    let nodes = board.nodes(1_000);
    let faulty = (nodes / 100).max(2) as usize;
    let length = board.settings.length.min(Duration::from_secs(300));
    let runs: Vec<Outcomes<Rapid>> = LOSSES
        .into_iter()
        .map(|fault| {
            let experiment = Rapid { nodes, faulty, fault, network: board.network(), length };
            board.run("scoreboard: Rapid's losses", nodes, &experiment)
        })
        .collect();
    let what = format!("one-way losses of {faulty} of {nodes}, {} s, worst of 3", length.as_secs());
    let figures: [(_, _, _, Figure); 4] = [
        ("all marked everywhere, s", "55 Rapid", 60.0, |it| or_never(it.all_out)),
        ("then unmarked somewhere, s", "0 Rapid", 0.0, |it| match it.all_out {
            Some(_) => it.back as f64,
            None => f64::INFINITY,
        }),
        ("healthy marked", "0 Rapid", 0.0, |it| it.healthy_marked as f64),
        ("healthy declared dead", "0 Rapid", 0.0, |it| it.false_deaths as f64),
    ];
    for (figure, known, most, value) in figures {
        let ours = worst(&runs, value);
        board.add_samples((&what, figure, known), (Goal::AtMost(most), 0), ours);
    }
}

type Figure = fn(&RapidOutcome) -> f64;

/// The worst fault of each seed, by contender.
fn worst(runs: &[Outcomes<Rapid>], value: Figure) -> Vec<Sample> {
    let Some(first) = runs.first() else { return Vec::new() };
    let of_seed = |contender: usize, seed: usize| {
        let values = runs.iter().filter_map(|fault| fault[contender].get(seed)).map(value);
        values.fold(f64::NEG_INFINITY, f64::max)
    };
    let of = |contender: usize| -> Sample {
        (0..first[contender].len()).map(|seed| of_seed(contender, seed)).collect()
    };
    (0..first.len()).map(of).collect()
}

fn partition(board: &mut Board<'_>) {
    let nodes = board.nodes(1_000);
    let (length, limit) = (board.settings.length, Duration::from_secs(120));
    let experiment = Partition { nodes, network: board.network(), length, limit };
    let runs = board.run("scoreboard: partition", nodes, &experiment);
    let what = format!("halves of {nodes} apart for {} s, healed", length.as_secs());
    let healed = (&*what, "one view, s", "never, memberlist");
    board.add(healed, (Goal::AtMost(10.0), 2), &runs, |it| or_never(it.healed));
}

fn anti_entropy(board: &mut Board<'_>) {
    let nodes = board.nodes(2_000);
    let experiment = AntiEntropy { nodes, differences: 0, difference: Difference::Restarts };
    let runs = board.run("scoreboard: anti-entropy", nodes, &experiment);
    let what = format!("an exchange of views in sync, n = {nodes}");
    let bytes = (&*what, "payload of both directions, B", "240,000 memberlist");
    board
        .add(bytes, (Goal::AtMost(64.0), 0), &runs, |it| it.bytes.map_or(f64::NAN, |it| it as f64));
}
