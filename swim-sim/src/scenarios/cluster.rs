//! The operator's question.

use std::time::Duration;

use super::trial::{Trial, mean, or_never, run_all, sample};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::{Cluster, ClusterOutcome};
use crate::report::{Cell, Report, Table};

pub(super) static CLUSTER: Scenario = Scenario {
    name: "cluster",
    about: "my cluster has N nodes, L loss, this profile: how fast, how wrong, how many bytes?",
    least_nodes: 3,
    usual: Defaults { nodes: &[100], seeds: 10, against: &[], seconds: 600 },
    quick: Defaults { nodes: &[16], seeds: 3, against: &[], seconds: 60 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: cluster,
};

/// How long to wait until all know of the crash, and of the join.
const LIMIT: Duration = Duration::from_secs(300);
const DAY: f64 = 86_400.0;

fn cluster(settings: &Settings) -> Report {
    let trial = |(nodes, who)| {
        let (network, length, limit) = (settings.network(), settings.length, LIMIT);
        Trial::new(nodes, who, Cluster { nodes, network, length, limit })
    };
    let trials: Vec<_> = settings.clusters().map(trial).collect();
    let outcomes = run_all(settings, "cluster", &trials);
    let tables = vec![
        speed(settings, &trials, &outcomes),
        mistakes(settings, &trials, &outcomes),
        price(settings, &trials, &outcomes),
    ];
    Report { tables, ..Report::new("cluster") }
}

type Outcomes = [Vec<ClusterOutcome>];

/// The first cells of each row.
fn of(trial: &Trial<Cluster>) -> impl Iterator<Item = Cell> {
    [Cell::count(trial.nodes.into()), trial.who.name.clone().into()].into_iter()
}

fn speed(settings: &Settings, trials: &[Trial<Cluster>], outcomes: &Outcomes) -> Table {
    let columns = [
        ("nodes", ""),
        ("contender", ""),
        ("crash known to one", "s"),
        ("to all", "s"),
        ("to all, slowest run", "s"),
        ("newcomer known to all", "s"),
        ("it knows all", "s"),
    ];
    let mut table = Table::new("How fast", columns);
    for (trial, runs) in trials.iter().zip(outcomes) {
        let all = sample(runs, |it| or_never(it.crash_all));
        table.row(of(trial).chain([
            mean(runs, 1, |it| or_never(it.crash_first)),
            Cell::interval(&all, 1),
            Cell::number(all.max(), 1),
            mean(runs, 2, |it| or_never(it.join_all)),
            mean(runs, 3, |it| or_never(it.joiner_all)),
        ]));
    }
    settings.note_conditions(&mut table);
    table
}

fn mistakes(settings: &Settings, trials: &[Trial<Cluster>], outcomes: &Outcomes) -> Table {
    let columns = [
        ("nodes", ""),
        ("contender", ""),
        ("wrongly suspected", "1/day"),
        ("wrongly declared dead", "1/day"),
        ("at most", "1/day"),
    ];
    let mut table = Table::new("How wrong", columns);
    for (trial, runs) in trials.iter().zip(outcomes) {
        let days = settings.length.as_secs_f64() * runs.len() as f64 / DAY;
        let total =
            |figure: fn(&ClusterOutcome) -> u64| runs.iter().map(figure).sum::<u64>() as f64;
        let dead = total(|it| it.declared_dead);
        table.row(of(trial).chain([
            trial.suspicions(Cell::significant(total(|it| it.suspected) / days)),
            Cell::significant(dead / days),
            Cell::significant(most(dead) / days),
        ]));
    }
    table.note(format!(
        "In the whole cluster, each time once however many join in; from {} runs of {} s. At most: \
         with 95 % confidence.",
        settings.seeds.end - settings.seeds.start,
        settings.length.as_secs_f64()
    ));
    table
}

/// The greatest mean of a Poisson distribution that has a chance of 5 % to give no more than
/// `count`: exact (-ln 0.05) for 0, else by the approximation of Byar.
fn most(count: f64) -> f64 {
    if count == 0.0 {
        return -(0.05_f64.ln());
    }
    let next = count + 1.0;
    next * (1.0 - 1.0 / (9.0 * next) + 1.645 / (3.0 * next.sqrt())).powi(3)
}

fn price(settings: &Settings, trials: &[Trial<Cluster>], outcomes: &Outcomes) -> Table {
    let columns = [
        ("nodes", ""),
        ("contender", ""),
        ("datagrams", "1/s/node"),
        ("sent", "B/s/node"),
        ("of it by stream", "B/s/node"),
        ("all nodes", "kbit/s"),
    ];
    let mut table = Table::new("At what price", columns);
    for (trial, runs) in trials.iter().zip(outcomes) {
        let seconds = settings.length.as_secs_f64();
        let rate = |count: u64| count as f64 / seconds / f64::from(trial.nodes);
        table.row(of(trial).chain([
            mean(runs, 2, |it| rate(it.traffic.datagrams)),
            mean(runs, 0, |it| rate(it.traffic.bytes())),
            mean(runs, 0, |it| rate(it.traffic.stream_bytes + it.traffic.stream_headers)),
            mean(runs, 0, |it| it.traffic.bytes() as f64 * 8.0 / 1e3 / seconds),
        ]));
    }
    table.note("While nothing happens; with the headers of IP, UDP and TCP.");
    table
}

#[cfg(test)]
mod tests {
    use super::most;

    #[test]
    fn the_upper_bound_is_that_of_published_tables() {
        for (count, bound) in [(0.0, 2.996), (1.0, 4.744), (5.0, 10.513), (20.0, 29.062)] {
            assert!((most(count) - bound).abs() < 0.02 * bound, "{count}: {}", most(count));
        }
    }
}
