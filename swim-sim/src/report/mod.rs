//! Reports: tables and charts, as text, Markdown, CSV, JSON and SVG.

mod csv;
mod json;
mod markdown;
mod number;
mod table;

pub use table::{Cell, Column, Table};
