//! The thread that writes: the driver hands over what changed and goes on.
//!
//! What waits is kept per member, the latest only, so that a slow disk costs no more memory than
//! the members do.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::error::StateError;
use super::model::{Place, Remembered};
use super::overlay::Overlay;
use super::record::Record;
use super::store::Store;
use crate::counters::Meter;

/// How long members and the clock may be written and not synced.
const SYNC: Duration = Duration::from_secs(5);
/// What comes in a burst is written together: so long after the first, at most.
const BURST: Duration = Duration::from_millis(10);
/// How long to leave a disk alone that refused a write.
const RETRY: Duration = Duration::from_secs(5);
/// How long an agent that ends waits for the disk.
const LAST_WRITE: Duration = Duration::from_secs(5);
/// Members that may wait; a disk that hangs while more names come and go loses the latest ones.
/// Some 20 MB, and several times the largest cluster that was tried.
const WAITING: usize = 100_000;

/// What waits to be written.
#[derive(Debug, Default)]
struct Waiting {
    members: BTreeMap<String, Place>,
    overlay: Option<Overlay>,
    clock: Option<u64>,
    /// Who waits until the overlay is on the disk, or cannot be.
    saved: Vec<oneshot::Sender<()>>,
    /// The agent ends, and who waits for that.
    closing: Option<oneshot::Sender<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

/// The way to the thread; nothing done to it waits for the disk.
#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    meter: Arc<Meter>,
    clock: u64,
}

