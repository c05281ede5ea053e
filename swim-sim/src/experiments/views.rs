//! How far views have grown, and whether they agree.

use swim_core::{MemberIdx, Time};

use crate::node::{Io, Node};
use crate::world::{Moment, Watch, World};

/// Whether all running nodes hold the same members live, and so many.
pub(super) fn agree<N: Node, W: Watch<N>>(world: &World<N, W>, live: usize) -> bool {
    let Some((_, first)) = world.running().next() else { return live == 0 };
    let hash = first.view_hash();
    world.running().all(|(_, node)| node.live_count() == live && node.view_hash() == hash)
}

/// Notes when the view of one node has grown to half of a size, and to all of it.
#[derive(Debug, Default)]
pub(super) struct Growth {
    of: Option<MemberIdx>,
    size: usize,
    since: Time,
    /// After so many seconds it had half.
    pub(super) half: Option<f64>,
    /// After so many seconds it had all.
    pub(super) all: Option<f64>,
}

impl Growth {
    /// From now on the view of this node is followed, up to `size` members.
    pub(super) fn follow(&mut self, of: MemberIdx, size: usize, now: Time) {
        *self = Self { of: Some(of), size, since: now, ..Self::default() };
    }
}

impl<N: Node> Watch<N> for Growth {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, _: &Io<N::Packet>) {
        if self.of != Some(at) || self.all.is_some() {
            return;
        }
        let passed = moment.now.since(self.since).as_secs_f64();
        let live = node.live_count();
        if 2 * live >= self.size {
            self.half.get_or_insert(passed);
        }
        if live >= self.size {
            self.all = Some(passed);
        }
    }
}

/// Counts how many pairs of members know of each other.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    views: Vec<usize>,
    known: usize,
    nodes: usize,
    /// When half of all pairs were known, 99 % of them, and all.
    pub(super) reached: [Option<Time>; 3],
}

impl Pairs {
    /// For a cluster of `nodes` in the end.
    pub(super) fn of(nodes: u32) -> Self {
        Self { nodes: nodes as usize, ..Self::default() }
    }

    /// The share of all ordered pairs in which the first knows of the second.
    pub(super) fn share(&self) -> f64 {
        self.known as f64 / (self.nodes * (self.nodes - 1)) as f64
    }
}

impl<N: Node> Watch<N> for Pairs {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, _: &Io<N::Packet>) {
        let index = at.0 as usize;
        if self.views.len() <= index {
            self.views.resize(index + 1, 0);
        }
        // Nobody need be told of itself.
        let others = node.live_count().saturating_sub(1);
        let before = std::mem::replace(&mut self.views[index], others);
        if before == others {
            return;
        }
        self.known = self.known + others - before;
        let all = self.nodes * (self.nodes - 1);
        let goals = [all.div_ceil(2), (all * 99).div_ceil(100), all];
        for (reached, goal) in self.reached.iter_mut().zip(goals) {
            if self.known >= goal {
                reached.get_or_insert(moment.now);
            }
        }
    }
}
