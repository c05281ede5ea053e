//! On which hosts other live members are: kept up to date by each change of one, so that asking walks over nobody.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Bound::{Included, Unbounded};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::rate::source;

/// How many other live members each address has. The driver writes it; whoever judges streams reads it too.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<BTreeMap<IpAddr, u32>>);

impl Hosts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, u32>> {
        // Nothing that is done under the lock panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another live member has this address, by whatever port. O(log n).
    pub(super) fn have(&self, ip: IpAddr) -> bool {
        self.lock().contains_key(&ip)
    }

    /// Whether one has an address of the same [`source`]. O(log n).
    pub(super) fn have_near(&self, ip: IpAddr) -> bool {
        let network = source(ip);
        let held = self.lock();
        // A network begins with the address that it is named by.
        let first = held.range((Included(network), Unbounded)).next();
        first.is_some_and(|(held, _)| source(*held) == network)
    }

    /// A member that lived on the one host, if on any, lives on the other now.
    pub(super) fn moved(&self, before: Option<IpAddr>, now: Option<IpAddr>) {
        if before == now {
            return;
        }
        let mut held = self.lock();
        if let Some(ip) = now {
            *held.entry(ip).or_default() += 1;
        }
        if let Some(count) = before.and_then(|ip| held.get_mut(&ip)) {
            *count -= 1;
        }
        if let Some(ip) = before.filter(|ip| held.get(ip) == Some(&0)) {
            held.remove(&ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_host_is_one_of_members_as_long_as_one_of_them_lives_there() {
        let (hosts, [a, b]) = (Hosts::default(), ["10.0.0.1", "10.0.0.2"].map(ip));
        hosts.moved(None, Some(a));
        hosts.moved(None, Some(a));
        hosts.moved(Some(a), Some(b));
        assert!(hosts.have(a) && hosts.have(b) && !hosts.have(ip("10.0.0.3")));
        hosts.moved(Some(a), None);
        hosts.moved(Some(b), Some(b));
        assert!(!hosts.have(a) && hosts.have(b));
        hosts.moved(Some(b), None);
        assert!(hosts.lock().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_host_for_places_and_none_for_claims() {
        let hosts = Hosts::default();
        for at in ["fd00::1:2:3:4", "fd00:0:0:2::", "10.0.0.2"] {
            hosts.moved(None, Some(ip(at)));
        }
        let near = |at| hosts.have_near(ip(at));
        assert!(near("fd00::9") && near("fd00:0:0:2:ffff::") && near("10.0.0.2"));
        assert!(!near("fd00:0:0:1::9") && !near("fd00:0:0:3::") && !near("fc00::") && !near("::"));
        assert!(!near("10.0.0.1") && !near("10.0.0.3"));
        assert!(!hosts.have(ip("fd00::9")) && hosts.have(ip("fd00:0:0:2::")));
    }
}
