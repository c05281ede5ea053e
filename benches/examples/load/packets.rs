//! The cluster that the agent under load believes in, and the datagrams it is sent.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::BytesMut;
use swim_core::{GossipMessage, MemberId, MemberState, MemberUpdate};
use swim_wire::{Codec as _, ProtobufCodec};

pub(crate) const CLUSTER: &str = "load";
/// Updates in one packet.
pub(crate) const UPDATES: usize = 8;

/// Makes packets in the name of member 1, which is who sends them.
pub(crate) struct Packets {
    codec: ProtobufCodec,
    sender: SocketAddr,
}

impl Packets {
    pub(crate) fn new(sender: SocketAddr) -> Self {
        Self { codec: ProtobufCodec::new(CLUSTER).expect("a valid name"), sender }
    }

    /// What makes members 1 to `count` known.
    pub(crate) fn introduction(&self, count: usize) -> Vec<BytesMut> {
        let members: Vec<_> = (1..=count).collect();
        let chunks = members.chunks(UPDATES);
        chunks.map(|nodes| self.packet(&[self.gossip(nodes)])).collect()
    }

    /// A ping alone.
    pub(crate) fn ping(&self) -> BytesMut {
        self.packet(&[ping()])
    }

    /// A ping with news that all members have heard, of different ones of `count` in each packet.
    pub(crate) fn pings_with_news(&self, count: usize) -> Vec<BytesMut> {
        let member = |packet: usize, update: usize| 1 + (packet * 37 + update * 7_919) % count;
        let packet = |packet| {
            let nodes: Vec<_> = (0..UPDATES).map(|update| member(packet, update)).collect();
            self.packet(&[ping(), self.gossip(&nodes)])
        };
        (0..64).map(packet).collect()
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

fn ping() -> GossipMessage {
    GossipMessage::Ping { seq: 77, from: name(1) }
}

fn name(node: usize) -> MemberId {
    MemberId(format!("node-{node:06}"))
}

/// Where a member lives that exists in name only: on the loopback, where nobody listens.
fn address(node: usize) -> SocketAddr {
    let [_, a, b, c] = (node as u32).to_be_bytes();
    (Ipv4Addr::new(127, 1 + a, b, c), 7946).into()
}
