//! One node on virtual time among members that are scripted: each answers as it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use swim_core::{
    Accusation, Clock as _, EventKind, GossipAction, GossipMessage, GossipProtocol, MemberEvent,
    MemberState, MemberUpdate, Options,
};

use super::{ManualClock, addr, id};

/// Node 0, whose other members are 1 and up.
pub struct Lone {
    pub clock: ManualClock,
    pub protocol: GossipProtocol,
    /// What it sent: when in microseconds, to which member, and what.
    pub sent: Vec<(u64, usize, GossipMessage)>,
    /// What it sent by a stream of its own.
    pub streamed: Vec<(u64, usize, GossipMessage)>,
    pub events: Vec<(u64, MemberEvent)>,
    /// After how many milliseconds a member answers pings.
    acks: BTreeMap<usize, u64>,
    /// Who says in time that a ping for another brought no answer.
    nacks: BTreeSet<usize>,
    incoming: BTreeMap<(u64, usize), (usize, GossipMessage)>,
    scripted: usize,
}

pub fn claim(node: usize, state: MemberState) -> MemberUpdate {
    MemberUpdate { id: id(node), state, incarnation: 0, address: None, metadata: None }
}

pub fn alive(node: usize) -> MemberUpdate {
    let metadata = Some(std::collections::HashMap::new());
    MemberUpdate { address: Some(addr(node)), metadata, ..claim(node, MemberState::Alive) }
}

/// A `Gossip` that `subject` is suspect, and its companion that says by whom.
pub fn accusation(subject: usize, accusers: &[usize]) -> [GossipMessage; 2] {
    let accusation = |&accuser| Accusation { update: 0, accuser: id(accuser), health: 0 };
    let accusations = accusers.iter().map(accusation).collect();
    [
        GossipMessage::Gossip { updates: vec![claim(subject, MemberState::Suspect)] },
        GossipMessage::Evidence { ages: vec![], accusations },
    ]
}

impl Lone {
    /// A node that has just heard of members 1 to `n`; none of them answers.
    pub fn knowing(n: usize, mut options: Options) -> Self {
        let clock = ManualClock::new();
        options.seed = Some(options.seed.unwrap_or(7));
        options.events = true;
        let builder = GossipProtocol::builder(id(0), addr(0)).options(options);
        let mut lone = Self {
            protocol: builder.clock(clock.clone()).build().unwrap(),
            clock,
            sent: Vec::new(),
            streamed: Vec::new(),
            events: Vec::new(),
            acks: BTreeMap::new(),
            nacks: BTreeSet::new(),
            incoming: BTreeMap::new(),
            scripted: 0,
        };
        lone.gossip(1, (1..=n).map(alive).collect());
        lone
    }

    /// The same some time later: all answered, round trips are known and nothing is left to tell.
    pub fn settled(n: usize, options: Options) -> Self {
        let mut lone = Self::knowing(n, options);
        lone.answers(1..=n, 1);
        lone.run(2.0 * n as f64 + 5.0);
        lone.forget();
        lone
    }

    /// From now on these members answer pings after so many milliseconds.
    pub fn answers(&mut self, members: impl IntoIterator<Item = usize>, millis: u64) {
        self.acks.extend(members.into_iter().map(|member| (member, millis)));
    }

    /// From now on this member answers nothing.
    pub fn silence(&mut self, member: usize) {
        self.acks.remove(&member);
        self.nacks.remove(&member);
    }

    /// From now on these members, and no others, say in time that a ping for another brought no
    /// answer.
    pub fn nacks(&mut self, members: impl IntoIterator<Item = usize>) {
        self.nacks = members.into_iter().collect();
    }

    /// Forgets what was sent and reported.
    pub fn forget(&mut self) {
        self.sent.clear();
        self.streamed.clear();
        self.events.clear();
    }

    pub fn hear(&mut self, from: usize, message: GossipMessage) {
        let actions = self.protocol.handle_message(addr(from), message);
        self.act(actions);
    }

    pub fn gossip(&mut self, from: usize, updates: Vec<MemberUpdate>) {
        self.hear(from, GossipMessage::Gossip { updates });
    }

    /// Pings of a member come twice a second for so long: this node hears somebody.
    pub fn chatter(&mut self, from: usize, seconds: u64) {
        for half in 0..2 * seconds {
            self.script(half * 500, from, GossipMessage::Ping { seq: half, from: id(from) });
        }
    }

    /// A message that comes some time from now.
    pub fn script(&mut self, millis: u64, from: usize, message: GossipMessage) {
        self.scripted += 1;
        let at = self.clock.micros() + millis * 1_000;
        self.incoming.insert((at, self.scripted), (from, message));
    }

