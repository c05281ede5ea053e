//! Members that others declare gone for good: `force_leave`.

mod common;

use std::collections::{BTreeSet, HashMap};

use common::lone::Lone;
use common::{Cluster, addr, id};
use swim_core::{
    EventKind, GossipMessage, Member, MemberEvent, MemberId, MemberState, MemberUpdate, Options,
    Reason, RemovalError,
};

const N: usize = 12;

fn force_leave(cluster: &mut Cluster, at: usize, of: usize, prune: bool) {
    cluster.act(at, |protocol| protocol.force_leave(&id(of), prune).unwrap());
}

/// A cluster in which everybody holds a member dead.
fn with_a_dead(seed: u64, loss: f64) -> Cluster {
    let mut cluster = Cluster::converged(seed, N, Options::default());
    cluster.loss = loss;
    cluster.crash(N - 1);
    cluster.run_until(120, |cluster| cluster.all_hold(N - 1, MemberState::Dead));
    assert!(cluster.all_hold(N - 1, MemberState::Dead));
    cluster
}

/// Whether nobody running shows a member.
fn nobody_shows(cluster: &Cluster, of: usize) -> bool {
    cluster.running().into_iter().filter(|&at| at != of).all(|at| cluster.state(at, of).is_none())
}

#[test]
fn a_dead_member_is_left_everywhere_and_nobody_looks_for_it_any_more() {
    let mut cluster = with_a_dead(1, 0.0);
    cluster.events.clear();
    force_leave(&mut cluster, 3, N - 1, false);
    assert_eq!(cluster.state(3, N - 1), Some(MemberState::Left), "here at once");
    let took = cluster.run_until(10, |cluster| cluster.all_hold(N - 1, MemberState::Left));
    assert!(took < 2.0, "{took} s");
    let told = cluster.events_about(N - 1, EventKind::Left);
    assert_eq!(told.len(), N - 1, "once to each");
    for (_, _, event) in &cluster.events {
        assert_eq!((event.reason, event.by.as_ref()), (Reason::Removed, Some(&id(3))), "{event:?}");
    }
    cluster.record();
    cluster.run(120.0);
    let to = cluster.sent().iter().filter(|sent| sent.to == addr(N - 1)).count();
    assert_eq!(to, 0, "not a word to where it lived");
}

#[test]
fn a_suspect_can_be_removed_too() {
    let mut cluster = Cluster::converged(2, N, Options::default());
    cluster.crash(N - 1);
    cluster.run_until(60, |cluster| cluster.state(0, N - 1) == Some(MemberState::Suspect));
    force_leave(&mut cluster, 0, N - 1, false);
    let took = cluster.run_until(10, |cluster| cluster.all_hold(N - 1, MemberState::Left));
    assert!(took < 2.0, "{took} s");
    cluster.run(60.0);
    assert!(cluster.all_hold(N - 1, MemberState::Left), "no death after that");
}

#[test]
fn a_live_member_hears_of_it_first_and_is_back_within_a_second() {
    for prune in [false, true] {
        let mut cluster = Cluster::converged(3, N, Options::default());
        cluster.events.clear();
        force_leave(&mut cluster, 0, 5, prune);
        let took = cluster.run_until(10, |cluster| cluster.agree(N));
        assert!(took < 1.0, "{took} s");
        let own: Vec<_> = cluster.events.iter().filter(|(_, at, _)| *at == 5).collect();
        assert_eq!(own.len(), 1, "{own:?}");
        let reason = if prune { Reason::Pruned } else { Reason::Removed };
        let (_, _, event) = own[0];
        assert_eq!((event.kind, event.reason), (EventKind::Refuted, reason));
        assert_eq!(event.by, Some(id(0)), "it knows who did it");
        let lost: Vec<_> =
            cluster.events.iter().filter(|(_, at, _)| ![0, 5].contains(at)).collect();
        assert!(lost.is_empty(), "it refuted before others heard of it: {lost:?}");
        assert_eq!(cluster.node(5).local_health(), 0, "that says nothing of its health");
        cluster.run(30.0);
        assert!(cluster.agree(N));
    }
}

#[test]
fn a_live_member_that_misses_the_word_is_back_within_seconds_of_its_next_ping() {
    for (seed, prune) in (0..10).zip([false, true].into_iter().cycle()) {
        let mut cluster = Cluster::converged(10 + seed, N, Options::default());
        // What is told it at once is lost, and all others hear that it is gone.
        let victim = addr(5);
        cluster.censor(move |_, to, message| {
            to == victim && matches!(message, GossipMessage::Gossip { .. })
        });
        force_leave(&mut cluster, 0, 5, prune);
        let gone = if prune { None } else { Some(MemberState::Left) };
        cluster.run_until(10, |cluster| cluster.state(1, 5) == gone);
        assert_eq!(cluster.state(1, 5), gone);
        cluster.heal();
        let took = cluster.run_until(30, |cluster| cluster.agree(N));
        assert!(took < 5.0, "{took} s");
    }
}

