//! What fuzzers run: each target is a function of arbitrary bytes that panics when something does
//! not hold.
//!
//! `fuzz/` has the fuzzers themselves, which need a nightly compiler; `tests/corpora.rs` replays what
//! they kept, with any.
#![forbid(unsafe_code)]

mod agent;
mod choices;
mod cluster;
#[cfg(feature = "command")]
mod config_file;
mod engine;
mod frame;
mod invariants;
mod keyring_file;
mod packet;
mod sealed;
mod source;
mod state_file;
mod watch;

pub use agent::agent;
pub use cluster::cluster;
#[cfg(feature = "command")]
pub use config_file::config_file;
pub use engine::engine;
pub use frame::frame;
pub use keyring_file::keyring_file;
pub use packet::packet;
pub use sealed::sealed;
pub use state_file::state_file;

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name, which is also that of their corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("packet", packet),
    ("frame", frame),
    ("state_file", state_file),
    #[cfg(feature = "command")]
    ("config_file", config_file),
    ("keyring_file", keyring_file),
    ("sealed", sealed),
    ("engine", engine),
    ("cluster", cluster),
    ("agent", agent),
];
