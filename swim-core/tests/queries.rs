//! Queries: every member hears them, those asked answer, and who asked hears each answer once.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::lone::Lone;
use common::{Cluster, addr, id};
use swim_core::{
    Decline, EventError, GossipMessage, Notice, Options, Said, Stamp, UserNotice, UserQuery,
};

/// Asks, and returns the number.
fn ask(cluster: &mut Cluster, node: usize, query: UserQuery) -> u64 {
    let mut number = 0;
    cluster.act(node, |protocol| {
        let (asked, actions) = protocol.start_query(query).unwrap();
        number = asked;
        actions
    });
    number
}

/// Runs so long; whoever hears a query meanwhile acks it if it is to, and answers with its number.
fn run_answering(cluster: &mut Cluster, seconds: f64) {
    for _ in 0..(seconds / 0.01) as usize {
        cluster.run(0.01);
        for (_, node, id, query) in std::mem::take(&mut cluster.asked) {
            if query.ack {
                cluster.act(node, |protocol| protocol.ack_query(id, &query));
            }
            let payload = node.to_string();
            cluster.act(node, |protocol| {
                protocol.answer_query(id, &query, payload.as_bytes()).unwrap()
            });
        }
    }
}

/// Who answered at `node`, or acked; each must have done so once.
fn answered(cluster: &Cluster, node: usize, number: u64, acks: bool) -> BTreeSet<String> {
    let mut from = BTreeSet::new();
    for (_, at, id, who, payload) in &cluster.answers {
        if (*at, *id, payload.is_none()) == (node, number, acks) {
            assert!(from.insert(who.0.clone()), "{who} twice");
        }
    }
    from
}

fn all(nodes: usize) -> BTreeSet<String> {
    (0..nodes).map(|node| id(node).0).collect()
}

#[test]
fn all_members_answer_in_a_moment_and_the_asker_is_one_of_them() {
    let mut cluster = Cluster::converged(1, 32, Options::default());
    let number = ask(&mut cluster, 4, UserQuery::new("uptime"));
    let start = cluster.clock.micros();
    run_answering(&mut cluster, 0.5);
    assert_eq!(answered(&cluster, 4, number, false), all(32));
    assert_eq!(answered(&cluster, 4, number, true), all(32));
    let last = cluster.answers.iter().map(|answer| answer.0).max().unwrap();
    println!("all answered after {} ms", (last - start) / 1_000);
}

#[test]
fn relays_bring_answers_that_are_lost_directly_and_each_counts_once() {
    let mut cluster = Cluster::converged(2, 12, Options::default());
    cluster.duplication = 0.3;
    // Nothing gets from node 7 to node 0, and half of the rest is doubled.
    cluster.cut(7, 0);
    let query = UserQuery { relays: 3, ack: false, ..UserQuery::new("uptime") };
    let number = ask(&mut cluster, 0, query);
    run_answering(&mut cluster, 2.0);
    assert_eq!(answered(&cluster, 0, number, false), all(12));
    assert!(answered(&cluster, 0, number, true).is_empty(), "nobody was to ack");
}

#[test]
fn the_dead_do_not_answer_and_the_others_do() {
    let mut cluster = Cluster::converged(3, 10, Options::default());
    cluster.crash(9);
    let number = ask(&mut cluster, 0, UserQuery::new("uptime"));
    run_answering(&mut cluster, 1.0);
    assert_eq!(answered(&cluster, 0, number, false), all(9));
}

#[test]
fn who_has_no_answer_says_so_once_and_instead_of_one() {
    let mut cluster = Cluster::converged(9, 8, Options::default());
    cluster.duplication = 0.3;
    let number = ask(&mut cluster, 0, UserQuery { relays: 2, ..UserQuery::new("load") });
    let reasons = [Decline::NoHandler, Decline::Busy, Decline::Failed];
    for _ in 0..300 {
        cluster.run(0.01);
        for (_, node, id, query) in std::mem::take(&mut cluster.asked) {
            cluster.act(node, |protocol| match node % 2 {
                0 => protocol.answer_query(id, &query, b"1").unwrap(),
                _ => protocol.decline_query(id, &query, reasons[node % 3]),
            });
        }
    }
    assert_eq!(answered(&cluster, 0, number, false), (0..4).map(|n| id(2 * n).0).collect());
    let mut declined: Vec<_> =
        cluster.declined.iter().map(|(id, from, why)| (*id, from.0.clone(), *why)).collect();
    declined.sort();
    let expected: Vec<_> =
        (0..4).map(|n| 2 * n + 1).map(|n| (number, id(n).0, reasons[n % 3])).collect();
    assert_eq!(declined, expected);
    // It was first; what comes after it is void.
    let declined = |payload: Option<&[u8]>| GossipMessage::QueryAnswer {
        query: number,
        from: id(1),
        to: id(0),
        relay: false,
        payload: payload.map(<[u8]>::to_vec),
        declined: Some(Decline::Busy),
    };
    for again in [declined(None), declined(Some(b"2"))] {
        cluster.inject(addr(1), 0, again);
    }
    cluster.run(0.1);
    assert_eq!((cluster.declined.len(), answered(&cluster, 0, number, false).len()), (4, 4));
}

