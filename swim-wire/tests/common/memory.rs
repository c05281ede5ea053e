//! What decoded messages keep of memory.

use swim_core::{
    Accusation, Digest, GossipMessage, Member, MemberUpdate, Notice, Said, Stamp, UserEvent,
    UserNotice, UserQuery,
};

/// Bytes of memory that a decoded message keeps, from the capacities.
fn memory(message: &GossipMessage) -> usize {
    let id = |id: &swim_core::MemberId| id.0.capacity();
    let text = |(key, value): (&String, &String)| key.capacity() + value.capacity();
    // Buckets are powers of two, filled to 7/8 at most, with a byte of control each.
    let map = |map: &std::collections::HashMap<String, String>| match map.capacity() {
        0 => 0,
        n => (n * 8 / 7).next_power_of_two() * 49 + map.iter().map(text).sum::<usize>(),
    };
    let updates = |updates: &Vec<MemberUpdate>| {
        let one = |it: &MemberUpdate| id(&it.id) + it.metadata.as_ref().map_or(0, map);
        updates.capacity() * size_of::<MemberUpdate>() + updates.iter().map(one).sum::<usize>()
    };
    match message {
        GossipMessage::Gossip { updates: them } => updates(them),
        GossipMessage::Delta { updates: them, wanted } => updates(them) + wanted.capacity() * 4,
        GossipMessage::Sync { members } => {
            let one = |it: &Member| id(&it.id) + map(&it.metadata);
            members.capacity() * size_of::<Member>() + members.iter().map(one).sum::<usize>()
        }
        GossipMessage::Evidence { ages, accusations } => {
            let one = |it: &Accusation| id(&it.accuser);
            let them = accusations.capacity() * size_of::<Accusation>();
            ages.capacity() + them + accusations.iter().map(one).sum::<usize>()
        }
        GossipMessage::Digest { digest: Digest::Buckets { hashes } } => hashes.capacity() * 8,
        GossipMessage::Digest { digest: Digest::Versions { buckets, versions, .. } } => {
            (buckets.capacity() + versions.capacity()) * 4
        }
        GossipMessage::Notices { notices } => {
            let them = notices.capacity() * size_of::<Notice<UserNotice>>();
            them + notices.iter().map(notice_memory).sum::<usize>()
        }
        GossipMessage::Fetch { stamps } => stamps.capacity() * size_of::<Stamp>(),
        GossipMessage::Held { from, stamps, .. } => {
            id(from) + stamps.capacity() * size_of::<Stamp>()
        }
        GossipMessage::QueryAnswer { from, to, payload, .. } => {
            id(from) + id(to) + payload.as_ref().map_or(0, Vec::capacity)
        }
        _ => 0,
    }
}

/// What a notice keeps elsewhere; two counters stand before what is shared.
fn notice_memory(notice: &Notice<UserNotice>) -> usize {
    const SHARED: usize = 16;
    let said = match &notice.said {
        Said::Announced(_) => 0,
        Said::Whole(UserNotice::Event(it)) => {
            let texts = it.origin.0.capacity() + it.name.capacity() + it.payload.capacity();
            SHARED + size_of::<UserEvent>() + texts
        }
        Said::Whole(UserNotice::Query(it)) => {
            let texts = it.origin.0.capacity() + it.name.capacity() + it.payload.capacity();
            let nodes = it.nodes.capacity() * size_of::<swim_core::MemberId>();
            let nodes = nodes + it.nodes.iter().map(|node| node.0.capacity()).sum::<usize>();
            let pair = |(key, value): &(String, String)| key.capacity() + value.capacity();
            let metadata = it.metadata.capacity() * size_of::<(String, String)>();
            let metadata = metadata + it.metadata.iter().map(pair).sum::<usize>();
            SHARED + size_of::<UserQuery>() + texts + nodes + metadata
        }
    };
    SHARED + size_of_val(&*notice.after) + said
}

pub(crate) fn memory_of(messages: &Vec<GossipMessage>) -> usize {
    messages.capacity() * size_of::<GossipMessage>() + messages.iter().map(memory).sum::<usize>()
}

/// Most bytes of memory per byte of packet: a record of some 120 bytes may arrive in 5 (a name
/// of one letter, state, epoch), a slot in a map that is half empty in 5 too.
pub(crate) const EXPANSION: usize = 32;
