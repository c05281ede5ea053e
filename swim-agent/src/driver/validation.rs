//! Address validation (the term of RFC 9000, section 8): what somebody claims of a member at an
//! address counts when whoever lives there has answered a ping by that name.
//!
//! The ping goes under a random number, the cookie. Who repeats it has received it, by whatever way
//! the answer comes: hosts with several addresses answer from any of them.
//!
//! Strangers' claims have places of their own, and a rate: whatever they tell of, members' claims stay.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use swim_core::{GossipMessage, MemberId, MemberUpdate};

use super::rate::{Rate, Sources};
use super::strangers::FACTOR;

/// Claims kept of one address: honest ones are of one member, or of two that take turns there.
const CLAIMS: usize = 4;
/// Most pings of one address by datagram.
const PINGS: usize = 3;
/// Datagrams that may be the answer to one ping: others may have been under way.
const ANSWERS: usize = 3;
/// How many pings one source of strangers may cause in a second, and at once those of two.
const STRANGER_PINGS: u32 = 128;
const STRANGER_BURST: Duration = Duration::from_secs(2);
/// How long to wait after the first ping; after each further one twice as long.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long to wait for a stream that was opened.
pub(super) const STREAM_PATIENCE: Duration = Duration::from_secs(6);
/// How long an address that did not answer is not asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// Who tells a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Teller {
    /// Somebody from where no live member is held.
    Stranger,
    /// A datagram from a live member's address.
    Member,
}

impl Teller {
    /// Addresses that are asked, or were asked in vain, at a time because such told of them; beyond, the
    /// one that came first goes.
    const fn places(self) -> usize {
        match self {
            Self::Stranger => 512,
            Self::Member => 1024,
        }
    }
}

/// What is kept until its address has answered.
#[derive(Debug)]
pub(super) struct Claim {
    /// Who told it.
    pub(super) from: SocketAddr,
    /// Whether it, or one of that name before it, came on a stream: no forger's datagram did that.
    pub(super) by_stream: bool,
    pub(super) teller: Teller,
    pub(super) update: MemberUpdate,
}

impl Claim {
    /// Whether the log may name it: it is not what anybody can forge without end.
    pub(super) fn may_be_named(&self) -> bool {
        self.by_stream || self.teller == Teller::Member
    }
}

/// What is to be done about an address now.
#[derive(Debug)]
pub(super) enum Step {
    /// Ping it under this cookie, by a name that is so many letters longer than it need be.
    Ping { to: SocketAddr, cookie: u64, padding: usize },
    /// It answered no ping: try a stream, if somebody is worth it of those who told of it.
    Stream { to: SocketAddr, cookie: u64, told_by: Vec<SocketAddr> },
    /// Nobody of that name answered.
    Refused { claims: Vec<Claim> },
}

/// How far an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Pinged {
        so_far: usize,
        of: usize,
    },
    ByStream,
    Refused,
    /// There were more claims than are kept; one of who answered may come again.
    Answered,
}

#[derive(Debug)]
struct Place {
    address: SocketAddr,
    cookie: u64,
    stage: Stage,
    due: Instant,
    claims: Vec<Claim>,
    /// Whether some were dropped for others.
    crowded: bool,
    /// Who answered there a moment ago, where that is remembered.
    name: Option<MemberId>,
    /// Bytes of each ping.
    bytes: usize,
    /// Datagrams from there that may be answers.
    answers: usize,
}

/// By who told of them, then in the order in which they came.
type At = (Teller, u64);

/// What becomes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is kept until its address has answered; so many others were dropped for it.
    Kept { displaced: usize },
    /// There is nothing to ask its address with, or better ones are kept of it.
    Dropped,
    /// Its address was asked a moment ago and did not answer.
    Refused,
}

/// Bytes of the datagrams that ask and answer, with names of one letter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) question: usize,
    pub(super) ack: usize,
}

impl Sizes {
    /// Bytes of a question that somebody of that name may answer, to whom this node is a stranger.
    fn question_to(self, name: &MemberId) -> usize {
        // Two more: the lengths of a long name and its message are a byte longer each.
        let ack = self.ack + name.as_str().len() + 2;
        self.question.max(ack.div_ceil(FACTOR))
    }
}

