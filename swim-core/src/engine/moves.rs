//! Members that moved while they were held live: where they lived before. It may have been a restart; or
//! two nodes of one name, if one is heard from there again, or moves back.

use std::collections::VecDeque;

use super::Engine;
use super::membership::Heard;
use super::message::{MemberIdx, Rumor};
use super::output::{Output, Profile};
use crate::time::Time;

/// Moves that are remembered.
const MAX_MOVES: usize = 32;

/// The latest moves, the oldest first.
#[derive(Debug, Clone)]
pub(super) struct Moves<A> {
    from: VecDeque<(MemberIdx, A, Time)>,
}

impl<A> Default for Moves<A> {
    fn default() -> Self {
        Self { from: VecDeque::new() }
    }
}

impl<A: PartialEq> Moves<A> {
    /// Since when a member does not live there any more, if it moved away.
    pub(super) fn lived(&self, member: MemberIdx, at: A) -> Option<Time> {
        let same = |(moved, from, _): &&(MemberIdx, A, Time)| *moved == member && *from == at;
        self.from.iter().find(same).map(|(_, _, since)| *since)
    }

    /// Remembers where a member lived until now, and no longer that it once lived where it does now.
    pub(super) fn note(&mut self, now: Time, member: MemberIdx, from: A, to: &A) {
        if from == *to {
            return;
        }
        self.from.retain(|(moved, lived, _)| *moved != member || (lived != to && *lived != from));
        if self.from.len() >= MAX_MOVES {
            self.from.pop_front();
        }
        self.from.push_back((member, from, now));
    }

    /// The member is gone: its index may soon be another's.
    pub(super) fn forget(&mut self, member: MemberIdx) {
        self.from.retain(|(moved, ..)| *moved != member);
    }
}

impl<P: Profile> Engine<P> {
    /// A live member lives elsewhere now. One that is back where it lived a moment ago is two.
    pub(super) fn moved<O: Output<P>>(
        &mut self,
        now: Time,
        heard: &Heard<P::Address>,
        rumor: &Rumor,
        from: P::Address,
        out: &mut O,
    ) {
        let (member, to) = (rumor.member, self.table.address(rumor.member));
        if from == to {
            return;
        }
        let recent = |left| now.since(left) <= self.config.dead_retention;
        let twins = self.moves.lived(member, to).is_some_and(recent);
        self.moves.note(now, member, from, &to);
        if twins {
            out.claimed(from);
            let by = heard.source.member;
            self.report_conflict(member, rumor.incarnation, None, by, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MemberIdx = MemberIdx(1);
    const OTHER: MemberIdx = MemberIdx(2);

    #[test]
    fn where_a_member_lived_is_known_until_it_is_back_there() {
        let mut moves = Moves::default();
        moves.note(Time(1), ONE, 10, &20);
        moves.note(Time(2), OTHER, 10, &20);
        moves.note(Time(3), ONE, 20, &30);
        moves.note(Time(4), ONE, 30, &30);
        assert_eq!(
            [10, 20, 30].map(|at| moves.lived(ONE, at)),
            [Some(Time(1)), Some(Time(3)), None]
        );
        moves.note(Time(5), ONE, 30, &10);
        assert_eq!(
            [10, 20, 30].map(|at| moves.lived(ONE, at)),
            [None, Some(Time(3)), Some(Time(5))]
        );
        moves.note(Time(6), ONE, 10, &20);
        moves.note(Time(7), ONE, 20, &30);
        assert_eq!([10, 20].map(|at| moves.lived(ONE, at)), [Some(Time(6)), Some(Time(7))]);
        assert_eq!([10, 20].map(|at| moves.lived(OTHER, at)), [Some(Time(2)), None]);
        moves.forget(ONE);
        assert_eq!(moves.lived(ONE, 10), None);
        assert_eq!(moves.lived(OTHER, 10), Some(Time(2)));
    }

    #[test]
    fn the_latest_thirty_two_moves_are_remembered() {
        let mut moves = Moves::default();
        for at in 0..40 {
            moves.note(Time(at), ONE, at, &(at + 1));
        }
        let known: Vec<_> = (0..40).filter(|at| moves.lived(ONE, *at).is_some()).collect();
        assert_eq!(known, (8..40).collect::<Vec<_>>());
    }
}
