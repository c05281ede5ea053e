//! This node's network coordinate (Vivaldi, Dabek et al. 2004), and those of the members it heard
//! of: what estimates round trips that nobody measured.
//!
//! Each round trip is a spring between two coordinates. It pulls this node's own, weighed by how
//! sure both are, so that together all find places whose distances are their round trips.

use std::time::Duration;

use super::Engine;
use super::message::{MemberIdx, Source};
use super::output::Profile;
use super::table::make_room;
use super::view_hash::mix;
use crate::coordinate::{Coordinate, RoundTripEstimate};
use crate::rng::SwimRng;
use crate::time::micros;
use crate::tuning::ACKS_PER_COORDINATE;

/// Part of a spring's force that a sample moves (the paper's `c_c`), and of an error that it
/// corrects (`c_e`).
const CORRECTION: f64 = 0.25;
/// Nobody counts as surer of itself than this: who claims no error at all would pull with twice the
/// force, and a node without any would never move again.
const LEAST_ERROR: f64 = 0.05;
/// Heights grow in proportion, so never below this, in microseconds.
const LEAST_HEIGHT: f64 = 10.0;
/// A force counts up to so many times the usual one: who lies, or one absurd round trip, moves this
/// node no further than usual. The usual one follows within a score of samples when all has changed.
const OUTLIER: f64 = 4.0;
/// Part of the way that the usual force moves with each sample.
const SPREAD_GAIN: f64 = 0.125;
/// The usual force in microseconds never falls below this, for it to grow again.
const LEAST_SPREAD: f64 = 10.0;
/// Part of the way back to the origin that each sample takes: all coordinates together do not
/// drift. It makes distances too short by less than a hundredth.
const GRAVITY: f64 = 1.0 / 1_024.0;

/// [`Coordinate::MAX`] in microseconds.
const MOST: f64 = Coordinate::MAX.as_micros() as f64;

/// The own coordinate, and the last one of each member heard from: 15 bytes a member, none before
/// the first is heard.
#[derive(Debug, Clone)]
pub(super) struct Coordinates {
    /// In microseconds, as all here.
    position: [f64; 3],
    height: f64,
    error: f64,
    /// The usual force of a sample; 0 before the first.
    spread: f64,
    /// Acks since one carried the own coordinate.
    acks: u8,
    /// Its own, so that nothing else depends on whether coordinates are on.
    rng: SwimRng,
    of: Vec<Option<Coordinate>>,
}

impl Coordinates {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            position: [0.0; 3],
            height: LEAST_HEIGHT,
            error: Coordinate::UNKNOWN,
            spread: 0.0,
            acks: ACKS_PER_COORDINATE,
            rng: SwimRng::new(mix(seed)),
            of: Vec::new(),
        }
    }

    fn own(&self) -> Coordinate {
        Coordinate::of_micros(self.position, self.height, self.error)
    }

    fn of(&self, member: MemberIdx) -> Option<Coordinate> {
        self.of.get(member.0 as usize).copied().flatten()
    }

    /// Forgets a member: another may get its index.
    pub(super) fn forget(&mut self, member: MemberIdx) {
        if let Some(held) = self.of.get_mut(member.0 as usize) {
            *held = None;
        }
    }

    fn keep(&mut self, member: MemberIdx, coordinate: Coordinate, known: usize) {
        let at = member.0 as usize;
        if at >= self.of.len() {
            // For all that are known, so that it happens once and not at each higher index.
            let len = known.max(at + 1);
            make_room(&mut self.of, len);
            self.of.resize(len, None);
        }
        self.of[at] = Some(coordinate);
    }

    /// Takes in a round trip to who is there.
    fn sample(&mut self, round_trip: Duration, there: Coordinate) {
        let round_trip = (micros(round_trip) as f64).max(1.0);
        let place = there.position();
        let mut away: [f64; 3] = std::array::from_fn(|i| self.position[i] - f64::from(place[i]));
        let mut apart = length(away);
        let heights = self.height + f64::from(there.height_micros());
        let force = self.tamed(round_trip - apart - heights);
        let [own, theirs] = [self.error, there.error()].map(|error| error.max(LEAST_ERROR));
        let weight = CORRECTION * own / (own + theirs);
        self.error += weight * ((force.abs() / round_trip).min(1.0) - self.error);
        if apart < 1.0 {
            // In one place: any way leads apart.
            apart = heights;
            away = direction(&mut self.rng).map(|along| along * apart);
        }
        let (step, near) = (weight * force, apart.recip());
        // Positions answer in whole, heights in proportion: where sites are as far apart as they are,
        // what is left of a force is the way into them.
        for (along, away) in self.position.iter_mut().zip(away) {
            *along = ((*along + step * near * away) * (1.0 - GRAVITY)).clamp(-MOST, MOST);
        }
        self.height = (self.height + step * (heights * near).min(1.0)).clamp(LEAST_HEIGHT, MOST);
    }

    /// A force, no greater than a few times the usual one, which is the median.
    fn tamed(&mut self, force: f64) -> f64 {
        if self.spread == 0.0 {
            self.spread = force.abs().max(LEAST_SPREAD);
        }
        let most = OUTLIER * self.spread;
        // It follows the median, which liars do not move as long as they are fewer than the honest.
        let greater = force.abs() > self.spread;
        self.spread *= if greater { 1.0 + SPREAD_GAIN } else { 1.0 - SPREAD_GAIN };
        self.spread = self.spread.max(LEAST_SPREAD);
        force.clamp(-most, most)
    }
}