#[test]
fn what_is_pruned_vanishes_and_late_rumours_do_not_bring_it_back() {
    let mut soon = 0;
    for seed in 0..10 {
        let mut cluster = with_a_dead(20 + seed, 0.3);
        let incarnation = cluster.node(0).member(&id(N - 1)).unwrap().incarnation;
        force_leave(&mut cluster, 3, N - 1, true);
        assert_eq!(cluster.state(3, N - 1), None, "here at once");
        let took = cluster.run_until(300, |cluster| nobody_shows(cluster, N - 1));
        assert!(nobody_shows(&cluster, N - 1), "{took} s under 30 % loss");
        soon += usize::from(took < 4.0);
        for at in cluster.running() {
            for state in [MemberState::Alive, MemberState::Suspect, MemberState::Dead] {
                let (id, address) = (id(N - 1), Some(addr(N - 1)));
                let metadata = Some(HashMap::new());
                let update = MemberUpdate { id, state, incarnation, address, metadata };
                let gossip = GossipMessage::Gossip { updates: vec![update] };
                cluster.inject(addr(0), at, gossip);
            }
        }
        cluster.run(5.0);
        assert!(nobody_shows(&cluster, N - 1), "seed {seed}");
        let seen = cluster.node(0);
        assert!(seen.all_members().len() == N - 1 && seen.member_at(&addr(N - 1)).is_none());
    }
    assert!(soon >= 8, "gossip misses one at times, and comparing views makes up for it: {soon}");
}

#[test]
fn one_that_was_pruned_comes_back_when_it_restarts() {
    let mut cluster = with_a_dead(31, 0.3);
    force_leave(&mut cluster, 3, N - 1, true);
    cluster.run_until(20, |cluster| nobody_shows(cluster, N - 1));
    cluster.events.clear();
    cluster.start(N - 1);
    cluster.join(N - 1, 0);
    let took = cluster.run_until(60, |cluster| cluster.agree(N));
    assert!(took < 5.0, "{took} s");
    let joined = cluster.events_about(N - 1, EventKind::Joined);
    assert_eq!(joined.len(), N - 1, "each tells it once");
}

#[test]
fn the_tombstone_goes_without_a_word_and_a_newcomer_never_hears_of_the_pruned() {
    let mut cluster = with_a_dead(41, 0.0);
    force_leave(&mut cluster, 3, N - 1, true);
    cluster.run_until(10, |cluster| nobody_shows(cluster, N - 1));
    assert_eq!(cluster.events_about(N - 1, EventKind::Forgotten).len(), N - 1);
    cluster.start(N);
    cluster.join(N, 0);
    cluster.run_until(10, |cluster| cluster.node(N).cluster_size() == N);
    assert_eq!(cluster.state(N, N - 1), None);
    cluster.run(900.0);
    assert_eq!(cluster.events_about(N - 1, EventKind::Forgotten).len(), N - 1, "told once");
    assert_eq!(cluster.node(0).stats().removals, 1);
}

#[test]
fn who_said_goodbye_can_be_pruned() {
    let mut cluster = Cluster::converged(51, N, Options::default());
    cluster.act(4, |protocol| protocol.leave());
    cluster.run_until(10, |cluster| cluster.all_hold(4, MemberState::Left));
    cluster.crash(4);
    force_leave(&mut cluster, 0, 4, false);
    cluster.run(2.0);
    assert!(cluster.all_hold(4, MemberState::Left));
    force_leave(&mut cluster, 1, 4, true);
    cluster.run_until(10, |cluster| nobody_shows(cluster, 4));
    assert!(nobody_shows(&cluster, 4));
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut cluster = with_a_dead(61, 0.0);
    let refused = |cluster: &mut Cluster, at: usize, name: MemberId| {
        let mut error = None;
        cluster.act(at, |protocol| {
            error = protocol.force_leave(&name, true).err();
            Vec::new()
        });
        error
    };
    assert_eq!(refused(&mut cluster, 0, id(0)), Some(RemovalError::Oneself));
    let nobody = MemberId::from("nobody");
    let unknown = |name: &MemberId| Some(RemovalError::Unknown { name: name.0.clone() });
    assert_eq!(refused(&mut cluster, 0, nobody.clone()), unknown(&nobody));
    force_leave(&mut cluster, 0, N - 1, true);
    assert_eq!(refused(&mut cluster, 0, id(N - 1)), unknown(&id(N - 1)), "it is pruned already");
    cluster.act(1, |protocol| protocol.leave());
    assert_eq!(refused(&mut cluster, 1, id(2)), Some(RemovalError::Left));
    assert_eq!(cluster.state(1, 2), Some(MemberState::Alive));
}

