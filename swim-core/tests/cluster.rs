//! What a cluster does: joining, noticing the dead, sparing the living, leaving, coming back.

mod common;

use std::time::Duration;

use common::{Cluster, ManualClock, addr, id};
use swim_core::{
    EventKind, GossipAction, GossipMessage, GossipProtocol, Mechanisms, MemberState, MemberUpdate,
    Options, Reason, Timers,
};

#[test]
fn nodes_that_join_through_one_seed_find_each_other() {
    for seed in 0..5 {
        let mut cluster = Cluster::new(seed, Options::default());
        (0..32).for_each(|node| cluster.start(node));
        (1..32).for_each(|node| cluster.join(node, 0));
        let took = cluster.run_until(30, |cluster| cluster.agree(32));
        assert!(took < 3.0, "seed {seed}: {took} s");
    }
}

#[test]
fn a_join_is_repeated_until_the_seed_is_there() {
    let mut cluster = Cluster::new(1, Options::default());
    cluster.start(1);
    cluster.join(1, 0);
    cluster.run(10.0);
    assert!(cluster.node(1).join_attempts().unwrap() > 2);
    cluster.start(0);
    cluster.run_until(30, |cluster| cluster.agree(2));
    assert!(cluster.agree(2));
    assert_eq!(cluster.node(1).join_attempts(), None);
}

#[test]
fn a_crash_is_noticed_by_all_within_seconds() {
    for seed in 0..10 {
        let mut cluster = Cluster::converged(seed, 32, Options::default());
        cluster.run(5.0);
        cluster.crash(7);
        let took = cluster.run_until(60, |cluster| cluster.all_hold(7, MemberState::Dead));
        assert!(took < 12.0, "seed {seed}: {took} s");
        assert!(cluster.events_about(3, EventKind::Suspected).is_empty());
    }
}

#[test]
fn whoever_probes_a_dead_member_does_not_doubt_itself() {
    let mut cluster = Cluster::converged(3, 8, Options::default());
    cluster.run(5.0);
    cluster.crash(7);
    for _ in 0..200 {
        cluster.run(0.1);
        for node in cluster.running() {
            assert_eq!(cluster.node(node).local_health(), 0, "node {node}");
        }
    }
    assert!(cluster.all_hold(7, MemberState::Dead));
}

#[test]
fn an_idle_cluster_accuses_nobody_and_stays_quiet() {
    let mut cluster = Cluster::converged(4, 32, Options::default());
    cluster.run(10.0);
    let (events, before) = (cluster.events.len(), cluster.datagrams);
    cluster.run(300.0);
    assert_eq!(cluster.events.len(), events);
    // A ping and an ack a second, and a view hash now and then.
    let rate = (cluster.datagrams - before) as f64 / 300.0 / 32.0;
    assert!(rate < 2.15, "{rate} messages per node and second");
}

#[test]
fn loss_of_a_fifth_kills_nobody() {
    for seed in 0..3 {
        let mut cluster = Cluster::converged(seed, 24, Options::default());
        cluster.loss = 0.2;
        cluster.duplication = 0.05;
        cluster.latency = (200, 20_000);
        cluster.run(120.0);
        let died: Vec<_> =
            cluster.events.iter().filter(|(_, _, event)| event.kind == EventKind::Died).collect();
        assert!(died.is_empty(), "seed {seed}: {died:?}");
    }
}

#[test]
fn equal_seeds_give_equal_histories() {
    let history = |seed| {
        let mut cluster = Cluster::converged(seed, 16, Options::default());
        cluster.loss = 0.1;
        cluster.run(10.0);
        cluster.crash(3);
        cluster.run(30.0);
        (cluster.trace, cluster.datagrams)
    };
    assert_eq!(history(9), history(9));
    assert_ne!(history(9), history(10));
}

#[test]
fn a_node_cut_off_from_one_other_is_kept_by_the_relays() {
    let mut cluster = Cluster::converged(5, 8, Options::default());
    cluster.cut(1, 2);
    cluster.cut(2, 1);
    cluster.run(60.0);
    assert!(cluster.events_about(2, EventKind::Died).is_empty());
    assert!(cluster.events_about(1, EventKind::Died).is_empty());
}