fn length(of: [f64; 3]) -> f64 {
    (of[0] * of[0] + of[1] * of[1] + of[2] * of[2]).sqrt()
}

/// A random way of length 1: even in all directions is not needed.
fn direction(rng: &mut SwimRng) -> [f64; 3] {
    let way = std::array::from_fn(|_| 2.0 * rng.unit() - 1.0);
    let long = length(way);
    if long < 0.01 { [1.0, 0.0, 0.0] } else { way.map(|along| along / long) }
}

impl<P: Profile> Engine<P> {
    /// The own coordinate, if this ack is one to carry it: at most one in [`ACKS_PER_COORDINATE`],
    /// and only to live members where they live. Else it would amplify what a stranger sent.
    pub(super) fn coordinate_to_tell(&mut self, source: &Source<P::Address>) -> Option<Coordinate> {
        let coordinates = self.coordinates.as_mut()?;
        coordinates.acks = coordinates.acks.saturating_add(1);
        if coordinates.acks < ACKS_PER_COORDINATE {
            return None;
        }
        let member = source.member.filter(|&member| self.table.is_live(member))?;
        if source.address != self.table.address(member) {
            return None;
        }
        coordinates.acks = 0;
        Some(coordinates.own())
    }

    /// Takes in a round trip that this node measured itself, and the coordinate that came with the
    /// ack; without one, the last that the member told serves.
    pub(super) fn locate(
        &mut self,
        member: MemberIdx,
        round_trip: Duration,
        told: Option<Coordinate>,
    ) {
        let Some(coordinates) = &mut self.coordinates else { return };
        if told.is_some_and(|told| !told.is_sane()) {
            self.stats.coordinates_refused += 1;
            return;
        }
        if let Some(told) = told {
            coordinates.keep(member, told, self.table.profiles.len());
        }
        let Some(there) = coordinates.of(member).filter(|_| round_trip <= Coordinate::MAX) else {
            return;
        };
        coordinates.sample(round_trip, there);
    }

    /// This node's own coordinate; `None` where coordinates are switched off.
    pub fn coordinate(&self) -> Option<Coordinate> {
        self.coordinates.as_ref().map(Coordinates::own)
    }

    /// The coordinate of a member, this node included: its own as it is, of others the last that
    /// they told this node; `None` if there is none so far. O(1).
    pub fn coordinate_of(&self, member: MemberIdx) -> Option<Coordinate> {
        self.table.get(member)?;
        if member == self.table.me {
            return self.coordinate();
        }
        self.coordinates.as_ref()?.of(member)
    }

