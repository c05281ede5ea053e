//! Scenarios: named sets of experiments, one file per question, each with defaults of its own and a
//! report as its answer.

mod ablation;
mod anti_entropy;
mod boot;
mod churn;
mod cluster;
mod convergence;
mod crash;
mod events;
mod held;
mod join;
mod lifeguard;
mod load;
mod loss;
mod machines;
mod partition;
mod rapid;
mod rolling;
mod scoreboard;
mod settings;
mod speed;
mod trial;
mod udp_blocked;

pub use settings::{Defaults, Knob, Request, Settings, UsageError};

use crate::report::Report;

/// A question to the simulator.
#[derive(Debug)]
pub struct Scenario {
    /// What the command line calls it.
    pub name: &'static str,
    /// What it asks, in one line.
    pub about: &'static str,
    /// The least number of nodes that makes sense.
    pub least_nodes: u32,
    /// What it runs with unless told otherwise.
    pub usual: Defaults,
    /// The same for a rough answer within seconds.
    pub quick: Defaults,
    /// What else can be set.
    pub takes: &'static [Knob],
    /// Measures and reports.
    pub answer: fn(&Settings) -> Report,
}

/// All scenarios.
pub static ALL: &[&Scenario] = &[
    &cluster::CLUSTER,
    &loss::STEADY,
    &crash::CRASH,
    &crash::MASS_CRASH,
    &churn::CHURN,
    &loss::LOSS,
    &loss::BURSTS,
    &held::HELD,
    &machines::SLOW,
    &machines::DRIFT,
    &lifeguard::LIFEGUARD,
    &lifeguard::LIFEGUARD_TABLE,
    &rapid::RAPID,
    &events::EVENTS,
    &join::JOIN,
    &boot::BOOT,
    &partition::PARTITION,
    &udp_blocked::UDP_BLOCKED,
    &anti_entropy::ANTI_ENTROPY,
    &rolling::ROLLING,
    &ablation::ABLATION,
    &load::LOAD,
    &convergence::CONVERGENCE,
    &speed::SPEED,
    &scoreboard::SCOREBOARD,
];

/// The scenario of this name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().copied().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Contender;

    #[test]
    fn every_scenario_has_a_name_of_its_own_and_sane_defaults() {
        for scenario in ALL.iter().copied() {
            let Scenario { name, about, least_nodes, .. } = scenario;
            assert!(std::ptr::eq(named(name).unwrap(), scenario), "{name}");
            assert!(about.len() <= 100, "{name}");
            for defaults in [&scenario.usual, &scenario.quick] {
                assert!(defaults.nodes.iter().all(|nodes| nodes >= least_nodes), "{name}");
                assert!(defaults.seeds > 0 && defaults.seconds > 0, "{name}");
                let known = |name: &&str| Contender::named(name, 2).is_some();
                assert!(defaults.against.iter().all(known), "{name}");
            }
        }
    }
}
