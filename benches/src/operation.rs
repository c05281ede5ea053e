//! The operations that are compared, each written once.

use std::time::Duration;

use crate::{Dice, News, Node, Stopwatch};

/// Updates that a datagram brings.
const UPDATES: usize = 8;
/// Datagrams that are made before they are timed together.
const BATCH: u64 = 256;
/// Updates that wait in a busy node; also the most that ours keeps.
const BUSY: usize = 4_096;

/// One operation. Members are random; packets are made before the clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A ping without news comes, an ack goes.
    Ping,
    /// A ping with eight updates that are known comes, an ack goes.
    PingKnown,
    /// A ping with eight fresh updates comes to a node that has nothing to tell, an ack goes. What
    /// is to be told then is told between two of them. Ours handles the ping first, so its ack
    /// carries nothing; the peer's carries what it just learned.
    PingFresh,
    /// The same without telling anything between two: the ack takes along what fits, and what waits
    /// grows until as much goes as comes. Ours keeps 4,096 at most, the peer one for each member.
    PingFreshBusy,
    /// A period begins and somebody is pinged; the last one answered.
    Probe,
    /// A whole failed probe from the time-out of the ping on: relays are asked, in vain, the
    /// member is suspected, and the next period begins. Ours also pings again meanwhile, six times
    /// by datagram and once by stream, and hears three nacks.
    FailedProbe,
    /// A gossip round to three members with at least eight updates waiting.
    Gossip,
    /// The gossip tick while nothing waits. Ours has none then: it is not woken up.
    GossipNothing,
    /// A second in which nothing happens: a probe and its answer, a ping and its answer, and what
    /// other timers there are.
    IdleSecond,
    /// A newcomer takes in the view of all members that it has asked for.
    Learn,
    /// A newcomer takes in one that it has not asked for, and puts it up for telling: ours up to
    /// 4,096 members of it, the peer all.
    LearnAndTell,
    /// The codec alone: a ping with eight updates, decoded.
    Decode,
    /// Likewise, encoded.
    Encode,
}

impl Operation {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping, no updates",
            Self::PingKnown => "ping + 8 known",
            Self::PingFresh => "ping + 8 fresh",
            Self::PingFreshBusy => "ping + 8 fresh, busy",
            Self::Probe => "probe round, previous acked",
            Self::FailedProbe => "failed probe",
            Self::Gossip => "gossip to 3, 8 pending",
            Self::GossipNothing => "gossip tick, nothing to say",
            Self::IdleSecond => "idle second",
            Self::Learn => "learn a view",
            Self::LearnAndTell => "learn a view and tell it",
            Self::Decode => "decode ping + 8",
            Self::Encode => "encode ping + 8",
        }
    }
}

/// A node to measure, and all that operations on it need.
#[derive(Debug)]
pub struct Bed<N> {
    /// The node.
    pub node: N,
    n: usize,
    /// How far each member's version was raised; that of node 0 is not used.
    versions: Vec<u32>,
    dice: Dice,
    watch: Stopwatch,
}

impl<N: Node> Bed<N> {
    /// A node that learned the view of `n` members, and how long that took. If it `joins`, it has
    /// nothing left to tell.
    pub fn learned(n: usize, joins: bool) -> (Self, Duration) {
        let (watch, view) = (Stopwatch::default(), N::view(n));
        let mut node = N::newcomer(n, joins);
        let took = watch.time(|| node.learn(view));
        let (versions, dice) = (vec![0; n + 1], Dice::default());
        (Self { node, n, versions, dice, watch }, took)
    }

    /// A node that knows `n` members and has nothing left to tell.
    pub fn new(n: usize) -> Self {
        Self::learned(n, true).0
    }

    /// Does an operation so many times; how long that took, preparations left out.
    pub fn run(&mut self, operation: Operation, times: u64) -> Duration {
        if operation != Operation::PingFreshBusy {
            self.drain();
        }
        match operation {
            Operation::Ping => self.pings(times, |_| Vec::new()),
            Operation::PingKnown => self.pings(times, Self::known),
            Operation::PingFresh => self.sum(times, Self::ping_fresh),
            Operation::PingFreshBusy => self.pings_busy(times),
            Operation::Probe => self.sum(times, Self::probe),
            Operation::FailedProbe => self.sum(times, Self::failed_probe),
            Operation::Gossip => self.sum(times, Self::gossip),
            Operation::GossipNothing => self.gossip_nothing(times),
            Operation::IdleSecond => self.sum(times, Self::idle_second),
            Operation::Learn => self.sum(times, |bed| Self::learned(bed.n, true).1),
            Operation::LearnAndTell => self.sum(times, |bed| Self::learned(bed.n, false).1),
            Operation::Decode => self.decode(times),
            Operation::Encode => self.encode(times),
        }
    }

