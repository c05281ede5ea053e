//! Who a foca member is: a name, an address, and how often it had to begin anew.

use std::net::{Ipv4Addr, SocketAddr};

use foca::Identity;
use serde::{Deserialize, Serialize};
use swim_core::MemberIdx;

/// The port that all listen on.
const PORT: u16 = 7946;
/// The address of member 0; the others follow.
const FIRST: u32 = Ipv4Addr::new(10, 0, 0, 0).to_bits();
/// Renewals that one process may need before the numbers of its next start.
const RENEWALS_BITS: u32 = 20;

/// An identity as a user of foca would choose it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FocaId {
    pub(super) name: String,
    addr: SocketAddr,
    /// Raised by each renewal, so that others take the newcomer for the old member.
    pub(super) bump: u64,
}

impl FocaId {
    /// A member as it is when started for the `boot`th time, counted from 1. The first has bump 0
    /// and so the smallest encoding; a later one wins against all renewals of an earlier one.
    pub(super) fn new(member: MemberIdx, boot: u32) -> Self {
        let addr = SocketAddr::from((Ipv4Addr::from_bits(FIRST + member.0), PORT));
        let bump = u64::from(boot.saturating_sub(1)) << RENEWALS_BITS;
        Self { name: format!("node-{:06}", member.0), addr, bump }
    }

    /// Which member it is.
    pub(super) fn member(&self) -> MemberIdx {
        let SocketAddr::V4(addr) = self.addr else {
            unreachable!("all addresses are of version 4");
        };
        MemberIdx(addr.ip().to_bits().wrapping_sub(FIRST))
    }
}

impl Identity for FocaId {
    type Addr = SocketAddr;

    fn renew(&self) -> Option<Self> {
        Some(Self { bump: self.bump + 1, ..self.clone() })
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.bump > adversary.bump
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_member_wins_against_its_renewed_former_self() {
        let first = FocaId::new(MemberIdx(123), 1);
        let renewed = (0..1_000).fold(first.clone(), |id, _| id.renew().expect("always"));
        let restarted = FocaId::new(MemberIdx(123), 2);
        assert!(renewed.win_addr_conflict(&first) && restarted.win_addr_conflict(&renewed));
        assert_eq!((first.name.as_str(), restarted.member()), ("node-000123", MemberIdx(123)));
    }
}
