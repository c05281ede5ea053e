//! The last events of an agent, in one ring that all its readers share.
//!
//! A reader is a position in the ring, so what came before it was opened and what comes later are
//! one sequence: nothing is lost or told twice where they meet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::event::{EventStream, StreamItem};

/// Events kept.
const KEPT: usize = EventStream::KEPT;
/// Bytes kept of what they carry: all events of the usual size, and a few of the greatest.
const KEPT_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
struct Ring {
    items: VecDeque<Arc<StreamItem>>,
    /// Bytes of what they carry.
    bytes: usize,
    /// How many came before them.
    first: u64,
}

impl Ring {
    /// The position of the next event.
    fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    fn push(&mut self, item: StreamItem) {
        self.bytes += carried(&item);
        self.items.push_back(Arc::new(item));
        while self.items.len() > KEPT || (self.bytes > KEPT_BYTES && self.items.len() > 1) {
            let Some(oldest) = self.items.pop_front() else { return };
            self.bytes -= carried(&oldest);
            self.first += 1;
        }
    }
}

/// Bytes that may be many: payloads, and metadata that changed.
fn carried(item: &StreamItem) -> usize {
    match item {
        StreamItem::User(event) | StreamItem::Query(event) => event.payload.len(),
        StreamItem::Event(event) => {
            let len = |(key, value): (&String, &Option<String>)| {
                key.len() + value.as_ref().map_or(0, String::len)
            };
            event.changed.iter().map(len).sum()
        }
        StreamItem::Missed(_) => 0,
    }
}

/// Puts events into the ring; when it is dropped, readers come to an end.
#[derive(Debug)]
pub(crate) struct Writer {
    ring: Arc<Mutex<Ring>>,
    end: watch::Sender<u64>,
}

impl Writer {
    /// A ring without events.
    pub(crate) fn new() -> Self {
        Self { ring: Arc::default(), end: watch::Sender::new(0) }
    }

    /// Who can read it; does not keep it open.
    pub(crate) fn log(&self) -> EventLog {
        EventLog { ring: Arc::clone(&self.ring), end: self.end.subscribe() }
    }

    /// Adds an event and wakes readers. O(1) but for waking.
    pub(crate) fn push(&self, item: StreamItem) {
        let end = {
            let mut ring = lock(&self.ring);
            ring.push(item);
            ring.end()
        };
        self.end.send_replace(end);
    }
}

/// The ring, to be read.
#[derive(Debug, Clone)]
pub(crate) struct EventLog {
    ring: Arc<Mutex<Ring>>,
    end: watch::Receiver<u64>,
}

impl EventLog {
    /// Where the last `most` events begin, or all that are kept if those are fewer.
    pub(crate) fn before_end(&self, most: usize) -> u64 {
        let ring = lock(&self.ring);
        ring.end() - ring.items.len().min(most) as u64
    }

    /// The next position, if it is not beyond the end.
    pub(crate) fn clamp(&self, position: u64) -> u64 {
        position.min(lock(&self.ring).end())
    }

    /// What is at `position`, and the position after it. Where the ring has lost it, how many it has
    /// lost from there on. O(1).
    pub(crate) fn read(&self, position: u64) -> Option<(StreamItem, u64)> {
        let ring = lock(&self.ring);
        let Some(index) = position.checked_sub(ring.first) else {
            return Some((StreamItem::Missed(ring.first - position), ring.first));
        };
        let item = Arc::clone(ring.items.get(usize::try_from(index).ok()?)?);
        // Copied without the lock.
        drop(ring);
        Some((Arc::unwrap_or_clone(item), position + 1))
    }

    /// Waits until something is at `position`; whether it will ever be. Cancel safe.
    pub(crate) async fn reaches(&mut self, position: u64) -> bool {
        self.end.wait_for(|end| *end > position).await.is_ok()
    }
}

