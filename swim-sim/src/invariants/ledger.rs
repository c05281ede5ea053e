//! What nodes hold of members, as their changes say.

use std::collections::BTreeMap;

use swim_core::{Change, Incarnation, MemberIdx, MemberState, Time};

use super::Observed;
use crate::world::Moment;

/// Something for each node; what is new of it is the default.
#[derive(Debug, Default)]
pub(super) struct PerNode<T>(Vec<T>);

impl<T: Default> PerNode<T> {
    pub(super) fn of(&mut self, node: MemberIdx) -> &mut T {
        let at = node.0 as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, T::default);
        }
        &mut self.0[at]
    }

    pub(super) fn reset(&mut self, node: MemberIdx) {
        *self.of(node) = T::default();
    }
}

/// What a node holds of a member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) state: MemberState,
    pub(super) incarnation: Incarnation,
    /// Since when it is so held.
    pub(super) since: Time,
}

#[derive(Debug, Default)]
struct View {
    records: BTreeMap<MemberIdx, Record>,
    live: usize,
}

impl View {
    fn replace(&mut self, member: MemberIdx, record: Option<Record>) -> Option<Record> {
        let live = |record: Option<&Record>| usize::from(record.is_some_and(|r| r.state.is_live()));
        self.live += live(record.as_ref());
        let before = match record {
            Some(record) => self.records.insert(member, record),
            None => self.records.remove(&member),
        };
        self.live -= live(before.as_ref());
        before
    }
}

/// The records of all nodes.
#[derive(Debug, Default)]
pub(super) struct Ledger(PerNode<View>);

impl Ledger {
    /// Enters a change; what was held before comes back.
    pub(super) fn enter(&mut self, now: Time, at: MemberIdx, change: &Change) -> Option<Record> {
        let &Change { member, incarnation, .. } = change;
        let record = change.new.map(|state| Record { state, incarnation, since: now });
        self.0.of(at).replace(member, record)
    }

    /// Enters what a node holds without having said so: whom it was given as known.
    pub(super) fn complete<N: Observed>(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N) {
        let view = self.0.of(at);
        if view.live == node.live_count() {
            return;
        }
        for (member, _) in moment.truth.iter() {
            if view.records.contains_key(&member) {
                continue;
            }
            if let Some((state, incarnation)) = node.state(member).zip(node.incarnation_of(member))
            {
                view.replace(member, Some(Record { state, incarnation, since: moment.now }));
            }
        }
    }

    /// The node starts anew.
    pub(super) fn forget(&mut self, at: MemberIdx) {
        self.0.reset(at);
    }
}
