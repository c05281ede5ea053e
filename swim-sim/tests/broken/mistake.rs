//! Our own engine with a mistake: what goes in and comes out of it is tampered with.

use swim_core::{Accusers, Incarnation, MemberIdx, MemberState, Time};
use swim_sim::invariants::Observed;
use swim_sim::node::{Io, Node, Via};
use swim_sim::nodes::swim::{Letter, Setup, SwimNode};

/// A mistake of one node.
pub(crate) trait Mistake: Default + 'static {
    /// Tampers with a packet before the engine has it.
    fn hear(&mut self, node: &Right, letter: &mut Letter) {
        let _ = (node, letter);
    }

    /// Tampers with what came of a call.
    fn act(&mut self, node: &mut Right, now: Time, io: &mut Io<Letter>) {
        let _ = (node, now, io);
    }

    /// What incarnation it says it holds where the engine holds `held`.
    fn incarnation(&self, node: &Right, member: MemberIdx, held: Incarnation) -> Incarnation {
        let _ = (node, member);
        held
    }
}

/// The node as it should be.
pub(crate) struct Right {
    pub(crate) me: MemberIdx,
    pub(crate) node: SwimNode,
}

/// None at all.
#[derive(Debug, Default)]
pub(crate) struct NoMistake;

impl Mistake for NoMistake {}

/// A node with a mistake.
pub(crate) struct Broken<M> {
    right: Right,
    mistake: M,
}

impl<M: Mistake> Broken<M> {
    pub(crate) fn new(setup: &Setup, me: MemberIdx, boot: u32, seed: u64) -> Self {
        let node = SwimNode::new(setup, me, boot, seed);
        Self { right: Right { me, node }, mistake: M::default() }
    }

    fn call(
        &mut self,
        now: Time,
        io: &mut Io<Letter>,
        call: impl FnOnce(&mut SwimNode, &mut Io<Letter>),
    ) {
        call(&mut self.right.node, io);
        self.mistake.act(&mut self.right, now, io);
    }
}

impl<M: Mistake> Node for Broken<M> {
    type Packet = Letter;

    fn next_timeout(&self) -> Option<Time> {
        self.right.node.next_timeout()
    }

    fn handle_timeout(&mut self, now: Time, io: &mut Io<Letter>) {
        self.call(now, io, |node, io| node.handle_timeout(now, io));
    }

    fn handle_packet(
        &mut self,
        now: Time,
        from: MemberIdx,
        via: Via,
        packet: &mut Letter,
        io: &mut Io<Letter>,
    ) {
        self.mistake.hear(&self.right, packet);
        self.call(now, io, |node, io| node.handle_packet(now, from, via, packet, io));
    }

    fn preload(&mut self, now: Time, members: &[(MemberIdx, u32)], io: &mut Io<Letter>) {
        self.call(now, io, |node, io| node.preload(now, members, io));
    }

    fn join(&mut self, now: Time, seeds: &[MemberIdx], io: &mut Io<Letter>) {
        self.call(now, io, |node, io| node.join(now, seeds, io));
    }

    fn leave(&mut self, now: Time, io: &mut Io<Letter>) {
        self.call(now, io, |node, io| node.leave(now, io));
    }

    fn state(&self, member: MemberIdx) -> Option<MemberState> {
        self.right.node.state(member)
    }

    fn live_count(&self) -> usize {
        self.right.node.live_count()
    }

    fn queue_len(&self) -> usize {
        self.right.node.queue_len()
    }

    fn view_hash(&self) -> u64 {
        self.right.node.view_hash()
    }
}

impl<M: Mistake> Observed for Broken<M> {
    fn incarnation_of(&self, member: MemberIdx) -> Option<Incarnation> {
        let held = self.right.node.incarnation_of(member)?;
        Some(self.mistake.incarnation(&self.right, member, held))
    }

    fn accusers(&self, member: MemberIdx) -> Accusers {
        self.right.node.accusers(member)
    }
}
