//! Addresses as people write them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use swim_agent::Seed;
use swim_core::MemberId;

/// Checks `HOST:PORT`; the host is looked up when it is needed.
pub(super) fn host_port(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse().is_ok_and(|port: u16| port > 0) => {
            Ok(text.to_owned())
        }
        _ => Err("expected HOST:PORT, such as node-1:7946".to_owned()),
    }
}

/// Checks whom to join through; it is looked up when it is needed.
pub(crate) fn seed(text: &str) -> Result<String, String> {
    text.parse::<Seed>().map(|_| text.to_owned())
}

/// Checks a name that agents of a segment announce.
pub(crate) fn group(text: &str) -> Result<String, String> {
    match format!("mdns:{text}").parse::<Seed>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected 1 to 63 letters, digits, - and _".to_owned()),
    }
}

/// Parses `IP:PORT`.
pub(super) fn ip_port(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected IP:PORT, such as 127.0.0.1:7946 or [::1]:7946".to_owned())
}

/// Parses `IP:PORT` of an agent, which one host has or every address of it.
pub(super) fn bind(text: &str) -> Result<SocketAddr, String> {
    let address = ip_port(text)?;
    let why = no_host(address.ip()).filter(|_| !address.ip().is_unspecified());
    why.map_or(Ok(address), |why| Err(why.to_owned()))
}

/// Why an address is that of no one host, if so. The library refuses it too; here it is told with where it stands.
pub(super) fn no_host(ip: IpAddr) -> Option<&'static str> {
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

/// What stands before the path of a Unix socket.
pub(super) const UNIX: &str = "unix:";

/// Checks `HOST:PORT` of an admin endpoint, which may be written as a URL too, or `unix:/PATH`.
pub(super) fn admin(text: &str) -> Result<String, String> {
    if text.starts_with(UNIX) {
        return text.parse::<HttpAddr>().map(|_| text.to_owned());
    }
    host_port(text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/'))
}

/// Where to serve the admin endpoint, if at all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum HttpAddr {
    /// Nowhere.
    None,
    /// On a port.
    Tcp(SocketAddr),
    /// On a Unix socket.
    Unix(PathBuf),
}

impl FromStr for HttpAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        match text.strip_prefix(UNIX) {
            Some(_) if cfg!(not(unix)) => Err("this system has no Unix sockets".to_owned()),
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err("expected unix: and an absolute path".to_owned()),
            None => {
                let expected = |_| "expected IP:PORT, unix:/PATH or none".to_owned();
                text.parse().map(Self::Tcp).map_err(expected)
            }
        }
    }
}

impl fmt::Display for HttpAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl TryFrom<String> for HttpAddr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|error| format!("{error}, not {text:?}"))
    }
}

/// A member's name, of a length that one can have.
pub(super) fn member(text: &str) -> Result<String, String> {
    let max = MemberId::MAX_LEN;
    match text.len() {
        len if len == 0 || len > max => {
            Err(format!("a name of {len} bytes is not within 1 to {max} bytes"))
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{HttpAddr, admin, host_port};

    #[test]
    fn an_admin_address_may_be_a_url() {
        assert_eq!(admin("http://node-1:80/").unwrap(), "node-1:80");
        assert_eq!(admin("[::1]:7373").unwrap(), "[::1]:7373");
    }

    #[test]
    fn an_address_without_a_port_is_refused() {
        for wrong in ["", "node-1", ":7373", "node-1:", "node-1:0", "node-1:70000"] {
            assert!(host_port(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_admin_endpoint_can_be_switched_off() {
        assert_eq!("none".parse(), Ok(HttpAddr::None));
        assert!(matches!("127.0.0.1:0".parse(), Ok(HttpAddr::Tcp(_))));
        for wrong in ["localhost:1", "unix:", "unix:socket", "/socket"] {
            assert!(wrong.parse::<HttpAddr>().is_err(), "{wrong}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn an_address_may_be_a_socket() {
        for text in ["unix:/run/swim.sock", "127.0.0.1:7373"] {
            assert_eq!(text.parse::<HttpAddr>().unwrap().to_string(), text);
            assert_eq!(admin(text).unwrap(), text);
        }
    }
}
