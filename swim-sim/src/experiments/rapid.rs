//! The faults of the Rapid paper (Suresh et al. 2018, section 7.2): a few of many nodes crash, hear
//! only now and then, or lose most of what they send or should hear.

use std::collections::BTreeSet;
use std::time::Duration;

use swim_core::{MemberIdx, MemberState};

use crate::lab::Experiment;
use crate::network::Network;
use crate::node::{Io, Node};
use crate::oracle::Oracle;
use crate::world::{Moment, Watch, World};

/// What befalls the faulty nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// They crash (figure 8).
    Crash,
    /// They hear nothing for 20 s of every 40 s (figure 9).
    DeafNowAndThen,
    /// Of what they send, 80 % is lost (figure 10).
    EgressLoss,
    /// Of what they should hear, 80 % is lost (figure 10's caption).
    IngressLoss,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Crash, Self::DeafNowAndThen, Self::EgressLoss, Self::IngressLoss];

    /// What reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::DeafNowAndThen => "deaf 20 s of 40 s",
            Self::EgressLoss => "80 % egress loss",
            Self::IngressLoss => "80 % ingress loss",
        }
    }
}

/// A fault of some nodes for some time.
#[derive(Debug, Clone)]
pub struct Rapid {
    /// Nodes in all; the paper has 1,000.
    pub nodes: u32,
    /// How many are faulty; the paper has 10.
    pub faulty: usize,
    /// What befalls them.
    pub fault: Fault,
    /// The network otherwise.
    pub network: Network,
    /// How long it goes on.
    pub length: Duration,
}

/// What healthy nodes held at one time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// Seconds since the fault began.
    pub second: u64,
    /// Members that the smallest view held live.
    pub least: usize,
    /// And the greatest.
    pub most: usize,
    /// How many different views there were.
    pub views: usize,
    /// The share of pairs of a healthy and a faulty node in which the first holds the second
    /// degraded; of a crashed one, does not hold it live.
    pub out: f64,
}

/// What one run gave; all of it as healthy nodes see it, looked at once a second.
#[derive(Debug, Clone, Default)]
pub struct RapidOutcome {
    /// Seconds until every faulty node was held degraded everywhere, a crashed one not live, for the
    /// first time.
    pub all_out: Option<f64>,
    /// Seconds after that in which one was not, somewhere.
    pub back: u64,
    /// Seconds until no view held any faulty node live, for the first time.
    pub all_removed: Option<f64>,
    /// Healthy members that somebody held degraded at some time.
    pub healthy_marked: usize,
    /// Deaths declared of healthy members.
    pub false_deaths: u64,
    /// Members that came or went, per node.
    pub changes: f64,
    /// Those of them after the first minute.
    pub late_changes: f64,
    /// Seconds in which views differed.
    pub disagreement: u64,
    /// Bytes sent per node and second, headers included.
    pub bytes: f64,
    /// How it went.
    pub looks: Vec<Look>,
}

const WARM_UP: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);
/// Length of the deaf phases and of those between.
const FLIP: u64 = 20;
const HEAVY: f64 = 0.8;
/// By then a stable membership has settled.
const SETTLED: u64 = 60;

/// Counts who came and went in views of healthy nodes.
#[derive(Debug, Default)]
struct Turnover {
    faulty: BTreeSet<MemberIdx>,
    changes: u64,
}

impl<N: Node> Watch<N> for Turnover {
    fn called(&mut self, _: Moment<'_>, at: MemberIdx, _: &N, io: &Io<N::Packet>) {
        if io.changes.is_empty() || self.faulty.contains(&at) {
            return;
        }
        let is_live = |state: Option<MemberState>| state.is_some_and(MemberState::is_live);
        let turned = io.changes.iter().filter(|it| is_live(it.old) != is_live(it.new));
        self.changes += turned.count() as u64;
    }
}

type Cluster<N> = World<N, (Oracle, Turnover)>;

