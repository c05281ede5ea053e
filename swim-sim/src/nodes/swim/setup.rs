//! Configurations of our engine: what ships, and the baselines that it is compared with.

use std::time::Duration;

use swim_core::Options;

/// How a node is configured.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What reports call it.
    pub name: &'static str,
    /// The engine's options.
    pub options: Options,
    /// Exchanges of whole views as memberlist does them.
    pub push_pull: Option<Duration>,
    /// How long nacks are held back beyond the engine's own delay.
    pub nack_delay: Duration,
}

impl Setup {
    /// What ships.
    pub fn product() -> Self {
        Self::of("swim", Options::lan())
    }

    /// Any options.
    pub fn of(name: &'static str, options: Options) -> Self {
        Self { name, options, push_pull: None, nack_delay: Duration::ZERO }
    }
}
