//! What users tell crosses the agent: datagrams, and streams for what is long or was missed.

mod lib_support;

use std::time::Duration;

use lib_support::{Raw, alive, cluster};
use swim_agent::Handle;
use swim_core::{GossipMessage, Notice, Said, Stamp, UserEvent, UserNotice};
use swim_transport::{Network, Transport as _};
use swim_wire::encode_frame_header;
use tokio::io::AsyncWriteExt as _;

/// An event of so many bytes.
fn event(id: u64, len: usize) -> Notice<UserNotice> {
    let event = UserEvent { origin: "raw".into(), name: "x".to_owned(), payload: vec![7; len] };
    let stamp = Stamp { ltime: id, id };
    Notice { stamp, after: [].into(), said: Said::Whole(UserNotice::Event(event.into())) }
}

async fn heard(agent: &Handle, count: u64) {
    let all = async {
        while agent.info().await.unwrap().stats.notices_heard < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all).await.expect("it is not heard");
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_is_fetched_by_stream_and_passed_on() {
    let network = Network::new();
    let agents = cluster(&network, 3).await;
    let raw = Raw::new(&network, 99);
    for (number, agent) in (1..).zip(&agents) {
        raw.introduce("raw", number).await;
        alive(agent, 4).await;
    }

    let large = event(1, 40_000);
    let announced = Notice { said: Said::Announced(large.body_len()), ..large.clone() };
    let small = event(2, 20);
    raw.send(1, &[GossipMessage::Notices { notices: vec![announced, small] }]);
    let (mut stream, _) = raw.transport.accept().await.unwrap();
    let asked = raw.read(&mut stream).await;
    let [GossipMessage::Fetch { stamps }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(stamps, &[Stamp { ltime: 1, id: 1 }]);
    let answer = raw.packet(&[GossipMessage::Notices { notices: vec![large] }]);
    stream.write_all(&encode_frame_header(answer.len()).unwrap()).await.unwrap();
    stream.write_all(&answer).await.unwrap();
    drop(stream);
    for agent in &agents {
        heard(agent, 2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_lacks_what_another_holds_is_told_it_on_its_own_stream() {
    let network = Network::new();
    let agents = cluster(&network, 1).await;
    let raw = Raw::new(&network, 99);
    raw.introduce("raw", 1).await;
    alive(&agents[0], 2).await;
    raw.send(1, &[GossipMessage::Notices { notices: vec![event(1, 9_000), event(2, 1)] }]);
    heard(&agents[0], 2).await;
    let (from, stamps) = ("raw".into(), vec![Stamp { ltime: 2, id: 2 }]);
    let held = GossipMessage::Held { from, above: 0, upto: 2, stamps };
    let (_, answers) = raw.ask(1, &[held]).await;
    let [GossipMessage::Notices { notices }] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(notices, &[event(1, 9_000)]);
}
