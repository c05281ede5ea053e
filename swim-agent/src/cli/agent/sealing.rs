//! Which keys an agent seals with, and whether it does.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use swim_agent::keys::{Keys, Mode};

/// What is sent and heard, for the steps from plain traffic to sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sealing {
    /// Send plain packets, hear both kinds.
    Accept,
    /// Send sealed packets, hear both kinds.
    Send,
    /// Send sealed packets and hear no others.
    Require,
}

/// A keyring file that could be read.
#[derive(Debug, Clone)]
pub(super) struct KeyringFile(pub(super) Keys);

impl FromStr for KeyringFile {
    type Err = String;

    fn from_str(path: &str) -> Result<Self, String> {
        Keys::read(path).map(Self).map_err(|error| error.to_string())
    }
}

/// What flags or a file say of sealing: keys and mode.
///
/// # Errors
/// A mode without keys. `--sealing` and `sealing` would silently mean nothing.
pub(super) fn merged(
    keys: Option<KeyringFile>,
    sealing: Option<Sealing>,
) -> Result<Option<(Keys, Mode)>, String> {
    match (keys, sealing) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(NO_KEYRING.to_owned()),
        (Some(KeyringFile(keys)), sealing) => {
            Ok(Some((keys, sealing.map(Mode::from).unwrap_or_default())))
        }
    }
}

/// What is wrong with a mode that stands alone.
pub(super) const NO_KEYRING: &str = "there is no keyring (keyring_file, --keyring-file)";

/// Which file the keys come from, for who compares.
pub(super) fn path(sealing: Option<&(Keys, Mode)>) -> Option<PathBuf> {
    sealing.and_then(|(keys, _)| keys.file()).map(PathBuf::from)
}

/// Whether the keyring file, if there is one, can be read now too: a flag was parsed at the start.
///
/// # Errors
/// What is wrong with it, and its path.
pub(super) fn readable(sealing: Option<&(Keys, Mode)>) -> Result<(), String> {
    let Some(path) = path(sealing) else { return Ok(()) };
    let read = Keys::read(&path).map_err(|error| format!("{}: {error}", path.display()));
    read.map(drop)
}

impl From<Sealing> for Mode {
    fn from(sealing: Sealing) -> Self {
        match sealing {
            Sealing::Accept => Self::Accept,
            Sealing::Send => Self::Send,
            Sealing::Require => Self::Require,
        }
    }
}
