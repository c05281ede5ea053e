//! What users tell: how soon do all members hear it, does any miss it, and who pays for it?

use std::collections::HashMap;
use std::time::Duration;

use swim_core::{MemberIdx, MemberState, Stamp, Time};

use crate::lab::Experiment;
use crate::network::Network;
use crate::node::{Io, Node};
use crate::world::{Moment, Watch, World};

/// Events told by random members of a quiet cluster, evenly spread over `length`.
#[derive(Debug, Clone)]
pub struct Events {
    /// Nodes.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// How many are told.
    pub count: u32,
    /// Over which time.
    pub length: Duration,
    /// Bytes of each, headers included.
    pub bytes: u32,
    /// How long to wait at the end for all to have heard all.
    pub limit: Duration,
}

/// What one run gave.
#[derive(Debug, Clone, Default)]
pub struct EventsOutcome {
    /// Events that nodes refused to tell, because too much waited.
    pub refused: u64,
    /// Share of the others that heard an event, of those accepted.
    pub heard: f64,
    /// From being told until half of the others had heard it: the median of all events, in seconds.
    pub half: Option<f64>,
    /// Until all had: the median of all events.
    pub all: Option<f64>,
    /// Until all had: of the slowest.
    pub slowest: Option<f64>,
    /// Events that a node heard twice, or after one that it had caused.
    pub disorder: u64,
    /// Times that anybody suspected anybody.
    pub suspicions: u64,
    /// Times that anybody held anybody dead.
    pub deaths: u64,
    /// Bytes per second and node while events were told, headers included.
    pub bytes: f64,
}

const WARM_UP: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(10);

/// One event on its way.
#[derive(Debug)]
struct Told {
    at: Time,
    heard: u32,
    half: Option<f64>,
    all: Option<f64>,
}

/// Notes who hears what, and who is blamed meanwhile.
#[derive(Debug, Default)]
struct Ears {
    others: u32,
    told: HashMap<Stamp, Told>,
    /// Of each node, the latest that it heard of each other's: what one node tells has an order.
    latest: HashMap<(MemberIdx, MemberIdx), Stamp>,
    origins: HashMap<Stamp, MemberIdx>,
    complete: usize,
    disorder: u64,
    suspicions: u64,
    deaths: u64,
}

impl Ears {
    fn heard(&mut self, now: Time, at: MemberIdx, stamp: Stamp) {
        let Some(&origin) = self.origins.get(&stamp) else { return };
        let before = self.latest.insert((at, origin), stamp);
        self.disorder += u64::from(before.is_some_and(|before| before >= stamp));
        let Some(told) = self.told.get_mut(&stamp) else { return };
        told.heard += 1;
        let seconds = now.since(told.at).as_secs_f64();
        if told.heard == self.others.div_ceil(2) {
            told.half = Some(seconds);
        }
        if told.heard == self.others {
            told.all = Some(seconds);
            self.complete += 1;
        }
    }

    /// The figure at so many percent of all events, if so many have it.
    fn percentile(&self, percent: usize, figure: impl Fn(&Told) -> Option<f64>) -> Option<f64> {
        let mut figures: Vec<f64> = self.told.values().filter_map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get((self.told.len() * percent).div_ceil(100).max(1) - 1).copied()
    }
}

impl<N: Node> Watch<N> for Ears {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, _: &N, io: &Io<N::Packet>) {
        for stamp in &io.heard {
            self.heard(moment.now, at, *stamp);
        }
        let count = |state| io.changes.iter().filter(|it| it.new == Some(state)).count() as u64;
        self.suspicions += count(MemberState::Suspect);
        self.deaths += count(MemberState::Dead);
    }
}

impl Experiment for Events {
    type Outcome = EventsOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> EventsOutcome {
        let ears = Ears { others: self.nodes - 1, ..Ears::default() };
        let mut world = World::new(seed, self.network.clone(), make, ears);
        world.add_converged(self.nodes);
        let phase = Duration::from_secs(1).mul_f64(world.rng().unit());
        world.run_for(WARM_UP + phase);
        (world.watch.suspicions, world.watch.deaths) = (0, 0);
        let (before, mut refused) = (world.traffic(), 0);
        for _ in 0..self.count {
            refused += u64::from(!self.tell(&mut world));
            world.run_for(self.length / self.count.max(1));
        }
        let sent = world.traffic() - before;
        world.run_until_holds(self.limit, LOOK, |world| {
            world.watch.complete == world.watch.told.len()
        });
        let ears = &world.watch;
        let heard: u64 = ears.told.values().map(|told| u64::from(told.heard)).sum();
        let expected = ears.told.len() as f64 * f64::from(ears.others);
        let node_seconds = f64::from(self.nodes) * self.length.as_secs_f64();
        EventsOutcome {
            refused,
            heard: heard as f64 / expected,
            half: ears.percentile(50, |told| told.half),
            all: ears.percentile(50, |told| told.all),
            slowest: ears.percentile(100, |told| told.all),
            disorder: ears.disorder,
            suspicions: ears.suspicions,
            deaths: ears.deaths,
            bytes: sent.bytes() as f64 / node_seconds,
        }
    }
}

impl Events {
    /// Somebody tells one; false if it refuses.
    fn tell<N: Node>(&self, world: &mut World<N, Ears>) -> bool {
        let origin = MemberIdx(world.rng().below(self.nodes.into()) as u32);
        let at = world.now();
        let Some(stamp) = world.tell(origin, self.bytes) else { return false };
        world.watch.origins.insert(stamp, origin);
        world.watch.told.insert(stamp, Told { at, heard: 0, half: None, all: None });
        true
    }
}
