//! What can go wrong with keys. Nothing here tells a secret.

use std::fmt;
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
    #[error("{step} key {id} could cut off {} (--force does so)", Unconfirmed(.who))]
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

/// Who has not confirmed, in words.
struct Unconfirmed<'a>(&'a [String]);

/// Names that are told.
const NAMED: usize = 16;

impl fmt::Display for Unconfirmed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, named) = (self.0.len(), self.0.len().min(NAMED));
        match count {
            1 => f.write_str("a member that has not confirmed: ")?,
            _ => write!(f, "{count} members that have not confirmed: ")?,
        }
        f.write_str(&self.0[..named].join(", "))?;
        if named < count { f.write_str(", ...") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_first_are_named() {
        let who = (0..1_000).map(|number| format!("n{number} (dead)")).collect();
        let id = "1f2e3d4c".parse().unwrap();
        let text = KeysError::Unconfirmed { step: "using", id, who }.to_string();
        assert!(text.starts_with("using key 1f2e3d4c could cut off 1000 members that have not"));
        assert!(text.contains("n15 (dead), ... (--force") && text.len() < 400, "{text}");
    }
}
