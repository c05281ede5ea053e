//! What a scenario is to run with: its defaults, and what was asked for instead.

use std::ops::Range;
use std::time::Duration;

use super::Scenario;
use crate::lab::{Contender, NAMES, Profile};
use crate::network::Network;
use crate::report::Table;

/// Something that can be set, but not for every scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// `--nodes`.
    Nodes,
    /// `--against`.
    Against,
    /// `--loss`.
    Loss,
    /// `--length`.
    Length,
    /// `--profile`.
    Profile,
    /// `--only-long`.
    OnlyLong,
}

impl Knob {
    fn option(self) -> &'static str {
        match self {
            Self::Nodes => "--nodes",
            Self::Against => "--against",
            Self::Loss => "--loss",
            Self::Length => "--length",
            Self::Profile => "--profile",
            Self::OnlyLong => "--only-long",
        }
    }
}

/// What a scenario does unless something else is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// Nodes in all, one measurement for each number.
    pub nodes: &'static [u32],
    /// Runs of each measurement, each with a seed of its own.
    pub seeds: u64,
    /// Contenders besides `swim`.
    pub against: &'static [&'static str],
    /// How long what is measured goes on, in seconds of virtual time.
    pub seconds: u64,
}

/// What was asked for; what is not said is up to the scenario.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `--nodes`.
    pub nodes: Vec<u32>,
    /// `--seeds`, also known as `--repeats`.
    pub seeds: Option<u64>,
    /// `--first-seed`.
    pub first_seed: u64,
    /// `--against`.
    pub against: Vec<String>,
    /// `--loss`.
    pub loss: Option<f64>,
    /// `--length`.
    pub length: Option<Duration>,
    /// `--profile`.
    pub profile: Option<Profile>,
    /// `--only-long`.
    pub only_long: bool,
    /// `--quick`.
    pub quick: bool,
    /// `--quiet`.
    pub quiet: bool,
}

/// What was asked for makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UsageError {
    /// No scenario has this name.
    #[error("no scenario is called {0:?}; `swim-sim list` names them all")]
    Scenario(String),
    /// No contender has this name.
    #[error("--against: no contender is called {name:?}; there are {}", NAMES.join(", "))]
    Contender {
        /// The name.
        name: String,
    },
    /// The scenario does not look at this option.
    #[error("{option}: the scenario {scenario} has no use for it")]
    NotTaken {
        /// The option.
        option: &'static str,
        /// The scenario.
        scenario: &'static str,
    },
    /// Too few nodes for this scenario.
    #[error("--nodes {nodes}: the scenario {scenario} takes {least} at least")]
    TooFewNodes {
        /// How many were asked for.
        nodes: u32,
        /// The scenario.
        scenario: &'static str,
        /// How many it needs.
        least: u32,
    },
    /// The contender knows the profile of a data centre only.
    #[error("--against {name}: only swim has the profile {}", profile.name())]
    NoProfile {
        /// The contender.
        name: String,
        /// The profile that was asked for.
        profile: Profile,
    },
}

/// What a scenario runs with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Nodes in all, one measurement for each number.
    pub nodes: Vec<u32>,
    /// The seeds of the runs of each measurement.
    pub seeds: Range<u64>,
    /// The names of all that are measured.
    pub contenders: Vec<String>,
    /// Share of packets lost, if anything was said about it.
    pub loss: Option<f64>,
    /// How long what is measured goes on.
    pub length: Duration,
    /// The configuration that ships, and its network.
    pub profile: Profile,
    /// Whether Lifeguard's anomalies of a few seconds are left out.
    pub only_long: bool,
    /// Whether a rough answer will do.
    pub quick: bool,
    /// Whether no progress is to be shown.
    pub quiet: bool,
}

impl Settings {
    /// The settings of a scenario, with all that was asked for.
    ///
    /// # Errors
    ///
    /// What was asked for and cannot be done: the first such thing.
    pub fn new(scenario: &Scenario, request: Request) -> Result<Self, UsageError> {
        scenario.refuse_what_it_does_not_take(&request)?;
        let defaults = if request.quick { &scenario.quick } else { &scenario.usual };
        let least = scenario.least_nodes;
        if let Some(&nodes) = request.nodes.iter().find(|nodes| **nodes < least) {
            return Err(UsageError::TooFewNodes { nodes, scenario: scenario.name, least });
        }
        let seeds = request.seeds.unwrap_or(defaults.seeds);
        let profile = request.profile.unwrap_or_default();
        Ok(Self {
            nodes: if request.nodes.is_empty() { defaults.nodes.to_vec() } else { request.nodes },
            seeds: request.first_seed..request.first_seed.saturating_add(seeds),
            contenders: contenders(request.against, defaults.against, profile)?,
            loss: request.loss,
            length: request.length.unwrap_or(Duration::from_secs(defaults.seconds)),
            profile,
            only_long: request.only_long,
            quick: request.quick,
            quiet: request.quiet,
        })
    }

