//! Multicast DNS: what agents of one network segment announce, and who announces it.
//!
//! All announce the service `_swim._udp.local.` (RFC 6763), with the name by which they look for
//! each other and the address to reach them at in its text record. A lookup is a question of its
//! own, by sockets of its own: nothing that others announce is kept from one to the next.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use if_addrs::{IfAddr, Interface};
use mdns_sd::{IfKind, IfPredicate, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::time::{Instant, timeout_at};

/// What is announced.
const SERVICE: &str = "_swim._udp.local.";
/// Keys of the text record: the name, and where to reach who announces it.
const NAME: &str = "name";
const ADDRESS: &str = "address";
/// How long a lookup waits for the first answer of somebody else. Those who start at one moment
/// have announced themselves within two seconds (RFC 6762, section 8), so that they find each other.
const FIRST: Duration = Duration::from_secs(3);
/// How long it then waits for those of more.
const MORE: Duration = Duration::from_millis(500);
/// Addresses that are taken down: more than are asked, and no matter how many are claimed.
const MOST: usize = 1_024;

/// The network segment that an agent is on.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// The interface's name, if one was given.
    pub(crate) interface: Option<String>,
    /// What the agent is bound to.
    pub(crate) bound: SocketAddr,
    /// Where it is reached: it finds itself too.
    pub(crate) own: SocketAddr,
}

impl Segment {
    /// The interface that was given, else the one on the network of the advertised address or of the
    /// bound one; and the agent's address there, for a record that other programs understand.
    /// Looked up at each use: addresses come and go.
    ///
    /// # Errors
    /// There is no such interface, in words.
    pub(crate) fn interface(&self) -> Result<(String, IpAddr), String> {
        let held = if_addrs::get_if_addrs().map_err(|error| error.to_string())?;
        let given = self.interface.as_ref();
        let wanted = || held.iter().filter(|held| given.is_none_or(|name| held.name == *name));
        let ips = [self.own.ip(), self.bound.ip()];
        let exact = ips.iter().find_map(|ip| wanted().find(|held| held.ip() == *ip));
        let near = || ips.iter().find_map(|ip| wanted().find(|held| is_near(held, *ip)));
        let Some(found) = exact.or_else(near).or_else(|| given.and_then(|_| wanted().next()))
        else {
            return Err(match given {
                Some(name) => format!("this host has no interface {name:?} with an address"),
                None => format!(
                    "no interface of this host is on the network of {}: name one \
                     (discover_interface, --discover-interface)",
                    self.own.ip()
                ),
            });
        };
        let ip = ips.into_iter().find(|ip| is_near(found, *ip)).unwrap_or(found.ip());
        Ok((found.name.clone(), ip))
    }

    /// The addresses of all who announce `name` at this moment, this agent's own among them if it
    /// does. Takes half a second more than the first answer of another, at most three.
    ///
    /// # Errors
    /// Nobody announces it, or the system refuses multicast; in words.
    pub(super) async fn find(&self, name: &str) -> Result<Vec<SocketAddr>, String> {
        let (interface, ip) = self.interface()?;
        let daemon = Daemon::on(&interface, ip)?;
        let answers = daemon.0.browse(SERVICE).map_err(|error| error.to_string())?;
        let mut found = BTreeSet::new();
        let mut until = Instant::now() + FIRST;
        while let Ok(Ok(event)) = timeout_at(until, answers.recv_async()).await {
            let ServiceEvent::ServiceResolved(service) = event else { continue };
            let address = address(&service, name, self.own).filter(|_| found.len() < MOST);
            // Its own announcement is no reason to end the search.
            if address.is_some_and(|address| found.insert(address) && address != self.own) {
                until = until.min(Instant::now() + MORE);
            }
        }
        if found.is_empty() {
            return Err(format!("nobody announces it on {interface} by mDNS"));
        }
        Ok(found.into_iter().collect())
    }

    /// Announces `name` until what is returned is dropped.
    ///
    /// # Errors
    /// The system refuses multicast; in words.
    pub(crate) fn announce(&self, name: &str) -> Result<Announcement, String> {
        let (interface, ip) = self.interface()?;
        let daemon = Daemon::on(&interface, ip)?;
        // One agent has one address, so that this name is unique on the segment. Dots part labels.
        let label = self.own.to_string().replace(|char: char| !char.is_ascii_alphanumeric(), "-");
        let label = label.trim_matches('-');
        let (host, port) = (format!("swim-{label}.local."), self.own.port());
        let text = [(NAME, name.to_owned()), (ADDRESS, self.own.to_string())];
        let service = ServiceInfo::new(SERVICE, label, &host, ip, port, &text[..]);
        service
            .and_then(|service| daemon.0.register(service))
            .map_err(|error| format!("it cannot be announced by mDNS: {error}"))?;
        Ok(Announcement(daemon))
    }
}

