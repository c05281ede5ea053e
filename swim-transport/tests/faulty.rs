//! What faults do, and that a seed repeats them.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use swim_transport::{Faults, Faulty, MemoryTransport, NetTransport, Network, Transport};
use tokio::time::{Instant, timeout};

const MS: Duration = Duration::from_millis(1);

fn addr(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 7946))
}

/// A sender with faults at 10.0.0.1 and a plain receiver at 10.0.0.2.
fn pair(seed: u64) -> (Faulty<MemoryTransport>, MemoryTransport) {
    let network = Network::new().with_queue(20_000);
    let sender = network.bind(addr(1)).expect("it is free");
    (Faulty::new(sender, seed), network.bind(addr(2)).expect("it is free"))
}

fn send(sender: &impl Transport, number: u32) {
    sender.send_to(addr(2), &number.to_be_bytes()).expect("faults are no errors");
}

/// The numbers that arrive until nothing did for two hours of virtual time, with their time of
/// arrival.
async fn arrivals(receiver: &MemoryTransport) -> Vec<(u32, Duration)> {
    let start = Instant::now();
    let mut buf = BytesMut::new();
    let mut heard = Vec::new();
    while timeout(Duration::from_secs(7200), receiver.recv_from(&mut buf)).await.is_ok() {
        let number = u32::from_be_bytes(buf[..].try_into().expect("four bytes were sent"));
        heard.push((number, start.elapsed()));
    }
    heard
}

async fn numbers(receiver: &MemoryTransport) -> Vec<u32> {
    arrivals(receiver).await.into_iter().map(|(number, _)| number).collect()
}

