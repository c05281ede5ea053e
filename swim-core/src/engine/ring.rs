//! The shuffled round robin over live members (SWIM, section 4.3), one step at a time.
//!
//! Each pass is a fresh permutation, drawn while it is walked: what is probed next is a random one
//! of those not yet probed in this pass. So a newcomer's place is random wherever it is put, and no
//! step costs O(n).

use super::message::MemberIdx;
use super::table::make_room;
use crate::rng::SwimRng;

/// Tells the owner of the records where a member stands now.
pub(super) type Moved<'a> = &'a mut dyn FnMut(MemberIdx, u32);

/// Members before `cursor` were probed in this pass. Every member is probed within 2n - 1 steps.
#[derive(Debug, Default, Clone)]
pub(super) struct Ring {
    order: Vec<MemberIdx>,
    cursor: usize,
    /// Members right after `cursor` that come next, in this order.
    promoted: usize,
}

impl Ring {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn members(&self) -> &[MemberIdx] {
        &self.order
    }

    /// Makes room for so many members.
    pub(super) fn reserve(&mut self, members: usize) {
        make_room(&mut self.order, members);
    }

    /// Adds a member among those still to be probed in this pass.
    pub(super) fn insert(&mut self, member: MemberIdx, moved: Moved<'_>) {
        moved(member, self.order.len() as u32);
        self.order.push(member);
    }

    /// Takes the member at `place` out.
    pub(super) fn remove(&mut self, place: u32, moved: Moved<'_>) {
        let mut hole = place as usize;
        if hole >= self.order.len() {
            return;
        }
        if hole < self.cursor {
            self.cursor -= 1;
            self.swap(hole, self.cursor, moved);
            self.swap(self.cursor, self.cursor + self.promoted, moved);
            hole = self.cursor + self.promoted;
        } else if hole < self.cursor + self.promoted {
            self.promoted -= 1;
            self.swap(hole, self.cursor + self.promoted, moved);
            hole = self.cursor + self.promoted;
        }
        let last = self.order.len() - 1;
        self.swap(hole, last, moved);
        self.order.pop();
    }

    /// The next member to probe.
    pub(super) fn next(&mut self, rng: &mut SwimRng, moved: Moved<'_>) -> Option<MemberIdx> {
        if self.cursor >= self.order.len() {
            self.cursor = 0;
        }
        let left = self.order.len() - self.cursor;
        if left == 0 {
            return None;
        }
        if self.promoted > 0 {
            self.promoted -= 1;
        } else {
            let chosen = self.cursor + rng.below(left);
            self.swap(self.cursor, chosen, moved);
        }
        self.cursor += 1;
        Some(self.order[self.cursor - 1])
    }

    /// Makes the member at `place` one of the next to be probed, if this pass has not had it yet.
    pub(super) fn promote(&mut self, place: u32, moved: Moved<'_>) {
        let (place, front) = (place as usize, self.cursor + self.promoted);
        if place >= front && place < self.order.len() {
            self.swap(place, front, moved);
            self.promoted += 1;
        }
    }

