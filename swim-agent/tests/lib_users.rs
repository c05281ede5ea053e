//! Events and queries of users; on virtual time.

mod lib_support;

use std::collections::BTreeMap;
use std::time::Duration;

use lib_support::{addr, builder, cluster, over, spawn};
use swim_agent::{
    Answers, Decline, EventError, EventStream, Handle, MemberState, Query, QueryItem,
    ReceivedQuery, Reply, RespondError, StreamItem, UserEvent,
};
use swim_transport::{Faulty, Network};
use tokio::time::Instant;

/// The next event of a user.
async fn told(events: &mut EventStream) -> UserEvent {
    loop {
        if let StreamItem::User(event) = events.next().await.expect("a running agent") {
            return event;
        }
    }
}

/// Answers every query with the agent's name and the payload asked.
fn answer(agent: &Handle) {
    let (name, mut queries) = (agent.name().to_owned(), agent.queries());
    tokio::spawn(async move {
        while let Some(item) = queries.next().await {
            let QueryItem::Query(query) = item else { panic!("{item:?}") };
            let payload = [name.as_bytes(), b":", &query.event().payload].concat();
            query.respond(payload).await.unwrap();
        }
    });
}

/// All replies until the end: acks and answers.
async fn replies(answers: &mut Answers) -> (Vec<String>, BTreeMap<String, Vec<u8>>) {
    let (mut acks, mut given) = (Vec::new(), BTreeMap::new());
    while let Some(reply) = answers.next().await {
        match reply {
            Reply::Ack { from } => acks.push(from),
            Reply::Answer { from, payload } => {
                assert!(given.insert(from.clone(), payload).is_none(), "{from} answered twice");
            }
            Reply::Declined { .. } | Reply::Gone { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    acks.sort();
    (acks, given)
}

#[tokio::test(start_paused = true)]
async fn an_event_reaches_all_once_and_the_sender_too() {
    let agents = cluster(&Network::new(), 8).await;
    let mut streams: Vec<_> = agents.iter().map(Handle::events).collect();
    let started = Instant::now();
    agents[3].send_event("deploy", b"abc\xff123".to_vec()).await.unwrap();
    for events in &mut streams {
        let event = told(events).await;
        assert_eq!((event.name.as_str(), event.origin.as_str()), ("deploy", "n4"));
        assert_eq!(event.payload, b"abc\xff123");
    }
    let took = started.elapsed();
    println!("all 8 had it after {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    tokio::time::sleep(Duration::from_secs(30)).await;
    for events in &mut streams {
        assert_eq!(events.try_next(), None, "nothing comes twice");
    }
}

#[tokio::test(start_paused = true)]
async fn equal_events_are_not_merged_and_causes_come_before_effects() {
    let agents = cluster(&Network::new(), 4).await;
    let mut streams: Vec<_> = agents.iter().map(Handle::events).collect();
    agents[0].send_event("deploy", "abc123").await.unwrap();
    agents[0].send_event("deploy", "").await.unwrap();
    let mut cause = agents[1].events();
    agents[0].send_event("deploy", "").await.unwrap();
    told(&mut cause).await;
    agents[1].send_event("effect", "").await.unwrap();
    for events in &mut streams {
        let mut names = Vec::new();
        let mut ltime = 0;
        for _ in 0..4 {
            let event = told(events).await;
            assert!(event.ltime >= ltime, "{event:?}");
            ltime = event.ltime;
            names.push(format!("{}:{}", event.name, String::from_utf8(event.payload).unwrap()));
        }
        assert_eq!(names.last().unwrap(), "effect:");
        assert_eq!(names.iter().filter(|name| *name == "deploy:").count(), 2, "{names:?}");
        assert!(names.contains(&"deploy:abc123".to_owned()), "{names:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_too_large_for_a_datagram_goes_by_stream() {
    let agents = cluster(&Network::new(), 4).await;
    let mut streams: Vec<_> = agents.iter().map(Handle::events).collect();
    let payload = vec![7; 60_000];
    agents[0].send_event("large", payload.clone()).await.unwrap();
    let started = Instant::now();
    for events in &mut streams {
        assert_eq!(told(events).await.payload, payload);
    }
    println!("60,000 bytes at all 4 after {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_out_of_bounds_is_refused_with_both_sizes_and_tells_nobody() {
    let agents = cluster(&Network::new(), 2).await;
    let mut events = agents[1].events();
    let error = agents[0].send_event("big", vec![0; 10_000_000]).await.unwrap_err().to_string();
    assert!(error.contains("10000") && error.contains("65536"), "{error}");
    for name in ["", &"n".repeat(256)] {
        let error = agents[0].send_event(name, "").await.unwrap_err().to_string();
        assert!(error.contains("255"), "{error}");
    }
    let query = Query::new("q");
    for (wrong, culprit) in [
        (Query { timeout: Duration::ZERO, ..query.clone() }, "0ns"),
        (Query { timeout: Duration::from_secs(3601), ..query.clone() }, "3601s"),
        (Query { relays: 9, ..query.clone() }, "9"),
        (Query { ack: false, ..Query::ping() }, "ping"),
        (Query { nodes: vec!["n".to_owned(); 1025], ..query.clone() }, "1025"),
        (Query { payload: vec![0; 70_000], ..query.clone() }, "65536"),
    ] {
        let error = agents[0].query(wrong).await.unwrap_err().to_string();
        assert!(error.contains(culprit), "{culprit}: {error}");
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(events.try_next(), None);
}

#[tokio::test(start_paused = true)]
async fn who_reads_no_events_learns_how_many_it_missed() {
    let agent = spawn(&Network::new(), 1).await;
    let mut events = agent.events();
    let mut sent = 0;
    while sent < 600 {
        match agent.send_event("e", "").await {
            Ok(()) => sent += 1,
            Err(EventError::Refused(swim_core::EventError::Busy { .. })) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(events.next().await, Some(StreamItem::Missed(600 - 512)));
}

#[tokio::test(start_paused = true)]
async fn a_query_ends_with_the_last_answer() {
    let agents = cluster(&Network::new(), 4).await;
    agents.iter().for_each(answer);
    let started = Instant::now();
    let query = Query { payload: b"?".to_vec(), ..Query::new("load") };
    let mut answers = agents[1].query(query).await.unwrap();
    assert_eq!(answers.expected().count(), 4);
    let (acks, given) = replies(&mut answers).await;
    let took = started.elapsed();
    println!("4 answered after {took:?}");
    assert_eq!(acks, ["n1", "n2", "n3", "n4"]);
    assert_eq!(given.len(), 4);
    assert_eq!(given["n3"], b"n3:?");
    assert!(answers.is_complete() && answers.dropped() == 0);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_named_when_the_time_is_over() {
    let agents = cluster(&Network::new(), 4).await;
    agents[..3].iter().for_each(answer);
    // It has a handler that takes its time.
    let mut queries = agents[3].queries();
    tokio::spawn(async move {
        let _query = asked(&mut queries).await;
        std::future::pending::<()>().await;
    });
    let started = Instant::now();
    let query = Query { timeout: Duration::from_secs(2), ..Query::new("load") };
    let mut answers = agents[0].query(query).await.unwrap();
    replies(&mut answers).await;
    assert_eq!(started.elapsed().as_secs(), 2);
    assert_eq!(answers.missing().collect::<Vec<_>>(), ["n4"]);
    assert_eq!(answers.acked().count(), 4);
}

#[tokio::test(start_paused = true)]
async fn who_has_nobody_to_answer_says_so_at_once_and_why() {
    let agents = cluster(&Network::new(), 5).await;
    answer(&agents[0]);
    // n2 has no handler, n3 lets go of it, n4 and n5 give it up.
    for (agent, why) in [(2, None), (3, Some(Decline::Failed)), (4, Some(Decline::Busy))] {
        let mut queries = agents[agent].queries();
        tokio::spawn(async move {
            let query = asked(&mut queries).await;
            why.into_iter().for_each(|why| query.clone().decline(why));
            drop(query);
            std::future::pending::<()>().await;
        });
    }
    let started = Instant::now();
    let query = Query { timeout: Duration::from_secs(600), ..Query::new("load") };
    let mut answers = agents[0].query(query).await.unwrap();
    let (_, given) = replies(&mut answers).await;
    println!("one answered and four declined after {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!((given.len(), answers.is_complete()), (1, true));
    let declined: Vec<_> = answers.declined().map(|(name, why)| (name.to_owned(), why)).collect();
    let expected = [
        ("n2", Decline::NoHandler),
        ("n3", Decline::NoHandler),
        ("n4", Decline::Failed),
        ("n5", Decline::Busy),
    ];
    assert_eq!(declined, expected.map(|(name, why)| (name.to_owned(), why)));
}

#[tokio::test(start_paused = true)]
async fn of_several_who_take_a_query_the_last_one_declines_with_the_weightiest_reason() {
    let agents = cluster(&Network::new(), 2).await;
    let (mut one, mut other) = (agents[1].queries(), agents[1].queries());
    let ask = || {
        let (nodes, timeout) = (vec!["n2".to_owned()], Duration::from_secs(60));
        agents[0].query(Query { nodes, timeout, ..Query::new("q") })
    };
    let mut answers = ask().await.unwrap();
    let (first, second) = (asked(&mut one).await, asked(&mut other).await);
    first.decline(Decline::Failed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    second.respond("yes").await.unwrap();
    let (_, given) = replies(&mut answers).await;
    assert_eq!((given["n2"].as_slice(), answers.declined().count()), (&b"yes"[..], 0));
    let mut answers = ask().await.unwrap();
    let (first, second) = (asked(&mut one).await, asked(&mut other).await);
    // An answer that is refused is none.
    first.respond(vec![0; 70_000]).await.unwrap_err();
    first.decline(Decline::Failed);
    second.decline(Decline::Busy);
    replies(&mut answers).await;
    assert_eq!(answers.declined().collect::<Vec<_>>(), [("n2", Decline::Failed)]);
}

#[tokio::test(start_paused = true)]
async fn a_query_that_a_full_stream_loses_is_declined_as_busy() {
    let agents = cluster(&Network::new(), 2).await;
    // Nobody reads it.
    let _queries = agents[1].queries();
    let nodes = vec!["n2".to_owned()];
    let ask = Query { nodes, timeout: Duration::from_secs(600), ..Query::new("q") };
    let mut all = Vec::new();
    for at in 0..150 {
        // At most 64 can be open at a time from one agent: the time-outs of some are short.
        let timeout = if at < 60 { ask.timeout } else { Duration::from_millis(500) };
        all.push(agents[0].query(Query { timeout, ..ask.clone() }).await.unwrap());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let mut first = all.remove(0);
    replies(&mut first).await;
    assert_eq!(first.declined().collect::<Vec<_>>(), [("n2", Decline::Busy)]);
}

#[tokio::test(start_paused = true)]
async fn who_dies_or_leaves_while_a_query_runs_is_not_waited_for() {
    let agents = cluster(&Network::new(), 4).await;
    answer(&agents[0]);
    let mut held = Vec::new();
    let mut streams: Vec<_> = agents[1..].iter().map(Handle::queries).collect();
    let started = Instant::now();
    let query = Query { timeout: Duration::from_secs(600), ..Query::new("load") };
    let mut answers = agents[0].query(query).await.unwrap();
    for queries in &mut streams {
        held.push(asked(queries).await);
    }
    agents[1].shutdown().await;
    agents[2].leave().await.unwrap();
    held.pop().unwrap().respond("late").await.unwrap();
    let mut gone = Vec::new();
    while let Some(reply) = answers.next().await {
        if let Reply::Gone { from, state } = reply {
            gone.push((from, state));
        }
    }
    println!("a death and a departure ended it after {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    gone.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [("n2", MemberState::Dead), ("n3", MemberState::Left)];
    assert_eq!(gone, expected.map(|(name, state)| (name.to_owned(), state)));
    assert!(answers.gone().eq(expected) && answers.answered().eq(["n1", "n4"]));
    assert_eq!(answers.missing().count(), 0);
    // Whoever is gone when it is asked is not expected; who goes in that moment is told.
    let mut ping = agents[0].query(Query::ping()).await.unwrap();
    replies(&mut ping).await;
    assert!(ping.acked().eq(["n1", "n4"]) && ping.gone().count() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_ping_needs_no_answers_and_no_user_sees_it() {
    let agents = cluster(&Network::new(), 4).await;
    let (mut events, mut queries) = (agents[2].events(), agents[2].queries());
    let started = Instant::now();
    let mut answers = agents[0].query(Query::ping()).await.unwrap();
    let (acks, given) = replies(&mut answers).await;
    assert_eq!((acks.len(), given.len()), (4, 0));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(events.try_next(), None);
    let waited = tokio::time::timeout(Duration::from_secs(1), queries.next()).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn names_and_metadata_say_who_is_asked() {
    let network = Network::new();
    let mut agents = Vec::new();
    for number in 1..=4 {
        let role = if number % 2 == 0 { "db" } else { "web" };
        let agent = builder(&network, number).metadata([("role", role)]).spawn().await.unwrap();
        agents.push(agent);
    }
    for agent in &agents {
        lib_support::alive(agent, 4).await;
        answer(agent);
    }
    let role = |role: &str| vec![("role".to_owned(), role.to_owned())];
    let nodes = vec!["n1".to_owned(), "n2".to_owned()];
    for (query, wanted) in [
        (Query { metadata: role("db"), ..Query::new("q") }, &["n2", "n4"][..]),
        (Query { nodes: nodes.clone(), ..Query::new("q") }, &["n1", "n2"]),
        (Query { nodes, metadata: role("db"), ..Query::new("q") }, &["n2"]),
        (Query { metadata: role("d"), ..Query::new("q") }, &[]),
    ] {
        let mut answers = agents[0].query(query.clone()).await.unwrap();
        let (acks, given) = replies(&mut answers).await;
        assert_eq!(acks, wanted, "{query:?}");
        assert!(given.keys().eq(wanted), "{query:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pattern_that_makes_no_sense_is_refused_by_who_asks() {
    let transport = Network::new().bind(addr(1)).unwrap();
    let agent = over(transport, 1).patterns(|_| Err("is no pattern".to_owned()));
    let agent = agent.spawn().await.unwrap();
    let metadata = vec![("role".to_owned(), "(".to_owned())];
    let error = agent.query(Query { metadata, ..Query::new("q") }).await.unwrap_err();
    assert_eq!(error.to_string(), r#"metadata "role": pattern "(": is no pattern"#);
}

/// The next query for an agent.
async fn asked(queries: &mut swim_agent::QueryStream) -> ReceivedQuery {
    match queries.next().await.expect("a running agent") {
        QueryItem::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_once_and_in_time() {
    let agents = cluster(&Network::new(), 2).await;
    let mut queries = agents[1].queries();
    let ask = Query { nodes: vec!["n2".to_owned()], ..Query::new("q") };
    let _answers = agents[0].query(ask.clone()).await.unwrap();
    let query = asked(&mut queries).await;
    let error = query.respond(vec![0; 70_000]).await.unwrap_err();
    assert!(error.to_string().contains("70000"), "{error}");
    query.respond("yes").await.unwrap();
    assert_eq!(query.respond("no").await, Err(RespondError::Answered));
    let _answers = agents[0].query(ask).await.unwrap();
    let query = asked(&mut queries).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(query.respond("late").await, Err(RespondError::Late));
}

#[tokio::test(start_paused = true)]
async fn loss_of_a_fifth_loses_no_event() {
    let network = Network::new();
    let mut agents = Vec::new();
    for number in 1..=5 {
        let transport = Faulty::new(network.bind(addr(number)).unwrap(), number.into());
        transport.faults().set_loss(0.2);
        agents.push(over(transport, number).spawn().await.unwrap());
    }
    for agent in &agents {
        lib_support::alive(agent, 5).await;
    }
    let mut streams: Vec<_> = agents.iter().map(Handle::events).collect();
    for (at, agent) in agents.iter().enumerate() {
        agent.send_event(format!("e{at}"), "").await.unwrap();
    }
    for events in &mut streams {
        let mut names = Vec::new();
        for _ in 0..5 {
            names.push(told(events).await.name);
        }
        names.sort();
        assert_eq!(names, ["e0", "e1", "e2", "e3", "e4"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_reaches_thirty_two_agents_in_half_a_second() {
    let agents = cluster(&Network::new(), 32).await;
    let mut took = Vec::new();
    for round in 0..9 {
        let mut streams: Vec<_> = agents.iter().map(Handle::events).collect();
        let started = Instant::now();
        agents[round].send_event("e", "").await.unwrap();
        for events in &mut streams {
            told(events).await;
        }
        took.push(started.elapsed());
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    took.sort();
    println!("all 32 had it after {:?} (median of 9), {:?} at most", took[4], took[8]);
    assert!(took[4] < Duration::from_millis(500), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_has_ended_tells_and_asks_nobody() {
    let agents = cluster(&Network::new(), 2).await;
    let mut queries = agents[1].queries();
    agents[1].shutdown().await;
    assert!(matches!(agents[1].send_event("e", "").await, Err(EventError::Stopped(_))));
    assert!(matches!(agents[1].query(Query::new("q")).await, Err(EventError::Stopped(_))));
    assert!(queries.next().await.is_none());
}
