//! What the memory of sealed packets takes, that an agent keeps so that none is heard twice.
//!
//! It grows with each start of anybody, up to its bound, and is not given back: whoever forgets a session
//! hears its packets again. In a run with thousands of starts that is a part of the heap that must
//! grow, and is told apart from what must not.

use bytes::BytesMut;
use swim_agent::Info;
use swim_agent::keys::{Keyring, Mode};
use swim_wire::seal::{Carrier, Seal};

use crate::sample::heap;

/// Sessions up to which it is known what they take; more than begin in an hour.
const SESSIONS: usize = 16_384;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Bytes that so many sessions take, of one carrier.
#[derive(Debug)]
pub(crate) struct Replay(Vec<usize>);

impl Replay {
    /// Has a member hear one packet each of many others, and watches the heap. Nobody else may run.
    pub(crate) fn measure(ring: Option<&Keyring>) -> Result<Self, Error> {
        let Some(ring) = ring else { return Ok(Self(Vec::new())) };
        let seal = || Seal::new("soak", ring.clone(), Mode::Require);
        let hears = seal()?;
        let (mut bytes, mut packet) = (Vec::with_capacity(SESSIONS + 1), BytesMut::new());
        packet.reserve(256);
        let before = heap();
        bytes.push(0);
        for _ in 0..SESSIONS {
            packet.clear();
            packet.extend_from_slice(b"packet");
            seal()?.seal(Carrier::Datagram, &mut packet)?;
            hears.open(Carrier::Datagram, &mut packet)?;
            bytes.push(heap().saturating_sub(before));
        }
        Ok(Self(bytes))
    }

    /// Bytes that all these agents take for it.
    pub(crate) fn of(&self, infos: &[Info]) -> usize {
        let of = |sessions: usize| self.0.get(sessions).or(self.0.last()).copied().unwrap_or(0);
        infos.iter().map(|info| of(info.sessions.datagrams) + of(info.sessions.streams)).sum()
    }
}
