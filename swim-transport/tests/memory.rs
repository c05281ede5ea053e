//! What the network in memory adds to the contract: counts, cuts, bounds.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;

use bytes::BytesMut;
use swim_transport::{BindError, MemoryTransport, Network, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn addr(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 7946))
}

fn pair(network: &Network) -> (MemoryTransport, MemoryTransport) {
    (network.bind(addr(1)).expect("it is free"), network.bind(addr(2)).expect("it is free"))
}

async fn received(transport: &MemoryTransport) -> Vec<u8> {
    let mut buf = BytesMut::new();
    transport.recv_from(&mut buf).await.expect("memory does not fail");
    buf.to_vec()
}

#[tokio::test]
async fn each_direction_is_counted_for_itself() {
    let network = Network::new();
    let (a, b) = pair(&network);
    a.send_to(addr(2), b"four").expect("sent");
    a.send_to(addr(2), b"sixsix").expect("sent");
    b.send_to(addr(1), b"1").expect("sent");

    let (there, back) = (network.traffic(addr(1), addr(2)), network.traffic(addr(2), addr(1)));
    assert_eq!((there.datagrams, there.bytes), (2, 10));
    assert_eq!((back.datagrams, back.bytes), (1, 1));
    assert_eq!(network.traffic(addr(1), addr(3)).datagrams, 0);
    assert_eq!((network.total_traffic().datagrams, network.total_traffic().bytes), (3, 11));
}

#[tokio::test]
async fn stream_bytes_are_counted_for_their_writer() {
    let network = Network::new();
    let (a, b) = pair(&network);
    let mut near = a.connect(addr(2)).await.expect("it is bound");
    let (mut far, from) = b.accept().await.expect("memory does not fail");
    assert_eq!(from, addr(1));
    near.write_all(&[0; 100]).await.expect("the stream is open");
    far.write_all(&[0; 7]).await.expect("the stream is open");

    let (there, back) = (network.traffic(addr(1), addr(2)), network.traffic(addr(2), addr(1)));
    assert_eq!((there.streams, there.stream_bytes), (1, 100));
    assert_eq!((back.streams, back.stream_bytes), (0, 7));
    assert_eq!((there.datagrams, there.bytes), (0, 0));
}

#[tokio::test]
async fn a_cut_loses_datagrams_both_ways_and_healing_ends_it() {
    let network = Network::new();
    let (a, b) = pair(&network);
    network.cut(addr(1), addr(2));
    a.send_to(addr(2), b"lost").expect("loss is no error");
    b.send_to(addr(1), b"lost").expect("loss is no error");
    assert_eq!(network.total_traffic().lost_cut, 2);
    assert_eq!(network.total_traffic().lost(), 2);

    network.heal(addr(1), addr(2));
    a.send_to(addr(2), b"there").expect("sent");
    b.send_to(addr(1), b"back").expect("sent");
    assert_eq!((received(&b).await, received(&a).await), (b"there".to_vec(), b"back".to_vec()));
}

#[tokio::test]
async fn a_one_way_cut_lets_datagrams_back_but_no_stream() {
    let network = Network::new();
    let (a, b) = pair(&network);
    network.cut_one_way(addr(1), addr(2));
    a.send_to(addr(2), b"lost").expect("loss is no error");
    b.send_to(addr(1), b"heard").expect("sent");
    assert_eq!(received(&a).await, b"heard");
    assert_eq!(network.traffic(addr(1), addr(2)).lost_cut, 1);
    for (from, to) in [(&a, addr(2)), (&b, addr(1))] {
        assert_eq!(
            from.connect(to).await.expect_err("half a link").kind(),
            ErrorKind::HostUnreachable
        );
    }
    network.heal_all();
    a.connect(addr(2)).await.expect("the link is whole");
}

#[tokio::test]
async fn a_cut_does_not_touch_other_links_and_survives_a_restart() {
    let network = Network::new();
    let (a, b) = pair(&network);
    let c = network.bind(addr(3)).expect("it is free");
    network.cut(addr(1), addr(2));
    a.send_to(addr(3), b"to c").expect("sent");
    assert_eq!(received(&c).await, b"to c");

    drop(b);
    let _b = network.bind(addr(2)).expect("the address is free again");
    assert_eq!(a.connect(addr(2)).await.expect_err("still cut").kind(), ErrorKind::HostUnreachable);
}

