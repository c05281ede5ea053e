//! The suite every transport passes: what [`Transport`] promises, one function per claim.
//!
//! A transport of your own passes it when [`run_all`] returns. The functions panic on a broken
//! claim, naming it, so they belong in tests. `make` is called for each transport a claim needs;
//! those made by one closure must reach each other, at the address each reports. Every wait has a
//! limit of [`PATIENCE`], so a hang is a failure too. Use real time unless the transport works
//! entirely in memory: with paused time, waiting for a socket looks like idling, and the limits
//! strike at once.
//!
//! ```
//! use swim_transport::{contract, memory::Network};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let network = Network::new();
//! let addr = "10.0.0.1:0".parse().expect("an address");
//! contract::run_all(async || network.bind(addr).expect("a free port")).await;
//! # }
//! ```

pub mod datagrams;
pub mod streams;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;

use crate::transport::Transport;
use datagrams::*;
use streams::*;

/// How long a claim waits for something that ought to happen at once: long enough for the slowest
/// shared machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often a datagram is sent before it counts as undeliverable: any transport may lose some.
const RESENDS: u32 = 200;
const RESEND_PAUSE: Duration = Duration::from_millis(100);

/// Checks every claim, one after the other, each on fresh transports.
///
/// # Panics
///
/// When a claim does not hold.
pub async fn run_all<T: Transport>(make: impl AsyncFn() -> T) {
    let make = &make;
    local_addr_is_real(make).await;
    datagram_arrives_whole(make).await;
    empty_datagram_is_harmless(make).await;
    received_buffer_is_cleared_first(make).await;
    buffer_split_off_keeps_its_bytes(make).await;
    oversize_datagram_is_refused_with_both_sizes(make).await;
    send_to_nobody_is_not_an_error(make).await;
    send_to_impossible_address_is_not_an_error(make).await;
    recv_is_cancel_safe(make).await;
    many_senders_one_receiver(make).await;
    flood_is_lost_and_leaves_the_receiver_well(make).await;
    stream_carries_bytes_both_ways(make).await;
    large_transfers_cross_whole(make).await;
    half_close_leaves_the_other_half_open(make).await;
    dropped_stream_ends_the_reader(make).await;
    connect_to_nobody_fails(make).await;
    accept_is_cancel_safe(make).await;
    accept_reports_the_ip_of_the_peer(make).await;
    many_streams_at_once(make).await;
    shared_transport_serves_many_tasks(make).await;
}

/// What `future` yields; panics with `claim` when that takes longer than [`PATIENCE`].
async fn within<F: Future>(claim: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{claim}: nothing happened within {PATIENCE:?}"),
    }
}

/// Receives into `buf` the next datagram that satisfies `wanted`; others, such as late copies, are
/// skipped.
async fn receive<T: Transport>(
    claim: &str,
    transport: &T,
    buf: &mut BytesMut,
    wanted: impl Fn(&[u8]) -> bool,
) -> SocketAddr {
    within(claim, async {
        loop {
            let from =
                transport.recv_from(buf).await.expect("a transport in use receives without error");
            if wanted(buf) {
                return from;
            }
        }
    })
    .await
}

/// Sends `datagram` until `to` has received it, for a claim about what arrives and not about what
/// is lost. Copies may still be on their way afterwards.
async fn deliver<T: Transport>(claim: &str, from: &T, to: &T, datagram: &[u8], buf: &mut BytesMut) {
    deliver_among(claim, from, to, datagram, buf, &[]).await;
}

/// As [`deliver`], and nothing may arrive that is not among `sent`; when that is empty, anything
/// may.
async fn deliver_among<T: Transport>(
    claim: &str,
    from: &T,
    to: &T,
    datagram: &[u8],
    buf: &mut BytesMut,
    sent: &[&[u8]],
) {
    for _ in 0..RESENDS {
        from.send_to(to.local_addr(), datagram).expect("a transport in use sends without error");
        let arrived = receive(claim, to, buf, |got| {
            assert!(sent.is_empty() || sent.contains(&got), "{claim}: nobody sent {got:?}");
            got == datagram
        });
        if let Ok(sender) = tokio::time::timeout(RESEND_PAUSE, arrived).await {
            assert_eq!(
                sender,
                from.local_addr(),
                "{claim}: the sender's address is its local address"
            );
            return;
        }
    }
    panic!("{claim}: {} bytes did not arrive, sent {RESENDS} times", datagram.len());
}

/// The output of `future` if its first poll yields it; the future is dropped either way.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
