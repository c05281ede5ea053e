//! What can be done to nodes: starts, crashes, freezes, holds, blocks, slow machines, wrong clocks.

use swim_core::{MemberIdx, MemberState, Stamp, Time};

use super::slot::{Clock, Cpu, NEVER, Slot};
use super::{Condition, Moment, Watch, World};
use crate::node::Node;

impl<N: Node, W: Watch<N>> World<N, W> {
    /// Adds `n` nodes that know each other, as after joins long ago. Their periods start at random.
    pub fn add_converged(&mut self, n: u32) {
        let started = self.truth.iter().filter(|(_, of)| of.boot > 0).count();
        let first = started as u32;
        let members: Vec<(MemberIdx, u32)> =
            (first..first + n).map(|i| (MemberIdx(i), 1)).collect();
        for &(node, _) in &members {
            self.start(node);
        }
        for &(node, _) in &members {
            self.call(node, |it, now, io| it.preload(now, &members, io));
        }
    }

    /// Starts a node that knows nobody; a new index must be the next one.
    pub fn start(&mut self, node: MemberIdx) {
        while self.slots.len() <= node.0 as usize {
            self.slots.push(Slot::new());
            self.traffic.push(super::Traffic::default());
            self.truth.add(self.now);
        }
        let truth = self.truth.of_mut(node);
        truth.boot += 1;
        truth.left = false;
        let boot = truth.boot;
        let seed = self.rng.fork();
        let slot = &mut self.slots[node.0 as usize];
        slot.node = Some((self.make)(node, boot, seed));
        slot.wake = NEVER;
        slot.busy_until = Time::ZERO;
        self.become_(node, Condition::Up);
        self.call(node, |it, now, io| it.handle_timeout(now, io));
    }

    /// A node joins through others.
    pub fn join(&mut self, node: MemberIdx, seeds: &[MemberIdx]) {
        self.call(node, |it, now, io| it.join(now, seeds, io));
    }

    /// A node says goodbye. It goes on answering until it is crashed.
    pub fn leave(&mut self, node: MemberIdx) {
        self.truth.of_mut(node).left = true;
        self.call(node, |it, now, io| it.leave(now, io));
    }

    /// A node's user tells all members something of so many bytes; which notice that is, unless the
    /// node refuses it.
    pub fn tell(&mut self, node: MemberIdx, bytes: u32) -> Option<Stamp> {
        let mut told = None;
        self.call(node, |it, now, io| told = it.tell(now, bytes, io));
        told
    }

    /// The process is gone without a word, and what waited for it.
    pub fn crash(&mut self, node: MemberIdx) {
        let slot = &mut self.slots[node.0 as usize];
        slot.node = None;
        slot.outbox.clear();
        let waiting = std::mem::take(&mut slot.inbox);
        waiting.into_iter().for_each(|flight| self.land(flight));
        self.become_(node, Condition::Down);
    }

    /// Crashes a node and starts it again at once, knowing nobody.
    pub fn restart(&mut self, node: MemberIdx) {
        self.crash(node);
        self.start(node);
    }

    /// Likewise, knowing whom it held live before.
    pub fn restart_with_memory(&mut self, node: MemberIdx) {
        let Some(old) = self.node(node) else { return self.start(node) };
        let is_live = |state: MemberState| state.is_live();
        let known: Vec<(MemberIdx, u32)> = self
            .truth
            .iter()
            .filter(|&(member, _)| member != node && old.state(member).is_some_and(is_live))
            .map(|(member, of)| (member, of.boot))
            .collect();
        self.restart(node);
        self.call(node, |it, now, io| it.preload(now, &known, io));
    }

    /// Stops a process (SIGSTOP): packets wait in its sockets.
    pub fn freeze(&mut self, node: MemberIdx) {
        self.become_(node, Condition::Frozen);
    }

    /// From now on a node's packets wait, in both directions; its timers go on.
    pub fn hold(&mut self, node: MemberIdx) {
        self.become_(node, Condition::Held);
    }

    /// From now on a node is blocked as in the Lifeguard paper.
    pub fn block(&mut self, node: MemberIdx) {
        self.become_(node, Condition::Blocked);
        if let Some(it) = &mut self.slots[node.0 as usize].node {
            it.block();
        }
    }

    /// A frozen, held or blocked node goes on: it hears what waits before its timers fire.
    pub fn release(&mut self, node: MemberIdx) {
        let was = self.truth.of(node);
        if matches!(was.condition, Condition::Up | Condition::Down) {
            return;
        }
        self.become_(node, Condition::Up);
        if was.condition == Condition::Blocked {
            let since = self.slots[node.0 as usize].clock.shows(was.since);
            self.call(node, |it, now, io| it.unblock(now, since, io));
        }
        let outbox = std::mem::take(&mut self.slots[node.0 as usize].outbox);
        outbox.into_iter().for_each(|sent| self.send(node, sent));
        let inbox = std::mem::take(&mut self.slots[node.0 as usize].inbox);
        inbox.into_iter().for_each(|flight| self.deliver(flight));
        self.schedule_wake(node);
    }

    /// From now on each packet costs a node time; `None` ends that.
    pub fn set_cpu(&mut self, node: MemberIdx, cpu: Option<Cpu>) {
        self.slots[node.0 as usize].cpu = cpu;
    }

    /// A node's clock runs fast or slow by so many parts in a million, from the beginning of time;
    /// to be set before the node is started.
    pub fn set_drift(&mut self, node: MemberIdx, ppm: i64) {
        while self.slots.len() <= node.0 as usize {
            self.slots.push(Slot::new());
            self.traffic.push(super::Traffic::default());
            self.truth.add(self.now);
        }
        self.slots[node.0 as usize].clock = Clock { ppm };
    }

    fn become_(&mut self, node: MemberIdx, condition: Condition) {
        let now = self.now;
        let truth = self.truth.of_mut(node);
        truth.condition = condition;
        truth.since = now;
        self.note(u64::from(node.0) << 8 | 2 | (condition as u64) << 4);
        self.watch.befell(Moment { now: self.now, truth: &self.truth }, node);
    }
}
