//! A join storm: a whole cluster starts through one seed.

use std::time::Duration;

use swim_core::{Accusers, MemberIdx, MemberState, Message, Removal, Rumor};

use super::trial::{Trial, mean, or_never, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::{Boot, BootOutcome};
use crate::report::{Cell, Plot, Report, Series, Table};
use crate::size;
use crate::world::Cpu;

pub(super) static BOOT: Scenario = Scenario {
    name: "boot",
    about: "all join through one seed within a second, or at once: how soon do all know all?",
    least_nodes: 3,
    usual: Defaults { nodes: &[100, 1_000, 2_000], seeds: 3, against: &[], seconds: 120 },
    quick: Defaults { nodes: &[24], seeds: 2, against: &[], seconds: 30 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: boot,
};

/// How they come: what the table calls it, within what time, and whether the seed's work takes time.
const WAYS: [(&str, Duration, bool); 3] = [
    ("within 1 s", Duration::from_secs(1), false),
    ("at once", Duration::ZERO, false),
    ("at once, busy seed", Duration::ZERO, true),
];

/// What the Rapid paper's seed spends on a join, as estimated from its figures.
const PER_JOIN: Duration = Duration::from_millis(1);
const PER_MEMBER: Duration = Duration::from_micros(10);

/// The seed's time as the simulator counts it: a packet is a join, and kilobytes are members.
fn busy() -> Cpu {
    Cpu { per_packet: PER_JOIN, per_kilobyte: PER_MEMBER.mul_f64(1_000.0 / record_bytes()) }
}

/// Bytes that a member takes in a whole view.
fn record_bytes() -> f64 {
    let rumor = |member| Rumor {
        member: MemberIdx(member),
        state: MemberState::Alive,
        // Members start at different seconds of a year.
        incarnation: u64::from(1_790_000_000 + member * 7_919) << 32,
        age: None,
        with_profile: true,
        accusers: Accusers::default(),
        removal: Removal::No,
    };
    let members = 1_000;
    let view: Vec<Rumor> = (0..members).map(rumor).collect();
    size::message(MemberIdx(0), |_| false, &Message::Sync(&view)) as f64 / f64::from(members)
}

fn boot(settings: &Settings) -> Report {
    let of_way = |way: usize| {
        let (_, within, is_busy) = WAYS[way];
        settings.clusters().map(move |(nodes, who)| {
            let (network, limit) = (settings.network(), settings.length);
            let seed_cpu = is_busy.then(busy);
            (way, Trial::new(nodes, who, Boot { nodes, network, within, seed_cpu, limit }))
        })
    };
    let (ways, trials): (Vec<_>, Vec<_>) = (0..WAYS.len()).flat_map(of_way).unzip();
    let outcomes = run_all(settings, "boot", &trials);
    let columns = [
        ("all join", ""),
        ("nodes", ""),
        ("contender", ""),
        ("50 % of pairs", "s"),
        ("99 % of pairs", "s"),
        ("all know all", "s"),
        ("sent", "kB/node"),
        ("sent by the seed", "MB"),
        ("view sizes seen", ""),
    ];
    let mut table = Table::new("A cluster starts through one seed", columns);
    for ((way, trial), runs) in ways.iter().zip(&trials).zip(&outcomes) {
        table.row([
            WAYS[*way].0.into(),
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            mean(runs, 2, |it| or_never(it.half)),
            mean(runs, 2, |it| or_never(it.most)),
            mean(runs, 2, |it| or_never(it.all)),
            mean(runs, 0, |it| it.bytes / 1e3),
            mean(runs, 1, |it| it.seed_bytes / 1e6),
            mean(runs, 0, |it| it.sizes as f64),
        ]);
    }
    settings.note_conditions(&mut table);
    table.note("Seconds from the last join; 0 if it was so before. Sizes as seen once a second.");
    table.note(format!(
        "A busy seed spends {} ms on each packet, and {} us on each member that it reads or answers \
         with: {:.0} us per kB, a member taking {:.1} B.",
        PER_JOIN.as_millis(),
        PER_MEMBER.as_micros(),
        busy().per_kilobyte.as_secs_f64() * 1e6,
        record_bytes()
    ));
    let plots = vec![progress(&ways, &trials, &outcomes)];
    Report { tables: vec![table], plots, ..Report::new("boot") }
}

/// The first run of each cluster that comes within a second.
fn progress(ways: &[usize], trials: &[Trial<Boot>], outcomes: &[Vec<BootOutcome>]) -> Plot {
    let of_first_way = ways.iter().zip(trials).zip(outcomes).filter(|((way, _), _)| **way == 0);
    let line = |((_, trial), runs): ((_, &Trial<Boot>), &Vec<BootOutcome>)| Series {
        name: format!("{}, {} nodes", trial.who.name, trial.nodes),
        points: runs.first().map(|it| it.progress.clone()).unwrap_or_default(),
        dashed: false,
    };
    Plot {
        title: "A join storm".to_owned(),
        x_label: "time from the first join (s)".to_owned(),
        y_label: "share of pairs that know each other".to_owned(),
        series: of_first_way.map(line).collect(),
        ..Plot::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_takes_its_time_at_a_busy_seed() {
        let cpu = busy();
        let of_thousand = cpu.per_kilobyte.mul_f64(record_bytes());
        assert!((of_thousand.as_secs_f64() - 0.01).abs() < 1e-6, "{of_thousand:?}");
        assert!((20.0..60.0).contains(&record_bytes()), "{}", record_bytes());
    }
}
