//! A min-max heap (Atkinson, Sack, Santoro, Strothotte 1986) whose entries can be removed by
//! handle.
//!
//! Deadlines take the least and cancel any; a full broadcast queue also drops the greatest.
//! Neither may allocate in steady state, which rules out a `BTreeMap`; stale entries left in a
//! plain heap would be unbounded growth.

use std::cmp::Ordering;

/// Names an entry until it is removed; later uses do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle {
    slot: u32,
    generation: u32,
}

#[derive(Debug, Clone)]
struct Slot<K, V> {
    key: K,
    value: V,
    /// Place in `order`, or [`FREE`].
    place: u32,
    /// Which push it holds the entry of: what an old handle names is not it.
    generation: u32,
}

const FREE: u32 = u32::MAX;

impl Handle {
    /// The slot alone, for owners that have room for no more and drop it with the entry.
    pub(super) fn slot(self) -> u32 {
        self.slot
    }
}

/// Entries by key; both ends are at hand.
#[derive(Debug, Clone)]
pub(super) struct Heap<K, V> {
    slots: Vec<Slot<K, V>>,
    /// Slots by place in the tree: on even levels no key is above those below it, on odd levels
    /// none is under them.
    order: Vec<u32>,
    free: Vec<u32>,
    /// Pushes so far.
    generation: u32,
}

impl<K: Copy + Ord, V: Copy> Heap<K, V> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), order: Vec::new(), free: Vec::new(), generation: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Gives the room of so many and more entries back, if there are none.
    pub(super) fn give_back(&mut self, entries: usize) {
        if self.is_empty() && self.slots.len() >= entries {
            *self = Self { generation: self.generation, ..Self::new() };
        }
    }

    /// Adds an entry. O(log n).
    pub(super) fn push(&mut self, key: K, value: V) -> Handle {
        let place = self.order.len() as u32;
        self.generation = self.generation.wrapping_add(1);
        let entry = Slot { key, value, place, generation: self.generation };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = entry;
            slot
        } else {
            self.slots.push(entry);
            self.slots.len() as u32 - 1
        };
        self.order.push(slot);
        self.rise(place as usize);
        Handle { slot, generation: self.generation }
    }

    /// The entry with the smallest key.
    pub(super) fn peek(&self) -> Option<(K, V)> {
        let entry = &self.slots[*self.order.first()? as usize];
        Some((entry.key, entry.value))
    }

    /// Takes the entry with the smallest key. O(log n).
    pub(super) fn pop(&mut self) -> Option<(K, V)> {
        let slot = *self.order.first()?;
        Some(self.take(slot))
    }

    /// Takes an entry; `None` if it is gone already. O(log n).
    pub(super) fn remove(&mut self, handle: Handle) -> Option<V> {
        self.is_held(handle).then(|| self.take(handle.slot).1)
    }

    /// All entries, in no order. O(n).
    #[cfg(feature = "model")]
    pub(super) fn entries(&self) -> impl Iterator<Item = (K, V)> + '_ {
        self.order.iter().map(|&slot| &self.slots[slot as usize]).map(|slot| (slot.key, slot.value))
    }

    /// The key and value of an entry.
    pub(super) fn get(&self, handle: Handle) -> Option<(K, V)> {
        let entry = self.slots.get(handle.slot as usize)?;
        self.is_held(handle).then_some((entry.key, entry.value))
    }

    /// Changes all keys in a way that keeps their order. O(n).
    pub(super) fn map_keys(&mut self, change: impl Fn(K) -> K) {
        for &slot in &self.order {
            let key = &mut self.slots[slot as usize].key;
            *key = change(*key);
        }
    }

    /// The value of an entry, to change it.
    pub(super) fn value_mut(&mut self, handle: Handle) -> Option<&mut V> {
        self.is_held(handle).then(|| &mut self.slots[handle.slot as usize].value)
    }

    /// The handle of the entry in `slot`, if there is one.
    pub(super) fn handle(&self, slot: u32) -> Option<Handle> {
        let entry = self.slots.get(slot as usize)?;
        (entry.place != FREE).then_some(Handle { slot, generation: entry.generation })
    }

    /// The entry with the greatest key. O(1).
    pub(super) fn greatest(&self) -> Option<(K, V)> {
        // The root is alone, or one of its children.
        let place = (0..self.len().min(3)).max_by_key(|&place| self.key_at(place))?;
        let entry = &self.slots[self.order[place] as usize];
        Some((entry.key, entry.value))
    }

    fn is_held(&self, handle: Handle) -> bool {
        self.slots
            .get(handle.slot as usize)
            .is_some_and(|entry| entry.place != FREE && entry.generation == handle.generation)
    }

    fn take(&mut self, slot: u32) -> (K, V) {
        let entry = &mut self.slots[slot as usize];
        let place = entry.place as usize;
        entry.place = FREE;
        let taken = (entry.key, entry.value);
        self.free.push(slot);
        self.order.swap_remove(place);
        if place < self.order.len() {
            self.slots[self.order[place] as usize].place = place as u32;
            self.rise(place);
            self.sink(place);
        }
        taken
    }

    fn key_at(&self, place: usize) -> K {
        self.slots[self.order[place] as usize].key
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.order.swap(a, b);
        self.slots[self.order[a] as usize].place = a as u32;
        self.slots[self.order[b] as usize].place = b as u32;
    }

    /// Whether `a` has to stand above `b` where `first` says which comes first.
    fn is_above(&self, a: usize, b: usize, first: Ordering) -> bool {
        self.key_at(a).cmp(&self.key_at(b)) == first
    }

    /// Moves the entry at `place` up to where it belongs.
    fn rise(&mut self, place: usize) {
        if place == 0 {
            return;
        }
        let (parent, first) = ((place - 1) / 2, first_on_level_of(place));
        if self.is_above(place, parent, first.reverse()) {
            self.swap(place, parent);
            self.rise_by_two(parent, first.reverse());
        } else {
            self.rise_by_two(place, first);
        }
    }

    /// Moves it up among the levels of its own kind.
    fn rise_by_two(&mut self, mut place: usize, first: Ordering) {
        while place > 2 {
            let grandparent = (place - 3) / 4;
            if !self.is_above(place, grandparent, first) {
                break;
            }
            self.swap(place, grandparent);
            place = grandparent;
        }
    }

    /// Moves the entry at `place` down to where it belongs.
    fn sink(&mut self, mut place: usize) {
        let first = first_on_level_of(place);
        while let Some(next) = self.first_below(place, first) {
            if !self.is_above(next, place, first) {
                break;
            }
            self.swap(next, place);
            if next <= 2 * place + 2 {
                break;
            }
            let between = (next - 1) / 2;
            if self.is_above(between, next, first) {
                self.swap(between, next);
            }
            place = next;
        }
    }

    /// The child or grandchild that comes first.
    fn first_below(&self, place: usize, first: Ordering) -> Option<usize> {
        let children = (2 * place + 1)..(2 * place + 3).min(self.len());
        let grandchildren = (4 * place + 3)..(4 * place + 7).min(self.len());
        children
            .chain(grandchildren)
            .reduce(|best, place| if self.is_above(place, best, first) { place } else { best })
    }
}