#[test]
fn a_graceful_leave_is_no_failure() {
    let mut cluster = Cluster::converged(6, 12, Options::default());
    cluster.act(4, |protocol| protocol.leave());
    let took = cluster.run_until(5, |cluster| cluster.node(4).has_left());
    assert!(took < 0.1, "two members confirm at once, not after {took} s");
    cluster.crash(4);
    cluster.run_until(10, |cluster| cluster.all_hold(4, MemberState::Left));
    assert!(cluster.all_hold(4, MemberState::Left));
    cluster.run(30.0);
    assert!(cluster.all_hold(4, MemberState::Left));
    assert!(cluster.events_about(4, EventKind::Suspected).is_empty());
}

#[test]
fn many_who_leave_together_are_not_taken_for_dead() {
    for seed in 0..10 {
        let mut cluster = Cluster::converged(seed, 12, Options::default());
        let leavers = 4..12;
        leavers.clone().for_each(|node| cluster.act(node, |protocol| protocol.leave()));
        for _ in 0..150 {
            cluster.run(0.01);
            for node in leavers.clone() {
                // Its process ends the moment it may.
                if cluster.running().contains(&node) && cluster.node(node).has_left() {
                    cluster.crash(node);
                }
            }
        }
        cluster.run(30.0);
        for node in leavers {
            assert!(cluster.events_about(node, EventKind::Died).is_empty(), "seed {seed}");
            assert!(cluster.all_hold(node, MemberState::Left), "seed {seed}: {node}");
        }
    }
}

#[test]
fn a_whole_cluster_can_leave_at_once() {
    let mut cluster = Cluster::converged(6, 8, Options::default());
    (0..8).for_each(|node| cluster.act(node, |protocol| protocol.leave()));
    let left = |cluster: &Cluster| (0..8).all(|node| cluster.node(node).has_left());
    let took = cluster.run_until(10, left);
    assert!(took <= 1.1, "{took} s");
}

#[test]
fn a_restarted_node_takes_its_name_back_on_another_address() {
    let mut cluster = Cluster::converged(7, 10, Options::default());
    cluster.crash(4);
    cluster.run(0.5);
    cluster.start_at(4, addr(99));
    cluster.join(4, 0);
    let moved = |cluster: &Cluster| {
        cluster.agree(10)
            && cluster.running().iter().all(|&at| {
                cluster.node(at).member(&id(4)).is_some_and(|member| member.address == addr(99))
            })
    };
    let took = cluster.run_until(10, moved);
    assert!(took < 2.0, "{took} s");
    cluster.run(30.0);
    assert!(cluster.events_about(4, EventKind::Died).is_empty());
}

#[test]
fn a_dead_member_comes_back_under_its_name() {
    let mut cluster = Cluster::converged(8, 10, Options::default());
    cluster.crash(4);
    cluster.run_until(30, |cluster| cluster.all_hold(4, MemberState::Dead));
    cluster.start(4);
    cluster.join(4, 1);
    let took = cluster.run_until(10, |cluster| cluster.agree(10));
    assert!(took < 2.0, "{took} s");
}

#[test]
fn one_accusation_at_the_highest_incarnation_is_refuted_within_a_gossip_round() {
    for state in [MemberState::Suspect, MemberState::Dead, MemberState::Left] {
        let mut cluster = Cluster::converged(9, 16, Options::default());
        cluster.run(2.0);
        let update =
            MemberUpdate { id: id(5), state, incarnation: u64::MAX, address: None, metadata: None };
        cluster.inject(addr(3), 0, GossipMessage::Gossip { updates: vec![update] });
        cluster.run(0.05);
        cluster.run_until(30, |cluster| cluster.all_hold(5, MemberState::Alive));
        assert!(cluster.all_hold(5, MemberState::Alive), "{state}");
        let took = cluster.run_until(10, |cluster| cluster.agree(16));
        assert!(took < 0.5, "{state}: {took} s");
        let believed: std::collections::BTreeSet<_> = cluster
            .events
            .iter()
            .filter(|(_, _, event)| event.state == Some(state) && event.member == id(5))
            .map(|&(_, at, _)| at)
            .collect();
        assert_eq!(believed.len(), 1, "{state}: only who was lied to, and not for long");
        assert!(cluster.node(5).local_member().incarnation < 1 << 40);
    }
}

