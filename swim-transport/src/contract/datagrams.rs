//! Claims about datagrams.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::BytesMut;

use super::{RESEND_PAUSE, RESENDS, deliver, deliver_among, poll_once, receive};
use crate::transport::Transport;

/// The port of [`local_addr`](Transport::local_addr) is real and no other transport's, also when 0
/// was asked for.
pub async fn local_addr_is_real<T: Transport>(make: impl AsyncFn() -> T) {
    let (a, b) = (make().await, make().await);
    assert_ne!(a.local_addr().port(), 0, "local_addr_is_real: port 0 was resolved");
    assert_ne!(a.local_addr(), b.local_addr(), "local_addr_is_real: two transports, two addresses");
    assert_eq!(a.local_addr(), a.local_addr(), "local_addr_is_real: it does not change");
}

/// Datagrams of one byte, of a usual size and of the largest size arrive byte for byte, with the
/// sender's address.
pub async fn datagram_arrives_whole<T: Transport>(make: impl AsyncFn() -> T) {
    let (a, b) = (make().await, make().await);
    let mut buf = BytesMut::new();
    for size in [1, 1200.min(a.max_datagram()), a.max_datagram()] {
        let datagram: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        deliver("datagram_arrives_whole", &a, &b, &datagram, &mut buf).await;
        deliver("datagram_arrives_whole", &b, &a, &datagram, &mut buf).await;
    }
}

/// A datagram without bytes arrives empty or is lost; it neither ends nor breaks the reception.
pub async fn empty_datagram_is_harmless<T: Transport>(make: impl AsyncFn() -> T) {
    let (a, b) = (make().await, make().await);
    a.send_to(b.local_addr(), &[]).expect("empty_datagram_is_harmless: sending it is no error");
    deliver("empty_datagram_is_harmless", &a, &b, b"after the empty one", &mut BytesMut::new())
        .await;
}

/// What the buffer held before is gone, and a shorter datagram after a longer one has no tail of
/// it.
pub async fn received_buffer_is_cleared_first<T: Transport>(make: impl AsyncFn() -> T) {
    let (a, b) = (make().await, make().await);
    let mut buf = BytesMut::from(&b"left over from before"[..]);
    let sent = [&b"a long datagram"[..], b"short"];
    for datagram in sent {
        deliver_among("received_buffer_is_cleared_first", &a, &b, datagram, &mut buf, &sent).await;
    }
}

/// A caller may split a datagram off the buffer and keep it: the next one does not overwrite it.
pub async fn buffer_split_off_keeps_its_bytes<T: Transport>(make: impl AsyncFn() -> T) {
    let (a, b) = (make().await, make().await);
    let mut buf = BytesMut::new();
    deliver("buffer_split_off_keeps_its_bytes", &a, &b, b"first", &mut buf).await;
    let first = buf.split().freeze();
    deliver("buffer_split_off_keeps_its_bytes", &a, &b, b"second", &mut buf).await;
    assert_eq!(
        (&first[..], &buf[..]),
        (&b"first"[..], &b"second"[..]),
        "buffer_split_off_keeps_its_bytes"
    );
}

/// One byte too many is [`InvalidInput`](io::ErrorKind::InvalidInput), the text names both sizes,
/// and the transport works on.
pub async fn oversize_datagram_is_refused_with_both_sizes<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "oversize_datagram_is_refused_with_both_sizes";
    let (a, b) = (make().await, make().await);
    let max = a.max_datagram();
    let Err(error) = a.send_to(b.local_addr(), &vec![0; max + 1]) else {
        panic!("{claim}: {} bytes were accepted", max + 1);
    };
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{claim}");
    let text = error.to_string();
    assert!(
        text.contains(&max.to_string()) && text.contains(&(max + 1).to_string()),
        "{claim}: {text}"
    );
    deliver(claim, &a, &b, b"still well", &mut BytesMut::new()).await;
}

