//! What happened before somebody listened.

mod lib_support;

use lib_support::spawn;
use swim_agent::{EventStream, Handle, StreamItem};
use swim_transport::Network;

/// Has an agent hear events of these names.
async fn tell(agent: &Handle, names: &[&str]) {
    for name in names {
        agent.send_event(*name, "").await.unwrap();
    }
}

/// The next events by name.
async fn names(events: &mut EventStream, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..count {
        match events.next().await {
            Some(StreamItem::User(event)) => names.push(event.name),
            other => panic!("{other:?}"),
        }
    }
    names
}

#[tokio::test(start_paused = true)]
async fn a_backlog_and_what_comes_later_are_one_stream() {
    let agent = spawn(&Network::new(), 1).await;
    tell(&agent, &["a", "b", "c"]).await;
    let mut some = agent.events_with_backlog(2);
    let mut none = agent.events();
    tell(&agent, &["d"]).await;
    assert_eq!(names(&mut some, 3).await, ["b", "c", "d"]);
    assert_eq!(names(&mut none, 1).await, ["d"]);
    assert!(some.try_next().is_none() && none.try_next().is_none(), "nothing comes twice");
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_where_another_stopped() {
    let agent = spawn(&Network::new(), 1).await;
    let mut first = agent.events();
    tell(&agent, &["a", "b"]).await;
    assert_eq!(names(&mut first, 1).await, ["a"]);
    let position = first.position();
    drop(first);
    tell(&agent, &["c"]).await;
    assert_eq!(names(&mut agent.events_from(position), 2).await, ["b", "c"]);
    let mut beyond = agent.events_from(u64::MAX);
    tell(&agent, &["d"]).await;
    assert_eq!(names(&mut beyond, 1).await, ["d"], "a position that is none yet is the next one");
}

#[tokio::test(start_paused = true)]
async fn what_happened_can_be_read_after_the_end() {
    let agent = spawn(&Network::new(), 1).await;
    tell(&agent, &["a"]).await;
    agent.shutdown().await;
    let mut events = agent.events_with_backlog(512);
    assert_eq!(names(&mut events, 1).await, ["a"]);
    assert_eq!(events.next().await, None);
    assert_eq!(agent.events().next().await, None);
}
