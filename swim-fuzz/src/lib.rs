//! What fuzzers run: each target is a function of arbitrary bytes that panics when something does
//! not hold.
//!
//! `fuzz/` has the fuzzers themselves, which need a nightly compiler; `tests/corpora.rs` replays what
//! they kept, with any.
#![forbid(unsafe_code)]

mod engine;
mod frame;
mod packet;
mod source;
mod state_file;

pub use engine::engine;
pub use frame::frame;
pub use packet::packet;
pub use state_file::state_file;

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name, which is also that of their corpus.
pub const TARGETS: [(&str, Target); 4] =
    [("packet", packet), ("frame", frame), ("state_file", state_file), ("engine", engine)];
