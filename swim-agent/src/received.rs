//! Queries of others that are for this agent, and who answers them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use swim_core::{Decline, UserQuery};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use crate::counters::Meter;
use crate::driver::{Command, Incoming};
use crate::error::Stopped;
use crate::event::UserEvent;
use crate::query::Query;

/// What every receiver of a query shares.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) id: u64,
    pub(crate) query: Arc<UserQuery>,
    pub(crate) event: UserEvent,
    pub(crate) until: Instant,
    /// Whether nothing more is to be said: it was answered or declined.
    pub(crate) settled: AtomicBool,
    /// Whether a stream has handed it out.
    pub(crate) taken: AtomicBool,
    /// The weightiest reason of those who gave it up.
    pub(crate) given_up: AtomicU8,
    pub(crate) commands: mpsc::WeakSender<Command>,
    pub(crate) meter: Arc<Meter>,
}

impl Heard {
    pub(crate) fn new(
        incoming: Incoming,
        event: UserEvent,
        ends: (mpsc::WeakSender<Command>, Arc<Meter>),
    ) -> Self {
        let Incoming { id, query, .. } = incoming;
        let until = Instant::now() + query.timeout.min(Query::MAX_TIMEOUT);
        let (commands, meter) = ends;
        let (settled, taken, given_up) = Default::default();
        Self { id, query, event, until, settled, taken, given_up, commands, meter }
    }

    /// Why it is declined, now that all who had it have let it go.
    fn why(&self) -> Decline {
        match self.given_up.load(Relaxed) {
            // Dropped from a full stream, or with the stream.
            0 if !self.taken.load(Relaxed) => Decline::Busy,
            weight => REASONS[usize::from(weight)],
        }
    }
}

/// Reasons to decline, by weight.
const REASONS: [Decline; 3] = [Decline::NoHandler, Decline::Busy, Decline::Failed];

/// The last one who had it let it go: who asked must not wait for an answer.
impl Drop for Heard {
    fn drop(&mut self) {
        if *self.settled.get_mut() || self.until <= Instant::now() {
            return;
        }
        let Some(commands) = self.commands.upgrade() else { return };
        let (id, query, why) = (self.id, Arc::clone(&self.query), self.why());
        if commands.try_send(Command::Decline { id, query, why }).is_err() {
            self.meter.declines_dropped.one();
        }
    }
}

/// A query for this agent, to be answered or not.
///
/// When the last clone of it in the program is dropped and nobody has answered, who asked is told so,
/// and waits no longer; keep it while an answer may come.
#[derive(Debug, Clone)]
pub struct ReceivedQuery {
    pub(crate) heard: Arc<Heard>,
}

impl ReceivedQuery {
    /// What is asked, by whom and when.
    pub fn event(&self) -> &UserEvent {
        &self.heard.event
    }

    /// How much time is left to answer.
    pub fn time_left(&self) -> Duration {
        self.heard.until.saturating_duration_since(Instant::now())
    }

    /// Answers it, once for the whole agent. That the answer arrives is not promised. Who stops waiting
    /// for this has answered or not, and may try again: a second answer is refused.
    ///
    /// # Errors
    /// It was answered already, it is too late, the payload is too large, or the agent has ended.
    /// Nothing was sent, and an answer that is smaller may follow one that was too large.
    pub async fn respond(&self, payload: impl Into<Vec<u8>>) -> Result<(), RespondError> {
        self.is_open()?;
        let (heard, payload) = (Arc::clone(&self.heard), payload.into());
        let commands = heard.commands.upgrade().ok_or(Stopped)?;
        // It is settled when there is room, not before: who gives up waiting for that has not answered.
        let room = commands.reserve_owned().await.map_err(|_| Stopped)?;
        self.is_open()?;
        heard.settled.store(true, Relaxed);
        let (reply, answer) = oneshot::channel();
        drop(room.send(Command::Respond { heard, payload, reply }));
        answer.await.map_err(|_| Stopped)?.map_err(RespondError::Refused)
    }

