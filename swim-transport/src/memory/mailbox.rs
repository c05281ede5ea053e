//! A bounded queue with any number of waiting readers, each of which may give up at any time.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

#[derive(Debug)]
pub(super) struct Mailbox<T> {
    items: Mutex<VecDeque<T>>,
    arrived: Notify,
    capacity: usize,
}

impl<T> Mailbox<T> {
    /// Memory grows with use, not with `capacity`.
    pub(super) fn new(capacity: usize) -> Self {
        Self { items: Mutex::default(), arrived: Notify::new(), capacity }
    }

    /// Appends `item`, or hands it back when the queue is full.
    pub(super) fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() >= self.capacity {
            return Err(item);
        }
        items.push_back(item);
        drop(items);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes the oldest item, waiting for one. Cancel safe: it is taken in the poll that returns
    /// it, and a wake-up that a cancelled reader did not use goes to the next (so promises
    /// [`Notify`]).
    pub(super) async fn pop(&self) -> T {
        // Nothing below waits while there are items, so without this a reader under a flood would
        // never let other tasks of its thread run.
        tokio::task::consume_budget().await;
        loop {
            // A push between the look and the wait leaves a permit, which ends the wait at once.
            if let Some(item) = self.take() {
                return item;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Option<T> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
