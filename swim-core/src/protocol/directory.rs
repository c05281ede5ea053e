//! Names and addresses to indices and back.
//!
//! The tables hold indices only and compare by looking at the card: a name is kept once. They are
//! never iterated, so their random order shows nowhere; it keeps hostile names from colliding.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;

use hashbrown::HashTable;

use super::card::Card;
use crate::engine::MemberIdx;
use crate::member::{Member, MemberId};

/// Which index stands for which name, and who lives where.
#[derive(Debug)]
pub(super) struct Directory {
    by_name: HashTable<u32>,
    by_address: HashTable<u32>,
    hasher: RandomState,
    /// Names that a message brought and the engine has not taken in so far.
    pending: BTreeMap<u32, MemberId>,
    vacant: Vec<u32>,
    next: u32,
}

fn card(cards: &[Card], at: u32) -> Option<&Member> {
    cards.get(at as usize).and_then(Card::member)
}

impl Directory {
    pub(super) fn new() -> Self {
        Self {
            by_name: HashTable::new(),
            by_address: HashTable::new(),
            hasher: RandomState::default(),
            pending: BTreeMap::new(),
            vacant: Vec::new(),
            next: 0,
        }
    }

    /// How many names have an index.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The index of a known name.
    pub(super) fn find(&self, cards: &[Card], name: &MemberId) -> Option<MemberIdx> {
        let hash = self.hasher.hash_one(name);
        let same = |&at: &u32| match card(cards, at) {
            Some(member) => member.id == *name,
            None => self.pending.get(&at) == Some(name),
        };
        self.by_name.find(hash, same).copied().map(MemberIdx)
    }

    /// The index of a name; a new one gets an index that lasts if the engine takes it in.
    pub(super) fn intern(&mut self, cards: &[Card], name: &MemberId) -> MemberIdx {
        if let Some(member) = self.find(cards, name) {
            return member;
        }
        let at = self.vacant.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.pending.insert(at, name.clone());
        let Self { by_name, hasher, pending, .. } = self;
        let hash = hasher.hash_one(name);
        by_name.insert_unique(hash, at, |&at| match card(cards, at) {
            Some(member) => hasher.hash_one(&member.id),
            None => hasher.hash_one(&pending[&at]),
        });
        MemberIdx(at)
    }

    /// The live member at an address, else any member there.
    pub(super) fn at(&self, cards: &[Card], address: &SocketAddr) -> Option<MemberIdx> {
        self.at_of(cards, address, |_| true)
    }

    /// Likewise, of those that count.
    pub(super) fn at_of(
        &self,
        cards: &[Card],
        address: &SocketAddr,
        counts: impl Fn(MemberIdx) -> bool,
    ) -> Option<MemberIdx> {
        let hash = self.hasher.hash_one(address);
        let there = |at: u32| card(cards, at).filter(|member| member.address == *address);
        let live = |&at: &u32| there(at).is_some_and(|member| member.state.is_live());
        let any = |&at: &u32| there(at).is_some() && counts(MemberIdx(at));
        let found = self.by_address.find(hash, live).or_else(|| self.by_address.find(hash, any));
        found.copied().map(MemberIdx)
    }

    /// A card came or changed: notes where its member lives now, and no longer where it lived.
    pub(super) fn moved(&mut self, cards: &[Card], member: MemberIdx, from: Option<SocketAddr>) {
        let Some(address) = card(cards, member.0).map(|member| member.address) else { return };
        if from == Some(address) {
            return;
        }
        if let Some(from) = from {
            self.leave_address(member, &from);
        }
        let Self { by_address, hasher, .. } = self;
        let rehash =
            |&at: &u32| card(cards, at).map_or(0, |member| hasher.hash_one(member.address));
        by_address.insert_unique(hasher.hash_one(address), member.0, rehash);
    }

    fn leave_address(&mut self, member: MemberIdx, address: &SocketAddr) {
        let hash = self.hasher.hash_one(address);
        if let Ok(entry) = self.by_address.find_entry(hash, |&at| at == member.0) {
            entry.remove();
        }
    }

    /// Frees the index of a member whose card is about to go.
    pub(super) fn forget(&mut self, cards: &[Card], member: MemberIdx) {
        let Some(gone) = card(cards, member.0) else { return };
        self.leave_address(member, &gone.address);
        self.free(&gone.id, member.0);
    }

    /// After a message: names that the engine did not take in are forgotten.
    pub(super) fn settle(&mut self, cards: &[Card]) {
        // The lowest index is freed last and used first: tables stay dense.
        while let Some((at, name)) = self.pending.pop_last() {
            if card(cards, at).is_none() {
                self.free(&name, at);
            }
        }
    }

    fn free(&mut self, name: &MemberId, at: u32) {
        let hash = self.hasher.hash_one(name);
        if let Ok(entry) = self.by_name.find_entry(hash, |&held| held == at) {
            entry.remove();
            self.vacant.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_not_taken_in_leave_the_lowest_index_to_the_next() {
        let mut directory = Directory::new();
        for name in 0..100 {
            directory.intern(&[], &MemberId(format!("unknown-{name}")));
        }
        directory.settle(&[]);
        assert_eq!(directory.intern(&[], &MemberId::from("newcomer")), MemberIdx(0));
    }
}
