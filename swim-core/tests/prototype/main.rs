//! The customer's prototype with named timers: what each call returns. Sections follow the list of
//! settled behaviours in `docs/protocol.md`.

mod dissemination;
mod echo;
mod forgetting;
mod itself;
mod join;
mod metadata;
mod named_timers;
mod ping;
mod precedence;
mod probe_timeout;
mod refutation;
mod reports;
mod suspicion;
mod tick;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{
    Accusation, AdvancedGossipConfig, GossipAction, GossipConfig, GossipMessage, GossipProtocol,
    Member, MemberId, MemberState, MemberUpdate, MetadataError, Options, Timers,
};

fn addr(node: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, node], 7946))
}

fn name(node: u8) -> MemberId {
    MemberId(format!("n{node}"))
}

fn protocol() -> GossipProtocol {
    GossipProtocol::new(name(0), addr(0), GossipConfig::default())
}

fn alive(node: u8, incarnation: u64) -> MemberUpdate {
    MemberUpdate {
        id: name(node),
        state: MemberState::Alive,
        incarnation,
        address: Some(addr(node)),
        metadata: Some(HashMap::new()),
    }
}

fn claim(node: u8, state: MemberState, incarnation: u64) -> MemberUpdate {
    MemberUpdate { id: name(node), state, incarnation, address: None, metadata: None }
}

/// A node that knows members 1 to `n`, with nothing left to tell.
fn knowing(n: u8) -> GossipProtocol {
    knowing_with(n, GossipConfig::default())
}

fn knowing_with(n: u8, config: GossipConfig) -> GossipProtocol {
    let mut protocol = GossipProtocol::new(name(0), addr(0), config);
    let updates = (1..=n).map(|node| alive(node, 0)).collect();
    hear(&mut protocol, 1, updates);
    (0..200).for_each(|_| drop(protocol.handle_timer("gossip")));
    protocol
}

fn hear(protocol: &mut GossipProtocol, from: u8, updates: Vec<MemberUpdate>) -> Vec<GossipAction> {
    protocol.handle_message(addr(from), GossipMessage::Gossip { updates })
}

fn state(protocol: &GossipProtocol, node: u8) -> Option<MemberState> {
    protocol.all_members().iter().find(|member| member.id == name(node)).map(|member| member.state)
}

fn incarnation(protocol: &GossipProtocol, node: u8) -> u64 {
    let members = protocol.all_members();
    members.iter().find(|member| member.id == name(node)).unwrap().incarnation
}

fn sends(actions: &[GossipAction]) -> Vec<(SocketAddr, &GossipMessage)> {
    let send = |action| match action {
        &GossipAction::Send { to, ref message } => Some((to, message)),
        _ => None,
    };
    actions.iter().filter_map(send).collect()
}

fn pings(actions: &[GossipAction]) -> Vec<(SocketAddr, u64)> {
    let ping = |(to, message): (SocketAddr, &GossipMessage)| match message {
        GossipMessage::Ping { seq, .. } => Some((to, *seq)),
        _ => None,
    };
    sends(actions).into_iter().filter_map(ping).collect()
}

fn timers(actions: &[GossipAction]) -> BTreeMap<String, Duration> {
    let timer = |action: &GossipAction| match action {
        GossipAction::ScheduleTimer { name, delay } => Some((name.clone(), *delay)),
        _ => None,
    };
    actions.iter().filter_map(timer).collect()
}

fn changes(actions: &[GossipAction]) -> Vec<(MemberId, MemberState, MemberState)> {
    let change = |action: &GossipAction| match action {
        GossipAction::MembershipChange { member, old_state, new_state } => {
            Some((member.clone(), *old_state, *new_state))
        }
        _ => None,
    };
    actions.iter().filter_map(change).collect()
}

/// Updates about a member that were sent, with their destination.
fn told(actions: &[GossipAction], node: u8) -> Vec<(SocketAddr, MemberUpdate)> {
    let mut told = Vec::new();
    for (to, message) in sends(actions) {
        if let GossipMessage::Gossip { updates } = message {
            let about = updates.iter().filter(|update| update.id == name(node));
            told.extend(about.map(|update| (to, update.clone())));
        }
    }
    told
}

fn node_of(address: SocketAddr) -> u8 {
    match address.ip() {
        std::net::IpAddr::V4(ip) => ip.octets()[3],
        std::net::IpAddr::V6(_) => unreachable!("all addresses here are IPv4"),
    }
}

/// Ticks until `node` is pinged; returns the `seq`.
fn ping_of(protocol: &mut GossipProtocol, node: u8) -> u64 {
    for _ in 0..100 {
        if let Some(&(_, seq)) = pings(&protocol.tick()).iter().find(|(to, _)| *to == addr(node)) {
            return seq;
        }
    }
    panic!("{node} is never pinged");
}
