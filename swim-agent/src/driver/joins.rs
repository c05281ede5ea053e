//! Joins through the seeds given at the start, for ever and with their names resolved anew; and, beside
//! them, those that users wait for ([`waits`](super::waits)).
//!
//! The protocol repeats its requests to addresses; this is what it cannot know: names, and who
//! waits for the outcome.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::rejoin::Rejoin;
use super::waits::Waits;
use crate::resolve::Lookup;

/// Waits between two attempts to resolve names that lead nowhere.
const RESOLVE_AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(16)];
/// How often an agent that is alone looks up its seeds again: they may have moved, or a name that
/// stood for this agent only may stand for others too.
const ALONE: Duration = Duration::from_secs(30);
/// How often an agent that has company does: two groups that started apart, each through seeds of
/// its own, find together when one seed of either stands for somebody of the other.
const AMONG_OTHERS: Duration = Duration::from_secs(60);
/// How often it asks the network segment, when that is all it has: each question by multicast is
/// answered by everybody.
const ON_SEGMENT: Duration = Duration::from_secs(600);

/// Addresses that are remembered to have answered.
const KNOWN: usize = 256;

/// How far the join through the seeds has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nobody could be asked so far.
    Unasked,
    /// Nobody has answered so far.
    Asking,
    /// Somebody has answered, or this agent is the only seed.
    Done,
    /// So it is; and where no member lives, those are asked who may be in another group.
    Bridging,
}

/// All joins of an agent.
#[derive(Debug)]
pub(super) struct Joins {
    own: SocketAddr,
    seeds: Vec<String>,
    /// What each of them stood for when it was last looked up.
    places: BTreeMap<String, Vec<SocketAddr>>,
    /// Those of these who are asked, without this node's own address.
    addresses: Vec<SocketAddr>,
    /// Where somebody answered: whoever does so under an address that no member has, such as a
    /// balancer's, would answer for ever.
    known: Vec<SocketAddr>,
    /// Whether a lookup of the seeds is under way.
    resolving: bool,
    /// Whether one of them led nowhere in the latest lookup.
    nowhere: bool,
    /// When to look the seeds up again.
    resolve_at: Option<Instant>,
    pause: Duration,
    progress: Progress,
    /// Whether that was ever [`Progress::Done`]: an agent that is alone asks again.
    joined: bool,
    /// Attempts at the seeds that nobody answered.
    failed: u32,
    /// The protocol's count of attempts when it was last looked at.
    counted: u32,
    /// What went wrong at a seed last, and at which.
    why: Option<(SocketAddr, String)>,
    /// The joins that users wait for.
    pub(super) waits: Waits,
    /// Whom this node remembers from before it restarted.
    pub(super) rejoin: Rejoin,
}

impl Joins {
    pub(super) fn new(
        own: SocketAddr,
        seeds: Vec<String>,
        mut remembered: Vec<(String, SocketAddr)>,
        now: Instant,
    ) -> Self {
        remembered.retain(|&(_, address)| address != own);
        let rejoin = Rejoin::new(remembered, !seeds.is_empty(), now);
        let (resolve_at, progress) = match seeds.is_empty() {
            true => (None, Progress::Done),
            false => (Some(now), Progress::Unasked),
        };
        Self {
            own,
            seeds,
            places: BTreeMap::new(),
            addresses: Vec::new(),
            known: Vec::new(),
            resolving: false,
            nowhere: false,
            resolve_at,
            pause: RESOLVE_AGAIN[0],
            progress,
            joined: progress == Progress::Done,
            failed: 0,
            counted: 0,
            why: None,
            waits: Waits::new(own),
            rejoin,
        }
    }

    /// When to call [`lookup_due`](Self::lookup_due) and [`Waits::expire`] next.
    pub(super) fn next(&self) -> Option<Instant> {
        let all = [self.waits.next(), self.resolve_at, self.rejoin.next()];
        all.into_iter().flatten().min()
    }

    /// The seeds to look up now, if any; what they stand for is due at [`resolved`](Self::resolved).
    pub(super) fn lookup_due(&mut self, now: Instant) -> Option<Vec<String>> {
        self.resolve_at.filter(|&at| at <= now)?;
        self.resolve_at = None;
        (self.resolving, self.nowhere) = (true, false);
        Some(self.seeds.clone())
    }

