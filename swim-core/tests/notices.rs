//! Events: every member hears them once, whatever is lost, doubled or out of order on the way.

mod common;

use common::Cluster;
use swim_core::{EventError, Options};

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
