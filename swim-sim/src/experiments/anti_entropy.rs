//! What one exchange of views costs two nodes that agree, or differ by a few members.

use std::collections::VecDeque;
use std::time::Duration;

use swim_core::{MemberIdx, Time};

use crate::lab::Experiment;
use crate::node::{Io, Node, Via};

/// What one of the two has and the other lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Members that were started again, which the other holds as they were before.
    Restarts,
    /// Members that the other has not heard of.
    Newcomers,
}

/// An exchange between two nodes and nobody else.
#[derive(Debug, Clone, Copy)]
pub struct AntiEntropy {
    /// Members of both views, the two nodes included.
    pub nodes: u32,
    /// How many of them differ.
    pub differences: u32,
    /// And how.
    pub difference: Difference,
}

/// What one run gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct AntiEntropyOutcome {
    /// Bytes of payload in both directions, envelopes included, headers of the network not. None if
    /// the implementation has no such exchange.
    pub bytes: Option<u64>,
    /// Packets of both directions, each of which waits for the one before.
    pub packets: u64,
    /// Whether the two agreed in the end.
    pub agreed: bool,
}

const BOTH: [MemberIdx; 2] = [MemberIdx(0), MemberIdx(1)];
const TRIP: Duration = Duration::from_millis(1);
/// No exchange takes more packets than this.
const MOST_PACKETS: u64 = 100;

impl Experiment for AntiEntropy {
    type Outcome = AntiEntropyOutcome;

    /// An even seed has the exchange begun by the node that has the news, an odd one by the other.
    fn run<N: Node>(
        &self,
        make: impl Fn(MemberIdx, u32, u64) -> N + 'static,
        seed: u64,
    ) -> AntiEntropyOutcome {
        let mut io = Io::new();
        let mut now = Time::ZERO;
        let mut nodes = BOTH.map(|me| {
            let mut node = make(me, 1, seed ^ u64::from(me.0) << 32);
            node.handle_timeout(now, &mut io);
            node.preload(now, &self.view(me), &mut io);
            node
        });
        // Long after the joins, so that nothing of them is under way.
        now += Duration::from_millis(1);
        io.sent.clear();
        let starter = (seed % 2) as usize;
        nodes[starter].exchange(now, BOTH[1 - starter], &mut io);
        let mut under_way = VecDeque::new();
        take_up(&mut io, starter, &mut under_way);
        let (mut bytes, mut packets) = (0, 0);
        while let Some(mut flight) = under_way.pop_front().filter(|_| packets < MOST_PACKETS) {
            now += TRIP;
            bytes += u64::from(flight.bytes);
            packets += 1;
            let to = 1 - flight.from;
            nodes[to].handle_packet(
                now,
                BOTH[flight.from],
                flight.via,
                &mut flight.packet,
                &mut io,
            );
            take_up(&mut io, to, &mut under_way);
        }
        AntiEntropyOutcome {
            bytes: (packets > 0).then_some(bytes),
            packets,
            agreed: nodes[0].view_hash() == nodes[1].view_hash(),
        }
    }
}

struct Flight<P> {
    from: usize,
    via: Via,
    bytes: u32,
    packet: P,
}

/// Takes up what a node sends to the other one; what it tells third parties is no part of this.
fn take_up<P: Default>(io: &mut Io<P>, from: usize, under_way: &mut VecDeque<Flight<P>>) {
    let to_other = io.sent.drain(..).filter(|sent| sent.to == BOTH[1 - from]);
    let flight = |sent: crate::node::Sent<P>| Flight {
        from,
        via: sent.via,
        bytes: sent.bytes,
        packet: sent.packet,
    };
    under_way.extend(to_other.map(flight));
    io.changes.clear();
}

impl AntiEntropy {
    /// Whom a node knows, and how often each was started: the first one has the news.
    fn view(&self, me: MemberIdx) -> Vec<(MemberIdx, u32)> {
        let differs = |member: u32| member >= self.nodes.saturating_sub(self.differences).max(2);
        let has_news = me == BOTH[0];
        let held = |member: u32| match self.difference {
            _ if !differs(member) => Some(1),
            Difference::Restarts => Some(if has_news { 2 } else { 1 }),
            Difference::Newcomers => has_news.then_some(1),
        };
        (0..self.nodes).filter_map(|member| Some((MemberIdx(member), held(member)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_differences_are_held_by_one_side_only() {
        let exchange = |difference| AntiEntropy { nodes: 5, differences: 2, difference };
        let restarts = exchange(Difference::Restarts);
        assert_eq!(restarts.view(BOTH[0])[3..], [(MemberIdx(3), 2), (MemberIdx(4), 2)]);
        assert_eq!(restarts.view(BOTH[1])[3..], [(MemberIdx(3), 1), (MemberIdx(4), 1)]);
        let newcomers = exchange(Difference::Newcomers);
        assert_eq!(newcomers.view(BOTH[0]).len(), 5);
        assert_eq!(newcomers.view(BOTH[1]).len(), 3);
    }
}
