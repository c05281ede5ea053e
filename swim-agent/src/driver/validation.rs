//! Address validation (the term of RFC 9000, section 8): what somebody claims of a member at an
//! address counts when whoever lives there has answered a ping by that name.
//!
//! The ping goes under a random number, the cookie. Who repeats it has received it, by whatever way
//! the answer comes: hosts with several addresses answer from any of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use swim_core::{MemberId, MemberUpdate};

/// Addresses that are asked, or were asked in vain, at a time; beyond, the one that came first goes.
pub(super) const PLACES: usize = 1024;
/// Claims kept of one address: honest ones are of one member, or of two that take turns there.
const CLAIMS: usize = 4;
/// Most pings of one address by datagram.
const PINGS: usize = 3;
/// How long to wait after the first ping; after each further one twice as long.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long to wait for a stream that was opened.
const STREAM_PATIENCE: Duration = Duration::from_secs(6);
/// How long an address that did not answer is not asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// What is kept until its address has answered.
#[derive(Debug)]
pub(super) struct Claim {
    /// Who told it.
    pub(super) from: SocketAddr,
    pub(super) update: MemberUpdate,
}

/// What is to be done about an address now.
#[derive(Debug)]
pub(super) enum Step {
    /// Ping it under this cookie.
    Ping { to: SocketAddr, cookie: u64 },
    /// It answered no ping: try a stream, if somebody is worth it of those who told of it.
    Stream { to: SocketAddr, cookie: u64, told_by: Vec<SocketAddr> },
    /// Nobody of that name answered. Those told of it.
    Refused { told_by: Vec<SocketAddr> },
}

/// How far an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Pinged { so_far: usize, of: usize },
    ByStream,
    Refused,
}

#[derive(Debug)]
struct Place {
    address: SocketAddr,
    cookie: u64,
    stage: Stage,
    due: Instant,
    claims: Vec<Claim>,
}

/// What becomes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is kept until its address has answered.
    Kept,
    /// It is kept, and so many others were dropped for it.
    Displaced(usize),
    /// There is nothing to ask its address with.
    Dropped,
    /// Its address was asked a moment ago and did not answer.
    Refused,
}

/// The addresses under validation. At most [`PLACES`] of them with [`CLAIMS`] each: some hundred
/// kilobytes, or 5 MB where all claims are as long as they can be. O(log) a step.
#[derive(Debug)]
pub(super) struct Validation {
    secret: RandomState,
    /// In the order in which they came.
    places: BTreeMap<u64, Place>,
    by_address: HashMap<SocketAddr, u64>,
    by_cookie: HashMap<u64, u64>,
    schedule: BTreeSet<(Instant, u64)>,
    next: u64,
    /// Bytes of the datagram that asks.
    cost: usize,
}

impl Validation {
    /// Set in every cookie. The protocol numbers its pings upwards from below 2^20 and never gets here.
    pub(super) const COOKIE: u64 = 1 << 63;

    /// A datagram that asks an address has `cost` bytes.
    pub(super) fn new(cost: usize) -> Self {
        Self {
            secret: RandomState::new(),
            places: BTreeMap::new(),
            by_address: HashMap::new(),
            by_cookie: HashMap::new(),
            schedule: BTreeSet::new(),
            next: 0,
            cost,
        }
    }

    /// Bytes of the datagram that asks an address.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// Whether a ping of this number is one of these here.
    pub(super) fn is_cookie(seq: u64) -> bool {
        seq & Self::COOKIE != 0
    }