#[tokio::test]
async fn an_open_stream_breaks_at_the_first_write_after_a_cut() {
    let network = Network::new();
    let (a, b) = pair(&network);
    let mut near = a.connect(addr(2)).await.expect("it is bound");
    let (mut far, _) = b.accept().await.expect("memory does not fail");
    near.write_all(b"before").await.expect("the stream is open");
    network.cut_one_way(addr(1), addr(2));
    assert_eq!(near.write_all(b"after").await.expect_err("cut").kind(), ErrorKind::ConnectionReset);
    far.write_all(b"back").await.expect("the other direction is whole");
    drop(near);
    let mut text = Vec::new();
    far.read_to_end(&mut text).await.expect("the other end is gone");
    assert_eq!(text, b"before");
}

#[tokio::test]
async fn a_full_queue_loses_the_newest_and_counts_it() {
    let network = Network::new().with_queue(3);
    let (a, b) = pair(&network);
    for i in 0..5_u8 {
        a.send_to(addr(2), &[i]).expect("loss is no error");
    }
    let there = network.traffic(addr(1), addr(2));
    assert_eq!((there.datagrams, there.lost_full), (3, 2));
    for i in 0..3_u8 {
        assert_eq!(received(&b).await, [i]);
    }
    a.send_to(addr(2), b"room again").expect("sent");
    assert_eq!(received(&b).await, b"room again");
}

#[tokio::test]
async fn a_full_backlog_refuses_streams() {
    let network = Network::new();
    let (a, b) = pair(&network);
    let mut open = Vec::new();
    let error = loop {
        match a.connect(addr(2)).await {
            Ok(stream) => open.push(stream),
            Err(error) => break error,
        }
        assert!(open.len() < 10_000, "the backlog has no bound");
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    b.accept().await.expect("one waits");
    a.connect(addr(2)).await.expect("there is room again");
}

#[tokio::test]
async fn the_mtu_holds_for_transports_bound_under_it() {
    let network = Network::new();
    let wide = network.bind(addr(1)).expect("it is free");
    let narrow = network.clone().with_mtu(1400).bind(addr(2)).expect("it is free");
    assert_eq!((wide.max_datagram(), narrow.max_datagram()), (65_507, 1400));
    let error = narrow.send_to(addr(1), &[0; 1401]).expect_err("one byte too many");
    assert_eq!(
        error.to_string(),
        "datagram of 1401 bytes is larger than the 1400 bytes this transport carries"
    );
    assert_eq!(network.total_traffic(), Network::new().total_traffic(), "nothing was sent or lost");
}

#[tokio::test]
async fn an_address_has_one_owner_until_that_is_dropped() {
    let network = Network::new();
    let first = network.bind(addr(1)).expect("it is free");
    let Err(error) = network.bind(addr(1)) else { panic!("it is taken") };
    assert!(matches!(error, BindError::InUse { addr: taken } if taken == addr(1)));
    drop(first);
    network.bind(addr(1)).expect("it is free again");
    assert_ne!(
        network.bind(SocketAddr::from(([10, 0, 0, 1], 0))).expect("ports left").local_addr().port(),
        0
    );
}

#[tokio::test]
async fn a_dropped_transport_hears_nothing_and_closes_unaccepted_streams() {
    let network = Network::new();
    let (a, b) = pair(&network);
    let mut waiting = a.connect(addr(2)).await.expect("it is bound");
    drop(b);
    assert_eq!(waiting.read(&mut [0; 1]).await.expect("an end, not an error"), 0);
    a.send_to(addr(2), b"anybody there?").expect("loss is no error");
    assert_eq!(network.traffic(addr(1), addr(2)).lost_nobody, 1);
    assert_eq!(a.connect(addr(2)).await.expect_err("unbound").kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn several_receivers_share_the_datagrams_even_when_one_gives_up() {
    let network = Network::new();
    let (a, b) = pair(&network);
    let (mut first_buf, mut second_buf) = (BytesMut::new(), BytesMut::new());
    let mut second = pin!(b.recv_from(&mut second_buf));
    {
        let mut first = pin!(b.recv_from(&mut first_buf));
        tokio::select! {
            biased;
            _ = &mut first => panic!("nothing was sent"),
            _ = &mut second => panic!("nothing was sent"),
            () = tokio::task::yield_now() => {}
        }
        // Wakes the first in line, which then goes away without looking.
        a.send_to(addr(2), b"for whoever is left").expect("sent");
    }
    tokio::time::timeout(std::time::Duration::from_secs(1), second)
        .await
        .expect("the wake-up passed on to the second")
        .expect("memory does not fail");
}
