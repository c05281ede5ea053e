//! The cluster that the agent under load believes in, and the datagrams it is sent.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::BytesMut;
use swim_core::{GossipMessage, MemberId, MemberState, MemberUpdate};
use swim_wire::{Codec as _, ProtobufCodec};

pub(crate) const CLUSTER: &str = "load";
/// Updates in a packet that introduces members.
const UPDATES: usize = 1_000;
/// Packets that are sent in turn.
const DIFFERENT: usize = 64;

/// Makes packets in the name of member 1, which is who sends them.
pub(crate) struct Packets {
    codec: ProtobufCodec,
    sender: SocketAddr,
}

impl Packets {
    pub(crate) fn new(sender: SocketAddr) -> Self {
        Self { codec: ProtobufCodec::new(CLUSTER).expect("a valid name"), sender }
    }

    /// What makes members 1 to `count` known, by streams: first who sends them, for it is believed
    /// of others when it is a member.
    pub(crate) fn introduction(&self, count: usize) -> Vec<BytesMut> {
        let others: Vec<_> = (2..=count).collect();
        let chunks = std::iter::once(&[1][..]).chain(others.chunks(UPDATES));
        chunks.map(|nodes| self.packet(&[self.gossip(nodes)])).collect()
    }

    /// Pings with so many updates that all members have heard, about different ones of `count`
    /// members in each.
    pub(crate) fn pings(&self, updates: usize, count: usize) -> Vec<BytesMut> {
        let member = |packet: usize, update: usize| 1 + (packet * 37 + update * 7_919) % count;
        let packet = |packet| {
            let ping = GossipMessage::Ping { seq: 77, from: name(1) };
            let nodes: Vec<_> = (0..updates).map(|update| member(packet, update)).collect();
            match updates {
                0 => self.packet(&[ping]),
                _ => self.packet(&[ping, self.gossip(&nodes)]),
            }
        };
        (0..DIFFERENT).map(packet).collect()
    }

    fn packet(&self, messages: &[GossipMessage]) -> BytesMut {
        let mut packet = BytesMut::new();
        self.codec.start(&mut packet);
        for message in messages {
            self.codec.append(message, &mut packet);
        }
        packet
    }

    fn gossip(&self, nodes: &[usize]) -> GossipMessage {
        let update = |&node: &usize| MemberUpdate {
            id: name(node),
            state: MemberState::Alive,
            incarnation: ((1_790_000_000 + node as u64 * 7_919) << 32) + 1,
            address: Some(if node == 1 { self.sender } else { address(node) }),
            metadata: Some(HashMap::new()),
        };
        GossipMessage::Gossip { updates: nodes.iter().map(update).collect() }
    }
}

fn name(node: usize) -> MemberId {
    MemberId(format!("node-{node:06}"))
}

/// Where a member lives that exists in name only: on the loopback, where nobody listens.
fn address(node: usize) -> SocketAddr {
    let [_, a, b, c] = (node as u32).to_be_bytes();
    (Ipv4Addr::new(127, 1 + a, b, c), 7946).into()
}
