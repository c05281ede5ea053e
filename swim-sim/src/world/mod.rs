//! The world: one event queue, virtual time, nodes, the network between them, and what befalls
//! them.

mod faults;
mod slot;
mod traffic;
mod truth;
mod watch;

use std::time::Duration;

use swim_core::{MemberIdx, Time};

pub use slot::Cpu;
pub use traffic::Traffic;
pub use truth::{Condition, Truth, TruthOf};
pub use watch::{Arrival, Moment, Watch};

use crate::network::Network;
use crate::node::{Io, Node, Sent, Via};
use crate::queue::EventQueue;
use crate::rng::SimRng;
use slot::{NEVER, Slot};

/// What is scheduled.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A node's time-out.
    Wake(MemberIdx),
    /// A packet arrives.
    Arrive(u32),
    /// A node has worked off a packet.
    Ready(MemberIdx),
}

/// A packet under way or waiting.
#[derive(Debug)]
struct Flight<P> {
    from: MemberIdx,
    to: MemberIdx,
    via: Via,
    bytes: u32,
    packet: P,
}

/// Makes nodes: by index, by how often it was started, with a seed.
type Make<N> = Box<dyn Fn(MemberIdx, u32, u64) -> N>;

/// A simulated cluster. A run is a function of the seed and of what is done with it.
pub struct World<N: Node, W> {
    now: Time,
    events: EventQueue<Event>,
    slots: Vec<Slot<N, N::Packet>>,
    /// The network; may be changed at any time.
    pub network: Network,
    /// Who looks on.
    pub watch: W,
    truth: Truth,
    traffic: Vec<Traffic>,
    flights: Vec<Option<Flight<N::Packet>>>,
    landed: Vec<u32>,
    io: Io<N::Packet>,
    make: Make<N>,
    rng: SimRng,
    trace: u64,
    happened: u64,
}

impl<N: Node, W: Watch<N>> World<N, W> {
    /// An empty world. `make` builds a node from its index, how often it was started before, and a
    /// seed of its own.
    pub fn new(
        seed: u64,
        network: Network,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        watch: W,
    ) -> Self {
        Self {
            now: Time::ZERO,
            events: EventQueue::new(),
            slots: Vec::new(),
            network,
            watch,
            truth: Truth::default(),
            traffic: Vec::new(),
            flights: Vec::new(),
            landed: Vec::new(),
            io: Io::new(),
            make: Box::new(make),
            rng: SimRng::new(seed),
            trace: 0,
            happened: 0,
        }
    }

    /// The true time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// How things really are.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The randomness of the run, for choosing victims.
    pub fn rng(&mut self) -> &mut SimRng {
        &mut self.rng
    }

    /// A running node.
    pub fn node(&self, node: MemberIdx) -> Option<&N> {
        self.slots.get(node.0 as usize).and_then(|slot| slot.node.as_ref())
    }

    /// All running nodes.
    pub fn running(&self) -> impl Iterator<Item = (MemberIdx, &N)> {
        let node = |(i, slot): (usize, &'_ Slot<N, N::Packet>)| -> Option<MemberIdx> {
            slot.node.as_ref().map(|_| MemberIdx(i as u32))
        };
        self.slots.iter().enumerate().filter_map(node).filter_map(|i| Some((i, self.node(i)?)))
    }

    /// What one node has sent since it was first started.
    pub fn traffic_of(&self, node: MemberIdx) -> Traffic {
        self.traffic[node.0 as usize]
    }

    /// What all nodes have sent.
    pub fn traffic(&self) -> Traffic {
        self.traffic.iter().copied().sum()
    }

    /// A hash over all that happened so far: equal runs have equal traces.
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// Events so far.
    pub fn events_so_far(&self) -> u64 {
        self.happened
    }

    /// Runs until `end`, what is due then included.
    pub fn run_until(&mut self, end: Time) {
        while let Some((at, event)) = self.events.next(end) {
            self.now = at;
            self.step(event);
        }
        self.now = end;
    }

    /// Runs for a while.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    /// Runs until `holds`, looked at every `step`, at most for `limit`; says after how long it
    /// held.
    pub fn run_until_holds(
        &mut self,
        limit: Duration,
        step: Duration,
        mut holds: impl FnMut(&mut Self) -> bool,
    ) -> Option<Duration> {
        let start = self.now;
        loop {
            if holds(self) {
                return Some(self.now.since(start));
            }
            if self.now.since(start) >= limit {
                return None;
            }
            self.run_for(step);
        }
    }

    fn step(&mut self, event: Event) {
        self.happened += 1;
        match event {
            Event::Wake(node) => self.wake(node),
            Event::Arrive(flight) => self.arrive(flight),
            Event::Ready(node) => self.work_off(node),
        }
    }

    /// Takes what happened into the trace.
    fn note(&mut self, what: u64) {
        let mixed = (self.trace ^ what).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.trace = (mixed ^ (mixed >> 32)).wrapping_add(self.now.0);
    }

    fn wake(&mut self, at: MemberIdx) {
        let slot = &mut self.slots[at.0 as usize];
        if slot.wake != self.now {
            return; // Scheduled for what was done or put off since.
        }
        slot.wake = NEVER;
        if self.truth.of(at).condition == Condition::Frozen {
            return;
        }
        if slot.busy_until > self.now {
            self.schedule_wake(at);
            return;
        }
        let local = slot.clock.shows(self.now);
        if slot.node.as_ref().and_then(Node::next_timeout).is_some_and(|due| due <= local) {
            self.note(u64::from(at.0) << 2);
            self.call(at, |node, now, io| node.handle_timeout(now, io));
        } else {
            self.schedule_wake(at);
        }
    }

