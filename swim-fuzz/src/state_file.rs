//! The state of an agent on disk.

use swim_agent::state;

/// Reads bytes as a file of state, bare and behind a valid header. What was read is written anew and
/// read again, and is the same.
pub fn state_file(bytes: &[u8]) {
    check(bytes);
    let mut whole = state::compacted(&state::State::default());
    whole.extend_from_slice(bytes);
    check(&whole);
}

fn check(bytes: &[u8]) {
    let Some(held) = state::parse(bytes) else { return };
    let again = state::parse(&state::compacted(&held)).expect("what was written");
    assert_eq!(again, held);
}