impl Experiment for Rapid {
    type Outcome = RapidOutcome;

    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> RapidOutcome {
        let watch = (Oracle::default(), Turnover::default());
        let mut world = World::new(seed, self.network.clone(), make, watch);
        world.add_converged(self.nodes);
        world.run_for(WARM_UP);
        let chosen = world.rng().choose(self.faulty, self.nodes as usize);
        let faulty: Vec<MemberIdx> = chosen.into_iter().map(MemberIdx).collect();
        world.watch.0.clear();
        world.watch.0.set_anomalous(&faulty);
        let turnover = Turnover { faulty: faulty.iter().copied().collect(), changes: 0 };
        world.watch.1 = turnover;
        let before = world.traffic();
        let mut outcome = RapidOutcome::default();
        let mut marked = BTreeSet::new();
        let mut early_changes = 0;
        let seconds = self.length.as_secs();
        for second in 0..seconds {
            self.befall(&mut world, &faulty, second);
            world.run_for(SECOND);
            let look = look(&world, second + 1);
            outcome.note(&world, look);
            mark(&world, &mut marked);
            if second < SETTLED {
                early_changes = world.watch.1.changes;
            }
        }
        let healthy = (self.nodes as usize - faulty.len()) as f64;
        outcome.healthy_marked = marked.len();
        outcome.false_deaths = world.watch.0.false_deaths_by_healthy().count() as u64;
        outcome.changes = world.watch.1.changes as f64 / healthy;
        outcome.late_changes = (world.watch.1.changes - early_changes) as f64 / healthy;
        let sent = (world.traffic() - before).bytes() as f64;
        outcome.bytes = sent / f64::from(self.nodes) / seconds as f64;
        outcome
    }
}

impl Rapid {
    /// What happens at the beginning of this second.
    fn befall<N: Node>(&self, world: &mut Cluster<N>, faulty: &[MemberIdx], second: u64) {
        for &node in faulty {
            match self.fault {
                Fault::Crash if second == 0 => world.crash(node),
                Fault::EgressLoss if second == 0 => world.network.set_egress_loss(node, HEAVY),
                Fault::IngressLoss if second == 0 => world.network.set_ingress_loss(node, HEAVY),
                Fault::DeafNowAndThen if second.is_multiple_of(FLIP) => {
                    let deaf = (second / FLIP).is_multiple_of(2);
                    world.network.set_ingress_loss(node, f64::from(u8::from(deaf)));
                }
                _ => {}
            }
        }
    }
}

fn healthy<N: Node>(world: &Cluster<N>) -> impl Iterator<Item = &N> {
    let faulty = &world.watch.1.faulty;
    world.running().filter(|(at, _)| !faulty.contains(at)).map(|(_, node)| node)
}

fn is_live<N: Node>(node: &N, member: MemberIdx) -> bool {
    node.state(member).is_some_and(MemberState::is_live)
}

fn look<N: Node>(world: &Cluster<N>, second: u64) -> Look {
    let mut look = Look { second, least: usize::MAX, ..Look::default() };
    let mut views = BTreeSet::new();
    let (mut pairs, mut out) = (0_u64, 0_u64);
    for node in healthy(world) {
        look.least = look.least.min(node.live_count());
        look.most = look.most.max(node.live_count());
        views.insert(node.view_hash());
        for &member in &world.watch.1.faulty {
            pairs += 1;
            // Who is there is to be marked, who is gone to be removed.
            let there = world.truth().is_running(member);
            out += u64::from(if there { node.is_degraded(member) } else { !is_live(node, member) });
        }
    }
    look.views = views.len();
    look.out = out as f64 / pairs.max(1) as f64;
    look
}

/// Adds the healthy members that some healthy node holds degraded.
fn mark<N: Node>(world: &Cluster<N>, marked: &mut BTreeSet<MemberIdx>) {
    let faulty = &world.watch.1.faulty;
    let members = || (0..world.truth().len() as u32).map(MemberIdx);
    for node in healthy(world) {
        let wrongly = members().filter(|member| node.is_degraded(*member));
        marked.extend(wrongly.filter(|member| !faulty.contains(member)));
    }
}

impl RapidOutcome {
    fn note<N: Node>(&mut self, world: &Cluster<N>, look: Look) {
        let second = look.second as f64;
        if look.out >= 1.0 {
            self.all_out.get_or_insert(second);
        } else if self.all_out.is_some() {
            self.back += 1;
        }
        let holds_any = |node| world.watch.1.faulty.iter().any(|&of| is_live(node, of));
        if self.all_removed.is_none() && !healthy(world).any(holds_any) {
            self.all_removed = Some(second);
        }
        self.disagreement += u64::from(look.views > 1);
        self.looks.push(look);
    }
}