    /// Whom to ask now: the seeds while nobody has answered or some are strange, all that users wait for, and some of
    /// those who are remembered.
    pub(super) fn whom_to_ask(&mut self) -> Vec<SocketAddr> {
        self.counted = 1;
        let asking = matches!(self.progress, Progress::Asking | Progress::Bridging);
        let seeds = self.addresses.iter().filter(|_| asking);
        let wanted = self.waits.open();
        let remembered = self.rejoin.asking().iter().copied();
        let mut all: Vec<SocketAddr> = seeds.copied().chain(wanted).chain(remembered).collect();
        all.retain(|&address| address != self.own);
        all
    }

    /// What some of the seeds stand for now, and whether the lookup is over. The others stand for what
    /// they did. Says whether there are others to ask than until now.
    pub(super) fn resolved(
        &mut self,
        (found, over): (Vec<Lookup>, bool),
        alone: bool,
        lives: impl Fn(&SocketAddr) -> bool,
        now: Instant,
    ) -> bool {
        self.resolving = !over;
        if self.seeds.is_empty() {
            return false;
        }
        let settled = matches!(self.progress, Progress::Done | Progress::Bridging) && !alone;
        for (seed, result) in found {
            if let Err(why) = &result {
                self.nowhere = true;
                if !settled {
                    tracing::warn!(%seed, %why, "a seed leads nowhere, trying again");
                }
            }
            self.places.insert(seed, result.unwrap_or_default());
        }
        let mut addresses: Vec<SocketAddr> = self.places.values().flatten().copied().collect();
        addresses.retain(|&address| address != self.own);
        addresses.sort_unstable();
        addresses.dedup();
        if settled {
            addresses.retain(|address| !lives(address) && !self.known.contains(address));
            return self.bridge(addresses);
        }
        if addresses.is_empty() {
            if over {
                self.nobody_to_ask(now);
            }
            return false;
        }
        let moved = self.addresses != addresses;
        self.addresses = addresses;
        let asked = std::mem::replace(&mut self.progress, Progress::Asking);
        moved || asked != Progress::Asking
    }

    /// Asks those who may be in another group, until one answers or the next lookup.
    fn bridge(&mut self, strange: Vec<SocketAddr>) -> bool {
        let before = std::mem::replace(&mut self.progress, Progress::Done);
        let asking = before == Progress::Bridging;
        if strange.is_empty() {
            return asking;
        }
        self.progress = Progress::Bridging;
        if asking && self.addresses == strange {
            return false;
        }
        tracing::debug!(?strange, "asking seeds that are no members");
        self.addresses = strange;
        true
    }

    /// No seed stands for anybody else, or some lead nowhere.
    fn nobody_to_ask(&mut self, now: Instant) {
        if !self.nowhere {
            // Whoever comes joins through this agent.
            (self.progress, self.joined) = (Progress::Done, true);
        } else if self.progress == Progress::Unasked {
            self.failed += 1;
            self.resolve_at = Some(now + self.pause);
            self.pause = (self.pause * 2).min(RESOLVE_AGAIN[1]);
        }
    }

    /// Looks at the protocol's count of attempts; `None` says that somebody answered or nobody was
    /// asked. After a failed attempt, the names are due to be looked up again.
    pub(super) fn follow(&mut self, attempts: Option<u32>, alone: bool, now: Instant) {
        let Some(attempts) = attempts else {
            if matches!(self.progress, Progress::Asking | Progress::Bridging) {
                (self.progress, self.joined) = (Progress::Done, true);
                (self.failed, self.pause) = (0, RESOLVE_AGAIN[0]);
            }
            return self.look_again(alone, now);
        };
        if self.progress == Progress::Bridging {
            self.look_again(alone, now);
        }
        if attempts > self.counted {
            self.counted = attempts;
            if self.progress == Progress::Asking {
                self.attempt_failed(now);
            }
        }
    }

    /// Sets the time of the next look at the seeds of an agent that joins through none right now.
    fn look_again(&mut self, alone: bool, now: Instant) {
        if self.seeds.is_empty() || self.resolving || self.progress == Progress::Unasked {
            return;
        }
        let announced = self.seeds.iter().all(|seed| seed.starts_with("mdns:"));
        let by = now
            + match (alone, announced) {
                (true, _) => ALONE,
                (false, true) => ON_SEGMENT,
                (false, false) => AMONG_OTHERS,
            };
        // Who has become alone in the meantime does not wait for the longer time.
        self.resolve_at = Some(self.resolve_at.map_or(by, |at| at.min(by)));
    }