#[test]
fn what_comes_after_the_time_out_or_to_no_query_is_not_heard() {
    let mut cluster = Cluster::converged(4, 4, Options::default());
    let query = UserQuery { timeout: Duration::from_millis(300), ..UserQuery::new("slow") };
    let number = ask(&mut cluster, 0, query);
    cluster.run(1.0);
    run_answering(&mut cluster, 0.5);
    assert!(answered(&cluster, 0, number, false).is_empty());
    let (from, to) = (id(1), id(0));
    let answer = GossipMessage::QueryAnswer {
        query: 99,
        from,
        to,
        relay: false,
        payload: Some(vec![]),
        declined: None,
    };
    cluster.inject(addr(1), 0, answer);
    cluster.run(0.1);
    assert!(cluster.answers.is_empty());
    assert!(cluster.node(0).stats().answers_refused >= 4);
}

#[test]
fn the_query_arrives_as_it_was_asked() {
    let mut cluster = Cluster::converged(5, 3, Options::default());
    let query = UserQuery {
        payload: vec![1, 2],
        nodes: vec![id(2)],
        metadata: vec![("role".into(), "^db".into())],
        ..UserQuery::new("disk")
    };
    let number = ask(&mut cluster, 1, query.clone());
    cluster.run(0.5);
    let expected = UserQuery { origin: id(1), ..query };
    assert_eq!(cluster.asked.len(), 3);
    for (_, _, id, heard) in &cluster.asked {
        assert_eq!((*id, &**heard), (number, &expected));
    }
}

#[test]
fn too_many_open_queries_or_filters_are_refused() {
    let mut cluster = Cluster::converged(6, 2, Options::default());
    for _ in 0..64 {
        ask(&mut cluster, 0, UserQuery::new("many"));
    }
    cluster.act(0, |protocol| {
        let refused = protocol.start_query(UserQuery::new("one more")).unwrap_err();
        assert_eq!(refused, EventError::Busy { waiting: 64 });
        let nodes = vec![id(1); 1_025];
        let refused = protocol.start_query(UserQuery { nodes, ..UserQuery::new("x") }).unwrap_err();
        assert_eq!(refused, EventError::TooManyFilters { found: 1_025, max: 1_024 });
        Vec::new()
    });
    cluster.run(6.0);
    ask(&mut cluster, 0, UserQuery::new("after the time-outs"));
}

#[test]
fn nobody_is_made_to_answer_elsewhere_than_where_a_member_is_held_to_live() {
    let mut cluster = Cluster::converged(7, 4, Options::default());
    let stranger = addr(100);
    let query = UserQuery { origin: "victim".into(), ..UserQuery::new("bait") };
    let said = Said::Whole(UserNotice::Query(query.into()));
    let notice = Notice { stamp: Stamp { ltime: 1, id: 1 }, after: [].into(), said };
    let notices = GossipMessage::Notices { notices: vec![notice] };
    // A stranger is not believed.
    cluster.inject(stranger, 0, notices.clone());
    run_answering(&mut cluster, 0.5);
    assert_eq!(cluster.node(0).stats().notices_refused, 1);
    // A member is; but nobody of the name that it gives is known.
    cluster.record();
    cluster.inject(addr(1), 0, notices);
    run_answering(&mut cluster, 1.0);
    let members: Vec<_> = (0..4).map(addr).collect();
    assert!(cluster.sent().iter().all(|sent| members.contains(&sent.to)));
    let answer = |message: &GossipMessage| matches!(message, GossipMessage::QueryAnswer { .. });
    assert!(!cluster.sent().iter().any(|sent| answer(&sent.message)));
    assert!(cluster.node(0).stats().answers_refused > 0);
}

#[test]
fn an_answer_is_passed_on_once_and_only_between_members() {
    let mut cluster = Cluster::converged(8, 4, Options::default());
    cluster.record();
    let answer = |from: usize, to: usize| GossipMessage::QueryAnswer {
        query: 1,
        from: id(from),
        to: id(to),
        relay: true,
        payload: Some(vec![1]),
        declined: None,
    };
    let passed_on = |cluster: &Cluster| {
        let by_relay = |message: &GossipMessage| match message {
            GossipMessage::QueryAnswer { relay, .. } => !relay,
            _ => false,
        };
        cluster.sent().iter().filter(|sent| by_relay(&sent.message)).count()
    };
    cluster.inject(addr(1), 0, answer(1, 2));
    cluster.run(0.1);
    assert_eq!(passed_on(&cluster), 1);
    // Of whom nobody knows, and to whom nobody knows.
    cluster.inject(addr(100), 0, answer(100, 2));
    cluster.inject(addr(1), 0, answer(1, 100));
    cluster.run(0.1);
    assert_eq!(passed_on(&cluster), 1);
}

#[test]
fn answers_are_taken_until_the_time_out_and_no_longer() {
    let mut lone = Lone::settled(3, Options::default());
    let asked = UserQuery { timeout: Duration::from_secs(1), ..UserQuery::new("q") };
    let (query, actions) = lone.protocol.start_query(asked).unwrap();
    lone.act(actions);
    for (from, millis) in [(1, 999), (2, 1_000)] {
        let (from, to, payload) = (id(from), id(0), Some(vec![1]));
        let (relay, declined) = (false, None);
        let answer = GossipMessage::QueryAnswer { query, from, to, relay, payload, declined };
        lone.script(millis, 1, answer);
    }
    lone.run(0.999);
    assert_eq!(lone.protocol.stats().answers_refused, 0);
    lone.run(0.001);
    assert_eq!(lone.protocol.stats().answers_refused, 1);
}
