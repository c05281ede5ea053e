//! Who looks on: oracles and invariants see every call of every node with what came of it.

use swim_core::{MemberIdx, Time};

use super::truth::Truth;
use crate::node::{Io, Node, Via};

/// When something happened, and how things really were.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// True time.
    pub now: Time,
    /// The truth.
    pub truth: &'a Truth,
}

/// A packet that is about to be handed to a node.
#[derive(Debug)]
pub struct Arrival<'a, P> {
    /// Who gets it.
    pub at: MemberIdx,
    /// Who sent it.
    pub from: MemberIdx,
    /// How it came.
    pub via: Via,
    /// What it holds.
    pub packet: &'a P,
}

impl<P> Clone for Arrival<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Arrival<'_, P> {}

/// Looks on.
pub trait Watch<N: Node> {
    /// A packet arrives. The next call of any node is this node's, and what comes of it; a call
    /// that nothing arrived before is one by a timer or by hand.
    fn arrived(&mut self, moment: Moment<'_>, arrival: Arrival<'_, N::Packet>) {
        let _ = (moment, arrival);
    }

    /// A node was called; `io` holds what it sent and what changed in its view.
    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<N::Packet>);

    /// The condition of a node changed; the truth already says so.
    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        let _ = (moment, node);
    }
}

impl<N: Node> Watch<N> for () {
    fn called(&mut self, _: Moment<'_>, _: MemberIdx, _: &N, _: &Io<N::Packet>) {}
}

impl<N: Node, A: Watch<N>, B: Watch<N>> Watch<N> for (A, B) {
    fn arrived(&mut self, moment: Moment<'_>, arrival: Arrival<'_, N::Packet>) {
        self.0.arrived(moment, arrival);
        self.1.arrived(moment, arrival);
    }

    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<N::Packet>) {
        self.0.called(moment, at, node, io);
        self.1.called(moment, at, node, io);
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        self.0.befell(moment, node);
        self.1.befell(moment, node);
    }
}

impl<N: Node> Watch<N> for Vec<Box<dyn Watch<N>>> {
    fn arrived(&mut self, moment: Moment<'_>, arrival: Arrival<'_, N::Packet>) {
        for watch in self {
            watch.arrived(moment, arrival);
        }
    }

    fn called(&mut self, moment: Moment<'_>, at: MemberIdx, node: &N, io: &Io<N::Packet>) {
        for watch in self {
            watch.called(moment, at, node, io);
        }
    }

    fn befell(&mut self, moment: Moment<'_>, node: MemberIdx) {
        for watch in self {
            watch.befell(moment, node);
        }
    }
}