/// The addresses under validation: at most [`Teller::places`] of them with [`CLAIMS`] each, some hundred
/// kilobytes, or 7 MB where all claims are as long as they can be. O(log) a step.
#[derive(Debug)]
pub(super) struct Validation {
    secret: RandomState,
    places: BTreeMap<At, Place>,
    /// How many of each [`Teller`].
    counts: [usize; 2],
    by_address: HashMap<SocketAddr, At>,
    by_cookie: HashMap<u64, At>,
    schedule: BTreeSet<(Instant, At)>,
    next: u64,
    sizes: Sizes,
    /// What strangers may have asked.
    strangers: Sources,
    /// Those that the packet at hand told of.
    told: Vec<At>,
}

impl Validation {
    /// Set in every cookie. The protocol numbers its pings upwards from below 2^20 and never gets here.
    pub(super) const COOKIE: u64 = 1 << 63;

    pub(super) fn new(sizes: Sizes) -> Self {
        Self {
            secret: RandomState::new(),
            places: BTreeMap::new(),
            counts: [0; 2],
            by_address: HashMap::new(),
            by_cookie: HashMap::new(),
            schedule: BTreeSet::new(),
            next: 0,
            sizes,
            strangers: Sources::new(Rate::new(STRANGER_PINGS, STRANGER_BURST)),
            told: Vec::new(),
        }
    }

    /// Bytes of the shortest datagram that asks an address.
    pub(super) fn cost(&self) -> usize {
        self.sizes.question
    }

    /// The cookie and the name of an answer to a ping of these here, if a message is one.
    pub(super) fn proof(message: &GossipMessage) -> Option<(u64, &MemberId)> {
        use GossipMessage::{Ack, LocatedAck};
        let (Ack { seq, from } | LocatedAck { seq, from, .. }) = message else { return None };
        (seq & Self::COOKIE != 0).then_some((*seq, from))
    }

