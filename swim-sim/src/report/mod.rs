//! Reports: tables and charts, as text, Markdown, CSV, JSON and SVG.

mod axis;
mod csv;
mod error;
mod json;
mod look;
mod markdown;
mod number;
mod plot;
mod progress;
mod table;

pub use error::ReportError;
pub use plot::{Plot, Series};
pub use progress::run_seeds;
pub use table::{Cell, Column, Table};
