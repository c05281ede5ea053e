//! What can go wrong with keys. Nothing here tells a secret.

use std::io;
use std::path::PathBuf;

use swim_wire::seal::{KeyError, KeyId, KeyringError, SealError};

use crate::error::{EventError, Stopped};

/// Why keys were not read, asked about or changed. Nothing has changed then, here or elsewhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The agent was started without keys.
    #[error("this agent has no keyring (keyring_file, --keyring-file)")]
    NoKeyring,
    /// The agent sends plain packets, and of keys it speaks in sealed ones only.
    #[error(
        "sealing is \"accept\" here, and of keys agents speak in sealed packets only: \"send\" or \"require\" comes first"
    )]
    Plain,
    /// Some have not said that they are ready for the step: it would cut them off.
    #[error("{step} key {id} would cut off {}: {}", Count(.who.len()), .who.join(", "))]
    Unconfirmed {
        /// `using` or `removing`.
        step: &'static str,
        /// Which key.
        id: KeyId,
        /// Names, each with what is known of it.
        who: Vec<String>,
    },
    /// The keyring does not take that.
    #[error(transparent)]
    Ring(#[from] KeyringError),
    /// A key that is none, or could not be wrapped.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Nothing can be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A keyring file cannot be read, or others can read it too.
    #[error("{0}")]
    Read(io::Error),
    /// A file that is too long to be a keyring.
    #[error("a keyring of more than {max} bytes")]
    TooLong {
        /// The longest allowed.
        max: usize,
    },
    /// The change cannot be kept.
    #[error("the keyring cannot be written: {}: {why}", .path.display())]
    Write {
        /// The keyring file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// Members cannot be asked.
    #[error(transparent)]
    Ask(#[from] EventError),
    /// The agent has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// So many members, in words.
struct Count(usize);

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            1 => f.write_str("a member that has not confirmed"),
            count => write!(f, "{count} members that have not confirmed"),
        }
    }
}
