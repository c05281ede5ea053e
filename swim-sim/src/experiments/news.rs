//! How news of one member reaches the others: whoever looks on for an experiment.

use swim_core::{Change, MemberIdx, MemberState, Time};

use crate::node::{Io, Node};
use crate::world::{Moment, Watch};

/// What the news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    /// It is there, or there again.
    #[default]
    Alive,
    /// It is suspected.
    Suspected,
    /// It is dead or has left.
    Gone,
}

impl Kind {
    fn is_told_by(self, change: &Change) -> bool {
        match self {
            Self::Alive => change.new == Some(MemberState::Alive),
            Self::Suspected => change.new == Some(MemberState::Suspect),
            Self::Gone => !change.new.is_some_and(MemberState::is_live),
        }
    }
}

/// Notes when each node first hears news of one member.
#[derive(Debug, Default)]
pub(super) struct News {
    about: Option<MemberIdx>,
    kind: Kind,
    since: Time,
    heard: Vec<bool>,
    seconds: Vec<f64>,
}

impl News {
    /// From now on, news of this kind about this member is followed.
    pub(super) fn follow(&mut self, about: MemberIdx, kind: Kind, now: Time) {
        *self = Self { about: Some(about), kind, since: now, ..Self::default() };
    }

    /// After how many seconds each of those who have heard it first did, ascending.
    pub(super) fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    /// After how many seconds so many percent of `others` had heard it, if they have.
    pub(super) fn reached(&self, percent: usize, others: usize) -> Option<f64> {
        let count = (others * percent).div_ceil(100);
        self.seconds.get(count.max(1) - 1).copied()
    }
}

impl<N: Node> Watch<N> for News {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, _: &N, io: &Io<N::Packet>) {
        let Some(about) = self.about.filter(|about| *about != at) else { return };
        if !io.changes.iter().any(|it| it.member == about && self.kind.is_told_by(it)) {
            return;
        }
        let index = at.0 as usize;
        if self.heard.len() <= index {
            self.heard.resize(index + 1, false);
        }
        if !std::mem::replace(&mut self.heard[index], true) {
            self.seconds.push(moment.now.since(self.since).as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_others_is_rounded_up() {
        let news = News { seconds: vec![0.1, 0.2, 0.3], ..News::default() };
        assert_eq!(news.reached(50, 3), Some(0.2));
        assert_eq!(news.reached(99, 3), Some(0.3));
        assert_eq!(news.reached(99, 4), None);
        assert_eq!(News::default().reached(50, 3), None);
    }
}
