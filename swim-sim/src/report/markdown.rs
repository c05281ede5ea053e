//! Tables as Markdown (GitHub's dialect), for documents.

use std::fmt::Write as _;

use super::table::{Cell, Table};

impl Table {
    /// The title as a heading of the third level, the table, and the notes as paragraphs.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        if !self.title.is_empty() {
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(text, "### {}\n", inline(&self.title));
        }
        if !self.columns.is_empty() {
            line(&mut text, self.columns.iter().map(|column| cell(&column.label())));
            let numeric = (0..self.columns.len()).map(|index| self.is_numeric(index));
            line(&mut text, numeric.map(|numeric| if numeric { "---:" } else { "---" }.to_owned()));
            for row in &self.rows {
                line(&mut text, self.cells(row).map(|value| cell(&Cell::text(value))));
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "\n{}", inline(note));
        }
        text
    }
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    text.push('|');
    for cell in cells {
        let _ = write!(text, " {cell} |");
    }
    text.push('\n');
}

/// Text within a table, where a bar ends the cell even in a span of code.
fn cell(text: &str) -> String {
    inline(text).replace('|', "\\|")
}

/// Text that shows as it is. Spans of code between backticks are left alone.
pub(super) fn inline(text: &str) -> String {
    let spans = text.split('`').enumerate().map(|(index, span)| {
        if index % 2 == 1 { span.to_owned() } else { span.replace('*', "\\*").replace('<', "&lt;") }
    });
    spans.collect::<Vec<_>>().join("`").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::every_kind;
    use super::*;

    #[test]
    fn a_document_gets_a_table() {
        let expected = "\
### Detection of a crash

| protocol | members | detected (s) | p5 to p95 (s) |
| --- | ---: | ---: | ---: |
| swim, \"plain\" | 12,345 | 4.25 ± 0.50 | 1.0 to 9.5 |
| a\\|b | 64 | 3.00 ± ? | – |

30 seeds; mean and its 95 % confidence interval
";
        assert_eq!(every_kind().markdown(), expected);
    }

    #[test]
    fn text_is_shown_as_it_is() {
        assert_eq!(inline("5*n <none>\nof `a*b<c`"), "5\\*n &lt;none> of `a*b<c`");
        assert_eq!(cell("`a|b`"), "`a\\|b`");
    }
}
