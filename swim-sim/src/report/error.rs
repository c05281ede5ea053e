//! What can go wrong when a report is written.

use std::io;
use std::path::PathBuf;

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A directory for files of the report could not be made.
    #[error("cannot make the directory {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output could not be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(io::Error),
    /// A report could not be turned into JSON.
    #[error("cannot turn the report {name:?} into JSON: {source}")]
    Json {
        /// The report.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A chart could not be drawn.
    #[error("cannot draw the chart {title:?}: {reason}")]
    Plot {
        /// The chart.
        title: String,
        /// Why.
        reason: String,
    },
}