    /// Takes note of what the node does.
    pub fn act(&mut self, actions: Vec<GossipAction>) {
        let now = self.clock.micros();
        for action in actions {
            match action {
                GossipAction::Send { to, message } => {
                    let to = node_of(to);
                    self.answer(to, &message);
                    self.sent.push((now, to, message));
                }
                GossipAction::SendByStream { to, message } => {
                    self.streamed.push((now, node_of(to), message));
                }
                GossipAction::Event(event) => self.events.push((now, event)),
                GossipAction::ScheduleTimer { .. } => panic!("timers are owned"),
                _ => {}
            }
        }
    }

    fn answer(&mut self, member: usize, message: &GossipMessage) {
        match *message {
            GossipMessage::Ping { seq, .. } => {
                if let Some(&millis) = self.acks.get(&member) {
                    self.script(millis, member, GossipMessage::Ack { seq, from: id(member) });
                }
            }
            GossipMessage::PingReq { seq, .. } if self.nacks.contains(&member) => {
                self.script(200, member, GossipMessage::Nack { seq, from: id(member) });
            }
            _ => {}
        }
    }

    pub fn run(&mut self, seconds: f64) {
        let end = self.clock.micros() + (seconds * 1e6) as u64;
        while self.step(end) {}
    }

    /// Runs until the condition holds, which it must within a minute.
    pub fn run_until(&mut self, holds: impl Fn(&Self) -> bool) {
        let end = self.clock.micros() + 60_000_000;
        while !holds(self) {
            assert!(self.step(end), "it does not happen");
        }
    }

    fn step(&mut self, end: u64) -> bool {
        let came = self.incoming.keys().next().map_or(u64::MAX, |&(at, _)| at);
        let origin = self.clock.now() - Duration::from_micros(self.clock.micros());
        let wake = self.protocol.next_timeout().map_or(u64::MAX, |at| {
            u64::try_from(at.saturating_duration_since(origin).as_micros()).unwrap()
        });
        let next = came.min(wake);
        self.clock.set(next.min(end).max(self.clock.micros()));
        if next > end {
            return false;
        }
        if came <= wake {
            let (_, (from, message)) = self.incoming.pop_first().unwrap();
            self.hear(from, message);
        } else {
            let now = self.clock.now();
            let actions = self.protocol.handle_timeout(now);
            self.act(actions);
        }
        true
    }

    /// Runs until a member is pinged; when in microseconds, and under which `seq`.
    pub fn run_to_ping_of(&mut self, member: usize) -> (u64, u64) {
        let before = self.pings_of(member).len();
        self.run_until(|lone| lone.pings_of(member).len() > before);
        self.pings_of(member)[before]
    }

    /// The pings by datagram that a member was sent: when, and under which `seq`.
    pub fn pings_of(&self, member: usize) -> Vec<(u64, u64)> {
        let ping = |(at, to, message): &(u64, usize, GossipMessage)| match message {
            GossipMessage::Ping { seq, .. } if *to == member => Some((*at, *seq)),
            _ => None,
        };
        self.sent.iter().filter_map(ping).collect()
    }

    /// Requests to ping a member: when, and whom they went to.
    pub fn requests_for(&self, member: usize) -> Vec<(u64, usize)> {
        let request = |(at, to, message): &(u64, usize, GossipMessage)| match message {
            GossipMessage::PingReq { target, .. } if *target == id(member) => Some((*at, *to)),
            _ => None,
        };
        self.sent.iter().filter_map(request).collect()
    }

    /// Gossip that holds a member for something: when, whom it went to, and what.
    pub fn told_of(&self, member: usize, state: MemberState) -> Vec<(u64, usize)> {
        let told = |(at, to, message): &(u64, usize, GossipMessage)| match message {
            GossipMessage::Gossip { updates } => updates
                .iter()
                .any(|update| update.id == id(member) && update.state == state)
                .then_some((*at, *to)),
            _ => None,
        };
        self.sent.iter().filter_map(told).collect()
    }

    pub fn state(&self, member: usize) -> Option<MemberState> {
        self.protocol.member(&id(member)).map(|member| member.state)
    }

    /// When something happened to a member in this node's view.
    pub fn happened(&self, member: usize, kind: EventKind) -> Vec<u64> {
        let about =
            |(_, event): &&(u64, MemberEvent)| event.member == id(member) && event.kind == kind;
        self.events.iter().filter(about).map(|&(at, _)| at).collect()
    }
}

fn node_of(address: std::net::SocketAddr) -> usize {
    (0..1_000).find(|&node| addr(node) == address).expect("an address of a member")
}
