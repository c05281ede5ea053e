//! What removals and goodbyes that nobody meant do to a member that lives.

mod common;

use std::collections::HashMap;
use std::net::SocketAddr;

use common::lone::{Lone, claim};
use common::{Cluster, addr, id};
use swim_core::{
    EventKind, GossipAction, GossipMessage, Member, MemberId, MemberState, MemberUpdate, Options,
};

const N: usize = 60;
const VICTIM: usize = 5;

/// Where no member lives.
fn nowhere() -> SocketAddr {
    addr(240)
}

/// That a member is gone, in the words of a removal if it has a key.
fn gone(of: usize, state: MemberState, incarnation: u64, key: Option<&str>) -> MemberUpdate {
    let metadata = key.map(|key| HashMap::from([(key.to_owned(), id(0).0)]));
    MemberUpdate { incarnation, metadata, ..claim(of, state) }
}

/// Has node 1 hear that some are gone.
fn forge(cluster: &mut Cluster, of: &[usize], state: MemberState, key: Option<&str>) {
    let forged = |&of: &usize| {
        let held = cluster.node(1).member(&id(of)).unwrap().incarnation;
        gone(of, state, held, key)
    };
    let updates = of.iter().map(forged).collect();
    cluster.inject(nowhere(), 1, GossipMessage::Gossip { updates });
}

#[test]
fn who_is_declared_gone_by_a_forger_is_missed_by_nobody_else_who_heard() {
    let ways = [
        (MemberState::Dead, None),
        (MemberState::Left, Some(Member::REMOVED)),
        (MemberState::Left, Some(Member::PRUNED)),
    ];
    for (seed, (state, key)) in (100..).zip(ways) {
        let mut cluster = Cluster::converged(seed, N, Options::default());
        cluster.run(10.0);
        cluster.events.clear();
        forge(&mut cluster, &[VICTIM], state, key);
        cluster.run(5.0);
        assert!(cluster.agree(N));
        let refuted = |&&(_, at, ref event): &&(u64, usize, swim_core::MemberEvent)| {
            at == VICTIM && event.kind == EventKind::Refuted
        };
        assert_eq!(cluster.events.iter().filter(refuted).count(), 1, "{:?}", cluster.events);
        let lost: Vec<_> =
            cluster.events.iter().filter(|(_, at, _)| ![1, VICTIM].contains(at)).collect();
        assert!(lost.is_empty(), "{state} {key:?}: {lost:?}");
    }
}

#[test]
fn all_members_removed_by_one_packet_are_back_before_others_hear_of_it() {
    let mut cluster = Cluster::converged(110, N, Options::default());
    cluster.run(10.0);
    cluster.events.clear();
    let all: Vec<usize> = (0..N).filter(|&of| of != 1).collect();
    forge(&mut cluster, &all, MemberState::Left, Some(Member::PRUNED));
    cluster.run(5.0);
    assert!(cluster.agree(N));
    let lost = cluster.events.iter().filter(|(_, at, event)| *at != 1 && event.member != id(*at));
    assert_eq!(lost.count(), 0);
}

#[test]
fn a_goodbye_in_anothers_name_is_refuted_within_a_second() {
    for seed in 120..130 {
        let mut cluster = Cluster::converged(seed, N, Options::default());
        cluster.run(10.0);
        forge(&mut cluster, &[VICTIM], MemberState::Left, None);
        let begun = |cluster: &Cluster| cluster.state(1, VICTIM) == Some(MemberState::Left);
        cluster.run_until(1, begun);
        assert!(begun(&cluster));
        let took = cluster.run_until(30, |cluster| cluster.agree(N));
        assert!(took < 1.0, "seed {seed}: {took} s");
        assert_eq!(cluster.node(VICTIM).local_health(), 0, "that says nothing of its health");
    }
}

#[test]
fn a_farewell_is_told_back_a_few_times_whatever_the_size_of_the_cluster() {
    let mut told = 0;
    for seed in 130..135 {
        let mut cluster = Cluster::converged(seed, N, Options::default());
        cluster.run(10.0);
        cluster.record();
        cluster.act(VICTIM, |protocol| protocol.leave());
        // Gone before anybody could confirm it, so all that comes is from who has it from others.
        cluster.crash(VICTIM);
        cluster.run_until(10, |cluster| cluster.all_hold(VICTIM, MemberState::Left));
        cluster.run(5.0);
        let to_it = cluster.sent().iter().filter(|sent| sent.to == addr(VICTIM));
        told += to_it.filter(|sent| sent.about(VICTIM) == Some(MemberState::Left)).count();
    }
    // `fanout` heard it from itself and confirm; about three of all the others tell it.
    assert!((15..50).contains(&told), "{told} in five runs");
}

