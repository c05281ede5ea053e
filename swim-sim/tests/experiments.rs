//! Experiments in small clusters: each measures what it says.

use std::time::Duration;

use swim_core::MemberIdx;
use swim_sim::experiments::{
    Anomalies, AntiEntropy, Boot, Churn, Cluster, Difference, Dissemination, Events, Fault, Join,
    Load, Machines, Partition, Rapid, Rolling,
};
use swim_sim::lab::{Contender, Experiment};
use swim_sim::network::{Latency, Network};
use swim_sim::node::Node as _;
use swim_sim::nodes::swim::{Setup, SwimNode};
use swim_sim::world::{Cpu, World};

fn network() -> Network {
    Network::new(Latency::Fixed(Duration::from_millis(1)))
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn run_with<E: Experiment>(name: &str, experiment: &E, seed: u64) -> E::Outcome {
    Contender::named(name, 32).expect("a contender").run(experiment, seed)
}

fn run<E: Experiment>(experiment: &E, seed: u64) -> E::Outcome {
    run_with("swim", experiment, seed)
}

/// Handling a packet takes so long.
fn busy(millis: u64) -> Option<Cpu> {
    Some(Cpu { per_packet: Duration::from_millis(millis), per_kilobyte: Duration::ZERO })
}

#[test]
fn a_newcomer_knows_all_after_round_trips_and_is_known_soon() {
    let join = Join { nodes: 16, network: network(), limit: secs(60) };
    let outcome = run(&join, 1);
    assert!(outcome.joiner_half <= outcome.joiner_all);
    assert!(outcome.joiner_all.is_some_and(|seconds| (0.002..0.02).contains(&seconds)));
    assert!(outcome.half <= outcome.most && outcome.most <= outcome.all);
    assert!(outcome.all.is_some());
}

#[test]
fn news_of_a_join_and_of_a_leave_reaches_everybody() {
    for name in ["swim", "memberlist", "foca"] {
        let news = Dissemination { nodes: 16, network: network(), limit: secs(60) };
        let outcome = run_with(name, &news, 1);
        for reach in [outcome.join, outcome.leave] {
            assert!(reach.half.is_some() && reach.half <= reach.most, "{name}: {reach:?}");
            assert!(reach.most <= reach.all && reach.all.is_some(), "{name}: {reach:?}");
        }
    }
}

#[test]
fn events_reach_everybody_once_and_in_order() {
    let (length, limit) = (secs(4), secs(60));
    let events = Events { nodes: 16, network: network(), count: 200, length, bytes: 64, limit };
    let outcome = run(&events, 1);
    assert_eq!((outcome.heard, outcome.refused, outcome.disorder), (1.0, 0, 0), "{outcome:?}");
    assert!(outcome.half <= outcome.all && outcome.all <= outcome.slowest, "{outcome:?}");
    assert!(outcome.all.is_some_and(|seconds| seconds < 2.0), "{outcome:?}");
    assert_eq!((outcome.suspicions, outcome.deaths), (0, 0));
}

/// Their rings are alike, because all learned of the others in the same order.
#[test]
fn many_events_spread_as_fast_as_one_among_nodes_that_joined_alike() {
    let (length, limit) = (secs(5), secs(60));
    let events = Events { nodes: 300, network: network(), count: 50, length, bytes: 64, limit };
    let outcome = run(&events, 1);
    assert!(outcome.slowest.is_some_and(|seconds| seconds < 1.0), "{outcome:?}");
}

#[test]
fn a_busy_seed_serves_one_after_the_other() {
    let at_once = |seed_cpu| {
        let (within, limit) = (Duration::ZERO, secs(60));
        run(&Boot { nodes: 20, network: network(), within, seed_cpu, limit }, 1)
    };
    let (idle, busy) = (at_once(None), at_once(busy(20)));
    assert!(idle.half < busy.half, "{idle:?} {busy:?}");
    // The last of 19 waits for the others.
    assert!(busy.all.is_some_and(|seconds| seconds >= 19.0 * 0.02), "{busy:?}");
    let shares = busy.progress.windows(2).map(|pair| (pair[0].1, pair[1].1));
    assert!(shares.clone().all(|(before, after)| before <= after));
    assert_eq!(busy.progress.last().map(|last| last.1), Some(1.0));
}

#[test]
fn a_packet_that_finds_a_busy_node_is_handled_though_nothing_follows_it() {
    let setup = Setup::product();
    let make = move |me, boot, seed| SwimNode::new(&setup, me, boot, seed);
    let mut world = World::new(1, network(), make, ());
    let [seed, first, second] = [0, 1, 2].map(MemberIdx);
    [seed, first, second].into_iter().for_each(|node| world.start(node));
    world.set_cpu(seed, busy(100));
    world.join(first, &[seed]);
    world.join(second, &[seed]);
    let served = |world: &World<SwimNode, ()>| {
        let joined = [first, second].into_iter().filter_map(|node| world.node(node));
        joined.filter(|node| node.live_count() > 1).count()
    };
    for (millis, expected) in [(90, 0), (60, 1), (100, 2)] {
        world.run_for(Duration::from_millis(millis));
        assert_eq!(served(&world), expected, "at {}", world.now());
    }
}

#[test]
fn halves_give_each_other_up_and_find_each_other_again() {
    let (length, limit) = (secs(60), secs(120));
    let partition = Partition { nodes: 12, network: network(), length, limit };
    let outcome = run(&partition, 1);
    assert!(outcome.apart && outcome.healed.is_some(), "{outcome:?}");
    assert_eq!(run_with("memberlist", &partition, 1).healed, None, "it has no way back");
}

#[test]
fn restarts_with_a_goodbye_blame_nobody() {
    let (every, down) = (secs(20), secs(2));
    let rolling = Rolling { nodes: 8, network: network(), every, down, goodbye: true };
    let outcome = run(&rolling, 1);
    assert_eq!(outcome.false_deaths, 0);
    assert_eq!(outcome.back.len(), 8);
}

#[test]
fn views_are_right_again_when_nobody_comes_and_goes_any_more() {
    let churn = Churn { nodes: 12, network: network(), every: secs(5), length: secs(30) };
    let outcome = run(&churn, 1);
    assert!(outcome.stale > 0.0, "a crash is not known at once");
    assert!(outcome.settled.is_some() && outcome.false_deaths == 0, "{outcome:?}");
}

#[test]
fn an_exchange_in_sync_is_one_packet_and_one_with_differences_ends_them() {
    let exchange = |name, differences, difference, seed| {
        run_with(name, &AntiEntropy { nodes: 40, differences, difference }, seed)
    };
    let in_sync = exchange("swim", 0, Difference::Restarts, 0);
    assert_eq!((in_sync.packets, in_sync.agreed), (1, true));
    assert!(in_sync.bytes.is_some_and(|bytes| bytes <= 64), "{in_sync:?}");
    for difference in [Difference::Restarts, Difference::Newcomers] {
        for (name, seed) in [("swim", 0), ("swim", 1), ("memberlist", 0), ("memberlist", 1)] {
            let outcome = exchange(name, 10, difference, seed);
            assert!(outcome.agreed, "{name} {difference:?} {seed}: {outcome:?}");
        }
    }
    for name in ["foca", "swim2002"] {
        assert_eq!(exchange(name, 1, Difference::Newcomers, 0).bytes, None, "{name}");
    }
}

#[test]
fn plain_swim_has_the_load_and_latency_of_its_paper() {
    let load = Load { nodes: 24, network: network(), period: secs(1), periods: 40 };
    let runs: Vec<_> = (0..60).map(|seed| run_with("swim2002", &load, seed)).collect();
    let sent: Vec<f64> = runs.iter().flat_map(|it| it.sent.iter().copied()).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!((1.98..=2.02).contains(&mean(&sent)), "{}", mean(&sent));
    // The first ping that fails comes after 1 period on average, and has failed at its end.
    let first: Vec<f64> = runs.iter().filter_map(|it| it.first).collect();
    assert_eq!(first.len(), runs.len());
    assert!((1.6..2.4).contains(&mean(&first)), "{}", mean(&first));
    // The logistic curve of the paper: 1.6 periods to half of 23, 3.2 to all but one.
    let half: Vec<f64> = runs.iter().filter_map(|it| it.half).collect();
    assert!((1.2..2.4).contains(&mean(&half)), "{}", mean(&half));
}

#[test]
fn crashed_members_are_out_for_good_and_nobody_else_is() {
    let (fault, length) = (Fault::Crash, secs(30));
    let crash = Rapid { nodes: 24, faulty: 2, fault, network: network(), length };
    let outcome = run(&crash, 1);
    assert!(outcome.all_removed.is_some() && outcome.all_out == outcome.all_removed);
    assert_eq!((outcome.back, outcome.healthy_marked, outcome.false_deaths), (0, 0, 0));
    assert_eq!((outcome.changes, outcome.late_changes), (2.0, 0.0));
    assert_eq!(outcome.looks.len(), 30);
    let last = outcome.looks.last().expect("a look");
    assert_eq!((last.least, last.most, last.views, last.out), (22, 22, 1, 1.0));
}

#[test]
fn deaf_members_are_removed_while_they_are_deaf_and_marked_only_by_who_knows_marks() {
    let (fault, length) = (Fault::DeafNowAndThen, secs(40));
    let deaf = Rapid { nodes: 24, faulty: 2, fault, network: network(), length };
    let outcome = run_with("memberlist", &deaf, 1);
    let sizes = |second: usize| {
        let look = outcome.looks[second - 1];
        (look.least, look.most)
    };
    assert_eq!((sizes(1), sizes(20), sizes(40)), ((24, 24), (22, 22), (24, 24)));
    assert!(outcome.all_removed.is_some() && outcome.all_out.is_none(), "{outcome:?}");
    assert!(outcome.looks.iter().all(|look| look.out == 0.0));
}

#[test]
fn a_processor_of_a_packet_in_two_seconds_is_dead_to_others() {
    let machines = |slow, cpu, drift| Machines {
        nodes: 16,
        network: network(),
        length: secs(60),
        drift,
        slow,
        cpu,
    };
    let slow = run(&machines(2, busy(2_000), 0), 1);
    assert!(slow.slow_deaths >= 2 * 14 && slow.false_deaths == 0, "{slow:?}");
    let drift = run(&machines(0, None, 10_000), 1);
    assert_eq!((drift.slow_deaths, drift.false_deaths, drift.suspicions), (0, 0, 0));
    assert!(drift.first.is_some() && drift.first <= drift.all);
}

#[test]
fn an_operator_is_told_of_a_quiet_cluster() {
    let (length, limit) = (secs(60), secs(60));
    let outcome = run(&Cluster { nodes: 16, network: network(), length, limit }, 1);
    assert_eq!((outcome.suspected, outcome.declared_dead), (0, 0));
    let rate = outcome.traffic.datagrams as f64 / 60.0 / 16.0;
    assert!((1.9..2.2).contains(&rate), "{rate}");
    assert!(outcome.crash_first.is_some() && outcome.crash_first <= outcome.crash_all);
    assert!(outcome.join_all.is_some() && outcome.joiner_all.is_some());
}

#[test]
fn a_run_of_anomalies_ends_with_the_first_that_ends_after_two_minutes() {
    let length = |duration, interval| {
        let [duration, interval] = [duration, interval].map(Duration::from_millis);
        let anomalies = Anomalies { nodes: 9, slow: 1, duration, interval: Some(interval) };
        anomalies.length().as_secs_f64()
    };
    assert!((length(32_768, 16_384) - (3.0 * 32.768 + 2.0 * 16.384)).abs() < 1e-9);
    assert!((length(60_000, 1) - 120.001).abs() < 1e-9);
    assert!((120.0..120.2).contains(&length(128, 1)));
}