    /// Whether it can be answered still.
    fn is_open(&self) -> Result<(), RespondError> {
        if self.heard.until <= Instant::now() {
            return Err(RespondError::Late);
        }
        match self.heard.settled.load(Relaxed) {
            true => Err(RespondError::Answered),
            false => Ok(()),
        }
    }

    /// Gives it up for this reason; dropping it is the same as [`Decline::NoHandler`]. Who asked is told when
    /// all others in the program have let it go too, unless one of them answers, and hears the
    /// weightiest of their reasons: failed, then busy, then none.
    pub fn decline(self, why: Decline) {
        let weight = REASONS.iter().position(|&reason| reason == why).unwrap_or_default();
        self.heard.given_up.fetch_max(weight as u8, Relaxed);
    }
}

/// Why an answer was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// Somebody in this program has answered already.
    #[error("the query was answered already")]
    Answered,
    /// The time-out has passed.
    #[error("the query's time-out has passed")]
    Late,
    /// The payload is too large; the error names both sizes.
    #[error(transparent)]
    Refused(swim_core::EventError),
    /// The agent has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// One item of a [`QueryStream`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum QueryItem {
    /// A query for this agent.
    Query(ReceivedQuery),
    /// So many queries were lost, because this consumer was too slow.
    Missed(u64),
}

/// The queries for this agent; from [`Handle::queries`](crate::Handle::queries). Each comes once to
/// each stream; the last 128 are kept.
#[derive(Debug)]
pub struct QueryStream {
    pub(crate) receiver: broadcast::Receiver<Arc<Heard>>,
}

impl QueryStream {
    /// Queries kept for slow consumers, all of them together.
    pub(crate) const KEPT: usize = 128;

    /// Waits for the next query; `None` when the agent has ended and all are read. Cancel safe.
    pub async fn next(&mut self) -> Option<QueryItem> {
        match self.receiver.recv().await {
            Ok(heard) => {
                heard.taken.store(true, Relaxed);
                Some(QueryItem::Query(ReceivedQuery { heard }))
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(QueryItem::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use swim_core::EventError;

    use super::*;

    fn heard(commands: &mpsc::Sender<Command>) -> Arc<Heard> {
        let query = Arc::new(UserQuery::new("q"));
        let event = UserEvent {
            name: query.name.clone(),
            payload: Vec::new(),
            origin: "a".to_owned(),
            ltime: 1,
            time: std::time::SystemTime::UNIX_EPOCH,
        };
        let incoming = Incoming { id: 1, query, ltime: 1 };
        Arc::new(Heard::new(incoming, event, (commands.downgrade(), Arc::default())))
    }

    /// Answers the next answer as the driver would.
    async fn answer(received: &mut mpsc::Receiver<Command>, result: Result<(), EventError>) {
        let Some(Command::Respond { reply, .. }) = received.recv().await else {
            panic!("no answer")
        };
        let _ = reply.send(result);
    }

    #[tokio::test]
    async fn an_answer_that_found_no_room_may_be_given_again() {
        let (commands, mut received) = mpsc::channel(1);
        let query = ReceivedQuery { heard: heard(&commands) };
        commands.send(Command::Shutdown).await.unwrap();
        tokio::select! {
            biased;
            _ = query.respond("first") => panic!("there is room"),
            () = std::future::ready(()) => {}
        }
        drop(received.recv().await);
        let (answered, ()) = tokio::join!(query.respond("again"), answer(&mut received, Ok(())));
        assert_eq!(answered, Ok(()));
        assert_eq!(query.respond("twice").await, Err(RespondError::Answered));
    }

    #[tokio::test]
    async fn of_two_who_wait_for_room_one_answers() {
        let (commands, mut received) = mpsc::channel(1);
        let query = ReceivedQuery { heard: heard(&commands) };
        commands.send(Command::Shutdown).await.unwrap();
        let make_room = async {
            drop(received.recv().await);
            answer(&mut received, Ok(())).await;
        };
        let (one, other, ()) = tokio::join!(query.respond("1"), query.respond("2"), make_room);
        assert_eq!((one, other), (Ok(()), Err(RespondError::Answered)));
    }
}
