//! What has been reached, with margin: the figures of `docs/results.md` on a few seeds, so that a
//! change that loses them is noticed.

use std::time::Duration;

use swim_sim::experiments::{
    Anomalies, Boot, Crash, CrashOutcome, Fault, Held, Join, Loss, Partition, Rapid, UdpBlocked,
};
use swim_sim::lab::Contender;
use swim_sim::network::{Blocked, Latency, Network, Streams};

fn contender(name: &str) -> Contender {
    Contender::named(name, 128).expect("a contender of that name")
}

fn swim() -> Contender {
    contender("swim")
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn network() -> Network {
    Network::new(Latency::Fixed(Duration::from_millis(1)))
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn slow_members_never_make_healthy_ones_dead_where_plain_swim_blames_dozens() {
    let anomalies = Anomalies {
        nodes: 128,
        slow: 16,
        duration: Duration::from_millis(16_384),
        interval: Some(Duration::from_millis(64)),
    };
    for seed in 0..2 {
        let outcome = swim().run(&anomalies, seed);
        assert_eq!(outcome.false_deaths, 0, "seed {seed}");
        let plain = contender("lifeguard-baseline").run(&anomalies, seed);
        assert!(plain.false_deaths > 20, "seed {seed}: {}", plain.false_deaths);
    }
}

#[test]
fn held_members_make_nobody_else_dead_and_little_traffic() {
    let held = Held {
        nodes: 128,
        slow: 8,
        pause: seconds(16),
        period: seconds(32),
        length: seconds(128),
        frozen: false,
    };
    for seed in 0..2 {
        let outcome = swim().run(&held, seed);
        assert_eq!((outcome.false_deaths, outcome.false_deaths_by_healthy), (0, 0));
        assert!(outcome.bytes < 700.0, "{} B/s", outcome.bytes);
    }
}

#[test]
fn a_crash_is_known_to_all_within_a_few_seconds() {
    let crash = Crash { nodes: 100, network: network(), crashed: 1, limit: seconds(60) };
    let runs: Vec<CrashOutcome> = (0..40).map(|seed| swim().run(&crash, seed)).collect();
    let first = mean(runs.iter().flat_map(|run| run.first.clone()));
    let all: Vec<f64> = runs.iter().flat_map(|run| run.everywhere.clone()).collect();
    assert_eq!(all.len(), 40, "known to all in every run");
    assert!(first < 4.6 && mean(all) < 5.2, "{first}");
}

#[test]
fn a_tenth_of_the_members_is_gone_within_half_a_minute() {
    let crash = Crash { nodes: 200, network: network(), crashed: 20, limit: seconds(60) };
    let outcome = swim().run(&crash, 1);
    assert!(outcome.all_gone.is_some_and(|gone| gone < 30.0), "{:?}", outcome.all_gone);
    assert_eq!(outcome.false_deaths, 0);
}

#[test]
fn a_lossy_network_kills_nobody_at_three_times_the_price_of_a_perfect_one() {
    let mut lossy = network();
    (lossy.loss, lossy.streams) = (0.2, Streams::OneShot);
    let outcome = swim().run(&Loss { nodes: 100, network: lossy, length: seconds(120) }, 1);
    assert_eq!(outcome.false_deaths, 0);
    assert!(outcome.bytes() < 400.0, "{} B/s", outcome.bytes());
}

#[test]
fn a_quiet_member_costs_the_same_in_any_cluster() {
    for nodes in [32, 320] {
        let outcome = swim().run(&Loss { nodes, network: network(), length: seconds(30) }, 1);
        assert!(outcome.bytes() < 130.0 && outcome.datagrams() < 2.1, "{nodes} nodes");
    }
}

#[test]
fn a_newcomer_is_known_to_all_within_a_second() {
    let outcome = swim().run(&Join { nodes: 320, network: network(), limit: seconds(60) }, 1);
    assert!(outcome.all.is_some_and(|all| all < 1.0), "{:?}", outcome.all);
    assert!(outcome.joiner_all.is_some_and(|all| all < 0.02), "{:?}", outcome.joiner_all);
}

#[test]
fn hundreds_that_start_together_know_each_other_within_seconds() {
    let boot = Boot {
        nodes: 200,
        network: network(),
        within: seconds(1),
        seed_cpu: None,
        limit: seconds(60),
    };
    let outcome = swim().run(&boot, 1);
    assert!(outcome.all.is_some_and(|all| all < 5.0), "{:?}", outcome.all);
}

#[test]
fn halves_that_were_apart_have_one_view_within_seconds() {
    let partition =
        Partition { nodes: 100, network: network(), length: seconds(400), limit: seconds(60) };
    let outcome = swim().run(&partition, 1);
    assert!(outcome.apart);
    assert!(outcome.healed.is_some_and(|healed| healed < 15.0), "{:?}", outcome.healed);
}

#[test]
fn where_only_streams_pass_a_crash_and_a_join_are_known_to_all_and_nobody_dies_of_it() {
    for (blocked, loss) in [
        (Blocked::Everywhere, 0.0),
        (Blocked::Everywhere, 0.2),
        (Blocked::AtOne, 0.2),
        (Blocked::BetweenHalves, 0.0),
        (Blocked::BetweenHalves, 0.2),
    ] {
        let mut network = network();
        network.loss = loss;
        let (limit, length) = (seconds(120), seconds(120));
        let outcome = swim().run(&UdpBlocked { nodes: 16, network, blocked, limit, length }, 1);
        assert!(outcome.crash.is_some_and(|crash| crash < 15.0), "{blocked:?}: {outcome:?}");
        assert!(outcome.join.is_some_and(|join| join < 20.0), "{blocked:?}: {outcome:?}");
        assert_eq!(outcome.false_deaths, 0, "{blocked:?}: {outcome:?}");
    }
}

#[test]
fn who_loses_most_of_its_packets_is_marked_and_nobody_else() {
    for fault in [Fault::EgressLoss, Fault::IngressLoss, Fault::DeafNowAndThen] {
        let rapid =
            Rapid { nodes: 100, faulty: 2, fault, network: network(), length: seconds(120) };
        let outcome = swim().run(&rapid, 1);
        assert!(outcome.all_out.is_some_and(|marked| marked <= 60.0), "{fault:?}");
        assert_eq!((outcome.healthy_marked, outcome.false_deaths), (0, 0), "{fault:?}");
    }
}
