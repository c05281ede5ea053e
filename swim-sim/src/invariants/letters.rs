//! What letters hold.

use swim_core::Rumor;

use crate::node::{Sent, Via};
use crate::nodes::swim::{Item, Letter};

/// Each `Gossip` of a letter.
pub(super) fn gossips(letter: &Letter) -> impl Iterator<Item = &[Rumor]> {
    letter.items.iter().filter_map(|item| match item {
        Item::Gossip(at) => letter.rumors.get(at.clone()),
        _ => None,
    })
}

/// All that a letter says of members, in gossip and in anti-entropy.
pub(super) fn rumors(letter: &Letter) -> impl Iterator<Item = &Rumor> {
    letter
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Gossip(at) | Item::Sync(at) | Item::Delta { updates: at, .. } => {
                letter.rumors.get(at.clone())
            }
            _ => None,
        })
        .flatten()
}

/// Whether a packet asks for an answer.
pub(super) fn is_ping(sent: &Sent<Letter>) -> bool {
    sent.packet.items.iter().any(|item| matches!(item, Item::Ping { .. }))
}

/// Whether a packet is a datagram of nothing but gossip.
pub(super) fn is_gossip(sent: &Sent<Letter>) -> bool {
    let gossip = |item: &Item| matches!(item, Item::Gossip(_));
    sent.via == Via::Datagram && sent.packet.items.iter().all(gossip)
}
