//! Each invariant fails on an engine with the mistake that it is there to find, and on that only:
//! in the same scenario, what ships breaks none.

mod mistake;
mod mistakes;
mod scenario;

use std::time::Duration;

use mistake::{Broken, Mistake, NoMistake};
use mistakes::{
    AccusesAbove, BelievesAnyAlive, CountsBack, IgnoresRefutations, KeepsNewsToItself,
    NeverIncrements, NeverRefutes, Overlooks, SkipsSuspicion, TellsEverybody,
};
use scenario::Scenario;
use swim_core::Options;
use swim_sim::invariants::{Guard, Limits, Within};
use swim_sim::network::Network;
use swim_sim::nodes::swim::Setup;
use swim_sim::world::World;

const WITHIN: Within =
    Within { complete: Duration::from_secs(60), converged: Duration::from_secs(60) };

/// How a mistake is brought to light.
struct Case {
    scenario: Scenario,
    /// What nodes are held to.
    right: Options,
    /// How those with the mistake are configured.
    wrong: Options,
}

impl Case {
    /// The mistake is none of configuration.
    fn in_code(scenario: Scenario) -> Self {
        Self { scenario, right: Options::lan(), wrong: Options::lan() }
    }

    /// The mistake is one of configuration: nodes are held to `right`.
    fn in_options(scenario: Scenario, mistake: impl FnOnce(&mut Options)) -> Self {
        let mut case = Self::in_code(scenario);
        mistake(&mut case.wrong);
        case
    }

    fn with(mut self, change: impl Fn(&mut Options)) -> Self {
        change(&mut self.right);
        change(&mut self.wrong);
        self
    }

    fn run<M: Mistake>(&self, options: &Options) -> Guard<Broken<M>> {
        let guard = Guard::new(&Limits::of(&self.right), WITHIN);
        let setup = Setup::of(options.clone());
        let make = move |me, boot, seed| Broken::new(&setup, me, boot, seed);
        let mut world = World::new(1, Network::default(), make, guard);
        self.scenario.play(&mut world);
        Guard::finish(&mut world)
    }

    /// The mistake breaks the invariant of this name in that way; without it none is broken.
    fn breaks<M: Mistake>(&self, name: &str, way: &str) {
        let right = self.run::<NoMistake>(&self.right);
        assert!(right.holds(), "{right}");
        let wrong = self.run::<M>(&self.wrong);
        let found = wrong.findings().filter(|(named, _)| *named == name);
        let mut said = found.flat_map(|(_, found)| found.first());
        assert!(said.any(|said| said.what.contains(way)), "{name} was not broken so:\n{wrong}");
    }
}

#[test]
fn suspicions_that_never_end_break_completeness() {
    Case::in_options(Scenario::Day, |o| o.gossip.base.suspicion_multiplier = 1_000)
        .breaks::<NoMistake>("completeness", "still suspect");
}

#[test]
fn a_member_that_is_passed_over_breaks_the_bound_of_the_first_probe() {
    Case::in_code(Scenario::Day).breaks::<Overlooks>("first probe", "not pinged for");
}

#[test]
fn an_alive_that_is_believed_at_any_incarnation_raises_the_dead() {
    Case::in_code(Scenario::Revenant).breaks::<BelievesAnyAlive>("no resurrection", "lives again");
}

#[test]
fn tombstones_that_stale_news_outlives_raise_the_dead() {
    Case::in_options(Scenario::Revenant, |o| o.dead_retention = 1)
        .breaks::<NoMistake>("no resurrection", "crashed and buried");
}

#[test]
fn an_accusation_above_the_known_incarnation_is_not_its_owners() {
    Case::in_code(Scenario::Day).breaks::<AccusesAbove>("own incarnation", "says incarnation");
}

#[test]
fn a_refutation_that_is_taken_in_below_the_suspicion_makes_incarnations_fall() {
    Case::in_code(Scenario::Day).breaks::<CountsBack>("own incarnation", "held incarnation");
}

