//! Views converge: when the network is quiet, all healthy nodes agree on who is live, within a
//! bound (SWIM, section 4.1; docs/protocol.md, Anti-entropy and Healing).
//!
//! The caller says from when nothing is lost, and gives the bound. Whatever befalls a node later
//! starts it anew. Agreement is that of the hash of the view: same members at the same
//! incarnations.

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::{MemberIdx, Time};

use super::{Invariant, Last, Violations};
use crate::node::{Io, Node};
use crate::world::{Moment, Truth, Watch};

/// See the module.
#[derive(Debug)]
pub struct Convergence {
    within: Duration,
    quiet: Option<Time>,
    judged: bool,
    /// The hash of each node's view after its last call.
    hashes: BTreeMap<MemberIdx, u64>,
    found: Violations,
}

impl Convergence {
    /// Views must agree when it has been quiet for `within`.
    pub fn new(within: Duration) -> Self {
        let (hashes, found) = (BTreeMap::new(), Violations::default());
        Self { within, quiet: None, judged: false, hashes, found }
    }

    fn is_due(&self, now: Time) -> bool {
        !self.judged && self.quiet.is_some_and(|quiet| now > quiet + self.within)
    }

    fn judge(&mut self, now: Time, truth: &Truth) {
        self.judged = true;
        let mut held: BTreeMap<u64, usize> = BTreeMap::new();
        let healthy = || self.hashes.iter().filter(|(node, _)| truth.is_healthy(**node));
        healthy().for_each(|(_, hash)| *held.entry(*hash).or_default() += 1);
        let most = held.iter().max_by_key(|(_, nodes)| **nodes).map(|(hash, _)| *hash);
        let differing: Vec<MemberIdx> =
            healthy().filter(|(_, hash)| Some(**hash) != most).map(|(node, _)| *node).collect();
        for at in differing {
            let views = held.len();
            self.found.add(now, (at, at), || {
                format!("its view is not that of most; there are {views} different ones")
            });
        }
    }
}

impl<N: Node> Watch<N> for Convergence {
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, _: &Io<N::Packet>) {
        if self.is_due(moment.now) {
            self.judge(moment.now, moment.truth);
        }
        self.hashes.insert(at, node.view_hash());
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        self.quiet = self.quiet.map(|_| moment.now);
        self.judged = false;
        if !moment.truth.is_running(node) {
            self.hashes.remove(&node);
        }
    }
}

impl<N: Node> Invariant<N> for Convergence {
    fn name(&self) -> &'static str {
        "convergence"
    }

    fn violations(&self) -> &Violations {
        &self.found
    }

    fn quiet_from(&mut self, now: Time) {
        self.quiet = Some(now);
        self.judged = false;
    }

    fn finish(&mut self, last: &Last<'_, N>) {
        self.hashes = last.nodes.iter().map(|(at, node)| (*at, node.view_hash())).collect();
        self.judged = false;
        if self.is_due(last.now) {
            self.judge(last.now, last.truth);
        }
    }
}
