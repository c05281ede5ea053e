//! A checker that cannot fail shows nothing: each mistake in the nodes breaks what it is made to break.

use std::time::Duration;

use swim_model::{Check, Mistake, Scenario};

/// What a search says does not hold, and that the way there is told.
fn broken(scenario: Scenario) -> Vec<&'static str> {
    let report = Check::new(scenario).run(2, Duration::from_secs(600));
    assert!(!report.exhausted);
    assert!(report.broken.iter().all(|(_, steps)| steps.len() > 1), "{report:?}");
    report.broken.into_iter().map(|(property, _)| property).collect()
}

#[test]
fn who_never_refutes_is_dead_for_good() {
    let broken = broken(Scenario::loss().with(Mistake::NoRefutation));
    assert!(broken.contains(&"no live member is dead for good"), "{broken:?}");
}

#[test]
fn where_death_is_final_refutation_does_not_win() {
    let broken = broken(Scenario::loss().with(Mistake::DeathIsFinal));
    assert!(broken.contains(&"refutation wins"), "{broken:?}");
}

#[test]
fn where_late_answers_revive_the_dead_there_is_resurrection() {
    let broken = broken(Scenario::crash().with(Mistake::AnswersRevive));
    assert!(broken.contains(&"no resurrection by stale news"), "{broken:?}");
}

#[test]
fn where_nobody_suspects_no_crash_is_detected() {
    let broken = broken(Scenario::crash().with(Mistake::NoSuspicion));
    assert!(broken.contains(&"every crash is detected"), "{broken:?}");
}

#[test]
fn plain_swim_does_not_heal_by_itself() {
    let broken = broken(Scenario::unhealed());
    assert!(broken.contains(&"no live member is dead for good"), "{broken:?}");
}