#[test]
fn the_answer_to_a_ping_of_one_that_is_held_for_removed_has_no_name_in_it() {
    for key in [Member::REMOVED, Member::PRUNED] {
        let mut lone = Lone::settled(3, Options::default());
        lone.gossip(2, vec![gone(1, MemberState::Left, 0, Some(key))]);
        lone.forget();
        let ping = GossipMessage::Ping { seq: 7, from: id(1) };
        let said = lone.protocol.handle_message(addr(1), ping);
        let held = said.iter().find_map(|action| match action {
            GossipAction::Send { to, message: GossipMessage::Gossip { updates } } => {
                Some((*to, updates.clone()))
            }
            _ => None,
        });
        let (to, updates) = held.expect("what is held of it");
        assert_eq!((to, updates.len()), (addr(1), 1));
        assert_eq!((&updates[0].id, updates[0].state), (&id(1), MemberState::Left));
        assert_eq!((updates[0].address, &updates[0].metadata), (None, &None), "{key}");
    }
}

#[test]
fn where_a_pruned_member_lived_is_remembered_and_hides_nobody_else_there() {
    let mut lone = Lone::settled(3, Options::default());
    let at = |node: usize| lone_at(&lone, node);
    assert_eq!(at(1), (true, Some(id(1))));
    lone.gossip(2, vec![gone(1, MemberState::Left, 0, Some(Member::PRUNED))]);
    assert_eq!(lone_at(&lone, 1), (true, None), "a tombstone");
    assert_eq!(lone_at(&lone, 9), (false, None));
    // Another lived there too, before or after.
    let there = MemberUpdate { id: id(4), ..common::lone::alive(1) };
    lone.gossip(2, vec![there]);
    lone.gossip(2, vec![claim(4, MemberState::Dead)]);
    assert_eq!(lone_at(&lone, 1), (true, Some(id(4))));
}

fn lone_at(lone: &Lone, node: usize) -> (bool, Option<MemberId>) {
    let held = lone.protocol.member_at(&addr(node)).map(|member| member.id.clone());
    (lone.protocol.remembers(&addr(node)), held)
}

#[test]
fn who_tells_less_than_a_removal_does_not_stop_it_from_being_told() {
    let told = |weaker: bool| {
        let mut lone = Lone::settled(8, Options::default());
        lone.gossip(2, vec![claim(1, MemberState::Left)]);
        lone.run(20.0);
        lone.forget();
        let actions = lone.protocol.force_leave(&id(1), true).unwrap();
        let waiting = lone.protocol.queue_len();
        drop(actions);
        for from in 0..12 * usize::from(weaker) {
            lone.gossip(2 + from % 7, vec![claim(1, MemberState::Left)]);
        }
        assert_eq!(lone.protocol.queue_len(), waiting);
        lone.run(20.0);
        let about = |(_, _, message): &&(u64, usize, GossipMessage)| match message {
            GossipMessage::Gossip { updates } => updates.iter().any(|update| update.id == id(1)),
            _ => false,
        };
        lone.sent.iter().filter(about).count()
    };
    let undisturbed = told(false);
    assert!(undisturbed > 3);
    assert!(told(true) * 10 >= undisturbed * 9, "{} of {undisturbed}", told(true));
}

#[test]
fn one_that_is_back_where_it_lived_before_is_no_twin_of_its_former_life() {
    for leaves in [true, false] {
        let n = 6;
        let mut cluster = Cluster::converged(140, n, Options::default());
        cluster.crash(3);
        cluster.start_named(20, id(3), addr(20));
        cluster.join(20, 0);
        cluster.run(30.0);
        assert!(cluster.agree(n));
        if leaves {
            cluster.act(20, |protocol| protocol.leave());
            cluster.run(5.0);
        }
        cluster.crash(20);
        cluster.run(60.0);
        cluster.start(3);
        cluster.join(3, 0);
        cluster.run(60.0);
        assert!(cluster.agree(n));
        let corrections = |cluster: &Cluster| -> u64 {
            (0..n).map(|at| cluster.node(at).stats().corrections).sum()
        };
        let before = corrections(&cluster);
        cluster.run(100.0);
        assert_eq!(corrections(&cluster), before, "leaves: {leaves}");
    }
}