    /// Gossips until nothing waits.
    pub fn drain(&mut self) {
        while self.node.waiting() > 0 {
            self.node.gossip();
        }
    }

    /// A ping by a random member that brings eight fresh updates.
    pub fn fresh_ping(&mut self) -> (usize, Vec<u8>) {
        let news = self.fresh();
        self.ping(&news)
    }

    fn ping(&mut self, news: &[News]) -> (usize, Vec<u8>) {
        let from = self.dice.member(self.n);
        (from, self.node.ping(from, news))
    }

    fn known(&mut self) -> Vec<News> {
        let members: [usize; UPDATES] = self.dice.members(self.n);
        members.map(|member| (member, self.versions[member])).to_vec()
    }

    fn fresh(&mut self) -> Vec<News> {
        let members: [usize; UPDATES] = self.dice.members(self.n);
        members.map(|member| self.raised(member)).to_vec()
    }

    fn raised(&mut self, member: usize) -> News {
        if self.versions[member] >= N::VERSIONS {
            // No number is left for it: all begins anew.
            *self = Self::new(self.n);
        }
        self.versions[member] += 1;
        (member, self.versions[member])
    }

    fn sum(&mut self, times: u64, mut one: impl FnMut(&mut Self) -> Duration) -> Duration {
        (0..times).map(|_| one(self)).sum()
    }

    /// Pings in batches, because one takes hardly longer than reading the clock.
    fn pings(&mut self, times: u64, mut news: impl FnMut(&mut Self) -> Vec<News>) -> Duration {
        let mut took = Duration::ZERO;
        for done in (0..times).step_by(BATCH as usize) {
            let pings: Vec<_> = (0..BATCH.min(times - done))
                .map(|_| {
                    let news = news(self);
                    self.ping(&news)
                })
                .collect();
            let node = &mut self.node;
            took += self.watch.time(|| {
                pings.iter().for_each(|(from, ping)| node.hear(*from, ping));
            });
        }
        took
    }

    fn ping_fresh(&mut self) -> Duration {
        let (from, ping) = self.fresh_ping();
        let took = self.watch.time(|| self.node.hear(from, &ping));
        self.drain();
        took
    }

    fn pings_busy(&mut self, times: u64) -> Duration {
        if self.node.waiting() == 0 {
            self.pings((2 * self.n.min(BUSY) / UPDATES) as u64, Self::fresh);
        }
        self.pings(times, Self::fresh)
    }

    fn probe(&mut self) -> Duration {
        let took = self.watch.time(|| self.node.start_probe());
        self.answer();
        took
    }

    /// Whoever was pinged last answers.
    fn answer(&mut self) {
        let ack = self.node.ack();
        self.node.hear(self.node.pinged(), &ack);
        self.node.idle();
    }

    fn failed_probe(&mut self) -> Duration {
        self.node.start_probe();
        let suspect = self.node.pinged();
        let mut took = self.watch.time(|| self.node.ask_relays());
        let nacks = self.node.nacks();
        took += self.watch.time(|| {
            nacks.iter().for_each(|(relay, nack)| self.node.hear(*relay, nack));
            self.node.start_probe();
        });
        self.answer();
        let refutation = self.raised(suspect);
        let (from, ping) = self.ping(&[refutation]);
        self.node.hear(from, &ping);
        self.drain();
        took
    }

    fn gossip(&mut self) -> Duration {
        if self.node.waiting() < UPDATES {
            self.drain();
            let (from, ping) = self.fresh_ping();
            self.node.hear(from, &ping);
        }
        self.watch.time(|| self.node.gossip())
    }

    fn gossip_nothing(&mut self, times: u64) -> Duration {
        self.watch.time(|| (0..times).for_each(|_| self.node.gossip()))
    }

    fn idle_second(&mut self) -> Duration {
        let mut took = self.watch.time(|| self.node.start_probe());
        let (pinged, ack) = (self.node.pinged(), self.node.ack());
        let (from, ping) = self.ping(&[]);
        took += self.watch.time(|| {
            self.node.hear(pinged, &ack);
            self.node.hear(from, &ping);
            self.node.idle();
        });
        took
    }

    fn decode(&mut self, times: u64) -> Duration {
        let (_, ping) = self.fresh_ping();
        self.watch.time(|| {
            for _ in 0..times {
                std::hint::black_box(self.node.decode(&ping));
            }
        })
    }

    fn encode(&mut self, times: u64) -> Duration {
        let (_, ping) = self.fresh_ping();
        let decoded = self.node.decode(&ping);
        self.watch.time(|| {
            for _ in 0..times {
                assert_eq!(self.node.encode(&decoded), ping.len());
            }
        })
    }
}
