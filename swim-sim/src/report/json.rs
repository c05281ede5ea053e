//! Tables as JSON: an object per row, whose values keep their types.
//!
//! Text is a string, a number a number, an interval `{"mean", "half_width"}`, a range `{"low",
//! "high"}`. What is missing or not finite is null, as JSON knows no such numbers.

use std::collections::HashMap;

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use super::table::{Cell, Column, Table};

/// One row under the keys of its columns.
struct Row<'a> {
    keys: &'a [String],
    table: &'a Table,
    cells: &'a [Cell],
}

/// A number, without a fraction where it is shown without.
struct Number {
    value: f64,
    decimals: usize,
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keys = keys(&self.columns);
        let rows = self.rows.iter().map(|cells| Row { keys: &keys, table: self, cells });
        let mut fields = serializer.serialize_struct("Table", 4)?;
        fields.serialize_field("title", &self.title)?;
        fields.serialize_field("notes", &self.notes)?;
        fields.serialize_field("columns", &self.columns)?;
        fields.serialize_field("rows", &rows.collect::<Vec<_>>())?;
        fields.end()
    }
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Column", 2)?;
        fields.serialize_field("heading", &self.heading)?;
        fields.serialize_field("unit", &self.unit)?;
        fields.end()
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.keys.len()))?;
        for (key, cell) in self.keys.iter().zip(self.table.cells(self.cells)) {
            map.serialize_entry(key, cell)?;
        }
        map.end()
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Text(ref text) => serializer.serialize_str(text),
            Self::Number { value, decimals } => Number { value, decimals }.serialize(serializer),
            Self::Interval { mean, half_width, decimals } => {
                pair(serializer, ("mean", mean), ("half_width", half_width), decimals)
            }
            Self::Range { low, high, decimals } => {
                pair(serializer, ("low", low), ("high", high), decimals)
            }
            Self::Missing => serializer.serialize_unit(),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Whole numbers up to here are exact as floating point.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.decimals == 0 && self.value.fract() == 0.0 && self.value.abs() <= EXACT {
            serializer.serialize_i64(self.value as i64)
        } else {
            serializer.serialize_f64(self.value)
        }
    }
}

fn pair<S: Serializer>(
    serializer: S,
    first: (&str, f64),
    second: (&str, f64),
    decimals: usize,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(2))?;
    for (key, value) in [first, second] {
        map.serialize_entry(key, &Number { value, decimals })?;
    }
    map.end()
}

/// The headings, numbered from the second on where several are the same: keys must differ.
fn keys(columns: &[Column]) -> Vec<String> {
    let mut seen = HashMap::new();
    let key = |column: &Column| {
        let count = seen.entry(column.heading.clone()).and_modify(|count| *count += 1).or_insert(1);
        if *count == 1 { column.heading.clone() } else { format!("{} {count}", column.heading) }
    };
    columns.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::every_kind;
    use super::*;

    #[test]
    fn values_keep_their_types() {
        let expected = r#"{"title":"Detection of a crash",
"notes":["30 seeds; mean and its 95 % confidence interval"],
"columns":[{"heading":"protocol","unit":""},{"heading":"members","unit":""},
{"heading":"detected","unit":"s"},{"heading":"p5 to p95","unit":"s"}],
"rows":[{"protocol":"swim, \"plain\"","members":12345,
"detected":{"mean":4.25,"half_width":0.5},"p5 to p95":{"low":1.0,"high":9.5}},
{"protocol":"a|b","members":64,"detected":{"mean":3.0,"half_width":null},"p5 to p95":null}]}"#;
        let json = serde_json::to_string(&every_kind()).unwrap();
        assert_eq!(json, expected.replace('\n', ""));
    }

    #[test]
    fn what_is_not_finite_is_null() {
        let cells =
            [Cell::number(f64::INFINITY, 0), Cell::number(f64::NAN, 2), Cell::number(2.0, 1)];
        assert_eq!(serde_json::to_string(&cells).unwrap(), "[null,null,2.0]");
    }

    #[test]
    fn equal_headings_have_different_keys() {
        let columns = ["p50", "p99", "p50"].map(|heading| Column::new(heading, ""));
        assert_eq!(keys(&columns), ["p50", "p99", "p50 2"]);
    }
}
