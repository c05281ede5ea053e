//! Queries: notices that are answered, straight to who asks, each member's answer once.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Engine;
use super::message::{Answer, Dest, MemberIdx, NoticeMessage, Response, Source};
use super::output::{Output, Profile};
use crate::error::EventError;
use crate::notice::Stamp;
use crate::time::Time;

/// A query of this node's user.
#[derive(Debug, Clone)]
struct Open {
    id: u64,
    until: Time,
    /// Who said that it has heard it.
    acked: BTreeSet<MemberIdx>,
    /// Who answered or declined.
    answered: BTreeSet<MemberIdx>,
}

/// What this node asks, and does for others that answer.
#[derive(Debug, Clone)]
pub(super) struct Queries {
    open: Vec<Open>,
    /// Answers of others that may still be passed on in this period.
    pub(super) relays: u32,
}

/// Most queries of this node that are open at a time.
const MAX_OPEN: usize = 64;
/// Answers of others that are passed on in one period.
pub(super) const RELAYS_PER_PERIOD: u32 = 256;
/// Most members that pass on one answer.
const MAX_RELAYS: usize = 8;

impl Queries {
    pub(super) fn new() -> Self {
        Self { open: Vec::new(), relays: RELAYS_PER_PERIOD }
    }
}

impl<P: Profile> Engine<P> {
    /// Has all members hear a query, and takes their answers for so long.
    ///
    /// # Errors
    /// As [`send_notice`](Self::send_notice), and too many open queries.
    pub fn start_query<O: Output<P>>(
        &mut self,
        now: Time,
        body: P::Body,
        patience: Duration,
        out: &mut O,
    ) -> Result<Stamp, EventError> {
        self.queries.open.retain(|open| open.until > now);
        let waiting = self.queries.open.len();
        if waiting >= MAX_OPEN {
            return Err(EventError::Busy { waiting });
        }
        let stamp = self.send_notice(now, body, out)?;
        let (acked, answered) = (BTreeSet::new(), BTreeSet::new());
        self.queries.open.push(Open { id: stamp.id, until: now + patience, acked, answered });
        Ok(stamp)
    }

    /// Says something to a query of `to`: directly and through so many random members besides. It
    /// goes to where `to` is held to live, and nowhere when it is not held to.
    pub fn answer_query<O: Output<P>>(
        &mut self,
        now: Time,
        (query, to): (u64, Option<MemberIdx>),
        response: Response<'_>,
        relays: usize,
        out: &mut O,
    ) {
        self.start(now, out);
        let me = self.table.me;
        let Some(asker) = to.filter(|&to| self.table.is_live(to)) else {
            self.stats.answers_refused += 1;
            return;
        };
        let answer = Answer { query, from: Some(me), to, relay: false, response };
        if asker == me {
            self.take_answer(now, &answer, out);
            return;
        }
        self.transmit_notices(Dest::Member(asker), NoticeMessage::Answer(answer), out);
        let mut targets = std::mem::take(&mut self.targets);
        self.sample(relays.min(MAX_RELAYS), &mut targets, |_, member| member != asker);
        for &target in &targets {
            let answer = Answer { relay: true, ..answer };
            self.transmit_notices(Dest::Member(target), NoticeMessage::Answer(answer), out);
        }
        self.targets = targets;
    }

    /// An answer, to this node or to be passed on: once, and only from one live member to another.
    pub(super) fn hear_answer<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        answer: Answer<'_>,
        out: &mut O,
    ) {
        if answer.to == Some(self.table.me) {
            self.take_answer(now, &answer, out);
            return;
        }
        let live = |member: Option<MemberIdx>| member.filter(|&member| self.table.is_live(member));
        match live(answer.to) {
            Some(to)
                if answer.relay && live(source.member).is_some() && self.queries.relays > 0 =>
            {
                self.queries.relays -= 1;
                let answer = Answer { relay: false, ..answer };
                self.transmit_notices(Dest::Member(to), NoticeMessage::Answer(answer), out);
            }
            _ => self.stats.answers_refused += 1,
        }
    }

    fn take_answer<O: Output<P>>(&mut self, now: Time, answer: &Answer<'_>, out: &mut O) {
        let known = answer.from.filter(|&from| self.table.get(from).is_some());
        let is_open = |open: &&mut Open| open.id == answer.query && open.until > now;
        let (Some(from), Some(open)) = (known, self.queries.open.iter_mut().find(is_open)) else {
            self.stats.answers_refused += 1;
            return;
        };
        let heard = match answer.response {
            Response::Heard => &mut open.acked,
            Response::Answer(_) | Response::Declined(_) => &mut open.answered,
        };
        if heard.insert(from) {
            out.answered(&self.table.profiles, answer.query, from, answer.response);
        }
    }
}
