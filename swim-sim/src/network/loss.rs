//! Which packets are lost.

use std::time::Duration;

use swim_core::Time;

use crate::rng::SimRng;

/// Bursts of loss (Gilbert 1960, Elliott 1963): a receiver is in a good or a bad phase, each of
/// random length, with a loss of its own.
#[derive(Debug, Clone, Copy)]
pub struct Bursts {
    /// Mean length of a good phase.
    pub good: Duration,
    /// Mean length of a bad phase.
    pub bad: Duration,
    /// Loss in a good phase.
    pub loss_good: f64,
    /// Loss in a bad phase.
    pub loss_bad: f64,
}

/// The phase that one receiver is in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Phase {
    bad: bool,
    until: Time,
}

impl Phase {
    /// The loss at `now`; goes through the phases up to then.
    pub(crate) fn loss(&mut self, now: Time, bursts: &Bursts, rng: &mut SimRng) -> f64 {
        while self.until <= now {
            self.bad = self.until > Time::ZERO && !self.bad;
            let mean = if self.bad { bursts.bad } else { bursts.good };
            let length = mean.mul_f64(-(1.0 - rng.unit()).ln());
            self.until += length.max(Duration::from_micros(1));
        }
        if self.bad { bursts.loss_bad } else { bursts.loss_good }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_bad_time_is_that_of_the_means() {
        let bursts = Bursts {
            good: Duration::from_millis(900),
            bad: Duration::from_millis(100),
            loss_good: 0.0,
            loss_bad: 1.0,
        };
        let (mut phase, mut rng) = (Phase::default(), SimRng::new(3));
        let lost: f64 =
            (0..1_000_000u64).map(|ms| phase.loss(Time(ms * 1_000), &bursts, &mut rng)).sum();
        assert!((0.08..0.12).contains(&(lost / 1e6)), "{lost}");
    }
}
