//! What is asked for, and what follows from it.

use std::time::Duration;

/// Seconds for which who ended stays away, on average.
const MEAN_AWAY: f64 = 10.0;

/// Runs agents on loopback under churn, loss and partitions, and looks for anything that grows.
#[derive(Debug, Clone, clap::Parser)]
pub(crate) struct Arguments {
    /// Agents; nine in ten of them run at any time
    #[arg(long, default_value_t = 200)]
    pub(crate) agents: usize,
    /// Seconds of churn, in which memory is measured
    #[arg(long, default_value_t = 3_600)]
    pub(crate) seconds: u64,
    /// Decides who meets what, and when
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Of a hundred agents, how many stay all the time; what grows slowly shows in them only
    #[arg(long, default_value_t = 20)]
    pub(crate) staying: usize,
    /// Seconds that any other lives, on average
    #[arg(long, default_value_t = 60.0)]
    pub(crate) life: f64,
    /// Seconds for which who is gone is remembered
    #[arg(long, default_value_t = 120)]
    pub(crate) retention: u64,
    /// Events that users tell in a second, from the second quarter on; twenty times as many before
    #[arg(long, default_value_t = 2.0)]
    pub(crate) events: f64,
    /// Growth from the second quarter to the last one above which the run fails, in percent
    #[arg(long, default_value_t = 2.0)]
    pub(crate) growth: f64,
    /// Packets are not sealed
    #[arg(long)]
    pub(crate) plain: bool,
    /// 24 agents for 40 seconds, and bounds for that
    #[arg(long)]
    pub(crate) quick: bool,
}

impl Arguments {
    /// With what `--quick` stands for. In so short a time little is forgotten and no table is full, so
    /// its bound on growth is only for what runs away.
    pub(crate) fn completed(self) -> Self {
        match self.quick {
            false => self,
            true => Self {
                agents: 24,
                seconds: 40,
                staying: 25,
                life: 30.0,
                retention: 15,
                growth: 100.0,
                ..self
            },
        }
    }

    /// The time of churn.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// How many agents never end by chance.
    pub(crate) fn stayers(&self) -> usize {
        (self.agents * self.staying).div_ceil(100).clamp(1, self.agents)
    }

    /// Lives without which there was no churn: a quarter of those that are to be expected beside the first ones.
    pub(crate) fn least_lives(&self) -> u32 {
        let (agents, stay) = (self.agents as f64, self.stayers() as f64);
        (agents + (agents - stay) * self.seconds as f64 / (self.life + MEAN_AWAY) / 4.0) as u32
    }

    /// Time between two measurements: some hundreds in a run.
    pub(crate) fn pause(&self) -> Duration {
        (self.time() / 720).clamp(Duration::from_secs(1), Duration::from_secs(5))
    }
}
