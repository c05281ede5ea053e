//! A deterministic simulator of SWIM clusters.
#![forbid(unsafe_code)]

pub mod report;
pub mod statistics;
