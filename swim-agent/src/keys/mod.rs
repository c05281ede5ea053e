//! Keys of sealed traffic: where they are kept, and how members are asked about theirs.
//!
//! An agent that was given [`Keys`] by [`AgentBuilder::seal`](crate::AgentBuilder::seal) seals its packets;
//! `docs/security.md` says against whom that helps. A key is replaced in three steps, each of which asks all
//! members and waits until they have said that it is done: [`install_key`](crate::Handle::install_key),
//! [`use_key`](crate::Handle::use_key), [`remove_key`](crate::Handle::remove_key). Every agent keeps a change
//! in its file before it holds.
//!
//! ```
//! use swim_agent::Agent;
//! use swim_agent::keys::{Algorithm, Key, Keyring, Mode};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let old = Keyring::new(Key::generate(Algorithm::Aes256Gcm)?);
//! let any = "127.0.0.1:0".parse()?;
//! let agent = Agent::builder().name("db-1").bind(any).seal(old.clone(), Mode::Require).spawn().await?;
//!
//! let new = Key::generate(Algorithm::Aes256Gcm)?;
//! agent.install_key(&new).await?;
//! agent.use_key(new.id(), false).await?;
//! let report = agent.remove_key(old.primary().id(), false).await?;
//! assert_eq!((report.holding(old.primary().id()), report.holding(new.id())), (0, 1));
//! # Ok(())
//! # }
//! ```

mod error;
mod file;
mod holder;
mod report;
mod talk;

use std::path::{Path, PathBuf};

pub use error::KeysError;
pub use file::{read_private, write_private};
pub use report::KeyReport;
#[doc(no_inline)]
pub use swim_wire::seal::{
    Algorithm, Key, KeyError, KeyId, Keyring, KeyringError, Mode, SealError, Zeroizing,
};
pub use talk::MemberKeys;

pub(crate) use holder::Keyholder;

/// Bytes of a keyring file above which it is none: eight keys, and comments.
const MAX_FILE: usize = 64 * 1024;

/// The keys that an agent starts with, and the file that it keeps changes in, if any.
#[derive(Debug, Clone)]
pub struct Keys {
    pub(crate) ring: Keyring,
    pub(crate) file: Option<PathBuf>,
}

impl Keys {
    /// Reads a keyring file, and has changes kept in it.
    ///
    /// # Errors
    /// It cannot be read, is everybody's, or has no keys in it. The error says what is wrong, without the
    /// path and without what stands there.
    pub fn read(path: impl Into<PathBuf>) -> Result<Self, KeysError> {
        let path = path.into();
        Ok(Self { ring: ring(&path)?, file: Some(path) })
    }

    /// The keys.
    pub fn ring(&self) -> &Keyring {
        &self.ring
    }

    /// Where changes are kept; they are lost with the agent if there is no such file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

/// Keys that are kept in memory alone.
impl From<Keyring> for Keys {
    fn from(ring: Keyring) -> Self {
        Self { ring, file: None }
    }
}

/// The keys in a file.
fn ring(path: &Path) -> Result<Keyring, KeysError> {
    let text = read_private(path, MAX_FILE).map_err(KeysError::Read)?;
    if text.len() > MAX_FILE {
        return Err(KeysError::TooLong { max: MAX_FILE });
    }
    Ok(Keyring::parse(&text)?)
}