#[test]
fn metadata_reaches_everybody() {
    let mut cluster = Cluster::converged(10, 20, Options::default());
    cluster.act(3, |protocol| protocol.update_metadata("role".into(), "db".into()));
    let seen = |cluster: &Cluster| {
        cluster.running().iter().all(|&at| {
            let metadata = cluster.node(at).get_metadata(&id(3));
            metadata.and_then(|map| map.get("role")).map(String::as_str) == Some("db")
        })
    };
    let took = cluster.run_until(10, seen);
    assert!(took < 1.0, "{took} s");
    assert_eq!(cluster.events_about(3, EventKind::Updated).len(), 20);
}

#[test]
fn a_split_cluster_heals_by_itself_after_any_time() {
    for minutes in [1.0, 30.0] {
        let mut cluster = Cluster::converged(11, 10, Options::default());
        cluster.split(&[&[0, 1, 2, 3, 4], &[5, 6, 7, 8, 9]]);
        cluster.run(minutes * 60.0);
        assert!((0..10).all(|node| cluster.node(node).cluster_size() == 5));
        cluster.heal();
        let took = cluster.run_until(120, |cluster| cluster.agree(10));
        assert!(cluster.agree(10), "after {minutes} minutes");
        assert!(took < 30.0, "after {minutes} minutes: {took} s");
    }
}

#[test]
fn two_halves_of_two_heal_as_well() {
    let mut cluster = Cluster::converged(12, 2, Options::default());
    cluster.split(&[&[0], &[1]]);
    cluster.run(3_600.0);
    assert_eq!(cluster.state(0, 1), None, "forgotten by then");
    cluster.heal();
    cluster.run_until(120, |cluster| cluster.agree(2));
    assert!(cluster.agree(2));
}

#[test]
fn the_long_dead_are_forgotten_but_looked_for_at_a_bounded_rate() {
    let mut cluster = Cluster::converged(13, 3, Options::default());
    cluster.crash(2);
    cluster.run(400.0);
    assert_eq!(cluster.state(0, 2), None);
    assert_eq!(cluster.node(0).all_members().len(), 2);
    let before = cluster.node(0).stats().healing_attempts;
    cluster.run(600.0);
    let attempts = cluster.node(0).stats().healing_attempts - before;
    assert!((5..=16).contains(&attempts), "{attempts} in ten minutes");
}

#[test]
fn the_long_dead_delay_no_search_for_who_was_lost_just_now() {
    let mut cluster = Cluster::converged(13, 5, Options::default());
    cluster.crash(4);
    cluster.run(600.0);
    let attempts = |cluster: &Cluster| cluster.node(0).stats().healing_attempts;
    let before = attempts(&cluster);
    cluster.run_until(100, |cluster| attempts(cluster) > before);
    cluster.crash(3);
    cluster.run_until(60, |cluster| cluster.all_hold(3, MemberState::Dead));
    let before = attempts(&cluster);
    let took = cluster.run_until(100, |cluster| attempts(cluster) > before);
    assert!(took < 10.0, "{took} s");
}

#[test]
fn a_frozen_node_is_not_believed_about_others_when_it_wakes() {
    let mut cluster = Cluster::converged(14, 10, Options::default());
    cluster.freeze(3, 30.0);
    cluster.run(60.0);
    let wrong: Vec<_> = cluster
        .events
        .iter()
        .filter(|(_, _, event)| event.kind == EventKind::Died && event.member != id(3))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    cluster.run_until(30, |cluster| cluster.agree(10));
    assert!(cluster.agree(10), "and it is taken back");
}

#[test]
fn a_deaf_node_declares_nobody_dead() {
    let mut cluster = Cluster::converged(15, 8, Options::default());
    (1..8).for_each(|node| cluster.cut(node, 0));
    cluster.run(60.0);
    let by_deaf = |(_, at, event): &&(u64, usize, swim_core::MemberEvent)| {
        *at == 0 && event.kind == EventKind::Died
    };
    assert_eq!(cluster.events.iter().filter(by_deaf).count(), 0);
    assert!(cluster.node(0).stats().deaf > 0);
}