impl Keeper {
    /// Starts the thread. It ends with the keeper, after it has written what waits.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(store: Store, meter: Arc<Meter>) -> Result<Self, StateError> {
        let shared = Arc::new(Shared::default());
        let (clock, path) = (store.state().clock, store.directory().to_owned());
        let writer = Writer {
            store,
            shared: Arc::clone(&shared),
            meter: Arc::clone(&meter),
            sync_at: None,
            retry_at: None,
        };
        let thread = thread::Builder::new().name("state".to_owned());
        thread.spawn(|| writer.run()).map_err(|source| StateError::Io { path, source })?;
        Ok(Self { shared, meter, clock })
    }

    /// A member lives elsewhere now, or stands otherwise.
    pub(crate) fn member(&self, name: &str, place: Place) {
        let mut waiting = self.shared.lock();
        if waiting.members.len() >= WAITING && !waiting.members.contains_key(name) {
            self.meter.state_dropped.one();
            return;
        }
        waiting.members.insert(name.to_owned(), place);
        self.shared.wake.notify_one();
    }

    /// Metadata was changed at run time; the answer comes when the disk has it or refused it.
    pub(crate) fn overlay(&self, overlay: Overlay) -> oneshot::Receiver<()> {
        let (saved, answer) = oneshot::channel();
        let mut waiting = self.shared.lock();
        waiting.overlay = Some(overlay);
        waiting.saved.retain(|saved| !saved.is_closed());
        waiting.saved.push(saved);
        self.shared.wake.notify_one();
        answer
    }

    /// The clock of user events may have moved on.
    pub(crate) fn clock(&mut self, clock: u64) {
        if clock > self.clock {
            self.clock = clock;
            self.shared.lock().clock = Some(clock);
            self.shared.wake.notify_one();
        }
    }

    /// Waits, for a while, until all is on the disk and the directory is free again.
    pub(crate) async fn close(self) {
        let (closed, answer) = oneshot::channel();
        self.shared.lock().closing = Some(closed);
        self.shared.wake.notify_one();
        if tokio::time::timeout(LAST_WRITE, answer).await.is_err() {
            tracing::warn!("the disk is too slow: the last changes may be lost");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.lock().closing.get_or_insert_with(|| oneshot::channel().0);
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing is done under the lock that could panic.
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// All that waits, as soon as something does or `until` has come.
    fn next(&self, until: Option<Instant>) -> Waiting {
        let mut waiting = self.lock();
        while waiting.is_empty() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            let left = left.unwrap_or(Duration::from_secs(3600));
            let woken = self.wake.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        std::mem::take(&mut waiting)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        let Self { members, overlay, clock, saved, closing } = self;
        let none = overlay.is_none() && clock.is_none() && closing.is_none();
        none && members.is_empty() && saved.is_empty()
    }

    fn take_records(&mut self) -> Vec<Record> {
        let overlay = self.overlay.take().map(Record::Metadata);
        let clock = self.clock.take().map(Record::Clock);
        let members = std::mem::take(&mut self.members).into_iter();
        let members = members.map(|(name, place)| Record::Member(Remembered { name, place }));
        overlay.into_iter().chain(clock).chain(members).collect()
    }
}

/// The thread's own.
struct Writer {
    store: Store,
    shared: Arc<Shared>,
    meter: Arc<Meter>,
    /// When what was written is to be synced.
    sync_at: Option<Instant>,
    /// When to write again, after the disk refused it.
    retry_at: Option<Instant>,
}

impl Writer {
    fn run(mut self) {
        loop {
            let mut waiting = self.shared.next(self.sync_at.into_iter().chain(self.retry_at).min());
            let urgent = waiting.overlay.is_some() || waiting.closing.is_some();
            let records = waiting.take_records();
            self.write(records, waiting.closing.is_some());
            if self.sync_at.is_some_and(|at| urgent || at <= Instant::now()) {
                let synced = self.store.sync();
                self.sync_at = None;
                self.outcome(synced);
            }
            for saved in waiting.saved {
                // An error says that nobody waits any longer.
                let _ = saved.send(());
            }
            if !urgent {
                thread::sleep(BURST);
            }
            if let Some(closed) = waiting.closing {
                // The directory is free before anybody is told.
                drop(self.store);
                let _ = closed.send(());
                return;
            }
        }
    }

    /// Writes, unless the disk refused a moment ago; then what comes is held until it is time.
    fn write(&mut self, records: Vec<Record>, last: bool) {
        if !last && self.retry_at.is_some_and(|at| at > Instant::now()) {
            self.store.hold(records);
            return;
        }
        if records.is_empty() && !self.store.is_broken() {
            return;
        }
        let written = self.store.write(records);
        match written {
            Ok(()) => self.sync_at = self.sync_at.or(Some(Instant::now() + SYNC)),
            Err(_) => self.sync_at = None,
        }
        self.outcome(written);
    }

    /// Counts and tells what the disk refuses: once, and that it is over.
    fn outcome(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) if self.retry_at.take().is_some() => {
                tracing::info!("state is written to the data directory again");
            }
            Ok(()) => {}
            Err(error) => {
                self.meter.state_errors.one();
                if self.retry_at.replace(Instant::now() + RETRY).is_none() {
                    tracing::error!(%error, "state cannot be written to the data directory; trying again");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Standing;

    /// A keeper whose thread hangs in the disk.
    fn stuck() -> Keeper {
        Keeper { shared: Arc::default(), meter: Arc::default(), clock: 0 }
    }

    fn place(since: u64) -> Place {
        let place = Place::dead(([127, 0, 0, 1], 7946).into(), std::time::SystemTime::now());
        Place { since, standing: Standing::Live, ..place }
    }

    #[test]
    fn of_each_thing_the_latest_waits_for_a_disk_that_hangs() {
        let mut keeper = stuck();
        for change in 0..10_000 {
            keeper.member(["a", "b"][change as usize % 2], place(change));
            keeper.clock(change);
            drop(keeper.overlay(Overlay::default()));
        }
        keeper.clock(3);
        let mut waiting = keeper.shared.next(None);
        assert_eq!((waiting.members["b"].since, waiting.clock), (9_999, Some(9_999)));
        assert_eq!(waiting.take_records().len(), 4);
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_lost_counted() {
        let keeper = stuck();
        let names = WAITING + 500;
        (0..names).for_each(|number| keeper.member(&number.to_string(), place(0)));
        keeper.member("0", place(7));
        let waiting = keeper.shared.next(None);
        assert_eq!((waiting.members.len(), waiting.members["0"].since), (WAITING, 7));
        assert_eq!(keeper.meter.read().state_dropped, 500);
    }
}
