//! Authenticated encryption of packets: what a [`Codec`](crate::Codec) wrote is sealed on its way
//! out, and opened before one reads it. Datagrams and frames of streams alike.
//!
//! ```
//! use bytes::BytesMut;
//! use swim_wire::seal::{Algorithm, Carrier, Key, Keyring, Mode, OVERHEAD, OpenError, Seal};
//!
//! let ring = Keyring::new(Key::generate(Algorithm::Aes256Gcm)?);
//! let one = Seal::new("prod", ring.clone(), Mode::Require)?;
//! let other = Seal::new("prod", ring, Mode::Require)?;
//!
//! let mut packet = BytesMut::from(&b"what a codec wrote"[..]);
//! one.seal(Carrier::Datagram, &mut packet)?;
//! assert_eq!(packet.len(), 18 + OVERHEAD);
//!
//! let mut again = packet.clone();
//! assert_eq!(other.open(Carrier::Datagram, &mut packet)?.packet, b"what a codec wrote");
//! let replayed = other.open(Carrier::Datagram, &mut again).unwrap_err();
//! assert_eq!(replayed, OpenError::Replayed { counter: 0 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layout
//!
//! ```text
//! bytes   1        4       10       2        4                   16
//!     | 0x0f | key id | origin | session | counter | content | tag |
//! ```
//!
//! Key id: which key of the ring. Origin: random, of the process. Session: which one of that
//! process. Counter: which packet of that session. The content is encrypted, and authenticated
//! together with all that is before it and with the cluster's name. No plain packet begins with
//! that byte.
//!
//! A session has a key of its own, derived from the ring's. So its counter alone is the nonce, no
//! nonce occurs twice under one key, and nothing has to be kept over a restart.
//!
//! `docs/security.md` says against whom this helps and what it does not promise.

mod cipher;
mod error;
mod header;
mod key;
mod keyring;
mod sender;
mod sessions;
#[cfg(test)]
mod tests;
mod window;
mod wrap;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use bytes::BytesMut;

pub use self::error::{KeyError, KeyringError, OpenError, SealError};
pub use self::header::{OVERHEAD, is_sealed};
pub use self::key::{Algorithm, Key, KeyId};
pub use self::keyring::Keyring;
pub use self::wrap::WRAPPED_LEN;
#[doc(no_inline)]
pub use zeroize::Zeroizing;

use self::header::{Aad, Header, Origin, Sealed};
use self::sender::Sender;
use self::sessions::Sessions;
use crate::codec::CLUSTER_BYTES;

/// What carries a packet. What was sealed for one does not open as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A datagram.
    Datagram,
    /// A frame of a stream.
    Stream,
}

impl Carrier {
    /// What parts the keys derived for the two.
    fn label(self) -> u8 {
        match self {
            Self::Datagram => 1,
            Self::Stream => 2,
        }
    }
}

/// The three steps by which a running cluster comes from plain packets to sealed ones. All members
/// do one before any does the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Sends plain packets and opens both kinds.
    Accept,
    /// Sends sealed packets and opens both kinds.
    Send,
    /// Sends sealed packets and refuses plain ones. Before this step nothing is promised.
    #[default]
    Require,
}

impl Mode {
    /// All, as they follow each other.
    pub const ALL: [Self; 3] = [Self::Accept, Self::Send, Self::Require];

    /// As configurations and agents name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Send => "send",
            Self::Require => "require",
        }
    }
}

/// A packet that may be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened<'p> {
    /// What a codec wrote.
    pub packet: &'p [u8],
    /// What it was sealed with; `None` if it was plain.
    pub key: Option<KeyId>,
}

/// Seals and opens the packets of one node. It is to live as long as the process: a new one has
/// forgotten what came before.
///
/// Any number of threads may use it; they wait for each other while a number is counted or looked
/// up, never while one of them encrypts.
pub struct Seal {
    cluster: String,
    state: RwLock<State>,
    datagrams: Mutex<Sessions>,
    streams: Mutex<Sessions>,
}

struct State {
    ring: Keyring,
    mode: Mode,
    origin: Origin,
    sender: Arc<Sender>,
    /// Sessions of that origin begun so far.
    begun: u32,
}

impl Seal {
    /// For a member of `cluster`, under a name of this process that is drawn now.
    ///
    /// # Errors
    /// [`SealError::ClusterName`] unless the name has 1 to 64 bytes, and [`SealError::Random`].
    pub fn new(cluster: &str, ring: Keyring, mode: Mode) -> Result<Self, SealError> {
        Self::of(Origin::draw()?, cluster, ring, mode)
    }

    fn of(origin: Origin, cluster: &str, ring: Keyring, mode: Mode) -> Result<Self, SealError> {
        let (len, max) = (cluster.len(), CLUSTER_BYTES);
        if len == 0 || len > max {
            return Err(SealError::ClusterName { len, max });
        }
        let sender = Arc::new(Sender::new(ring.primary(), origin, 0));
        let state = RwLock::new(State { ring, mode, origin, sender, begun: 1 });
        let (datagrams, streams) = (Mutex::new(Sessions::new()), Mutex::new(Sessions::new()));
        Ok(Self { cluster: cluster.to_owned(), state, datagrams, streams })
    }

    /// Bytes that [`seal`](Self::seal) adds to each packet: [`OVERHEAD`], or 0 in
    /// [`Mode::Accept`].
    pub fn overhead(&self) -> usize {
        if self.mode() == Mode::Accept { 0 } else { OVERHEAD }
    }

