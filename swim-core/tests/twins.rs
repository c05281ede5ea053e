//! Two nodes of one name, and one that moved.

mod common;

use common::{Cluster, addr, id};
use swim_core::{EventKind, MemberEvent, MemberState, Options, Reason};

const N: usize = 8;
const NAME: usize = 5;

/// A cluster in which the node of a name lives at `first`, and one at `second` has started under it.
fn twins(seed: u64, first: usize, second: usize) -> Cluster {
    let mut cluster = Cluster::converged(seed, N, Options::default());
    if first != NAME {
        cluster.crash(NAME);
        cluster.start_named(first, id(NAME), addr(first));
        cluster.join(first, 0);
        cluster.run(400.0);
    }
    cluster.events.clear();
    cluster.start_named(second, id(NAME), addr(second));
    cluster.join(second, 0);
    cluster
}

fn told(cluster: &Cluster, at: usize, kind: EventKind) -> Vec<&MemberEvent> {
    let told = |(_, node, event): &&(u64, usize, MemberEvent)| {
        *node == at && event.kind == kind && event.member == id(NAME)
    };
    cluster.events.iter().filter(told).map(|(_, _, event)| event).collect()
}

/// The addresses in an event, the lesser one first.
fn places(event: &MemberEvent) -> Vec<std::net::SocketAddr> {
    let mut places: Vec<_> = [event.address].into_iter().chain(event.old_address).collect();
    places.sort_unstable();
    places
}

#[test]
fn all_hear_within_seconds_where_both_live_and_one_stays() {
    for (seed, first, second) in (0..).zip([(5, 20), (25, 20)]).map(|(i, (a, b))| (80 + i, a, b)) {
        let mut cluster = twins(seed, first, second);
        let places_of_both = [addr(first.min(second)), addr(first.max(second))];
        cluster.run(5.0);
        for at in cluster.running() {
            let conflicts = told(&cluster, at, EventKind::Conflict);
            let refuted = told(&cluster, at, EventKind::Refuted);
            let both =
                conflicts.iter().chain(&refuted).any(|event| places(event) == places_of_both);
            assert!(both, "node {at} of {first} and {second}");
            assert!(conflicts.len() <= 3, "{at}: {}", conflicts.len());
            let counted = cluster.node(at).stats().conflicts;
            assert_eq!(counted, conflicts.len() as u64);
        }
        // The greater address stays, and neither flaps.
        cluster.events.clear();
        cluster.run(120.0);
        let winner = addr(first.max(second));
        for at in (0..N).filter(|&at| at != NAME) {
            let held = cluster.node(at).member(&id(NAME)).unwrap();
            assert_eq!((held.address, held.state), (winner, MemberState::Alive));
        }
        let more: Vec<_> =
            cluster.events.iter().filter(|(_, _, event)| event.member == id(NAME)).collect();
        assert!(more.is_empty(), "{more:?}");
    }
}

#[test]
fn two_that_started_at_once_hear_of_each_other_too() {
    for (first, second) in [(20, 21), (21, 20)] {
        let mut cluster = Cluster::converged(85, N, Options::default());
        cluster.crash(NAME);
        cluster.run(400.0);
        cluster.events.clear();
        cluster.start_named(first, id(NAME), addr(first));
        cluster.same_epoch();
        cluster.start_named(second, id(NAME), addr(second));
        cluster.join(first, 0);
        cluster.join(second, 1);
        cluster.run(10.0);
        for at in cluster.running() {
            let all = [EventKind::Conflict, EventKind::Refuted, EventKind::Updated];
            let mut told = all.into_iter().flat_map(|kind| told(&cluster, at, kind));
            assert!(told.any(|event| places(event) == [addr(20), addr(21)]), "node {at}");
        }
        cluster.events.clear();
        cluster.run(60.0);
        let about = cluster.events.iter().filter(|(_, _, event)| event.member == id(NAME));
        assert_eq!(about.count(), 0, "neither flaps");
    }
}

#[test]
fn a_restart_elsewhere_is_a_move_and_no_conflict() {
    let mut cluster = Cluster::converged(90, N, Options::default());
    cluster.crash(NAME);
    cluster.events.clear();
    cluster.start_named(20, id(NAME), addr(20));
    cluster.join(20, 0);
    cluster.run(60.0);
    assert!(cluster.agree(N));
    for at in (0..N).filter(|&at| at != NAME) {
        let moved = told(&cluster, at, EventKind::Updated);
        assert_eq!(moved.len(), 1);
        assert_eq!((moved[0].old_address, moved[0].address), (Some(addr(NAME)), addr(20)));
        assert_eq!(cluster.node(at).stats().conflicts, 0);
    }
    assert_eq!(cluster.node(20).stats().conflicts, 0);
}

#[test]
fn a_restart_before_anybody_missed_it_is_told() {
    let mut cluster = Cluster::converged(91, N, Options::default());
    cluster.crash(NAME);
    cluster.events.clear();
    cluster.start_named(NAME, id(NAME), addr(NAME));
    cluster.join(NAME, 0);
    cluster.run(30.0);
    for at in (0..N).filter(|&at| at != NAME) {
        let updated = told(&cluster, at, EventKind::Updated);
        let [event] = updated[..] else { panic!("node {at}: {updated:?}") };
        assert_eq!((event.reason, event.old_address), (Reason::Restarted, None), "node {at}");
        let both = (event.old_state, event.state);
        assert_eq!(both, (Some(MemberState::Alive), Some(MemberState::Alive)), "node {at}");
        assert_eq!(cluster.node(at).stats().refuted, 0);
    }
}
