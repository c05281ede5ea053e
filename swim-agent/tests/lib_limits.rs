//! Who sends or opens too much is dropped, and holds up nobody else; on virtual time but for the last.

mod lib_support;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use lib_support::{Raw, SEED, addr, alive, builder, cluster, crowd, options, spawn, state};
use swim_agent::{Agent, Counters, Handle, RateLimits};
use swim_core::{GossipMessage, MemberState, Options};
use swim_transport::{MemoryStream, Network, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);
/// A stranger's burst: two seconds of its rate.
const BURST: u64 = 1_001;

/// A network whose queues lose nothing.
fn network() -> Network {
    Network::new().with_queue(100_000)
}

fn ping(seq: u64) -> [GossipMessage; 1] {
    [GossipMessage::Ping { seq, from: "stranger".into() }]
}

/// Sends so many datagrams to the first agent.
fn flood(raw: &Raw, count: u64) {
    for seq in 0..count {
        raw.send(1, &ping(seq));
    }
}

async fn counters(agent: &Handle) -> Counters {
    agent.info().await.expect("a running agent").counters
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_dropped_and_counted_and_others_are_heard() {
    let network = network();
    let agent = spawn(&network, 1).await;
    let (mad, other) = (Raw::new(&network, 99), Raw::new(&network, 98));
    flood(&mad, 5_000);
    other.send(1, &ping(1));
    let (_, answers) = mad.recv_for(SECOND / 10).await;
    assert_eq!(answers.len() as u64, BURST);
    assert_eq!(counters(&agent).await.stranger_datagrams_dropped, 5_000 - BURST);
    assert_eq!(other.recv_for(SECOND / 10).await.1.len(), 1);
    sleep(SECOND).await;
    mad.send(1, &ping(1));
    assert_eq!(mad.recv_for(SECOND).await.1.len(), 1, "heard again when it has calmed down");
}

#[tokio::test(start_paused = true)]
async fn a_member_meets_a_limit_of_its_own_only() {
    let network = network();
    let limits = RateLimits { member_datagrams: 2_000, ..RateLimits::default() };
    let agent = builder(&network, 1).rate_limits(limits).spawn().await.unwrap();
    let member = Raw::new(&network, 99);
    member.introduce("raw", 1).await;
    flood(&member, 3_999);
    sleep(SECOND / 100).await;
    let count = counters(&agent).await;
    assert_eq!((count.stranger_datagrams_dropped, count.member_datagrams_dropped), (0, 0));
    flood(&member, 10_000);
    sleep(SECOND / 100).await;
    let dropped = counters(&agent).await.member_datagrams_dropped;
    assert!((9_900..=10_000).contains(&dropped), "{dropped}");
}

#[tokio::test(start_paused = true)]
async fn without_limits_all_is_heard() {
    let network = network();
    let agent = builder(&network, 1).rate_limits(RateLimits::NONE).spawn().await.unwrap();
    let raw = Raw::new(&network, 99);
    flood(&raw, 30_000);
    assert_eq!(raw.recv_for(SECOND).await.1.len(), 30_000);
    let count = counters(&agent).await;
    assert_eq!((count.stranger_datagrams_dropped, count.member_datagrams_dropped), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn under_a_flood_the_dead_are_found_and_newcomers_let_in() {
    let network = network();
    let mut agents = cluster(&network, 3).await;
    let mad = Raw::new(&network, 99);
    let flooding = tokio::spawn(async move {
        loop {
            flood(&mad, 20);
            sleep(SECOND / 200).await;
        }
    });
    agents.push(spawn(&network, 4).await);
    alive(&agents[0], 4).await;
    alive(&agents[3], 4).await;
    let since = Instant::now();
    drop(agents.remove(2));
    state(&agents[0], "n3", MemberState::Dead).await;
    assert!(since.elapsed() < 20 * SECOND, "{:?}", since.elapsed());
    flooding.abort();
    let info = agents[0].info().await.unwrap();
    assert!(info.counters.stranger_datagrams_dropped > 1_000, "{:?}", info.counters);
    assert_eq!(info.stats.deaths, 1);
}

/// Opens streams and says nothing.
async fn silent(raw: &Raw, count: usize) -> Vec<MemoryStream> {
    let mut open = Vec::new();
    for _ in 0..count {
        open.push(raw.transport.connect(addr(1)).await.expect("somebody there"));
        tokio::task::yield_now().await;
    }
    open
}

/// Asks for all members by stream; how long that takes.
async fn answered(raw: &Raw) -> Duration {
    let since = Instant::now();
    let (_, answers) = raw.ask(1, &[GossipMessage::SyncRequest { from: "raw".into() }]).await;
    assert!(matches!(&answers[..], [GossipMessage::Sync { .. }]), "{answers:?}");
    since.elapsed()
}

#[tokio::test(start_paused = true)]
async fn members_are_served_at_once_when_strangers_hold_their_places() {
    let network = network();
    let agent = spawn(&network, 1).await;
    let member = Raw::new(&network, 90);
    member.introduce("raw", 1).await;
    alive(&agent, 2).await;
    let strangers: Vec<_> = (91..96).map(|number| Raw::new(&network, number)).collect();
    let mut held = Vec::new();
    for stranger in &strangers {
        held.extend(silent(stranger, 30).await);
    }
    assert!(answered(&member).await < SECOND / 10);
    let honest = Raw::new(&network, 97);
    let waited = answered(&honest).await;
    assert!(waited < 3 * SECOND, "a stranger waits for those who say nothing: {waited:?}");
}

/// Keeps so many streams open that say nothing, whatever is closed.
async fn besiege(raw: Raw, count: usize) {
    let mut held = Vec::new();
    loop {
        held.retain_mut(|stream: &mut MemoryStream| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let mut room = [0];
            let mut room = tokio::io::ReadBuf::new(&mut room);
            let reading = std::pin::Pin::new(stream);
            tokio::io::AsyncRead::poll_read(reading, &mut context, &mut room).is_pending()
        });
        held.extend(silent(&raw, count - held.len()).await);
        sleep(SECOND / 20).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_mad_host_of_members_keeps_no_newcomer_out() {
    let network = network();
    let mut agents = cluster(&network, 2).await;
    // Something else on the host of the second one.
    let beside = Raw::at(&network, SocketAddr::new(addr(2).ip(), 9_999));
    let mad = tokio::spawn(besiege(beside, 224));
    sleep(3 * SECOND).await;
    for number in 91..95 {
        let waited = answered(&Raw::new(&network, number)).await;
        assert!(waited < SECOND / 10, "{waited:?}");
    }
    let since = Instant::now();
    agents.push(spawn(&network, 3).await);
    alive(&agents[0], 3).await;
    assert!(since.elapsed() < SECOND, "{:?}", since.elapsed());
    mad.abort();
}

#[tokio::test(start_paused = true)]
async fn strangers_that_hold_all_places_make_way_for_others() {
    let network = network();
    let agent = spawn(&network, 1).await;
    // Each of them has said how long its packet is, and says no more.
    let mad: Vec<_> = (91..94).map(|number| Raw::new(&network, number)).collect();
    let mut held = Vec::new();
    for raw in &mad {
        for mut stream in silent(raw, 40).await {
            stream.write_all(&[0, 0, 3, 0]).await.unwrap();
            held.push(stream);
        }
    }
    for number in 95..98 {
        let waited = answered(&Raw::new(&network, number)).await;
        assert!(waited < 2 * SECOND, "{waited:?}");
    }
    assert!(counters(&agent).await.streams_dropped < 10);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_of_many_hosts_is_served_and_nobody_closed() {
    let network = network();
    let agent = spawn(&network, 1).await;
    let mut crowd = Vec::new();
    // More than are served and wait here, and fewer than can wait in the transport besides.
    for number in 0..350_u16 {
        let [high, low] = number.to_be_bytes();
        let raw = Raw::at(&network, ([10, 1, high, low], 7946).into());
        crowd.push((silent(&raw, 1).await, raw));
    }
    let mut served = 0;
    for (mut streams, raw) in crowd {
        let packet = raw.packet(&[GossipMessage::SyncRequest { from: "raw".into() }]);
        let stream = &mut streams[0];
        stream.write_all(&(packet.len() as u32).to_be_bytes()).await.unwrap();
        stream.write_all(&packet).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        served += usize::from(!answer.is_empty());
    }
    assert_eq!((served, counters(&agent).await.streams_dropped), (350, 0));
}

#[tokio::test(start_paused = true)]
async fn who_opens_streams_faster_than_anybody_needs_is_closed_unserved() {
    let network = network();
    let agent = spawn(&network, 1).await;
    let (mad, other) = (Raw::new(&network, 99), Raw::new(&network, 98));
    let mut served = 0;
    for _ in 0..300 {
        let packet = mad.packet(&[GossipMessage::SyncRequest { from: "mad".into() }]);
        let mut stream = mad.transport.connect(addr(1)).await.unwrap();
        // It may have been closed already.
        let _ = stream.write_all(&(packet.len() as u32).to_be_bytes()).await;
        let _ = stream.write_all(&packet).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        served += u64::from(!answer.is_empty());
    }
    assert_eq!((served, counters(&agent).await.streams_dropped), (101, 199));
    assert!(answered(&other).await < SECOND / 10);
}

#[tokio::test(start_paused = true)]
async fn many_who_start_at_once_behind_one_address_get_in() {
    let network = network();
    let seed = spawn(&network, 1).await;
    let mut agents = Vec::new();
    for number in 0..120 {
        let at = SocketAddr::from(([10, 0, 0, 2], 1_000 + number));
        let options = options(number.into());
        let agent = Agent::builder().name(format!("m{number}")).options(options);
        let transport = network.bind(at).expect("a free address");
        agents.push(agent.transport(transport).join([SEED]).spawn().await.unwrap());
    }
    let since = Instant::now();
    alive(&seed, 121).await;
    assert!(since.elapsed() < 20 * SECOND, "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_writes_a_byte_a_second_is_ended() {
    let network = network();
    let agent = spawn(&network, 1).await;
    let raw = Raw::new(&network, 99);
    // Slow from the first byte on, and slow from the first byte after the length on.
    for (said, ended) in [(vec![], 2), (vec![0, 0, 3, 0], 5)] {
        let before = counters(&agent).await.streams_failed;
        let mut stream = raw.transport.connect(addr(1)).await.unwrap();
        stream.write_all(&said).await.unwrap();
        let since = Instant::now();
        while stream.write_all(&[0]).await.is_ok() && since.elapsed() < PATIENCE {
            sleep(SECOND).await;
        }
        let took = since.elapsed();
        assert!(took <= (ended + 1) * SECOND, "{took:?}");
        assert_eq!(counters(&agent).await.streams_failed, before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_a_byte_a_second_is_ended() {
    let network = network();
    // Of its own accord it opens no stream that could fail.
    let mut quiet = options(1);
    quiet.gossip.base.probe_interval = 600_000;
    let agent = builder(&network, 1).options(quiet).spawn().await.unwrap();
    let raw = Raw::new(&network, 99);
    for part in crowd(20_000).chunks(5_000) {
        raw.ask(1, &[GossipMessage::Sync { members: part.to_vec() }]).await;
    }
    let packet = raw.packet(&[GossipMessage::SyncRequest { from: "raw".into() }]);
    let mut stream = raw.transport.connect(addr(1)).await.unwrap();
    stream.write_all(&(packet.len() as u32).to_be_bytes()).await.unwrap();
    stream.write_all(&packet).await.unwrap();
    let since = Instant::now();
    let before = counters(&agent).await.streams_failed;
    while counters(&agent).await.streams_failed == before && since.elapsed() < PATIENCE {
        stream.read_exact(&mut [0]).await.unwrap();
        sleep(SECOND).await;
    }
    let took = since.elapsed();
    assert!((19 * SECOND..=22 * SECOND).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_seed_that_answers_a_byte_a_second_is_given_up() {
    let network = network();
    let agent = spawn(&network, 1).await;
    let slow = Raw::new(&network, 99);
    let trickle = tokio::spawn(async move {
        let (mut stream, _) = slow.transport.accept().await.unwrap();
        stream.write_all(&[0, 0, 3, 0]).await.unwrap();
        let mut sent = 0;
        while stream.write_all(&[0]).await.is_ok() {
            sent += 1;
            sleep(SECOND).await;
        }
        sent
    });
    let error = agent.join(vec![addr(99).to_string()]).await.unwrap_err();
    assert!(error.to_string().contains("10.0.0.99"), "{error}");
    let sent = trickle.await.unwrap();
    assert!((19..=22).contains(&sent), "ended after {sent} s");
    assert!(counters(&agent).await.streams_failed > 0);
}

/// On loopback, where each address is a host of its own.
fn on(host: [u8; 2], name: &str) -> swim_agent::AgentBuilder {
    let bind = SocketAddr::from(([127, 43, host[0], host[1]], 0));
    Agent::builder().name(name).bind(bind).options(Options::local())
}

async fn all_alive(agents: &[Handle]) {
    for agent in agents {
        let mut watch = agent.watch();
        let all = |members: &swim_agent::Members| members.count(MemberState::Alive) == agents.len();
        let waiting = tokio::time::timeout(PATIENCE, watch.wait_for(all)).await;
        waiting.expect("everybody in time").expect("running");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mad_host_keeps_nobody_out_by_datagrams_or_streams() {
    let first = on([1, 1], "a").spawn().await.unwrap();
    let (at, seed) = (first.local_addr(), first.local_addr().to_string());
    let mut agents = vec![first, on([1, 2], "b").join([seed.clone()]).spawn().await.unwrap()];
    all_alive(&agents).await;
    let over = Arc::new(AtomicBool::new(false));
    let flood = std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let socket = UdpSocket::bind("127.43.9.9:0").unwrap();
            while !over.load(Relaxed) {
                // Lost where the buffer is full.
                let _ = socket.send_to(b"what is no packet at all", at);
            }
        }
    });
    let mut held = Vec::new();
    for host in [9, 10, 11, 12] {
        for _ in 0..40 {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from(([127, 43, 9, host], 0))).unwrap();
            held.push(socket.connect(at).await.unwrap());
        }
    }
    agents.push(on([1, 3], "c").join([seed]).spawn().await.unwrap());
    all_alive(&agents).await;
    let counted = async {
        while agents[0].info().await.unwrap().counters.stranger_datagrams_dropped < 1_000 {
            sleep(SECOND / 50).await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("the flood is counted");
    over.store(true, Relaxed);
    flood.join().unwrap();
    all_alive(&agents).await;
}
