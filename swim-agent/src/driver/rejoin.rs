//! Rejoining: an agent that was in a cluster before it restarted asks those that it remembers, a
//! few at a time and with back-off, so that a cluster in which every member has restarted finds
//! together without seeds.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use swim_transport::Transport;
use swim_wire::Codec;

use super::Driver;
use crate::state::Place;

/// Addresses asked at a time.
const SAMPLE: usize = 8;
/// The first and the longest wait before others are asked.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// How often an address is asked by an agent that is in a cluster again: whoever lives there may
/// have restarted too, and found others.
const TRIES: u32 = 4;

/// A member that was not found so far.
#[derive(Debug)]
struct Lost {
    name: String,
    address: SocketAddr,
    tries: u32,
}

/// Whom an agent remembers from before its restart.
#[derive(Debug)]
pub(super) struct Rejoin {
    /// Whom to ask, the next ones first.
    places: VecDeque<Lost>,
    asking: Vec<SocketAddr>,
    /// Who is not looked for any more, found or not.
    done: Vec<(String, SocketAddr)>,
    next: Option<Instant>,
    pause: Duration,
}

impl Rejoin {
    /// Asks those members, the best ones first. Seeds, if there are any, are given a moment before.
    pub(super) fn new(members: Vec<(String, SocketAddr)>, seeds: bool, now: Instant) -> Self {
        let members = members.into_iter();
        let places: VecDeque<Lost> =
            members.map(|(name, address)| Lost { name, address, tries: 0 }).collect();
        let first = if seeds { now + PAUSES[0] } else { now };
        let next = (!places.is_empty()).then_some(first);
        Self { places, asking: Vec::new(), done: Vec::new(), next, pause: PAUSES[0] }
    }

    /// When to call [`due`](Self::due) next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Whom to ask until then.
    pub(super) fn asking(&self) -> &[SocketAddr] {
        &self.asking
    }

    /// Says whether others are to be asked now. An agent that is `alone` goes on for ever. O(of the
    /// addresses left), a few times.
    pub(super) fn due(
        &mut self,
        now: Instant,
        alone: bool,
        lives: impl Fn(&SocketAddr) -> bool,
    ) -> bool {
        if self.next.is_none_or(|next| next > now) {
            return false;
        }
        for place in std::mem::take(&mut self.places) {
            match lives(&place.address) || (!alone && place.tries >= TRIES) {
                true => self.done.push((place.name, place.address)),
                false => self.places.push_back(place),
            }
        }
        self.asking.clear();
        let sample = self.places.len().min(SAMPLE);
        for place in self.places.iter_mut().take(sample) {
            place.tries += 1;
            self.asking.push(place.address);
        }
        self.places.rotate_left(sample);
        if alone && sample > 0 {
            let (some, all) = (sample, self.places.len());
            tracing::info!("rejoining through {some} of {all} remembered addresses");
        }
        self.next = (sample > 0).then_some(now + self.pause);
        self.pause = (self.pause * 2).min(PAUSES[1]);
        true
    }

    /// Who was found, or given up, since the last call.
    pub(super) fn take_done(&mut self) -> Vec<(String, SocketAddr)> {
        std::mem::take(&mut self.done)
    }

    /// A member is gone for good, or so it is said: it is not looked for any more. O(of the addresses
    /// left).
    pub(super) fn forget(&mut self, name: &str) {
        self.places.retain(|place| place.name != name);
    }

    /// Nobody is asked any more.
    pub(super) fn leave(&mut self) {
        self.places.clear();
        self.asking.clear();
        self.next = None;
    }
}

impl<T: Transport, C: Codec> Driver<T, C> {
    /// Asks others of those that this node remembers. Who is not looked for any more and unknown to
    /// the cluster is remembered as dead, so that memories do not pile up from life to life.
    pub(super) fn rejoin(&mut self, now: Instant) {
        let protocol = &self.protocol;
        let lives = |at: &SocketAddr| protocol.member_at(at).is_some_and(|m| m.state.is_live());
        if !self.joins.rejoin.due(now, self.view.is_alone(), lives) {
            return;
        }
        for (name, address) in self.joins.rejoin.take_done() {
            let unknown = self.protocol.member(&name.as_str().into()).is_none();
            if let Some(keeper) = self.keeper.as_ref().filter(|_| unknown) {
                keeper.member(&name, Place::dead(address, SystemTime::now()));
            }
        }
        self.ask();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(count: u8) -> Vec<(String, SocketAddr)> {
        addresses(count).into_iter().map(|address| (address.to_string(), address)).collect()
    }

    fn addresses(count: u8) -> Vec<SocketAddr> {
        (0..count).map(|number| SocketAddr::from(([10, 0, 0, number], 7946))).collect()
    }

    #[test]
    fn alone_it_asks_everybody_in_turn_for_ever_and_ever_more_slowly() {
        let mut now = Instant::now();
        let mut rejoin = Rejoin::new(members(20), false, now);
        let mut asked = Vec::new();
        for round in 0..30 {
            assert!(rejoin.due(now, true, |_| false), "round {round}");
            asked.extend_from_slice(rejoin.asking());
            let next = rejoin.next().unwrap();
            assert!(!rejoin.due(next - Duration::from_millis(1), true, |_| false));
            assert!(next - now <= PAUSES[1] && (round < 6 || next - now == PAUSES[1]));
            now = next;
        }
        assert_eq!(asked[..20], addresses(20));
        assert_eq!(asked.len(), 30 * SAMPLE);
    }

    #[test]
    fn in_a_cluster_it_asks_where_nobody_is_known_to_live_a_few_times() {
        let mut now = Instant::now();
        let mut rejoin = Rejoin::new(members(10), true, now);
        assert!(!rejoin.due(now, true, |_| false), "the seeds come first");
        let lives = |address: &SocketAddr| address.ip().to_string() != "10.0.0.3";
        for round in 0..=TRIES {
            now = rejoin.next().unwrap();
            assert!(rejoin.due(now, false, lives));
            let expected = if round < TRIES { &addresses(10)[3..4] } else { &[] };
            assert_eq!(rejoin.asking(), expected, "round {round}");
            let done = rejoin.take_done().len();
            assert_eq!(done, [9, 0, 0, 0, 1][round as usize], "round {round}");
        }
        assert_eq!(rejoin.next(), None);
    }
}
