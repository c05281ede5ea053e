//! What the engine keeps for a name: the customer-facing [`Member`], and hashes of it that are the
//! same on every node.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::engine::{MemberIdx, Profile, mix};
use crate::member::Member;
use crate::user::UserNotice;
use crate::wire_size;

/// A member's visiting card, or a vacant place.
#[derive(Debug, Default)]
pub(super) struct Card(pub(super) Option<Member>);

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Card {
    pub(super) fn member(&self) -> Option<&Member> {
        self.0.as_ref()
    }
}

/// Two cards are equal when they say the same; state and incarnation are not on them.
impl PartialEq for Card {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => place(a) == place(b) && a.metadata == b.metadata,
            (None, None) => true,
            _ => false,
        }
    }
}

impl Profile for Card {
    type Address = SocketAddr;
    type Body = UserNotice;

    fn address(&self, _of: MemberIdx) -> SocketAddr {
        self.0.as_ref().map_or(NOWHERE, |member| member.address)
    }

    fn identity(&self, _of: MemberIdx) -> u64 {
        self.0.as_ref().map_or(0, |member| mix(fnv(FNV_BASIS, member.id.0.as_bytes())))
    }

    fn content(&self) -> u64 {
        let Some(member) = &self.0 else { return 0 };
        mix(hash_address(&member.address)).wrapping_add(hash_metadata(&member.metadata))
    }

    fn wire_len(&self, with_profile: bool) -> usize {
        let Some(member) = &self.0 else { return 0 };
        let name = wire_size::text(member.id.0.len());
        if !with_profile {
            return name;
        }
        name + wire_size::address(&member.address) + wire_size::metadata(&member.metadata)
    }

    fn is_degraded(&self) -> bool {
        self.member().is_some_and(|member| member.metadata.contains_key(Member::DEGRADED))
    }

    fn marked(&self, degraded: bool) -> Option<Self> {
        let mut member = self.0.clone()?;
        if degraded {
            member.metadata.insert(Member::DEGRADED.into(), "1".into());
        } else {
            member.metadata.remove(Member::DEGRADED);
        }
        Some(Self(Some(member)))
    }

    fn outranks(&self, other: &Self) -> bool {
        let (Some(a), Some(b)) = (&self.0, &other.0) else { return self.0.is_some() };
        let metadata = || sorted(&a.metadata).cmp(&sorted(&b.metadata));
        place(a).cmp(&place(b)).then_with(metadata) == Ordering::Greater
    }
}

/// The address as it travels: what a scope of IPv6 means, only its own host knows.
fn place(member: &Member) -> (IpAddr, u16) {
    (member.address.ip(), member.address.port())
}

fn sorted(metadata: &HashMap<String, String>) -> Vec<(&String, &String)> {
    let mut pairs: Vec<_> = metadata.iter().collect();
    pairs.sort_unstable();
    pairs
}

fn hash_address(address: &SocketAddr) -> u64 {
    let hash = match address.ip() {
        IpAddr::V4(ip) => fnv(FNV_BASIS, &ip.octets()),
        IpAddr::V6(ip) => fnv(FNV_BASIS, &ip.octets()),
    };
    fnv(hash, &address.port().to_be_bytes())
}

/// A sum over the pairs: the order of a map means nothing.
fn hash_metadata(metadata: &HashMap<String, String>) -> u64 {
    let pair = |(key, value): (&String, &String)| {
        let key = fnv(FNV_BASIS, key.as_bytes());
        mix(fnv(fnv(key, &[0xff]), value.as_bytes()))
    };
    metadata.iter().map(pair).fold(0, u64::wrapping_add)
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// FNV-1a: the same on every node and in every release, which std's hasher does not promise.
fn fnv(basis: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(basis, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}
