//! Probes as their packets show them: which pings belong together.

use std::collections::BTreeMap;

use swim_core::{MemberIdx, Time};

use super::ledger::PerNode;
use crate::node::{Io, Sent, Via};
use crate::nodes::swim::{Item, Letter};
use crate::world::Arrival;

/// A probe that nobody has answered so far.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// Under which the member, relays, and the member by stream were asked.
    seqs: Vec<u64>,
    /// The greatest of them that a datagram to the member had.
    latest: u64,
    /// When others were first asked to reach it, or a stream was tried.
    pub(super) asked: Option<Time>,
}

impl Probe {
    /// The pings of one probe are numbered alike, or one after the other.
    fn goes_on(&self, seq: u64) -> bool {
        self.seqs.is_empty() || self.seqs.contains(&seq) || seq == self.latest + 1
    }
}

/// The latest probe of each member by each node.
///
/// It begins with a ping that nobody asked for and ends with an answer under one of its `seq`s, or
/// when another begins: that it failed does not always show.
#[derive(Debug, Default)]
pub(super) struct Probes {
    open: PerNode<BTreeMap<MemberIdx, Probe>>,
    /// Whom the packet that is being handled asks to be pinged for its sender.
    relayed: Vec<MemberIdx>,
}

impl Probes {
    pub(super) fn arrived(&mut self, arrival: Arrival<'_, Letter>) {
        for item in &arrival.packet.items {
            match item {
                Item::PingReq { target: Some(target), .. } => self.relayed.push(*target),
                Item::Ack { seq, member: Some(of) } => {
                    let open = self.open.of(arrival.at);
                    if open.get(of).is_some_and(|probe| probe.seqs.contains(seq)) {
                        open.remove(of);
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes in what a call sent; `begun` hears of each probe that begins.
    pub(super) fn called(
        &mut self,
        now: Time,
        at: MemberIdx,
        io: &Io<Letter>,
        mut begun: impl FnMut(MemberIdx),
    ) {
        let open = self.open.of(at);
        for sent in &io.sent {
            for (of, seq, direct) in asks(sent).filter(|(of, ..)| !self.relayed.contains(of)) {
                if !direct {
                    // Its ping went out before, or is not to be seen.
                    let probe = open.entry(of).or_default();
                    probe.seqs.push(seq);
                    probe.asked.get_or_insert(now);
                } else if let Some(probe) = open.get_mut(&of).filter(|probe| probe.goes_on(seq)) {
                    probe.seqs.push(seq);
                    probe.latest = seq.max(probe.latest);
                } else {
                    begun(of);
                    open.insert(of, Probe { seqs: vec![seq], latest: seq, asked: None });
                }
            }
        }
        self.relayed.clear();
    }

    /// The open probe of a member.
    pub(super) fn get(&mut self, at: MemberIdx, of: MemberIdx) -> Option<&Probe> {
        self.open.of(at).get(&of)
    }

    /// The probe has failed.
    pub(super) fn close(&mut self, at: MemberIdx, of: MemberIdx) {
        self.open.of(at).remove(&of);
    }

    /// The node starts anew.
    pub(super) fn forget(&mut self, at: MemberIdx) {
        self.open.reset(at);
    }
}

/// Who is to be reached under which `seq`, and whether by a datagram to it.
fn asks(sent: &Sent<Letter>) -> impl Iterator<Item = (MemberIdx, u64, bool)> {
    sent.packet.items.iter().filter_map(|item| match *item {
        Item::Ping { seq } => Some((sent.to, seq, sent.via == Via::Datagram)),
        Item::PingReq { seq, target: Some(target) } => Some((target, seq, false)),
        _ => None,
    })
}