    fn attempt_failed(&mut self, now: Instant) {
        self.failed += 1;
        let (seeds, attempt) = (self.seeds.join(", "), self.failed);
        let why = self.why.take().map(|(at, why)| format!(": {at}: {why}")).unwrap_or_default();
        tracing::warn!(
            "nobody answered the join through {seeds} (attempt {attempt}), trying again{why}"
        );
        let named = self.seeds.iter().any(|seed| seed.parse::<SocketAddr>().is_err());
        if named && !self.resolving {
            self.resolve_at = Some(now);
        }
    }

    /// Whether the join through the seeds has ever succeeded, or was none of this agent's tasks.
    pub(super) fn joined(&self) -> bool {
        self.joined
    }

    /// Attempts in vain at the seeds so far; `None` when nobody is being asked.
    pub(super) fn attempts(&self, protocol: Option<u32>) -> Option<u32> {
        match self.progress {
            Progress::Unasked | Progress::Asking => Some(self.failed),
            // That somebody strange does not answer is no trouble of this agent's.
            Progress::Bridging => None,
            Progress::Done => protocol,
        }
    }

    /// Somebody answered with all members. Says whether others are still to be asked.
    pub(super) fn answered(&mut self, from: SocketAddr) -> bool {
        if self.addresses.contains(&from) && !self.known.contains(&from) {
            self.known.push(from);
            self.known.truncate(KNOWN);
        }
        self.waits.answered(from)
    }

    /// A request to `to` brought no answer. Says whether the rest is to be asked instead.
    pub(super) fn failed(&mut self, to: SocketAddr, why: &str) -> bool {
        self.withheld(to, why);
        self.waits.failed(to)
    }

    /// A request to `to` could not be made; it will be, soon.
    pub(super) fn withheld(&mut self, to: SocketAddr, why: &str) {
        if self.addresses.contains(&to) {
            self.why = Some((to, why.to_owned()));
        }
        self.waits.withheld(to, why);
    }

