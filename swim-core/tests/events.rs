//! Events: every member hears them once, whatever is lost, doubled or out of order on the way.

mod common;

use common::Cluster;
use swim_core::{
    EventError, GossipAction, GossipMessage, GossipProtocol, Notice, Options, Said, Timers,
    UserNotice,
};

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

#[test]
fn an_event_reaches_all_32_nodes_in_a_moment() {
    let mut times = Vec::new();
    for seed in 0..10 {
        let mut cluster = Cluster::converged(seed, 32, Options::default());
        cluster.run(5.0);
        let deploy = names("deploy", 1);
        cluster.send(seed as usize, &deploy[0], b"v2");
        times.push(cluster.run_until(30, |cluster| cluster.all_heard(&deploy)));
    }
    times.sort_by(f64::total_cmp);
    println!("all of 32 nodes: median {:.3} s, at most {:.3} s", times[5], times[9]);
    assert!(times[5] < 0.2 && times[9] < 5.0, "{times:?}");
}

#[test]
fn gossip_alone_reaches_all_nearly_always() {
    for (nodes, loss) in [(5, 0.0), (32, 0.0), (32, 0.1)] {
        let mut cluster = Cluster::converged(1, nodes, Options::default());
        cluster.run(5.0);
        cluster.loss = loss;
        let names = names("event", 100);
        cluster.record();
        let mut times = Vec::new();
        for (number, name) in names.iter().enumerate() {
            cluster.send(number % nodes, name, &[0; 20]);
            let name = std::slice::from_ref(name);
            times.push(cluster.run_until(1, |cluster| cluster.all_heard(name)));
            // Nobody compares what came in the last second.
            cluster.run(5.0 - times[number]);
        }
        let (mut messages, mut bytes) = (0, 0);
        for sent in cluster.sent() {
            if let GossipMessage::Notices { notices } = &sent.message {
                messages += 1;
                bytes += notices.iter().map(swim_core::wire_size::notice).sum::<usize>();
            }
        }
        times.sort_by(f64::total_cmp);
        let missed = times.iter().filter(|took| **took >= 1.0).count();
        println!(
            "{nodes} nodes, loss {loss}: all after {:.0} ms, 95 % {:.0} ms; {missed} of 100 missed \
             somebody; {:.1} messages and {:.0} bytes per event and node",
            times[50] * 1e3,
            times[95] * 1e3,
            messages as f64 / 100.0 / nodes as f64,
            bytes as f64 / 100.0 / nodes as f64,
        );
        assert!(missed <= 15 && times[50] < 0.2, "{missed} missed somebody");
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
fn the_last_words_of_who_leaves_are_heard() {
    let mut cluster = Cluster::converged(12, 16, Options::default());
    cluster.run(5.0);
    cluster.send(3, "goodbye", b"");
    cluster.act(3, |protocol| protocol.leave());
    cluster.run(0.5);
    cluster.crash(3);
    cluster.run(2.0);
    assert!(cluster.all_heard(&["goodbye".to_owned()]));
}

#[test]
fn strangers_and_the_dead_are_not_believed() {
    let mut cluster = Cluster::converged(13, 4, Options::default());
    cluster.send(1, "true", b"");
    let told = |sent: &common::Sent| matches!(sent.message, GossipMessage::Notices { .. });
    cluster.record();
    cluster.send(1, "also true", b"");
    cluster.run(1.0);
    let message = cluster.sent().iter().find(|sent| told(sent)).unwrap().message.clone();
    let mut lone = common::lone::Lone::knowing(3, Options::default());
    lone.hear(100, message.clone());
    assert_eq!(lone.protocol.stats().notices_heard, 0);
    assert!(lone.protocol.stats().notices_refused > 0);
    lone.hear(2, message);
    assert!(lone.protocol.stats().notices_heard > 0);
}

#[test]
fn with_named_timers_events_are_heard_too() {
    let options = Options { timers: Timers::Named, ..Options::default() };
    let build = |node| {
        let builder = GossipProtocol::builder(common::id(node), common::addr(node));
        builder.options(options.clone()).build().unwrap()
    };
    let (mut one, mut other) = (build(0), build(1));
    for action in other.bootstrap(vec![common::addr(0)]) {
        let GossipAction::Send { message, .. } = action else { continue };
        one.handle_message(common::addr(1), message);
    }
    let named = |action: &GossipAction| match action {
        GossipAction::ScheduleTimer { name, .. } => name == "spread",
        _ => false,
    };
    assert!(one.send_event("deploy", []).unwrap().iter().any(named));
    let told = one.handle_timer("spread");
    let tells = |action: &GossipAction| {
        matches!(action, GossipAction::Send { message: GossipMessage::Notices { .. }, .. })
    };
    assert!(told.iter().any(tells));
}
