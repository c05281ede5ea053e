//! What only real sockets can show. Everything stays on the loopback interface.

#[path = "../../swim-agent/tests/common/skip.rs"]
mod skip;

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use bytes::BytesMut;
use skip::skipped;
use swim_transport::{BindError, NetTransport, Protocol, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Limit of every wait; generous, since the machine may be slow and shared.
const PATIENCE: Duration = Duration::from_secs(20);

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("a literal address")
}

fn bind(text: &str) -> NetTransport {
    NetTransport::bind(addr(text)).expect("the loopback interface has a free port")
}

/// A port that is free for both. One that is free for UDP alone may belong to a TCP connection that
/// lingers.
fn free_port() -> SocketAddr {
    bind("127.0.0.1:0").local_addr()
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens within the limit")
}

#[tokio::test]
async fn udp_and_tcp_share_one_port() {
    let transport = bind("127.0.0.1:0");
    let local = transport.local_addr();
    assert_eq!(UdpSocket::bind(local).expect_err("UDP is bound").kind(), io::ErrorKind::AddrInUse);
    assert_eq!(
        TcpListener::bind(local).expect_err("TCP is bound").kind(),
        io::ErrorKind::AddrInUse
    );
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn streams_leave_from_the_bound_address_as_datagrams_do() {
    let [a, b, any] = ["127.40.8.1:0", "127.40.8.2:0", "0.0.0.0:0"].map(bind);
    let _near = within(b.connect(a.local_addr())).await.expect("it listens");
    let (_far, from) = within(a.accept()).await.expect("a stream");
    assert_eq!(from.ip(), b.local_addr().ip());
    // Elsewhere the system knows better.
    let _near = within(any.connect(a.local_addr())).await.expect("it listens");
    let (_far, from) = within(a.accept()).await.expect("a stream");
    assert!(from.ip().is_loopback(), "{from}");
}

#[tokio::test]
async fn a_taken_port_is_refused_by_protocol_and_address() {
    let taken = free_port();
    let _udp = UdpSocket::bind(taken).expect("it is free");
    let Err(error) = NetTransport::bind(taken) else { panic!("{taken} is in use") };
    assert!(
        matches!(error, BindError::Socket { protocol: Protocol::Udp, addr, .. } if addr == taken)
    );
    assert!(error.to_string().starts_with(&format!("cannot bind UDP on {taken}: ")), "{error}");
    assert!(error.source().is_some());

    let taken = free_port();
    let _tcp = TcpListener::bind(taken).expect("it is free");
    let Err(error) = NetTransport::bind(taken) else { panic!("{taken} is in use") };
    assert!(
        matches!(error, BindError::Socket { protocol: Protocol::Tcp, addr, .. } if addr == taken)
    );
}

#[tokio::test]
async fn a_failed_bind_leaves_nothing_bound() {
    let local = free_port();
    let _udp = UdpSocket::bind(local).expect("it is free");
    NetTransport::bind(local).expect_err("UDP is taken");
    TcpListener::bind(local).expect("TCP was given back");
}

#[tokio::test]
async fn a_foreign_address_is_refused_without_trying_ports() {
    // 192.0.2.0/24 is for documentation; no machine has it.
    let Err(error) = NetTransport::bind(addr("192.0.2.1:0")) else {
        panic!("the address is not ours")
    };
    let BindError::Socket { addr: refused, source, .. } = &error else { panic!("{error}") };
    assert_eq!(*refused, addr("192.0.2.1:0"));
    assert_eq!(source.kind(), io::ErrorKind::AddrNotAvailable);
}

#[test]
fn outside_of_a_runtime_binding_is_an_error() {
    let Err(error) = NetTransport::bind(addr("127.0.0.1:0")) else { panic!("there is no runtime") };
    assert_eq!(error.to_string(), "cannot bind 127.0.0.1:0 outside of a Tokio runtime");
}

#[tokio::test]
async fn a_dropped_transport_gives_its_port_back() {
    let (first, peer) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let local = first.local_addr();
    // With a stream that lingers in TIME_WAIT on the port, as after a restart in the middle of a
    // sync.
    let (near, accepted) =
        within(async { tokio::join!(peer.connect(local), first.accept()) }).await;
    drop(accepted);
    drop(near);
    drop(first);
    let second = NetTransport::bind(local).expect("the port is free again");
    assert_eq!(second.local_addr(), local);
}

#[tokio::test]
async fn the_first_datagram_is_not_lost() {
    // Sent before the reactor had a chance to see the socket.
    let (a, b) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    a.send_to(b.local_addr(), b"first").expect("sending works");
    let mut buf = BytesMut::new();
    within(b.recv_from(&mut buf)).await.expect("receiving works");
    assert_eq!(&buf[..], b"first");
}

#[tokio::test]
async fn a_backlog_is_worked_off_in_order_after_a_pause() {
    // What a process finds when it was stopped for a while: datagrams and streams of the time
    // between.
    let (a, b) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    for i in 0..100_u8 {
        a.send_to(b.local_addr(), &[i]).expect("sending works");
    }
    let mut near = within(a.connect(b.local_addr())).await.expect("the kernel accepts");
    near.write_all(b"waiting").await.expect("the stream is open");
    near.shutdown().await.expect("the stream is open");
    drop(near);

    let mut buf = BytesMut::new();
    for i in 0..100_u8 {
        within(b.recv_from(&mut buf)).await.expect("receiving works");
        assert_eq!(&buf[..], [i]);
    }
    let (mut far, _) = within(b.accept()).await.expect("accepting works");
    let mut text = Vec::new();
    within(far.read_to_end(&mut text)).await.expect("the stream was closed properly");
    assert_eq!(text, b"waiting");
}

#[tokio::test]
async fn streams_do_not_wait_to_fill_a_segment() {
    let (a, b) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let (near, far) = within(async { tokio::join!(a.connect(b.local_addr()), b.accept()) }).await;
    assert!(near.expect("connected").nodelay().expect("it is open"));
    assert!(far.expect("accepted").0.nodelay().expect("it is open"));
}

#[tokio::test]
async fn what_crossed_is_counted() {
    let (a, b) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let mut buf = BytesMut::new();
    for datagram in [&b"one"[..], b"three"] {
        a.send_to(b.local_addr(), datagram).expect("sending works");
        within(b.recv_from(&mut buf)).await.expect("receiving works");
    }
    let ends = within(async { tokio::join!(a.connect(b.local_addr()), b.accept()) }).await;
    let (sent, received) = (a.stats(), b.stats());
    assert_eq!((sent.datagrams_sent, sent.bytes_sent, sent.streams_connected), (2, 8, 1));
    assert_eq!(
        (received.datagrams_received, received.bytes_received, received.streams_accepted),
        (2, 8, 1)
    );
    assert_eq!((sent.lost(), received.lost()), (0, 0));
    drop(ends);
}

#[tokio::test]
async fn what_is_lost_is_counted_by_reason() {
    let a = bind("127.0.0.1:0");
    a.send_to(addr("[::1]:7946"), b"another family").expect("loss is no error");
    assert_eq!(a.stats().lost_unreachable, 1);
    a.send_to(addr("127.0.0.1:0"), b"port 0").expect("loss is no error");
    assert_eq!((a.stats().lost(), a.stats().datagrams_sent), (2, 0));
    a.send_to(a.local_addr(), &vec![0; 65_508]).expect_err("too large for UDP");
    assert_eq!((a.stats().lost(), a.stats().datagrams_sent), (2, 0));
}

#[tokio::test]
async fn a_used_buffer_is_received_into_again() {
    let (a, b) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let mut buf = BytesMut::new();
    let mut at = None;
    for _ in 0..10 {
        a.send_to(b.local_addr(), b"hello").expect("sending works");
        within(b.recv_from(&mut buf)).await.expect("receiving works");
        assert_eq!(*at.get_or_insert(buf.as_ptr()), buf.as_ptr(), "the buffer was allocated anew");
    }
}

#[tokio::test]
async fn a_wildcard_ipv6_transport_speaks_ipv4_under_plain_addresses() {
    let Ok(both) = NetTransport::bind(addr("[::]:0")) else {
        skipped("this machine has no IPv6");
        return;
    };
    let v4 = bind("127.0.0.1:0");
    let both_by_v4 = SocketAddr::new(addr("127.0.0.1:0").ip(), both.local_addr().port());
    let mut buf = BytesMut::new();

    v4.send_to(both_by_v4, b"question").expect("sending works");
    let from = within(both.recv_from(&mut buf)).await.expect("receiving works");
    assert_eq!(from, v4.local_addr(), "not as ::ffff:127.0.0.1");
    both.send_to(from, b"answer").expect("sending works");
    assert_eq!(within(v4.recv_from(&mut buf)).await.expect("receiving works"), both_by_v4);

    let ends = within(async { tokio::join!(v4.connect(both_by_v4), both.accept()) }).await;
    assert_eq!(ends.1.expect("accepted").1.ip(), v4.local_addr().ip());
    let ends = within(async { tokio::join!(both.connect(v4.local_addr()), v4.accept()) }).await;
    ends.0.expect("connected");
}

#[tokio::test]
async fn an_ipv4_address_written_as_ipv6_is_bound_as_ipv4() {
    let (mapped, plain) = (bind("[::ffff:127.0.0.1]:0"), bind("127.0.0.1:0"));
    assert!(mapped.local_addr().is_ipv4());
    mapped.send_to(plain.local_addr(), b"hello").expect("sending works");
    let from = within(plain.recv_from(&mut BytesMut::new())).await.expect("receiving works");
    assert_eq!(from, mapped.local_addr());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_transports_find_ports_at_the_same_time() {
    let tasks: Vec<_> = (0..64).map(|_| tokio::spawn(async { bind("127.0.0.1:0") })).collect();
    let mut ports = std::collections::BTreeSet::new();
    let mut transports = Vec::new();
    for task in tasks {
        let transport = task.await.expect("binding does not panic");
        assert!(ports.insert(transport.local_addr().port()), "a port was given out twice");
        transports.push(transport);
    }
}
