//! `Updates`: records of members by columns, shared by `Gossip`, `Sync` and `Delta`.

mod decode;
mod encode;

pub(crate) use decode::{decode_members, decode_updates};
pub(crate) use encode::Encoder;

use swim_core::MemberState;

/// What a status says beside the counter; its layout is told in `swim.proto`.
struct Status {
    state: MemberState,
    family: Family,
    /// The port is not in the addresses but that of the nearest address before.
    same_port: bool,
    metadata: Metadata,
    counter: u32,
}

/// What is said of a member's metadata.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Metadata {
    /// Nothing: it stays what it is.
    Unsaid,
    /// There is none.
    Empty,
    /// It is in the column.
    Entry,
}

impl Metadata {
    /// What is meant where the bits say nothing: whoever tells an address tells all.
    fn implied(family: Family) -> Self {
        if family == Family::None { Self::Unsaid } else { Self::Empty }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    None,
    V4,
    V6,
}

const FAMILY_SHIFT: u32 = 2;
const SAME_PORT: u64 = 1 << 4;
const METADATA: u64 = 1 << 5;
const COUNTER_SHIFT: u32 = 6;
/// Above the counter: rare, so that it may be long.
const UNSAID: u64 = 1 << (COUNTER_SHIFT + u32::BITS);

impl Status {
    fn to_bits(&self) -> u64 {
        let state = match self.state {
            MemberState::Alive => 0,
            MemberState::Suspect => 1,
            MemberState::Dead => 2,
            MemberState::Left => 3,
        };
        let family = match self.family {
            Family::None => 0,
            Family::V4 => 1,
            Family::V6 => 2,
        };
        let flag = |set, bit| if set { bit } else { 0 };
        let metadata = match self.metadata {
            Metadata::Entry => METADATA,
            implied if implied == Metadata::implied(self.family) => 0,
            _ => UNSAID,
        };
        state
            | family << FAMILY_SHIFT
            | flag(self.same_port, SAME_PORT)
            | metadata
            | u64::from(self.counter) << COUNTER_SHIFT
    }

    /// `None` for an unknown family, a port without an address, metadata that is there and not,
    /// bits above all.
    fn from_bits(bits: u64) -> Option<Self> {
        let state = match bits & 0b11 {
            0 => MemberState::Alive,
            1 => MemberState::Suspect,
            2 => MemberState::Dead,
            _ => MemberState::Left,
        };
        let family = match bits >> FAMILY_SHIFT & 0b11 {
            0 => Family::None,
            1 => Family::V4,
            2 => Family::V6,
            _ => return None,
        };
        let same_port = bits & SAME_PORT != 0;
        if same_port && family == Family::None {
            return None;
        }
        let metadata = match (bits & METADATA != 0, bits & UNSAID != 0) {
            (true, false) => Metadata::Entry,
            (false, true) if family != Family::None => Metadata::Unsaid,
            (false, false) => Metadata::implied(family),
            _ => return None,
        };
        let counter = u32::try_from((bits & !UNSAID) >> COUNTER_SHIFT).ok()?;
        Some(Self { state, family, same_port, metadata, counter })
    }
}

/// The boot epoch and the counter of an incarnation.
fn split(incarnation: u64) -> (u32, u32) {
    ((incarnation >> 32) as u32, incarnation as u32)
}

fn join(epoch: u32, counter: u32) -> u64 {
    u64::from(epoch) << 32 | u64::from(counter)
}

/// Protobuf's `sint64`: small differences of either sign take few bytes.
fn zigzag(difference: i64) -> u64 {
    ((difference << 1) ^ (difference >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
