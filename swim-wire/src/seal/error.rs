//! What can be wrong with keys, a keyring, a sealed packet. Nothing here tells a secret or a part
//! of one.

use super::key::KeyId;
use super::keyring::Keyring;

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Another text before the colon, or no colon.
    #[error("a key begins with `aes-256-gcm:` or `chacha20-poly1305:`")]
    Algorithm,
    /// Something else than 32 bytes in base64 after it.
    #[error("a key ends with 32 bytes in base64")]
    Secret,
    /// One byte 32 times over.
    #[error("the key is a place-holder: all of its bytes are the same")]
    Weak,
    /// The same key, or another with the same id, further up.
    #[error("key {id} stands there twice")]
    Twice {
        /// Its id.
        id: KeyId,
    },
    /// One key more than a ring takes.
    #[error("a keyring takes {} keys", Keyring::MAX_KEYS)]
    TooMany,
    /// A text that is not eight hexadecimal digits.
    #[error("a key's id has eight hexadecimal digits")]
    Id,
    /// The system gave no random bytes.
    #[error("the system's random source fails")]
    Random,
    /// A wrapped key that is damaged, forged, of another cluster, or wrapped by a key that is not
    /// (or no longer) in the ring.
    #[error("the wrapped key is damaged, or no key of the ring wrapped it for this cluster")]
    Wrapped,
}

/// What is wrong with a keyring, or with what is asked of it. The ring is then as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// A line of a file that is no key.
    #[error("line {line}: {error}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        error: KeyError,
    },
    /// A file without keys.
    #[error("there is no key in it")]
    Empty,
    /// One key too many.
    #[error("the keyring has its {} keys; remove one first", Keyring::MAX_KEYS)]
    Full,
    /// Another key has the same id.
    #[error("another key has the id {id}; generate a new one")]
    Taken {
        /// The id.
        id: KeyId,
    },
    /// A key that was not installed.
    #[error("key {id} is not installed")]
    Unknown {
        /// Its id.
        id: KeyId,
    },
    /// Packets are sealed with it.
    #[error("key {id} is in use; use another one first")]
    Primary {
        /// Its id.
        id: KeyId,
    },
}

/// Why a packet could not be sealed, or a node cannot seal. The packet is then as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A cluster name that is empty or too long.
    #[error("cluster name of {len} bytes, it takes 1 to {max}")]
    ClusterName {
        /// Its length in bytes.
        len: usize,
        /// The longest allowed.
        max: usize,
    },
    /// The system gave no random bytes.
    #[error("the system's random source fails")]
    Random,
    /// The process used up its 65,536 sessions of 2^28 packets: it takes a restart, and centuries.
    #[error("this process used up its sessions; restart it")]
    Spent,
    /// More than what a frame of a stream can hold.
    #[error("packet of {len} bytes is too long to be sealed")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
}

/// Why a packet was not opened. All of these are the sender's doing, or chance's, or an
/// attacker's; none is a bug here, and none says more than an attacker knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Not sealed, and this node requires it.
    #[error("the packet is not sealed, and this node requires it")]
    Plain,
    /// Sealed by a version that this node does not know.
    #[error("packet sealed by version {found}, this node knows 1")]
    Version {
        /// The packet's.
        found: u8,
    },
    /// Shorter than what sealing adds.
    #[error("sealed packet of {len} bytes is cut short")]
    TooShort {
        /// Its length in bytes.
        len: usize,
    },
    /// Sealed with a key that this node has not (or not any more, or not yet).
    #[error("packet sealed with key {id}, which is not in this node's keyring")]
    UnknownKey {
        /// The key's id, as the packet has it.
        id: KeyId,
    },
    /// Sealed by this process, and sent back to it.
    #[error("packet of this node's own")]
    Reflected,
    /// Opened before.
    #[error("packet {counter} of its session came before")]
    Replayed {
        /// Its number.
        counter: u32,
    },
    /// So far behind others of its session that nobody knows whether it was opened before.
    #[error("packet {counter} of its session is too old, the next is {next}")]
    TooOld {
        /// Its number.
        counter: u32,
        /// The one after the highest that was opened.
        next: u64,
    },
    /// Changed, or made without the key, or for another cluster or another carrier.
    #[error("packet is forged, damaged, or of another cluster")]
    Forged,
}
