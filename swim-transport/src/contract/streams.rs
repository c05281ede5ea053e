//! Claims about streams.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{deliver, poll_once, within};
use crate::transport::Transport;

/// The two ends of a new stream: the one `from` opened and the one `to` accepted.
async fn open<T: Transport>(claim: &str, from: &T, to: &T) -> (T::Stream, T::Stream) {
    let (near, far) =
        within(claim, async { tokio::join!(from.connect(to.local_addr()), to.accept()) }).await;
    let near =
        near.unwrap_or_else(|error| panic!("{claim}: connect to a bound transport: {error}"));
    let (far, _) = far.unwrap_or_else(|error| panic!("{claim}: accept: {error}"));
    (near, far)
}

/// What is written at either end is read at the other.
pub async fn stream_carries_bytes_both_ways<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "stream_carries_bytes_both_ways";
    let (a, b) = (make().await, make().await);
    let (mut near, mut far) = open(claim, &a, &b).await;
    let exchange = async {
        let mut buf = [0; 4];
        near.write_all(b"ping").await?;
        near.flush().await?;
        far.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"ping", "{claim}");
        far.write_all(b"pong").await?;
        far.flush().await?;
        near.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"pong", "{claim}");
        io::Result::Ok(())
    };
    within(claim, exchange).await.expect("an open stream reads and writes without error");
}

/// A megabyte in each direction at the same time, far more than any buffer, arrives byte for byte.
pub async fn large_transfers_cross_whole<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "large_transfers_cross_whole";
    let (a, b) = (make().await, make().await);
    let (near, far) = open(claim, &a, &b).await;
    let (mut near_read, mut near_write) = tokio::io::split(near);
    let (mut far_read, mut far_write) = tokio::io::split(far);
    let forth: Vec<u8> = (0..1_000_003_u32).map(|i| (i % 251) as u8).collect();
    let back: Vec<u8> = forth.iter().rev().copied().collect();
    let (mut at_far, mut at_near) = (Vec::new(), Vec::new());
    let exchange = async {
        tokio::try_join!(
            async {
                near_write.write_all(&forth).await?;
                near_write.shutdown().await
            },
            async {
                far_write.write_all(&back).await?;
                far_write.shutdown().await
            },
            far_read.read_to_end(&mut at_far),
            near_read.read_to_end(&mut at_near),
        )
    };
    within(claim, exchange).await.expect("an open stream reads and writes without error");
    assert!(at_far == forth && at_near == back, "{claim}: bytes differ");
}

/// After one end shut down its writing, the other reads to the end and can still answer.
pub async fn half_close_leaves_the_other_half_open<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "half_close_leaves_the_other_half_open";
    let (a, b) = (make().await, make().await);
    let (mut near, mut far) = open(claim, &a, &b).await;
    let exchange = async {
        let mut text = Vec::new();
        near.write_all(b"question").await?;
        near.shutdown().await?;
        far.read_to_end(&mut text).await?;
        assert_eq!(text, b"question", "{claim}");
        far.write_all(b"answer").await?;
        far.shutdown().await?;
        text.clear();
        near.read_to_end(&mut text).await?;
        assert_eq!(text, b"answer", "{claim}");
        io::Result::Ok(())
    };
    within(claim, exchange).await.expect("a half closed stream reads and writes without error");
}

/// A peer that drops its end leaves a reader with an end or an error, not with an endless wait.
pub async fn dropped_stream_ends_the_reader<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "dropped_stream_ends_the_reader";
    let (a, b) = (make().await, make().await);
    let (near, mut far) = open(claim, &a, &b).await;
    drop(near);
    let read = within(claim, far.read(&mut [0; 8])).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{claim}: read {read:?}");
}

