//! State that survives a restart, in the data directory of an agent.
//!
//! | file | what |
//! |---|---|
//! | `state` | the records, appended to while the agent runs |
//! | `state.new` | what takes its place, while it is being written |
//! | `state.damaged` | a copy of the last file in which something could not be read |
//! | `lock` | empty; locked while an agent runs |
//!
//! # Format
//!
//! A file is eight bytes of header and then frames: a mark, a kind, a length, a checksum over the
//! three and the payload, a protobuf message. Records say what *is*, not what changed, so that the
//! latest one of a kind (or of a member) counts and none depends on another:
//!
//! | kind | record | fields |
//! |---|---|---|
//! | 1 | owner | name, cluster |
//! | 2 | boot epoch | the one of this start |
//! | 3 | metadata | what was set and removed at run time |
//! | 4 | member | name, address, whether live, dead, left or removed, and since when |
//! | 5 | clock | that of user events |
//!
//! Kinds and fields that are unknown are skipped, so that an older release reads what a newer one
//! wrote. Another major version in the header is refused.
//!
//! # What is lost when
//!
//! - A process that is killed loses nothing that was written, and everything is written within some
//!   ten milliseconds; half a record at the end of the file is cut off at the next start.
//! - A machine that crashes loses the members and the clock of the last five seconds. The boot
//!   epoch is on the disk before anybody hears of it, and metadata changed at run time before
//!   whoever changed it is answered, unless the disk refuses it: that is logged and counted, and
//!   tried again.
//! - Bytes that have changed on the disk cost the records that they are in, at most: the next whole
//!   record is found by its mark. The damaged file is kept beside the repaired one.
//!
//! At each start, and when it is longer than twice what it needs and 64 KiB, the file is written
//! anew beside the old one, synced, and renamed.

mod error;
mod frame;
mod keeper;
mod model;
mod overlay;
mod record;
mod store;

use std::path::Path;

pub use error::StateError;
pub use model::{Place, Standing, State};
pub use overlay::Overlay;

pub(crate) use keeper::Keeper;
pub(crate) use store::Store;

/// What a file of these bytes holds; for fuzzers, which have no disk.
#[doc(hidden)]
pub fn parse(bytes: &[u8]) -> Option<State> {
    store::parse(bytes).map(|(state, ..)| state)
}

/// A file that holds just this; for fuzzers.
#[doc(hidden)]
pub fn compacted(state: &State) -> Vec<u8> {
    store::compacted(state)
}

/// Reads what a data directory holds, without a lock and without changing it. O(bytes).
///
/// # Errors
/// It cannot be read, or is none.
pub fn read(directory: &Path) -> Result<State, StateError> {
    store::read(&directory.join("state")).map(|(state, _)| state)
}
