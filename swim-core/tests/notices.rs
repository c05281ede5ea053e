//! Events: every member hears them once, whatever is lost, doubled or out of order on the way.

mod common;

use common::Cluster;
use swim_core::{
    EventError, EventKind, GossipAction, GossipMessage, GossipProtocol, Notice, Options, Said,
    Timers, UserNotice,
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
fn who_missed_an_event_is_told_it_without_waiting_for_another() {
    let mut cluster = Cluster::converged(4, 8, Options::default());
    let missed = names("missed", 1);
    // Nothing of it gets to node 5 by gossip.
    let deaf = common::addr(5);
    cluster.censor(move |from, to, message| {
        let told = matches!(message, GossipMessage::Notices { .. });
        told && to == deaf && from != deaf && !matches!(message, GossipMessage::Held { .. })
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
fn a_flood_of_events_accuses_nobody_and_loses_nothing() {
    for (loss, seconds) in [(0.0, 5), (0.05, 5)] {
        let mut cluster = Cluster::converged(10, 5, Options::default());
        cluster.run(5.0);
        cluster.loss = loss;
        let (before, start) = (cluster.datagrams, cluster.clock.micros());
        let mut sent = 0;
        // 2,000 a second.
        for round in 0..seconds * 200 {
            for number in 0..10 {
                cluster.send((round + number) % 5, &format!("event-{sent}"), &[0; 20]);
                sent += 1;
            }
            cluster.run(0.005);
        }
        let all_heard = |cluster: &Cluster| (0..5).all(|node| cluster.heard_by_count(node) == sent);
        let rest = cluster.run_until(30, all_heard);
        let took = (cluster.clock.micros() - start) as f64 / 1e6;
        let rate = (cluster.datagrams - before) as f64 / took / 5.0;
        println!(
            "loss {loss}: {rate:.0} messages a second and node; all {rest:.2} s after the last"
        );
        assert!(all_heard(&cluster));
        for node in 0..5 {
            let stats = cluster.node(node).stats();
            let lost = (stats.notices_disordered, stats.notices_missed, stats.notices_dropped);
            assert_eq!(lost, (0, 0, 0), "node {node}");
        }
        let accusing = |kind| matches!(kind, EventKind::Died | EventKind::Suspected);
        assert!(!cluster.events.iter().any(|(.., event)| accusing(event.kind)));
    }
}

/// So many events a second, from all nodes in turn, for so long.
fn flood(cluster: &mut Cluster, nodes: usize, rate: usize, seconds: f64) {
    let mut sent = 0;
    for _ in 0..(seconds * 100.0) as usize {
        for _ in 0..rate / 100 {
            let name = format!("flood-{}", cluster.heard.len());
            cluster.act(sent % nodes, |protocol| protocol.send_event(name, [0; 40]).unwrap());
            sent += 1;
        }
        cluster.run(0.01);
    }
}

/// How long it takes until all know that four of 16 died and four came, while something goes on.
fn mass_change(seed: u64, meanwhile: impl Fn(&mut Cluster)) -> f64 {
    let mut cluster = Cluster::converged(seed, 16, Options::default());
    cluster.run(5.0);
    (12..16).for_each(|node| cluster.crash(node));
    (16..20).for_each(|node| cluster.start(node));
    (16..20).for_each(|node| cluster.join(node, 0));
    let start = cluster.clock.micros();
    while !cluster.agree(16) {
        meanwhile(&mut cluster);
        assert!(cluster.clock.micros() < start + 60_000_000, "it takes too long");
    }
    (cluster.clock.micros() - start) as f64 / 1e6
}

#[test]
fn a_flood_of_events_does_not_hold_up_membership() {
    let (mut quiet, mut flooded) = (0.0, 0.0);
    for seed in 0..4 {
        quiet += mass_change(seed, |cluster| cluster.run(0.1)) / 4.0;
        flooded += mass_change(seed, |cluster| flood(cluster, 12, 1_000, 0.1)) / 4.0;
    }
    println!("{quiet:.1} s, and {flooded:.1} s under a flood of events");
    assert!(flooded < quiet + 1.5, "{quiet} s became {flooded} s");
}

#[test]
fn a_flood_of_updates_does_not_hold_up_events() {
    let mut cluster = Cluster::converged(11, 16, Options::default());
    cluster.run(5.0);
    for number in 0..8 {
        for round in 0..10 {
            // Each change takes a third of a datagram: no round can tell all that waits.
            for node in 0..16 {
                let value = format!("{round}{}", "v".repeat(400));
                cluster.act(node, |protocol| protocol.update_metadata("key".into(), value));
            }
            cluster.run(0.01);
        }
        let name = [format!("event-{number}")];
        // As large as an event in a datagram can be, every other time.
        cluster.send(number % 16, &name[0], &vec![0; 1_150 * (number % 2)]);
        let took = cluster.run_until(10, |cluster| cluster.all_heard(&name));
        assert!(took < 0.5, "event {number}: {took} s");
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
fn what_was_accepted_is_not_pushed_out_by_what_comes_after() {
    let mut cluster = Cluster::converged(14, 2, Options::default());
    let mut accepted = Vec::new();
    let mut refused = 0;
    cluster.act(0, |protocol| {
        let mut actions = Vec::new();
        for number in 0..9_000 {
            match protocol.send_event(format!("event-{number}"), []) {
                Ok(more) => {
                    accepted.push(format!("event-{number}"));
                    actions.extend(more);
                }
                Err(EventError::Busy { waiting }) => {
                    assert!(waiting > 8_000);
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        actions
    });
    assert!(accepted.len() > 8_000 && refused > 500);
    cluster.run_until(60, |cluster| cluster.heard_by_count(1) == accepted.len());
    assert_eq!(cluster.heard_by(1), accepted);
    assert_eq!(cluster.node(0).stats().notices_dropped, 0);
    cluster.run(5.0);
    cluster.send(0, "again", b"");
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
    let named = |action: &GossipAction| matches!(action, GossipAction::ScheduleTimer { name, .. } if name == "spread");
    assert!(one.send_event("deploy", []).unwrap().iter().any(named));
    let told = one.handle_timer("spread");
    let tells = |action: &GossipAction| {
        matches!(action, GossipAction::Send { message: GossipMessage::Notices { .. }, .. })
    };
    assert!(told.iter().any(tells));
}

#[test]
fn a_period_sends_at_most_fanout_messages_whatever_is_told() {
    for fanout in 1..=5 {
        let mut options = Options { timers: Timers::Named, seed: Some(3), ..Options::default() };
        options.gossip.base.fanout = fanout;
        let clock = common::ManualClock::new();
        let builder = GossipProtocol::builder(common::id(0), common::addr(0)).options(options);
        let mut protocol = builder.clock(clock.clone()).build().unwrap();
        let mut told = false;
        for round in 0..200 {
            if round < 60 {
                let updates = vec![common::lone::alive(1 + round % 40)];
                protocol.handle_message(common::addr(1), GossipMessage::Gossip { updates });
                for message in common::lone::accusation(1 + round % 7, &[2, 3]) {
                    protocol.handle_message(common::addr(1), message);
                }
                protocol.send_event("event", []).unwrap();
            }
            let sent: Vec<_> = protocol
                .tick()
                .into_iter()
                .filter_map(|action| match action {
                    GossipAction::Send { message, .. } => Some(message),
                    _ => None,
                })
                .collect();
            assert!(sent.len() <= fanout, "fanout {fanout}, round {round}: {sent:?}");
            let tells = |message: &GossipMessage| matches!(message, GossipMessage::Notices { .. });
            told |= sent.iter().any(tells);
            clock.advance(std::time::Duration::from_millis(400));
        }
        assert_eq!(told, fanout > 1, "fanout {fanout}");
    }
}

#[test]
fn what_a_node_told_itself_before_it_joined_is_nobodys_affair() {
    let mut cluster = Cluster::converged(15, 4, Options::default());
    cluster.send(0, "cluster", b"");
    cluster.start(4);
    for number in 0..50 {
        cluster.send(4, &format!("alone-{number}"), b"");
    }
    cluster.run(5.0);
    cluster.join(4, 0);
    cluster.run(1.0);
    cluster.send(4, "together", b"");
    cluster.send(1, "too", b"");
    cluster.run(0.5);
    assert!(cluster.all_heard(&["together".to_owned(), "too".to_owned()]));
    cluster.run(60.0);
    assert_eq!(cluster.heard_by(2), ["cluster", "together", "too"]);
    assert_eq!(cluster.heard_by(4).len(), 52);
}

#[test]
fn members_whose_clocks_differ_after_a_restart_of_all_hear_each_other() {
    for seed in 0..5 {
        let mut cluster = Cluster::new(seed, Options::default());
        // Each remembers another time, and all are each other's seeds.
        for node in 0..5 {
            let event_clock = 1_000 - 7 * ((node as u64 + seed) % 5);
            cluster.start_with(node, Options { event_clock, ..Options::default() });
        }
        for node in 0..5 {
            let seeds = (0..5).map(common::addr).collect();
            cluster.act(node, |protocol| protocol.bootstrap(seeds));
        }
        cluster.run_until(30, |cluster| cluster.agree(5));
        cluster.run(2.0);
        let names = names("event", 5);
        for (node, name) in names.iter().enumerate() {
            cluster.send(node, name, b"");
        }
        cluster.run(1.0);
        assert!(cluster.all_heard(&names), "seed {seed}");
    }
}
