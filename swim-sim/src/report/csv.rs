//! Tables as CSV (RFC 4180, though lines end as Unix has them), for other programs.

use super::table::{Cell, Table};

/// One field of a cell: a mean and its half width are two columns in CSV, so that each is a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Value,
    HalfWidth,
    Low,
    High,
}

impl Table {
    /// A line of headings with their units, then a line for each row.
    ///
    /// Numbers are neither rounded nor grouped; a missing one is empty, an infinite one `inf`. A
    /// column with intervals is followed by one of their half widths (`±`), and one with ranges by
    /// their `low` and `high`.
    pub fn csv(&self) -> String {
        let columns: Vec<(usize, Part)> = (0..self.columns.len())
            .flat_map(|index| self.parts(index).into_iter().map(move |part| (index, part)))
            .collect();
        let mut text = String::new();
        line(&mut text, columns.iter().map(|&(index, part)| self.heading(index, part)));
        for row in &self.rows {
            line(
                &mut text,
                columns
                    .iter()
                    .map(|&(index, part)| field(row.get(index).unwrap_or(&Cell::Missing), part)),
            );
        }
        text
    }

    fn parts(&self, index: usize) -> Vec<Part> {
        let mut parts = Vec::new();
        let intervals = self.column(index).any(|cell| matches!(cell, Cell::Interval { .. }));
        let ranges = self.column(index).any(|cell| matches!(cell, Cell::Range { .. }));
        let alone =
            !self.column(index).all(|cell| matches!(cell, Cell::Range { .. } | Cell::Missing));
        if alone || !ranges {
            parts.push(Part::Value);
        }
        if intervals {
            parts.push(Part::HalfWidth);
        }
        if ranges {
            parts.extend([Part::Low, Part::High]);
        }
        parts
    }

    fn heading(&self, index: usize, part: Part) -> String {
        let mut column = self.columns[index].clone();
        column.heading.push_str(match part {
            Part::Value => "",
            Part::HalfWidth => " ±",
            Part::Low => " low",
            Part::High => " high",
        });
        column.label()
    }
}

fn field(cell: &Cell, part: Part) -> String {
    match (cell, part) {
        (Cell::Text(text), Part::Value) => text.clone(),
        (Cell::Number { value, .. }, Part::Value)
        | (Cell::Interval { mean: value, .. }, Part::Value)
        | (Cell::Interval { half_width: value, .. }, Part::HalfWidth)
        | (Cell::Range { low: value, .. }, Part::Low)
        | (Cell::Range { high: value, .. }, Part::High) => number(*value),
        _ => String::new(),
    }
}

fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&quoted(field));
    }
    text.push('\n');
}

/// Quotes what holds a separator, and spaces at the ends, which some readers trim.
fn quoted(field: String) -> String {
    if field.contains([',', '"', '\n', '\r']) || field.trim() != field {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::every_kind;
    use super::*;

    #[test]
    fn each_number_has_its_column() {
        let expected = "\
protocol,members,detected (s),detected ± (s),p5 to p95 low (s),p5 to p95 high (s)
\"swim, \"\"plain\"\"\",12345,4.25,0.5,1,9.5
a|b,64,3,,,
";
        assert_eq!(every_kind().csv(), expected);
    }

    #[test]
    fn numbers_are_not_rounded() {
        let mut table = Table::new("", [("x", "")]);
        table.row([Cell::number(1.0 / 3.0, 2)]);
        table.row([Cell::number(f64::INFINITY, 2)]);
        table.row([Cell::number(f64::NAN, 2)]);
        assert_eq!(table.csv(), "x\n0.3333333333333333\ninf\n\n");
    }

    #[test]
    fn an_odd_field_is_quoted() {
        assert_eq!(quoted("two\nlines".to_owned()), "\"two\nlines\"");
        assert_eq!(quoted(" led by a space".to_owned()), "\" led by a space\"");
        assert_eq!(quoted("plain".to_owned()), "plain");
    }
}