/// Where no transport is bound any more, `connect` fails, and soon.
pub async fn connect_to_nobody_fails<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "connect_to_nobody_fails";
    let a = make().await;
    // On a busy machine somebody else may get the freed port at once; not three times in a row.
    for _ in 0..3 {
        let nobody = make().await.local_addr();
        if within(claim, a.connect(nobody)).await.is_err() {
            return;
        }
    }
    panic!("{claim}: streams to dropped transports were opened");
}

/// An accept dropped before it is ready has taken no stream: each stream is accepted by whoever
/// asks next.
pub async fn accept_is_cancel_safe<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "accept_is_cancel_safe";
    let (a, b) = (make().await, make().await);
    for _ in 0..20 {
        assert!(poll_once(b.accept()).is_none(), "{claim}: nobody has connected yet");
        let accept = async {
            // Dropped while the stream is on its way, and after it arrived.
            for _ in 0..5 {
                if let Some(accepted) = poll_once(b.accept()) {
                    return accepted;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            b.accept().await
        };
        let (near, far) =
            within(claim, async { tokio::join!(a.connect(b.local_addr()), accept) }).await;
        near.and(far).unwrap_or_else(|error| panic!("{claim}: {error}"));
    }
}

/// The address an accepted stream came from has the IP the peer is bound to.
///
/// Peers bound to a wildcard have no such IP; make transports of one address for this suite.
pub async fn accept_reports_the_ip_of_the_peer<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "accept_reports_the_ip_of_the_peer";
    let (a, b) = (make().await, make().await);
    let (near, accepted) =
        within(claim, async { tokio::join!(a.connect(b.local_addr()), b.accept()) }).await;
    let (_near, (_far, from)) =
        (near.expect("nothing stands in the way"), accepted.expect("a stream waits"));
    assert_eq!(from.ip(), a.local_addr().ip(), "{claim}");
}

/// Streams between the same two transports do not mix, and datagrams pass beside them.
pub async fn many_streams_at_once<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "many_streams_at_once";
    let (a, b) = (make().await, make().await);
    let mut streams = Vec::new();
    for id in 0..16_u8 {
        let (mut near, far) = open(claim, &a, &b).await;
        within(claim, near.write_all(&[id; 100]))
            .await
            .expect("an open stream writes without error");
        within(claim, near.flush()).await.expect("an open stream flushes without error");
        streams.push((id, near, far));
    }
    deliver(claim, &a, &b, b"beside the streams", &mut BytesMut::new()).await;
    for (id, _near, far) in streams.iter_mut().rev() {
        let mut bytes = [0; 100];
        within(claim, far.read_exact(&mut bytes))
            .await
            .expect("an open stream reads without error");
        assert_eq!(bytes, [*id; 100], "{claim}");
    }
}

/// One transport, shared by reference count, receives, accepts and connects in tasks of their own.
pub async fn shared_transport_serves_many_tasks<T: Transport>(make: impl AsyncFn() -> T) {
    let claim = "shared_transport_serves_many_tasks";
    let (a, b) = (Arc::new(make().await), Arc::new(make().await));
    let receiver = tokio::spawn({
        let b = Arc::clone(&b);
        async move { b.recv_from(&mut BytesMut::new()).await }
    });
    let acceptor = tokio::spawn({
        let b = Arc::clone(&b);
        async move { b.accept().await.map(|_| ()) }
    });
    let to = b.local_addr();
    let connector = tokio::spawn({
        let a = Arc::clone(&a);
        async move { a.connect(to).await.map(|_| ()) }
    });
    let sent = async {
        while !receiver.is_finished() {
            a.send_to(to, b"hello").expect("a transport in use sends without error");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(claim, sent).await;
    let done = within(claim, async { tokio::join!(receiver, acceptor, connector) }).await;
    let (received, accepted, connected) =
        (done.0.expect("no panic"), done.1.expect("no panic"), done.2.expect("no panic"));
    assert_eq!(received.expect("a datagram"), a.local_addr(), "{claim}");
    accepted.and(connected).unwrap_or_else(|error| panic!("{claim}: {error}"));
}