    /// Nobody joins any more: this node is leaving.
    pub(super) fn leave(&mut self) {
        (self.resolve_at, self.progress) = (None, Progress::Done);
        self.seeds.clear();
        self.rejoin.leave();
        self.waits.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u8 = 1;

    fn addr(number: u8) -> SocketAddr {
        ([10, 0, 0, number], 7946).into()
    }

    fn joins(now: Instant) -> Joins {
        let mut joins = Joins::new(addr(OWN), vec!["seeds:7946".to_owned()], Vec::new(), now);
        assert_eq!(joins.lookup_due(now), Some(vec!["seeds:7946".to_owned()]));
        joins
    }

    fn nobody(_: &SocketAddr) -> bool {
        false
    }

    fn found(numbers: &[u8]) -> (Vec<Lookup>, bool) {
        let addresses = numbers.iter().copied().map(addr).collect();
        (vec![("seeds:7946".to_owned(), Ok(addresses))], true)
    }

    #[test]
    fn a_name_that_moves_is_asked_at_its_new_address() {
        let now = Instant::now();
        let mut joins = joins(now);
        assert!(joins.resolved(found(&[2]), true, nobody, now));
        assert_eq!(joins.whom_to_ask(), [addr(2)]);
        joins.follow(Some(1), true, now);
        assert_eq!(joins.next(), None, "the first attempt is under way");
        joins.follow(Some(2), true, now);
        assert!(joins.lookup_due(now).is_some(), "it failed");
        assert!(
            !joins.resolved(found(&[2]), true, nobody, now),
            "the protocol asks again by itself"
        );
        joins.follow(Some(3), true, now);
        assert!(joins.lookup_due(now).is_some());
        assert!(joins.resolved(found(&[3]), true, nobody, now));
        assert_eq!(joins.whom_to_ask(), [addr(3)]);
        assert_eq!(joins.attempts(Some(1)), Some(2));
        assert!(!joins.joined());
        joins.follow(None, false, now);
        assert_eq!((joins.attempts(None), joins.next()), (None, Some(now + AMONG_OTHERS)));
        assert!(joins.joined());
    }

    #[test]
    fn who_was_found_is_asked_while_other_seeds_are_still_looked_up() {
        let now = Instant::now();
        let seeds = ["near", "far", "dead"].map(str::to_owned);
        let mut joins = Joins::new(addr(OWN), seeds.to_vec(), Vec::new(), now);
        assert_eq!(joins.lookup_due(now).as_deref(), Some(&seeds[..]));
        let some = |seed: &str, result| vec![(seed.to_owned(), result)];
        assert!(joins.resolved((some("near", Ok(vec![addr(2)])), false), true, nobody, now));
        assert_eq!(joins.whom_to_ask(), [addr(2)]);
        let nothing = some("dead", Err("no such host".to_owned()));
        assert!(!joins.resolved((nothing.clone(), false), true, nobody, now), "nobody else");
        assert_eq!(joins.attempts(Some(1)), Some(0), "and no attempt was in vain so far");
        assert!(joins.resolved((some("far", Ok(vec![addr(3)])), true), true, nobody, now));
        assert_eq!(joins.whom_to_ask(), [addr(2), addr(3)]);
        // The next lookup: whoever is not looked up yet stands for what it did.
        joins.follow(Some(2), true, now);
        assert!(joins.lookup_due(now).is_some());
        assert!(!joins.resolved((nothing, false), true, nobody, now));
        assert!(joins.resolved((some("near", Ok(vec![addr(4)])), false), true, nobody, now));
        assert_eq!(joins.whom_to_ask(), [addr(3), addr(4)]);
    }

    #[test]
    fn seeds_that_lead_nowhere_are_one_failed_attempt_when_all_are_looked_up() {
        let now = Instant::now();
        let seeds = ["own", "dead"].map(str::to_owned);
        let mut joins = Joins::new(addr(OWN), seeds.to_vec(), Vec::new(), now);
        assert!(joins.lookup_due(now).is_some());
        let nothing = vec![("dead".to_owned(), Err("no such host".to_owned()))];
        assert!(!joins.resolved((nothing, false), true, nobody, now));
        assert_eq!((joins.attempts(None), joins.next()), (Some(0), None));
        let own = vec![("own".to_owned(), Ok(vec![addr(OWN)]))];
        assert!(!joins.resolved((own, true), true, nobody, now));
        assert_eq!(joins.attempts(None), Some(1));
        assert_eq!(joins.next(), Some(now + RESOLVE_AGAIN[0]));
    }

    #[test]
    fn a_name_that_leads_nowhere_is_tried_for_ever() {
        let now = Instant::now();
        let mut joins = joins(now);
        for attempt in 1..20 {
            let nothing = vec![("seeds:7946".to_owned(), Err("no such host".to_owned()))];
            assert!(!joins.resolved((nothing, true), false, nobody, now));
            assert_eq!(joins.attempts(None), Some(attempt));
            let next = joins.next().expect("another attempt");
            assert!(next - now <= RESOLVE_AGAIN[1]);
            assert!(joins.lookup_due(next).is_some());
        }
        assert!(joins.resolved(found(&[2]), false, nobody, now));
    }

    #[test]
    fn a_seed_of_its_own_waits_for_others_and_looks_again_while_alone() {
        let now = Instant::now();
        let mut joins = joins(now);
        assert!(!joins.resolved(found(&[OWN]), true, nobody, now));
        assert_eq!(joins.attempts(None), None);
        joins.follow(None, true, now);
        let next = joins.next().expect("another look");
        assert!(joins.lookup_due(next).is_some());
        assert!(joins.resolved(found(&[OWN, 2]), true, nobody, next));
        assert_eq!(joins.whom_to_ask(), [addr(2)]);
        assert!(joins.joined(), "once and for all");
    }

    #[test]
    fn who_found_its_cluster_asks_only_where_nobody_of_it_lives() {
        let now = Instant::now();
        let mut joins = joins(now);
        assert!(joins.resolved(found(&[2]), true, nobody, now));
        assert!(!joins.answered(addr(2)));
        joins.follow(None, false, now);
        assert!(joins.whom_to_ask().is_empty());
        let member = |at: &SocketAddr| *at == addr(3);
        assert!(!joins.resolved(found(&[OWN, 2, 3]), false, member, now), "known, or members");
        assert!(joins.resolved(found(&[2, 3, 4]), false, member, now));
        assert_eq!(joins.whom_to_ask(), [addr(4)]);
        joins.follow(Some(2), false, now);
        assert_eq!(joins.attempts(Some(2)), None, "no trouble of this agent's");
        assert_eq!(joins.next(), Some(now + AMONG_OTHERS));
        assert!(joins.resolved(found(&[2, 3]), false, member, now), "others than until now: none");
        assert!(joins.whom_to_ask().is_empty());
    }
}