    /// Seals a packet in place, unless the mode is [`Mode::Accept`]. Linear in its bytes;
    /// allocates nothing if it has room for [`OVERHEAD`] more.
    ///
    /// # Errors
    /// [`SealError::TooLong`] near 4 GiB, [`SealError::Spent`] at the end of all sessions.
    pub fn seal(&self, carrier: Carrier, packet: &mut BytesMut) -> Result<(), SealError> {
        loop {
            let Some(sender) = self.sender() else { return Ok(()) };
            if let Some(counter) = sender.count(carrier) {
                return sender.seal(carrier, counter, &self.cluster, packet);
            }
            self.change(|state| match Arc::ptr_eq(&state.sender, &sender) {
                true => state.begin(),
                // Another thread was faster.
                false => Ok(()),
            })?;
        }
    }

    /// Opens a packet in place. Linear in its bytes; allocates nothing but at the first packet of
    /// a session. A forged one costs what authenticating its bytes does, and the derivation of a
    /// key before that; one that came before is refused before either.
    ///
    /// # Errors
    /// Why not. Nothing was noted of the packet then, and it is as it was.
    pub fn open<'p>(
        &self,
        carrier: Carrier,
        packet: &'p mut [u8],
    ) -> Result<Opened<'p>, OpenError> {
        if !is_sealed(packet) {
            return match self.mode() {
                Mode::Require => Err(OpenError::Plain),
                Mode::Accept | Mode::Send => Ok(Opened { packet, key: None }),
            };
        }
        let Sealed { header, text, tag } = Header::split(packet)?;
        let (key, own) = {
            let state = self.state();
            (state.ring.get(header.key).cloned(), header.session.is_of(state.origin))
        };
        let key = key.ok_or(OpenError::UnknownKey { id: header.key })?;
        if own {
            return Err(OpenError::Reflected);
        }
        self.sessions(carrier).check(&header)?;
        let aad = Aad::new(&header.to_bytes(), &self.cluster);
        let cipher = key.cipher(header.session, carrier);
        if !cipher.open(header.counter, aad.bytes(), text, tag) {
            return Err(OpenError::Forged);
        }
        self.sessions(carrier).take(&header)?;
        Ok(Opened { packet: text, key: Some(header.key) })
    }

    /// The keys, as they are now.
    pub fn keyring(&self) -> Keyring {
        self.state().ring.clone()
    }

    /// Seals and opens with other keys from now on; packets on their way open if their key is
    /// still there.
    ///
    /// # Errors
    /// [`SealError::Spent`] where that takes a new session. The keys are then as they were.
    pub fn set_keyring(&self, ring: Keyring) -> Result<(), SealError> {
        self.change(|state| {
            let old = std::mem::replace(&mut state.ring, ring);
            if state.ring.primary().id() == state.sender.key() {
                return Ok(());
            }
            state.begin().inspect_err(|_| state.ring = old)
        })
    }

    /// Seals under a new name of this process from now on. For who can tell that the process was copied
    /// (resumed from a snapshot, forked): two that go on under one name use each nonce twice, and it is
    /// for the copy to call this before it seals anything. As after a restart, what it sealed under the
    /// old name can be played back to it once.
    ///
    /// # Errors
    /// [`SealError::Random`]. The name is then as it was.
    pub fn begin_anew(&self) -> Result<(), SealError> {
        let origin = Origin::draw()?;
        self.change(|state| {
            (state.origin, state.begun) = (origin, 0);
            state.begin()
        })
    }

    /// A key on its way to other members, sealed with the primary: no two times the same bytes.
    ///
    /// # Errors
    /// [`KeyError::Random`] where the system has no random source.
    pub fn wrap(&self, key: &Key) -> Result<[u8; WRAPPED_LEN], KeyError> {
        wrap::wrap(key, self.state().ring.primary(), &self.cluster)
    }

    /// The key that a member of this cluster wrapped with any key of this ring. Replayed messages
    /// do no harm: what wrapped them must still be here.
    ///
    /// # Errors
    /// [`KeyError::Wrapped`], and what else can be wrong with a key.
    pub fn unwrap(&self, wrapped: &[u8]) -> Result<Key, KeyError> {
        wrap::unwrap(wrapped, &self.state().ring, &self.cluster)
    }

    /// What is sent and what is taken now.
    pub fn mode(&self) -> Mode {
        self.state().mode
    }

    /// Goes to another step of the migration.
    pub fn set_mode(&self, mode: Mode) {
        self.change(|state| state.mode = mode);
    }

    /// Sessions of others that are kept in full: at most 16,384 per carrier.
    pub fn sessions_open(&self, carrier: Carrier) -> usize {
        self.sessions(carrier).len()
    }

    /// The session that seals now, if any does.
    fn sender(&self) -> Option<Arc<Sender>> {
        let state = self.state();
        (state.mode != Mode::Accept).then(|| Arc::clone(&state.sender))
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        // No change is half done where a panic can happen.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn sessions(&self, carrier: Carrier) -> MutexGuard<'_, Sessions> {
        match carrier {
            Carrier::Datagram => &self.datagrams,
            Carrier::Stream => &self.streams,
        }
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Begins a session of the primary key.
    fn begin(&mut self) -> Result<(), SealError> {
        let number = u16::try_from(self.begun).map_err(|_| SealError::Spent)?;
        self.sender = Arc::new(Sender::new(self.ring.primary(), self.origin, number));
        self.begun += 1;
        Ok(())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Seal")
            .field("cluster", &self.cluster)
            .field("mode", &state.mode)
            .field("keys", &state.ring)
            .finish_non_exhaustive()
    }
}
