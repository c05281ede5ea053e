//! Network coordinates: how well they tell round trips that nobody measured, and what they bear.

mod common;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use common::lone::{Lone, alive, claim};
use common::{Cluster, addr, id};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg32;
use swim_core::{Coordinate, GossipAction, GossipMessage, MemberState, Options};

/// One-way times in microseconds between nodes, without jitter.
type Matrix = Vec<Vec<u64>>;

/// Nodes on four sites of a plane, up to 85 ms apart there and back, each with an access of its
/// own that takes 0.1 to 5 ms of that.
fn four_sites(n: usize, seed: u64) -> Matrix {
    const SITES: [(f64, f64); 4] = [(0.0, 0.0), (20.0, 0.0), (5.0, 40.0), (60.0, 60.0)];
    let mut rng = Pcg32::seed_from_u64(seed);
    let access: Vec<f64> = (0..n).map(|_| 0.1 + 4.9 * rng.random::<f64>().powi(3)).collect();
    let round_trip = |one: usize, other: usize| {
        let ((x, y), (u, v)) = (SITES[one % 4], SITES[other % 4]);
        (x - u).hypot(y - v) + access[one] + access[other]
    };
    let one_way = |one, other| (500.0 * round_trip(one, other)) as u64;
    (0..n).map(|one| (0..n).map(|other| one_way(one, other)).collect()).collect()
}

/// The same with a fifth of the paths going half as long again or half as long, so that for many
/// pairs a way round would be shorter: no space has such distances.
fn detours(n: usize, seed: u64) -> Matrix {
    let mut matrix = four_sites(n, seed);
    let mut rng = Pcg32::seed_from_u64(seed + 1);
    for (one, other) in pairs(&(0..n).collect::<Vec<_>>()) {
        let factor = match rng.random_range(0..10) {
            0 => 1.5,
            1 => 0.5,
            _ => 1.0,
        };
        matrix[one][other] = (matrix[one][other] as f64 * factor) as u64;
        matrix[other][one] = matrix[one][other];
    }
    matrix
}

/// Each two of them once, the later one first.
fn pairs(nodes: &[usize]) -> Vec<(usize, usize)> {
    let with_earlier =
        |(i, &one): (usize, &usize)| nodes[..i].iter().map(move |&other| (one, other));
    nodes.iter().enumerate().flat_map(with_earlier).collect()
}

fn node_of(address: SocketAddr) -> usize {
    let IpAddr::V4(ip) = address.ip() else { panic!("an address of IPv4") };
    usize::from(ip.octets()[3] - 1)
}

/// The mean of the round trips, in microseconds.
fn usual(one_way: u64) -> f64 {
    2.1 * one_way as f64 + 200.0
}

/// A cluster whose messages take as long as the matrix says, and up to a tenth and 200 us longer.
fn placed(matrix: &Matrix, seed: u64) -> Cluster {
    let mut cluster = Cluster::converged(seed, matrix.len(), Options::lan());
    let matrix = matrix.clone();
    cluster.place(move |from, to| {
        let one_way = matrix[node_of(from)][node_of(to)];
        (one_way, one_way * 11 / 10 + 200)
    });
    cluster
}

/// By which part an estimate misses the mean round trip.
fn relative(estimated: Duration, one_way: u64) -> f64 {
    (estimated.as_secs_f64() * 1e6 - usual(one_way)).abs() / usual(one_way)
}

/// By how much the coordinates of `nodes` miss the round trips between them, in ascending order.
fn misses(cluster: &Cluster, matrix: &Matrix, nodes: &[usize]) -> Vec<f64> {
    let coordinate = |node: usize| cluster.node(node).coordinate().expect("coordinates are on");
    let miss = |(one, other): (usize, usize)| {
        let estimated = coordinate(one).round_trip_to(coordinate(other));
        relative(estimated, matrix[one][other])
    };
    let mut misses: Vec<f64> = pairs(nodes).into_iter().map(miss).collect();
    misses.sort_by(f64::total_cmp);
    misses
}

/// The median and the 90th percentile.
fn quantiles(misses: &[f64]) -> (f64, f64) {
    (misses[misses.len() / 2], misses[misses.len() * 9 / 10])
}

