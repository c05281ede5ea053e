//! Removals of members by others, as updates say them: an entry of metadata, since a member that is gone
//! has no other, and who does not know the key takes it for one that left.

use std::collections::HashMap;

use super::card::Card;
use super::directory::Directory;
use super::outbox::name;
use super::{GossipAction, GossipProtocol};
use crate::engine::{Accusers, Removal, Rumor};
use crate::error::RemovalError;
use crate::member::{Member, MemberId, MemberState};

/// What an update says in the place of metadata, if it is of a member that was removed.
pub(super) fn mark(cards: &[Card], rumor: &Rumor) -> Option<HashMap<String, String>> {
    let key = match rumor.removal {
        Removal::No => return None,
        Removal::Removed => Member::REMOVED,
        Removal::Pruned => Member::PRUNED,
    };
    let by = rumor.accusers.iter().next().and_then(|(by, _)| name(cards, by));
    Some(HashMap::from([(key.to_owned(), by.map(|by| by.0).unwrap_or_default())]))
}

/// The rumor with what its metadata says of a removal; `None` if that says nothing of one.
pub(super) fn read(
    directory: &Directory,
    cards: &[Card],
    rumor: Rumor,
    metadata: Option<&HashMap<String, String>>,
) -> Option<Rumor> {
    let metadata = metadata.filter(|_| rumor.state == MemberState::Left)?;
    let removed = metadata.get(Member::REMOVED).map(|by| (Removal::Removed, by));
    let pruned = metadata.get(Member::PRUNED).map(|by| (Removal::Pruned, by));
    let (removal, by) = pruned.or(removed)?;
    let by = directory.find(cards, &MemberId(by.clone()));
    let accusers = by.map(|by| Accusers::one(by, 0)).unwrap_or_default();
    Some(Rumor { accusers, removal, ..rumor })
}

impl GossipProtocol {
    /// Declares another member gone for good, in its place: all members hold it [`MemberState::Left`]
    /// and look for it no more. With `prune` it is shown no more, here at once: what is left of it is
    /// a tombstone that keeps stale news from bringing it back. A member that is alive after all hears
    /// of it, refutes it, and is a member again everywhere; so is one that restarts.
    ///
    /// # Errors
    /// It is this node itself, no member has that name, or this node has left; nothing has changed.
    pub fn force_leave(
        &mut self,
        id: &MemberId,
        prune: bool,
    ) -> Result<Vec<GossipAction>, RemovalError> {
        if self.local_member().state == MemberState::Left {
            return Err(RemovalError::Left);
        }
        let Some(at) = self.find(id) else {
            return Err(RemovalError::Unknown { name: id.0.clone() });
        };
        if at == self.me {
            return Err(RemovalError::Oneself);
        }
        Ok(self.drive(|engine, now, out| engine.force_leave(now, at, prune, out)))
    }
}