    /// When to call [`due`](Self::due) next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.schedule.first().map(|(due, _)| *due)
    }

    /// Whether an address answered by that name a moment ago, among so many claims that this one may have
    /// been dropped: it counts at once.
    pub(super) fn has_answered(&self, address: &SocketAddr, name: &MemberId) -> bool {
        let place = self.by_address.get(address).and_then(|at| self.places.get(at));
        place.is_some_and(|place| place.name.as_ref() == Some(name))
    }

    /// Keeps a claim. The first ping of a new address is taken off `budget` beforehand; when the packet is
    /// through, [`repeat`](Self::repeat) has it pay for the others.
    pub(super) fn keep(
        &mut self,
        address: SocketAddr,
        claim: Claim,
        budget: &mut usize,
        now: Instant,
    ) -> Fate {
        let bytes = self.sizes.question_to(&claim.update.id);
        let held = self.by_address.get(&address).copied();
        let stage = held.and_then(|at| self.places.get(&at)).map(|place| place.stage);
        match (held, stage) {
            // What strangers made up is no answer to a member's word.
            (Some(at), Some(Stage::Refused)) if at.0 >= claim.teller => return Fate::Refused,
            (Some(at), Some(Stage::Pinged { .. } | Stage::ByStream)) => {
                return self.join(at, claim, bytes, budget);
            }
            _ => {}
        }
        let teller = claim.teller;
        if !self.pays(bytes, (teller, claim.from.ip()), budget, now) {
            return Fate::Dropped;
        }
        let name = held.and_then(|at| self.remove(at)).and_then(|place| place.name);
        let cookie = self.secret.hash_one(self.next) | Self::COOKIE;
        let (at, displaced) = self.put(
            teller,
            Place {
                address,
                cookie,
                stage: Stage::Pinged { so_far: 0, of: 1 },
                due: now,
                claims: vec![claim],
                crowded: false,
                name,
                bytes,
                answers: 0,
            },
        );
        self.told.push(at);
        Fate::Kept { displaced }
    }

    /// A further claim of an address that is being asked.
    fn join(&mut self, mut at: At, claim: Claim, bytes: usize, budget: &mut usize) -> Fate {
        let mut displaced = 0;
        if claim.teller > at.0
            && let Some(place) = self.remove(at)
        {
            (at, displaced) = self.put(claim.teller, place);
        }
        let Some(place) = self.places.get_mut(&at) else { return Fate::Dropped };
        place.lengthen(bytes, budget);
        self.told.push(at);
        match place.add(claim) {
            Fate::Kept { displaced: one } => Fate::Kept { displaced: displaced + one },
            fate => fate,
        }
    }

    /// Has what is left of a packet's budget pay for further pings of the addresses that it told of: for a
    /// second one of each, then for a third.
    pub(super) fn repeat(&mut self, from: (Teller, IpAddr), budget: &mut usize, now: Instant) {
        let mut told = std::mem::take(&mut self.told);
        for paid in 1..PINGS {
            for at in &told {
                let Some(place) = self.places.get(at) else { continue };
                let bytes = place.bytes;
                if place.pings() == Some(paid)
                    && self.pays(bytes, from, budget, now)
                    && let Some(Place { stage: Stage::Pinged { of, .. }, .. }) =
                        self.places.get_mut(at)
                {
                    *of += 1;
                }
            }
        }
        told.clear();
        self.told = told;
    }

    /// Whether a ping of so many bytes may be sent on account of that teller; takes it off.
    fn pays(
        &mut self,
        bytes: usize,
        (teller, from): (Teller, IpAddr),
        budget: &mut usize,
        now: Instant,
    ) -> bool {
        let pays =
            *budget >= bytes && (teller == Teller::Member || self.strangers.take(from, now.into()));
        if pays {
            *budget -= bytes;
        }
        pays
    }

    /// Whether a datagram from there may be the answer to a ping that went there; so are only a few.
    pub(super) fn expects(&mut self, from: &SocketAddr) -> bool {
        let place = self.by_address.get(from).and_then(|at| self.places.get_mut(at));
        let left = place.and_then(|place| Some((place.answers.checked_sub(1)?, place)));
        left.map(|(left, place)| place.answers = left).is_some()
    }

    /// An answer under a cookie by that name: what was claimed of it, which counts now, and what was
    /// claimed of others at its address, which does not.
    pub(super) fn answered(
        &mut self,
        cookie: u64,
        name: &MemberId,
        now: Instant,
    ) -> (Vec<Claim>, Vec<Claim>) {
        let Some(&at) = self.by_cookie.get(&cookie) else { return Default::default() };
        let Some(mut place) = self.remove(at) else { return Default::default() };
        let claims = std::mem::take(&mut place.claims);
        if place.crowded {
            (place.stage, place.name, place.due) =
                (Stage::Answered, Some(name.clone()), now + PAUSE);
            self.put(at.0, place);
        }
        claims.into_iter().partition(|claim| claim.update.id == *name)
    }

    /// What is to be done now, one after another.
    pub(super) fn due(&mut self, now: Instant) -> Option<Step> {
        while let Some(&(due, at)) = self.schedule.first().filter(|(due, _)| *due <= now) {
            let place = self.places.get_mut(&at)?;
            let (step, wait) = place.step(self.sizes.question);
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

    /// Gives an address a place, and says which one it is and how many claims were dropped for it.
    fn put(&mut self, teller: Teller, place: Place) -> (At, usize) {
        let oldest = self.places.range((teller, 0)..).next().map(|(at, _)| *at);
        let crowded = self.counts[teller as usize] >= teller.places();
        let gone = oldest.filter(|_| crowded).and_then(|oldest| self.remove(oldest));
        let at = (teller, self.next);
        self.next += 1;
        self.counts[teller as usize] += 1;
        self.by_address.insert(place.address, at);
        self.by_cookie.insert(place.cookie, at);
        self.schedule.insert((place.due, at));
        self.places.insert(at, place);
        (at, gone.map_or(0, |gone| gone.claims.len()))
    }

    fn remove(&mut self, at: At) -> Option<Place> {
        let place = self.places.remove(&at)?;
        self.counts[at.0 as usize] -= 1;
        self.by_address.remove(&place.address);
        self.by_cookie.remove(&place.cookie);
        self.schedule.remove(&(place.due, at));
        Some(place)
    }
}

impl Place {
    /// How many pings are paid for, while it is pinged.
    fn pings(&self) -> Option<usize> {
        match self.stage {
            Stage::Pinged { of, .. } => Some(of),
            _ => None,
        }
    }

    /// Makes the pings that are still to come as long as somebody of a longer name needs them, if the
    /// budget pays for that.
    fn lengthen(&mut self, bytes: usize, budget: &mut usize) {
        let Stage::Pinged { so_far, of } = self.stage else { return };
        let more = bytes.saturating_sub(self.bytes);
        if let Some(left) = budget.checked_sub(more * (of - so_far)) {
            (self.bytes, *budget) = (self.bytes + more, left);
        }
    }

    /// The newest claim of each member, of the last few. Those that strangers tell of others make way for
    /// those that members tell, or who lives there.
    fn add(&mut self, claim: Claim) -> Fate {
        let at = self.address.ip();
        let firm = |claim: &Claim| claim.teller == Teller::Member || claim.from.ip() == at;
        let same =
            |held: &&mut Claim| held.update.id == claim.update.id && firm(held) == firm(&claim);
        if let Some(held) = self.claims.iter_mut().find(same) {
            if claim.update.incarnation >= held.update.incarnation {
                *held = Claim { by_stream: claim.by_stream || held.by_stream, ..claim };
            }
            return Fate::Kept { displaced: 0 };
        }
        let full = self.claims.len() >= CLAIMS;
        if full {
            self.crowded = true;
            let loose = self.claims.iter().position(|held| !firm(held));
            let Some(gone) = loose.or(firm(&claim).then_some(0)) else { return Fate::Dropped };
            self.claims.remove(gone);
        }
        self.claims.push(claim);
        Fate::Kept { displaced: full.into() }
    }

    /// What to do next, and how long to wait for what comes of it; then it is over.
    fn step(&mut self, shortest: usize) -> (Option<Step>, Option<Duration>) {
        let (to, cookie) = (self.address, self.cookie);
        match self.stage {
            Stage::Pinged { so_far, of } if so_far < of => {
                self.stage = Stage::Pinged { so_far: so_far + 1, of };
                self.answers += ANSWERS;
                let padding = self.bytes - shortest;
                (Some(Step::Ping { to, cookie, padding }), Some(PATIENCE * (1 << so_far)))
            }
            Stage::Pinged { .. } => {
                self.stage = Stage::ByStream;
                let told_by = self.claims.iter().map(|claim| claim.from).collect();
                (Some(Step::Stream { to, cookie, told_by }), Some(STREAM_PATIENCE))
            }
            Stage::ByStream => {
                self.stage = Stage::Refused;
                (self.name, self.answers) = (None, 0);
                let claims = std::mem::take(&mut self.claims);
                (Some(Step::Refused { claims }), Some(PAUSE))
            }
            Stage::Refused | Stage::Answered => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use swim_core::MemberState;

    use super::*;

    const COST: usize = 30;
    const SIZES: Sizes = Sizes { question: COST, ack: 26 };

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
        Claim { from: place(0), by_stream: false, teller: Teller::Member, update }
    }

    /// The same, told by a stranger of that number.
    fn strange(name: &str, stranger: u16) -> Claim {
        let [high, low] = stranger.to_be_bytes();
        let from = ([10, 0, high, low], 7946).into();
        Claim { from, teller: Teller::Stranger, ..claim(name, 1) }
    }

    /// Has a packet of that budget tell of that; what becomes of it.
    fn tell(
        validation: &mut Validation,
        claims: impl IntoIterator<Item = (u16, Claim)>,
        budget: usize,
        now: Instant,
    ) -> Vec<Fate> {
        let (mut budget, mut by) = (budget, (Teller::Member, place(0).ip()));
        let keep = |(at, claim): (u16, Claim)| {
            by = (claim.teller, claim.from.ip());
            validation.keep(place(at), claim, &mut budget, now)
        };
        let fates = claims.into_iter().map(keep).collect();
        validation.repeat(by, &mut budget, now);
        fates
    }

    const KEPT: Fate = Fate::Kept { displaced: 0 };

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
        let Validation { places, by_address, by_cookie, schedule, counts, .. } = validation;
        let lens = [by_address.len(), by_cookie.len(), schedule.len(), counts.iter().sum()];
        assert_eq!(lens, [places.len(); 4]);
        for teller in [Teller::Stranger, Teller::Member] {
            let held = places.keys().filter(|at| at.0 == teller).count();
            assert!(held == counts[teller as usize] && held <= teller.places());
        }
        for (at, place) in places {
            assert!(by_address[&place.address] == *at && by_cookie[&place.cookie] == *at);
            assert!(schedule.contains(&(place.due, *at)) && place.claims.len() <= CLAIMS);
        }
    }

    #[test]
    fn an_address_is_pinged_thrice_then_by_stream_and_then_left_alone_for_a_while() {
        let mut validation = Validation::new(SIZES);
        let start = Instant::now();
        assert_eq!(tell(&mut validation, [(1, claim("a", 1))], 100, start), [KEPT]);
        let mut seen = Vec::new();
        while let Some(at) = validation.next() {
            // What is told meanwhile is kept without another ping.
            let fate = tell(&mut validation, [(1, claim("a", 1))], 1_000, at);
            let what = steps(&mut validation, at).0;
            seen.push(((at - start).as_millis(), what, fate[0]));
        }
        let expected = [
            (0, vec!["ping"], KEPT),
            (300, vec!["ping"], KEPT),
            (900, vec!["ping"], KEPT),
            (2_100, vec!["stream"], KEPT),
            (8_100, vec!["refused"], KEPT),
            (10_100, vec![], Fate::Refused),
        ];
        assert_eq!(seen, expected);
        is_whole(&validation);
    }

    #[test]
    fn a_datagram_has_no_more_sent_than_it_pays_for() {
        let now = Instant::now();
        for (budget, pings) in [(29, 0), (30, 1), (89, 2), (1_000, 3)] {
            let mut validation = Validation::new(SIZES);
            let fate = tell(&mut validation, [(1, claim("a", 1))], budget, now);
            assert_eq!(fate == [Fate::Dropped], pings == 0);
            let mut sent = 0;
            while let Some(at) = validation.next() {
                sent += steps(&mut validation, at).0.iter().filter(|&&step| step == "ping").count();
            }
            assert_eq!(sent, pings);
        }
    }

    #[test]
    fn all_addresses_of_a_datagram_are_pinged_once_before_one_is_twice() {
        let now = Instant::now();
        let claims = || (1..=4).map(|at| (at, claim("a", 1)));
        let mut validation = Validation::new(SIZES);
        let fates = tell(&mut validation, claims(), 5 * COST, now);
        assert_eq!(fates, [KEPT; 4]);
        assert_eq!(steps(&mut validation, now).0, ["ping"; 4]);
        let second = now + PATIENCE;
        assert_eq!(steps(&mut validation, second).0, ["ping", "stream", "stream", "stream"]);
        // The next one pays for what this one did not, but for those that are not pinged any more.
        let mut validation = Validation::new(SIZES);
        for _ in 0..9 {
            tell(&mut validation, claims(), 5 * COST, now);
        }
        let mut sent = 0;
        while let Some(at) = validation.next() {
            sent += steps(&mut validation, at).0.iter().filter(|&&step| step == "ping").count();
        }
        assert_eq!(sent, 4 * PINGS);
    }

    #[test]
    fn who_has_a_long_name_gets_a_question_as_long_as_its_answer_needs() {
        let now = Instant::now();
        let padding = |name: &str, budget| {
            let mut validation = Validation::new(SIZES);
            tell(&mut validation, [(1, claim("a", 1)), (1, claim(name, 1))], budget, now);
            match validation.due(now) {
                Some(Step::Ping { padding, .. }) => padding,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(padding(&"x".repeat(62), 1_000), 0, "3 * 30 >= 26 + 62 + 2");
        assert_eq!(padding(&"x".repeat(63), 1_000), 1);
        assert_eq!(padding(&"x".repeat(255), 1_000), 65);
        assert_eq!(padding(&"x".repeat(255), COST + 64), 0, "that does not pay for it");
        assert_eq!(padding(&"x".repeat(255), COST + 65), 65);
    }

    #[test]
    fn who_has_no_stream_is_refused_at_once() {
        let mut validation = Validation::new(SIZES);
        let now = Instant::now();
        tell(&mut validation, [(1, claim("a", 1))], COST, now);
        let (_, cookie) = steps(&mut validation, now);
        let ack = |seq| GossipMessage::Ack { seq, from: "a".into() };
        assert_eq!(Validation::proof(&ack(cookie)), Some((cookie, &"a".into())));
        assert_eq!(Validation::proof(&ack(cookie ^ Validation::COOKIE)), None);
        let later = now + PATIENCE;
        assert_eq!(steps(&mut validation, later).0, ["stream"]);
        validation.give_up(cookie, later);
        validation.give_up(cookie ^ 1, later);
        assert_eq!(steps(&mut validation, later).0, ["refused"]);
        is_whole(&validation);
    }

    #[test]
    fn an_answer_proves_the_latest_claim_of_its_name_and_no_other() {
        let mut validation = Validation::new(SIZES);
        let now = Instant::now();
        for (name, incarnation) in [("a", 2), ("b", 1), ("a", 3), ("a", 1)] {
            validation.keep(place(1), claim(name, incarnation), &mut 1_000, now);
        }
        let (_, cookie) = steps(&mut validation, now);
        let mut answered = |cookie, name: &str| {
            let (proven, refused) = validation.answered(cookie, &name.into(), now);
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
        let mut validation = Validation::new(SIZES);
        let now = Instant::now();
        let mut keep = |at, name: &str| validation.keep(place(at), claim(name, 1), &mut 1_000, now);
        for at in 0..Teller::Member.places() as u16 {
            assert_eq!(keep(at, "a"), KEPT);
        }
        assert_eq!(keep(5_000, "a"), Fate::Kept { displaced: 1 });
        for name in ["b", "c", "d"] {
            assert_eq!(keep(5_000, name), KEPT);
        }
        assert_eq!(keep(5_000, "e"), Fate::Kept { displaced: 1 });
        is_whole(&validation);
        assert!(!validation.by_address.contains_key(&place(0)));
        assert!(validation.by_address.contains_key(&place(1)));
    }

    #[test]
    fn what_strangers_tell_leaves_alone_what_members_tell() {
        let mut validation = Validation::new(SIZES);
        let now = Instant::now();
        tell(&mut validation, [(1, claim("a", 1))], 1_000, now);
        // A stranger was first here; then a member tells of it as well.
        tell(&mut validation, [(2, strange("b", 1))], 1_000, now);
        tell(&mut validation, [(2, claim("b", 1))], 1_000, now);
        let flood = (3..60_000).map(|at| (at, strange("x", at)));
        let fates = flood.flat_map(|one| tell(&mut validation, [one], 1_000, now));
        assert!(fates.filter(|fate| *fate == Fate::Kept { displaced: 1 }).count() > 100);
        is_whole(&validation);
        assert_eq!(validation.counts, [Teller::Stranger.places(), 2]);
        assert!([1, 2].iter().all(|&at| validation.by_address.contains_key(&place(at))));
    }

    #[test]
    fn who_was_silent_when_strangers_told_of_it_is_asked_again_when_a_member_does() {
        let mut validation = Validation::new(SIZES);
        let now = Instant::now();
        let mut silent = |told: Claim, now| {
            let fates = tell(&mut validation, [(1, told)], COST, now);
            let cookie = steps(&mut validation, now).1;
            let later = now + PATIENCE;
            if fates == [KEPT] {
                assert_eq!(steps(&mut validation, later).0, ["stream"]);
                validation.give_up(cookie, later);
                assert_eq!(steps(&mut validation, later).0, ["refused"]);
            }
            is_whole(&validation);
            (fates[0], later)
        };
        let (_, later) = silent(strange("x", 1), now);
        let (fate, _) = silent(strange("a", 2), later);
        assert_eq!(fate, Fate::Refused);
        // It lives there by now.
        let (fate, later) = silent(claim("a", 1), later);
        assert_eq!(fate, KEPT);
        let (fate, _) = silent(claim("a", 1), later);
        assert_eq!(fate, Fate::Refused, "now a member's word was asked for");
    }

    #[test]
    fn one_stranger_has_so_many_pings_sent_and_not_more() {
        let mut validation = Validation::new(SIZES);
        let mut now = Instant::now();
        let mut sent = 0;
        for at in 0..20_000 {
            tell(&mut validation, [(at, strange("x", 7))], 1_000, now);
            now += Duration::from_millis(1);
            sent += steps(&mut validation, now).0.iter().filter(|&&step| step == "ping").count();
        }
        let most = (20 + STRANGER_BURST.as_secs() as usize) * STRANGER_PINGS as usize + 1;
        assert!((most - 10..=most).contains(&sent), "{sent}");
        let fates = tell(&mut validation, [(60_000, strange("y", 8))], COST, now);
        assert_ne!(fates, [Fate::Dropped], "others go on");
    }

    #[test]
    fn made_up_names_do_not_drop_who_lives_there() {
        let now = Instant::now();
        let made_up = || ["p", "q", "r", "s", "t"].map(|name| (1, strange(name, 9)));
        let own = || Claim { from: place(1), ..strange("a", 0) };
        for told in [own(), claim("a", 1)] {
            let mut validation = Validation::new(SIZES);
            tell(&mut validation, [(1, told)], 1_000, now);
            tell(&mut validation, made_up(), 1_000, now);
            let (_, cookie) = steps(&mut validation, now);
            let (proven, refused) = validation.answered(cookie, &"a".into(), now);
            assert_eq!((proven.len(), refused.len()), (1, 3));
        }
        // Whoever makes them up can write its address on them too. Then it counts when it is told again.
        let mut validation = Validation::new(SIZES);
        let forged = |name| (1, Claim { from: place(1), ..strange(name, 0) });
        tell(&mut validation, [(1, own())], 1_000, now);
        tell(&mut validation, ["p", "q", "r", "s"].map(forged), 1_000, now);
        let (_, cookie) = steps(&mut validation, now);
        assert!(!validation.has_answered(&place(1), &"a".into()));
        let (proven, refused) = validation.answered(cookie, &"a".into(), now);
        assert_eq!((proven.len(), refused.len()), (0, 4));
        assert!(validation.has_answered(&place(1), &"a".into()));
        // Others are asked for as ever, and it stays proven meanwhile.
        assert_eq!(tell(&mut validation, [forged("u")], 1_000, now), [KEPT]);
        assert!(validation.has_answered(&place(1), &"a".into()));
        assert!(!validation.has_answered(&place(1), &"u".into()));
        is_whole(&validation);
        while let Some(at) = validation.next() {
            steps(&mut validation, at);
        }
        assert!(!validation.has_answered(&place(1), &"a".into()));
    }

    #[test]
    fn an_address_is_expected_to_answer_as_often_as_it_was_asked() {
        let mut validation = Validation::new(SIZES);
        let now = Instant::now();
        tell(&mut validation, [(1, claim("a", 1))], 1_000, now);
        assert!(!validation.expects(&place(1)), "before it was asked");
        assert!(!validation.expects(&place(2)));
        steps(&mut validation, now);
        let passed = (0..100).filter(|_| validation.expects(&place(1))).count();
        assert_eq!(passed, ANSWERS);
        while validation.places.values().any(|place| place.stage != Stage::Refused) {
            let at = validation.next().unwrap();
            steps(&mut validation, at);
        }
        assert!(!validation.expects(&place(1)), "it is over");
    }

    proptest! {
        /// Whatever comes in whatever order, the tables agree and stay within their bounds.
        #[test]
        fn the_tables_agree(ops in prop::collection::vec((0..4u8, any::<u16>()), 1..500)) {
            let mut validation = Validation::new(SIZES);
            let mut now = Instant::now();
            let mut cookies = Vec::new();
            for (op, number) in ops {
                let name = format!("n{}", number % 7);
                match op {
                    0 | 1 => {
                        let told = if op == 0 { claim(&name, 1) } else { strange(&name, number % 5) };
                        let budget = usize::from(number % 200);
                        tell(&mut validation, [(number % 90, told)], budget, now);
                    }
                    2 => {
                        let cookie = cookies.get(usize::from(number) % cookies.len().max(1));
                        validation.answered(cookie.copied().unwrap_or(7), &name.as_str().into(), now);
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
                validation.expects(&place(number % 90));
            }
            is_whole(&validation);
        }
    }
}