#[test]
fn coordinates_come_near_the_round_trips_of_four_sites() {
    for seed in 0..3 {
        let matrix = four_sites(40, seed);
        let mut cluster = placed(&matrix, seed);
        let nodes: Vec<usize> = (0..40).collect();
        for (periods, bounds) in [(300, (0.3, f64::MAX)), (600, (0.12, 2.5)), (1_200, (0.04, 0.5))]
        {
            cluster.run(f64::from(periods) - cluster.clock.micros() as f64 / 1e6);
            let (median, most) = quantiles(&misses(&cluster, &matrix, &nodes));
            println!("{periods} periods, seed {seed}: median {median:.3}, nine in ten {most:.3}");
            assert!(median <= bounds.0 && most <= bounds.1, "{median} {most}");
        }
        let errors = nodes.iter().map(|&node| cluster.node(node).coordinate().unwrap().error());
        assert!(errors.fold(0.0, f64::max) < 0.5, "they know that they are good");
    }
}

#[test]
fn coordinates_are_of_use_where_no_space_has_such_distances() {
    for seed in 0..2 {
        let matrix = detours(40, seed);
        let mut cluster = placed(&matrix, seed);
        let nodes: Vec<usize> = (0..40).collect();
        cluster.run(1_200.0);
        let (median, _) = quantiles(&misses(&cluster, &matrix, &nodes));
        println!("detours, seed {seed}: median {median:.3}");
        assert!(median <= 0.25, "{median}");
    }
}

/// Every twentieth node says that it is sure to be far away: one always in one place, one each time
/// elsewhere, and its acks take up to half a second.
#[test]
fn liars_do_little() {
    for seed in 0..2 {
        let matrix = four_sites(40, seed);
        let mut cluster = placed(&matrix, seed);
        let honest: Vec<usize> = (2..40).collect();
        cluster.run(700.0);
        let (before, _) = quantiles(&misses(&cluster, &matrix, &honest));
        cluster.tamper(|from, message| {
            if let GossipMessage::LocatedAck { seq, coordinate, .. } = message
                && node_of(from) < 2
            {
                let far = if node_of(from) == 0 { 3_000_000 } else { (*seq % 7_919) as i32 * 500 };
                *coordinate = Coordinate::new([far, -far, far / 2], Duration::ZERO, 0.0);
            }
        });
        let matrix_of_liars = matrix.clone();
        cluster.place(move |from, to| {
            let one_way = matrix_of_liars[node_of(from)][node_of(to)];
            let held = if node_of(from) == 1 { 500_000 } else { 0 };
            (one_way, one_way * 11 / 10 + 200 + held)
        });
        for _ in 0..2 {
            cluster.run(200.0);
            let (after, _) = quantiles(&misses(&cluster, &matrix, &honest));
            println!("liars, seed {seed}: median {before:.3} before, {after:.3} now");
            assert!(after <= 0.15, "{after}");
        }
    }
}

#[test]
fn a_node_tells_the_round_trips_between_others() {
    let matrix = four_sites(8, 1);
    let mut cluster = placed(&matrix, 1);
    cluster.run(600.0);
    let mut misses = Vec::new();
    for (one, other) in pairs(&[1, 2, 3, 4, 5, 6, 7]) {
        let estimate = cluster.node(0).round_trip_estimate(&id(one), &id(other)).unwrap();
        misses.push(relative(estimate.round_trip, matrix[one][other]));
        assert!(estimate.error < 0.7, "{estimate:?}");
    }
    misses.sort_by(f64::total_cmp);
    let (median, most) = quantiles(&misses);
    println!("as told: median {median:.3}, nine in ten {most:.3}");
    assert!(median <= 0.15, "{median}");
    let nobody = cluster.node(0).round_trip_estimate(&id(1), &id(99));
    assert_eq!(nobody, None, "who is not known has no coordinate");
}

#[test]
fn nothing_else_depends_on_them() {
    let trace = |coordinates| {
        let mut cluster = Cluster::converged(5, 20, Options { coordinates, ..Options::lan() });
        cluster.loss = 0.1;
        cluster.run(20.0);
        cluster.crash(7);
        cluster.run(60.0);
        assert!(cluster.all_hold(7, MemberState::Dead));
        (cluster.trace, cluster.datagrams)
    };
    assert_eq!(trace(true), trace(false));
}