/// What arrives, and when, of 500 datagrams sent two milliseconds apart under these faults.
async fn run(seed: u64, set: impl FnOnce(&Faults)) -> Vec<(u32, Duration)> {
    let (sender, receiver) = pair(seed);
    set(&sender.faults());
    let task = tokio::spawn(async move {
        for number in 0..500 {
            send(&sender, number);
            tokio::time::sleep(2 * MS).await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let heard = arrivals(&receiver).await;
    task.await.expect("sending does not panic");
    heard
}

fn everything(faults: &Faults) {
    faults.set_loss(0.2);
    faults.set_duplication(0.1);
    faults.set_reordering(0.1, 15 * MS);
    faults.set_delay(MS..=4 * MS);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_makes_the_same_faults_at_the_same_time() {
    let first = run(42, everything).await;
    assert_eq!(first, run(42, everything).await);
    assert_ne!(first, run(43, everything).await);
}

#[tokio::test(start_paused = true)]
async fn loss_takes_its_share_and_counts_it() {
    let (sender, receiver) = pair(1);
    sender.faults().set_loss(0.25);
    (0..10_000).for_each(|number| send(&sender, number));
    let (heard, stats) = (numbers(&receiver).await.len() as u64, sender.faults().stats());
    assert_eq!((stats.passed, stats.lost), (heard, 10_000 - heard));
    assert!((2_300..2_700).contains(&stats.lost), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn faults_change_while_the_transport_is_in_use() {
    let (sender, receiver) = pair(1);
    let faults = sender.faults();
    send(&sender, 0);
    faults.set_loss(1.0);
    send(&sender, 1);
    faults.clear();
    send(&sender, 2);
    assert_eq!(numbers(&receiver).await, [0, 2]);
    faults.set_loss(f64::NAN);
    send(&sender, 3);
    faults.set_loss(7.0);
    send(&sender, 4);
    assert_eq!(numbers(&receiver).await, [3]);
}

#[tokio::test(start_paused = true)]
async fn duplicates_arrive_twice() {
    let (sender, receiver) = pair(1);
    sender.faults().set_duplication(1.0);
    (0..3).for_each(|number| send(&sender, number));
    assert_eq!(numbers(&receiver).await, [0, 0, 1, 1, 2, 2]);
    assert_eq!((sender.faults().stats().duplicated, sender.faults().stats().passed), (3, 6));
}

#[tokio::test(start_paused = true)]
async fn delay_stays_in_its_range() {
    let (sender, receiver) = pair(1);
    sender.faults().set_delay(10 * MS..=20 * MS);
    (0..1000).for_each(|number| send(&sender, number));
    let heard = arrivals(&receiver).await;
    assert_eq!(heard.len(), 1000);
    // A timer may fire up to a millisecond late, never early.
    assert!(heard.iter().all(|(_, at)| (10 * MS..=21 * MS).contains(at)), "{heard:?}");
    let (first, last) = (heard.first().expect("a thousand").1, heard.last().expect("a thousand").1);
    assert!(first <= 11 * MS && last >= 19 * MS, "the range is used: {first:?} to {last:?}");
    assert_eq!(sender.faults().stats().delayed, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_constant_delay_keeps_the_order() {
    let (sender, receiver) = pair(1);
    sender.faults().set_delay(5 * MS..=5 * MS);
    (0..100).for_each(|number| send(&sender, number));
    assert_eq!(numbers(&receiver).await, (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_short_delay_overtakes_a_long_one_that_waits() {
    let (sender, receiver) = pair(1);
    let faults = sender.faults();
    // An hour at most, whatever is asked.
    faults.set_delay(Duration::from_secs(100)..=Duration::MAX);
    send(&sender, 0);
    tokio::task::yield_now().await; // the task is asleep by now
    faults.set_delay(5 * MS..=MS); // ends before it starts: the start alone
    send(&sender, 1);
    let heard = arrivals(&receiver).await;
    assert_eq!(heard.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 0]);
    assert!(heard[0].1 <= 6 * MS && heard[1].1 <= Duration::from_secs(3601), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reordered_datagram_is_overtaken_and_arrives() {
    let heard = run(5, |faults| faults.set_reordering(0.2, 5 * MS)).await;
    let numbers: Vec<_> = heard.into_iter().map(|(number, _)| number).collect();
    let sorted: Vec<_> = (0..500).collect();
    assert_ne!(numbers, sorted);
    let mut again = numbers.clone();
    again.sort_unstable();
    assert_eq!(again, sorted, "nothing was lost or doubled");
    // Held for the time of two to three sends: nothing is displaced further.
    assert!(numbers.iter().enumerate().all(|(at, number)| at.abs_diff(*number as usize) <= 3));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_bounded() {
    let (sender, receiver) = pair(1);
    sender.faults().set_delay(MS..=MS);
    (0..5_000).for_each(|number| send(&sender, number));
    assert_eq!(sender.faults().stats().overflowed, 5_000 - 4_096);
    assert_eq!(numbers(&receiver).await.len(), 4_096);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_transport_sends_nothing_more_and_frees_its_address() {
    let network = Network::new();
    let sender = Faulty::new(network.bind(addr(1)).expect("it is free"), 1);
    let receiver = network.bind(addr(2)).expect("it is free");
    sender.faults().set_delay(MS..=MS);
    send(&sender, 0);
    tokio::task::yield_now().await;
    drop(sender);
    network.bind(addr(1)).expect("free at once, though the task has not run since");
    assert!(numbers(&receiver).await.is_empty());
    assert_eq!(
        tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        0,
        "the task has ended"
    );
}

#[test]
fn outside_of_a_runtime_only_a_delay_is_an_error() {
    let (sender, _receiver) = pair(1);
    send(&sender, 0);
    sender.faults().set_delay(MS..=MS);
    sender.send_to(addr(2), b"late").expect_err("nobody could send it later");
}

#[tokio::test(start_paused = true)]
async fn a_partition_cuts_both_directions_and_heals() {
    let (a, b) = pair(1);
    let faults = a.faults();
    let mut buf = BytesMut::new();
    faults.block(addr(2));
    send(&a, 0);
    b.send_to(addr(1), b"dropped").expect("sent");
    assert!(timeout(MS, a.recv_from(&mut buf)).await.is_err(), "{buf:?} came through");
    assert_eq!((faults.stats().blocked_out, faults.stats().blocked_in), (1, 1));

    faults.unblock(addr(2));
    send(&a, 1);
    b.send_to(addr(1), b"heard").expect("sent");
    assert_eq!(a.recv_from(&mut buf).await.expect("memory does not fail"), addr(2));
    assert_eq!(&buf[..], b"heard");
    assert_eq!(numbers(&b).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_one_way_block_leaves_the_other_way() {
    let (a, b) = pair(1);
    let mut buf = BytesMut::new();
    a.faults().block_to(addr(2));
    send(&a, 0);
    b.send_to(addr(1), b"heard").expect("sent");
    a.recv_from(&mut buf).await.expect("memory does not fail");

    a.faults().unblock(addr(2));
    a.faults().block_from(addr(2));
    send(&a, 1);
    b.send_to(addr(1), b"dropped").expect("sent");
    assert!(timeout(MS, a.recv_from(&mut buf)).await.is_err());
    assert_eq!(numbers(&b).await, [1]);
    a.connect(addr(2)).await.expect_err("a stream needs both directions");
}

#[tokio::test(start_paused = true)]
async fn streams_to_and_from_blocked_peers_are_cut_off() {
    let (a, b) = pair(1);
    a.faults().block(addr(2));
    assert_eq!(a.connect(addr(2)).await.expect_err("blocked").kind(), ErrorKind::HostUnreachable);
    let _unseen = b.connect(addr(1)).await.expect("the network itself is whole");
    assert!(timeout(MS, a.accept()).await.is_err());
    assert_eq!(a.faults().stats().blocked_streams, 2);

    a.faults().unblock_all();
    a.connect(addr(2)).await.expect("unblocked");
    let _seen = b.connect(addr(1)).await.expect("unblocked");
    assert_eq!(a.accept().await.expect("a stream waits").1, addr(2));
}

#[tokio::test(start_paused = true)]
async fn block_all_isolates_and_spares_nobody() {
    let (a, b) = pair(1);
    let faults = a.faults();
    faults.block_all();
    faults.unblock(addr(2)); // not that easily
    send(&a, 0);
    a.connect(addr(2)).await.expect_err("isolated");
    faults.unblock_all();
    send(&a, 1);
    assert_eq!(numbers(&b).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_datagram_to_a_peer_blocked_meanwhile_is_dropped() {
    let (a, b) = pair(1);
    a.faults().set_delay(10 * MS..=10 * MS);
    send(&a, 0);
    tokio::time::sleep(5 * MS).await;
    a.faults().block(addr(2));
    assert!(numbers(&b).await.is_empty());
    assert_eq!((a.faults().stats().blocked_out, a.faults().stats().passed), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_partition_does_not_shift_the_faults_after_it() {
    let heard_late = async |blocked: bool| {
        let (sender, receiver) = pair(9);
        sender.faults().set_loss(0.5);
        if blocked {
            sender.faults().block(addr(2));
        }
        (0..100).for_each(|number| send(&sender, number));
        sender.faults().unblock_all();
        (100..200).for_each(|number| send(&sender, number));
        numbers(&receiver).await.into_iter().filter(|number| *number >= 100).collect::<Vec<_>>()
    };
    assert_eq!(heard_late(false).await, heard_late(true).await);
}

#[tokio::test]
async fn over_tcp_a_blocked_ip_is_recognised_by_its_streams() {
    let loopback = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 0);
    let bind = || NetTransport::bind(loopback).expect("a free port");
    let (a, b) = (Faulty::new(bind(), 1), bind());
    a.faults().block_ip(loopback.ip());
    let _unseen = b.connect(a.local_addr()).await.expect("the kernel accepts");
    let accept = async {
        while a.faults().stats().blocked_streams == 0 {
            let accepted = timeout(10 * MS, a.accept()).await;
            assert!(accepted.is_err(), "a blocked stream was accepted");
        }
    };
    timeout(Duration::from_secs(20), accept).await.expect("the stream arrives and is dropped");
    a.faults().unblock_ip(loopback.ip());
    let _seen = b.connect(a.local_addr()).await.expect("the kernel accepts");
    timeout(Duration::from_secs(20), a.accept()).await.expect("in time").expect("accepting works");
}