/// Which of two keys comes first on the level of `place`: the lesser on even ones.
fn first_on_level_of(place: usize) -> Ordering {
    if (place + 1).ilog2().is_multiple_of(2) { Ordering::Less } else { Ordering::Greater }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SwimRng;

    #[test]
    fn behaves_like_a_sorted_list_under_random_operations() {
        let mut rng = SwimRng::new(7);
        let mut heap = Heap::new();
        let mut model: Vec<((usize, u32), Handle)> = Vec::new();
        for step in 0..20_000u32 {
            match rng.below(5) {
                0..=2 => {
                    let key = (rng.below(50), step);
                    model.push((key, heap.push(key, step)));
                }
                3 if !model.is_empty() => {
                    let (key, handle) = model.swap_remove(rng.below(model.len()));
                    assert_eq!(heap.remove(handle), Some(key.1));
                    assert_eq!(heap.remove(handle), None, "a handle works once");
                }
                _ => {
                    let least = model.iter().map(|(key, _)| *key).min();
                    assert_eq!(
                        heap.greatest().map(|(key, _)| key),
                        model.iter().map(|m| m.0).max()
                    );
                    assert_eq!(heap.pop().map(|(key, _)| key), least);
                    model.retain(|(key, _)| Some(*key) != least);
                }
            }
            assert_eq!(heap.len(), model.len());
        }
    }

    #[test]
    fn no_handle_outlives_the_room_that_was_given_back() {
        let mut heap = Heap::new();
        let old = heap.push(1, 'a');
        heap.pop();
        heap.give_back(2);
        assert_eq!(heap.slots.len(), 1, "so little is kept");
        heap.give_back(1);
        let new = heap.push(2, 'b');
        assert_eq!((heap.get(old), heap.remove(old)), (None, None));
        assert_eq!(heap.get(new), Some((2, 'b')));
    }

    #[test]
    fn keys_that_change_alike_stay_in_order() {
        let (mut rng, mut heap) = (SwimRng::new(3), Heap::new());
        let mut keys: Vec<_> = (0..200).map(|_| rng.below(1_000)).collect();
        keys.iter().for_each(|&key| _ = heap.push(key, ()));
        heap.map_keys(|key| key + 7);
        keys.sort_unstable();
        for key in keys {
            assert_eq!(heap.pop().map(|(key, ())| key), Some(key + 7));
        }
    }

    #[test]
    fn a_reused_slot_is_not_reached_by_an_old_handle() {
        let mut heap = Heap::new();
        let old = heap.push(1, 'a');
        heap.pop();
        let new = heap.push(2, 'b');
        assert_eq!(heap.remove(old), None);
        assert_eq!(heap.get(new), Some((2, 'b')));
    }
}
