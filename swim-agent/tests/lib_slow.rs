//! Users who are slow, and a process that was: neither costs a member its good name.

mod lib_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use lib_support::{Raw, addr, alive, crowd, spawn, until};
use swim_agent::StreamItem;
use swim_core::{GossipMessage, MemberState};
use swim_transport::{Faulty, Network, Transport};

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

/// Datagrams are heard many in a row, and never so many that timers and users wait for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_datagrams_holds_up_neither_timers_nor_users() {
    let network = Network::new();
    let agents = [spawn(&network, 1).await, spawn(&network, 2).await];
    alive(&agents[0], 2).await;
    let raw = Raw::new(&network, 99);
    let over = Arc::new(AtomicBool::new(false));
    let flood = std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            while !over.load(Relaxed) {
                raw.send(1, &[GossipMessage::Ping { seq: 1, from: "raw".into() }]);
            }
        }
    });
    let before = agents[0].info().await.unwrap();
    let patient = async {
        loop {
            let info = agents[0].info().await.unwrap();
            let heard = info.counters.datagrams_received - before.counters.datagrams_received;
            if heard > 10_000 && info.stats.probes > before.stats.probes + 2 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), patient).await.expect("probes and answers");
    over.store(true, Relaxed);
    flood.join().unwrap();
}

/// The answer to a probe comes in at the moment when a paused process wakes up with all its
/// deadlines passed, the one for that answer among them.
#[tokio::test(start_paused = true)]
async fn a_late_wake_up_hears_before_it_accuses() {
    const PAUSES: usize = 40;
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let raw = Raw::new(&network, 98);
    let peer = Faulty::new(network.bind(addr(99)).unwrap(), 1);
    peer.faults().set_delay(Duration::from_millis(1)..=Duration::from_millis(1));
    raw.introduce_at(&peer, "peer", 1).await;
    for _ in 0..PAUSES {
        // It has no answer by datagram and asks by stream: the last stage before a suspicion.
        let asked = tokio::time::timeout(Duration::from_secs(60), peer.accept()).await;
        let (mut stream, _) = asked.expect("a probe of somebody held alive").unwrap();
        let GossipMessage::Ping { seq, .. } = raw.read(&mut stream).await[0] else {
            panic!("something else than a ping by stream")
        };
        let ack = raw.packet(&[GossipMessage::Ack { seq, from: "peer".into() }]);
        peer.send_to(addr(1), &ack).unwrap();
        // It is on its way for a millisecond, of which the pause swallows the rest.
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    let info = agent.info().await.unwrap();
    assert!(info.counters.late_wakeups + 1 >= PAUSES as u64, "{:?}", info.counters);
    assert_eq!((info.stats.probes_failed, info.stats.suspicions), (0, 0));
    assert_eq!(agent.members().count(MemberState::Alive), 2);
}
