//! An operator's question: how fast, how wrong and how costly is a cluster like mine?

use std::time::Duration;

use swim_core::{MemberIdx, MemberState};

use super::news::{Kind, News};
use super::views::Growth;
use crate::lab::Experiment;
use crate::network::Network;
use crate::node::{Io, Node};
use crate::world::{Moment, Traffic, Watch, World};

/// A cluster that runs quietly for some time; then a member crashes, and then a new one joins.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Nodes in all.
    pub nodes: u32,
    /// The network.
    pub network: Network,
    /// How long it runs quietly.
    pub length: Duration,
    /// How long to wait for all to know of the crash, and of the join.
    pub limit: Duration,
}

/// What one run gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClusterOutcome {
    /// Times that a live member began to be suspected by anybody.
    pub suspected: u64,
    /// Times that a live member began to be held dead by anybody.
    pub declared_dead: u64,
    /// What was sent in the quiet time.
    pub traffic: Traffic,
    /// Seconds from the crash until the first held the member dead.
    pub crash_first: Option<f64>,
    /// Until all did.
    pub crash_all: Option<f64>,
    /// Seconds from the join until all held the newcomer alive.
    pub join_all: Option<f64>,
    /// Until the newcomer held all of them live.
    pub joiner_all: Option<f64>,
}

/// Counts how often members are accused, each time once however many join in.
#[derive(Debug, Default)]
struct Accusations {
    /// How many hold each member Suspect, and Dead.
    held: Vec<[u32; 2]>,
    /// How often that began.
    begun: [u64; 2],
}

impl<N: Node> Watch<N> for Accusations {
    fn called(&mut self, _: Moment<'_>, at: MemberIdx, _: &N, io: &Io<N::Packet>) {
        for change in io.changes.iter().filter(|change| change.member != at) {
            let index = change.member.0 as usize;
            if self.held.len() <= index {
                self.held.resize(index + 1, [0; 2]);
            }
            for (kind, state) in [MemberState::Suspect, MemberState::Dead].into_iter().enumerate() {
                let held = &mut self.held[index][kind];
                match (change.old == Some(state), change.new == Some(state)) {
                    (false, true) => {
                        self.begun[kind] += u64::from(*held == 0);
                        *held += 1;
                    }
                    (true, false) => *held = held.saturating_sub(1),
                    _ => {}
                }
            }
        }
    }
}

type Watches = (Accusations, (News, Growth));

const WARM_UP: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

impl Experiment for Cluster {
    type Outcome = ClusterOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> ClusterOutcome {
        let mut world = World::new(seed, self.network.clone(), make, Watches::default());
        world.add_converged(self.nodes);
        world.run_for(WARM_UP);
        let accused = world.watch.0.begun;
        let before = world.traffic();
        world.run_for(self.length);
        let traffic = world.traffic() - before;
        let [suspected, declared_dead] =
            [0, 1].map(|kind| world.watch.0.begun[kind] - accused[kind]);
        let (crash_first, crash_all) = self.crash(&mut world);
        let (join_all, joiner_all) = self.join(&mut world);
        ClusterOutcome {
            suspected,
            declared_dead,
            traffic,
            crash_first,
            crash_all,
            join_all,
            joiner_all,
        }
    }
}

impl Cluster {
    fn crash<N: Node>(&self, world: &mut World<N, Watches>) -> (Option<f64>, Option<f64>) {
        let phase = Duration::from_secs(1).mul_f64(world.rng().unit());
        world.run_for(phase);
        // The one that the newcomer will join through is spared.
        let victim = MemberIdx(1 + world.rng().below(u64::from(self.nodes) - 1) as u32);
        let (now, others) = (world.now(), self.nodes as usize - 1);
        world.watch.1.0.follow(victim, Kind::Gone, now);
        world.crash(victim);
        world.run_until_holds(self.limit, LOOK, |world| world.watch.1.0.seconds().len() >= others);
        let news = &world.watch.1.0;
        (news.seconds().first().copied(), news.reached(100, others))
    }

    fn join<N: Node>(&self, world: &mut World<N, Watches>) -> (Option<f64>, Option<f64>) {
        let (now, newcomer) = (world.now(), MemberIdx(self.nodes));
        let others = self.nodes as usize - 1;
        world.watch.1.0.follow(newcomer, Kind::Alive, now);
        world.watch.1.1.follow(newcomer, others + 1, now);
        world.start(newcomer);
        world.join(newcomer, &[MemberIdx(0)]);
        world.run_until_holds(self.limit, LOOK, |world| {
            let (news, growth) = &world.watch.1;
            news.seconds().len() >= others && growth.all.is_some()
        });
        let (news, growth) = &world.watch.1;
        (news.reached(100, others), growth.all)
    }
}

#[cfg(test)]
mod tests {
    use swim_core::{Cause, Change, Reason};

    use super::*;
    use crate::nodes::foca::FocaNode;
    use crate::world::Truth;

    /// Tells of one change at one node.
    fn tell(accusations: &mut Accusations, at: u32, old: MemberState, new: MemberState) {
        let mut io = Io::new();
        let cause = Cause { by: None, reason: Reason::Rumor };
        let (old, new) = (Some(old), Some(new));
        io.changes.push(Change {
            member: MemberIdx(9),
            old,
            hidden: false,
            new,
            incarnation: 0,
            cause,
        });
        let moment = Moment { now: swim_core::Time::ZERO, truth: &Truth::default() };
        let at = MemberIdx(at);
        accusations.called(moment, at, &FocaNode::new(2, at, 1, 1), &io);
    }

    #[test]
    fn an_accusation_counts_once_until_all_have_dropped_it() {
        use MemberState::{Alive, Dead, Suspect};
        let mut accusations = Accusations::default();
        for at in [1, 2, 3] {
            tell(&mut accusations, at, Alive, Suspect);
        }
        tell(&mut accusations, 1, Suspect, Alive);
        tell(&mut accusations, 1, Alive, Suspect);
        assert_eq!(accusations.begun, [1, 0]);
        tell(&mut accusations, 1, Suspect, Dead);
        tell(&mut accusations, 2, Suspect, Alive);
        tell(&mut accusations, 3, Suspect, Alive);
        tell(&mut accusations, 2, Alive, Suspect);
        assert_eq!(accusations.begun, [2, 1]);
        tell(&mut accusations, 9, Alive, Suspect);
        assert_eq!(accusations.begun, [2, 1], "what it says of itself is no accusation");
    }
}
