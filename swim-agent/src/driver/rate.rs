//! How fast one source may send, and all strangers together.
//!
//! A bucket is one moment (GCRA, ITU-T I.371): until then, what came is ahead of its rate. Sources share a
//! fixed number of them by a hash that nobody outside can compute. So nothing is ever thrown out to make
//! room, whatever is forged, and looking costs one hash. A source has two of them and is heard as long as one
//! lasts: a mad host takes along who has the same two, one source in a quarter of a million.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::RateLimits;

/// Buckets that sources share.
const BUCKETS: usize = 1_024;
/// Datagrams that may come at once, in seconds of what may come in the long run: a process that was held up
/// finds that many in its socket.
const BURST: Duration = Duration::from_secs(2);
/// What all strangers may send together, in shares of one source.
const SOURCES: u32 = 20;

/// Who sends: an address, and of IPv6 the network of 64 bits that a host has to itself.
pub(super) fn source(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

/// The network of 48 bits around a source of IPv6, all of which one site may have; of IPv4 the source itself.
pub(super) fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80).into(),
    }
}

/// How fast something may come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// The time that one takes; zero where there is no limit.
    each: Duration,
    /// How far ahead of its rate a source may be.
    burst: Duration,
}

impl Rate {
    /// So many a second, and at once what comes in `burst`; 0 is no limit.
    pub(super) fn new(a_second: u32, burst: Duration) -> Self {
        let each = Duration::from_secs(1).checked_div(a_second).unwrap_or_default();
        Self { each, burst }
    }

    fn times(self, factor: u32) -> Self {
        Self { each: self.each / factor, ..self }
    }
}

/// What one source has left; full to begin with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket(Option<Instant>);

impl Bucket {
    /// Whether one more may come now.
    pub(super) fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let next = self.0.map_or(now, |next| next.max(now));
        let may = next - now <= rate.burst;
        if may {
            self.0 = Some(next + rate.each);
        }
        may
    }
}

/// The buckets of strangers.
#[derive(Debug)]
pub(super) struct Sources {
    rate: Rate,
    all: Bucket,
    /// Made when the first stranger comes: 16 KiB.
    buckets: Vec<Bucket>,
    keyed: RandomState,
}

impl Sources {
    pub(super) fn new(rate: Rate) -> Self {
        let (all, buckets) = (Bucket::default(), Vec::new());
        Self { rate, all, buckets, keyed: RandomState::new() }
    }

    /// Whether one more may come from there now. O(1).
    pub(super) fn take(&mut self, from: IpAddr, now: Instant) -> bool {
        if self.rate.each.is_zero() {
            return true;
        }
        self.buckets.resize(BUCKETS, Bucket::default());
        let hash = self.keyed.hash_one(source(from)) as usize;
        let first = hash % BUCKETS;
        let another = (first + 1 + hash / BUCKETS % (BUCKETS - 1)) % BUCKETS;
        let left = [first, another].map(|at| self.buckets[at].take(self.rate, now));
        // One source first, so that it does not use up what is for all.
        left.contains(&true) && self.all.take(self.rate.times(SOURCES), now)
    }
}

/// How many datagrams others may send.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) strangers: Sources,
    /// Of each member.
    pub(super) member: Rate,
}

impl Limits {
    pub(super) fn new(limits: RateLimits) -> Self {
        let strangers = Sources::new(Rate::new(limits.stranger_datagrams, BURST));
        Self { strangers, member: Rate::new(limits.member_datagrams, BURST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ip(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn sources(a_second: u32) -> Sources {
        Sources::new(Rate::new(a_second, 2 * SECOND))
    }

    #[test]
    fn a_source_may_send_its_burst_and_then_its_rate() {
        let (mut sources, now) = (sources(100), Instant::now());
        let mut passed = |at| (0..1_000).filter(|_| sources.take(ip(1), at)).count();
        assert_eq!(passed(now), 201);
        assert_eq!(passed(now + SECOND / 2), 50);
        assert_eq!(passed(now + SECOND), 50);
        assert_eq!(passed(now + 60 * SECOND), 201);
    }

    #[test]
    fn one_source_does_not_use_up_what_is_for_others() {
        let (mut sources, now) = (sources(100), Instant::now());
        assert_eq!((0..100_000).filter(|_| sources.take(ip(1), now)).count(), 201);
        let heard = (2..1_002).filter(|&other| sources.take(ip(other), now)).count();
        // Whoever has one of its buckets has another one besides.
        assert!(heard > 997, "{heard} of 1,000 others are heard");
    }

    #[test]
    fn no_source_has_its_two_buckets_in_one_place() {
        let now = Instant::now();
        for number in 0..5_000 {
            let mut sources = sources(100);
            assert_eq!((0..250).filter(|_| sources.take(ip(number), now)).count(), 201);
        }
    }

    #[test]
    fn all_strangers_together_have_a_limit_and_no_more_memory() {
        let (mut sources, now) = (sources(100), Instant::now());
        let heard = (0..1_000_000).filter(|&forged| sources.take(ip(forged), now)).count();
        assert_eq!(heard, 20 * 200 + 1);
        assert_eq!(sources.buckets.len(), BUCKETS);
        assert!(sources.take(ip(7), now + SECOND), "a second later they are heard again");
    }

    #[test]
    fn without_a_limit_all_are_heard() {
        let (mut sources, now) = (sources(0), Instant::now());
        assert!((0..100_000).all(|_| sources.take(ip(1), now)));
        assert!(sources.buckets.is_empty());
        let (mut bucket, rate) = (Bucket::default(), Rate::new(0, SECOND));
        assert!((0..100_000).all(|_| bucket.take(rate, now)));
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(source(ip("fd00::1:2:3:4")), source(ip("fd00::9")));
        assert_ne!(source(ip("fd00:0:0:1::1")), source(ip("fd00::1")));
        assert_ne!(source(ip("10.0.0.1")), source(ip("10.0.0.2")));
        assert_eq!(network(ip("fd00:0:1:2::")), network(ip("fd00:0:1:3::")));
        assert_ne!(network(ip("fd00:0:1:2::")), network(ip("fd00:0:2:2::")));
        assert_ne!(network(ip("10.0.0.1")), network(ip("10.0.0.2")));
    }
}
