//! Nothing that a peer sends or a caller calls, in any order, makes the protocol panic, grow
//! without bound or lose itself.

mod common;

use std::collections::HashMap;
use std::time::Duration;

use common::{ManualClock, addr, id};
use proptest::prelude::*;
use swim_core::{
    Accusation, AdvancedGossipConfig, Clock as _, Coordinate, Decline, Digest, GossipAction,
    GossipMessage, GossipProtocol, Member, MemberId, MemberState, MemberUpdate, Notice, Options,
    Recent, Said, Stamp, Timers, UserEvent, UserNotice, UserQuery,
};

const NODES: usize = 6;

#[derive(Debug, Clone)]
enum Operation {
    Hear(usize, GossipMessage),
    /// A `Gossip` and its companion.
    HearBoth(usize, GossipMessage, GossipMessage),
    Tick,
    Timer(String),
    Timeout,
    Advance(u64),
    Bootstrap(usize),
    Metadata(String, String),
    Sync,
    Tune,
    Leave,
    ForceLeave(MemberId, bool),
    Event(usize),
    Query,
    Answer(u64, MemberId, u8),
}

fn name() -> impl Strategy<Value = MemberId> {
    prop_oneof![8 => (0..NODES).prop_map(id), 1 => "\\PC{0,12}".prop_map(MemberId)]
}

fn incarnation() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 0..5u64,
        1 => Just(u64::MAX),
        1 => (u64::MAX - (1 << 34))..u64::MAX,
        1 => any::<u64>(),
    ]
}

fn state() -> impl Strategy<Value = MemberState> {
    prop_oneof![
        Just(MemberState::Alive),
        Just(MemberState::Suspect),
        Just(MemberState::Dead),
        Just(MemberState::Left),
    ]
}

fn update() -> impl Strategy<Value = MemberUpdate> {
    let removed = prop_oneof![Just(Member::REMOVED), Just(Member::PRUNED)].prop_map(str::to_owned);
    let key = prop_oneof![4 => ".{0,4}", 1 => removed];
    let value = prop_oneof![4 => ".{0,80}", 1 => name().prop_map(|name| name.0)];
    let metadata = prop::option::of(prop::collection::hash_map(key, value, 0..4));
    (name(), state(), incarnation(), prop::option::of(0..NODES), metadata).prop_map(
        |(id, state, incarnation, address, metadata)| MemberUpdate {
            id,
            state,
            incarnation,
            address: address.map(addr),
            metadata,
        },
    )
}

fn updates() -> impl Strategy<Value = Vec<MemberUpdate>> {
    prop::collection::vec(update(), 0..6)
}

fn digest() -> impl Strategy<Value = Digest> {
    let numbers = || prop::collection::vec(any::<u32>(), 0..6);
    prop_oneof![
        any::<u64>().prop_map(|hash| Digest::View { hash }),
        prop::collection::vec(any::<u64>(), 0..260).prop_map(|hashes| Digest::Buckets { hashes }),
        (any::<u32>(), numbers(), numbers()).prop_map(|(of, buckets, versions)| Digest::Versions {
            of,
            buckets,
            versions
        }),
        (0..9u32, numbers()).prop_map(|(of, versions)| Digest::Versions {
            of: 1 << of,
            buckets: vec![0],
            versions
        }),
    ]
}

fn gossip() -> impl Strategy<Value = GossipMessage> {
    updates().prop_map(|updates| GossipMessage::Gossip { updates })
}

fn evidence() -> impl Strategy<Value = GossipMessage> {
    let update = prop_oneof![4 => 0..6u8, 1 => any::<u8>()];
    let accusation = (update, name(), any::<u8>())
        .prop_map(|(update, accuser, health)| Accusation { update, accuser, health });
    (prop::collection::vec(any::<u8>(), 0..8), prop::collection::vec(accusation, 0..6))
        .prop_map(|(ages, accusations)| GossipMessage::Evidence { ages, accusations })
}

