//! Who hears which events that it was not told in time: those it missed, not those of the past.

mod common;

use common::Cluster;
use swim_core::{GossipMessage, Options};

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
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
