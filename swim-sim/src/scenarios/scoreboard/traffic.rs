//! What a cluster sends, idle and under loss, whom it then blames, and what it takes to simulate.

use std::time::Duration;

use super::{Board, Goal};
use crate::experiments::Loss;
use crate::network::{Network, Streams};
use crate::statistics::Sample;

pub(super) fn rows(board: &mut Board<'_>) {
    for (loss, known) in [(0.05, "0 al8n"), (0.1, "0 al8n"), (0.2, "0 al8n")] {
        let bytes = (loss > 0.1).then_some(("3,080 foca, 3,650 al8n", 500.0));
        under_loss(board, board.nodes(100), loss, known, bytes);
    }
    if let Some(nodes) = board.more_nodes(1_000, 100) {
        let bytes = Some(("1,227 al8n, 27,673 foca", 1_200.0));
        under_loss(board, nodes, 0.2, "0 al8n in 60 s", bytes);
    }
    steady(board);
}

/// A network that loses this share, of streams too.
fn lossy(board: &Board<'_>, loss: f64) -> Network {
    let mut network = board.network();
    network.loss = loss;
    network.streams = Streams::OneShot;
    network
}

fn under_loss(
    board: &mut Board<'_>,
    nodes: u32,
    loss: f64,
    known: &'static str,
    bytes: Option<(&'static str, f64)>,
) {
    let experiment = Loss { nodes, network: lossy(board, loss), length: board.settings.length };
    let runs = board.run("scoreboard: loss", nodes, &experiment);
    let seconds = experiment.length.as_secs();
    let what = format!("{} % loss, n = {nodes}, {seconds} s", 100.0 * loss);
    let dead = (&*what, "live members declared dead", known);
    board.add(dead, (Goal::AtMost(0.0), 1), &runs, |it| it.false_deaths as f64);
    if let Some((known, most)) = bytes {
        let sent = (&*what, "sent, B/s/node", known);
        board.add(sent, (Goal::AtMost(most), 0), &runs, |it| it.bytes());
    }
}

/// Sizes of idle clusters.
const STEADY: [u32; 4] = [32, 100, 1_000, 10_000];

fn steady(board: &mut Board<'_>) {
    let sizes: Vec<u32> = STEADY.into_iter().filter(|n| *n <= board.most()).collect();
    let (mut datagrams, mut bytes) = (Vec::new(), Vec::new());
    for &nodes in &sizes {
        let length = board.settings.length.min(Duration::from_secs(60));
        let runs = board.run(
            "scoreboard: steady",
            nodes,
            &Loss { nodes, network: board.network(), length },
        );
        let mean = |figure: fn(&crate::experiments::LossOutcome) -> f64| -> Vec<Sample> {
            runs.iter().map(|runs| super::super::trial::sample(runs, figure)).collect()
        };
        datagrams.push(mean(|it| it.datagrams()));
        bytes.push(mean(|it| it.bytes()));
    }
    let (Some(least), Some(most)) = (sizes.first(), sizes.last()) else { return };
    let what = format!("nothing happens, n = {least} to {most}, at most");
    let figure = (&*what, "datagrams, 1/s/node", "2.00 al8n");
    board.add_samples(figure, (Goal::AtMost(2.1), 2), greatest(datagrams));
    let figure = (&*what, "sent, B/s/node", "195 foca");
    board.add_samples(figure, (Goal::AtMost(150.0), 0), greatest(bytes));
}

/// Of samples by size and contender, the one with the greatest mean of each contender.
fn greatest(by_size: Vec<Vec<Sample>>) -> Vec<Sample> {
    by_size.into_iter().fold(Vec::new(), |greatest, samples| {
        if greatest.is_empty() {
            return samples;
        }
        let pairs = greatest.into_iter().zip(samples);
        pairs.map(|(one, other)| if other.mean() > one.mean() { other } else { one }).collect()
    })
}

/// Last, so that nothing else disturbs them.
pub(super) fn speed_rows(board: &mut Board<'_>) {
    speed(board, board.nodes(100), "215,000 foca", 200_000.0);
    if let Some(nodes) = board.more_nodes(1_000, 100) {
        speed(board, nodes, "84,000 foca", 150_000.0);
    }
    if board.most() >= 10_000 {
        largest(board);
    }
}

fn speed(board: &mut Board<'_>, nodes: u32, known: &'static str, least: f64) {
    let experiment = Loss { nodes, network: board.network(), length: Duration::from_secs(60) };
    let runs = board.run("scoreboard: speed", nodes, &experiment);
    let what = format!("simulating n = {nodes}");
    let figure = (&*what, "node-seconds per second and core", known);
    board.add(figure, (Goal::AtLeast(least), 0), &runs, |it| it.node_seconds / it.wall);
}

fn largest(board: &mut Board<'_>) {
    let (nodes, length) = (10_000, Duration::from_secs(60));
    let mut network = board.network();
    network.loss = 0.01;
    let runs = board.run("scoreboard: n = 10,000", nodes, &Loss { nodes, network, length });
    let what = "simulating 60 s of n = 10,000 at 1 % loss";
    let figure = (what, "wall time, s", "nobody");
    board.add(figure, (Goal::AtMost(60.0), 0), &runs, |it| it.wall);
    // Largest of all, and so the one that needed the most memory.
    let figure = (what, "greatest memory, GB", "nobody");
    let memory: Sample = greatest_memory().into_iter().collect();
    board.add_samples(figure, (Goal::AtMost(4.0), 1), vec![memory]);
}

/// The most memory that this process ever held, in gigabytes, where Linux tells.
fn greatest_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1_024.0 / 1e9)
}