#[test]
fn a_suspect_of_a_deaf_node_has_all_its_time_again() {
    let clock = ManualClock::new();
    let options = Options { timers: Timers::Named, ..Options::default() };
    let builder = GossipProtocol::builder(id(0), addr(0)).options(options);
    let mut protocol = builder.clock(clock.clone()).build().unwrap();
    let claim = |node: usize, state| MemberUpdate {
        id: id(node),
        state,
        incarnation: 0,
        address: Some(addr(node)),
        metadata: None,
    };
    let updates = (1..8).map(|node| claim(node, MemberState::Alive)).collect();
    protocol.handle_message(addr(1), GossipMessage::Gossip { updates });
    let suspicion = || GossipMessage::Gossip { updates: vec![claim(7, MemberState::Suspect)] };
    protocol.handle_message(addr(1), suspicion());
    clock.advance(Duration::from_secs(3));
    protocol.handle_timer(&format!("suspicion_timeout_{}", id(7)));
    let actions = protocol.handle_message(addr(2), suspicion());
    let left = actions.iter().find_map(|action| match action {
        GossipAction::ScheduleTimer { name, delay } if name.starts_with("suspicion") => {
            Some(*delay)
        }
        _ => None,
    });
    assert!(left > Some(Duration::from_secs(1)), "{left:?}");
}

#[test]
fn two_nodes_under_one_name_are_reported_and_do_not_flap() {
    let mut cluster = Cluster::converged(16, 6, Options::default());
    cluster.start_named(50, id(4), addr(50));
    cluster.join(50, 0);
    cluster.run(90.0);
    assert!(!cluster.events_about(4, EventKind::Conflict).is_empty());
    let events = cluster.events.len();
    cluster.run(120.0);
    let later: Vec<_> = cluster.events[events..].iter().collect();
    assert!(later.is_empty(), "{later:?}");
    let addresses: Vec<_> = [0, 1, 2, 3, 5]
        .iter()
        .map(|&at| cluster.node(at).member(&id(4)).unwrap().address)
        .collect();
    assert!(addresses.iter().all(|address| *address == addresses[0]), "{addresses:?}");
}

#[test]
fn an_event_says_who_accused_and_why() {
    let mut cluster = Cluster::converged(17, 6, Options::default());
    cluster.crash(5);
    cluster.run_until(30, |cluster| cluster.all_hold(5, MemberState::Dead));
    let suspected: Vec<_> =
        cluster.events.iter().filter(|(_, _, event)| event.kind == EventKind::Suspected).collect();
    let own = suspected.iter().find(|(_, _, event)| event.reason == Reason::ProbeFailed).unwrap();
    assert_eq!(own.2.by, Some(id(own.1)));
    assert!(suspected.iter().all(|(_, _, event)| event.by.is_some()));
}

#[test]
fn every_mechanism_can_be_taken_away_and_deaths_are_still_noticed() {
    for mechanisms in [Mechanisms::plain(), Mechanisms::lifeguard(), Mechanisms::all()] {
        let options = Options { mechanisms, ..Options::default() };
        let mut cluster = Cluster::converged(18, 12, options);
        cluster.crash(5);
        let took = cluster.run_until(90, |cluster| cluster.all_hold(5, MemberState::Dead));
        assert!(took < 40.0, "{mechanisms:?}: {took} s");
    }
}

#[test]
fn a_member_that_missed_all_gossip_is_repaired_by_anti_entropy() {
    let mut cluster = Cluster::converged(19, 6, Options::default());
    cluster.start(6);
    (0..5).for_each(|node| {
        cluster.cut(node, 5);
        cluster.cut(5, node);
    });
    cluster.cut(6, 5);
    cluster.join(6, 0);
    cluster.run(1.5);
    cluster.heal();
    cluster.run_until(120, |cluster| cluster.agree(7));
    assert!(cluster.agree(7));
}
