//! Events: every member hears them once, whatever is lost, doubled or out of order on the way.

mod common;

use common::Cluster;
use swim_core::{EventError, EventKind, GossipMessage, Notice, Options, Said, UserNotice};

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

#[test]
fn an_event_reaches_all_32_nodes_in_a_moment() {
    for seed in 0..10 {
        let mut cluster = Cluster::converged(seed, 32, Options::default());
        cluster.run(5.0);
        let deploy = names("deploy", 1);
        cluster.send(seed as usize, &deploy[0], b"v2");
        let took = cluster.run_until(30, |cluster| cluster.all_heard(&deploy));
        println!("seed {seed}: {took:.3} s");
        assert!(took < 0.5, "seed {seed}: {took} s");
    }
}

#[test]
fn events_reach_all_once_though_messages_are_lost_doubled_and_out_of_order() {
    for seed in 0..5 {
        let mut cluster = Cluster::converged(seed, 24, Options::default());
        cluster.loss = 0.2;
        cluster.duplication = 0.2;
        cluster.latency = (200, 60_000);
        let names = names("event", 100);
        for (number, name) in names.iter().enumerate() {
            cluster.send(number % 24, name, &[0; 30]);
            cluster.run(0.02);
        }
        let took = cluster.run_until(60, |cluster| cluster.all_heard(&names));
        println!("seed {seed}: {took:.1} s after the last one");
        assert!(took < 40.0, "seed {seed}: {took} s");
        cluster.run(60.0);
        assert!(cluster.all_heard(&names), "seed {seed}: one was heard again");
    }
}

#[test]
fn what_is_too_large_is_refused_with_both_sizes_and_nothing_is_sent() {
    let options = Options { event_limit: 100, ..Options::default() };
    let mut cluster = Cluster::converged(1, 3, options);
    cluster.record();
    cluster.act(0, |protocol| {
        let refused = protocol.send_event("large", [0; 200]).unwrap_err();
        assert_eq!(refused, EventError::TooLarge { len: 226, limit: 100 });
        assert!(refused.to_string().contains("226") && refused.to_string().contains("100"));
        let nameless = protocol.send_event("", []).unwrap_err();
        assert_eq!(nameless, EventError::NameLength { len: 0, max: 255 });
        assert_eq!((protocol.event_clock(), protocol.events_waiting()), (0, 0));
        Vec::new()
    });
    assert!(cluster.sent().is_empty() && cluster.heard.is_empty());
}

#[test]
fn who_has_left_says_no_more() {
    let mut cluster = Cluster::converged(2, 3, Options::default());
    cluster.act(1, |protocol| protocol.leave());
    cluster.act(1, |protocol| {
        assert_eq!(protocol.send_event("late", []).unwrap_err(), EventError::Left);
        Vec::new()
    });
}

#[test]
fn alone_a_node_hears_itself_and_nothing_waits() {
    let mut cluster = Cluster::new(3, Options::default());
    cluster.start(0);
    cluster.send(0, "alone", b"");
    assert_eq!(cluster.heard_by(0), ["alone"]);
    assert_eq!(cluster.node(0).events_waiting(), 0);
}

/// Has nodes answer each other's events, and says what must have come before what.
struct Talk {
    /// Of each event, those that its sender had heard or sent, as places in `sent`.
    before: Vec<Vec<usize>>,
}

impl Talk {
    /// Every so often some node that has heard something new says something.
    fn hold(cluster: &mut Cluster, nodes: usize, events: usize, pause: f64) -> Self {
        let mut before: Vec<Vec<usize>> = Vec::new();
        for number in 0..events {
            let node = (number * 7 + number / 5) % nodes;
            let known = cluster.heard_by(node).into_iter().map(number_of).collect();
            before.push(known);
            cluster.send(node, &format!("event-{number}"), b"");
            cluster.run(pause);
        }
        Self { before }
    }

    /// Places where an event was heard before one that its sender had heard before it.
    fn inversions(&self, cluster: &Cluster, node: usize) -> usize {
        let heard: Vec<usize> = cluster.heard_by(node).into_iter().map(number_of).collect();
        let place = |event: usize| heard.iter().position(|&held| held == event);
        let late = |&event: &usize| {
            let at = place(event);
            self.before[event].iter().any(|&before| place(before) > at || place(before).is_none())
        };
        heard.iter().filter(|event| late(event)).count()
    }
}

fn number_of(name: &str) -> usize {
    name.trim_start_matches("event-").parse().unwrap()
}

#[test]
fn causes_are_heard_before_effects_though_effects_overtake_them() {
    for seed in 0..5 {
        let mut cluster = Cluster::converged(seed, 12, Options::default());
        cluster.loss = 0.1;
        // Longer than several rounds: most datagrams overtake others.
        cluster.latency = (1_000, 300_000);
        let talk = Talk::hold(&mut cluster, 12, 150, 0.05);
        cluster.run(30.0);
        for node in 0..12 {
            let stats = cluster.node(node).stats();
            assert_eq!(stats.notices_disordered, 0, "seed {seed}, node {node}");
            assert_eq!(talk.inversions(&cluster, node), 0, "seed {seed}, node {node}");
        }
    }
}

#[test]
fn who_missed_an_event_is_told_it_without_waiting_for_another() {
    let mut cluster = Cluster::converged(4, 8, Options::default());
    let missed = names("missed", 1);
    // Nothing of it gets to node 5 by gossip.
    let deaf = common::addr(5);
    cluster.censor(move |from, to, message| {
        let told = matches!(message, swim_core::GossipMessage::Notices { .. });
        told && to == deaf
            && from != deaf
            && !matches!(message, swim_core::GossipMessage::Held { .. })
    });
    cluster.send(0, &missed[0], b"");
    cluster.run(1.0);
    assert!(cluster.heard_by(5).is_empty());
    cluster.heal();
    let took = cluster.run_until(60, |cluster| cluster.all_heard(&missed));
    assert!(took < 8.0, "{took} s");
}

