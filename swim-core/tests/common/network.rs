//! The network of a [`Cluster`](super::Cluster): what is on its way, and what befalls it.

use std::cmp::Reverse;
use std::net::SocketAddr;

use rand::RngExt as _;
use swim_core::{GossipMessage, MemberState};

use super::{Cluster, Node, addr, id};

/// A message on its way.
pub(super) struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    message: GossipMessage,
    by_stream: bool,
}

/// A message as it left its sender.
#[derive(Debug)]
pub struct Sent {
    /// Virtual time in microseconds.
    pub at: u64,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub message: GossipMessage,
    /// Whether it had to go by a stream of its own.
    pub by_stream: bool,
}

impl Sent {
    /// What it says of a member, if it is gossip about it.
    pub fn about(&self, node: usize) -> Option<MemberState> {
        let GossipMessage::Gossip { updates } = &self.message else { return None };
        updates.iter().find(|update| update.id == id(node)).map(|update| update.state)
    }

    /// Whether it is gossip that holds somebody else for Suspect or Dead.
    pub fn accuses(&self) -> bool {
        let GossipMessage::Gossip { updates } = &self.message else { return false };
        let accusation = |state| matches!(state, MemberState::Suspect | MemberState::Dead);
        updates.iter().any(|update| accusation(update.state))
    }
}

/// Says how many microseconds messages take from one address to another, at least and at most.
pub(super) type Distances = Box<dyn Fn(SocketAddr, SocketAddr) -> (u64, u64)>;
/// Changes what a node says.
pub(super) type Tamper = Box<dyn Fn(SocketAddr, &mut GossipMessage)>;
/// Says which messages are lost.
pub(super) type Censor = Box<dyn Fn(SocketAddr, SocketAddr, &GossipMessage) -> bool>;
/// Says between which addresses no datagram passes.
pub(super) type Blocked = Box<dyn Fn(SocketAddr, SocketAddr) -> bool>;

/// How far the port from which a stream comes is from the one where its sender is reached.
const STREAM_PORT: u16 = 10_000;

fn stream_from(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port() + STREAM_PORT)
}

impl Cluster {
    /// From now on so much is lost of what a node sends, and of what it should hear.
    pub fn lose(&mut self, node: usize, loss_out: f64, loss_in: f64) {
        let node = self.node_mut(node);
        (node.loss_out, node.loss_in) = (loss_out, loss_in);
    }

    /// From now on messages of which `lost(from, to, message)` is true are lost.
    pub fn censor(
        &mut self,
        lost: impl Fn(SocketAddr, SocketAddr, &GossipMessage) -> bool + 'static,
    ) {
        self.censor = Some(Box::new(lost));
    }

    /// From now on no datagram gets from one node to another of which `blocked(from, to)` is true;
    /// streams do.
    pub fn block_datagrams(&mut self, blocked: impl Fn(usize, usize) -> bool + 'static) {
        let node = |address: SocketAddr| {
            let SocketAddr::V4(address) = address else { unreachable!("all have IPv4") };
            let [.., high, low] = address.ip().octets();
            usize::from(high) * 250 + usize::from(low) - 1
        };
        self.blocked = Some(Box::new(move |from, to| blocked(node(from), node(to))));
    }

    /// From now on messages take as long as this says.
    pub fn place(&mut self, distances: impl Fn(SocketAddr, SocketAddr) -> (u64, u64) + 'static) {
        self.distances = Some(Box::new(distances));
    }

    /// From now on `change(from, message)` has its way with all that is sent.
    pub fn tamper(&mut self, change: impl Fn(SocketAddr, &mut GossipMessage) + 'static) {
        self.tamper = Some(Box::new(change));
    }

    /// From now on what is sent is recorded; forgets what was.
    pub fn record(&mut self) {
        self.sent = Some(Vec::new());
    }

    /// What was sent since [`record`](Self::record), lost or not.
    pub fn sent(&self) -> &[Sent] {
        self.sent.as_deref().unwrap_or_default()
    }

    /// From now on nodes reach only those of their own group.
    pub fn split(&mut self, groups: &[&[usize]]) {
        self.groups.clear();
        for (group, members) in groups.iter().enumerate() {
            for &node in *members {
                self.groups.insert(self.nodes[&node].address, group as u32);
            }
        }
    }

    pub fn heal(&mut self) {
        self.groups.clear();
        self.cut.clear();
        self.censor = None;
        self.blocked = None;
    }