/// Sending where nobody is bound is loss, not an error, and neither that send nor a report of it
/// that comes back later disturbs sending or receiving.
pub async fn send_to_nobody_is_not_an_error<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "send_to_nobody_is_not_an_error";
    let (a, b) = (make().await, make().await);
    let nobody = make().await.local_addr();
    let mut buf = BytesMut::new();
    for _ in 0..20 {
        assert!(a.send_to(nobody, b"anybody there?").is_ok(), "{claim}");
    }
    deliver(claim, &a, &b, b"still sends", &mut buf).await;
    deliver(claim, &b, &a, b"still receives", &mut buf).await;
}

/// An address nobody can have (port 0, the other address family), as a hostile peer may claim one,
/// is loss too.
pub async fn send_to_impossible_address_is_not_an_error<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "send_to_impossible_address_is_not_an_error";
    let (a, b) = (make().await, make().await);
    let port = b.local_addr().port();
    let impossible = [
        SocketAddr::new(b.local_addr().ip(), 0),
        match b.local_addr() {
            SocketAddr::V4(_) => (Ipv6Addr::LOCALHOST, port).into(),
            SocketAddr::V6(_) => (Ipv4Addr::LOCALHOST, port).into(),
        },
    ];
    for to in impossible {
        if let Err(error) = a.send_to(to, b"anybody there?") {
            panic!("{claim}: {to}: {error}");
        }
    }
    deliver(claim, &a, &b, b"still well", &mut BytesMut::new()).await;
}

/// A receive dropped before it is ready has taken nothing: each datagram is received by whoever
/// asks next.
pub async fn recv_is_cancel_safe<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "recv_is_cancel_safe";
    let (a, b) = (make().await, make().await);
    let mut buf = BytesMut::new();
    for round in 0..50_u8 {
        // The first is dropped while nothing is there, the second and third while the datagram is
        // on its way.
        let mut received = poll_once(b.recv_from(&mut buf)).is_some();
        assert!(!received, "{claim}: nothing was sent yet in round {round}, but {buf:?} arrived");
        a.send_to(b.local_addr(), &[round]).expect("a transport in use sends without error");
        for _ in 0..2 {
            received = received || poll_once(b.recv_from(&mut buf)).is_some();
            tokio::task::yield_now().await;
        }
        if !received {
            receive(claim, &b, &mut buf, |_| true).await;
        }
        assert_eq!(&buf[..], [round], "{claim}");
    }
}

/// Datagrams of many senders reach one receiver, each under its sender's address and in none of the
/// others'.
pub async fn many_senders_one_receiver<T: Transport>(make: impl AsyncFn() -> T) {
    const SENDERS: u8 = 8;
    let claim = "many_senders_one_receiver";
    let receiver = make().await;
    let mut senders = Vec::new();
    for _ in 0..SENDERS {
        senders.push(make().await);
    }
    let mut buf = BytesMut::new();
    for round in 0..16_u8 {
        let mut heard = BTreeMap::new();
        for _ in 0..RESENDS {
            for (id, sender) in (0..).zip(&senders).filter(|(id, _)| !heard.contains_key(id)) {
                let datagram: [u8; 2] = [id, round];
                sender
                    .send_to(receiver.local_addr(), &datagram)
                    .expect("a transport in use sends without error");
            }
            let collect = async {
                while heard.len() < senders.len() {
                    let wanted = |got: &[u8]| got.len() == 2 && got[1] == round;
                    let from = receive(claim, &receiver, &mut buf, wanted).await;
                    heard.insert(buf[0], from);
                }
            };
            if tokio::time::timeout(RESEND_PAUSE, collect).await.is_ok() {
                break;
            }
        }
        for (id, sender) in (0..).zip(&senders) {
            assert_eq!(heard.get(&id), Some(&sender.local_addr()), "{claim}: sender {id}");
        }
    }
}

/// Many times what any queue holds can be sent to a receiver that does not receive: no send waits
/// or fails, and when the receiver comes back, it works off what was kept and hears new datagrams.
pub async fn flood_is_lost_and_leaves_the_receiver_well<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "flood_is_lost_and_leaves_the_receiver_well";
    let (a, b) = (make().await, make().await);
    let datagram = vec![1; 1000.min(a.max_datagram())];
    for _ in 0..10_000 {
        assert!(a.send_to(b.local_addr(), &datagram).is_ok(), "{claim}");
    }
    deliver(claim, &a, &b, b"after the flood", &mut BytesMut::new()).await;
}
