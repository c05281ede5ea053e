//! The merge: whatever order, loss and duplication updates meet, views end up the same.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use proptest::prelude::*;
use swim_core::{
    GossipAction, GossipConfig, GossipMessage, GossipProtocol, Member, MemberId, MemberState,
    MemberUpdate,
};

const SUBJECTS: usize = 4;
/// An incarnation of all of them.
const KNOWN: u64 = 3;

fn addr(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, node as u8], 7946))
}

fn observer(node: usize) -> GossipProtocol {
    let name = MemberId(format!("observer-{node}"));
    GossipProtocol::new(name, addr(100 + node), GossipConfig::default())
}

/// What a member says of itself at an incarnation: one thing, as honest members do, or as two of one
/// name another besides.
fn alive(subject: usize, incarnation: u64, content: u8) -> MemberUpdate {
    let version = format!("{incarnation}-{content}");
    let metadata = HashMap::from([("version".to_string(), version)]);
    MemberUpdate {
        id: MemberId(format!("subject-{subject}")),
        state: MemberState::Alive,
        incarnation,
        address: Some(addr(subject)),
        metadata: Some(metadata),
    }
}

/// News of a subject that says up to so many things at one incarnation. What is claimed of it is so
/// at most of incarnations that are known, else it is for the subject to settle. So it is where it is
/// suspect and says two things: nobody takes what it says from an accusation.
fn update(contents: u8) -> impl Strategy<Value = MemberUpdate> {
    let kinds = (0..SUBJECTS, 0..=KNOWN + 1, 0..contents, 0..8u8);
    kinds.prop_map(move |(subject, incarnation, content, kind)| {
        let alive = alive(subject, incarnation, content);
        let state = match kind {
            0..=2 => return alive,
            3 if contents == 1 => MemberState::Suspect,
            3 | 4 => MemberState::Dead,
            _ => MemberState::Left,
        };
        // Gone for good, by the word of another.
        let key = [(6, Member::REMOVED), (7, Member::PRUNED)].into_iter().find(|it| it.0 == kind);
        let mark = |key: &str| HashMap::from([(key.to_string(), "observer-0".to_string())]);
        let metadata = key.map(|(_, key)| mark(key));
        let incarnation = incarnation.min(KNOWN);
        MemberUpdate { state, address: None, metadata, incarnation, ..alive }
    })
}

/// What each of some nodes hears.
fn news(nodes: usize) -> impl Strategy<Value = Vec<Vec<MemberUpdate>>> {
    (1..=2u8).prop_flat_map(move |contents| {
        prop::collection::vec(prop::collection::vec(update(contents), 0..25), nodes)
    })
}

fn hear(protocol: &mut GossipProtocol, updates: &[MemberUpdate]) {
    for update in updates {
        let updates = vec![update.clone()];
        protocol.handle_message(addr(99), GossipMessage::Gossip { updates });
    }
}

type View = BTreeMap<String, (MemberState, u64, SocketAddr, String)>;

/// All that a node holds, as it tells it: what was removed, and how, included.
fn told(protocol: &mut GossipProtocol) -> Vec<Member> {
    let request = GossipMessage::SyncRequest { from: MemberId("anyone".into()) };
    let told =
        protocol.handle_message(addr(98), request).into_iter().find_map(|action| match action {
            GossipAction::Send { message: GossipMessage::Sync { members }, .. } => Some(members),
            _ => None,
        });
    told.expect("a Sync")
}

/// What a node holds of the subjects: of those that are gone how they went, of the others what they say.
fn view(protocol: &mut GossipProtocol, only_live: bool) -> View {
    let marks = [Member::REMOVED, Member::PRUNED];
    told(protocol)
        .into_iter()
        .filter(|member| member.id.0.starts_with("subject"))
        .filter(|member| !only_live || member.state.is_live())
        .map(|member| {
            let mark = marks.into_iter().find(|mark| member.metadata.contains_key(*mark));
            let says = match member.state.is_live() {
                true => member.metadata.get("version").cloned(),
                false => mark.map(str::to_owned),
            };
            let says = says.unwrap_or_default();
            (member.id.0, (member.state, member.incarnation, member.address, says))
        })
        .collect()
}

/// One node sends another all it holds.
fn sync(from: &mut GossipProtocol, to: &mut GossipProtocol) {
    let members = told(from);
    to.handle_message(addr(97), GossipMessage::Sync { members });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Three nodes hear different parts of the same news, in different orders, some of it twice;
    /// after exchanging what they hold they agree on who lives.
    #[test]
    fn views_end_up_the_same(
        heard in news(3)
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
        let first = view(&mut nodes[0], true);
        for node in &mut nodes[1..] {
            prop_assert_eq!(&view(node, true), &first);
        }
    }

    /// Once the incarnations are known, the order of all that is claimed of them does not matter.
    #[test]
    fn order_and_duplication_do_not_matter(
        mut heard in news(1),
        seed in any::<u64>(),
    ) {
        let mut updates = heard.remove(0);
        // Claims at the highest incarnation, and whatever is older.
        let known: Vec<_> = (0..SUBJECTS).map(|subject| alive(subject, KNOWN, 0)).collect();
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
        prop_assert_eq!(view(&mut a, false), view(&mut b, false));
    }

    /// Hearing what is held already changes nothing.
    #[test]
    fn merging_is_idempotent(mut heard in news(1)) {
        let (mut a, mut b) = (observer(0), observer(1));
        hear(&mut a, &heard.remove(0));
        let before = view(&mut a, false);
        sync(&mut a, &mut b);
        sync(&mut b, &mut a);
        prop_assert_eq!(view(&mut a, false), before);
    }
}
