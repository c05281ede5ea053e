//! What foca has told of its members so far.

use foca::Notification;
use swim_core::{Cause, Change, MemberIdx, MemberState, Reason};

use super::identity::FocaId;

/// Members as notifications painted them, and how often the node itself was taken for down.
#[derive(Debug)]
pub(super) struct View {
    me: MemberIdx,
    told: Vec<Option<MemberState>>,
    /// The sum of the hashes of all live names.
    pub(super) hash: u64,
    pub(super) rejoins: u64,
    pub(super) defunct: u64,
}

impl View {
    /// The view of a node that knows itself only.
    pub(super) fn new(me: &FocaId) -> Self {
        let hash = name_hash(&me.name);
        Self { me: me.member(), told: Vec::new(), hash, rejoins: 0, defunct: 0 }
    }

    /// Takes a notification in, and says what changed.
    pub(super) fn notified(&mut self, notification: &Notification<'_, FocaId>) -> Option<Change> {
        match notification {
            Notification::MemberUp(id) => self.change(id, MemberState::Alive),
            Notification::MemberDown(id) => self.change(id, MemberState::Dead),
            // Whether the new identity lives is told apart, unless it does as the old one did.
            Notification::Rename(_, id) if self.is_live(id.member()) => {
                self.change(id, MemberState::Alive)
            }
            Notification::Rejoin(_) => {
                self.rejoins += 1;
                None
            }
            Notification::Defunct => {
                self.defunct += 1;
                None
            }
            Notification::Rename(..) | Notification::Active | Notification::Idle => None,
        }
    }

    /// The node itself is not live any more.
    pub(super) fn left(&mut self, me: &FocaId) {
        self.hash = self.hash.wrapping_sub(name_hash(&me.name));
    }

    fn is_live(&self, member: MemberIdx) -> bool {
        self.told.get(member.0 as usize).copied().flatten().is_some_and(MemberState::is_live)
    }

    fn change(&mut self, id: &FocaId, new: MemberState) -> Option<Change> {
        let member = id.member();
        if member == self.me {
            return None; // A former identity of its own.
        }
        let at = member.0 as usize;
        if self.told.len() <= at {
            self.told.resize(at + 1, None);
        }
        let old = self.told[at].replace(new);
        let hash = name_hash(&id.name);
        match (old.is_some_and(MemberState::is_live), new.is_live()) {
            (false, true) => self.hash = self.hash.wrapping_add(hash),
            (true, false) => self.hash = self.hash.wrapping_sub(hash),
            (true, true) | (false, false) => {}
        }
        let cause = Cause { by: None, reason: Reason::Rumor };
        Some(Change { member, old, hidden: false, new: Some(new), incarnation: id.bump, cause })
    }
}

/// FNV-1a, its bits then mixed so that sums of hashes differ where sets of names do.
fn name_hash(name: &str) -> u64 {
    let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use foca::Identity as _;

    use super::*;

    #[test]
    fn a_renewed_member_is_the_same_one_and_lives_only_if_it_is_said_to() {
        let id = FocaId::new(MemberIdx(3), 1);
        let renewed = id.renew().expect("always");
        let mut view = View::new(&FocaId::new(MemberIdx(0), 1));
        let alone = view.hash;
        let mut tell = |notification| {
            let change = view.notified(&notification).map(|it| (it.old, it.new, it.incarnation));
            (change, view.hash != alone)
        };
        let (alive, dead) = (Some(MemberState::Alive), Some(MemberState::Dead));
        assert_eq!(tell(Notification::MemberUp(&id)), (Some((None, alive, 0)), true));
        let rename = || Notification::Rename(&id, &renewed);
        assert_eq!(tell(rename()), (Some((alive, alive, 1)), true));
        assert_eq!(tell(Notification::MemberDown(&renewed)), (Some((alive, dead, 1)), false));
        assert_eq!(tell(rename()), (None, false));
        assert_eq!(tell(Notification::MemberUp(&renewed)), (Some((dead, alive, 1)), true));
    }
}
