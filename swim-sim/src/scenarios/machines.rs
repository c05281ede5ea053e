//! Clocks that are wrong, and processors that are too slow.

use std::time::Duration;

use super::trial::{Trial, mean, or_never, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::{Machines, MachinesOutcome};
use crate::report::{Cell, Report, Table};
use crate::world::Cpu;

pub(super) static DRIFT: Scenario = Scenario {
    name: "drift",
    about: "each clock runs fast or slow by up to 20 %: who is blamed, how soon is a crash known?",
    least_nodes: 3,
    usual: Defaults { nodes: &[100], seeds: 5, against: &["memberlist", "foca"], seconds: 300 },
    quick: Defaults { nodes: &[16], seeds: 2, against: &[], seconds: 20 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: drift,
};

pub(super) static SLOW: Scenario = Scenario {
    name: "slow",
    about: "1 member of 16 needs up to 400 ms for each packet: who is declared dead?",
    least_nodes: 16,
    usual: Defaults { nodes: &[128], seeds: 5, against: &["memberlist", "foca"], seconds: 300 },
    quick: Defaults { nodes: &[16], seeds: 2, against: &[], seconds: 20 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: slow,
};

/// Most that a clock is wrong by, in parts of a million: good ones, bad ones, and impossible ones.
const DRIFTS: [u32; 5] = [0, 100, 10_000, 50_000, 200_000];
/// Milliseconds that a packet takes.
const PER_PACKET: [u64; 5] = [10, 50, 100, 200, 400];
/// One of so many is slow.
const SHARE: u32 = 16;

fn base(settings: &Settings, nodes: u32) -> Machines {
    let (network, length) = (settings.network(), settings.length);
    Machines { nodes, network, length, drift: 0, slow: 0, cpu: None }
}

fn drift(settings: &Settings) -> Report {
    let of_drift = |drift| {
        settings.clusters().map(move |(nodes, who)| {
            Trial::new(nodes, who, Machines { drift, ..base(settings, nodes) })
        })
    };
    let trials: Vec<_> = DRIFTS.into_iter().flat_map(of_drift).collect();
    let outcomes = run_all(settings, "drift", &trials);
    let odd = |what: &Machines| Cell::number(f64::from(what.drift) / 1e4, 2);
    let mut table = table("Wrong clocks", ("off by up to", "%"), &trials, &outcomes, odd);
    notes(&mut table, settings);
    table.note("Each clock runs fast or slow by a random share of that.");
    Report { tables: vec![table], ..Report::new("drift") }
}

fn slow(settings: &Settings) -> Report {
    let of_cpu = |millis| {
        let per_packet = Duration::from_millis(millis);
        let cpu = Some(Cpu { per_packet, per_kilobyte: Duration::ZERO });
        settings.clusters().map(move |(nodes, who)| {
            let slow = (nodes / SHARE) as usize;
            Trial::new(nodes, who, Machines { slow, cpu, ..base(settings, nodes) })
        })
    };
    let trials: Vec<_> = PER_PACKET.into_iter().flat_map(of_cpu).collect();
    let outcomes = run_all(settings, "slow", &trials);
    let odd = |what: &Machines| {
        let cost = what.cpu.map_or(Duration::ZERO, |cpu| cpu.per_packet);
        Cell::number(cost.as_secs_f64() * 1e3, 0)
    };
    let mut table = table("Slow processors", ("per packet", "ms"), &trials, &outcomes, odd);
    notes(&mut table, settings);
    table.note(format!(
        "1 of {SHARE} handles one packet at a time, which takes it that long; it does nothing else \
         meanwhile, and packets wait."
    ));
    Report { tables: vec![table], ..Report::new("slow") }
}

fn table(
    title: &str,
    odd: (&'static str, &'static str),
    trials: &[Trial<Machines>],
    outcomes: &[Vec<MachinesOutcome>],
    oddity: impl Fn(&Machines) -> Cell,
) -> Table {
    let columns = [
        odd,
        ("nodes", ""),
        ("contender", ""),
        ("ordinary declared dead", ""),
        ("odd declared dead", ""),
        ("suspicions", ""),
        ("sent", "B/s/node"),
        ("crash known to one", "s"),
        ("crash known to all", "s"),
    ];
    let mut table = Table::new(title, columns);
    for (trial, runs) in trials.iter().zip(outcomes) {
        table.row([
            oddity(&trial.what),
            Cell::count(trial.nodes.into()),
            trial.who.name.clone().into(),
            mean(runs, 1, |it| it.false_deaths as f64),
            odd_deaths(&trial.what, mean(runs, 1, |it| it.slow_deaths as f64)),
            trial.suspicions(mean(runs, 0, |it| it.suspicions as f64)),
            mean(runs, 0, |it| it.bytes),
            mean(runs, 2, |it| or_never(it.first)),
            mean(runs, 2, |it| or_never(it.all)),
        ]);
    }
    table
}

/// With wrong clocks everybody is odd.
fn odd_deaths(what: &Machines, deaths: Cell) -> Cell {
    if what.slow == 0 { Cell::Missing } else { deaths }
}

fn notes(table: &mut Table, settings: &Settings) {
    settings.note_conditions(table);
    table.note(format!(
        "{} s, then one ordinary member crashes. Each observer that suspects or declares dead counts.",
        settings.length.as_secs_f64()
    ));
}
