//! Datagrams that wait for their time, and the task that sends them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::faults::Faults;
use crate::transport::Transport;

/// Copies that wait at a time. Bounds what a long delay under a flood can hold in memory.
const CAPACITY: usize = 4096;

/// The queue of one transport. Its task starts with the first datagram and ends when the queue is
/// dropped.
#[derive(Debug)]
pub(super) struct DelayQueue {
    held: Arc<Held>,
    runtime: Option<Handle>,
    task: OnceLock<AbortHandle>,
}

#[derive(Debug, Default)]
struct Held {
    waiting: Mutex<Waiting>,
    /// Told whenever a datagram becomes the next one due.
    earlier: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By time, then by order of arrival. Ties never reach the datagram: the numbers differ.
    heap: BinaryHeap<Reverse<(Instant, u64, Datagram)>>,
    arrivals: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Datagram {
    to: SocketAddr,
    bytes: Bytes,
}

impl Drop for DelayQueue {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl DelayQueue {
    pub(super) fn new() -> Self {
        Self { held: Arc::default(), runtime: Handle::try_current().ok(), task: OnceLock::new() }
    }

    /// Sends `datagram` over `transport` after `delay`; false when too many wait already.
    pub(super) fn push<T: Transport>(
        &self,
        delay: Duration,
        to: SocketAddr,
        datagram: &[u8],
        transport: &Arc<T>,
        faults: &Faults,
    ) -> io::Result<bool> {
        if self.task.get().is_none() {
            self.start(transport, faults)?;
        }
        let mut waiting = self.held.lock();
        if waiting.heap.len() >= CAPACITY {
            return Ok(false);
        }
        let due = Instant::now() + delay;
        let is_next = waiting.heap.peek().is_none_or(|Reverse((next, _, _))| due < *next);
        let number = waiting.arrivals;
        waiting.arrivals += 1;
        let datagram = Datagram { to, bytes: Bytes::copy_from_slice(datagram) };
        waiting.heap.push(Reverse((due, number, datagram)));
        drop(waiting);
        if is_next {
            self.held.earlier.notify_one();
        }
        Ok(true)
    }

    fn start<T: Transport>(&self, transport: &Arc<T>, faults: &Faults) -> io::Result<()> {
        let runtime = match &self.runtime {
            Some(runtime) => runtime.clone(),
            None => Handle::try_current().map_err(io::Error::other)?,
        };
        self.task.get_or_init(|| {
            let held = Arc::clone(&self.held);
            // Weak, so that the address is free as soon as the transport is dropped, not when the
            // task notices.
            runtime.spawn(run(held, Arc::downgrade(transport), faults.clone())).abort_handle()
        });
        Ok(())
    }
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_due(&self) -> Option<Instant> {
        self.lock().heap.peek().map(|Reverse((due, _, _))| *due)
    }

    fn pop_due(&self, now: Instant) -> Option<Datagram> {
        let mut waiting = self.lock();
        let is_due = waiting.heap.peek().is_some_and(|Reverse((due, _, _))| *due <= now);
        if is_due { waiting.heap.pop().map(|Reverse((_, _, datagram))| datagram) } else { None }
    }
}

/// Sends what is due until the transport is gone.
async fn run<T: Transport>(held: Arc<Held>, transport: Weak<T>, faults: Faults) {
    loop {
        match held.next_due() {
            None => held.earlier.notified().await,
            Some(due) => tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = held.earlier.notified() => {}
            },
        }
        while let Some(datagram) = held.pop_due(Instant::now()) {
            let Some(transport) = transport.upgrade() else { return };
            if !faults.lets_out(datagram.to) {
                continue;
            }
            if let Err(error) = transport.send_to(datagram.to, &datagram.bytes) {
                // Whoever sends next without delay is told.
                tracing::debug!(%error, "a delayed datagram met a broken transport");
            }
        }
    }
}
