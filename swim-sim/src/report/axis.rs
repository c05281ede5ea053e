//! Axes of charts: which values they span, linearly or by the logarithm, and which have a label.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use super::number::fixed;

/// About so many labels are aimed at.
const LABELS: f64 = 6.0;

/// A logarithmic axis has at least so many labels, where the next finer division gives them.
const LEAST_LABELS: usize = 4;

/// More faint lines than these would be a grey area.
const MOST_FAINT_LINES: usize = 60;

/// The share of a logarithmic axis left free at each end, so that no marker sits on the frame.
const PADDING: f64 = 0.04;

/// Beyond this there is no measurement, and spans and steps need not fear overflow.
const GREATEST: f64 = 1e100;

/// Absorbs the rounding of quotients that ought to be whole.
const ROUNDING: f64 = 1e-9;

/// An axis with its grid.
///
/// Plotters' own logarithmic axis labels powers of ten alone, of which an axis from 32 to 512 has
/// but one.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    logarithmic: bool,
    low: f64,
    high: f64,
    /// What has a label and a line, ascending.
    labelled: Vec<Tick>,
    /// Values with a faint line.
    faint: Vec<f64>,
}

/// A round value and its label.
#[derive(Clone, Debug)]
struct Tick {
    value: f64,
    label: String,
}

/// Whether an axis has a place for `value`: no logarithmic one has for 0.
pub(super) fn can_show(value: f64, logarithmic: bool) -> bool {
    value.abs() < GREATEST && (!logarithmic || value > 1.0 / GREATEST)
}

impl Axis {
    /// An axis that shows all of `values` that it can.
    pub(super) fn spanning(values: impl Iterator<Item = f64>, logarithmic: bool) -> Self {
        let shown = values.filter(|value| can_show(*value, logarithmic));
        let span = shown.fold(None, |span: Option<(f64, f64)>, value| {
            let (low, high) = span.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        });
        if logarithmic { Self::logarithmic(span) } else { Self::linear(span) }
    }

    /// From one labelled value to another.
    fn linear(span: Option<(f64, f64)>) -> Self {
        let (low, high) = with_zero(span.unwrap_or((0.0, 1.0)));
        let (factor, exponent) = round_step((high - low) / LABELS);
        let step = decimal(factor, exponent);
        let first = (low / step + ROUNDING).floor() as i64;
        let last = (high / step - ROUNDING).ceil() as i64;
        let labelled = multiples(first..=last, factor, exponent);
        let (low, high) = (first as f64 * step, last as f64 * step);
        Self { logarithmic: false, low, high, labelled, faint: Vec::new() }
    }

