//! What travels with a simulated member: nothing but whether it finds its own paths bad.

use swim_core::{MemberIdx, Profile, wire_size};

/// Whether a member says that its paths are bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Mark(pub bool);

impl Profile for Mark {
    type Address = MemberIdx;
    type Body = u32;

    fn address(&self, of: MemberIdx) -> MemberIdx {
        of
    }

    fn identity(&self, of: MemberIdx) -> u64 {
        ().identity(of)
    }

    fn content(&self) -> u64 {
        u64::from(self.0)
    }

    fn wire_len(&self, with_profile: bool) -> usize {
        let mark = if self.0 && with_profile { MARK } else { 0 };
        ().wire_len(with_profile) + mark
    }

    fn outranks(&self, other: &Self) -> bool {
        self.0 && !other.0
    }

    fn is_degraded(&self) -> bool {
        self.0
    }

    fn marked(&self, degraded: bool) -> Option<Self> {
        Some(Self(degraded))
    }
}

/// Bytes of the mark in a member's metadata, at most.
const MARK: usize = 2 * wire_size::text(swim_core::Member::DEGRADED.len());
