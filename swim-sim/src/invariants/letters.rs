//! What letters hold.

use swim_core::Rumor;

use crate::node::Sent;
use crate::nodes::swim::{Item, Letter};

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
