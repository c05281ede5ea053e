//! A deterministic simulator of SWIM clusters.
//!
//! A [`World`](world::World) runs nodes ([`node::Node`]: our engine in any configuration, or the crate
//! foca) in a [`Network`](network::Network), in virtual time. An [experiment](experiments) does
//! something to a world and measures what comes of it; it is a function of its seed. A
//! [scenario](scenarios) runs experiments for many seeds and [contenders](lab), and turns what they
//! gave into a [report], which the [command line](cli) prints: `swim-sim list` names them.
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
