//! The merge: whatever order, loss and duplication updates meet, views end up the same.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use proptest::prelude::*;
use swim_core::{
    GossipAction, GossipConfig, GossipMessage, GossipProtocol, Member, MemberId, MemberState,
    MemberUpdate,
};

const SUBJECTS: usize = 4;

fn addr(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, node as u8], 7946))
}

fn observer(node: usize) -> GossipProtocol {
    let name = MemberId(format!("observer-{node}"));
    GossipProtocol::new(name, addr(100 + node), GossipConfig::default())
}

/// What a member says of itself at an incarnation: one thing only, as honest members do.
fn alive(subject: usize, incarnation: u64) -> MemberUpdate {
    let metadata = HashMap::from([("version".to_string(), incarnation.to_string())]);
    MemberUpdate {
        id: MemberId(format!("subject-{subject}")),
        state: MemberState::Alive,
        incarnation,
        address: Some(addr(subject)),
        metadata: Some(metadata),
    }
}

fn update() -> impl Strategy<Value = MemberUpdate> {
    (0..SUBJECTS, 0..4u64, 0..8u8).prop_map(|(subject, incarnation, kind)| {
        let alive = alive(subject, incarnation);
        let state = match kind {
            0..=2 => return alive,
            3 => MemberState::Suspect,
            4 => MemberState::Dead,
            _ => MemberState::Left,
        };
        // Gone for good, by the word of another.
        let key = [(6, Member::REMOVED), (7, Member::PRUNED)].into_iter().find(|it| it.0 == kind);
        let mark = |key: &str| HashMap::from([(key.to_string(), "observer-0".to_string())]);
        let metadata = key.map(|(_, key)| mark(key));
        MemberUpdate { state, address: None, metadata, ..alive }
    })
}

fn hear(protocol: &mut GossipProtocol, updates: &[MemberUpdate]) {
    for update in updates {
        let updates = vec![update.clone()];
        protocol.handle_message(addr(99), GossipMessage::Gossip { updates });
    }
}

type View = BTreeMap<String, (MemberState, u64, SocketAddr, String)>;

/// What a node holds of the subjects.
fn view(protocol: &GossipProtocol, only_live: bool) -> View {
    protocol
        .all_members()
        .iter()
        .filter(|member| member.id.0.starts_with("subject"))
        .filter(|member| !only_live || member.state.is_live())
        .map(|member| {
            let version = member.metadata.get("version").cloned().unwrap_or_default();
            (member.id.0.clone(), (member.state, member.incarnation, member.address, version))
        })
        .collect()
}

/// One node sends another all it holds.
fn sync(from: &mut GossipProtocol, to: &mut GossipProtocol) {
    let request = GossipMessage::SyncRequest { from: MemberId("anyone".into()) };
    for action in from.handle_message(addr(98), request) {
        if let GossipAction::Send { message, .. } = action {
            to.handle_message(addr(97), message);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Three nodes hear different parts of the same news, in different orders, some of it twice;
    /// after exchanging what they hold they agree on who lives.
    #[test]
    fn views_end_up_the_same(
        heard in prop::collection::vec(prop::collection::vec(update(), 0..25), 3)
    ) {
        let mut nodes: Vec<_> = (0..3).map(observer).collect();
        for (node, updates) in nodes.iter_mut().zip(&heard) {
            hear(node, updates);
        }
        for _round in 0..6 {
            for from in 0..3 {
                for to in 0..3 {
                    if from != to {
                        let [a, b] = nodes.get_disjoint_mut([from, to]).unwrap();
                        sync(a, b);
                    }
                }
            }
        }
        let first = view(&nodes[0], true);
        for node in &nodes[1..] {
            prop_assert_eq!(&view(node, true), &first);
        }
    }

    /// Once the incarnations are known, the order of all that is claimed of them does not matter.
    #[test]
    fn order_and_duplication_do_not_matter(
        mut updates in prop::collection::vec(update(), 1..25),
        seed in any::<u64>(),
    ) {
        // Claims at the highest incarnation, and whatever is older.
        let known: Vec<_> = (0..SUBJECTS).map(|subject| alive(subject, 3)).collect();
        let mut a = observer(0);
        hear(&mut a, &known);
        hear(&mut a, &updates);
        let mut b = observer(1);
        hear(&mut b, &known);
        let doubled = updates.clone();
        updates.extend(doubled);
        let len = updates.len();
        let mut state = seed;
        for i in (1..len).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            updates.swap(i, (state >> 33) as usize % (i + 1));
        }
        hear(&mut b, &updates);
        prop_assert_eq!(view(&a, false), view(&b, false));
    }

    /// Hearing what is held already changes nothing.
    #[test]
    fn merging_is_idempotent(updates in prop::collection::vec(update(), 0..25)) {
        let (mut a, mut b) = (observer(0), observer(1));
        hear(&mut a, &updates);
        let before = view(&a, false);
        sync(&mut a, &mut b);
        sync(&mut b, &mut a);
        prop_assert_eq!(view(&a, false), before);
    }
}
