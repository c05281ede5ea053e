//! Why a data directory cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a data directory cannot be used. Nothing in it has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The system refused it.
    #[error("data directory: {path:?}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent runs on it.
    #[error("data directory {path:?}: another agent is running on it")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// What is there was not written by an agent, or by one of another major version.
    #[error(
        "data directory: {path:?} is no state file that this version can read; move it away to start anew"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is that of another node.
    #[error("data directory {path:?} belongs to {held}, not to {given}")]
    Another {
        /// The directory.
        path: PathBuf,
        /// The name and the cluster in it.
        held: String,
        /// The name and the cluster of the agent that was to start.
        given: String,
    },
}
