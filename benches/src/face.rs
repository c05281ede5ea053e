//! Set-ups of the face, [`GossipProtocol`], by name.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use swim_core::{
    Clock, GossipMessage, GossipProtocol, Incarnation, Member, MemberId, MemberState, MemberUpdate,
    Options,
};

use crate::{address, name};

/// When node 0 was started, in Unix time; each other some time later.
const FIRST_BOOT: u32 = 1_790_000_000;
const MONTHS: usize = 30_000_000;

/// The boot epoch of a node: members of a cluster are rarely started in the same second.
fn boot_epoch(node: usize) -> u32 {
    FIRST_BOOT + (node * 7_919 % MONTHS) as u32
}

fn incarnation(node: usize, version: u32) -> Incarnation {
    (u64::from(boot_epoch(node)) << 32) + u64::from(version)
}

/// News that a node is alive in some version of itself.
pub fn alive(node: usize, version: u32) -> MemberUpdate {
    MemberUpdate {
        id: MemberId(name(node)),
        state: MemberState::Alive,
        incarnation: incarnation(node, version),
        address: Some(address(node)),
        metadata: Some(HashMap::new()),
    }
}

/// The view of some nodes, as a seed answers a joiner.
pub fn view(nodes: impl IntoIterator<Item = usize>) -> GossipMessage {
    let last_update = Instant::now();
    let member = |node| Member {
        id: MemberId(name(node)),
        address: address(node),
        state: MemberState::Alive,
        incarnation: incarnation(node, 0),
        metadata: HashMap::new(),
        last_update,
    };
    GossipMessage::Sync { members: nodes.into_iter().map(member).collect() }
}

/// Shows virtual time, so that runs repeat, at the price of the machine's clock.
#[derive(Debug, Clone)]
pub struct BenchClock {
    origin: Instant,
    /// Nanoseconds; there is one writer.
    passed: Arc<AtomicU64>,
}

impl Default for BenchClock {
    fn default() -> Self {
        Self { origin: Instant::now(), passed: Arc::default() }
    }
}

impl BenchClock {
    /// The time, for nothing.
    pub fn shown(&self) -> Instant {
        self.origin + Duration::from_nanos(self.passed.load(Ordering::Relaxed))
    }

    /// Goes on to a time; never back.
    pub fn go_to(&self, time: Instant) {
        if let Some(more) = time.checked_duration_since(self.shown()) {
            let passed = self.passed.load(Ordering::Relaxed) + more.as_nanos() as u64;
            self.passed.store(passed, Ordering::Relaxed);
        }
    }
}

impl Clock for BenchClock {
    fn now(&self) -> Instant {
        std::hint::black_box(Instant::now());
        self.shown()
    }
}

/// A node that knows nobody, with the options of an agent.
pub fn newcomer(me: usize, clock: BenchClock) -> GossipProtocol {
    let options = Options {
        boot_epoch: boot_epoch(me),
        events: true,
        seed: Some(7),
        envelope: crate::datagram::envelope(),
        ..Options::default()
    };
    let builder = GossipProtocol::builder(MemberId(name(me)), address(me));
    builder.options(options).clock(clock).build().expect("valid")
}

/// Joins through one member, which answers with `view`.
pub fn join(protocol: &mut GossipProtocol, seed: usize, view: GossipMessage) {
    protocol.bootstrap(vec![address(seed)]);
    protocol.handle_message(address(seed), view);
}

/// Node 0, which knows members 1 to `n` and has nothing left to tell.
pub fn protocol(n: usize) -> (GossipProtocol, BenchClock) {
    let clock = BenchClock::default();
    let mut protocol = newcomer(0, clock.clone());
    join(&mut protocol, 1, view(1..=n));
    assert_eq!((protocol.cluster_size(), protocol.queue_len()), (n + 1, 0));
    (protocol, clock)
}

/// Gossips until nothing waits.
pub fn drain(protocol: &mut GossipProtocol) {
    while protocol.queue_len() > 0 {
        protocol.handle_timer("gossip");
    }
}