    /// Nothing gets from `from` to `to` any more.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cut.insert((addr(from), addr(to)));
    }

    /// Puts a message of anybody's on its way.
    pub fn inject(&mut self, from: SocketAddr, to: usize, message: GossipMessage) {
        let to = self.nodes[&to].address;
        self.post(from, to, message, false);
    }

    pub(super) fn post(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        message: GossipMessage,
        stream: bool,
    ) {
        let mut message = message;
        if let Some(change) = &self.tamper {
            change(from, &mut message);
        }
        self.datagrams += 1;
        self.note_sent(from, to, &message, stream);
        use GossipMessage::{Fetch, Held, Sync, SyncRequest};
        let bulky =
            matches!(message, Sync { .. } | SyncRequest { .. } | Fetch { .. } | Held { .. });
        // What answers a stream goes back on it.
        let by_stream = stream || bulky || self.answering == Some(to);
        let arrivals = match message {
            // In one datagram with the gossip that it belongs to.
            GossipMessage::Evidence { .. } => std::mem::take(&mut self.companion),
            _ => self.arrivals(from, to, &message, by_stream),
        };
        // A stream comes from a port of its own.
        let opened = by_stream && self.answering != Some(to);
        let shown = if opened { stream_from(from) } else { from };
        for &at in &arrivals {
            let message = message.clone();
            self.deliver_at(at, Packet { from: shown, to, message, by_stream });
        }
        self.companion = arrivals;
    }

    /// When the copies of a message arrive; none if it is lost.
    fn arrivals(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        message: &GossipMessage,
        by_stream: bool,
    ) -> Vec<u64> {
        let to = self.home(to);
        if self.censor.as_ref().is_some_and(|lost| lost(from, to, message)) {
            return Vec::new();
        }
        if !by_stream && self.blocked.as_ref().is_some_and(|blocked| blocked(from, to)) {
            return Vec::new();
        }
        let lost = self.loss_between(from, to, by_stream);
        if (lost > 0.0 || !by_stream) && self.rng.random_bool(lost) {
            return Vec::new();
        }
        let copies = 1 + usize::from(!by_stream && self.rng.random_bool(self.duplication));
        let leaves = self.held_until(from).max(self.clock.micros());
        let (least, most) = self.distances.as_ref().map_or(self.latency, |it| it(from, to));
        let latency = least..=most;
        (0..copies).map(|_| leaves + self.rng.random_range(latency.clone())).collect()
    }

    fn deliver_at(&mut self, at: u64, packet: Packet) {
        self.sequence += 1;
        self.due.push(Reverse((at, self.sequence)));
        self.packets.insert(self.sequence, packet);
    }

    /// Where an address is reached that a stream may have come from.
    fn home(&self, address: SocketAddr) -> SocketAddr {
        let port = address.port().wrapping_sub(STREAM_PORT);
        let home = SocketAddr::new(address.ip(), port);
        if self.at.contains_key(&home) { home } else { address }
    }

    fn note_sent(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        message: &GossipMessage,
        by_stream: bool,
    ) {
        let at = self.clock.micros();
        if let Some(sent) = &mut self.sent {
            sent.push(Sent { at, from, to, message: message.clone(), by_stream });
        }
    }

    fn node_at(&self, address: SocketAddr) -> Option<&Node> {
        self.nodes.get(self.at.get(&address)?)
    }

    fn held_until(&self, address: SocketAddr) -> u64 {
        self.node_at(address).map_or(0, |node| node.held_until)
    }

    fn loss_between(&self, from: SocketAddr, to: SocketAddr, by_stream: bool) -> f64 {
        let everywhere = if by_stream { 0.0 } else { self.loss };
        let loss_out = self.node_at(from).map_or(0.0, |node| node.loss_out);
        let loss_in = self.node_at(to).map_or(0.0, |node| node.loss_in);
        1.0 - (1.0 - everywhere) * (1.0 - loss_out) * (1.0 - loss_in)
    }

    fn reaches(&self, from: SocketAddr, to: SocketAddr) -> bool {
        self.groups.get(&from) == self.groups.get(&to) && !self.cut.contains(&(from, to))
    }

    pub(super) fn deliver(&mut self) {
        let Some(Reverse((_, sequence))) = self.due.pop() else { return };
        let Some(packet) = self.packets.remove(&sequence) else { return };
        let (from, to) = (self.home(packet.from), self.home(packet.to));
        let Some(&node) = self.at.get(&to) else { return };
        if !self.reaches(from, to) {
            return;
        }
        let deaf_until = self.nodes[&node].frozen_until.max(self.nodes[&node].held_until);
        if deaf_until > self.clock.micros() {
            // It waits in the socket, and is read before any timer fires.
            self.deliver_at(deaf_until, packet);
            return;
        }
        self.answering = packet.by_stream.then_some(packet.from);
        self.act(node, |protocol| protocol.handle_message(packet.from, packet.message));
        self.answering = None;
    }
}
