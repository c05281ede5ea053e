//! Which streams of others are served: who has fewest open comes first, and the last places are for members'
//! hosts only. Who finds no place waits, unread. Where there is no room, whoever has most gives way: of those that
//! wait, and of those that are served and have had their time. So a mad host holds up itself, a member's as any
//! other; and many strangers hold up strangers, but no member.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{self, AbortHandle};
use tokio::time::Instant;

use super::hosts::Hosts;
use super::rate::{Rate, Sources, network, source};

/// Streams that are served at a time.
const SERVED: usize = 64;
/// How many of these places strangers may take; the rest is for hosts of members.
const OF_STRANGERS: usize = 48;
/// Most places of one source of strangers.
const OF_STRANGER: usize = 16;
/// Most places of one host of members, of which it may have many.
const OF_HOST: usize = 32;
/// How long a place is its stream's, whoever waits: honest ones take milliseconds.
const UNDISTURBED: Duration = Duration::from_secs(1);
/// Most streams that wait for a place: each has a descriptor and nothing else.
const WAITING: usize = 192;
/// As long as all are served sooner, and no source has more than a few waiting, a crowd can as well wait in the
/// kernel.
const BRISK: Duration = Duration::from_secs(1);
const FEW: usize = 16;
/// How long one waits; its other end gives up after twice that.
const PATIENCE: Duration = Duration::from_secs(10);
/// What may come at once, in seconds of what may come in the long run.
const BURST: Duration = Duration::from_secs(5);

/// Whose a stream is.
#[derive(Debug, Clone, Copy)]
struct Whose {
    source: IpAddr,
    /// All that may be the same stranger's: what a site of IPv6 has. A host of members speaks for itself.
    network: IpAddr,
    /// Whether it comes from a host of members.
    member: bool,
}

impl Whose {
    /// What it is counted with. The network of a member may be named as the site of strangers is.
    fn network(self) -> (IpAddr, bool) {
        (self.network, self.member)
    }
}

/// What one has: with its whole network, and alone.
type Share = (usize, usize);

/// How many streams each has.
#[derive(Debug, Default)]
struct Shares {
    networks: HashMap<(IpAddr, bool), usize>,
    sources: HashMap<IpAddr, usize>,
}

impl Shares {
    fn of(all: impl Iterator<Item = Whose>) -> Self {
        let mut shares = Self::default();
        for whose in all {
            *shares.networks.entry(whose.network()).or_default() += 1;
            *shares.sources.entry(whose.source).or_default() += 1;
        }
        shares
    }

    fn has(&self, whose: Whose) -> Share {
        let networks = self.networks.get(&whose.network());
        let sources = self.sources.get(&whose.source);
        (networks.copied().unwrap_or_default(), sources.copied().unwrap_or_default())
    }

    /// Whether they are more even when one of the one's is the other's.
    fn evened(&self, one: Whose, other: Whose) -> bool {
        let (most, fewest) = (self.has(one), self.has(other));
        if one.network() == other.network() { most.1 > fewest.1 + 1 } else { most.0 > fewest.0 + 1 }
    }
}

/// A stream that waits to be served.
#[derive(Debug)]
struct Waiting<S> {
    stream: S,
    from: SocketAddr,
    whose: Whose,
    since: Instant,
}

/// A place that is taken.
#[derive(Debug)]
struct Taken {
    task: AbortHandle,
    whose: Whose,
    since: Instant,
}

/// The places, and who waits for one.
#[derive(Debug)]
pub(super) struct Places<S> {
    taken: Vec<Taken>,
    waiting: VecDeque<Waiting<S>>,
    strangers: Sources,
    hosts: Arc<Hosts>,
    /// Streams that were closed since somebody asked.
    closed: usize,
}

impl<S> Places<S> {
    /// Strangers may open so many streams a second from one source; 0 is no limit.
    pub(super) fn new(hosts: Arc<Hosts>, a_second: u32) -> Self {
        let strangers = Sources::new(Rate::new(a_second, BURST));
        Self { taken: Vec::new(), waiting: VecDeque::new(), strangers, hosts, closed: 0 }
    }