fn at(along: i32) -> Coordinate {
    Coordinate::new([along, 0, 0], Duration::from_micros(10), 0.5)
}

fn located(seq: u64, from: usize, coordinate: Coordinate) -> GossipMessage {
    GossipMessage::LocatedAck { seq, from: id(from), coordinate }
}

#[test]
fn one_ack_in_eight_carries_the_coordinate() {
    let mut lone = Lone::knowing(3, Options::default());
    for seq in 0..32 {
        lone.hear(1, GossipMessage::Ping { seq, from: id(1) });
    }
    let carrying = |(_, _, message): &(u64, usize, GossipMessage)| match message {
        GossipMessage::Ack { .. } => Some(false),
        GossipMessage::LocatedAck { .. } => Some(true),
        _ => None,
    };
    let acks: Vec<bool> = lone.sent.iter().filter_map(carrying).collect();
    let expected: Vec<bool> = (0..32).map(|i| i % 8 == 0).collect();
    assert_eq!(acks, expected);
}

#[test]
fn strangers_and_those_who_ask_from_elsewhere_are_told_no_coordinate() {
    let mut lone = Lone::knowing(3, Options::default());
    for seq in 0..16 {
        lone.hear(9, GossipMessage::Ping { seq, from: id(9) });
        lone.hear(9, GossipMessage::Ping { seq, from: id(1) });
        lone.hear(1, GossipMessage::PingReq { seq, from: id(1), target: id(0) });
    }
    let told = |(_, _, message): &&(u64, usize, GossipMessage)| {
        matches!(message, GossipMessage::LocatedAck { .. })
    };
    assert_eq!(lone.sent.iter().find(told).map(|(_, to, _)| *to), None);
}

#[test]
fn switched_off_nothing_is_told_or_kept() {
    let mut lone = Lone::knowing(3, Options { coordinates: false, ..Options::default() });
    let (_, seq) = lone.run_to_ping_of(2);
    lone.hear(2, located(seq, 2, at(5_000)));
    for seq in 0..16 {
        lone.hear(1, GossipMessage::Ping { seq, from: id(1) });
    }
    assert!(!lone.sent.iter().any(|(.., it)| matches!(it, GossipMessage::LocatedAck { .. })));
    assert!(lone.protocol.round_trip(&id(2)).is_some(), "it is an ack all the same");
    assert_eq!(lone.protocol.coordinate_of(&id(2)), None);
    assert_eq!(lone.protocol.coordinate(), None);
}

#[test]
fn only_what_comes_with_a_measured_round_trip_counts() {
    let mut lone = Lone::knowing(5, Options::default());
    let unmoved = lone.protocol.coordinate();
    let (_, seq) = lone.run_to_ping_of(2);
    // From elsewhere, as by a relay; under no ping's number; and under that of the ping by stream.
    lone.hear(3, located(seq, 2, at(5_000)));
    lone.hear(2, located(seq + 1, 2, at(5_000)));
    lone.hear(2, located(seq + 7, 2, at(5_000)));
    assert_eq!(lone.protocol.coordinate_of(&id(2)), None);
    assert_eq!(lone.protocol.coordinate(), unmoved);
    let (_, seq) = lone.run_to_ping_of(4);
    lone.hear(4, located(seq, 4, at(5_000)));
    assert_eq!(lone.protocol.coordinate_of(&id(4)), Some(at(5_000)));
    assert_ne!(lone.protocol.coordinate(), unmoved);
}

