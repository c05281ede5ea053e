//! Which streams of others are served: some of each source, and the last places for members' hosts only.
//! Who finds no place waits, unread; of those the source that has fewest open comes first. So a mad host
//! holds up itself, and many of them strangers, but no member.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::task;
use tokio::time::Instant;

use super::hosts::Hosts;
use super::rate::{Rate, Sources, source};

/// Streams that are served at a time.
const SERVED: usize = 64;
/// How many of these places anybody may take; the rest is for hosts of members.
const ANYBODY: usize = 48;
/// Most places of one source of strangers.
const OF_STRANGER: usize = 16;
/// Most places of one host of members, of which it may have many.
const OF_HOST: usize = 32;
/// Most streams that wait for a place: each has a descriptor and nothing else.
const WAITING: usize = 192;
/// How long one waits; its other end gives up after twice that.
const PATIENCE: Duration = Duration::from_secs(10);
/// What may come at once, in seconds of what may come in the long run.
const BURST: Duration = Duration::from_secs(5);

/// A stream that waits to be served.
#[derive(Debug)]
struct Waiting<S> {
    stream: S,
    from: SocketAddr,
    since: Instant,
}

/// The places, and who waits for one.
#[derive(Debug)]
pub(super) struct Places<S> {
    taken: Vec<(task::Id, IpAddr)>,
    waiting: VecDeque<Waiting<S>>,
    strangers: Sources,
    hosts: Arc<Hosts>,
}

impl<S> Places<S> {
    /// Strangers may open so many streams a second from one source; 0 is no limit.
    pub(super) fn new(hosts: Arc<Hosts>, a_second: u32) -> Self {
        let strangers = Sources::new(Rate::new(a_second, BURST));
        Self { taken: Vec::new(), waiting: VecDeque::new(), strangers, hosts }
    }

    /// A stream came; says how many were closed for it, which may be itself.
    pub(super) fn arrived(&mut self, stream: S, from: SocketAddr, now: Instant) -> usize {
        if !self.strangers.take(from.ip(), now) && !self.hosts.have_near(from.ip()) {
            return 1;
        }
        self.waiting.push_back(Waiting { stream, from, since: now });
        let before = self.waiting.len();
        while self.waiting.front().is_some_and(|first| now - first.since >= PATIENCE) {
            self.waiting.pop_front();
        }
        if self.waiting.len() > WAITING {
            self.drop_of_heaviest();
        }
        before - self.waiting.len()
    }

    /// Closes the latest of the source that most wait of; a member's only where no stranger waits.
    fn drop_of_heaviest(&mut self) {
        let mut waiting = HashMap::<IpAddr, usize>::new();
        for one in &self.waiting {
            *waiting.entry(source(one.from.ip())).or_default() += 1;
        }
        let hosts = &self.hosts;
        let weighed = self.waiting.iter().enumerate().map(|(at, one)| {
            let source = source(one.from.ip());
            (!hosts.have_near(source), waiting[&source], at)
        });
        if let Some((.., at)) = weighed.max() {
            self.waiting.remove(at);
        }
    }

    /// The next one to serve, if there is a place for it; [`take`](Self::take) it.
    pub(super) fn next(&mut self) -> Option<(S, SocketAddr)> {
        let free = SERVED.checked_sub(self.taken.len() + 1)?;
        let mut first = None;
        for (at, waiting) in self.waiting.iter().enumerate() {
            let source = source(waiting.from.ip());
            let held = self.taken.iter().filter(|(_, taken)| *taken == source).count();
            let fits = free >= SERVED - ANYBODY && held < OF_STRANGER
                || held < OF_HOST && self.hosts.have_near(source);
            if fits && first.is_none_or(|(fewest, _)| held < fewest) {
                first = Some((held, at));
            }
        }
        let next = self.waiting.remove(first?.1)?;
        Some((next.stream, next.from))
    }

    /// A task serves a stream from there.
    pub(super) fn take(&mut self, task: task::Id, from: SocketAddr) {
        self.taken.push((task, source(from.ip())));
    }