fn message() -> impl Strategy<Value = GossipMessage> {
    let seq = || prop_oneof![0..8u64, any::<u64>()];
    prop_oneof![
        (seq(), name()).prop_map(|(seq, from)| GossipMessage::Ping { seq, from }),
        (seq(), name()).prop_map(|(seq, from)| GossipMessage::Ack { seq, from }),
        (seq(), name()).prop_map(|(seq, from)| GossipMessage::Nack { seq, from }),
        (seq(), name(), any::<[u8; Coordinate::LEN]>()).prop_map(|(seq, from, bytes)| {
            GossipMessage::LocatedAck { seq, from, coordinate: Coordinate::from_bytes(bytes) }
        }),
        (seq(), name(), name()).prop_map(|(seq, from, target)| GossipMessage::PingReq {
            seq,
            from,
            target
        }),
        gossip(),
        updates().prop_map(|updates| GossipMessage::Sync { members: members(updates) }),
        name().prop_map(|from| GossipMessage::SyncRequest { from }),
        evidence(),
        digest().prop_map(|digest| GossipMessage::Digest { digest }),
        (updates(), prop::collection::vec(any::<u32>(), 0..6))
            .prop_map(|(updates, wanted)| GossipMessage::Delta { updates, wanted }),
        told(),
    ]
}

fn ltime() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0..30u64, 1 => (1u64 << 39)..(1 << 41), 1 => any::<u64>()]
}

fn stamps() -> impl Strategy<Value = Vec<Stamp>> {
    prop::collection::vec((ltime(), 0..4u64).prop_map(|(ltime, id)| Stamp { ltime, id }), 0..12)
}

fn notice() -> impl Strategy<Value = Notice<UserNotice>> {
    let event = (name(), 0..3_000usize).prop_map(|(origin, len)| {
        let event = UserEvent { origin, name: "x".into(), payload: vec![0; len] };
        Said::Whole(UserNotice::Event(event.into()))
    });
    let query = name().prop_map(|origin| {
        let query = UserQuery { origin, ..UserQuery::new("x") };
        Said::Whole(UserNotice::Query(query.into()))
    });
    let announced = (0..3_000_000usize).prop_map(Said::Announced);
    let said = prop_oneof![3 => event, 1 => query, 1 => announced];
    (ltime(), 0..4u64, stamps(), said).prop_map(|(ltime, id, after, said)| Notice {
        stamp: Stamp { ltime, id },
        after: after.into(),
        said,
    })
}

/// What is said of what users tell.
fn told() -> impl Strategy<Value = GossipMessage> {
    let recent = (ltime(), ltime(), ltime(), any::<u64>())
        .prop_map(|(clock, above, upto, hash)| Recent { clock, above, upto, hash });
    let payload = prop::option::of(prop::collection::vec(any::<u8>(), 0..6));
    let reasons = vec![None, Some(Decline::NoHandler), Some(Decline::Failed), Some(Decline::Busy)];
    let declined = prop::sample::select(reasons);
    let answer = (0..4u64, name(), name(), any::<bool>(), payload, declined);
    prop_oneof![
        4 => prop::collection::vec(notice(), 0..6)
            .prop_map(|notices| GossipMessage::Notices { notices }),
        1 => stamps().prop_map(|stamps| GossipMessage::Fetch { stamps }),
        1 => recent.prop_map(|recent| GossipMessage::Recent { recent }),
        1 => (name(), ltime(), ltime(), stamps()).prop_map(|(from, above, upto, stamps)| {
            GossipMessage::Held { from, above, upto, stamps }
        }),
        1 => answer.prop_map(|(query, from, to, relay, payload, declined)| GossipMessage::QueryAnswer {
            query,
            from,
            to,
            relay,
            payload,
            declined,
        }),
    ]
}

fn members(updates: Vec<MemberUpdate>) -> Vec<Member> {
    let clock = ManualClock::new();
    let last_update = swim_core::Clock::now(&clock);
    let member = |update: MemberUpdate| Member {
        id: update.id,
        address: update.address.unwrap_or(addr(0)),
        state: update.state,
        incarnation: update.incarnation,
        metadata: update.metadata.unwrap_or_default(),
        last_update,
    };
    updates.into_iter().map(member).collect()
}