    /// When to call [`due`](Self::due) next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.schedule.first().map(|(due, _)| *due)
    }

    /// Keeps a claim. All pings of a new address are taken off `budget` beforehand: as many as it
    /// pays for.
    pub(super) fn keep(
        &mut self,
        address: SocketAddr,
        claim: Claim,
        budget: &mut usize,
        now: Instant,
    ) -> Fate {
        if let Some(place) = self.by_address.get(&address).and_then(|at| self.places.get_mut(at)) {
            return match place.stage {
                Stage::Refused => Fate::Refused,
                _ => place.add(claim),
            };
        }
        let of = (*budget / self.cost.max(1)).min(PINGS);
        if of == 0 {
            return Fate::Dropped;
        }
        *budget -= of * self.cost;
        let oldest = self.places.keys().next().copied();
        let crowded = oldest.filter(|_| self.places.len() >= PLACES);
        let gone = crowded.and_then(|oldest| self.remove(oldest));
        let at = self.next;
        self.next += 1;
        let cookie = self.secret.hash_one(at) | Self::COOKIE;
        let stage = Stage::Pinged { so_far: 0, of };
        let claims = vec![claim];
        self.places.insert(at, Place { address, cookie, stage, due: now, claims });
        self.by_address.insert(address, at);
        self.by_cookie.insert(cookie, at);
        self.schedule.insert((now, at));
        match gone.map_or(0, |gone| gone.claims.len()) {
            0 => Fate::Kept,
            displaced => Fate::Displaced(displaced),
        }
    }

    /// An answer under a cookie by that name: what was claimed of it, which counts now, and what was
    /// claimed of others at its address, which does not.
    pub(super) fn answered(&mut self, cookie: u64, name: &MemberId) -> (Vec<Claim>, Vec<Claim>) {
        let place = self.by_cookie.get(&cookie).copied().and_then(|at| self.remove(at));
        let claims = place.map(|place| place.claims).unwrap_or_default();
        claims.into_iter().partition(|claim| claim.update.id == *name)
    }

    /// What is to be done now, one after another.
    pub(super) fn due(&mut self, now: Instant) -> Option<Step> {
        while let Some(&(due, at)) = self.schedule.first().filter(|(due, _)| *due <= now) {
            let place = self.places.get_mut(&at)?;
            let (step, wait) = place.step();
            self.schedule.remove(&(due, at));
            match wait {
                Some(wait) => {
                    place.due = now + wait;
                    self.schedule.insert((place.due, at));
                }
                None => drop(self.remove(at)),
            }
            if step.is_some() {
                return step;
            }
        }
        None
    }

    /// Nothing comes under this cookie any more: the next step of its address is due now.
    pub(super) fn give_up(&mut self, cookie: u64, now: Instant) {
        let Some(at) = self.by_cookie.get(&cookie) else { return };
        if let Some(place) = self.places.get_mut(at) {
            self.schedule.remove(&(place.due, *at));
            place.due = now;
            self.schedule.insert((now, *at));
        }
    }

    fn remove(&mut self, at: u64) -> Option<Place> {
        let place = self.places.remove(&at)?;
        self.by_address.remove(&place.address);
        self.by_cookie.remove(&place.cookie);
        self.schedule.remove(&(place.due, at));
        Some(place)
    }
}

impl Place {
    /// The newest claim of each member, of the last few.
    fn add(&mut self, claim: Claim) -> Fate {
        let same = |held: &&mut Claim| held.update.id == claim.update.id;
        if let Some(held) = self.claims.iter_mut().find(same) {
            if claim.update.incarnation >= held.update.incarnation {
                *held = claim;
            }
            return Fate::Kept;
        }
        let full = self.claims.len() >= CLAIMS;
        if full {
            self.claims.remove(0);
        }
        self.claims.push(claim);
        if full { Fate::Displaced(1) } else { Fate::Kept }
    }