    fn swap(&mut self, a: usize, b: usize, moved: Moved<'_>) {
        self.order.swap(a, b);
        moved(self.order[a], a as u32);
        moved(self.order[b], b as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// A ring and what its owner knows of places.
    #[derive(Default)]
    struct Owned {
        ring: Ring,
        places: BTreeMap<MemberIdx, u32>,
    }

    impl Owned {
        fn insert(&mut self, member: u32) {
            let places = &mut self.places;
            self.ring.insert(MemberIdx(member), &mut |m, p| _ = places.insert(m, p));
        }

        fn remove(&mut self, member: u32) {
            let place = self.places[&MemberIdx(member)];
            let places = &mut self.places;
            self.ring.remove(place, &mut |m, p| _ = places.insert(m, p));
            self.places.remove(&MemberIdx(member));
        }

        fn next(&mut self, rng: &mut SwimRng) -> Option<u32> {
            let places = &mut self.places;
            self.ring.next(rng, &mut |m, p| _ = places.insert(m, p)).map(|m| m.0)
        }

        fn promote(&mut self, member: u32) {
            let place = self.places[&MemberIdx(member)];
            let places = &mut self.places;
            self.ring.promote(place, &mut |m, p| _ = places.insert(m, p));
        }

        fn check(&self) {
            for (place, member) in self.ring.members().iter().enumerate() {
                assert_eq!(self.places[member], place as u32);
            }
            assert_eq!(self.places.len(), self.ring.len());
        }
    }

    #[test]
    fn each_pass_probes_everyone_once_in_another_order() {
        let mut owned = Owned::default();
        (0..20).for_each(|member| owned.insert(member));
        let mut rng = SwimRng::new(1);
        let mut orders = BTreeSet::new();
        for _ in 0..10 {
            let pass: Vec<_> = (0..20).map(|_| owned.next(&mut rng).unwrap()).collect();
            assert_eq!(pass.iter().collect::<BTreeSet<_>>().len(), 20);
            orders.insert(pass);
        }
        assert_eq!(orders.len(), 10);
    }

    #[test]
    fn a_promoted_member_comes_next() {
        let mut owned = Owned::default();
        (0..50).for_each(|member| owned.insert(member));
        let mut rng = SwimRng::new(2);
        owned.promote(41);
        owned.promote(17);
        assert_eq!((owned.next(&mut rng), owned.next(&mut rng)), (Some(41), Some(17)));
    }

    #[test]
    fn nobody_waits_longer_than_two_passes_under_churn() {
        let mut rng = SwimRng::new(3);
        let mut owned = Owned::default();
        (0..10).for_each(|member| owned.insert(member));
        let mut waited = BTreeMap::from_iter((0..10u32).map(|member| (member, 0usize)));
        let mut newest = 10;
        for step in 0..5_000 {
            if step % 7 == 0 && owned.ring.len() < 40 {
                owned.insert(newest);
                waited.insert(newest, 0);
                newest += 1;
            }
            if step % 11 == 0 && owned.ring.len() > 5 {
                let at = rng.below(owned.ring.len());
                let member = owned.ring.members()[at].0;
                owned.remove(member);
                waited.remove(&member);
            }
            if step % 13 == 0 {
                let at = rng.below(owned.ring.len());
                let member = owned.ring.members()[at].0;
                owned.promote(member);
            }
            owned.check();
            let next = owned.next(&mut rng).unwrap();
            waited.values_mut().for_each(|steps| *steps += 1);
            waited.insert(next, 0);
            // A pass takes in those who come while it lasts, here one every seven steps.
            assert!(waited.values().all(|&steps| steps < 2 * 40 * 7 / 6), "step {step}");
        }
    }

    #[test]
    fn who_goes_leaves_those_that_were_promoted_in_their_turn() {
        for (begun, gone) in (0..12).flat_map(|begun| [41, 17, 5, 50].map(|gone| (begun, gone))) {
            let mut owned = Owned::default();
            (0..50).for_each(|member| owned.insert(member));
            let mut rng = SwimRng::new(4);
            let mut seen: Vec<_> = (0..begun).map(|_| owned.next(&mut rng).unwrap()).collect();
            let promoted: Vec<_> =
                [41, 17, 5].into_iter().filter(|it| !seen.contains(it)).collect();
            promoted.iter().for_each(|&member| owned.promote(member));
            // One of them, or one whose turn is over.
            let gone = if gone == 50 { seen.first().copied() } else { Some(gone) };
            let Some(gone) = gone.filter(|it| promoted.contains(it) || seen.contains(it)) else {
                continue;
            };
            owned.remove(gone);
            owned.check();
            seen.retain(|it| *it != gone);
            let left = 49 - seen.len();
            let rest: Vec<_> = (0..left).map(|_| owned.next(&mut rng).unwrap()).collect();
            let first: BTreeSet<_> = promoted.into_iter().filter(|it| *it != gone).collect();
            let next: BTreeSet<_> = rest[..first.len()].iter().copied().collect();
            assert_eq!(next, first, "{begun} before, {gone} gone");
            seen.extend(rest);
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 49, "all, and each once");
        }
    }
}