/// What this agent says of itself; taken back, with a goodbye, when it is dropped.
#[derive(Debug)]
pub(crate) struct Announcement(#[expect(dead_code, reason = "it ends when it is dropped")] Daemon);

/// Who asks and answers, on one interface alone and by the family of the agent's address there: a
/// thread with sockets of its own. The other family would tell nothing more, and its addresses may
/// come later than the link.
struct Daemon(ServiceDaemon);

impl Daemon {
    fn on(interface: &str, ip: IpAddr) -> Result<Self, String> {
        let name = interface.to_owned();
        let only = move |held: &Interface| held.name == name && held.ip().is_ipv6() == ip.is_ipv6();
        let start = move || {
            let daemon = Self(ServiceDaemon::new()?);
            // A link that comes up in this moment is used a second later, and not after this lookup.
            daemon.0.set_ip_check_interval(1)?;
            daemon.0.disable_interface(IfKind::All)?;
            daemon.0.enable_interface(IfKind::Predicate(IfPredicate::new(only)))?;
            Ok(daemon)
        };
        start().map_err(|error: mdns_sd::Error| format!("mDNS cannot be used: {error}"))
    }
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Daemon")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // An error says that it has ended already. What it announced it takes back.
        let _ = self.0.shutdown();
    }
}

/// Whether `ip` is on the network that an interface is on.
fn is_near(held: &Interface, ip: IpAddr) -> bool {
    match (&held.addr, ip) {
        (IfAddr::V4(held), IpAddr::V4(ip)) => held.ip & held.netmask == ip & held.netmask,
        (IfAddr::V6(held), IpAddr::V6(ip)) => held.ip & held.netmask == ip & held.netmask,
        _ => false,
    }
}

/// Where `own` reaches who announces this name; what others say of themselves may be anything.
fn address(service: &ResolvedService, name: &str, own: SocketAddr) -> Option<SocketAddr> {
    let text = |key| service.get_property_val_str(key);
    let address = text(ADDRESS)?.parse::<SocketAddr>().ok()?;
    (text(NAME) == Some(name) && address.port() > 0 && is_place(address.ip(), own.ip()))
        .then_some(address)
}

/// Whether one member can live there. On this host's own loopback it can where this agent does: else
/// a stranger would have it talk to other programs of its host.
fn is_place(ip: IpAddr, own: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let everybody = ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    !everybody && !ip.is_unspecified() && (!ip.is_loopback() || own.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("a literal address")
    }

    #[test]
    fn the_interface_is_that_of_the_address_unless_it_is_named() {
        let held = if_addrs::get_if_addrs().unwrap();
        let loopback = held.iter().find(|held| held.is_loopback()).expect("loopback");
        let segment = |interface: Option<&str>, bound, own| {
            let (bound, own) = (addr(bound), addr(own));
            Segment { interface: interface.map(str::to_owned), bound, own }.interface()
        };
        let name = loopback.name.as_str();
        let own = "127.64.0.9:1";
        assert_eq!(segment(None, own, own), Ok((name.to_owned(), addr(own).ip())));
        // Another address is advertised than any that is there.
        let (any, behind) = ("0.0.0.0:1", "203.0.113.9:1");
        let (found, ip) = segment(Some(name), any, behind).unwrap();
        assert!(found == name && ip.is_loopback(), "{found} {ip}");
        let error = segment(None, any, behind).unwrap_err();
        assert!(error.contains("--discover-interface") && error.contains("203.0.113.9"), "{error}");
        let error = segment(Some("no such"), own, own).unwrap_err();
        assert!(error.contains("\"no such\""), "{error}");
    }

    #[test]
    fn strangers_announce_only_places_where_one_member_can_live() {
        let found = |said: &str, own: &str| {
            let text = [(NAME, "lab".to_owned()), (ADDRESS, said.to_owned())];
            let ip = IpAddr::from([10, 0, 0, 9]);
            let service = ServiceInfo::new(SERVICE, "x", "x.local.", ip, 1, &text[..]).unwrap();
            address(&service.as_resolved_service(), "lab", addr(own))
        };
        let (own, loopback) = ("10.0.0.1:7946", "127.64.0.9:1");
        for said in ["10.0.0.2:7946", "[fd00::2]:7946", own] {
            assert_eq!(found(said, own), Some(addr(said)));
        }
        for said in [
            "",
            "n1:7946",
            "10.0.0.2",
            "10.0.0.2:0",
            "0.0.0.0:1",
            "[::]:1",
            "[::ffff:0.0.0.0]:1",
            "224.0.0.251:5353",
            "[ff02::fb]:5353",
            "255.255.255.255:1",
        ] {
            assert_eq!((found(said, own), found(said, loopback)), (None, None), "{said}");
        }
        for said in ["127.0.0.1:22", "127.9.9.9:1", "[::1]:22", "[::ffff:127.0.0.1]:22"] {
            assert_eq!((found(said, own), found(said, loopback)), (None, Some(addr(said))));
        }
    }
}
