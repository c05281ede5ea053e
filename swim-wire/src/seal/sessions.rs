//! The sessions of others, so that no packet of theirs is opened twice.
//!
//! A session enters when its first packet was found genuine: who has no key cannot fill the table.
//! When it is full, a session that was quiet for long makes room. Of that one, a number is
//! remembered: where it goes on, and below which nothing of it is taken any more.

use std::collections::{HashMap, VecDeque};

use super::error::OpenError;
use super::header::Header;
use super::window::Window;

/// Key and session of a sender: what both say is one sequence of counters.
type Name = u128;

/// How many sessions are kept in full, about 250 bytes each; the members that packets come from
/// have one each per carrier. With more members than that all goes on working, only that what is
/// overtaken on the way may be refused.
const OPEN: usize = 16_384;
/// How many more are remembered, about 120 bytes each. To have one forgotten and replay it, its
/// key must seal for this many sessions more.
const REMEMBERED: usize = 131_072;

/// What came of whom.
#[derive(Debug)]
pub(super) struct Sessions {
    open: Vec<Session>,
    index: HashMap<Name, usize>,
    /// Whom to look at next when room is needed.
    hand: usize,
    closed: Closed,
    /// Most sessions in `open`.
    room: usize,
}

#[derive(Debug)]
struct Session {
    name: Name,
    window: Window,
    /// Whether something came since the hand last passed.
    heard: bool,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self::with_room(OPEN, REMEMBERED)
    }

    fn with_room(room: usize, remembered: usize) -> Self {
        let closed =
            Closed { next: HashMap::new(), order: VecDeque::new(), times: 0, room: remembered };
        Self { open: Vec::new(), index: HashMap::new(), hand: 0, closed, room }
    }

    /// How many sessions are kept in full.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether a packet may still come, before the work of opening it. O(1).
    pub(super) fn check(&self, header: &Header) -> Result<(), OpenError> {
        let name = name(header);
        match self.index.get(&name) {
            Some(&at) => self.open[at].window.check(header.counter),
            None => self.closed.window(name).check(header.counter),
        }
    }

    /// Notes a packet that was found genuine, unless it came before, which another thread may
    /// have seen meanwhile. O(1) over time; the hand may pass all sessions once.
    pub(super) fn take(&mut self, header: &Header) -> Result<(), OpenError> {
        let name = name(header);
        if let Some(&at) = self.index.get(&name) {
            let session = &mut self.open[at];
            session.heard = true;
            return session.window.take(header.counter);
        }
        let mut window = self.closed.window(name);
        window.take(header.counter)?;
        // Not heard yet: who comes once makes room before those who talk.
        self.enter(Session { name, window, heard: false });
        Ok(())
    }

    fn enter(&mut self, session: Session) {
        if self.open.len() < self.room {
            if self.open.len() == self.open.capacity() {
                // By an eighth: a session is large, and twice as many may never come.
                self.open.reserve_exact(self.open.len() / 8 + 8);
            }
            self.index.insert(session.name, self.open.len());
            self.open.push(session);
            return;
        }
        let at = self.quiet();
        self.index.insert(session.name, at);
        let old = std::mem::replace(&mut self.open[at], session);
        self.index.remove(&old.name);
        self.closed.remember(old.name, old.window.next());
    }

    /// One of those that were not heard since the hand last passed them (the clock algorithm,
    /// Corbato 1968): nearly the least recently heard, without a list to keep in order.
    fn quiet(&mut self) -> usize {
        loop {
            let at = self.hand;
            self.hand = (at + 1) % self.open.len();
            if !std::mem::take(&mut self.open[at].heard) {
                return at;
            }
        }
    }
}

/// Where sessions go on that had to make room.
#[derive(Debug)]
struct Closed {
    /// Where each goes on, and when it was remembered last.
    next: HashMap<Name, (u64, u64)>,
    /// When each was remembered, the longest ago first; of one that came back and went again, earlier
    /// times too, which do not count any more.
    order: VecDeque<(u64, Name)>,
    /// Times that one was remembered so far.
    times: u64,
    room: usize,
}

impl Closed {
    fn window(&self, name: Name) -> Window {
        Window::from(self.next.get(&name).map_or(0, |(next, _)| *next))
    }

