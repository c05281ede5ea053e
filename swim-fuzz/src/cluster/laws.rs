//! What holds of views whatever is lost, late or said twice (SWIM, section 4.2).

use swim_core::{GossipMessage, Incarnation, MemberId, MemberState};

use super::node::{Node, name};
use super::post::home;

/// Looks at the view of the node that was called.
pub(super) fn check(nodes: &mut [Node], at: usize) {
    for about in 0..nodes.len() {
        let owned = nodes[about].highest;
        let node = &mut nodes[at];
        let held = node.face.member(&name(about)).map(|held| (held.state, held.incarnation));
        let Some((state, incarnation)) = held else {
            // One that was pruned left a tombstone that is not shown.
            if !node.face.remembers(&home(about)) {
                node.tombs[about] = None;
            }
            continue;
        };
        assert!(incarnation <= owned, "{at} holds an incarnation that {about} never had");
        let tomb = &mut node.tombs[about];
        if state.is_live() {
            let stale = tomb.is_some_and(|tomb| incarnation <= tomb);
            assert!(!stale, "{about} comes back for {at} by stale news: {tomb:?}, {incarnation}");
        } else {
            *tomb = (*tomb).max(Some(incarnation));
        }
    }
}

/// Who is said to live in a message, and at which incarnation.
pub(super) fn claims_of_life(message: &GossipMessage) -> Vec<(MemberId, Incarnation)> {
    let alive = |id: &MemberId, state, incarnation| {
        (state == MemberState::Alive).then(|| (id.clone(), incarnation))
    };
    match message {
        GossipMessage::Gossip { updates } | GossipMessage::Delta { updates, .. } => {
            updates.iter().filter_map(|it| alive(&it.id, it.state, it.incarnation)).collect()
        }
        GossipMessage::Sync { members } => {
            members.iter().filter_map(|it| alive(&it.id, it.state, it.incarnation)).collect()
        }
        _ => Vec::new(),
    }
}

/// Who heard that a member lives holds no less than that of it.
pub(super) fn refutation_wins(node: &Node, claims: &[(MemberId, Incarnation)]) {
    for (id, incarnation) in claims.iter().filter(|(id, _)| *id != name(node.at)) {
        let behind = node.face.member(id).is_some_and(|held| held.incarnation < *incarnation);
        assert!(!behind, "{} heard that {id} lives at {incarnation}, in vain", node.at);
    }
}
