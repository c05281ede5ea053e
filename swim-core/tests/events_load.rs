//! Many events: they starve nobody, nobody starves them, and what was accepted is not lost.

mod common;

use common::Cluster;
use swim_core::{
    EventError, EventKind, GossipAction, GossipMessage, GossipProtocol, Options, Timers,
};

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
