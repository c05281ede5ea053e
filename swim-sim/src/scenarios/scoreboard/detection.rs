//! How soon the dead are known, and how seldom the living are blamed: Lifeguard's grid, members held
//! up, a crash.

use std::time::Duration;

use super::super::lifeguard::{self, BASELINE, Runs};
use super::super::trial::or_never;
use super::{Board, Goal};
use crate::experiments::{AnomalyOutcome, Crash, Held};
use crate::statistics::Sample;

pub(super) fn rows(board: &mut Board<'_>) {
    grid(board);
    held(board);
    crash(board, board.nodes(100), ["9.7 s foca", "10.2 s foca"], [4.0, 4.5]);
    if let Some(nodes) = board.more_nodes(1_000, 100) {
        crash(board, nodes, ["13.6 s foca", "14.3 s foca"], [5.5, 6.5]);
    }
}

fn bytes(outcome: &AnomalyOutcome) -> u64 {
    outcome.traffic.bytes()
}

fn grid(board: &mut Board<'_>) {
    let nodes = board.nodes(128);
    let all = lifeguard::run("scoreboard: Lifeguard's grid", board.settings, nodes);
    let Some((swim, rest)) = all.split_first() else { return };
    // The baseline itself is a contender only if it was asked for.
    let of = |name: &String| -> Option<&Runs> {
        if name == BASELINE { Some(swim) } else { rest.iter().find(|it| it.name == *name) }
    };
    let settings = board.settings;
    let each = |value: &dyn Fn(&Runs) -> f64| -> Vec<Sample> {
        settings.contenders.iter().map(|name| of(name).map(value).into_iter().collect()).collect()
    };
    let share = |figure: fn(&AnomalyOutcome) -> u64| {
        each(&|it: &Runs| 100.0 * it.sum(None, figure) / swim.sum(None, figure))
    };
    let latency =
        |percent: f64| each(&|it: &Runs| it.latencies(|it| &it.first).percentile(percent));
    let what = format!("Lifeguard's grid, n = {nodes}");
    let figures = [
        ("false positives, % of SWIM", "1.53 Lifeguard", 0.2, 2, share(lifeguard::false_deaths)),
        ("by healthy members, % of SWIM", "1.89 Lifeguard", 0.5, 2, share(lifeguard::by_healthy)),
        ("first detection, median, s", "12.45 Lifeguard", 6.5, 2, latency(50.0)),
        ("first detection, 99 %, s", "17.90 Lifeguard", 9.0, 2, latency(99.0)),
        ("bytes, % of SWIM", "98 Lifeguard", 60.0, 1, share(bytes)),
    ];
    for (figure, known, most, decimals, ours) in figures {
        board.add_samples((&what, figure, known), (Goal::AtMost(most), decimals), ours);
    }
}

fn held(board: &mut Board<'_>) {
    let nodes = board.nodes(128);
    let experiment = Held {
        nodes,
        slow: (nodes / 16) as usize,
        pause: Duration::from_secs(16),
        period: Duration::from_secs(32),
        length: board.settings.length,
        frozen: false,
    };
    let runs = board.run("scoreboard: held", nodes, &experiment);
    let seconds = board.settings.length.as_secs();
    let what = format!("{} of {nodes} held 16 s of 32 s, {seconds} s", experiment.slow);
    let dead = (&*what, "healthy declared dead", "458 to 671 al8n");
    board.add(dead, (Goal::AtMost(60.0), 1), &runs, |it| it.false_deaths as f64);
    let by_healthy = (&*what, "by healthy members", "407 to 611 al8n");
    board.add(by_healthy, (Goal::AtMost(0.0), 1), &runs, |it| it.false_deaths_by_healthy as f64);
    let sent = (&*what, "sent, B/s/node", "809 foca");
    board.add(sent, (Goal::AtMost(600.0), 0), &runs, |it| it.bytes);
}

fn crash(board: &mut Board<'_>, nodes: u32, known: [&'static str; 2], most: [f64; 2]) {
    let limit = Duration::from_secs(120);
    let experiment = Crash { nodes, network: board.network(), crashed: 1, limit };
    let runs = board.run("scoreboard: crash", nodes, &experiment);
    let what = format!("a crash, n = {nodes}");
    let only = |times: &[f64]| or_never(times.first().copied());
    let first = (&*what, "dead at first, s", known[0]);
    board.add(first, (Goal::AtMost(most[0]), 2), &runs, |it| only(&it.first));
    let all = (&*what, "dead at all, s", known[1]);
    board.add(all, (Goal::AtMost(most[1]), 2), &runs, |it| only(&it.everywhere));
}
