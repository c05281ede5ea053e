//! Which socket errors mean "a datagram was lost", and which reason to book them under.

use std::io::{Error, ErrorKind};

/// Error numbers that std has no [`ErrorKind`] for: no buffer space, message too long, bad
/// descriptor.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod errno {
    pub(super) const ENOBUFS: i32 = 105;
    pub(super) const EMSGSIZE: i32 = 90;
    pub(super) const EBADF: i32 = 9;
}
#[cfg(windows)]
mod errno {
    pub(super) const ENOBUFS: i32 = 10055;
    pub(super) const EMSGSIZE: i32 = 10040;
    pub(super) const EBADF: i32 = 10038; // WSAENOTSOCK
}
#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
mod errno {
    pub(super) const ENOBUFS: i32 = 55;
    pub(super) const EMSGSIZE: i32 = 40;
    pub(super) const EBADF: i32 = 9;
}

/// Why a datagram did not go, or why a receive failed though the socket is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The send buffer or the interface's queue is full.
    BufferFull,
    /// Nobody listens there. Linux and Windows report it on a later call, about an earlier
    /// datagram.
    Refused,
    /// No route, no interface, or an address of a family this socket does not speak.
    Unreachable,
    /// The path carries less than the transport.
    TooLarge,
    /// Anything else, a firewall's refusal and port 0 among it.
    Other,
}

/// The reason behind `error`, or `None` when the socket itself is broken.
///
/// The list of what breaks a socket is short and the list of what a network can do to a datagram is
/// open, hence an unknown error is a loss.
pub(crate) fn classify(error: &Error) -> Option<Loss> {
    match error.raw_os_error() {
        Some(errno::ENOBUFS) => return Some(Loss::BufferFull),
        Some(errno::EMSGSIZE) => return Some(Loss::TooLarge),
        Some(errno::EBADF) => return None,
        _ => {}
    }
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::OutOfMemory => Some(Loss::BufferFull),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Some(Loss::Refused),
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => Some(Loss::Unreachable),
        ErrorKind::BrokenPipe | ErrorKind::NotConnected | ErrorKind::Unsupported => None,
        _ => Some(Loss::Other),
    }
}

/// Whether an error of `accept` says that the listener is gone, rather than that one stream was
/// lost or that a resource is short for now.
pub(crate) fn listener_is_broken(error: &Error) -> bool {
    error.raw_os_error() == Some(errno::EBADF)
        || matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_network_does_to_a_datagram_is_a_loss_with_its_reason() {
        let cases = [
            (ErrorKind::WouldBlock, Loss::BufferFull),
            (ErrorKind::ConnectionRefused, Loss::Refused),
            (ErrorKind::ConnectionReset, Loss::Refused),
            (ErrorKind::HostUnreachable, Loss::Unreachable),
            (ErrorKind::NetworkUnreachable, Loss::Unreachable),
            (ErrorKind::NetworkDown, Loss::Unreachable),
            (ErrorKind::AddrNotAvailable, Loss::Unreachable),
            (ErrorKind::PermissionDenied, Loss::Other),
            (ErrorKind::InvalidInput, Loss::Other),
            (ErrorKind::Interrupted, Loss::Other),
        ];
        for (kind, loss) in cases {
            assert_eq!(classify(&kind.into()), Some(loss), "{kind:?}");
        }
        assert_eq!(classify(&Error::from_raw_os_error(errno::ENOBUFS)), Some(Loss::BufferFull));
        assert_eq!(classify(&Error::from_raw_os_error(errno::EMSGSIZE)), Some(Loss::TooLarge));
    }

    #[test]
    fn a_socket_that_is_gone_is_not_a_loss() {
        assert_eq!(classify(&Error::from_raw_os_error(errno::EBADF)), None);
        assert_eq!(classify(&ErrorKind::BrokenPipe.into()), None);
    }

    #[test]
    fn a_listener_survives_a_lack_of_descriptors_and_peers_that_hung_up() {
        const EMFILE: i32 = 24;
        assert!(!listener_is_broken(&Error::from_raw_os_error(EMFILE)));
        assert!(!listener_is_broken(&ErrorKind::ConnectionAborted.into()));
        assert!(!listener_is_broken(&ErrorKind::NetworkDown.into()));
        assert!(listener_is_broken(&Error::from_raw_os_error(errno::EBADF)));
        assert!(listener_is_broken(&ErrorKind::InvalidInput.into()));
    }
}