    /// That task has ended.
    pub(super) fn leave(&mut self, task: task::Id) {
        self.taken.retain(|(taken, _)| *taken != task);
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    const MEMBER: u8 = 1;

    fn addr(host: u8, port: u16) -> SocketAddr {
        ([10, 0, 0, host], port).into()
    }

    /// A member lives on host 1; streams are numbers.
    fn places() -> Places<u16> {
        of_rate(0)
    }

    fn of_rate(a_second: u32) -> Places<u16> {
        let hosts = Arc::new(Hosts::default());
        hosts.moved(None, Some(addr(MEMBER, 7946).ip()));
        Places::new(hosts, a_second)
    }

    /// Ids of tasks, which only a runtime gives.
    fn id() -> task::Id {
        tokio::spawn(async {}).id()
    }

    /// So many streams come from a host; returns how many are closed for them.
    fn come(places: &mut Places<u16>, host: u8, count: u16) -> usize {
        let now = Instant::now();
        (0..count).map(|port| places.arrived(host.into(), addr(host, port), now)).sum()
    }

    /// So many come from each of these hosts; none is closed.
    fn come_all(places: &mut Places<u16>, hosts: Range<u8>, count: u16) {
        assert_eq!(hosts.map(|host| come(places, host, count)).sum::<usize>(), 0);
    }

    /// Serves all there is a place for; the hosts.
    fn serve(places: &mut Places<u16>) -> Vec<u16> {
        let mut served = Vec::new();
        while let Some((stream, from)) = places.next() {
            places.take(id(), from);
            served.push(stream);
        }
        served
    }

    #[tokio::test]
    async fn a_stranger_has_a_quarter_and_a_host_of_members_half() {
        let mut places = places();
        come(&mut places, 2, 60);
        come(&mut places, MEMBER, 60);
        let served = serve(&mut places);
        let of = |host| served.iter().filter(|served| **served == host).count();
        assert_eq!((of(2), of(MEMBER.into())), (OF_STRANGER, OF_HOST));
    }

    #[tokio::test]
    async fn the_last_places_are_for_members() {
        let mut places = places();
        come_all(&mut places, 2..40, 4);
        assert_eq!(serve(&mut places).len(), ANYBODY);
        come(&mut places, MEMBER, 60);
        assert_eq!(serve(&mut places), [u16::from(MEMBER); SERVED - ANYBODY]);
        assert!(places.next().is_none());
    }

    #[tokio::test]
    async fn a_free_place_goes_to_who_has_fewest() {
        let mut places = places();
        come_all(&mut places, 2..6, 30);
        assert_eq!(serve(&mut places).len(), ANYBODY);
        come(&mut places, 9, 1);
        let (done, _) = places.taken[0];
        places.leave(done);
        assert_eq!(serve(&mut places), [9]);
    }

    #[tokio::test]
    async fn who_fills_the_waiting_room_makes_room_for_others() {
        let mut places = places();
        assert_eq!(come(&mut places, 2, 1_000), 1_000 - WAITING);
        assert_eq!(come(&mut places, 3, 1) + come(&mut places, MEMBER, 1), 2);
        assert_eq!(places.waiting.len(), WAITING);
        let hosts: Vec<u16> = places.waiting.iter().map(|waiting| waiting.stream).collect();
        assert_eq!(hosts[WAITING - 2..], [3, MEMBER.into()]);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let mut places = places();
        come_all(&mut places, 2..8, 10);
        assert_eq!(serve(&mut places).len(), ANYBODY);
        tokio::time::advance(PATIENCE).await;
        assert_eq!(come(&mut places, 9, 1), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_open_no_more_than_their_rate_and_members_do() {
        let mut places = of_rate(20);
        assert_eq!(come(&mut places, 2, 150), 49);
        assert_eq!(serve(&mut places).len(), OF_STRANGER);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(come(&mut places, 2, 150), 130);
        let mut places = of_rate(20);
        assert_eq!(come(&mut places, MEMBER, 150), 0);
    }
}
