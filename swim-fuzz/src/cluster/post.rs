//! Packets, as the agent's driver makes them of what a node wants sent.

use std::net::SocketAddr;

use swim_core::{GossipAction, GossipMessage};

/// A packet under way.
#[derive(Clone)]
pub(super) struct Flight {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) messages: Vec<GossipMessage>,
}

const GOSSIP: u16 = 7946;
const STREAMS: u16 = 40_000;

/// Where a node lives.
pub(super) fn home(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, node as u8 + 1], GOSSIP))
}

/// Where its streams come from.
fn stream(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, node as u8 + 1], STREAMS))
}

/// Whose address this is.
pub(super) fn node(address: SocketAddr) -> Option<usize> {
    (0..256).find(|&node| address == home(node) || address == stream(node))
}

/// One that may still grow.
struct Open {
    flight: Flight,
    /// Whether it was to go by stream whatever it holds: nothing else goes along.
    apart: bool,
    /// Whether it tells notices, which are believed by the address that they come from; a stream does not show it.
    tells: bool,
}

impl Flight {
    /// Whether it goes by stream, be it as an answer.
    pub(super) fn is_by_stream(&self) -> bool {
        self.from.port() == STREAMS || self.to.port() == STREAMS
    }
}

/// What one call wants sent: consecutive messages to one address share a packet, but for what is to go by
/// a stream of its own; some go by stream, and what goes to where a stream came from goes back on that.
pub(super) fn packets(node: usize, actions: Vec<GossipAction>) -> Vec<Flight> {
    use GossipMessage::{Fetch, Held, Notices, Sync, SyncRequest};
    let mut packets: Vec<Open> = Vec::new();
    for action in actions {
        let (to, message, apart) = match action {
            GossipAction::Send { to, message } => (to, message, false),
            // Nobody listens where streams come from.
            GossipAction::SendByStream { to, message } if to.port() == GOSSIP => {
                (to, message, true)
            }
            _ => continue,
        };
        let large =
            matches!(message, Sync { .. } | SyncRequest { .. } | Fetch { .. } | Held { .. });
        let by_stream = (apart || large) && to.port() == GOSSIP;
        let tells = matches!(message, Notices { .. });
        let joins = |open: &&mut Open| {
            let goes = open.flight.from == stream(node);
            let differ = open.tells && by_stream || tells && goes;
            open.flight.to == to && open.apart == apart && !differ
        };
        match packets.last_mut().filter(joins) {
            Some(open) => {
                if by_stream {
                    open.flight.from = stream(node);
                }
                open.tells |= tells;
                open.flight.messages.push(message);
            }
            None => {
                let from = if by_stream { stream(node) } else { home(node) };
                let flight = Flight { from, to, messages: vec![message] };
                packets.push(Open { flight, apart, tells });
            }
        }
    }
    packets.into_iter().map(|open| open.flight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use swim_core::MemberId;

    #[test]
    fn what_goes_by_a_stream_of_its_own_takes_nothing_along() {
        let to = home(1);
        let ping = |seq| GossipMessage::Ping { seq, from: MemberId("a".into()) };
        let send = |seq| GossipAction::Send { to, message: ping(seq) };
        let apart = |seq| GossipAction::SendByStream { to, message: ping(seq) };
        let request = GossipMessage::SyncRequest { from: MemberId("a".into()) };
        let large = GossipAction::Send { to, message: request };
        let sent = packets(0, vec![send(1), apart(2), apart(3), send(4), large]);
        let sent = sent.iter().map(|it| (it.is_by_stream(), it.messages.len()));
        assert_eq!(sent.collect::<Vec<_>>(), [(false, 1), (true, 2), (true, 2)]);
    }
}
