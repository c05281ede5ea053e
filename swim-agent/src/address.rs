//! The address to advertise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::error::SpawnError;

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
    if given.is_some() && address.ip().is_unspecified() {
        let why = "it stands for every address of the host";
        return Err(SpawnError::Advertise { address, why });
    }
    if address.ip().is_unspecified() {
        address.set_ip(outward(bound.ip(), seeds));
    }
    Ok(address)
}

/// A local address of the family of `bound` that leads to others; loopback when there is none, for
/// then nobody beyond this host can be reached anyway.
fn outward(bound: IpAddr, seeds: &[String]) -> IpAddr {
    let seeds = seeds.iter().filter_map(|seed| seed.parse::<SocketAddr>().ok());
    let mut beyond: Vec<IpAddr> = seeds.map(|seed| seed.ip()).collect();
    if bound.is_ipv6() {
        beyond.extend(OUTWARD_V6.map(IpAddr::from));
    }
    // A socket on `[::]` usually carries IPv4 too.
    beyond.extend(OUTWARD_V4.map(IpAddr::from));
    beyond.retain(|to| bound.is_ipv6() || to.is_ipv4());
    let leads_out = |ip: &IpAddr| !ip.is_loopback() && !ip.is_unspecified();
    match beyond.into_iter().filter_map(source_towards).find(leads_out) {
        Some(ip) => ip,
        None if bound.is_ipv6() => Ipv6Addr::LOCALHOST.into(),
        None => Ipv4Addr::LOCALHOST.into(),
    }
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
            let address = advertised(addr(bound), None, &["127.0.0.1:1".to_owned()]).unwrap();
            assert!(!address.ip().is_unspecified() && address.port() == 7000, "{address}");
        }
        let error = advertised(addr("0.0.0.0:1"), Some(addr("0.0.0.0:1")), &[]).unwrap_err();
        assert!(error.to_string().contains("--advertise"), "{error}");
    }
}