#[test]
fn a_member_removed_by_all_the_others_at_once_comes_back() {
    let mut cluster = Cluster::converged(71, N, Options::default());
    cluster.loss = 0.3;
    for at in 1..N {
        force_leave(&mut cluster, at, 0, at % 2 == 0);
    }
    let took = cluster.run_until(60, |cluster| cluster.agree(N));
    assert!(took < 15.0, "{took} s");
}

#[test]
fn one_that_was_removed_while_it_was_cut_off_comes_back_when_the_cut_heals() {
    for prune in [false, true] {
        let mut cluster = Cluster::converged(81, N, Options::default());
        let rest: Vec<usize> = (0..N - 1).collect();
        cluster.split(&[&rest, &[N - 1]]);
        cluster.run_until(120, |cluster| cluster.all_hold(N - 1, MemberState::Dead));
        force_leave(&mut cluster, 0, N - 1, prune);
        cluster.run(60.0);
        let gone = if prune { None } else { Some(MemberState::Left) };
        assert!(rest.iter().all(|&at| cluster.state(at, N - 1) == gone));
        cluster.heal();
        let took = cluster.run_until(120, |cluster| cluster.agree(N));
        assert!(took < 30.0, "{took} s");
    }
}

#[test]
fn what_an_operator_removed_in_error_is_no_false_positive() {
    let mut cluster = Cluster::converged(40, N, Options::default());
    force_leave(&mut cluster, 0, 5, false);
    cluster.run(30.0);
    for at in 0..N {
        assert_eq!(cluster.state(at, 5), Some(MemberState::Alive), "it told all that it lives");
        assert_eq!(cluster.node(at).stats().refuted, 0, "node {at}");
        assert_eq!(cluster.node(at).stats().convergence().false_positive_rate, 0.0, "node {at}");
    }
}

#[test]
fn who_is_started_again_has_not_refuted_its_removal() {
    let mut cluster = with_a_dead(41, 0.0);
    force_leave(&mut cluster, 0, N - 1, false);
    cluster.run(10.0);
    cluster.events.clear();
    cluster.start_named(N - 1, id(N - 1), addr(N - 1));
    cluster.join(N - 1, 0);
    cluster.run(10.0);
    for at in 0..N - 1 {
        let is_here = |event: &&(u64, usize, MemberEvent)| event.1 == at;
        let here: Vec<_> = cluster.events.iter().filter(is_here).map(|(.., event)| event).collect();
        let reason = |event: &&MemberEvent| (event.kind, event.reason);
        let told: Vec<_> = here.iter().map(reason).collect();
        assert_eq!(told, [(EventKind::Joined, Reason::Restarted)], "node {at}");
        assert_eq!(cluster.node(at).stats().refuted, 0, "node {at}");
    }
}

#[test]
fn a_probe_of_one_that_is_removed_meanwhile_ends_without_a_word() {
    let mut lone = Lone::settled(3, Options::default());
    lone.answers(1..=1, 60_000);
    let state = |lone: &Lone| lone.protocol.member(&id(1)).map(|member| member.state);
    lone.run_until(|lone| state(lone) == Some(MemberState::Suspect));
    // Its next probe is under way.
    lone.forget();
    let pinged = |lone: &Lone| {
        lone.sent
            .iter()
            .filter(|(_, to, it)| *to == 1 && matches!(it, GossipMessage::Ping { .. }))
            .count()
    };
    lone.run_until(|lone| pinged(lone) > 0);
    let failed = lone.protocol.stats().probes_failed;
    drop(lone.protocol.force_leave(&id(1), false).unwrap());
    lone.forget();
    lone.run(30.0);
    assert_eq!((pinged(&lone), lone.protocol.stats().probes_failed), (0, failed));
    assert_eq!(state(&lone), Some(MemberState::Left));
}

