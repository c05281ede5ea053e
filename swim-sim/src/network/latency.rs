//! How long a packet is under way.

use std::time::Duration;

use crate::rng::SimRng;

/// A distribution of one-way delays.
#[derive(Debug, Clone, Copy)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Anything between the two, equally likely.
    Uniform(Duration, Duration),
    /// A median with a long tail: the logarithm is normal with deviation `sigma`.
    LogNormal {
        /// Half of all packets take less.
        median: Duration,
        /// 0.3 is a calm network, 1.0 a wild one.
        sigma: f64,
    },
}

impl Latency {
    /// The delay of one packet.
    pub fn sample(&self, rng: &mut SimRng) -> Duration {
        match *self {
            Self::Fixed(delay) => delay,
            Self::Uniform(least, most) => least + most.saturating_sub(least).mul_f64(rng.unit()),
            Self::LogNormal { median, sigma } => median.mul_f64((sigma * rng.normal()).exp()),
        }
    }
}