#[test]
fn a_joiner_is_told_nothing_of_the_past_and_all_of_the_future() {
    for seed in 0..5 {
        let mut cluster = Cluster::converged(seed, 8, Options::default());
        let (past, future) = (names("past", 40), names("future", 40));
        for (number, name) in past.iter().enumerate() {
            cluster.send(number % 8, name, b"");
            cluster.run(0.01);
        }
        cluster.run(10.0);
        cluster.start(8);
        cluster.join(8, 3);
        cluster.run(1.0);
        for (number, name) in future.iter().enumerate() {
            cluster.send(number % 9, name, b"");
            cluster.run(0.01);
        }
        cluster.run(90.0);
        assert!(cluster.all_heard(&future), "seed {seed}");
        let heard = cluster.heard_by(8);
        assert!(heard.iter().all(|name| name.starts_with("future")), "seed {seed}: {heard:?}");
    }
}

#[test]
fn who_comes_back_with_its_clock_hears_nothing_again() {
    let mut cluster = Cluster::converged(6, 6, Options::default());
    let before = names("before", 30);
    for name in &before {
        cluster.send(1, name, b"");
        cluster.run(0.02);
    }
    // It comes back at once: what it heard last is still being told.
    let clock = cluster.node(5).event_clock();
    assert!(clock >= 25, "{clock}");
    cluster.crash(5);
    let heard = cluster.heard_by(5).len();
    cluster.start_with(5, Options { event_clock: clock, ..Options::default() });
    cluster.join(5, 0);
    cluster.run(60.0);
    assert!(cluster.heard_by(5).len() <= before.len(), "{heard} before, twice heard");
    cluster.send(2, "after", b"");
    cluster.run(2.0);
    assert_eq!(cluster.heard_by(5).last(), Some(&"after"));
}

#[test]
fn both_sides_of_a_split_hear_of_each_other() {
    let mut cluster = Cluster::converged(7, 10, Options::default());
    cluster.split(&[&[0, 1, 2, 3, 4], &[5, 6, 7, 8, 9]]);
    let (one, other) = (names("one", 20), names("other", 20));
    for (a, b) in one.iter().zip(&other) {
        cluster.send(0, a, b"");
        cluster.send(9, b, b"");
        cluster.run(0.05);
    }
    cluster.run(5.0);
    cluster.heal();
    let all = [one, other].concat();
    let took = cluster.run_until(120, |cluster| cluster.all_heard(&all));
    println!("{took:.1} s after the split has healed");
    assert!(cluster.all_heard(&all));
}

#[test]
fn what_fits_no_datagram_is_announced_and_fetched_by_stream() {
    for (seed, len) in [(8, 1_300), (9, 60_000)] {
        let mut cluster = Cluster::converged(seed, 16, Options::default());
        cluster.loss = 0.1;
        cluster.record();
        cluster.send(0, "large", &vec![7; len]);
        cluster.send(0, "small", b"");
        let both = ["large".to_owned(), "small".to_owned()];
        let took = cluster.run_until(30, |cluster| cluster.all_heard(&both));
        println!("{len} bytes reach 16 nodes in {took:.2} s");
        assert!(took < 10.0, "{took} s");
        for node in 0..16 {
            assert_eq!(cluster.heard_by(node), ["large", "small"]);
        }
        let announced = |notice: &Notice<UserNotice>| matches!(notice.said, Said::Announced(_));
        let by_gossip = cluster.sent().iter().filter(|sent| match &sent.message {
            GossipMessage::Notices { notices } => notices.iter().any(announced),
            _ => false,
        });
        assert!(by_gossip.count() > 16);
        let bodies = cluster.sent().iter().filter_map(|sent| match &sent.message {
            GossipMessage::Notices { notices } => Some(notices),
            _ => None,
        });
        let large = |notice: &&Notice<UserNotice>| notice.body_len() > 1_000 && !announced(notice);
        let times = bodies.flatten().filter(large).count();
        assert!((15..40).contains(&times), "sent {times} times to 15 nodes");
    }
}

#[test]
fn a_flood_of_events_kills_nobody_and_loses_nothing_but_what_is_counted() {
    let mut cluster = Cluster::converged(10, 5, Options::default());
    cluster.run(5.0);
    let (before, start) = (cluster.datagrams, cluster.clock.micros());
    let mut sent = 0;
    // 2,000 a second for five seconds.
    for round in 0..1_000 {
        for number in 0..10 {
            cluster.send((round + number) % 5, &format!("event-{sent}"), &[0; 20]);
            sent += 1;
        }
        cluster.run(0.005);
    }
    let drained =
        cluster.run_until(30, |cluster| (0..5).all(|node| cluster.heard_by_count(node) == sent));
    let took = (cluster.clock.micros() - start) as f64 / 1e6;
    println!(
        "all heard {drained:.2} s after the last; {} messages a second and node",
        ((cluster.datagrams - before) as f64 / took / 5.0) as u64
    );
    for node in 0..5 {
        let stats = cluster.node(node).stats();
        println!("{node}: {stats:?}");
        assert_eq!(cluster.heard_by_count(node), sent, "node {node}");
    }
    assert!(cluster.events.iter().all(|(.., event)| event.kind != EventKind::Died));
    assert!(cluster.events.iter().all(|(.., event)| event.kind != EventKind::Suspected));
}
