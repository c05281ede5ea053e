//! Tables of typed cells, and how they look in a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentLineStyle, LineStyle, TableStyle};

use super::number::{MISSING, decimals_of, fixed};
use crate::statistics::Sample;

/// Rules above, below and under the header; columns are kept apart by space alone.
const STYLE: TableStyle = TableStyle::new()
    .top_border(LineStyle::none().fill('─').junction('─'))
    .header_lines(ContentLineStyle::none().junction(' '))
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .content_lines(ContentLineStyle::none().junction(' '))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// A table of results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What the table is about.
    pub title: String,
    /// What a reader must know besides: parameters, definitions, caveats.
    pub notes: Vec<String>,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, a cell for each column. Cells that a row lacks are missing values; those it has
    /// too many are not shown.
    pub rows: Vec<Vec<Cell>>,
}

/// What a column is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// What is measured.
    pub heading: String,
    /// In what unit; empty where there is none.
    pub unit: String,
}

/// One value of a table. Numbers keep their precision in CSV and JSON and are rounded to `decimals`
/// where people read them.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number; NaN is a missing one.
    Number {
        /// The number.
        value: f64,
        /// Decimals to show.
        decimals: usize,
    },
    /// A mean with its confidence interval.
    Interval {
        /// The mean.
        mean: f64,
        /// Half the interval's width; NaN where too few measurements tell it.
        half_width: f64,
        /// Decimals to show.
        decimals: usize,
    },
    /// From a least to a greatest value, such as two percentiles.
    Range {
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
        /// Decimals to show.
        decimals: usize,
    },
    /// Not measured, or without meaning here.
    Missing,
}

impl Table {
    /// A table without notes and rows yet. Columns may be given as pairs of heading and unit.
    pub fn new(
        title: impl Into<String>,
        columns: impl IntoIterator<Item = impl Into<Column>>,
    ) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self { title: title.into(), columns, ..Self::default() }
    }

    /// Adds a note.
    pub fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> &mut Self {
        let cells: Vec<_> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.columns.len(), "cells of a row of {}", self.title);
        self.rows.push(cells);
        self
    }

    /// The table for a terminal: title, columns (numbers to the right), notes.
    /// Lines are not wrapped.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.title.is_empty() {
            text.push_str(&self.title);
            text.push('\n');
        }
        if !self.columns.is_empty() {
            text.push_str(&self.grid());
            text.push('\n');
        }
        for note in &self.notes {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {note}");
        }
        text
    }

    fn grid(&self) -> String {
        let mut grid = comfy_table::Table::new();
        grid.load_style(STYLE);
        grid.set_header(self.columns.iter().map(|column| {
            let unit = if column.unit.is_empty() { "" } else { "\n" };
            format!("{}{unit}{}", column.heading, column.unit)
        }));
        grid.add_rows(self.rows.iter().map(|row| {
            self.cells(row).map(|cell| comfy_table::Cell::new(cell.text())).collect::<Vec<_>>()
        }));
        for (index, column) in grid.column_iter_mut().enumerate() {
            if self.is_numeric(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        grid.trim_fmt()
    }

    /// The cells of `row`, as many as there are columns.
    pub(super) fn cells<'a>(&self, row: &'a [Cell]) -> impl Iterator<Item = &'a Cell> + use<'a> {
        row.iter().chain(std::iter::repeat(&Cell::Missing)).take(self.columns.len())
    }

    /// The cells of one column, those that rows lack left out.
    pub(super) fn column(&self, index: usize) -> impl Iterator<Item = &Cell> {
        self.rows.iter().filter_map(move |row| row.get(index))
    }

    /// Whether a column holds numbers rather than words, and is aligned by them.
    pub(super) fn is_numeric(&self, index: usize) -> bool {
        let (mut words, mut numbers) = (0, 0);
        for cell in self.column(index) {
            match cell {
                Cell::Text(_) => words += 1,
                Cell::Missing => {}
                Cell::Number { .. } | Cell::Interval { .. } | Cell::Range { .. } => numbers += 1,
            }
        }
        numbers > words
    }
}

impl Column {
    /// A column of `heading`, in `unit` ("" if it has none).
    pub fn new(heading: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { heading: heading.into(), unit: unit.into() }
    }

    /// Heading and unit in one line.
    pub fn label(&self) -> String {
        if self.unit.is_empty() {
            self.heading.clone()
        } else {
            format!("{} ({})", self.heading, self.unit)
        }
    }
}

