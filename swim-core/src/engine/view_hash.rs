//! One hash over all live members, and one per bucket, kept up to date change by change.
//!
//! Sums of well-mixed hashes, so that order does not matter and a change costs two additions.

use crate::member::Incarnation;

/// Buckets kept; coarser digests add neighbours up.
pub(super) const BUCKETS: usize = 128;

/// Sums of the versions of live members, by bucket.
#[derive(Debug, Clone)]
pub(super) struct ViewHash {
    buckets: Box<[u64; BUCKETS]>,
    whole: u64,
}

impl Default for ViewHash {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), whole: 0 }
    }
}

impl ViewHash {
    pub(super) fn add(&mut self, identity: u64, version: u64) {
        let bucket = &mut self.buckets[bucket_of(identity, BUCKETS)];
        *bucket = bucket.wrapping_add(version);
        self.whole = self.whole.wrapping_add(version);
    }

    pub(super) fn remove(&mut self, identity: u64, version: u64) {
        let bucket = &mut self.buckets[bucket_of(identity, BUCKETS)];
        *bucket = bucket.wrapping_sub(version);
        self.whole = self.whole.wrapping_sub(version);
    }

    /// The hash of the whole view.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    /// The hashes of `of` buckets, a power of two up to [`BUCKETS`].
    pub(super) fn buckets(&self, of: usize) -> impl Iterator<Item = u64> + '_ {
        self.buckets
            .chunks(BUCKETS / of)
            .map(|part| part.iter().copied().fold(0, u64::wrapping_add))
    }
}

/// Which of `of` buckets, a power of two, a member belongs to: the upper bits of its identity.
pub(super) fn bucket_of(identity: u64, of: usize) -> usize {
    if of <= 1 { 0 } else { (mix(identity) >> (64 - of.trailing_zeros())) as usize }
}

/// How many buckets suit `n` members: about eight in each.
pub(super) fn buckets_for(n: usize) -> usize {
    (n / 8).next_power_of_two().clamp(1, BUCKETS)
}

/// The hash of one member in one version.
pub(super) fn version(identity: u64, content: u64, incarnation: Incarnation) -> u64 {
    mix(mix(identity ^ mix(content)).wrapping_add(incarnation))
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): spreads every bit over all.
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_changes_does_not_matter_and_removal_undoes_addition() {
        let (mut a, mut b) = (ViewHash::default(), ViewHash::default());
        (0..100).for_each(|i| a.add(i, version(i, 7, 1)));
        (0..100).rev().for_each(|i| b.add(i, version(i, 7, 1)));
        assert_eq!(a.whole(), b.whole());
        assert!(a.buckets(16).eq(b.buckets(16)));
        (0..100).for_each(|i| a.remove(i, version(i, 7, 1)));
        assert_eq!(a.whole(), 0);
    }

    #[test]
    fn a_coarse_bucket_is_the_sum_of_its_parts() {
        let mut view = ViewHash::default();
        (0..1000).for_each(|i| view.add(i, version(i, 0, i)));
        let fine: Vec<_> = view.buckets(BUCKETS).collect();
        let coarse: Vec<_> = view.buckets(2).collect();
        assert_eq!(fine[..64].iter().fold(0u64, |sum, hash| sum.wrapping_add(*hash)), coarse[0]);
        assert_eq!(view.buckets(1).next(), Some(view.whole()));
    }

    #[test]
    fn buckets_fill_evenly() {
        let mut counts = [0; 16];
        (0..16_000).for_each(|i| counts[bucket_of(i, 16)] += 1);
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
    }

    #[test]
    fn identity_content_and_incarnation_all_count() {
        let base = version(1, 2, 3);
        assert!(![version(2, 2, 3), version(1, 3, 3), version(1, 2, 4)].contains(&base));
    }
}
