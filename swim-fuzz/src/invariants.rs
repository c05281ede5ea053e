//! What holds of a node after each call, whatever came before.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use swim_core::{
    Clock, GossipMessage, GossipProtocol, MemberId, MemberState, MemberUpdate, Options,
};

/// Members that a node can come to know here: those in use and some that are not.
const MEMBERS: usize = 10_000;
/// Notices that may wait to be told.
const NOTICES: usize = 8_192;
/// No timer is further off: the longest of all waits, and what local health makes of it.
const FAR: Duration = Duration::from_secs(20 * 60);

/// Calls between two looks at the hash of the view, which take another node each.
const HASHED: u32 = 10;

/// What was seen so far.
pub(crate) struct Invariants {
    queue: usize,
    owned: bool,
    counters: Vec<(&'static str, u64)>,
    incarnation: u64,
    left: bool,
    checked: u32,
}

impl Invariants {
    pub(crate) fn new(node: &GossipProtocol, queue: usize, owned: bool) -> Self {
        let incarnation = node.local_member().incarnation;
        Self { queue, owned, counters: counters(node), incarnation, left: false, checked: 0 }
    }

    pub(crate) fn check(&mut self, node: &GossipProtocol, now: Instant) {
        self.check_self(node);
        self.check_counters(node);
        check_members(node);
        self.checked += 1;
        if self.checked.is_multiple_of(HASHED) {
            check_hash(node);
        }
        assert!(node.queue_len() <= self.queue, "more updates wait than may");
        assert!(node.events_waiting() <= NOTICES, "more notices wait than may");
        assert!(node.local_health() <= 8);
        assert!(!node.probe_interval().is_zero() && !node.suspicion_timeout().is_zero());
        let next = node.next_timeout();
        assert!(!self.owned || self.counters[1].1 == 0 || next.is_some(), "nothing is ever due");
        assert!(next.is_none_or(|at| at <= now + FAR), "nothing is due for too long");
    }

    fn check_self(&mut self, node: &GossipProtocol) {
        let own = node.local_member();
        let expected = if node.has_left() || self.left { MemberState::Left } else { own.state };
        assert_eq!(own.state, expected, "who has left comes back");
        assert!(matches!(own.state, MemberState::Alive | MemberState::Left), "{own:?}");
        self.left = own.state == MemberState::Left;
        assert!(own.incarnation >= self.incarnation, "its own incarnation fell");
        assert!(own.incarnation < u64::MAX - (1 << 31), "nobody could outbid {}", own.incarnation);
        self.incarnation = own.incarnation;
    }

    fn check_counters(&mut self, node: &GossipProtocol) {
        let now = counters(node);
        for ((name, before), (_, after)) in self.counters.iter().zip(&now) {
            assert!(before <= after, "{name} fell from {before} to {after}");
        }
        self.counters = now;
    }
}

fn counters(node: &GossipProtocol) -> Vec<(&'static str, u64)> {
    node.stats().entries().map(|(name, value, _)| (name, value)).collect()
}

fn check_members(node: &GossipProtocol) {
    let members = node.all_members();
    assert!(members.len() <= MEMBERS, "more members than were ever named");
    let alive = members.iter().filter(|member| member.state == MemberState::Alive).count();
    assert_eq!((node.cluster_size(), node.alive_members().len()), (alive, alive));
    let names: BTreeSet<_> = members.iter().map(|member| &member.id.0).collect();
    assert_eq!(names.len(), members.len(), "a name twice");
    for member in &members {
        assert_eq!(node.member(&member.id).map(|held| held.state), Some(member.state));
    }
}

/// Where nobody of those lives that are spoken of.
fn nowhere(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, 1], port))
}

/// A clock that stands still.
struct Still(Instant);

impl Clock for Still {
    fn now(&self) -> Instant {
        self.0
    }
}

/// The hash of a view is what another node comes to that is told of the same live members, without
/// what that one adds itself.
fn check_hash(node: &GossipProtocol) {
    let name = MemberId("another".into());
    let builder = GossipProtocol::builder(name, nowhere(1)).options(Options::default());
    let clock = Still(node.local_member().last_update);
    let mut other = builder.clock(clock).build().expect("valid options");
    let alone = other.view_hash();
    let live = node.all_members().into_iter().filter(|member| member.state.is_live());
    let updates = live.map(|member| MemberUpdate {
        id: member.id.clone(),
        state: MemberState::Alive,
        incarnation: member.incarnation,
        address: Some(member.address),
        metadata: Some(member.metadata.clone()),
    });
    other.handle_message(nowhere(2), GossipMessage::Gossip { updates: updates.collect() });
    assert_eq!(other.view_hash().wrapping_sub(alone), node.view_hash(), "the hash of the view");
}
