//! Members that are held up again and again for seconds: who is blamed?

use std::time::Duration;

use super::trial::{Trial, mean, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::Held;
use crate::report::{Cell, Report, Table};

pub(super) static HELD: Scenario = Scenario {
    name: "held",
    about: "1 member of 16 is held up 4, 8, 12 or 16 s of every 32 s: who is declared dead?",
    least_nodes: 16,
    usual: Defaults { nodes: &[128], seeds: 5, against: &["memberlist", "foca"], seconds: 600 },
    quick: Defaults { nodes: &[32], seeds: 2, against: &[], seconds: 64 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Length],
    answer: held,
};

const PAUSES: [u64; 4] = [4, 8, 12, 16];
const PERIOD: Duration = Duration::from_secs(32);
/// One of so many is held up.
const SHARE: u32 = 16;

fn held(settings: &Settings) -> Report {
    let pauses: &[u64] = if settings.quick { &PAUSES[3..] } else { &PAUSES };
    let kinds =
        [false, true].into_iter().flat_map(|frozen| pauses.iter().map(move |p| (frozen, *p)));
    let of_kind = |(frozen, pause): (bool, u64)| {
        settings.clusters().map(move |(nodes, who)| {
            let (pause, length) = (Duration::from_secs(pause), settings.length);
            let slow = (nodes / SHARE) as usize;
            Trial::new(nodes, who, Held { nodes, slow, pause, period: PERIOD, length, frozen })
        })
    };
    let trials: Vec<_> = kinds.flat_map(of_kind).collect();
    let columns = [
        ("held", ""),
        ("pause", "s"),
        ("nodes", ""),
        ("contender", ""),
        ("healthy declared dead", ""),
        ("by healthy members", ""),
        ("held declared dead", ""),
        ("sent", "B/s/node"),
    ];
    let mut table = Table::new("Members held up", columns);
    for (trial, runs) in trials.iter().zip(run_all(settings, "held", &trials)) {
        let what = if trial.what.frozen { "the process" } else { "its packets" };
        table.row([
            what.into(),
            Cell::number(trial.what.pause.as_secs_f64(), 0),
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            mean(&runs, 1, |it| it.false_deaths as f64),
            mean(&runs, 1, |it| it.false_deaths_by_healthy as f64),
            mean(&runs, 0, |it| it.slow_deaths as f64),
            mean(&runs, 0, |it| it.bytes),
        ]);
    }
    table.note(format!(
        "{}; {} s; 1 of {SHARE} is held up again and again, every {} s. Deaths are summed over all \
         observers.",
        settings.runs(),
        settings.length.as_secs_f64(),
        PERIOD.as_secs()
    ));
    table.note(
        "Its packets: timers run while packets wait in both directions. The process: as by SIGSTOP.",
    );
    Report { tables: vec![table], ..Report::new("held") }
}