impl Cell {
    /// A count of things.
    pub fn count(count: u64) -> Self {
        Self::number(count as f64, 0)
    }

    /// A number, shown with `decimals`.
    pub fn number(value: f64, decimals: usize) -> Self {
        Self::Number { value, decimals }
    }

    /// A number, shown with three significant digits or all of its integer part.
    pub fn significant(value: f64) -> Self {
        Self::number(value, decimals_of(value, 3))
    }

    /// The mean of a sample with its 95 % confidence interval.
    pub fn interval(sample: &Sample, decimals: usize) -> Self {
        Self::Interval { mean: sample.mean(), half_width: sample.half_width(), decimals }
    }

    /// From `low` to `high`.
    pub fn range(low: f64, high: f64, decimals: usize) -> Self {
        Self::Range { low, high, decimals }
    }

    /// The value as people read it.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number { value, decimals } => fixed(*value, *decimals),
            Self::Interval { mean, half_width, decimals } => {
                interval(*mean, *half_width, *decimals)
            }
            Self::Range { low, high, .. } if low.is_nan() && high.is_nan() => MISSING.to_owned(),
            Self::Range { low, high, decimals } => {
                format!("{} to {}", fixed(*low, *decimals), fixed(*high, *decimals))
            }
            Self::Missing => MISSING.to_owned(),
        }
    }
}

impl<H: Into<String>, U: Into<String>> From<(H, U)> for Column {
    fn from((heading, unit): (H, U)) -> Self {
        Self::new(heading, unit)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A mean of one run must not pass for a certain one.
fn interval(mean: f64, half_width: f64, decimals: usize) -> String {
    if mean.is_nan() {
        MISSING.to_owned()
    } else if mean.is_infinite() {
        fixed(mean, decimals) // In some run it never was, and no interval makes sense.
    } else if half_width.is_nan() {
        format!("{} ± ?", fixed(mean, decimals))
    } else {
        format!("{} ± {}", fixed(mean, decimals), fixed(half_width, decimals))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A table with every kind of cell, and with everything that wants quoting.
    pub(in crate::report) fn every_kind() -> Table {
        let columns = [("protocol", ""), ("members", ""), ("detected", "s"), ("p5 to p95", "s")];
        let mut table = Table::new("Detection of a crash", columns);
        table.row([
            "swim, \"plain\"".into(),
            Cell::count(12_345),
            Cell::Interval { mean: 4.25, half_width: 0.5, decimals: 2 },
            Cell::range(1.0, 9.5, 1),
        ]);
        table.row([
            "a|b".into(),
            Cell::count(64),
            Cell::interval(&Sample::new(vec![3.0]), 2),
            Cell::Missing,
        ]);
        table.note("30 seeds; mean and its 95 % confidence interval");
        table
    }

    #[test]
    fn a_terminal_gets_numbers_to_the_right() {
        let expected = "\
Detection of a crash
────────────────────────────────────────────────────
 protocol        members      detected    p5 to p95
                                     s            s
────────────────────────────────────────────────────
 swim, \"plain\"    12,345   4.25 ± 0.50   1.0 to 9.5
 a|b                  64      3.00 ± ?            –
────────────────────────────────────────────────────
  30 seeds; mean and its 95 % confidence interval
";
        assert_eq!(every_kind().text(), expected);
    }

    #[test]
    fn a_row_that_is_too_short_has_missing_values() {
        let mut table = every_kind();
        table.rows = vec![vec!["alone".into()]];
        assert_eq!(table.text().matches(MISSING).count(), 3);
    }

    #[test]
    fn a_mean_of_nothing_is_missing_and_one_with_never_is_never() {
        assert_eq!(Cell::interval(&Sample::default(), 2).text(), MISSING);
        let never = Sample::new(vec![1.0, f64::INFINITY]);
        assert_eq!(Cell::interval(&never, 2).text(), "∞");
        assert_eq!(Cell::range(f64::NAN, f64::NAN, 2).text(), MISSING);
    }

    #[test]
    fn significant_digits_are_three() {
        let cells = [1_234.56, 12.345, 0.012_345].map(|value| Cell::significant(value).text());
        assert_eq!(cells, ["1,235", "12.3", "0.0123"]);
    }

    #[test]
    fn a_column_is_numeric_by_most_of_its_cells() {
        let numeric: Vec<_> = (0..4).map(|index| every_kind().is_numeric(index)).collect();
        assert_eq!(numeric, [false, true, true, true]);
    }
}