fn operation() -> impl Strategy<Value = Operation> {
    let timer = (
        prop_oneof![
            Just("probe_timeout_"),
            Just("suspicion_timeout_"),
            Just("cleanup_"),
            Just("vouch_"),
            Just("verify_"),
            Just("relay_")
        ],
        prop_oneof![name().prop_map(|id| id.0), (0..9u64).prop_map(|seq| seq.to_string())],
    )
        .prop_map(|(prefix, of)| format!("{prefix}{of}"));
    prop_oneof![
        8 => (0..NODES, message()).prop_map(|(from, message)| Operation::Hear(from, message)),
        3 => (0..NODES, gossip(), evidence())
            .prop_map(|(from, gossip, evidence)| Operation::HearBoth(from, gossip, evidence)),
        3 => Just(Operation::Tick),
        3 => timer.prop_map(Operation::Timer),
        1 => prop_oneof![
            "gossip",
            "anti_entropy",
            "healing",
            "join",
            "leave",
            "spread",
            "fetch",
            "held_back"
        ]
            .prop_map(Operation::Timer),
        3 => Just(Operation::Timeout),
        3 => (0..40_000_000u64).prop_map(Operation::Advance),
        1 => (0..NODES).prop_map(Operation::Bootstrap),
        1 => (".{0,3}", ".{0,600}").prop_map(|(key, value)| Operation::Metadata(key, value)),
        1 => Just(Operation::Sync),
        1 => Just(Operation::Tune),
        1 => Just(Operation::Leave),
        2 => (name(), any::<bool>()).prop_map(|(name, prune)| Operation::ForceLeave(name, prune)),
        2 => prop_oneof![0..50usize, 0..80_000usize].prop_map(Operation::Event),
        1 => Just(Operation::Query),
        1 => (0..4u64, name(), any::<u8>())
            .prop_map(|(id, origin, relays)| Operation::Answer(id, origin, relays)),
    ]
}

fn perform(protocol: &mut GossipProtocol, clock: &ManualClock, operation: Operation) -> usize {
    let actions = match operation {
        Operation::Hear(from, message) => protocol.handle_message(addr(from), message),
        Operation::HearBoth(from, gossip, evidence) => {
            let mut actions = protocol.handle_message(addr(from), gossip);
            actions.extend(protocol.handle_message(addr(from), evidence));
            actions
        }
        Operation::Tick => protocol.tick(),
        Operation::Timer(name) => protocol.handle_timer(&name),
        Operation::Timeout => {
            let now = swim_core::Clock::now(clock);
            protocol.handle_timeout(now)
        }
        Operation::Advance(micros) => {
            clock.advance(Duration::from_micros(micros));
            Vec::new()
        }
        Operation::Bootstrap(seed) => protocol.bootstrap(vec![addr(seed)]),
        Operation::Metadata(key, value) => protocol.update_metadata(key, value),
        Operation::Sync => protocol.anti_entropy_sync(),
        Operation::Tune => {
            protocol.auto_tune();
            Vec::new()
        }
        Operation::Leave => protocol.leave(),
        Operation::ForceLeave(name, prune) => {
            protocol.force_leave(&name, prune).unwrap_or_default()
        }
        Operation::Event(len) => protocol.send_event("x", vec![0; len]).unwrap_or_default(),
        Operation::Query => match protocol.start_query(UserQuery::new("x")) {
            Ok((_, actions)) => actions,
            Err(_) => Vec::new(),
        },
        Operation::Answer(id, origin, relays) => {
            let query = UserQuery { origin, relays, ..UserQuery::new("x") };
            protocol.answer_query(id, &query, &[1]).unwrap_or_default()
        }
    };
    actions.len()
}

