//! What a member costs in memory, and that time adds nothing to it.
#![forbid(unsafe_code)]

mod operations;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use operations::{a_coordinate, joined};
use swim_benches::engine::{Counting, alone, claim, drain, source};
use swim_benches::face::alive;
use swim_benches::{address, name};
use swim_core::{
    Clock, Engine, GossipAction, GossipMessage, GossipProtocol, Member, MemberId, MemberState,
    MemberUpdate, Message, Options, Time, Timers,
};

/// Where a table that doubles is full and half empty (those of names at 7/8 of a power of two), and
/// between.
const SIZES: [usize; 5] = [10_000, 14_337, 16_383, 16_384, 20_000];
/// Beside the tables: 1 KiB of bucket hashes, timers, lists of a few.
const FIXED: usize = 2 * 1_024;

/// Checks the live heap of what knows `n` members, which may be so many bytes for each.
fn check<T>(what: &str, n: usize, budget: usize, build: impl FnOnce() -> T) {
    let mut built = None;
    let live = measure(|| built = Some(build())).bytes_current as usize;
    let each = live as f64 / n as f64;
    println!("{what}, {n} members: {each:.1} bytes each, {live} in all");
    let most = budget * n + FIXED;
    assert!(live <= most, "{what}, {n} members: {live} bytes are more than {most}");
}

/// The answer to its join says how much room is needed, so nothing is left over.
#[test]
fn an_engine_holds_24_bytes_of_a_member() {
    for n in SIZES {
        check("engine, joined", n, 24, || joined(0..=n, Options::default()));
    }
}

/// Tables grow by an eighth: with the first newcomer after the join, or with this node itself when
/// the seed that answered had not heard of it.
#[test]
fn an_engine_whose_tables_grew_holds_an_eighth_more() {
    for n in SIZES {
        check("engine, joined, and one more", n, 28, || joined(1..=n, Options::default()));
    }
    for n in [10_000, 16_384] {
        check("engine, one by one", n, 28, || heard_of(n));
    }
}

/// An engine that heard of members 1 to `n` one by one.
fn heard_of(n: usize) -> Engine<()> {
    let (mut engine, mut out) = (alone(), Counting::default());
    for member in 1..=n {
        let mut news = [claim(member, 0)];
        engine.handle_message(Time::ZERO, source(1), Message::Gossip(&mut news), &mut out);
    }
    drain(&mut engine);
    engine
}

/// Names of 11 bytes, IPv4, no metadata.
#[test]
fn a_protocol_holds_at_most_256_bytes_of_a_member() {
    for n in SIZES {
        check("protocol, joined", n, 195, || joined_protocol(0..=n));
    }
}

#[test]
fn coordinates_take_15_bytes_more_of_a_member() {
    check("protocol, with coordinates", 10_000, 195 + 15, || located_protocol(10_000));
}

/// As with engines.
#[test]
fn a_protocol_whose_tables_grew_holds_little_more() {
    for n in SIZES {
        check("protocol, joined, and one more", n, 216, || joined_protocol(1..=n));
    }
    for n in [10_000, 16_384] {
        check("protocol, one by one", n, 216, || grown_protocol(n));
    }
}

/// A protocol after the answer to its join.
fn joined_protocol(nodes: impl Iterator<Item = usize>) -> GossipProtocol {
    let mut joiner = fresh_protocol();
    joiner.bootstrap(vec![address(1)]);
    let members = nodes.map(member).collect();
    joiner.handle_message(address(1), GossipMessage::Sync { members });
    tell_all(joiner)
}

/// A protocol that heard of nodes 1 to `n` one by one.
fn grown_protocol(n: usize) -> GossipProtocol {
    let mut protocol = fresh_protocol();
    for node in 1..=n {
        let updates = vec![MemberUpdate { id: exact(name(node)), ..alive(node, 0) }];
        protocol.handle_message(address(1), GossipMessage::Gossip { updates });
    }
    tell_all(protocol)
}

/// A protocol that all members have told their coordinates.
fn located_protocol(n: usize) -> GossipProtocol {
    let mut protocol = joined_protocol(0..=n);
    let mut told = 0;
    while told < n {
        for action in protocol.tick() {
            let GossipAction::Send { to, message: GossipMessage::Ping { seq, .. } } = action else {
                continue;
            };
            let from = protocol.member_at(&to).expect("a member").id.clone();
            let coordinate = a_coordinate();
            protocol.handle_message(to, GossipMessage::LocatedAck { seq, from, coordinate });
            told += 1;
        }
    }
    protocol
}

fn fresh_protocol() -> GossipProtocol {
    let options = Options { timers: Timers::Named, ..Options::default() };
    GossipProtocol::builder(MemberId(name(0)), address(0)).options(options).build().expect("valid")
}

