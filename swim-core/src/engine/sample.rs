//! Random members: whom to gossip to, to ask as relays, to compare views with.

use super::Engine;
use super::message::MemberIdx;
use super::output::Profile;

/// A sample that random picks did not complete is completed by walking this far: the whole of a
/// small cluster, and no more than this of a large one in which hardly anybody fits.
const SCAN: usize = 64;

impl<P: Profile> Engine<P> {
    /// Fills `chosen` with at most `k` distinct random live members that `fit`. O(k) unless most
    /// do not fit.
    pub(super) fn sample(
        &mut self,
        k: usize,
        chosen: &mut Vec<MemberIdx>,
        fits: impl Fn(&Self, MemberIdx) -> bool,
    ) {
        chosen.clear();
        self.add_to_sample(k, chosen, fits);
    }

    /// Likewise, beside those that are chosen already.
    pub(super) fn add_to_sample(
        &mut self,
        k: usize,
        chosen: &mut Vec<MemberIdx>,
        fits: impl Fn(&Self, MemberIdx) -> bool,
    ) {
        let n = self.table.ring.len();
        if n == 0 {
            return;
        }
        let start = self.rng.below(n);
        let steps = if n > k { 8 * k } else { 0 };
        for _ in 0..steps {
            if chosen.len() == k {
                return;
            }
            let candidate = self.table.ring.members()[self.rng.below(n)];
            if !chosen.contains(&candidate) && fits(self, candidate) {
                chosen.push(candidate);
            }
        }
        self.scan(start, k, chosen, fits);
    }

    /// Completes a sample by walking the ring, in which neighbours are random, from `start`.
    fn scan(
        &self,
        start: usize,
        k: usize,
        chosen: &mut Vec<MemberIdx>,
        fits: impl Fn(&Self, MemberIdx) -> bool,
    ) {
        let n = self.table.ring.len();
        for step in 0..n.min(SCAN) {
            if chosen.len() >= k {
                return;
            }
            let candidate = self.table.ring.members()[(start + step) % n];
            if !chosen.contains(&candidate) && fits(self, candidate) {
                chosen.push(candidate);
            }
        }
    }
}
