//! Which implementation an experiment runs with.

use swim_core::{Mechanisms, MemberIdx};

use crate::node::Node;
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

/// The contenders by name.
pub const NAMES: [&str; 8] = [
    "swim",
    "swim2002",
    "lifeguard-baseline",
    "lha-probe",
    "lha-suspicion",
    "buddy",
    "lifeguard",
    "memberlist",
];

impl Contender {
    /// The contender of this name, for a cluster of about `n`.
    pub fn named(name: &str, _n: u32) -> Option<Self> {
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
            _ => return None,
        };
        Some(Self::swim(name, setup))
    }

    /// Our engine in some configuration.
    pub fn swim(name: &str, setup: Setup) -> Self {
        Self { name: name.to_owned(), kind: Kind::Swim(Box::new(setup)) }
    }

    /// Runs an experiment.
    pub fn run<E: Experiment>(&self, experiment: &E, seed: u64) -> E::Outcome {
        match &self.kind {
            Kind::Swim(setup) => {
                let setup = setup.clone();
                experiment.run(move |me, boot, seed| SwimNode::new(&setup, me, boot, seed), seed)
            }
        }
    }
}
