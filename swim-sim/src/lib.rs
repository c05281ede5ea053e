//! A deterministic simulator of SWIM clusters.
#![forbid(unsafe_code)]

pub mod network;
pub mod node;
pub mod nodes;
mod queue;
pub mod rng;
pub mod size;
pub mod world;