#[test]
fn a_coordinate_out_of_all_bounds_is_refused_and_counted() {
    let mut lone = Lone::knowing(5, Options::default());
    let unmoved = lone.protocol.coordinate();
    let absurd = [
        Coordinate::new([4_000_001, 0, 0], Duration::ZERO, 0.1),
        Coordinate::new([0, 0, i32::MIN], Duration::ZERO, 0.1),
        Coordinate::new([0; 3], Duration::from_micros(4_000_001), 0.1),
        Coordinate::new([0; 3], Duration::ZERO, 1.6),
        Coordinate::from_bytes([0xff; Coordinate::LEN]),
    ];
    for (i, absurd) in absurd.into_iter().enumerate() {
        let (_, seq) = lone.run_to_ping_of(i + 1);
        lone.hear(i + 1, located(seq, i + 1, absurd));
        assert_eq!(lone.protocol.stats().coordinates_refused, i as u64 + 1);
        assert_eq!(lone.protocol.stats().round_trips, i as u64 + 1, "the ack itself counts");
    }
    assert_eq!(lone.protocol.coordinate(), unmoved);
}

#[test]
fn whatever_members_tell_the_own_coordinate_is_one_that_they_take() {
    let mut rng = Pcg32::seed_from_u64(3);
    let mut lone = Lone::knowing(1, Options::default());
    for _ in 0..300 {
        let (_, seq) = lone.run_to_ping_of(1);
        lone.run(0.0001 + 0.4 * rng.random::<f64>().powi(6));
        let told = Coordinate::from_bytes(rng.random());
        lone.hear(1, located(seq, 1, told));
        let edge = Coordinate::new([4_000_000, -4_000_000, 0], Duration::ZERO, 0.0);
        let (_, seq) = lone.run_to_ping_of(1);
        lone.hear(1, located(seq, 1, edge));
        let own = lone.protocol.coordinate().unwrap();
        assert!(own.position().iter().all(|along| along.abs() <= 4_000_000), "{own:?}");
        assert!(own.height() <= Coordinate::MAX && own.error() <= Coordinate::UNKNOWN, "{own:?}");
    }
}

#[test]
fn who_is_forgotten_leaves_no_coordinate_to_the_next() {
    let options = Options { dead_retention: 1_000, ..Options::default() };
    let mut lone = Lone::knowing(3, options);
    let (_, seq) = lone.run_to_ping_of(2);
    lone.hear(2, located(seq, 2, at(5_000)));
    assert!(lone.protocol.coordinate_of(&id(2)).is_some());
    lone.gossip(2, vec![claim(2, MemberState::Left)]);
    lone.run_until(|lone| lone.state(2).is_none());
    lone.gossip(1, vec![alive(7)]);
    assert_eq!(lone.protocol.coordinate_of(&id(7)), None);
    assert_eq!(lone.protocol.coordinate_of(&id(2)), None);
}

#[test]
fn before_anything_was_measured_there_is_no_estimate() {
    let mut lone = Lone::knowing(3, Options::default());
    let (_, seq) = lone.run_to_ping_of(2);
    assert_eq!(lone.protocol.round_trip_estimate(&id(0), &id(2)), None);
    let fresh = Coordinate::new([0; 3], Duration::from_micros(10), Coordinate::UNKNOWN);
    lone.run(0.01);
    lone.hear(2, located(seq, 2, fresh));
    assert!(lone.protocol.coordinate_of(&id(2)).is_some());
    assert_eq!(lone.protocol.round_trip_estimate(&id(0), &id(2)), None, "it knows nothing");
    let (_, seq) = lone.run_to_ping_of(3);
    lone.run(0.01);
    lone.hear(3, located(seq, 3, at(10_000)));
    let estimate = lone.protocol.round_trip_estimate(&id(3), &id(0)).unwrap();
    assert!(estimate.error > 0.4 && estimate.round_trip < Duration::from_millis(20));
}

#[test]
fn who_is_held_dead_is_told_no_coordinate() {
    let options = Options { coordinates: true, ..Options::default() };
    let mut lone = Lone::settled(3, options);
    let mut located = |state: MemberState| {
        lone.gossip(2, vec![claim(1, state)]);
        let answers = (0..40u64).flat_map(|seq| {
            lone.protocol.handle_message(addr(1), GossipMessage::Ping { seq, from: id(1) })
        });
        answers
            .filter(|action| {
                let located = |it: &GossipMessage| matches!(it, GossipMessage::LocatedAck { .. });
                matches!(action, GossipAction::Send { message, .. } if located(message))
            })
            .count()
    };
    assert!(located(MemberState::Alive) > 0);
    assert_eq!(located(MemberState::Dead), 0);
}
