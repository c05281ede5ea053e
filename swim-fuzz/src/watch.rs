//! A clock that shows what it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use swim_core::{Clock, GossipAction, GossipProtocol};

/// Time as one node has it. Clones are the same clock.
#[derive(Clone)]
pub(crate) struct Watch {
    origin: Instant,
    micros: Arc<AtomicU64>,
}

impl Clock for Watch {
    fn now(&self) -> Instant {
        self.origin + self.shown()
    }
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), micros: Arc::default() }
    }

    /// How long it has gone.
    pub(crate) fn shown(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    pub(crate) fn advance(&self, micros: u64) {
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// As no clock should, and some do.
    pub(crate) fn set_back(&self, micros: u64) {
        let earlier = self.micros.load(Ordering::Relaxed).saturating_sub(micros);
        self.micros.store(earlier, Ordering::Relaxed);
    }

    /// When it shows this, something is due.
    pub(crate) fn due(&self, node: &GossipProtocol) -> Option<Duration> {
        node.next_timeout().map(|due| due.saturating_duration_since(self.origin))
    }

    /// What a driver does: sleep until something is due.
    pub(crate) fn wake(&self, node: &mut GossipProtocol) -> Vec<GossipAction> {
        if let Some(due) = self.due(node) {
            let rest = due.saturating_sub(self.shown()).as_micros();
            self.advance(u64::try_from(rest).unwrap_or(0));
        }
        node.handle_timeout(self.now())
    }
}
