//! Which implementation an experiment runs with.

use std::time::Duration;

use swim_core::{Mechanisms, MemberIdx, Options};

use crate::network::{Latency, Network};
use crate::node::Node;
use crate::nodes::foca::FocaNode;
use crate::nodes::swim::{Setup, SwimNode};

/// An implementation and its configuration.
#[derive(Debug, Clone)]
pub struct Contender {
    /// What reports call it.
    pub name: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Swim(Box<Setup>),
    /// The crate foca, configured for a cluster of so many.
    Foca(u32),
}

/// Something to be measured with any implementation.
pub trait Experiment: Sync {
    /// What one run gives.
    type Outcome: Send;

    /// One run: a function of the seed. `make` builds nodes by index, boot number and seed.
    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> Self::Outcome;
}

/// The contenders by name; besides, `lifeguard-a2b4` and its like are Lifeguard with other factors
/// of the suspicion time-out, and `swim-without-quiet` and its like are what ships with one mechanism
/// taken away.
pub const NAMES: [&str; 9] = [
    "swim",
    "swim2002",
    "lifeguard-baseline",
    "lha-probe",
    "lha-suspicion",
    "buddy",
    "lifeguard",
    "memberlist",
    "foca",
];

/// What a name begins with that takes a mechanism away.
pub(crate) const WITHOUT: &str = "swim-without-";

/// Beyond so many nodes foca is not run: to know n members costs it O(n^2) steps per node.
const MOST_FOCA: u32 = 3_000;

impl Contender {
    /// The contender of this name, for a cluster of about `n`.
    pub fn named(name: &str, n: u32) -> Option<Self> {
        let base = Setup::memberlist_base();
        let family = |mechanisms| Setup::lifeguard_family(5, 1, mechanisms);
        let setup = match name {
            "swim" => Setup::product(),
            "swim2002" => Setup::swim2002(),
            "lifeguard-baseline" => Setup::lifeguard_baseline(),
            "lha-probe" => {
                family(Mechanisms { nack: true, local_health: true, scaled_timeout: true, ..base })
            }
            "lha-suspicion" => {
                Setup::lifeguard_family(5, 6, Mechanisms { confirmations: true, ..base })
            }
            "buddy" => family(Mechanisms { buddy: true, ..base }),
            "lifeguard" => Setup::lifeguard(5, 6),
            "memberlist" => Setup::memberlist(),
            "foca" => return Some(Self { name: name.to_owned(), kind: Kind::Foca(n) }),
            other => match other.strip_prefix(WITHOUT) {
                Some(mechanism) => Setup::without(mechanism)?,
                None => {
                    let (alpha, beta) = factors(other)?;
                    Setup::lifeguard(alpha, beta)
                }
            },
        };
        Some(Self::swim(name, setup))
    }

    /// Our engine in some configuration.
    pub fn swim(name: &str, setup: Setup) -> Self {
        Self { name: name.to_owned(), kind: Kind::Swim(Box::new(setup)) }
    }

    /// Whether it can be run with so many nodes in reasonable time.
    pub fn is_feasible(&self, n: u32) -> bool {
        match self.kind {
            Kind::Swim(_) => true,
            Kind::Foca(_) => n <= MOST_FOCA,
        }
    }

    /// Whether it says whom it suspects.
    pub fn tells_suspicions(&self) -> bool {
        !matches!(self.kind, Kind::Foca(_))
    }

    /// Runs an experiment.
    pub fn run<E: Experiment>(&self, experiment: &E, seed: u64) -> E::Outcome {
        match &self.kind {
            Kind::Swim(setup) => {
                let setup = setup.clone();
                experiment.run(move |me, boot, seed| SwimNode::new(&setup, me, boot, seed), seed)
            }
            Kind::Foca(expected) => {
                let expected = *expected;
                experiment.run(move |me, boot, seed| FocaNode::new(expected, me, boot, seed), seed)
            }
        }
    }
}

/// Alpha and beta of a name such as `lifeguard-a2b4`.
fn factors(name: &str) -> Option<(u32, u32)> {
    let (alpha, beta) = name.strip_prefix("lifeguard-a")?.split_once('b')?;
    let factor = |text: &str| text.parse().ok().filter(|factor| (1..=10).contains(factor));
    Some((factor(alpha)?, factor(beta)?))
}

/// A configuration that ships, with the network that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Profile {
    /// One data centre: 1 ms one way.
    #[default]
    Lan,
    /// Several continents: a median of 40 ms one way with a long tail.
    Wan,
    /// One machine: 30 to 100 us one way.
    Local,
}

impl Profile {
    /// What reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Wan => "wan",
            Self::Local => "local",
        }
    }

    /// The engine's options.
    pub fn options(self) -> Options {
        match self {
            Self::Lan => Options::lan(),
            Self::Wan => Options::wan(),
            Self::Local => Options::local(),
        }
    }

    /// A protocol period.
    pub fn period(self) -> Duration {
        Duration::from_millis(self.options().gossip.base.probe_interval)
    }

    /// The network, without loss.
    pub fn network(self) -> Network {
        Network::new(match self {
            Self::Lan => Latency::Fixed(Duration::from_millis(1)),
            Self::Wan => Latency::LogNormal { median: Duration::from_millis(40), sigma: 0.5 },
            Self::Local => Latency::Uniform(Duration::from_micros(30), Duration::from_micros(100)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_a_contender() {
        for name in NAMES.iter().copied().chain(["lifeguard-a2b4"]) {
            assert_eq!(Contender::named(name, 10).map(|it| it.name).as_deref(), Some(name));
        }
    }

    #[test]
    fn other_names_are_not() {
        for name in ["", "Swim", "lifeguard-a0b1", "lifeguard-a2", "lifeguard-a2b4c", "serf"] {
            assert!(Contender::named(name, 10).is_none(), "{name}");
        }
    }
}
