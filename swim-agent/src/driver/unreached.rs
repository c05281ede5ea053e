//! Whom members tell of and nobody here reaches. Who told of one has reached it, so it is asked for all
//! members by stream: not at once, for all who heard the same would do that, and mostly the next
//! comparison of views brings it without.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use super::validation::Claim;

/// Within what time one is asked; and for how long no other is then.
const WITHIN: Duration = Duration::from_secs(60);
/// Claims that are kept until then.
const KEPT: usize = 16;

/// The claims of those who did not answer here.
#[derive(Debug, Default)]
pub(super) struct Unreached {
    claims: Vec<Claim>,
    due: Option<Instant>,
    /// Until when nobody is asked again.
    rests: Option<Instant>,
}

impl Unreached {
    /// When to call [`due`](Self::due) next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due
    }

    /// Whoever was claimed to live there did not answer here.
    pub(super) fn note(&mut self, mut claim: Claim, now: Instant) {
        claim.update.metadata = None;
        // The first ones, whom the time is set for, and the latest.
        self.claims.truncate(KEPT - 1);
        self.claims.push(claim);
        let earliest = self.rests.map_or(now, |until| until.max(now));
        self.due.get_or_insert_with(|| earliest + random_part(WITHIN));
    }

    /// The claims whose time has come: who is still unknown is to be asked for.
    pub(super) fn due(&mut self, now: Instant) -> Option<Vec<Claim>> {
        self.due.take_if(|due| *due <= now)?;
        Some(std::mem::take(&mut self.claims))
    }

    /// Somebody was asked.
    pub(super) fn asked(&mut self, now: Instant) {
        self.rests = Some(now + WITHIN);
    }
}

/// The keys of a hasher are as random as this needs.
fn random_part(of: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) >> 32;
    of.mul_f64(random as f64 / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use swim_core::{MemberState, MemberUpdate};

    use super::super::validation::Teller;
    use super::*;

    fn claim(name: &str) -> Claim {
        let update = MemberUpdate {
            id: name.into(),
            state: MemberState::Alive,
            incarnation: 1,
            address: None,
            metadata: None,
        };
        Claim {
            from: ([10, 0, 0, 1], 7946).into(),
            by_stream: false,
            teller: Teller::Member,
            update,
        }
    }

    #[test]
    fn of_many_who_hear_the_same_a_few_ask_at_a_time() {
        let now = Instant::now();
        let dues: Vec<Duration> = (0..1_000)
            .map(|_| {
                let mut unreached = Unreached::default();
                unreached.note(claim("a"), now);
                unreached.next().expect("a time") - now
            })
            .collect();
        for second in 0..WITHIN.as_secs() {
            let count = dues.iter().filter(|due| due.as_secs() == second).count();
            assert!(count < 60, "{count} in second {second}");
        }
        assert!(dues.iter().all(|due| *due <= WITHIN));
    }

    #[test]
    fn claims_wait_in_small_number_for_their_time_and_for_the_last_ones() {
        let mut unreached = Unreached::default();
        let start = Instant::now();
        (0..100).for_each(|number| unreached.note(claim(&format!("n{number}")), start));
        let at = unreached.next().expect("a time");
        let claims = unreached.due(at).expect("claims");
        assert_eq!(claims.len(), KEPT);
        assert_eq!(claims.last().map(|claim| claim.update.id.as_str()), Some("n99"));
        assert_eq!(unreached.next(), None);
        unreached.asked(at);
        unreached.note(claim("b"), at);
        let next = unreached.next().expect("a time");
        assert!((at + WITHIN..=at + 2 * WITHIN).contains(&next));
    }
}