fn tell_all(mut protocol: GossipProtocol) -> GossipProtocol {
    while protocol.queue_len() > 0 {
        protocol.handle_timer("gossip");
    }
    protocol
}

/// Without room to spare, as names come from the codec.
fn exact(mut name: String) -> MemberId {
    name.shrink_to_fit();
    MemberId(name)
}

fn member(node: usize) -> Member {
    Member {
        id: exact(name(node)),
        address: address(node),
        state: MemberState::Alive,
        incarnation: alive(node, 0).incarnation,
        metadata: HashMap::new(),
        last_update: start(),
    }
}

#[test]
fn suspicions_and_refutations_leave_the_heap_as_it_was() {
    let mut churn = Churn::new();
    churn.live(1_000);
    let before = *churn.protocol.stats();
    let info = measure(|| churn.live(10_000));
    let stats = churn.protocol.stats();
    let [suspicions, deaths] = [stats.suspicions - before.suspicions, stats.deaths - before.deaths];
    println!("{suspicions} suspicions, {deaths} deaths: {info:?}");
    assert!(suspicions > 10_000 && deaths > 1_000, "something happened all the time");
    let grown = info.bytes_current;
    assert!(grown.abs() <= 1_024, "the heap has changed by {grown} bytes");
}

fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// Virtual time in microseconds.
#[derive(Clone, Default)]
struct Micros(Arc<AtomicU64>);

impl Micros {
    fn set(&self, now: Instant) {
        self.0.store((now - start()).as_micros() as u64, Ordering::Relaxed);
    }
}

impl Clock for Micros {
    fn now(&self) -> Instant {
        start() + Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// A node whose fellows are silent at times, and which hears of each in turn that it is suspect,
/// and then that it refutes: in time, or after it was declared dead.
struct Churn {
    protocol: GossipProtocol,
    clock: Micros,
    incarnations: [u32; FELLOWS],
    seconds: u64,
}

const FELLOWS: usize = 64;

impl Churn {
    fn new() -> Self {
        let clock = Micros::default();
        let options = Options { seed: Some(7), ..Options::default() };
        let builder = GossipProtocol::builder(MemberId(name(0)), address(0)).options(options);
        let mut protocol = builder.clock(clock.clone()).build().expect("valid");
        let updates = (1..=FELLOWS).map(|node| alive(node, 0)).collect();
        protocol.handle_message(address(1), GossipMessage::Gossip { updates });
        Self { protocol, clock, incarnations: [0; FELLOWS], seconds: 0 }
    }

    fn live(&mut self, periods: usize) {
        for _ in 0..periods {
            self.seconds += 1;
            self.run_timers(start() + Duration::from_secs(self.seconds));
            self.tell(self.fellow(0), MemberState::Suspect);
            for (parity, seconds_later) in [(0, 2), (1, 12)] {
                let fellow = self.fellow(seconds_later);
                if fellow % 2 == parity {
                    self.incarnations[fellow - 1] += 1;
                    self.tell(fellow, MemberState::Alive);
                }
            }
        }
    }

    /// Whose turn it was so many seconds ago.
    fn fellow(&self, ago: u64) -> usize {
        1 + self.seconds.wrapping_sub(ago) as usize % FELLOWS
    }

    fn tell(&mut self, fellow: usize, state: MemberState) {
        let news = alive(fellow, self.incarnations[fellow - 1]);
        let updates = vec![MemberUpdate { state, ..news }];
        let teller = address(1 + fellow % FELLOWS);
        self.protocol.handle_message(teller, GossipMessage::Gossip { updates });
    }

    fn run_timers(&mut self, end: Instant) {
        while let Some(due) = self.protocol.next_timeout().filter(|due| *due < end) {
            self.clock.set(due);
            for action in self.protocol.handle_timeout(due) {
                if let GossipAction::Send { to, message } = action {
                    self.answer(to, message);
                }
            }
        }
        self.clock.set(end);
    }

    /// One fellow in eight is silent at a time, and nobody can reach it.
    fn answer(&mut self, to: SocketAddr, message: GossipMessage) {
        let node = (1..=FELLOWS).find(|&node| address(node) == to).expect("a fellow");
        let silent = (node as u64 + self.seconds / 16).is_multiple_of(8);
        let answer = match message {
            GossipMessage::Ping { seq, .. } if !silent => {
                GossipMessage::Ack { seq, from: MemberId(name(node)) }
            }
            GossipMessage::PingReq { seq, .. } => {
                GossipMessage::Nack { seq, from: MemberId(name(node)) }
            }
            _ => return,
        };
        self.protocol.handle_message(to, answer);
    }
}
