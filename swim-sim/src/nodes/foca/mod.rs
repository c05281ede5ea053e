//! The crate foca in the simulator, driven as its documentation asks: a cluster of a LAN, real
//! encoded packets, identities that renew themselves.
//!
//! All of it goes by datagram. A member that leaves is Dead to others: foca does not tell the two
//! apart, and does not notify of suspicions. Nothing in it blocks when it sends: a blocked node is a
//! held one.

mod identity;
mod timers;
mod view;

use std::num::NonZeroU32;
use std::time::Duration;

use foca::{Config, Foca, Member, NoCustomBroadcast, Notification, PostcardCodec, Runtime, State};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use swim_core::{MemberIdx, MemberState, Time};

use crate::node::{Io, Node, Sent, Via};
use crate::rng::SimRng;
use identity::FocaId;
use timers::Timers;
use view::View;

type Engine = Foca<FocaId, PostcardCodec, SmallRng, NoCustomBroadcast>;

/// How often a join that nobody answered is tried again.
const JOIN_AGAIN: Duration = Duration::from_secs(1);

/// One node.
pub struct FocaNode {
    foca: Engine,
    me: MemberIdx,
    timers: Timers,
    view: View,
    joining: Option<Joining>,
    /// How far into a protocol period a preloaded node is.
    phase: Duration,
    left: bool,
    errors: u64,
}

/// A join that nobody has answered yet.
#[derive(Debug)]
struct Joining {
    seeds: Vec<MemberIdx>,
    again: Time,
}

/// Receives the effects of one call.
struct Sink<'a> {
    now: Time,
    /// How much later than asked for timers fire.
    late: Duration,
    timers: &'a mut Timers,
    view: &'a mut View,
    io: &'a mut Io<Vec<u8>>,
}

impl Runtime<FocaId> for Sink<'_> {
    fn notify(&mut self, notification: Notification<'_, FocaId>) {
        self.io.changes.extend(self.view.notified(&notification));
    }

    fn send_to(&mut self, to: FocaId, data: &[u8]) {
        let mut packet = self.io.packet();
        packet.clear();
        packet.extend_from_slice(data);
        let (to, via, after) = (to.member(), Via::Datagram, Duration::ZERO);
        self.io.sent.push(Sent { to, via, bytes: data.len() as u32, after, packet });
    }

    fn submit_after(&mut self, timer: foca::Timer<FocaId>, after: Duration) {
        self.timers.set(self.now + after + self.late, timer);
    }
}

impl FocaNode {
    /// A node that knows nobody, configured for a cluster of `expected` members.
    pub fn new(expected: u32, me: MemberIdx, boot: u32, seed: u64) -> Self {
        let config = Config::new_lan(NonZeroU32::new(expected).unwrap_or(NonZeroU32::MIN));
        let period = config.probe_period;
        let id = FocaId::new(me, boot);
        let view = View::new(&id);
        let rng = SmallRng::seed_from_u64(seed);
        Self {
            foca: Foca::new(id, config, rng, PostcardCodec),
            me,
            timers: Timers::default(),
            view,
            joining: None,
            phase: period.mul_f64(SimRng::new(seed ^ 0x666f_6361).unit()),
            left: false,
            errors: 0,
        }
    }

    /// How often it was told that it is down, and came back under a new identity.
    pub fn rejoins(&self) -> u64 {
        self.view.rejoins
    }

    /// How often it was told that it is down and had no way back; a leave is not counted.
    pub fn defunct(&self) -> u64 {
        self.view.defunct.saturating_sub(u64::from(self.left))
    }

    /// Errors that foca returned.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// One call of foca.
    fn drive(
        &mut self,
        now: Time,
        io: &mut Io<Vec<u8>>,
        call: impl FnOnce(&mut Engine, &mut Sink<'_>) -> Result<(), foca::Error>,
    ) {
        let (timers, view) = (&mut self.timers, &mut self.view);
        let mut sink = Sink { now, late: Duration::ZERO, timers, view, io };
        let result = call(&mut self.foca, &mut sink);
        self.errors += u64::from(result.is_err());
    }

    fn announce(&mut self, now: Time, seeds: &[MemberIdx], io: &mut Io<Vec<u8>>) {
        let me = self.me;
        for &seed in seeds.iter().filter(|seed| **seed != me) {
            // Whatever identity the seed has by now, it answers at this address.
            let id = FocaId::new(seed, 1);
            self.drive(now, io, |foca, sink| foca.announce(id, sink));
        }
    }

    /// Asks the seeds again, if that is due and nobody has answered.
    fn join_again(&mut self, now: Time, io: &mut Io<Vec<u8>>) {
        let Some(joining) = self.joining.take_if(|joining| joining.again <= now) else { return };
        self.join(now, &joining.seeds, io);
    }
}

impl Node for FocaNode {
    type Packet = Vec<u8>;

    fn next_timeout(&self) -> Option<Time> {
        let join = self.joining.as_ref().map(|joining| joining.again);
        self.timers.next().into_iter().chain(join).min()
    }

    fn handle_timeout(&mut self, now: Time, io: &mut Io<Vec<u8>>) {
        while let Some(timer) = self.timers.due(now) {
            self.drive(now, io, |foca, sink| foca.handle_timer(timer, sink));
        }
        self.join_again(now, io);
    }

    fn handle_packet(
        &mut self,
        now: Time,
        _: MemberIdx,
        _: Via,
        packet: &mut Vec<u8>,
        io: &mut Io<Vec<u8>>,
    ) {
        if self.left {
            return; // Its driver is gone; foca itself would come back under a new identity.
        }
        self.drive(now, io, |foca, sink| foca.handle_data(packet, sink));
        if self.foca.num_members() > 0 {
            self.joining = None;
        }
    }

    /// O(n^2) in foca.
    fn preload(&mut self, now: Time, members: &[(MemberIdx, u32)], io: &mut Io<Vec<u8>>) {
        let me = self.me;
        let others = members.iter().filter(|(member, _)| *member != me);
        let alive = others.map(|&(member, boot)| Member::alive(FocaId::new(member, boot)));
        let phase = self.phase;
        self.drive(now, io, |foca, sink| {
            sink.late = phase;
            foca.apply_many(alive, false, sink)
        });
        // Known for long.
        io.changes.clear();
    }

    fn join(&mut self, now: Time, seeds: &[MemberIdx], io: &mut Io<Vec<u8>>) {
        self.announce(now, seeds, io);
        self.joining = Some(Joining { seeds: seeds.to_vec(), again: now + JOIN_AGAIN });
    }

    fn leave(&mut self, now: Time, io: &mut Io<Vec<u8>>) {
        if self.left {
            return;
        }
        self.drive(now, io, |foca, sink| foca.leave_cluster(sink));
        self.view.left(self.foca.identity());
        self.timers.clear();
        self.joining = None;
        self.left = true;
    }

    /// O(n): foca has no index.
    fn state(&self, member: MemberIdx) -> Option<MemberState> {
        if member == self.me {
            return Some(if self.left { MemberState::Left } else { MemberState::Alive });
        }
        let held = self.foca.iter_membership_state().find(|held| held.id().member() == member);
        held.map(|held| match held.state() {
            State::Alive => MemberState::Alive,
            State::Suspect => MemberState::Suspect,
            State::Down => MemberState::Dead,
        })
    }

    fn live_count(&self) -> usize {
        self.foca.num_members() + usize::from(!self.left)
    }

    fn queue_len(&self) -> usize {
        self.foca.updates_backlog()
    }

    fn view_hash(&self) -> u64 {
        self.view.hash
    }
}
