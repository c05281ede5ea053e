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
    /// It is kept, and another one was dropped for it.
    Displaced,
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
        if gone.is_some_and(|gone| !gone.claims.is_empty()) { Fate::Displaced } else { Fate::Kept }
    }

    /// An answer under a cookie by that name: what was claimed of it, which counts now. Claims of
    /// others at its address are refused.
    pub(super) fn answered(&mut self, cookie: u64, name: &MemberId) -> Vec<Claim> {
        let Some(place) = self.by_cookie.get(&cookie).copied().and_then(|at| self.remove(at))
        else {
            return Vec::new();
        };
        place.claims.into_iter().filter(|claim| claim.update.id == *name).collect()
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
        if full { Fate::Displaced } else { Fate::Kept }
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
