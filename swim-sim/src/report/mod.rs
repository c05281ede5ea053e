//! Reports: tables and charts, as text, Markdown, CSV, JSON and SVG.

mod axis;
mod csv;
mod error;
mod files;
mod json;
mod look;
mod markdown;
mod number;
mod plot;
mod progress;
mod table;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use error::ReportError;
pub use plot::{Plot, Series};
pub use progress::run_seeds;
pub use table::{Cell, Column, Table};

/// What a scenario found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The scenario; files are named by it.
    pub name: String,
    /// Its figures.
    pub tables: Vec<Table>,
    /// Its charts.
    pub plots: Vec<Plot>,
}

impl Report {
    /// A report of nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The tables for a terminal, an empty line between them. Charts are not among them.
    pub fn text(&self) -> String {
        self.tables.iter().map(Table::text).collect::<Vec<_>>().join("\n")
    }

    /// Prints the tables to standard output.
    ///
    /// # Errors
    ///
    /// [`ReportError::Stdout`]; but a reader who has read enough, as `head` does, is none.
    pub fn print(&self) -> Result<(), ReportError> {
        to_stdout(&self.text())
    }

    /// Prints one of the report's renderings to standard output.
    ///
    /// # Errors
    ///
    /// As [`print`](Self::print).
    pub fn print_text(&self, text: &str) -> Result<(), ReportError> {
        to_stdout(text)
    }

    /// The tables as CSV, an empty line between them.
    pub fn csv(&self) -> String {
        self.tables.iter().map(Table::csv).collect::<Vec<_>>().join("\n")
    }

    /// The report for a document: its name as a heading, the tables, and the charts as images in
    /// the files that [`write_svg`](Self::write_svg) gives them, beside the document.
    pub fn markdown(&self) -> String {
        self.markdown_with_images("")
    }

    /// Like [`markdown`](Self::markdown), with the images where `prefix` says, such as `images/`.
    pub fn markdown_with_images(&self, prefix: &str) -> String {
        let heading = format!("## {}\n", markdown::inline(&self.name));
        let tables = self.tables.iter().map(Table::markdown);
        let images =
            self.plots.iter().zip(self.svg_names()).map(|(plot, file)| {
                format!("![{}]({prefix}{file})\n", markdown::inline(&plot.title))
            });
        std::iter::once(heading).chain(tables).chain(images).collect::<Vec<_>>().join("\n")
    }

    /// Writes each table as a CSV file into `dir`, which is made if need be. Returns the paths:
    /// `<report>-<title>.csv`, in lower case and with hyphens.
    ///
    /// # Errors
    ///
    /// [`ReportError::Directory`] and [`ReportError::File`], with the path.
    pub fn write_csv(&self, dir: &Path) -> Result<Vec<PathBuf>, ReportError> {
        let titles = self.tables.iter().map(|table| table.title.as_str());
        let names = files::names(&self.name, titles, "csv").into_iter();
        let contents = self.tables.iter().map(|table| Ok(table.csv()));
        files::write_all(dir, names.zip(contents))
    }

    /// Writes each chart as an SVG file into `dir`, which is made if need be. Returns the paths:
    /// `<report>-<title>.svg`, in lower case and with hyphens.
    ///
    /// # Errors
    ///
    /// [`ReportError::Directory`] and [`ReportError::File`], with the path, and what
    /// [`Plot::svg`] says.
    pub fn write_svg(&self, dir: &Path) -> Result<Vec<PathBuf>, ReportError> {
        let names = self.svg_names().into_iter();
        files::write_all(dir, names.zip(self.plots.iter().map(Plot::svg)))
    }

    /// The report as JSON, indented: `name`, `tables` with an object per row, and `plots` with the
    /// points of each series. Numbers that are not finite are null.
    ///
    /// # Errors
    ///
    /// [`ReportError::Json`], though nothing in a report is known to cause it.
    pub fn json(&self) -> Result<String, ReportError> {
        let json = serde_json::to_string_pretty(self);
        json.map_err(|source| ReportError::Json { name: self.name.clone(), source })
    }

    /// Writes the report as [JSON](Self::json) to a file, or to standard output.
    ///
    /// # Errors
    ///
    /// [`ReportError::File`] with the path, [`ReportError::Stdout`], and what [`json`](Self::json)
    /// says.
    pub fn write_json(&self, path: Option<&Path>) -> Result<(), ReportError> {
        let json = self.json()? + "\n";
        match path {
            Some(path) => files::write(path, &json),
            None => to_stdout(&json),
        }
    }

    fn svg_names(&self) -> Vec<String> {
        files::names(&self.name, self.plots.iter().map(|plot| plot.title.as_str()), "svg")
    }
}

fn to_stdout(text: &str) -> Result<(), ReportError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(ReportError::Stdout(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn report() -> Report {
        let series = Series { name: "a".to_owned(), points: vec![(1.0, f64::NAN)], dashed: false };
        let plot = Plot { title: "Growth".to_owned(), series: vec![series], ..Plot::default() };
        let tables = vec![table::tests::every_kind(), table::tests::every_kind()];
        Report { name: "Crash".to_owned(), tables, plots: vec![plot] }
    }

    /// A directory of this test alone, which does not exist yet.
    fn directory(test: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("swim-sim-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn files_are_written_into_a_new_directory() {
        let dir = directory("files");
        let csv = report().write_csv(&dir.join("csv")).unwrap();
        let names: Vec<_> = csv.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["crash-detection-of-a-crash.csv", "crash-detection-of-a-crash-2.csv"]);
        assert_eq!(fs::read_to_string(&csv[1]).unwrap(), table::tests::every_kind().csv());

        let svg = report().write_svg(&dir).unwrap();
        assert_eq!(svg, [dir.join("crash-growth.svg")]);
        assert!(fs::read_to_string(&svg[0]).unwrap().contains("</svg>"));

        let json = dir.join("report.json");
        report().write_json(Some(&json)).unwrap();
        let value: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
        assert_eq!(value["name"], "Crash");
        assert_eq!(value["tables"][1]["rows"][0]["members"], 12_345);
        assert_eq!(value["plots"][0]["series"][0]["points"], serde_json::json!([[1.0, null]]));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn an_error_names_the_path() {
        let missing = directory("missing").join("report.json");
        let error = report().write_json(Some(&missing)).unwrap_err().to_string();
        assert!(error.contains(&missing.display().to_string()), "{error}");
        let below_a_file = std::env::current_exe().unwrap().join("csv");
        let error = report().write_csv(&below_a_file).unwrap_err().to_string();
        assert!(error.contains(&below_a_file.display().to_string()), "{error}");
    }

    #[test]
    fn a_document_has_tables_and_images() {
        let markdown = report().markdown();
        assert!(markdown.starts_with("## Crash\n\n### Detection of a crash\n\n| protocol |"));
        assert!(markdown.ends_with("interval\n\n![Growth](crash-growth.svg)\n"));
        assert!(report().markdown_with_images("images/").contains("(images/crash-growth.svg)"));
    }

    #[test]
    fn a_terminal_gets_all_tables() {
        assert_eq!(report().text().matches("Detection of a crash").count(), 2);
    }
}