    /// What coordinates tell of the round trip between two members, this node included; `None`
    /// where one of them has told none so far, or none that it had measured. O(1).
    pub fn round_trip_estimate(
        &self,
        one: MemberIdx,
        other: MemberIdx,
    ) -> Option<RoundTripEstimate> {
        RoundTripEstimate::between(self.coordinate_of(one)?, self.coordinate_of(other)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody who is 20 ms away in every sample, told with a tenth of error.
    fn settled() -> (Coordinates, Coordinate) {
        let mut own = Coordinates::new(7);
        let there = Coordinate::new([20_000, 0, 0], Duration::from_micros(500), 0.1);
        for i in 0..400 {
            own.sample(Duration::from_micros(19_000 + i % 5 * 500), there);
        }
        (own, there)
    }

    fn moved(from: &Coordinates, to: &Coordinates) -> f64 {
        length(std::array::from_fn(|i| to.position[i] - from.position[i]))
    }

    fn copy(of: &Coordinates) -> Coordinates {
        let Coordinates { position, height, error, spread, acks, ref rng, .. } = *of;
        Coordinates { position, height, error, spread, acks, rng: rng.clone(), of: Vec::new() }
    }

    #[test]
    fn one_absurd_round_trip_moves_it_no_further_than_usual() {
        let (before, there) = settled();
        let mut after = copy(&before);
        after.sample(Coordinate::MAX, there);
        let most = CORRECTION * OUTLIER * before.spread;
        let gravity = length(before.position) * GRAVITY;
        println!("{:.0} us of {most:.0}", moved(&before, &after));
        assert!(most < 1_500.0, "{most}: spread of half a millisecond or so");
        assert!(moved(&before, &after) <= most + gravity);
        assert!((after.height - before.height).abs() <= most);
    }

    #[test]
    fn one_liar_moves_it_no_further_either() {
        let (before, _) = settled();
        let most = CORRECTION * OUTLIER * before.spread + length(before.position) * GRAVITY;
        for far in [-4_000_000, 4_000_000] {
            let lie = Coordinate::new([far; 3], Coordinate::MAX, 0.0);
            let mut after = copy(&before);
            after.sample(Duration::from_millis(20), lie);
            assert!(moved(&before, &after) <= most, "{far}");
            assert!((after.height - before.height).abs() <= most);
        }
    }

    #[test]
    fn many_liars_do_not_carry_it_away_either() {
        for (honest, most) in [(3, 200.0), (2, 1_000.0)] {
            let (mut own, there) = settled();
            let lie = Coordinate::new([4_000_000; 3], Coordinate::MAX, 0.0);
            for sample in 1..3_000 {
                let lies = sample % (honest + 1) == 0;
                own.sample(Duration::from_millis(20), if lies { lie } else { there });
                let round_trip = own.own().round_trip_to(there).as_micros() as f64;
                assert!((round_trip - 20_000.0).abs() < most, "{sample}: {round_trip} us");
                assert!(own.spread < 5_000.0, "{sample}: {} us", own.spread);
            }
        }
    }

    #[test]
    fn a_changed_network_is_followed() {
        let (mut own, there) = settled();
        for sample in 0.. {
            own.sample(Duration::from_millis(200), there);
            let round_trip = own.own().round_trip_to(there);
            if round_trip > Duration::from_millis(180) {
                println!("from 20 to 200 ms after {sample} samples");
                return;
            }
            assert!(sample < 60, "{round_trip:?} only");
        }
    }

    #[test]
    fn together_they_do_not_drift() {
        let mut both = [Coordinates::new(1), Coordinates::new(2)];
        for own in &mut both {
            own.position[0] = 1_000_000.0;
        }
        for _ in 0..20_000 {
            let [one, other] = &mut both;
            one.sample(Duration::from_millis(30), other.own());
            other.sample(Duration::from_millis(30), one.own());
        }
        let [one, other] = &both;
        let round_trip = one.own().round_trip_to(other.own()).as_micros();
        assert!((29_000..=31_000).contains(&round_trip), "{round_trip}");
        assert!(length(one.position) < 50_000.0, "{:?}", one.position);
    }

    #[test]
    fn who_starts_in_one_place_comes_apart() {
        let mut both = [Coordinates::new(1), Coordinates::new(2)];
        for _ in 0..40 {
            let [one, other] = &mut both;
            one.sample(Duration::from_millis(30), other.own());
            other.sample(Duration::from_millis(30), one.own());
        }
        let round_trip = both[0].own().round_trip_to(both[1].own()).as_micros();
        assert!((27_000..=33_000).contains(&round_trip), "{round_trip}");
        assert!(both[0].error < 0.3, "{}", both[0].error);
    }

    #[test]
    fn ways_out_of_one_place_lead_anywhere() {
        let mut rng = SwimRng::new(1);
        let mut octants = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let way = direction(&mut rng);
            assert!((length(way) - 1.0).abs() < 1e-9, "{way:?}");
            octants.insert(way.map(|along| along > 0.0));
        }
        assert_eq!(octants.len(), 8);
    }

    #[test]
    fn a_force_has_its_way_up_to_four_times_the_usual_one() {
        let (settled, _) = settled();
        let usual = settled.spread;
        for (force, felt) in [(3.0, 3.0), (-3.0, -3.0), (5.0, 4.0), (-100.0, -4.0)] {
            let felt_here = copy(&settled).tamed(force * usual) / usual;
            assert!((felt_here - felt).abs() < 1e-9, "{force}: {felt_here}");
        }
    }

    #[test]
    fn who_is_in_one_place_with_another_leaves_it_by_the_usual_step_on_any_way() {
        let there = Coordinate::new([0; 3], Duration::from_micros(500), 0.1);
        let mut octants = std::collections::BTreeSet::new();
        let steps = (0..100).map(|seed| {
            let mut own = Coordinates::new(seed);
            own.sample(Duration::from_millis(30), there);
            octants.insert(own.position.map(|along| along > 0.0));
            length(own.position)
        });
        let steps: Vec<_> = steps.collect();
        assert!(steps.iter().all(|step| (step - steps[0]).abs() < 1.0), "{steps:?}");
        assert_eq!(octants.len(), 8);
        assert!(steps[0] > 1_000.0, "{} us", steps[0]);
    }

    #[test]
    fn who_measures_what_fits_nowhere_says_that_it_errs() {
        let there = Coordinate::new([20_000, 0, 0], Duration::from_micros(500), 0.1);
        let mut own = Coordinates::new(7);
        for i in 0..200 {
            own.sample(Duration::from_millis(if i % 2 == 0 { 10 } else { 90 }), there);
        }
        assert!((0.2..=1.0).contains(&own.error), "{}", own.error);
        assert!(settled().0.error < 0.1);
    }
}