    /// A session that came back stays in here, with a number that is too low until it is
    /// remembered again; the open table is asked first.
    /// O(1) over time.
    fn remember(&mut self, name: Name, next: u64) {
        self.times += 1;
        self.next.insert(name, (next, self.times));
        self.order.push_back((self.times, name));
        while self.next.len() > self.room
            && let Some((time, oldest)) = self.order.pop_front()
        {
            if self.is_last(time, oldest) {
                self.next.remove(&oldest);
            }
        }
        if self.order.len() > 2 * self.room {
            let order = std::mem::take(&mut self.order);
            self.order =
                order.into_iter().filter(|(time, name)| self.is_last(*time, *name)).collect();
        }
    }

    /// Whether that was the last time that it was remembered.
    fn is_last(&self, time: u64, name: Name) -> bool {
        self.next.get(&name).is_some_and(|(_, last)| *last == time)
    }
}

fn name(header: &Header) -> Name {
    let mut name = [0; 16];
    name[..4].copy_from_slice(&header.key.0);
    name[4..].copy_from_slice(&header.session.0);
    u128::from_be_bytes(name)
}

#[cfg(test)]
mod tests {
    use super::super::header::{Origin, SessionId};
    use super::super::key::KeyId;
    use super::*;

    fn header(sender: u16, counter: u32) -> Header {
        let session = SessionId::new(Origin([7; 10]), sender);
        Header { key: KeyId([1; 4]), session, counter }
    }

    fn replayed(counter: u32) -> Result<(), OpenError> {
        Err(OpenError::Replayed { counter })
    }

    #[test]
    fn sessions_have_windows_of_their_own() {
        let mut sessions = Sessions::with_room(8, 8);
        for sender in 0..8 {
            assert_eq!(sessions.take(&header(sender, 3)), Ok(()));
        }
        assert_eq!(sessions.take(&header(2, 3)), replayed(3));
        assert_eq!(sessions.check(&header(2, 3)), replayed(3));
        assert_eq!(sessions.take(&header(2, 2)), Ok(()));
        let other = Header { key: KeyId([2; 4]), ..header(2, 2) };
        assert_eq!(sessions.take(&other), Ok(()));
    }

    #[test]
    fn the_quiet_one_makes_room() {
        let mut sessions = Sessions::with_room(4, 100);
        (0..4).for_each(|sender| sessions.take(&header(sender, 0)).unwrap());
        for counter in 1..50 {
            // Whoever talks stays, whoever else comes.
            [2, 3].into_iter().for_each(|sender| sessions.take(&header(sender, counter)).unwrap());
            sessions.take(&header(100 + counter as u16, 0)).unwrap();
            assert_eq!(sessions.len(), 4);
            assert!([2, 3].iter().all(|it| sessions.index.contains_key(&name(&header(*it, 0)))));
        }
    }

    #[test]
    fn what_made_room_cannot_be_replayed_and_goes_on() {
        let mut sessions = Sessions::with_room(2, 100);
        (0..=10).filter(|at| *at != 7).for_each(|at| sessions.take(&header(0, at)).unwrap());
        (1..20).for_each(|sender| sessions.take(&header(sender, 0)).unwrap());
        assert_eq!(sessions.index.len(), 2);
        for counter in 0..=10 {
            assert_eq!(sessions.check(&header(0, counter)), replayed(counter));
            assert_eq!(sessions.take(&header(0, counter)), replayed(counter));
        }
        assert_eq!(sessions.take(&header(0, 11)), Ok(()));
        // Again, from further on.
        (20..40).for_each(|sender| sessions.take(&header(sender, 0)).unwrap());
        assert_eq!(sessions.take(&header(0, 11)), replayed(11));
        assert_eq!(sessions.take(&header(0, 12)), Ok(()));
    }

    #[test]
    fn who_was_remembered_last_is_forgotten_last() {
        let mut sessions = Sessions::with_room(1, 3);
        (0..3).for_each(|sender| sessions.take(&header(sender, 0)).unwrap());
        // The first one comes back, and makes room again.
        sessions.take(&header(0, 1)).unwrap();
        (10..13).for_each(|sender| sessions.take(&header(sender, 0)).unwrap());
        assert_eq!(sessions.check(&header(0, 1)), replayed(1));
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut sessions = Sessions::with_room(10, 50);
        for sender in 0..1_000 {
            sessions.take(&header(sender, 0)).unwrap();
            // Some of those that made room come back.
            let _ = sessions.take(&header(sender / 2, 1 + u32::from(sender)));
            assert!(sessions.open.len() <= 10 && sessions.index.len() == sessions.open.len());
            assert!(sessions.closed.next.len() <= 50 && sessions.closed.order.len() <= 100);
        }
    }
}
