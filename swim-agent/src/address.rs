//! The address to advertise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::error::SpawnError;
use crate::resolve::Resolver;

/// Where to look for the address that leads outward, beside the seeds: addresses set aside for
/// documentation follow the default route, the private ones a route to a private network.
const OUTWARD_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(192, 0, 2, 1),
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(192, 168, 0, 1),
];
const OUTWARD_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)];

/// The address to tell others: the one given, else the one bound to, else, when that is every
/// address of the host, the one that leads to a seed or outward.
pub(crate) fn advertised(
    bound: SocketAddr,
    given: Option<SocketAddr>,
    seeds: &[String],
) -> Result<SocketAddr, SpawnError> {
    let mut address = given.unwrap_or(bound);
    if address.port() == 0 {
        address.set_port(bound.port());
    }
    let looked_up = given.is_none() && address.ip().is_unspecified();
    if let Some(why) = no_host(address.ip()).filter(|_| !looked_up) {
        return Err(SpawnError::Advertise { address, why });
    }
    if address.ip().is_unspecified() {
        let none = SpawnError::NoAddress { bound, family: family(bound) };
        address.set_ip(outward(bound.ip(), seeds).ok_or(none)?);
    }
    Ok(address)
}

/// Why nothing that is sent to an address reaches one host, if it does not.
pub(crate) fn no_host(ip: IpAddr) -> Option<&'static str> {
    match ip.to_canonical() {
        ip if ip.is_unspecified() => {
            Some("it stands for every address of the host, and leads others nowhere")
        }
        ip if ip.is_multicast() => Some("it is a multicast address, which no host has by itself"),
        IpAddr::V4(ip) if ip.is_broadcast() => {
            Some("it is the broadcast address, which no host has")
        }
        _ => None,
    }
}

/// A local address of the family of `bound` that leads to others: the one of the route to a seed or
/// outward, else any that an interface has.
fn outward(bound: IpAddr, seeds: &[String]) -> Option<IpAddr> {
    let seeds = seeds.iter().filter_map(|seed| seed.parse::<SocketAddr>().ok());
    let mut beyond: Vec<IpAddr> = seeds.map(|seed| seed.ip()).collect();
    if bound.is_ipv6() {
        beyond.extend(OUTWARD_V6.map(IpAddr::from));
    }
    // A socket on `[::]` usually carries IPv4 too.
    beyond.extend(OUTWARD_V4.map(IpAddr::from));
    beyond.retain(|to| bound.is_ipv6() || to.is_ipv4());
    let routed = beyond.into_iter().filter_map(source_towards).find(leads_out);
    routed.or_else(|| {
        let fits = |ip: &IpAddr| bound.is_ipv6() || ip.is_ipv4();
        let mut held: Vec<IpAddr> = interfaces().into_iter().map(|(_, ip)| ip).collect();
        held.sort_by_key(|ip| ip.is_ipv6() != bound.is_ipv6());
        held.into_iter().filter(fits).find(leads_out)
    })
}

/// Whether others may reach this host by it. Link-local IPv6 means nothing without an interface.
fn leads_out(ip: &IpAddr) -> bool {
    let local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !ip.is_loopback() && !ip.is_unspecified() && !local
}

/// The host's addresses with the names of their interfaces.
fn interfaces() -> Vec<(String, IpAddr)> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    all.into_iter().map(|held| (held.name.clone(), held.ip())).collect()
}