fn check(protocol: &GossipProtocol, queue_size: usize) {
    let members = protocol.all_members();
    let alive = members.iter().filter(|member| member.state == MemberState::Alive).count();
    assert_eq!(protocol.cluster_size(), alive);
    assert_eq!(protocol.alive_members().len(), alive);
    assert!(protocol.queue_len() <= queue_size);
    let own = protocol.local_member();
    assert!(matches!(own.state, MemberState::Alive | MemberState::Left));
    assert!(own.incarnation < u64::MAX - (1 << 31));
    let names: HashMap<_, _> = members.iter().map(|member| (&member.id, ())).collect();
    assert_eq!(names.len(), members.len(), "a name twice");
    for member in &members {
        assert_eq!(protocol.member(&member.id).unwrap().state, member.state);
    }
    assert!(protocol.probe_interval() > Duration::ZERO);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_sequence_of_calls_is_survived(
        operations in prop::collection::vec(operation(), 1..120),
        owned in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let clock = ManualClock::new();
        let queue_size = 8;
        let gossip =
            AdvancedGossipConfig { broadcast_queue_size: queue_size, ..Default::default() };
        let timers = if owned { Timers::Owned } else { Timers::Named };
        let options =
            Options { gossip, timers, events: true, seed: Some(seed), ..Options::default() };
        let mut protocol = GossipProtocol::builder(id(0), addr(0))
            .options(options)
            .clock(clock.clone())
            .build()
            .unwrap();
        for operation in operations {
            let text = format!("{operation:?}");
            let actions = perform(&mut protocol, &clock, operation);
            prop_assert!(actions < 2_000, "{actions} actions after {text}");
            check(&protocol, queue_size);
        }
    }
}

#[test]
fn a_wake_up_at_the_end_of_time_ends() {
    let clock = ManualClock::new();
    let mut protocol =
        GossipProtocol::builder(id(0), addr(0)).clock(clock.clone()).build().unwrap();
    protocol.bootstrap(vec![addr(1)]);
    let end = clock.now() + Duration::from_micros(u64::MAX);
    assert!(protocol.handle_timeout(end).len() < 10);
}

#[test]
fn who_removed_a_member_may_be_a_name_that_nobody_has() {
    for (prune, known) in [(false, false), (true, false), (false, true), (true, true)] {
        let clock = ManualClock::new();
        let mut protocol =
            GossipProtocol::builder(id(0), addr(0)).clock(clock.clone()).build().unwrap();
        let key = if prune { Member::PRUNED } else { Member::REMOVED };
        let update = |node: usize, state, by: Option<usize>| MemberUpdate {
            id: id(node),
            state,
            incarnation: 1,
            address: by.is_none().then(|| addr(node)),
            metadata: by.map(|by| HashMap::from([(key.to_owned(), id(by).0)])),
        };
        let hear = |protocol: &mut GossipProtocol, updates: Vec<MemberUpdate>| {
            protocol.handle_message(addr(9), GossipMessage::Gossip { updates });
        };
        let alive = |node| update(node, MemberState::Alive, None);
        hear(&mut protocol, vec![alive(1), alive(2)]);
        // Its name is looked up while it has an index, and it is never taken in.
        let ghost = MemberUpdate { address: None, ..update(3, MemberState::Dead, None) };
        hear(&mut protocol, vec![ghost, update(2, MemberState::Left, Some(3))]);
        if known {
            // The next newcomer gets that index, and has removed nobody.
            hear(&mut protocol, vec![alive(4)]);
        }
        let mut said = Vec::new();
        for _ in 0..50 {
            clock.advance(Duration::from_millis(100));
            said.extend(protocol.handle_timeout(clock.now()));
        }
        let by = said.iter().filter_map(|action| match action {
            GossipAction::Send { message: GossipMessage::Gossip { updates }, .. } => {
                updates.iter().find(|update| update.id == id(2))?.metadata.as_ref()?.get(key)
            }
            _ => None,
        });
        let by: Vec<&String> = by.collect();
        assert!(!by.is_empty() && by.iter().all(|by| by.is_empty()), "by nobody known: {by:?}");
    }
}
