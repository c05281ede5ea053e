//! A deterministic simulator of SWIM clusters.
#![forbid(unsafe_code)]

pub mod cli;
pub mod experiments;
pub mod invariants;
pub mod lab;
pub mod network;
pub mod node;
pub mod nodes;
pub mod oracle;
mod queue;
pub mod report;
pub mod rng;
pub mod scenarios;
pub mod size;
pub mod statistics;
pub mod world;