/// Nobody panics while they hold it.
fn lock(ring: &Mutex<Ring>) -> MutexGuard<'_, Ring> {
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    use swim_core::{EventKind, MemberState, Reason};
    use tokio::time::Instant;

    use super::*;
    use crate::event::{Event, UserEvent};

    /// A member that changed its metadata.
    fn updated(changed: BTreeMap<String, Option<String>>) -> StreamItem {
        let state = Some(MemberState::Alive);
        StreamItem::Event(Event {
            kind: EventKind::Updated,
            name: "a".to_owned(),
            address: ([127, 0, 0, 1], 7946).into(),
            old_address: None,
            old_state: state,
            state,
            incarnation: 1,
            by: None,
            reason: Reason::OwnWord,
            changed,
            time: SystemTime::UNIX_EPOCH,
            moment: Instant::now(),
        })
    }

    fn event(ltime: u64, len: usize) -> StreamItem {
        let (name, origin) = ("e".to_owned(), "a".to_owned());
        let time = SystemTime::UNIX_EPOCH;
        StreamItem::User(UserEvent { name, payload: vec![0; len], origin, ltime, time })
    }

    fn filled(count: u64, len: usize) -> (Writer, EventLog) {
        let writer = Writer::new();
        let log = writer.log();
        (0..count).for_each(|ltime| writer.push(event(ltime, len)));
        (writer, log)
    }

    /// What a reader who starts at `position` reads until nothing is left.
    fn read(log: &EventLog, mut position: u64) -> Vec<StreamItem> {
        let mut items = Vec::new();
        while let Some((item, next)) = log.read(position) {
            items.push(item);
            position = next;
        }
        items
    }

    #[test]
    fn the_last_events_are_kept_and_what_was_lost_is_counted() {
        let (_writer, log) = filled(600, 1);
        let all = read(&log, 0);
        assert_eq!(all.len(), 1 + KEPT);
        assert_eq!(all[0], StreamItem::Missed(88));
        assert_eq!(all[1], event(88, 1));
        assert_eq!(all[512], event(599, 1));
        assert_eq!(log.before_end(10_000), 88);
    }

    #[test]
    fn a_backlog_is_the_end_of_what_is_kept() {
        let (_writer, log) = filled(5, 1);
        assert_eq!(read(&log, log.before_end(2)), [event(3, 1), event(4, 1)]);
        assert_eq!(read(&log, log.before_end(0)), []);
        assert_eq!(read(&log, log.before_end(9)).len(), 5);
        assert_eq!(log.clamp(77), 5, "nothing is promised of a position that is none");
    }

    #[test]
    fn great_payloads_are_bounded_in_bytes_and_the_latest_one_stays() {
        let (writer, log) = filled(100, 64 * 1024);
        assert_eq!(read(&log, log.before_end(KEPT)).len(), 64);
        writer.push(event(100, 2 * KEPT_BYTES));
        assert_eq!(read(&log, log.before_end(KEPT)).len(), 1);
        writer.push(event(101, 1));
        assert_eq!(read(&log, log.before_end(KEPT)), [event(101, 1)]);
        assert_eq!(lock(&writer.ring).bytes, 1);
    }

    #[test]
    fn what_members_changed_is_bounded_in_bytes_too() {
        let writer = Writer::new();
        let log = writer.log();
        let value = || Some("v".repeat(32 * 1024 - 5));
        let update = || updated([("k".to_owned(), value()), ("gone".to_owned(), None)].into());
        (0..KEPT).for_each(|_| writer.push(update()));
        assert_eq!(read(&log, log.before_end(KEPT)).len(), KEPT_BYTES / (32 * 1024));
    }

    #[tokio::test]
    async fn readers_read_to_the_end_after_the_writer_has_gone() {
        let (writer, mut log) = filled(2, 1);
        drop(writer);
        assert!(log.reaches(1).await);
        assert!(!log.reaches(2).await);
    }
}
