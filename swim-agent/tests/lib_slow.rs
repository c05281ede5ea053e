//! Users who are slow, and a process that was: neither costs a member its good name.

mod lib_support;

use std::time::Duration;

use lib_support::{Raw, addr, crowd, news, spawn, until};
use swim_agent::StreamItem;
use swim_core::{GossipMessage, MemberState};
use swim_transport::Network;

#[tokio::test(start_paused = true)]
async fn who_never_reads_events_stops_nobody_and_learns_how_many_it_missed() {
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let (mut slow, mut slower) = (agent.events(), agent.events());
    let raw = Raw::new(&network, 99);
    raw.ask(1, &[GossipMessage::Sync { members: crowd(900) }]).await;
    until(&agent, "the crowd", |members| members.len() == 901).await;
    assert_eq!(slow.next().await, Some(StreamItem::Missed(900 - 512)));
    assert!(matches!(slow.next().await, Some(StreamItem::Event(_))));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(agent.info().await.unwrap().stats.probes > 5);
    assert!(matches!(slower.try_next(), Some(StreamItem::Missed(missed)) if missed > 388));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_holds_a_watch_borrowed_holds_up_nobody_else() {
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let (held, other) = (agent.watch(), agent.watch());
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        let members = held.borrow();
        wait.recv().ok();
        members.len()
    });
    std::thread::sleep(Duration::from_millis(20));
    for round in 0..20 {
        agent.update_metadata("round", round.to_string()).await.unwrap();
    }
    let patient = async {
        while other.borrow().local().metadata.get("round").map(String::as_str) != Some("19") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), patient).await.expect("the other watch");
    assert_eq!(agent.members().local().metadata["round"], "19");
    drop(done);
    assert_eq!(holder.join().unwrap(), 1);
}

/// The answer to an open probe lies in the socket when a paused process wakes up with all its
/// deadlines passed.
#[tokio::test(start_paused = true)]
async fn a_late_wake_up_hears_before_it_accuses() {
    const PAUSES: u64 = 40;
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let raw = Raw::new(&network, 99);
    raw.send(1, &[news("raw", addr(99), MemberState::Alive)]);
    let mut pauses = 0;
    while pauses < PAUSES {
        for message in raw.recv().await {
            let GossipMessage::Ping { seq, .. } = message else { continue };
            raw.send(1, &[GossipMessage::Ack { seq, from: "raw".into() }]);
            // Every other time, so that time-outs are learned from answers in time.
            if seq % 2 == 0 {
                pauses += 1;
                tokio::time::advance(Duration::from_secs(10)).await;
            }
        }
    }
    let info = agent.info().await.unwrap();
    assert!(info.counters.late_wakeups >= PAUSES / 2, "{:?}", info.counters);
    assert_eq!((info.stats.probes_failed, info.stats.suspicions), (0, 0));
    assert_eq!(agent.members().count(MemberState::Alive), 2);
}