    /// Whether the next one is taken from the kernel. It can wait there when there is no room here, but nobody
    /// sees who does: so that is for a crowd of many hosts that are served in no time.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        let brisk = self.waiting.front().is_some_and(|first| now - first.since < BRISK);
        if self.waiting.len() < WAITING || !brisk {
            return true;
        }
        let shares = Shares::of(self.waiting.iter().map(|one| one.whose));
        shares.sources.into_values().any(|waiting| waiting > FEW)
    }

    /// Whether anybody waits.
    pub(super) fn is_wanted(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many were closed since this was last asked, unserved or to make way.
    pub(super) fn take_closed(&mut self) -> usize {
        std::mem::take(&mut self.closed)
    }

    /// A stream came. Serve what [`next`](Self::next) gives and [`trim`](Self::trim) before the next one.
    pub(super) fn arrived(&mut self, stream: S, from: SocketAddr, now: Instant) {
        let whose = self.whose(from);
        if whose.member || self.strangers.take(from.ip(), now) {
            self.waiting.push_back(Waiting { stream, from, whose, since: now });
        } else {
            self.closed += 1;
        }
    }

    fn whose(&self, from: SocketAddr) -> Whose {
        let (source, member) = (source(from.ip()), self.hosts.have_near(from.ip()));
        Whose { source, network: if member { source } else { network(source) }, member }
    }

    /// Closes the latest of whoever waits most while too many wait.
    pub(super) fn trim(&mut self) {
        while self.waiting.len() > WAITING {
            let shares = Shares::of(self.waiting.iter().map(|one| one.whose));
            let weighed = self.waiting.iter().enumerate();
            let weighed = weighed.map(|(at, one)| (shares.has(one.whose), !one.whose.member, at));
            if let Some((.., at)) = weighed.max() {
                self.waiting.remove(at);
            }
            self.closed += 1;
        }
    }

    /// The next one to serve, if there is a place for it; [`take`](Self::take) it.
    pub(super) fn next(&mut self, now: Instant) -> Option<(S, SocketAddr)> {
        while self.waiting.front().is_some_and(|first| now - first.since >= PATIENCE) {
            self.waiting.pop_front();
            self.closed += 1;
        }
        let shares = Shares::of(self.taken.iter().map(|one| one.whose));
        let firsts = [true, false].map(|member| self.first(member, &shares));
        let mut firsts: Vec<_> = firsts.into_iter().flatten().collect();
        firsts.sort_by_key(|&(has, at, _)| (has, at));
        let free = firsts.iter().find(|(.., whose)| self.is_free(whose.member));
        let &(_, at, _) = match free {
            Some(first) => first,
            None => firsts.iter().find(|(.., whose)| self.make_way(*whose, &shares, now))?,
        };
        let next = self.waiting.remove(at)?;
        Some((next.stream, next.from))
    }

    /// Of those that may have one more place, who has fewest: what it has, where it waits, whose it is.
    fn first(&self, member: bool, shares: &Shares) -> Option<(Share, usize, Whose)> {
        let most = if member { OF_HOST } else { OF_STRANGER };
        let waiting = self.waiting.iter().enumerate().filter(|(_, one)| one.whose.member == member);
        let waiting = waiting.map(|(at, one)| (shares.has(one.whose), at, one.whose));
        waiting.filter(|(has, ..)| has.1 < most).min_by_key(|&(has, at, _)| (has, at))
    }

    fn is_free(&self, member: bool) -> bool {
        self.taken.len() < SERVED && (member || !self.has_many_strangers())
    }

    fn has_many_strangers(&self) -> bool {
        self.taken.iter().filter(|one| !one.whose.member).count() >= OF_STRANGERS
    }

    /// Ends the oldest stream of whoever has most places, if that is more than a newcomer would have then.
    fn make_way(&mut self, newcomer: Whose, shares: &Shares, now: Instant) -> bool {
        let strangers_only = !newcomer.member && self.has_many_strangers();
        let had_its_time =
            |one: &Taken| now - one.since >= UNDISTURBED && !(strangers_only && one.whose.member);
        let taken = self.taken.iter().enumerate().filter(|(_, one)| had_its_time(one));
        let heaviest = taken.max_by_key(|(_, one)| (shares.has(one.whose), Reverse(one.since)));
        let heaviest = heaviest.filter(|(_, one)| shares.evened(one.whose, newcomer));
        let Some(at) = heaviest.map(|(at, _)| at) else { return false };
        self.taken.swap_remove(at).task.abort();
        self.closed += 1;
        true
    }

    /// A task serves a stream from there.
    pub(super) fn take(&mut self, task: AbortHandle, from: SocketAddr, now: Instant) {
        let whose = self.whose(from);
        self.taken.push(Taken { task, whose, since: now });
    }

    /// That task has ended.
    pub(super) fn leave(&mut self, task: task::Id) {
        self.taken.retain(|taken| taken.task.id() != task);
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

    /// Of a host in a network of IPv6 that has as many networks of hosts as a port is great.
    fn within(site: u16, port: u16) -> SocketAddr {
        ([0xfd00, 0, site, port, 0, 0, 0, 1], 1).into()
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

    /// So many streams come from a host; returns how many are closed for them.
    fn come(places: &mut Places<u16>, host: u8, count: u16) -> usize {
        come_from(places, host.into(), (0..count).map(|port| addr(host, port)))
    }

    fn come_from(
        places: &mut Places<u16>,
        stream: u16,
        from: impl Iterator<Item = SocketAddr>,
    ) -> usize {
        for from in from {
            places.arrived(stream, from, Instant::now());
            places.trim();
        }
        places.take_closed()
    }

    /// So many come from each of these hosts; none is closed.
    fn come_all(places: &mut Places<u16>, hosts: Range<u8>, count: u16) {
        assert_eq!(hosts.map(|host| come(places, host, count)).sum::<usize>(), 0);
    }

    /// Serves all there is a place for; the hosts.
    fn serve(places: &mut Places<u16>) -> Vec<u16> {
        let mut served = Vec::new();
        while let Some((stream, from)) = places.next(Instant::now()) {
            // It never ends by itself.
            let task = tokio::spawn(std::future::pending::<()>());
            places.take(task.abort_handle(), from, Instant::now());
            served.push(stream);
        }
        served
    }

    fn waiting(places: &Places<u16>) -> Vec<u16> {
        places.waiting.iter().map(|waiting| waiting.stream).collect()
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
        assert_eq!(serve(&mut places).len(), OF_STRANGERS);
        come(&mut places, MEMBER, 60);
        assert_eq!(serve(&mut places), [u16::from(MEMBER); SERVED - OF_STRANGERS]);
        assert!(places.next(Instant::now()).is_none());
    }

    #[tokio::test]
    async fn a_free_place_goes_to_who_has_fewest() {
        let mut places = places();
        come_all(&mut places, 2..6, 30);
        assert_eq!(serve(&mut places).len(), OF_STRANGERS);
        come(&mut places, 9, 1);
        let done = places.taken[0].task.id();
        places.leave(done);
        assert_eq!(serve(&mut places), [9]);
    }

    #[tokio::test]
    async fn who_fills_the_waiting_room_makes_room_for_others() {
        let mut places = places();
        assert_eq!(come(&mut places, 2, 1_000), 1_000 - WAITING);
        assert_eq!(come(&mut places, 3, 1) + come(&mut places, MEMBER, 1), 2);
        let waiting = waiting(&places);
        assert_eq!(waiting.len(), WAITING);
        assert_eq!(waiting[WAITING - 2..], [3, MEMBER.into()]);
    }

    #[tokio::test]
    async fn a_mad_host_of_members_holds_up_itself_as_well() {
        let mut places = places();
        come(&mut places, MEMBER, 1_000);
        assert_eq!(serve(&mut places).len(), OF_HOST);
        come(&mut places, MEMBER, 1_000);
        assert_eq!(waiting(&places).len(), WAITING);
        // Nobody is closed before it was seen whether there is a place.
        places.arrived(2, addr(2, 1), Instant::now());
        assert_eq!(serve(&mut places), [2]);
        places.trim();
        assert_eq!(places.take_closed(), 0);
        // Where there is none, the mad one's wait no longer.
        for host in 40..71 {
            come(&mut places, host, 1);
            assert_eq!(serve(&mut places), [u16::from(host)]);
        }
        assert_eq!(places.taken.len(), SERVED);
        come(&mut places, MEMBER, 1_000);
        assert_eq!(come(&mut places, 3, 1), 1);
        assert!(waiting(&places).contains(&3));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_most_and_had_its_time_makes_way_for_who_has_fewer() {
        let mut places = places();
        // Two mad ones, of which one lives where members do.
        come(&mut places, MEMBER, 60);
        come(&mut places, 2, 60);
        come(&mut places, 3, 60);
        assert_eq!(serve(&mut places).len(), SERVED);
        come(&mut places, 4, 60);
        assert!(serve(&mut places).is_empty(), "a second is everybody's");
        tokio::time::advance(UNDISTURBED).await;
        let served = serve(&mut places);
        assert_eq!(served, [4; OF_STRANGER]);
        assert_eq!(places.take_closed(), served.len());
        let shares = Shares::of(places.taken.iter().map(|one| one.whose));
        assert_eq!(shares.sources.values().sum::<usize>(), SERVED);
        assert!(shares.sources.values().all(|has| *has == OF_STRANGER), "{shares:?}");
        assert!(serve(&mut places).is_empty(), "nobody makes way for who has as many");
    }

    #[tokio::test(start_paused = true)]
    async fn no_stranger_takes_the_last_places_of_members() {
        let mut places = places();
        come_all(&mut places, 2..50, 1);
        come(&mut places, MEMBER, 60);
        assert_eq!(serve(&mut places).len(), SERVED);
        tokio::time::advance(UNDISTURBED).await;
        come_all(&mut places, 50..90, 1);
        assert!(serve(&mut places).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_site_of_ipv6_is_as_one_against_others_and_its_hosts_are_many_among_themselves() {
        let mut places = places();
        // Each of its hosts has one place, or waits.
        come_from(&mut places, 6, (0..1_000).map(|host| within(7, host)));
        assert_eq!(serve(&mut places).len(), OF_STRANGERS);
        assert_eq!(come(&mut places, 2, 1), 0);
        come_from(&mut places, 6, (1_000..2_000).map(|host| within(7, host)));
        assert!(waiting(&places).contains(&2));
        tokio::time::advance(UNDISTURBED).await;
        assert_eq!(serve(&mut places), [2]);
        // Three of them have all.
        let mut places = of_rate(0);
        for host in 0..3 {
            come_from(&mut places, 6, (0..30).map(|_| within(7, host)));
        }
        assert_eq!(serve(&mut places).len(), OF_STRANGERS);
        come_from(&mut places, 7, [within(7, 9)].into_iter());
        tokio::time::advance(UNDISTURBED).await;
        assert_eq!(serve(&mut places), [7]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_is_not_counted_with_strangers_of_its_site() {
        let mut places = places();
        // The first network of a site is named as the site is.
        let [member, other] = [within(7, 0), addr(3, 1)];
        [member, other].iter().for_each(|at| places.hosts.moved(None, Some(at.ip())));
        come_from(&mut places, 6, [member].into_iter());
        assert_eq!(serve(&mut places), [6]);
        tokio::time::advance(Duration::from_millis(1)).await;
        come_from(&mut places, 7, (1..=48).map(|host| within(7, host)));
        come(&mut places, MEMBER, 15);
        assert_eq!(serve(&mut places).len(), SERVED - 1);
        tokio::time::advance(UNDISTURBED).await;
        come_from(&mut places, 3, [other].into_iter());
        assert_eq!(serve(&mut places), [3]);
        assert!(places.taken.iter().any(|one| one.whose.source == source(member.ip())));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let mut places = places();
        come_all(&mut places, 2..8, 10);
        assert_eq!(serve(&mut places).len(), OF_STRANGERS);
        tokio::time::advance(PATIENCE).await;
        // Their other ends have given up.
        let done = places.taken[0].task.id();
        places.leave(done);
        assert!(serve(&mut places).is_empty());
        assert_eq!(places.take_closed(), 12);
        assert!(!places.is_wanted());
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_waits_in_the_kernel_as_long_as_it_is_served_in_no_time() {
        let mut places = places();
        come_all(&mut places, 2..100, 1);
        assert_eq!(serve(&mut places).len(), OF_STRANGERS);
        assert!(places.has_room(Instant::now()));
        let rest = (WAITING - places.waiting.len()) as u16;
        assert_eq!(come_from(&mut places, 6, (0..rest).map(|site| within(site, 1))), 0);
        assert!(!places.has_room(Instant::now()));
        tokio::time::advance(BRISK).await;
        assert!(
            places.has_room(Instant::now()),
            "who does not move may hide members behind itself"
        );
        // Nor does anybody hide who is a crowd alone.
        let mut places = of_rate(0);
        come_all(&mut places, 2..152, 1);
        come(&mut places, 200, 60);
        assert_eq!(places.waiting.len(), WAITING);
        assert!(places.has_room(Instant::now()));
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
        // Nor do they take from what is for strangers.
        come(&mut places, MEMBER, 3_000);
        come(&mut places, 2, 1);
        assert!(waiting(&places).contains(&2));
    }
}
