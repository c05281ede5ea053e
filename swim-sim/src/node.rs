//! What the simulator asks of an implementation of SWIM, ours or another.

use std::time::Duration;

use swim_core::{Change, MemberIdx, MemberState, Stamp, Time};

/// How a packet travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// One datagram.
    Datagram,
    /// A stream of its own, opened for it.
    Stream,
    /// Back on the stream that brought what it answers.
    Answer,
}

/// A packet that a node sends.
#[derive(Debug)]
pub struct Sent<P> {
    /// To whom.
    pub to: MemberIdx,
    /// How.
    pub via: Via,
    /// Payload in bytes, without the headers of UDP, TCP and IP.
    pub bytes: u32,
    /// How long the node itself holds it back.
    pub after: Duration,
    /// What it holds.
    pub packet: P,
}

/// What one call of a node brings about. The world empties it after each call.
#[derive(Debug)]
pub struct Io<P> {
    /// Packets, in the order of sending.
    pub sent: Vec<Sent<P>>,
    /// What changed in the node's view.
    pub changes: Vec<Change>,
    /// What users told reached the node's own: in this order.
    pub heard: Vec<Stamp>,
    spare: Vec<P>,
}

/// Packets kept for reuse.
const SPARE: usize = 4_096;

impl<P: Default> Default for Io<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Default> Io<P> {
    /// Nothing so far.
    pub fn new() -> Self {
        Self { sent: Vec::new(), changes: Vec::new(), heard: Vec::new(), spare: Vec::new() }
    }

    /// A packet to be filled; what it held before may still be in it.
    pub fn packet(&mut self) -> P {
        self.spare.pop().unwrap_or_default()
    }

    /// Gives a packet back for reuse.
    pub fn give_back(&mut self, packet: P) {
        if self.spare.len() < SPARE {
            self.spare.push(packet);
        }
    }
}

/// One node of a simulated cluster. Members are indices; each is also its own address.
///
/// Time is the node's own clock, which need not run as others' do.
pub trait Node {
    /// What travels.
    type Packet: Default + Clone;

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    fn next_timeout(&self) -> Option<Time>;

    /// Does what is due at `now`.
    fn handle_timeout(&mut self, now: Time, io: &mut Io<Self::Packet>);

    /// A packet arrived. What is left in it may be used again.
    fn handle_packet(
        &mut self,
        now: Time,
        from: MemberIdx,
        via: Via,
        packet: &mut Self::Packet,
        io: &mut Io<Self::Packet>,
    );

    /// Takes all of `members`, as `(index, boot number)`, as known and alive, as after a join long
    /// ago.
    fn preload(&mut self, now: Time, members: &[(MemberIdx, u32)], io: &mut Io<Self::Packet>);

    /// Joins through `seeds`.
    fn join(&mut self, now: Time, seeds: &[MemberIdx], io: &mut Io<Self::Packet>);

    /// Leaves with a goodbye.
    fn leave(&mut self, now: Time, io: &mut Io<Self::Packet>);

    /// Has all members hear something of so many bytes. `None` if it knows no such thing, or has no
    /// room for more.
    fn tell(&mut self, now: Time, bytes: u32, io: &mut Io<Self::Packet>) -> Option<Stamp> {
        let _ = (now, bytes, io);
        None
    }

    /// Begins an exchange of views with a member, if it knows such a thing.
    fn exchange(&mut self, now: Time, with: MemberIdx, io: &mut Io<Self::Packet>) {
        let _ = (now, with, io);
    }

    /// What it holds of a member.
    fn state(&self, member: MemberIdx) -> Option<MemberState>;

    /// Members that it holds Alive or Suspect, itself included.
    fn live_count(&self) -> usize;

    /// Updates waiting to be told.
    fn queue_len(&self) -> usize;

    /// A hash of whom it holds live, equal on nodes that agree.
    fn view_hash(&self) -> u64;

    /// Whether it takes a member for one that answers badly.
    fn is_degraded(&self, member: MemberIdx) -> bool {
        let _ = member;
        false
    }

    /// From now on the node blocks at its first send, as agents do in the Lifeguard paper: loops
    /// stand still, suspicions go on.
    fn block(&mut self) {}

    /// The node goes on after it was blocked since `since`.
    fn unblock(&mut self, now: Time, since: Time, io: &mut Io<Self::Packet>) {
        let _ = (now, since, io);
    }
}
