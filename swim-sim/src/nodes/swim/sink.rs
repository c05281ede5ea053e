//! What the engine sends becomes packets as the agent packs them: consecutive messages to one
//! address share a datagram; what is large or must arrive whole goes by stream.

use std::time::Duration;

use swim_core::{
    Change, Dest, MemberIdx, Message, Notice, NoticeMessage, Outgoing, Output, Time, Timer,
};

use super::blocked::Blocked;
use super::letter::Letter;
use super::mark::Mark;
use crate::node::{Io, Sent, Via};
use crate::size;

/// A packet that may still grow.
struct Open {
    to: MemberIdx,
    via: Via,
    /// Whether it was to go by stream whatever it holds: nothing else goes along.
    apart: bool,
    bytes: usize,
    letter: Letter,
}

/// Receives the effects of one call.
pub(super) struct Sink<'a> {
    pub(super) me: MemberIdx,
    /// Most bytes of a datagram.
    pub(super) budget: usize,
    /// Who sent the stream that is being answered.
    pub(super) answering: Option<MemberIdx>,
    /// How long nacks are held back.
    pub(super) nack_delay: Duration,
    pub(super) io: &'a mut Io<Letter>,
    pub(super) blocked: &'a mut Blocked,
    open: Option<Open>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        me: MemberIdx,
        budget: usize,
        io: &'a mut Io<Letter>,
        blocked: &'a mut Blocked,
    ) -> Self {
        let nack_delay = Duration::ZERO;
        Self { me, budget, answering: None, nack_delay, io, blocked, open: None }
    }

    /// Sends what still waits for more.
    pub(super) fn flush(&mut self) {
        self.flush_after(Duration::ZERO);
    }

    fn flush_after(&mut self, after: Duration) {
        if let Some(Open { to, via, bytes, letter, .. }) = self.open.take() {
            self.io.sent.push(Sent { to, via, bytes: bytes as u32, after, packet: letter });
        }
    }

    fn start(&mut self, to: MemberIdx, via: Via) -> &mut Open {
        self.flush();
        let mut letter = self.io.packet();
        letter.clear();
        self.open.insert(Open { to, via, apart: false, bytes: size::ENVELOPE, letter })
    }

    fn pack(&mut self, marks: &[Mark], to: MemberIdx, message: &Outgoing<'_>) {
        let len = size::message(self.me, |member| marks[member.0 as usize].0, message);
        if len == 0 {
            return; // It names a member that nobody knows, and is not sent.
        }
        let bulky = matches!(message, Message::Sync(_) | Message::SyncRequest);
        self.put(to, len, bulky, |letter| letter.add(marks, message));
    }

    /// Puts a message of `len` bytes into a packet to `to`.
    fn put(&mut self, to: MemberIdx, len: usize, bulky: bool, add: impl FnOnce(&mut Letter)) {
        let budget = self.budget;
        let answers = self.answering == Some(to);
        let via = if answers { Via::Answer } else { Via::Datagram };
        let held = self.open.as_ref().is_some_and(|open| open.to == to && !open.apart);
        if !held {
            self.start(to, via);
        }
        let Some(open) = &mut self.open else { return };
        if bulky && open.via == Via::Datagram {
            open.via = Via::Stream;
        }
        let full = open.via == Via::Datagram && open.bytes + len > budget;
        let open = if full {
            let alone = size::ENVELOPE + len > budget;
            self.start(to, if alone { Via::Stream } else { Via::Datagram })
        } else {
            open
        };
        open.bytes += len;
        add(&mut open.letter);
    }
}

fn index(to: Dest<MemberIdx>) -> MemberIdx {
    match to {
        Dest::Member(member) | Dest::Address(member) => member,
    }
}

impl Output<Mark> for Sink<'_> {
    fn send(&mut self, marks: &[Mark], to: Dest<MemberIdx>, message: Outgoing<'_>) {
        let to = index(to);
        if matches!(message, Message::Nack { .. }) && self.nack_delay > Duration::ZERO {
            self.start(to, Via::Datagram);
            self.pack(marks, to, &message);
            self.flush_after(self.nack_delay);
            return;
        }
        self.pack(marks, to, &message);
    }

    fn send_by_stream(&mut self, marks: &[Mark], to: Dest<MemberIdx>, message: Outgoing<'_>) {
        let len = size::message(self.me, |member| marks[member.0 as usize].0, &message);
        let to = index(to);
        let held = self.open.as_ref().is_some_and(|open| open.to == to && open.apart);
        if !held {
            self.start(to, Via::Stream);
        }
        let Some(open) = &mut self.open else { return };
        open.apart = true;
        open.bytes += len;
        open.letter.add(marks, &message);
    }

    fn changed(&mut self, _: &mut [Mark], change: Change, _: Option<Mark>) {
        self.io.changes.push(change);
    }

    fn send_notices(&mut self, _: &[Mark], to: Dest<MemberIdx>, message: NoticeMessage<'_, u32>) {
        let len = size::notices(self.me, &message);
        let bulky = matches!(message, NoticeMessage::Fetch(_) | NoticeMessage::Held { .. });
        self.put(index(to), len, bulky, |letter| letter.add_notices(&message));
    }

    fn notice(&mut self, _: &[Mark], notice: &Notice<u32>) {
        self.io.heard.push(notice.stamp);
    }

    fn timer_set(&mut self, _: &[Mark], timer: Timer, at: Time) {
        self.blocked.note(timer, at);
    }
}
