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

/// What one call wants sent: consecutive messages to one address share a packet; some go by stream, and
/// what goes to where a stream came from goes back on that.
pub(super) fn packets(node: usize, actions: Vec<GossipAction>) -> Vec<Flight> {
    use GossipMessage::{Fetch, Held, Notices, Sync, SyncRequest};
    let mut packets: Vec<Flight> = Vec::new();
    for action in actions {
        let (to, message, by_stream) = match action {
            GossipAction::Send { to, message } => {
                let by_stream = matches!(
                    message,
                    Sync { .. } | SyncRequest { .. } | Fetch { .. } | Held { .. }
                );
                (to, message, by_stream)
            }
            GossipAction::SendByStream { to, message } => (to, message, true),
            _ => continue,
        };
        let from = if by_stream && to.port() == GOSSIP { stream(node) } else { home(node) };
        // Notices are believed by the address that they come from, which a stream does not show.
        let tells = matches!(message, Notices { .. });
        match packets.last_mut() {
            Some(last) if last.to == to && !(tells && last.from != from) => {
                if from == stream(node) && !last.messages.iter().any(is_notices) {
                    last.from = from;
                }
                last.messages.push(message);
            }
            _ => packets.push(Flight { from, to, messages: vec![message] }),
        }
    }
    packets
}

fn is_notices(message: &GossipMessage) -> bool {
    matches!(message, GossipMessage::Notices { .. })
}
