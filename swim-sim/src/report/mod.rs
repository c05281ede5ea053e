//! Reports: tables and charts, as text, Markdown, CSV, JSON and SVG.

mod csv;
mod json;
mod markdown;
mod number;
mod progress;
mod table;

pub use progress::run_seeds;
pub use table::{Cell, Column, Table};
