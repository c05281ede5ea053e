//! Why a data directory cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a data directory cannot be used. Nothing in it has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The system refused it.
    #[error("data directory: {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent runs on it.
    #[error("data directory {}: another agent is running on it", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// What is there was not written by an agent, or by one of another major version.
    #[error(
        "data directory: {} is no state file that this version can read; move it away to start anew",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is that of another node.
    #[error("data directory {} belongs to {held}, not to {given}", path.display())]
    Another {
        /// The directory.
        path: PathBuf,
        /// The name and the cluster in it.
        held: String,
        /// The name and the cluster of the agent that was to start.
        given: String,
    },
}
