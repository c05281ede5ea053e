//! Packets are sealed on their way out and opened on their way in, if the agent has a keyring; and
//! members are asked about their keys.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use swim_core::Decline;
use swim_transport::Transport;
use swim_wire::Codec;
pub(super) use swim_wire::seal::OpenError;
use swim_wire::seal::{self, KeyId, OVERHEAD, Opened, Seal};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::wire::Carrier;
use super::{Driver, Incoming};
use crate::counters::Meter;
use crate::info::SessionCounts;
use crate::keys::Keyholder;
use crate::received::ReceivedQuery;

/// How often at most the log names one key that this agent has not.
const AGAIN: Duration = Duration::from_secs(60);
/// Keys that are named in that time: whoever forges packets has no end of them.
const NAMED: usize = 16;

/// The seal, and what is said of packets that it does not open.
pub(super) struct Sealing {
    seal: Option<Arc<Seal>>,
    meter: Arc<Meter>,
    /// Keys that the log named lately, and when; `None` stands for any, where there is no keyring.
    named: Mutex<Vec<(Option<KeyId>, Instant)>>,
}

impl Sealing {
    pub(super) fn new(keys: Option<&Arc<Keyholder>>, meter: Arc<Meter>) -> Self {
        let seal = keys.map(|keys| Arc::clone(keys.seal()));
        Self { seal, meter, named: Mutex::new(Vec::with_capacity(NAMED)) }
    }

    /// Whether there is a keyring.
    pub(super) fn is_there(&self) -> bool {
        self.seal.is_some()
    }

    /// Bytes that are kept free for sealing, also while nothing is sealed: it may be at any time.
    pub(super) fn overhead(&self) -> usize {
        if self.is_there() { OVERHEAD } else { 0 }
    }

    /// Sessions of others that are remembered.
    pub(super) fn sessions(&self) -> SessionCounts {
        let Some(seal) = &self.seal else { return SessionCounts::default() };
        let [datagrams, streams] = [seal::Carrier::Datagram, seal::Carrier::Stream]
            .map(|carrier| seal.sessions_open(carrier));
        SessionCounts { datagrams, streams }
    }

    /// Seals a packet in its place, if packets are sealed.
    pub(super) fn seal(&self, carrier: Carrier, packet: &mut BytesMut) -> io::Result<()> {
        let Some(seal) = &self.seal else { return Ok(()) };
        seal.seal(carrier.into(), packet).map_err(|error| {
            self.meter.seal_errors.one();
            io::Error::other(error)
        })
    }

    /// Opens a packet in its place; says whether it was sealed.
    pub(super) fn open<'p>(
        &self,
        carrier: Carrier,
        from: SocketAddr,
        packet: &'p mut [u8],
    ) -> Result<(&'p [u8], bool), OpenError> {
        let Some(seal) = &self.seal else { return Ok((packet, false)) };
        match seal.open(carrier.into(), packet) {
            Ok(Opened { packet, key }) => Ok((packet, key.is_some())),
            Err(error) => {
                self.meter.unopened(&error);
                if let OpenError::UnknownKey { id } = error
                    && self.is_news(Some(id))
                {
                    tracing::warn!(%from, "{error}");
                }
                Err(error)
            }
        }
    }

    /// Whether a packet makes no sense because it is sealed and there is no keyring; books that.
    pub(super) fn explains(&self, from: SocketAddr, packet: &[u8]) -> bool {
        let explains = self.seal.is_none() && seal::is_sealed(packet);
        if explains {
            self.meter.refused_sealed.one();
            if self.is_news(None) {
                tracing::warn!(
                    %from,
                    "packet refused: it is sealed, and this agent has no keyring (keyring_file, --keyring-file)"
                );
            }
        }
        explains
    }

    /// Whether the log is to name this key now.
    fn is_news(&self, key: Option<KeyId>) -> bool {
        let now = Instant::now();
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.retain(|(_, at)| now.saturating_duration_since(*at) < AGAIN);
        let is_news = named.len() < NAMED && named.iter().all(|(held, _)| *held != key);
        if is_news {
            named.push((key, now));
        }
        is_news
    }
}

impl From<Carrier> for seal::Carrier {
    fn from(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Datagram => Self::Datagram,
            Carrier::Stream => Self::Stream,
        }
    }
}

impl Meter {
    /// Books a packet that was not opened.
    fn unopened(&self, error: &OpenError) {
        match error {
            OpenError::Plain => &self.refused_plain,
            OpenError::UnknownKey { .. } => &self.refused_key,
            OpenError::Reflected => &self.refused_own,
            OpenError::Replayed { .. } | OpenError::TooOld { .. } => &self.refused_replayed,
            _ => &self.refused_forged,
        }
        .one();
    }
}

impl<T: Transport, C: Codec> Driver<T, C> {
    /// Somebody asks about keys, or wants them changed. That takes a disk, and the driver does not
    /// wait for one.
    pub(super) fn is_asked_for_keys(&mut self, incoming: Incoming) {
        let Some(keys) = self.about.keys.clone() else {
            return self.decline(incoming.id, &incoming.query, Decline::NoHandler);
        };
        let Ok(permit) = Arc::clone(&self.users.matching).try_acquire_owned() else {
            self.meter.queries_dropped.one();
            return self.decline(incoming.id, &incoming.query, Decline::Busy);
        };
        let query = ReceivedQuery { heard: self.users.heard(incoming, &self.meter) };
        let answer = async move {
            let _permit = permit;
            let answer = keys.answer(&query.event().payload, &query.event().origin).await;
            // Who asked sees that nothing came.
            let _ = query.respond(answer).await;
        };
        self.about.runtime.spawn(answer.in_current_span());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_named_once_a_minute_and_no_more_than_some() {
        let sealing = Sealing::new(None, Arc::default());
        let key = |number: u32| Some(format!("{number:08x}").parse().unwrap());
        assert!(sealing.is_news(key(0)) && !sealing.is_news(key(0)));
        let named = (0..1_000).filter(|&number| sealing.is_news(key(number))).count();
        assert_eq!(named, NAMED - 1);
        tokio::time::advance(AGAIN).await;
        assert!(sealing.is_news(key(0)) && sealing.is_news(None));
    }
}
