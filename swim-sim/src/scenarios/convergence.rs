//! How the time that news takes grows with the cluster.

use super::trial::{Trial, mean, or_never, run_all, sample};
use super::{Defaults, Knob, Scenario, Settings};
use crate::experiments::{Dissemination, DisseminationOutcome, Reach};
use crate::report::{Cell, Plot, Report, Series, Table};
use crate::statistics::Fit;

pub(super) static CONVERGENCE: Scenario = Scenario {
    name: "convergence",
    about: "how the time until all know of a join or a leave grows with the cluster, with a fit",
    least_nodes: 3,
    usual: Defaults {
        nodes: &[10, 32, 100, 320, 1_000, 3_200, 10_000],
        seeds: 5,
        against: &[],
        seconds: 60,
    },
    quick: Defaults { nodes: &[8, 16, 32], seeds: 2, against: &[], seconds: 30 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Loss, Knob::Length, Knob::Profile],
    answer: convergence,
};

type Figure = fn(&DisseminationOutcome) -> f64;

/// What is measured of each cluster: its name, and how.
const FIGURES: [(&str, Figure); 4] = [
    ("join, 50 %", |it| or_never(it.join.half)),
    ("join, all", |it| or_never(it.join.all)),
    ("leave, 50 %", |it| or_never(it.leave.half)),
    ("leave, all", |it| or_never(it.leave.all)),
];

fn convergence(settings: &Settings) -> Report {
    let trial = |(nodes, who)| {
        let (network, limit) = (settings.network(), settings.length);
        Trial::new(nodes, who, Dissemination { nodes, network, limit })
    };
    let trials: Vec<_> = settings.clusters().map(trial).collect();
    let outcomes = run_all(settings, "convergence", &trials);
    let mut figures = times(settings, &trials, &outcomes);
    settings.note_conditions(&mut figures);
    let lines = lines(settings, &trials, &outcomes);
    Report {
        tables: vec![figures, growth(&lines)],
        plots: ["join", "leave"].map(|event| plot(event, &lines)).into(),
        ..Report::new("convergence")
    }
}

fn times(
    settings: &Settings,
    trials: &[Trial<Dissemination>],
    outcomes: &[Vec<DisseminationOutcome>],
) -> Table {
    let columns = [
        ("nodes", ""),
        ("contender", ""),
        ("join: 50 %", "s"),
        ("join: 99 %", "s"),
        ("join: all", "s"),
        ("leave: 50 %", "s"),
        ("leave: 99 %", "s"),
        ("leave: all", "s"),
        ("datagrams for the leave", "1/node"),
    ];
    let mut table = Table::new("One piece of news", columns);
    for (trial, runs) in trials.iter().zip(outcomes) {
        let cells = |reach: fn(&DisseminationOutcome) -> Reach| {
            [
                mean(runs, 2, |it| or_never(reach(it).half)),
                mean(runs, 2, |it| or_never(reach(it).most)),
                mean(runs, 2, |it| or_never(reach(it).all)),
            ]
        };
        let first = [Cell::count(trial.nodes.into()), trial.who.name.clone().into()];
        let row = first.into_iter().chain(cells(|it| it.join)).chain(cells(|it| it.leave));
        table.row(row.chain([mean(runs, 1, |it| it.datagrams)]));
    }
    table.note(format!("∞: not within {} s.", settings.length.as_secs_f64()));
    table
}

/// The mean of one figure of one contender by the number of nodes.
struct Line {
    who: String,
    figure: &'static str,
    points: Vec<(f64, f64)>,
}

impl Line {
    fn fit(&self) -> Option<Fit> {
        Fit::logarithmic(&self.points)
    }
}

fn lines(
    settings: &Settings,
    trials: &[Trial<Dissemination>],
    outcomes: &[Vec<DisseminationOutcome>],
) -> Vec<Line> {
    let of_figure = |who: &String, (name, figure): (&'static str, Figure)| {
        let own = trials.iter().zip(outcomes).filter(|(trial, _)| trial.who.name == *who);
        let point = |(trial, runs): (&Trial<Dissemination>, &Vec<DisseminationOutcome>)| {
            (f64::from(trial.nodes), sample(runs, figure).mean())
        };
        Line { who: who.clone(), figure: name, points: own.map(point).collect() }
    };
    let of_contender = |who| FIGURES.iter().map(move |figure| of_figure(who, *figure));
    settings.contenders.iter().flat_map(of_contender).collect()
}

fn growth(lines: &[Line]) -> Table {
    let columns = [
        ("contender", ""),
        ("until", ""),
        ("at 1 node", "s"),
        ("per factor of 10", "s"),
        ("±", "s"),
        ("r²", ""),
        ("exponent of a power law", ""),
    ];
    let mut table = Table::new("Growth with the cluster", columns);
    let tenfold = std::f64::consts::LN_10;
    for line in lines {
        let (fit, power) = (line.fit(), Fit::power(&line.points));
        let figure = |figure: fn(&Fit) -> f64| fit.as_ref().map_or(f64::NAN, figure);
        table.row([
            line.who.clone().into(),
            line.figure.into(),
            Cell::number(figure(|fit| fit.intercept), 3),
            Cell::number(tenfold * figure(|fit| fit.slope), 3),
            Cell::number(rounded(tenfold * figure(|fit| fit.slope_half_width)), 3),
            Cell::number(figure(|fit| fit.r_squared), 3),
            Cell::number(power.map_or(f64::NAN, |fit| fit.slope), 3),
        ]);
    }
    table.note("Least squares of the means above against the logarithm of the number of nodes.");
    table
}

/// Without the dust that sums of floating-point numbers leave where there is nothing.
fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

fn plot(event: &str, lines: &[Line]) -> Plot {
    let lines = || lines.iter().filter(|line| line.figure.starts_with(event));
    let name = |line: &Line| format!("{}: {}", line.who, line.figure);
    let measured =
        lines().map(|line| Series { name: name(line), points: line.points.clone(), dashed: false });
    let fitted = lines().filter_map(|line| {
        let fit = line.fit()?;
        let points = line.points.iter().map(|(n, _)| (*n, fit.at(*n))).collect();
        let per_tenfold = std::f64::consts::LN_10 * fit.slope;
        Some(Series {
            name: format!("{}, fit: {per_tenfold:.2} s per ×10", name(line)),
            points,
            dashed: true,
        })
    });
    Plot {
        title: format!("Time until news of a {event} has spread"),
        x_label: "nodes".to_owned(),
        y_label: "seconds".to_owned(),
        log_x: true,
        series: measured.chain(fitted).collect(),
        ..Plot::default()
    }
}
