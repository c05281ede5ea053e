//! Which clusters are searched.

use std::time::Duration;

use swim_core::{Mechanisms, Options};
use swim_sim::nodes::swim::Setup;

use crate::mistake::Mistake;

/// How often each fault may happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Packets that are lost.
    pub losses: u8,
    /// Packets that arrive twice.
    pub duplicates: u8,
    /// Nodes that crash: one, or none.
    pub crashes: u8,
}

/// A cluster and what may befall it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What reports call it.
    pub name: &'static str,
    /// How many members it has.
    pub members: u32,
    /// How many of them have their own time-outs during the search; the others only answer.
    pub awake: u32,
    /// What may befall it.
    pub budget: Budget,
    /// How far the clock of each goes during the search.
    pub horizon: Duration,
    /// How nodes are configured.
    pub options: Options,
    /// What is wrong with them.
    pub mistake: Mistake,
}

/// Suspicions last half a second, so that a period, a failed probe and a death fit into a short
/// horizon; what heals a cluster comes soon.
fn quick(mechanisms: Mechanisms) -> Options {
    let mut options = Options { mechanisms, healing_interval: 1_000, ..Options::lan() };
    options.gossip.base.suspicion_multiplier = 1;
    options.gossip.anti_entropy_interval = 2_000;
    options
}

/// SWIM as in the paper; who is lost is looked for, else nothing would bring two nodes together that
/// hold each other dead.
fn swim() -> Mechanisms {
    Mechanisms { healing: true, ..Mechanisms::plain() }
}

impl Scenario {
    /// Three members, one of them probes, and one may crash.
    pub fn crash() -> Self {
        Self {
            name: "crash",
            members: 3,
            awake: 1,
            budget: Budget { crashes: 1, ..Budget::default() },
            horizon: Duration::from_millis(2_700),
            options: quick(swim()),
            mistake: Mistake::None,
        }
    }

    /// The same, and instead a packet is lost.
    pub fn loss() -> Self {
        let budget = Budget { losses: 1, duplicates: 0, crashes: 0 };
        Self { name: "loss", budget, ..Self::crash() }
    }

    /// One is lost, and one arrives twice.
    pub fn faults() -> Self {
        let budget = Budget { losses: 1, duplicates: 1, crashes: 0 };
        Self { name: "faults", budget, ..Self::crash() }
    }

    /// All that may happen to three members of whom one probes. Without anti-entropy two nodes can be
    /// left that hold one another alive at different incarnations: what there was to tell went to
    /// the one who crashed.
    pub fn three() -> Self {
        let budget = Budget { losses: 1, duplicates: 1, crashes: 1 };
        let options = quick(Mechanisms { anti_entropy: true, ..swim() });
        Self { name: "three", budget, options, ..Self::crash() }
    }

    /// Two of them probe, each by its own clock.
    pub fn two_clocks() -> Self {
        let budget = Budget { losses: 0, duplicates: 0, crashes: 1 };
        let horizon = Duration::from_millis(2_000);
        Self { name: "two-clocks", awake: 2, budget, horizon, ..Self::crash() }
    }

    /// Four members, one of them probes.
    pub fn four() -> Self {
        Self { name: "four", members: 4, ..Self::crash() }
    }

    /// Three members with all mechanisms that ship.
    pub fn product() -> Self {
        Self { name: "product", options: quick(Mechanisms::all()), ..Self::crash() }
    }

    /// Four members with all of them: with so many a node that hears nobody condemns nobody, and a
    /// suspicion is told after a second look.
    pub fn product_four() -> Self {
        Self { name: "product-four", members: 4, ..Self::product() }
    }

    /// The paper's SWIM alone, which does not heal: one who missed a refutation probes the dead no
    /// more, and is told nothing new by those who know better.
    pub fn unhealed() -> Self {
        let budget = Budget { losses: 1, duplicates: 0, crashes: 1 };
        Self { name: "unhealed", budget, options: quick(Mechanisms::plain()), ..Self::crash() }
    }

    /// The same with a mistake in every node.
    #[must_use]
    pub fn with(mut self, mistake: Mistake) -> Self {
        self.mistake = mistake;
        self
    }

    /// All that are to hold.
    pub fn all() -> Vec<Self> {
        vec![
            Self::crash(),
            Self::loss(),
            Self::faults(),
            Self::three(),
            Self::two_clocks(),
            Self::four(),
            Self::product(),
            Self::product_four(),
        ]
    }

    /// As the simulator's nodes take it.
    pub fn setup(&self) -> Setup {
        Setup::of(self.options.clone())
    }
}