#[test]
fn a_refutation_that_is_not_taken_in_kills_by_a_refuted_suspicion() {
    // Told at once, a suspect refutes in time; an answer would end the suspicion as well.
    let gossip_decides = |o: &mut Options| {
        o.mechanisms.quiet = false;
        o.mechanisms.first_hand = false;
    };
    Case::in_code(Scenario::Day)
        .with(gossip_decides)
        .breaks::<IgnoresRefutations>("refuted suspicion", "refuted at");
}

#[test]
fn suspicions_that_end_too_soon_kill_before_their_time() {
    Case::in_options(Scenario::Day, |o| o.gossip.base.suspicion_multiplier = 1)
        .breaks::<NoMistake>("refuted suspicion", "was due");
}

#[test]
fn suspecting_without_an_indirect_probe_is_found() {
    let wrong = |o: &mut Options| {
        o.gossip.base.indirect_probes = 0;
        o.mechanisms.stream_ping = false;
    };
    Case::in_options(Scenario::Day, wrong)
        .breaks::<NoMistake>("indirect probe", "nobody else was asked");
}

#[test]
fn suspecting_before_relays_could_answer_is_found() {
    Case::in_options(Scenario::Day, |o| o.gossip.base.probe_timeout = 100)
        .breaks::<NoMistake>("indirect probe", "are theirs");
}

#[test]
fn going_straight_from_alive_to_dead_is_found() {
    Case::in_code(Scenario::Day)
        .breaks::<SkipsSuspicion>("never straight to dead", "no suspicion came before");
}

#[test]
fn telling_everybody_breaks_the_fan_out() {
    Case::in_code(Scenario::Day)
        .breaks::<TellsEverybody>("bounded fan-out", "to 14 members at once");
}

#[test]
fn piggyback_without_a_bound_is_found() {
    Case::in_options(Scenario::Crowd, |o| o.gossip.base.max_piggyback = 255)
        .breaks::<NoMistake>("bounded piggyback", "updates in one gossip");
}

#[test]
fn datagrams_above_their_budget_are_found() {
    Case::in_options(Scenario::Crowd, |o| o.datagram_budget = 9_000)
        .breaks::<NoMistake>("bounded piggyback", "bytes in one datagram");
}

#[test]
fn news_that_is_told_for_ever_breaks_the_retransmit_limit() {
    Case::in_options(Scenario::Day, |o| o.gossip.retransmit_mult = 100)
        .breaks::<NoMistake>("bounded retransmission", "9 times, 8 allowed");
}

#[test]
fn a_queue_without_a_bound_is_found() {
    let mut case = Case::in_code(Scenario::Crowd);
    case.right.gossip.broadcast_queue_size = 16;
    case.breaks::<NoMistake>("bounded queue", "updates wait");
}

/// Else a member that stays dead and those who hold it dead answer each other's differences for
/// ever.
fn gossip_only(options: &mut Options) {
    options.mechanisms.anti_entropy = false;
    options.mechanisms.healing = false;
}

#[test]
fn refuting_without_an_increment_is_found() {
    Case::in_code(Scenario::Day)
        .with(gossip_only)
        .breaks::<NeverIncrements>("refutation", "answers 0x");
}

#[test]
fn keeping_silent_when_accused_is_found() {
    Case::in_code(Scenario::Day)
        .with(gossip_only)
        .breaks::<NeverRefutes>("refutation", "answers nothing");
}

#[test]
fn news_that_is_kept_to_oneself_breaks_convergence() {
    Case::in_code(Scenario::Day).breaks::<KeepsNewsToItself>("convergence", "not that of most");
}

#[test]
fn every_invariant_is_broken_by_a_test_above() {
    let broken = [
        "completeness",
        "first probe",
        "no resurrection",
        "own incarnation",
        "refuted suspicion",
        "indirect probe",
        "never straight to dead",
        "bounded fan-out",
        "bounded piggyback",
        "bounded retransmission",
        "bounded queue",
        "refutation",
        "convergence",
    ];
    let guard = Guard::<Broken<NoMistake>>::new(&Limits::of(&Options::lan()), WITHIN);
    assert!(guard.findings().map(|(name, _)| name).eq(broken));
}