#[test]
fn events_about_one_that_was_pruned_follow_from_each_other() {
    use MemberState::{Alive, Dead, Left};
    let mut lone = Lone::knowing(2, Options::default());
    lone.forget();
    let mut heard = |state, incarnation, key: Option<&str>| {
        let metadata = key.map(|key| HashMap::from([(key.to_owned(), id(2).0)]));
        let address = (state == Alive).then(|| addr(1));
        let (id, metadata) = (id(1), metadata.or(address.map(|_| HashMap::new())));
        lone.gossip(
            2,
            vec![MemberUpdate { id: id.clone(), state, incarnation, address, metadata }],
        );
        let events: Vec<_> =
            lone.events.drain(..).map(|(_, it)| (it.kind, it.old_state, it.state)).collect();
        (events, lone.protocol.member(&id).map(|member| member.state))
    };
    let pruned = Some(Member::PRUNED);
    let gone = |old| vec![(EventKind::Forgotten, old, None)];
    assert_eq!(heard(Left, 3, pruned), (gone(Some(Alive)), None));
    assert_eq!(heard(Left, 4, pruned), (vec![], None), "it was not there any more");
    let left = vec![(EventKind::Left, None, Some(Left))];
    assert_eq!(heard(Left, 5, None), (left, Some(Left)), "it lived and left meanwhile");
    assert_eq!(heard(Left, 5, pruned), (gone(Some(Left)), None));
    assert_eq!(heard(Dead, 6, None), (vec![(EventKind::Died, None, Some(Dead))], Some(Dead)));
    assert_eq!(heard(Left, 6, pruned), (gone(Some(Dead)), None));
    assert_eq!(heard(Alive, 7, None), (vec![(EventKind::Joined, None, Some(Alive))], Some(Alive)));
}

#[test]
fn who_missed_a_removal_hears_of_it_with_a_later_comparison_of_views() {
    for seed in 90..95 {
        let mut cluster = with_a_dead(seed, 0.0);
        cluster.run(10.0);
        // One hears nothing of it.
        let deaf = addr(7);
        cluster.censor(move |_, to, _| to == deaf);
        force_leave(&mut cluster, 3, N - 1, true);
        cluster.run(2.0);
        cluster.heal();
        assert_eq!(cluster.state(7, N - 1), Some(MemberState::Dead), "it missed that");
        let took = cluster.run_until(600, |cluster| nobody_shows(cluster, N - 1));
        assert!(nobody_shows(&cluster, N - 1), "seed {seed}: {took} s");
        assert!(took < 300.0, "seed {seed}: {took} s");
    }
}

/// Of members in messages that say so: who was removed, and by whom.
fn removals_told(lone: &Lone) -> BTreeSet<(String, String)> {
    let by = |metadata: &HashMap<String, String>| metadata.get(Member::REMOVED).cloned();
    let told = lone.sent.iter().flat_map(|(_, _, message)| match message {
        GossipMessage::Gossip { updates } => updates
            .iter()
            .filter_map(|update| Some((update.id.0.clone(), by(update.metadata.as_ref()?)?)))
            .collect(),
        GossipMessage::Sync { members } => members
            .iter()
            .filter_map(|member| Some((member.id.0.clone(), by(&member.metadata)?)))
            .collect(),
        _ => Vec::new(),
    });
    told.collect()
}

#[test]
fn comparisons_of_views_tell_all_removals_in_turn() {
    let mut lone = Lone::settled(24, Options::default());
    for member in 1..=16 {
        let actions = lone.protocol.force_leave(&id(member), false).unwrap();
        lone.act(actions);
    }
    lone.run(20.0);
    lone.forget();
    for all in [8, 16] {
        let actions = lone.protocol.anti_entropy_sync();
        lone.act(actions);
        assert_eq!(removals_told(&lone).len(), all, "eight each time");
    }
}

#[test]
fn who_removed_a_member_and_is_forgotten_is_not_taken_for_who_has_its_place() {
    let mut lone = Lone::settled(8, Options { dead_retention: 10_000, ..Options::default() });
    lone.gossip(3, vec![common::lone::claim(3, MemberState::Left)]);
    lone.run(5.0);
    for (member, by) in [(5, 3), (6, 1)] {
        let metadata = Some(HashMap::from([(Member::REMOVED.to_owned(), id(by).0)]));
        let update = common::lone::claim(member, MemberState::Left);
        lone.gossip(1, vec![MemberUpdate { metadata, ..update }]);
    }
    lone.run(6.0);
    assert_eq!(lone.state(3), None, "forgotten");
    lone.gossip(1, vec![common::lone::alive(20)]);
    lone.forget();
    lone.hear(1, GossipMessage::SyncRequest { from: id(1) });
    let told = BTreeSet::from([(id(5).0, String::new()), (id(6).0, id(1).0)]);
    assert_eq!(removals_told(&lone), told);
}

#[test]
fn those_that_were_pruned_are_counted_and_others_that_are_gone_are_not() {
    let mut lone = Lone::settled(8, Options::default());
    lone.gossip(4, vec![common::lone::claim(4, MemberState::Left)]);
    for (member, prune, pruned) in [(1, false, 0), (2, true, 1), (3, true, 2), (1, true, 3)] {
        lone.protocol.force_leave(&id(member), prune).unwrap();
        assert_eq!(lone.protocol.pruned_count(), pruned);
    }
}
