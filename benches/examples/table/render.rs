//! Figures as Markdown.

use std::fmt::Write as _;

use crate::goals::Values;
use crate::measure::Figures;

/// The table of all figures, and how each grows.
pub(crate) fn markdown(figures: &[Figures], sizes: &[usize]) -> String {
    let mut text = String::from(
        "Microseconds, medians. foca 2.0.0 in the same run; al8n is memberlist-proto 0.4.0, measured \
         once.\n\n\
         | operation | n | foca | al8n | goal | ours | ours / goal | foca / ours |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in figures {
        for (at, &n) in sizes.iter().enumerate() {
            let (foca, ours) = (row.foca[at], row.ours[at]);
            let (al8n, goal) = (row.goal.al8n[at], row.goal.at_most[at]);
            let _ = writeln!(
                text,
                "| {} | {n} | {} | {} | {} | {} | {} | {} |",
                row.name,
                number(foca),
                number(al8n),
                number(goal),
                number(ours),
                number(ratio(ours, goal)),
                number(ratio(foca, ours)),
            );
        }
    }
    text.push_str(
        "\nGrowth: the exponent of n that fits the figures best; 0 is flat, 1 is linear.\n\n\
         | operation | foca | al8n | ours |\n|---|---:|---:|---:|\n",
    );
    for row in figures {
        let growth = |values: &[Option<f64>]| number(exponent(sizes, values));
        let (foca, ours) = (growth(&row.foca), growth(&row.ours));
        let al8n: &Values = &row.goal.al8n;
        let _ = writeln!(text, "| {} | {foca} | {} | {ours} |", row.name, growth(al8n));
    }
    text
}

fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? / b?)
}

/// Three digits are more than the figures are good for.
fn number(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value.abs() < 9.995 => format!("{value:.2}"),
        Some(value) if value.abs() < 99.95 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

/// Least squares of ln value over ln n; `None` with fewer than two values.
fn exponent(sizes: &[usize], values: &[Option<f64>]) -> Option<f64> {
    let points: Vec<(f64, f64)> = sizes
        .iter()
        .zip(values)
        .filter_map(|(&n, value)| Some(((n as f64).ln(), value.filter(|&v| v > 0.0)?.ln())))
        .collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let common: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (points.len() > 1).then(|| common / spread)
}