    /// What to do next, and how long to wait for what comes of it; then it is over.
    fn step(&mut self) -> (Option<Step>, Option<Duration>) {
        let (to, cookie) = (self.address, self.cookie);
        match self.stage {
            Stage::Pinged { so_far, of } if so_far < of => {
                self.stage = Stage::Pinged { so_far: so_far + 1, of };
                (Some(Step::Ping { to, cookie }), Some(PATIENCE * (1 << so_far)))
            }
            Stage::Pinged { .. } => {
                self.stage = Stage::ByStream;
                let told_by = self.told_by();
                (Some(Step::Stream { to, cookie, told_by }), Some(STREAM_PATIENCE))
            }
            Stage::ByStream => {
                self.stage = Stage::Refused;
                let told_by = self.told_by();
                self.claims = Vec::new();
                (Some(Step::Refused { told_by }), Some(PAUSE))
            }
            Stage::Refused => (None, None),
        }
    }

    fn told_by(&self) -> Vec<SocketAddr> {
        self.claims.iter().map(|claim| claim.from).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use swim_core::MemberState;

    use super::*;

    const COST: usize = 30;

    fn place(number: u16) -> SocketAddr {
        let [high, low] = number.to_be_bytes();
        ([127, 41, high, low], 7946).into()
    }

    fn claim(name: &str, incarnation: u64) -> Claim {
        let update = MemberUpdate {
            id: name.into(),
            state: MemberState::Alive,
            incarnation,
            address: None,
            metadata: Some(HashMap::new()),
        };
        Claim { from: place(0), update }
    }

    /// What is due until then, without the cookies; and the last cookie.
    fn steps(validation: &mut Validation, now: Instant) -> (Vec<&'static str>, u64) {
        let mut cookie = 0;
        let due = std::iter::from_fn(|| validation.due(now)).map(|step| match step {
            Step::Ping { cookie: under, .. } => {
                cookie = under;
                "ping"
            }
            Step::Stream { cookie: under, .. } => {
                cookie = under;
                "stream"
            }
            Step::Refused { .. } => "refused",
        });
        (due.collect(), cookie)
    }

    fn is_whole(validation: &Validation) {
        let Validation { places, by_address, by_cookie, schedule, .. } = validation;
        let lens = [by_address.len(), by_cookie.len(), schedule.len()];
        assert_eq!(lens, [places.len(); 3]);
        assert!(places.len() <= PLACES);
        for (at, place) in places {
            assert!(by_address[&place.address] == *at && by_cookie[&place.cookie] == *at);
            assert!(schedule.contains(&(place.due, *at)) && place.claims.len() <= CLAIMS);
        }
    }

    #[test]
    fn an_address_is_pinged_thrice_then_by_stream_and_then_left_alone_for_a_while() {
        let mut validation = Validation::new(COST);
        let start = Instant::now();
        let mut budget = 100;
        let keep = |validation: &mut Validation, budget: &mut usize, now| {
            validation.keep(place(1), claim("a", 1), budget, now)
        };
        assert_eq!(keep(&mut validation, &mut budget, start), Fate::Kept);
        assert_eq!(budget, 10, "all three are paid beforehand");
        let mut seen = Vec::new();
        while let Some(at) = validation.next() {
            // What is told meanwhile is kept without another ping.
            let fate = keep(&mut validation, &mut 0, at);
            let what = steps(&mut validation, at).0;
            seen.push(((at - start).as_millis(), what, fate));
        }
        let expected = [
            (0, vec!["ping"], Fate::Kept),
            (300, vec!["ping"], Fate::Kept),
            (900, vec!["ping"], Fate::Kept),
            (2_100, vec!["stream"], Fate::Kept),
            (8_100, vec!["refused"], Fate::Kept),
            (10_100, vec![], Fate::Refused),
        ];
        assert_eq!(seen, expected);
        is_whole(&validation);
    }

    #[test]
    fn a_datagram_has_no_more_sent_than_it_pays_for() {
        let now = Instant::now();
        for (mut budget, pings) in [(29, 0), (30, 1), (89, 2), (1_000, 3)] {
            let mut validation = Validation::new(COST);
            let fate = validation.keep(place(1), claim("a", 1), &mut budget, now);
            assert_eq!(fate == Fate::Dropped, pings == 0);
            let mut sent = 0;
            while let Some(at) = validation.next() {
                sent += steps(&mut validation, at).0.iter().filter(|&&step| step == "ping").count();
            }
            assert_eq!(sent, pings);
        }
    }

    #[test]
    fn who_has_no_stream_is_refused_at_once() {
        let mut validation = Validation::new(COST);
        let now = Instant::now();
        validation.keep(place(1), claim("a", 1), &mut COST.clone(), now);
        let (_, cookie) = steps(&mut validation, now);
        assert!(Validation::is_cookie(cookie));
        let later = now + PATIENCE;
        assert_eq!(steps(&mut validation, later).0, ["stream"]);
        validation.give_up(cookie, later);
        validation.give_up(cookie ^ 1, later);
        assert_eq!(steps(&mut validation, later).0, ["refused"]);
        is_whole(&validation);
    }

    #[test]
    fn an_answer_proves_the_latest_claim_of_its_name_and_no_other() {
        let mut validation = Validation::new(COST);
        let now = Instant::now();
        for (name, incarnation) in [("a", 2), ("b", 1), ("a", 3), ("a", 1)] {
            validation.keep(place(1), claim(name, incarnation), &mut 1_000, now);
        }
        let (_, cookie) = steps(&mut validation, now);
        let mut answered = |cookie, name: &str| {
            let (proven, refused) = validation.answered(cookie, &name.into());
            let told = |it: Claim| (it.update.id.0, it.update.incarnation);
            (proven.into_iter().map(told).collect(), refused.into_iter().map(told).collect())
        };
        let nothing: (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
        assert_eq!(answered(cookie ^ 1, "a"), nothing);
        let [a, b] = [("a".to_owned(), 3), ("b".to_owned(), 1)];
        assert_eq!(answered(cookie, "a"), (vec![a], vec![b]));
        assert_eq!(answered(cookie, "b"), nothing, "it is over");
        assert_eq!(validation.next(), None);
    }

    #[test]
    fn beyond_the_bounds_the_oldest_goes() {
        let mut validation = Validation::new(COST);
        let now = Instant::now();
        let mut keep = |at, name: &str| validation.keep(place(at), claim(name, 1), &mut 1_000, now);
        for at in 0..PLACES as u16 {
            assert_eq!(keep(at, "a"), Fate::Kept);
        }
        assert_eq!(keep(5_000, "a"), Fate::Displaced(1));
        for name in ["b", "c", "d"] {
            assert_eq!(keep(5_000, name), Fate::Kept);
        }
        assert_eq!(keep(5_000, "e"), Fate::Displaced(1));
        is_whole(&validation);
        assert!(!validation.by_address.contains_key(&place(0)));
        assert!(validation.by_address.contains_key(&place(1)));
    }

    proptest! {
        /// Whatever comes in whatever order, the tables agree and stay within their bounds.
        #[test]
        fn the_tables_agree(ops in prop::collection::vec((0..4u8, any::<u16>()), 1..500)) {
            let mut validation = Validation::new(COST);
            let mut now = Instant::now();
            let mut cookies = Vec::new();
            for (op, number) in ops {
                let name = format!("n{}", number % 7);
                match op {
                    0 | 1 => {
                        let mut budget = usize::from(number % 200);
                        validation.keep(place(number % 90), claim(&name, 1), &mut budget, now);
                    }
                    2 => {
                        let cookie = cookies.get(usize::from(number) % cookies.len().max(1));
                        validation.answered(cookie.copied().unwrap_or(7), &name.as_str().into());
                    }
                    _ => {
                        now += Duration::from_millis(u64::from(number % 300));
                        while let Some(step) = validation.due(now) {
                            if let Step::Ping { cookie, .. } = step {
                                cookies.push(cookie);
                            }
                        }
                    }
                }
            }
            is_whole(&validation);
        }
    }
}
