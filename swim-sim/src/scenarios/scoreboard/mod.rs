//! The scoreboard: every figure that the simulator is there to improve, beside the best that is known
//! of others and the goal.

mod detection;
mod membership;
mod traffic;

use super::trial::{Trial, run_all};
use super::{Defaults, Knob, Scenario, Settings};
use crate::lab::{Contender, Experiment};
use crate::network::Network;
use crate::report::{Cell, Report, Table};
use crate::statistics::Sample;

pub(super) static SCOREBOARD: Scenario = Scenario {
    name: "scoreboard",
    about: "every figure with the best known one and the goal; --nodes is the largest cluster to run",
    least_nodes: 16,
    usual: Defaults { nodes: &[10_000], seeds: 3, against: &[], seconds: 600 },
    quick: Defaults { nodes: &[1_000], seeds: 1, against: &[], seconds: 60 },
    takes: &[Knob::Nodes, Knob::Against, Knob::Length, Knob::OnlyLong],
    answer: scoreboard,
};

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met_by(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }

    fn text(self, decimals: usize) -> String {
        let (sign, value) = match self {
            Self::AtMost(most) => ("≤", most),
            Self::AtLeast(least) => ("≥", least),
        };
        if value == 0.0 {
            "0".to_owned()
        } else {
            format!("{sign} {}", Cell::number(value, decimals).text())
        }
    }
}

/// One figure.
struct Row {
    /// Of which experiment.
    experiment: String,
    /// Which, with its unit.
    figure: &'static str,
    /// The best that is known, with whose it is.
    known: &'static str,
    goal: Goal,
    decimals: usize,
    /// What each contender has; empty where it was not run.
    ours: Vec<Sample>,
}

/// The rows so far, and how to get more.
struct Board<'a> {
    settings: &'a Settings,
    rows: Vec<Row>,
}

/// The outcomes of one experiment by contender; none where one was not run.
type Outcomes<E> = Vec<Vec<<E as Experiment>::Outcome>>;

impl Board<'_> {
    /// The largest cluster to run, if one of `n` is too large.
    fn nodes(&self, n: u32) -> u32 {
        n.min(self.most())
    }

    /// The same, unless there is already a row of so few.
    fn more_nodes(&self, n: u32, than: u32) -> Option<u32> {
        Some(self.nodes(n)).filter(|nodes| *nodes > than)
    }

    fn most(&self) -> u32 {
        self.settings.nodes.iter().copied().max().unwrap_or(u32::MAX)
    }

    /// The network of the measurements of peers: 1 ms one way, nothing lost.
    fn network(&self) -> Network {
        self.settings.network()
    }

    /// Runs an experiment with every contender.
    fn run<E: Experiment + Clone>(&self, label: &str, nodes: u32, what: &E) -> Outcomes<E> {
        let contenders: Vec<Contender> =
            self.settings.contenders.iter().filter_map(|it| Contender::named(it, nodes)).collect();
        let feasible = contenders.iter().filter(|it| it.is_feasible(nodes));
        let trials: Vec<_> =
            feasible.map(|who| Trial::new(nodes, who.clone(), what.clone())).collect();
        let mut outcomes = run_all(self.settings, label, &trials).into_iter();
        let outcomes_of = |it: &Contender| {
            it.is_feasible(nodes).then(|| outcomes.next()).flatten().unwrap_or_default()
        };
        contenders.iter().map(outcomes_of).collect()
    }

    /// Adds a figure, of every run of every contender.
    fn add<O>(
        &mut self,
        (experiment, figure, known): (&str, &'static str, &'static str),
        (goal, decimals): (Goal, usize),
        outcomes: &[Vec<O>],
        value: impl Fn(&O) -> f64,
    ) {
        let ours = outcomes.iter().map(|runs| super::trial::sample(runs, &value)).collect();
        self.add_samples((experiment, figure, known), (goal, decimals), ours);
    }

    fn add_samples(
        &mut self,
        (experiment, figure, known): (&str, &'static str, &'static str),
        (goal, decimals): (Goal, usize),
        ours: Vec<Sample>,
    ) {
        let experiment = experiment.to_owned();
        self.rows.push(Row { experiment, figure, known, goal, decimals, ours });
    }
}

fn scoreboard(settings: &Settings) -> Report {
    let mut board = Board { settings, rows: Vec::new() };
    detection::rows(&mut board);
    traffic::rows(&mut board);
    membership::rows(&mut board);
    traffic::speed_rows(&mut board);
    let first = ["experiment", "figure", "best known", "goal"].map(str::to_owned);
    let columns = first.into_iter().chain(settings.contenders.iter().cloned());
    let columns = columns.chain(["goal met".to_owned()]).map(|heading| (heading, ""));
    let mut table = Table::new("Scoreboard", columns);
    let mut met = 0;
    for row in &board.rows {
        let is_met = row.ours.first().is_some_and(|ours| row.goal.is_met_by(ours.mean()));
        met += usize::from(is_met);
        let first = [
            row.experiment.clone().into(),
            row.figure.into(),
            row.known.into(),
            row.goal.text(row.decimals).into(),
        ];
        let ours = row.ours.iter().map(|ours| figure(ours, row.decimals));
        let last = [if is_met { "yes" } else { "no" }.into()];
        table.row(first.into_iter().chain(ours).chain(last));
    }
    table.note(format!(
        "{}; means with their 95 % confidence interval; ∞: in some run it was never so. {met} of {} \
         goals are met by swim.",
        settings.runs(),
        board.rows.len()
    ));
    Report { tables: vec![table], ..Report::new("scoreboard") }
}

/// A single value needs no interval: it is a percentile of many, or the only run.
fn figure(ours: &Sample, decimals: usize) -> Cell {
    if ours.len() == 1 {
        Cell::number(ours.mean(), decimals)
    } else {
        Cell::interval(ours, decimals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_at_its_bound_and_not_by_what_never_was() {
        assert!(Goal::AtMost(2.0).is_met_by(2.0) && !Goal::AtMost(2.0).is_met_by(f64::INFINITY));
        assert!(Goal::AtLeast(2.0).is_met_by(2.0) && !Goal::AtLeast(2.0).is_met_by(1.9));
        assert!(!Goal::AtMost(2.0).is_met_by(f64::NAN));
        assert_eq!(Goal::AtMost(1_200.0).text(0), "≤ 1,200");
        assert_eq!(Goal::AtMost(0.0).text(0), "0");
    }
}