    fn logarithmic(span: Option<(f64, f64)>) -> Self {
        let (low, high) = span.unwrap_or((1.0, 10.0));
        // A single value, or nearly, gets room on both sides.
        let (low, high) = if high / low < 1.01 { (low / 2.0, high * 2.0) } else { (low, high) };
        let padding = (high / low).powf(PADDING);
        let (low, high) = (low / padding, high * padding);
        let faint = decades(low, high, 1, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let faint = if faint.len() > MOST_FAINT_LINES { &[] } else { &faint[..] };
        Self {
            logarithmic: true,
            low,
            high,
            labelled: logarithmic_labels(low, high),
            faint: faint.iter().map(|tick| tick.value).collect(),
        }
    }

    /// The label at `value`; empty where there is none.
    pub(super) fn label(&self, value: f64) -> String {
        let tick = self.labelled.iter().find(|tick| tick.value == value);
        tick.map(|tick| tick.label.clone()).unwrap_or_default()
    }

    /// The widest label's length in characters.
    pub(super) fn label_width(&self) -> usize {
        self.labelled.iter().map(|tick| tick.label.chars().count()).max().unwrap_or(0)
    }

    /// Where `value` is between the ends of the axis, 0 to 1.
    fn position(&self, value: f64) -> f64 {
        if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        start + (f64::from(end - start) * self.position(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            self.faint.clone()
        } else {
            self.labelled.iter().map(|tick| tick.value).collect()
        }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// Extends a span to 0 unless that would squeeze the values into less than half of the axis: a
/// scale that begins elsewhere exaggerates.
fn with_zero((low, high): (f64, f64)) -> (f64, f64) {
    let nearly_equal = high - low <= ROUNDING * low.abs().max(high.abs());
    if low.abs().max(high.abs()) < 1.0 / GREATEST {
        (0.0, 1.0)
    } else if low > 0.0 && (nearly_equal || low <= high / 2.0) {
        (0.0, high)
    } else if high < 0.0 && (nearly_equal || high >= low / 2.0) {
        (low, 0.0)
    } else {
        (low, high)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is no less than `step`, as factor and
/// exponent.
fn round_step(step: f64) -> (i64, i32) {
    let exponent = step.log10().floor() as i32;
    let factor = [1, 2, 5].into_iter().find(|factor| decimal(*factor, exponent) >= step);
    factor.map_or((1, exponent + 1), |factor| (factor, exponent))
}

/// `digits` times ten to the `exponent`. Division by a power of ten is exact to the last bit, which
/// multiplication by a fraction is not.
fn decimal(digits: i64, exponent: i32) -> f64 {
    if exponent < 0 {
        digits as f64 / 10_f64.powi(-exponent)
    } else {
        digits as f64 * 10_f64.powi(exponent)
    }
}

fn tick(digits: i64, exponent: i32) -> Tick {
    let value = decimal(digits, exponent);
    let magnitude = value.abs();
    let label = if magnitude != 0.0 && !(1e-4..1e7).contains(&magnitude) {
        format!("{value:e}")
    } else {
        fixed(value, usize::try_from(-exponent).unwrap_or(0))
    };
    Tick { value, label }
}

fn multiples(counts: impl Iterator<Item = i64>, factor: i64, exponent: i32) -> Vec<Tick> {
    counts.map(|count| tick(count.saturating_mul(factor), exponent)).collect()
}

/// The coarsest division that labels enough: powers of ten (not all of them over many decades),
/// then some values within each decade, and over a fraction of a decade equal steps.
fn logarithmic_labels(low: f64, high: f64) -> Vec<Tick> {
    let stride = ((high / low).log10() / 8.0).ceil().max(1.0) as i32;
    let divisions: [&[i64]; 3] = [&[1], &[1, 2, 5], &[1, 2, 3, 4, 6, 8]];
    for factors in divisions {
        let ticks = decades(low, high, stride, factors);
        if ticks.len() >= LEAST_LABELS {
            return ticks;
        }
    }
    let (factor, exponent) = round_step((high - low) / LABELS);
    let step = decimal(factor, exponent);
    multiples((low / step).ceil() as i64..=(high / step).floor() as i64, factor, exponent)
}

/// The `factors` times each power of ten whose exponent is a multiple of `stride`, as far as they
/// are between `low` and `high`.
fn decades(low: f64, high: f64, stride: i32, factors: &[i64]) -> Vec<Tick> {
    let exponents = low.log10().floor() as i32..=high.log10().floor() as i32;
    let ticks = exponents
        .filter(|exponent| exponent % stride == 0)
        .flat_map(|exponent| factors.iter().map(move |digits| tick(*digits, exponent)));
    ticks.filter(|tick| (low..=high).contains(&tick.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], logarithmic: bool) -> Vec<String> {
        let axis = Axis::spanning(values.iter().copied(), logarithmic);
        axis.labelled.iter().map(|tick| axis.label(tick.value)).collect()
    }

    #[test]
    fn a_linear_axis_has_round_labels_from_end_to_end() {
        assert_eq!(labels(&[0.1, 0.7], false), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(&[3.0, 12_345.0], false), ["0", "5,000", "10,000", "15,000"]);
        assert_eq!(labels(&[-3.0, 3.0], false), ["-3", "-2", "-1", "0", "1", "2", "3"]);
    }

    #[test]
    fn a_linear_axis_begins_at_zero_unless_that_hides_the_difference() {
        assert_eq!(Axis::spanning([4.0, 9.0].into_iter(), false).low, 0.0);
        assert_eq!(labels(&[0.98, 1.0], false), ["0.980", "0.985", "0.990", "0.995", "1.000"]);
    }

    #[test]
    fn a_logarithmic_axis_has_labels_within_the_decades_it_needs() {
        assert_eq!(labels(&[32.0, 512.0], true), ["50", "100", "200", "500"]);
        assert_eq!(labels(&[3.0, 8.0], true), ["3", "4", "6", "8"]);
        assert_eq!(labels(&[0.001, 10.0], true), ["0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(labels(&[1e-8, 1e8], true), ["1e-6", "0.001", "1", "1,000", "1,000,000"]);
    }

    #[test]
    fn an_axis_without_a_span_has_room() {
        assert_eq!(labels(&[], false).len(), 6);
        assert_eq!(labels(&[0.0], true), labels(&[1.0, 10.0], true));
        for logarithmic in [false, true] {
            let axis = Axis::spanning([7.0, 7.0].into_iter(), logarithmic);
            assert!(axis.low < 7.0 && axis.high >= 7.0 && axis.labelled.len() > 2);
        }
    }

    #[test]
    fn every_value_shown_is_on_the_axis() {
        let all = [-f64::MAX, -1e99, -7.0, 0.0, 1e-320, 0.003, 5.0, 5.0 + 1e-14, 70.0, f64::MAX];
        for (first, last) in all.iter().flat_map(|first| all.map(|last| (*first, last))) {
            for logarithmic in [false, true] {
                let values = [first, last, f64::NAN, f64::INFINITY];
                let axis = Axis::spanning(values.into_iter(), logarithmic);
                assert!((2..20).contains(&axis.labelled.len()), "{first} {last}: {axis:?}");
                for value in values.into_iter().filter(|value| can_show(*value, logarithmic)) {
                    assert!((0..=500).contains(&axis.map(&value, (0, 500))), "{value}: {axis:?}");
                }
            }
        }
    }
}