    /// A contender that was asked for, for a cluster of `n`.
    pub fn contender(&self, name: &str, n: u32) -> Option<Contender> {
        if name == "swim" && self.profile != Profile::Lan {
            let setup = crate::nodes::swim::Setup::of(self.profile.options());
            return Some(Contender::swim(name, setup));
        }
        Contender::named(name, n)
    }

    /// Every contender that can be run with `n` nodes.
    pub fn contenders_for(&self, n: u32) -> impl Iterator<Item = Contender> {
        let named = self.contenders.iter().filter_map(move |name| self.contender(name, n));
        named.filter(move |contender| contender.is_feasible(n))
    }

    /// Every number of nodes with every contender that can be run with it.
    pub fn clusters(&self) -> impl Iterator<Item = (u32, Contender)> {
        self.nodes.iter().flat_map(|&n| self.contenders_for(n).map(move |it| (n, it)))
    }

    /// The profile's network with the loss that was asked for.
    pub fn network(&self) -> Network {
        let mut network = self.profile.network();
        network.loss = self.loss.unwrap_or(0.0);
        network
    }

    /// Says what the network and the runs were, under a table of means.
    pub(super) fn note_conditions(&self, table: &mut Table) {
        table.note(format!(
            "{}; profile {} with {} % loss. Means with their 95 % confidence interval over the runs; \
             ∞: in some run it was never so.",
            self.runs(),
            self.profile.name(),
            100.0 * self.loss.unwrap_or(0.0)
        ));
    }

    /// How many runs each measurement has, as tables say it.
    pub fn runs(&self) -> String {
        let Range { start, end } = self.seeds;
        match end - start {
            1 => format!("seed {start}"),
            count => format!("{count} seeds from {start}"),
        }
    }
}

/// `swim` first, then those asked for, or else the defaults that have the profile.
fn contenders(
    asked: Vec<String>,
    defaults: &[&str],
    profile: Profile,
) -> Result<Vec<String>, UsageError> {
    let mut names = vec!["swim".to_owned()];
    if let Some(name) = asked.iter().find(|name| Contender::named(name, 2).is_none()) {
        return Err(UsageError::Contender { name: name.clone() });
    }
    let (lan, explicit) = (profile == Profile::Lan, !asked.is_empty());
    let others = if explicit { asked } else { defaults.iter().map(ToString::to_string).collect() };
    for name in others {
        if names.contains(&name) {
            continue;
        }
        if lan {
            names.push(name);
        } else if explicit {
            return Err(UsageError::NoProfile { name, profile });
        }
    }
    Ok(names)
}

impl Scenario {
    fn refuse_what_it_does_not_take(&self, request: &Request) -> Result<(), UsageError> {
        let given = [
            (Knob::Nodes, !request.nodes.is_empty()),
            (Knob::Against, !request.against.is_empty()),
            (Knob::Loss, request.loss.is_some()),
            (Knob::Length, request.length.is_some()),
            (Knob::Profile, request.profile.is_some()),
            (Knob::OnlyLong, request.only_long),
        ];
        let refused = given.iter().find(|(knob, given)| *given && !self.takes.contains(knob));
        match refused {
            None => Ok(()),
            Some((knob, _)) => {
                Err(UsageError::NotTaken { option: knob.option(), scenario: self.name })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::named;
    use super::*;

    fn settings(scenario: &str, request: Request) -> Result<Settings, UsageError> {
        Settings::new(named(scenario).expect("a scenario"), request)
    }

    #[test]
    fn swim_is_always_measured_and_nobody_twice() {
        let against = ["foca", "swim", "foca"].map(str::to_owned).to_vec();
        let settings = settings("crash", Request { against, ..Request::default() }).unwrap();
        assert_eq!(settings.contenders, ["swim", "foca"]);
    }

    #[test]
    fn what_is_asked_for_overrules_the_quick_defaults() {
        let request = Request { quick: true, nodes: vec![7], seeds: Some(5), ..Request::default() };
        let settings = settings("crash", request).unwrap();
        assert_eq!((settings.nodes, settings.seeds), (vec![7], 0..5));
    }

    #[test]
    fn peers_without_the_profile_are_left_out_unless_asked_for() {
        let wan = Some(Profile::Wan);
        let left_out = settings("crash", Request { profile: wan, ..Request::default() }).unwrap();
        assert_eq!(left_out.contenders, ["swim"]);
        let against = vec!["foca".to_owned()];
        let error = settings("crash", Request { profile: wan, against, ..Request::default() });
        let name = "foca".to_owned();
        assert_eq!(error.unwrap_err(), UsageError::NoProfile { name, profile: Profile::Wan });
    }

    #[test]
    fn an_option_without_use_is_refused_by_name() {
        let error = settings("held", Request { loss: Some(0.1), ..Request::default() });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("--loss") && error.contains("held"), "{error}");
    }

    #[test]
    fn who_takes_too_long_is_left_out_of_large_clusters() {
        let request = Request { against: vec!["foca".to_owned()], ..Request::default() };
        let settings = settings("crash", request).unwrap();
        assert_eq!(settings.contenders_for(100).count(), 2);
        assert_eq!(settings.contenders_for(10_000).count(), 1);
    }
}
