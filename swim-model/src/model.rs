//! Scenarios as stateright's models.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model, Property};
use swim_core::Time;

use crate::cluster::{Action, Cluster};
use crate::draws::draws;
use crate::healing::{Healed, heal};
use crate::scenario::Scenario;
use crate::story::step;

/// How long a cluster has to heal.
const PATIENCE: Duration = Duration::from_secs(120);

/// A scenario to be searched.
#[derive(Debug, Clone)]
pub struct Check {
    scenario: Scenario,
    seeds: Vec<u64>,
    /// When the search is given up: stateright itself looks at its clock only between threads.
    until: Option<Instant>,
    given_up: Arc<AtomicBool>,
    /// Whether the search is over: ways that it found are then walked again, however long that takes.
    over: Arc<AtomicBool>,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Report {
    /// States, each as often as it was reached.
    pub reached: usize,
    /// Different ones.
    pub states: usize,
    /// Most actions on a shortest way.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// Whether nothing was left to be searched.
    pub exhausted: bool,
    /// What does not hold, with a way there, a line for each step.
    pub broken: Vec<(&'static str, Vec<String>)>,
    /// What should have been seen, and was not.
    pub unseen: Vec<&'static str>,
}

impl Check {
    /// Prepares the search of a scenario.
    pub fn new(scenario: Scenario) -> Self {
        let cluster = Cluster::new(&scenario);
        let seeds = cluster.machines().next().map(|first| draws(first, scenario.members));
        Self {
            seeds: seeds.unwrap_or_default(),
            scenario,
            until: None,
            given_up: Arc::default(),
            over: Arc::default(),
        }
    }

    /// Searches all states, or until so long has passed, or until something does not hold.
    pub fn run(mut self, threads: usize, patience: Duration) -> Report {
        let (start, properties) = (Instant::now(), self.properties());
        self.until = start.checked_add(patience);
        let (given_up, over) = (self.given_up.clone(), self.over.clone());
        let checker = self.checker().threads(threads);
        let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
        over.store(true, Ordering::Relaxed);
        let found = checker.discoveries();
        let mut broken = Vec::new();
        let mut unseen = Vec::new();
        for Property { expectation, name, .. } in properties {
            let path = found.get(name).map(|path| path.clone().into_vec());
            match (expectation, path) {
                (stateright::Expectation::Sometimes, None) => unseen.push(name),
                (stateright::Expectation::Sometimes, _) | (_, None) => {}
                (_, Some(path)) => {
                    let story = path.iter().map(|(cluster, action)| step(cluster, *action));
                    broken.push((name, story.collect()));
                }
            }
        }
        Report {
            reached: checker.state_count(),
            states: checker.unique_state_count(),
            depth: checker.max_depth(),
            took: start.elapsed(),
            exhausted: broken.is_empty() && !given_up.load(Ordering::Relaxed),
            broken,
            unseen,
        }
    }

    fn horizon(&self) -> Time {
        Time::ZERO + self.scenario.horizon
    }

    /// Whether nothing is under way and no clock may go on.
    fn is_over(&self, cluster: &Cluster) -> bool {
        cluster.flights().len() == 0 && self.wakers(cluster).next().is_none()
    }

    fn wakers<'a>(&'a self, cluster: &'a Cluster) -> impl Iterator<Item = u32> + 'a {
        let awake = cluster.machines().filter(|machine| machine.me.0 < self.scenario.awake);
        let horizon = self.horizon();
        awake.filter(move |machine| cluster.may_wake(machine, horizon)).map(|machine| machine.me.0)
    }
}

/// Something that must not be at the end.
fn ends(cluster: &Cluster, wrong: impl Fn(&Healed) -> bool) -> bool {
    !cluster.end.as_ref().is_some_and(wrong)
}

impl Model for Check {
    type State = Cluster;
    type Action = Action;

    fn init_states(&self) -> Vec<Cluster> {
        vec![Cluster::new(&self.scenario)]
    }

    fn actions(&self, cluster: &Cluster, actions: &mut Vec<Action>) {
        let late = self.until.is_some_and(|until| Instant::now() > until);
        if late && !self.over.load(Ordering::Relaxed) {
            self.given_up.store(true, Ordering::Relaxed);
            return;
        }
        for node in self.wakers(cluster) {
            actions.extend(self.seeds.iter().map(|&seed| Action::Wake(node, seed)));
        }
        for at in 0..cluster.flights().len() {
            actions.push(Action::Deliver(at));
            if cluster.left.losses > 0 {
                actions.push(Action::Lose(at));
            }
            if cluster.left.duplicates > 0 {
                actions.push(Action::Duplicate(at));
            }
        }
        if cluster.left.crashes > 0 && !self.is_over(cluster) {
            actions.extend((0..self.scenario.members).map(Action::Crash));
        }
    }

    fn next_state(&self, cluster: &Cluster, action: Action) -> Option<Cluster> {
        let mut next = cluster.clone();
        next.act(action, self.scenario.mistake);
        if self.is_over(&next) {
            next.end = Some(heal(&next, PATIENCE, self.scenario.mistake));
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no live member is dead for good", |_, cluster: &Cluster| {
                ends(cluster, |end| end.accused)
            }),
            Property::always("every crash is detected", |_, cluster: &Cluster| {
                ends(cluster, |end| end.undetected)
            }),
            Property::always("views converge", |_, cluster: &Cluster| {
                ends(cluster, |end| end.differ)
            }),
            Property::always("packets come to an end", |_, cluster: &Cluster| {
                ends(cluster, |end| end.storm)
            }),
            Property::always("refutation wins", |_, cluster: &Cluster| {
                !cluster.facts.unrefuted && ends(cluster, |end| end.facts.unrefuted)
            }),
            Property::always("no resurrection by stale news", |_, cluster: &Cluster| {
                !cluster.facts.resurrected && ends(cluster, |end| end.facts.resurrected)
            }),
            Property::always("no invented incarnation", |_, cluster: &Cluster| {
                !cluster.facts.invented && ends(cluster, |end| end.facts.invented)
            }),
            Property::sometimes("a live member is held dead", |_, cluster: &Cluster| {
                cluster.facts.accused
            }),
            Property::sometimes("an accusation is refuted", |_, cluster: &Cluster| {
                cluster.facts.refuted
            }),
            Property::sometimes("a crash is detected", |_, cluster: &Cluster| {
                cluster.facts.detected
            }),
        ]
    }
}