/// The address that `given` stands for: `IP`, an interface or a host, each with or without `:PORT`
/// (0 otherwise). Of several addresses, the first of the family of `bound`.
///
/// # Errors
/// Why it stands for none, in words.
pub(crate) async fn named(
    given: &str,
    bound: SocketAddr,
    resolver: &Resolver,
) -> Result<SocketAddr, String> {
    if let Ok(address) = given.parse() {
        return Ok(address);
    }
    if let Ok(ip) = given.parse::<IpAddr>() {
        return Ok((ip, 0).into());
    }
    let (name, port) = match given.rsplit_once(':') {
        None => (given, 0),
        Some((name, port)) => {
            let wrong = "expected IP, INTERFACE or HOST, each with or without :PORT";
            (name, port.parse().map_err(|_| wrong.to_owned())?)
        }
    };
    let interfaces = interfaces().into_iter().filter(|(held, _)| held == name);
    let mut found: Vec<IpAddr> = interfaces.map(|(_, ip)| ip).collect();
    let what = if found.is_empty() { "host" } else { "interface" };
    if found.is_empty() {
        // The port is not looked up, but a seed has one.
        let resolved = resolver.resolve(&format!("{name}:9")).await;
        let resolved = resolved.map_err(|why| format!("it is no interface, and {why}"))?;
        found = resolved.into_iter().map(|address| address.ip()).collect();
    }
    let (bound, family) = (bound.ip(), family(bound));
    let fits = |ip: &&IpAddr| bound.is_ipv6() == ip.is_ipv6() || (bound.is_ipv6() && ip.is_ipv4());
    let usable: Vec<&IpAddr> = found.iter().filter(fits).collect();
    let best = usable.iter().find(|ip| leads_out(ip) && ip.is_ipv6() == bound.is_ipv6());
    let ip = best.or_else(|| usable.iter().find(|ip| leads_out(ip))).or(usable.first());
    match ip {
        Some(ip) => Ok((**ip, port).into()),
        None => Err(format!("the {what} {name} has no {family} address, as the bound {bound} is")),
    }
}

/// The family of addresses that others reach a bound address by.
fn family(bound: SocketAddr) -> &'static str {
    if bound.is_ipv6() { "IPv6 or IPv4" } else { "IPv4" }
}

/// The local address that a datagram to `to` would carry. Connecting a UDP socket sends nothing.
fn source_towards(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("a literal address")
    }

    #[test]
    fn a_plain_address_is_advertised_as_it_is() {
        assert_eq!(advertised(addr("127.0.0.1:7946"), None, &[]).unwrap(), addr("127.0.0.1:7946"));
    }

    #[test]
    fn a_given_address_without_port_takes_the_bound_one() {
        let given = Some(addr("10.1.2.3:0"));
        assert_eq!(advertised(addr("0.0.0.0:7000"), given, &[]).unwrap(), addr("10.1.2.3:7000"));
    }

    #[test]
    fn a_wildcard_is_never_advertised() {
        for bound in ["0.0.0.0:7000", "[::]:7000"] {
            match advertised(addr(bound), None, &["127.0.0.1:1".to_owned()]) {
                Ok(address) => {
                    assert!(leads_out(&address.ip()) && address.port() == 7000, "{address}");
                    assert!(addr(bound).is_ipv6() || address.is_ipv4(), "{address} of {bound}");
                }
                // A host without a network.
                Err(error) => assert!(error.to_string().contains(bound), "{error}"),
            }
        }
        let error = advertised(addr("0.0.0.0:1"), Some(addr("0.0.0.0:1")), &[]).unwrap_err();
        assert!(error.to_string().contains("--advertise"), "{error}");
    }

    #[test]
    fn what_no_host_has_is_never_advertised() {
        for nobodys in ["224.0.0.1:1", "255.255.255.255:1", "[ff02::1]:1", "[::ffff:224.0.0.1]:1"] {
            for (bound, given) in [(nobodys, None), ("0.0.0.0:1", Some(addr(nobodys)))] {
                let error = advertised(addr(bound), given, &[]).unwrap_err().to_string();
                assert!(error.contains(nobodys) && error.contains("which no host has"), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn an_address_an_interface_and_a_host_can_be_advertised() {
        let v4 = addr("0.0.0.0:7000");
        let resolver = Resolver::default();
        let named = async |given| named(given, v4, &resolver).await;
        assert_eq!(named("10.1.2.3").await, Ok(addr("10.1.2.3:0")));
        assert_eq!(named("10.1.2.3:5").await, Ok(addr("10.1.2.3:5")));
        assert_eq!(named("localhost:5").await, Ok(addr("127.0.0.1:5")));
        let held = interfaces();
        let (loopback, _) = held.iter().find(|(_, ip)| ip.is_loopback()).expect("loopback");
        assert_eq!(named(loopback).await, Ok(addr("127.0.0.1:0")));
        for wrong in ["", "no such", "eth0:port", "no.such.host.invalid"] {
            assert!(named(wrong).await.is_err(), "{wrong}");
        }
    }
}
