//! What is really so: who runs, who is held up, since when.

use swim_core::{MemberIdx, Time};

/// How a node really is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Not started, crashed, or gone.
    Down,
    /// Running and reachable as far as the network lets it.
    Up,
    /// The process stands still: nothing runs, packets wait in its sockets (SIGSTOP).
    Frozen,
    /// The process runs, timers too, but packets in both directions wait.
    Held,
    /// As held, and the node stands still at its first send while suspicions go on: what the
    /// Lifeguard paper does to agents (section 5.1).
    Blocked,
}

/// The truth about one node.
#[derive(Debug, Clone, Copy)]
pub struct TruthOf {
    /// How it is.
    pub condition: Condition,
    /// Since when.
    pub since: Time,
    /// How often it was started.
    pub boot: u32,
    /// Whether it said goodbye.
    pub left: bool,
}

/// The truth about all nodes.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    nodes: Vec<TruthOf>,
}

impl Truth {
    /// The truth about one node.
    pub fn of(&self, node: MemberIdx) -> TruthOf {
        self.nodes[node.0 as usize]
    }

    /// Whether its process exists.
    pub fn is_running(&self, node: MemberIdx) -> bool {
        self.of(node).condition != Condition::Down
    }

    /// Whether it runs, nothing holds it up, and it has not left.
    pub fn is_healthy(&self, node: MemberIdx) -> bool {
        let of = self.of(node);
        of.condition == Condition::Up && !of.left
    }

    /// All nodes that there ever were.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there never was a node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes by index.
    pub fn iter(&self) -> impl Iterator<Item = (MemberIdx, &TruthOf)> {
        self.nodes.iter().enumerate().map(|(i, of)| (MemberIdx(i as u32), of))
    }

    pub(super) fn add(&mut self, now: Time) {
        let condition = Condition::Down;
        self.nodes.push(TruthOf { condition, since: now, boot: 0, left: false });
    }

    pub(super) fn of_mut(&mut self, node: MemberIdx) -> &mut TruthOf {
        &mut self.nodes[node.0 as usize]
    }
}
