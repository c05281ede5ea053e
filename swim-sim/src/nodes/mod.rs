//! Implementations of SWIM that the simulator runs.

pub mod foca;
pub mod swim;
