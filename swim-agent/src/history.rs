//! What an agent remembers of its members: accusations, refutations, deaths, moves, and by which ways
//! it probed in vain.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::contact::StreamContact;
use crate::event::Event;

/// Something that an agent noticed of a member; from [`Handle::history`](crate::Handle::history).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incident {
    /// Something happened to it. What metadata it changed is not remembered.
    Event(Event),
    /// This agent itself got no answer of it.
    ProbeFailed(FailedProbe),
}

/// By which ways an agent tried in vain to get an answer of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedProbe {
    /// Who was probed.
    pub name: String,
    /// When the agent gave up, by its own clock.
    pub time: SystemTime,
    /// How long before that each ping by datagram left, the first one first.
    pub pings: Vec<Duration>,
    /// How long before that others were asked to try, and a ping went by stream.
    pub asked: Duration,
    /// The relays: members that were asked to try.
    pub relays: Vec<RelayReport>,
    /// How the stream went, if one was tried and told something until then.
    pub stream: Option<StreamContact>,
    /// Whether a ping went by stream too.
    pub by_stream: bool,
    /// Whether nobody at all was heard meanwhile: then it says more of this agent than of the member.
    pub silence: bool,
    /// When the agent gave up, on a clock that nobody sets.
    pub(crate) moment: Instant,
}

/// What a relay said of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayReport {
    /// The relay.
    pub name: String,
    /// Whether it said in time that it has no answer either (a nack); else it said nothing.
    pub nacked: bool,
}

impl Incident {
    /// Of whom it is.
    pub fn name(&self) -> &str {
        match self {
            Self::Event(event) => &event.name,
            Self::ProbeFailed(probe) => &probe.name,
        }
    }

    /// When it was noticed, by this node's clock.
    pub fn time(&self) -> SystemTime {
        match self {
            Self::Event(event) => event.time,
            Self::ProbeFailed(probe) => probe.time,
        }
    }

    /// How long ago that was, whatever was done to this node's clock since.
    pub fn age(&self) -> Duration {
        match self {
            Self::Event(event) => event.age(),
            Self::ProbeFailed(probe) => probe.moment.elapsed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_age_is_time_that_passed_whatever_the_clock_was_set_to() {
        let probe = Incident::ProbeFailed(FailedProbe {
            name: "a".to_owned(),
            // Long before the clock was set.
            time: SystemTime::UNIX_EPOCH,
            pings: Vec::new(),
            asked: Duration::ZERO,
            relays: Vec::new(),
            stream: None,
            by_stream: false,
            silence: false,
            moment: Instant::now(),
        });
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(probe.age(), Duration::from_secs(5));
    }
}
