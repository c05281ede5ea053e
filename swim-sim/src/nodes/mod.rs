//! Implementations of SWIM that the simulator runs.

pub mod swim;