    /// Schedules the wake-up of a node, unless an earlier one is under way.
    fn schedule_wake(&mut self, at: MemberIdx) {
        let slot = &mut self.slots[at.0 as usize];
        let Some(due) = slot.node.as_ref().and_then(Node::next_timeout) else { return };
        let due = slot.clock.when(due).max(slot.busy_until).max(self.now);
        if due < slot.wake {
            slot.wake = due;
            self.events.schedule(due, Event::Wake(at));
        }
    }

    /// A packet is there.
    fn arrive(&mut self, flight: u32) {
        let Some(held) = &self.flights[flight as usize] else { return };
        let (to, bytes) = (held.to, held.bytes);
        match self.truth.of(to).condition {
            Condition::Down => self.land(flight),
            Condition::Frozen | Condition::Held | Condition::Blocked => {
                self.slots[to.0 as usize].inbox.push_back(flight);
            }
            Condition::Up => {
                let now = self.now;
                let slot = &mut self.slots[to.0 as usize];
                let Some(cpu) = slot.cpu else { return self.deliver(flight) };
                if slot.inbox.is_empty() {
                    slot.busy_until = slot.busy_until.max(now) + cpu.cost(bytes);
                    self.events.schedule(slot.busy_until, Event::Ready(to));
                }
                slot.inbox.push_back(flight);
            }
        }
    }

    /// A busy node is done with the first packet that waits: it answers, and begins the next.
    fn work_off(&mut self, at: MemberIdx) {
        let index = at.0 as usize;
        let up = self.truth.of(at).condition == Condition::Up;
        if !up || self.slots[index].busy_until != self.now {
            return; // It is held up, or was started again meanwhile.
        }
        let before = self.traffic[index];
        if let Some(flight) = self.slots[index].inbox.pop_front() {
            self.deliver(flight);
        }
        let answered = (self.traffic[index] - before).payload();
        let slot = &mut self.slots[index];
        let Some(cpu) = slot.cpu else {
            let waiting = std::mem::take(&mut slot.inbox);
            return waiting.into_iter().for_each(|flight| self.deliver(flight));
        };
        slot.busy_until = self.now + cpu.cost_of_bytes(answered);
        let next = slot.inbox.front().and_then(|&next| self.flights[next as usize].as_ref());
        if let Some(next) = next {
            slot.busy_until += cpu.cost(next.bytes);
            self.events.schedule(slot.busy_until, Event::Ready(at));
        }
    }

    /// Hands a packet to its node.
    fn deliver(&mut self, flight: u32) {
        let Some(mut held) = self.flights[flight as usize].take() else { return };
        self.landed.push(flight);
        self.note(u64::from(held.to.0) << 34 | u64::from(held.from.0) << 2 | 1);
        let moment = Moment { now: self.now, truth: &self.truth };
        let Flight { from, to, via, ref packet, .. } = held;
        self.watch.arrived(moment, Arrival { at: to, from, via, packet });
        self.call(held.to, |node, now, io| {
            node.handle_packet(now, held.from, held.via, &mut held.packet, io);
        });
        self.io.give_back(held.packet);
    }

    /// A packet is gone.
    fn land(&mut self, flight: u32) {
        if let Some(held) = self.flights[flight as usize].take() {
            self.landed.push(flight);
            self.io.give_back(held.packet);
        }
    }

    /// One call of a node: those who look on see it, then what it sent goes its way.
    fn call(&mut self, at: MemberIdx, call: impl FnOnce(&mut N, Time, &mut Io<N::Packet>)) {
        let slot = &mut self.slots[at.0 as usize];
        let Some(node) = &mut slot.node else { return };
        call(node, slot.clock.shows(self.now), &mut self.io);
        let moment = Moment { now: self.now, truth: &self.truth };
        self.watch.called(moment, at, node, &self.io);
        self.io.changes.clear();
        self.io.heard.clear();
        let waits = matches!(self.truth.of(at).condition, Condition::Held | Condition::Blocked);
        let mut sent = std::mem::take(&mut self.io.sent);
        for packet in sent.drain(..) {
            if waits {
                self.slots[at.0 as usize].outbox.push(packet);
            } else {
                self.send(at, packet);
            }
        }
        self.io.sent = sent;
        self.schedule_wake(at);
    }

    /// A packet leaves a node.
    fn send(&mut self, from: MemberIdx, sent: Sent<N::Packet>) {
        let Sent { to, via, bytes, after, packet } = sent;
        self.traffic[from.0 as usize].count(via, bytes);
        let fate = self.network.carry(self.now, (from, to), via, bytes, &mut self.rng);
        if let Some(delay) = fate.again {
            let packet = packet.clone();
            self.launch(Flight { from, to, via, bytes, packet }, after + delay);
        }
        match fate.first {
            Some(delay) => self.launch(Flight { from, to, via, bytes, packet }, after + delay),
            None => self.io.give_back(packet),
        }
    }

    fn launch(&mut self, flight: Flight<N::Packet>, delay: Duration) {
        let at = self.landed.pop().unwrap_or_else(|| {
            self.flights.push(None);
            self.flights.len() as u32 - 1
        });
        self.flights[at as usize] = Some(flight);
        self.events.schedule(self.now + delay, Event::Arrive(at));
    }
}
