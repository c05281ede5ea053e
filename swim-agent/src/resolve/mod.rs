//! What seeds stand for: an address, a name with a port, a service in the DNS, or a name that agents
//! of the network segment announce.
//!
//! Nothing is remembered from one lookup to the next, so that a name that moved is followed.

#[cfg(feature = "dns")]
mod dns;
#[cfg(feature = "mdns")]
pub(crate) mod mdns;

/// What this agent says of itself to its segment, which it can only with the feature `mdns`.
#[cfg(not(feature = "mdns"))]
pub(crate) type Announcement = std::convert::Infallible;
#[cfg(feature = "mdns")]
pub(crate) use mdns::Announcement;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout, timeout_at};

/// How long one seed is looked up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Names that the system is asked for at a time: each holds a thread for as long as the system likes,
/// and whatever else blocks needs some too.
const BY_SYSTEM: usize = 8;
/// Lookups that end within this time of each other end together, so that whom one of them found is
/// not asked once more for the sake of the next.
const TOGETHER: Duration = Duration::from_millis(50);
/// Addresses that are asked of all that one seed stands for, drawn anew by each lookup: a name for
/// a thousand members must not have a thousand views sent to who joins.
const SAMPLE: usize = 8;
/// The longest name in the DNS.
const LONGEST: usize = 253;

/// Somebody to join through, as people write it.
///
/// - `IP:PORT`, such as `10.0.0.1:7946` or `[fd00::1]:7946`;
/// - `HOST:PORT`: all addresses of that name, A and AAAA;
/// - `srv:NAME`, or a NAME that begins with `_` and has no port, such as
///   `_swim._udp.example.com`: all targets of its SRV records, with their ports;
/// - `mdns:NAME`: all agents of the network segment that announce this name by multicast DNS
///   ([`AgentBuilder::discover`](crate::AgentBuilder::discover)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seed {
    /// An address.
    Address(SocketAddr),
    /// A host by its name, and its port.
    Host(String, u16),
    /// A service in the DNS.
    Service(String),
    /// A name that agents of the network segment announce.
    Announced(String),
}

impl FromStr for Seed {
    type Err = String;

    /// # Errors
    /// What is expected instead, in words.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected HOST:PORT, such as node-1:7946, srv:NAME or mdns:NAME";
        if let Ok(address) = text.parse::<SocketAddr>() {
            return if address.port() > 0 {
                Ok(Self::Address(address))
            } else {
                Err(expected.into())
            };
        }
        if let Some(name) = text.strip_prefix("mdns:") {
            return is_group(name)
                .then(|| Self::Announced(name.to_owned()))
                .ok_or_else(|| format!("expected mdns: and a name, {GROUP}"));
        }
        let service = text.strip_prefix("srv:").or(text.starts_with('_').then_some(text));
        if let Some(name) = service.filter(|name| !name.contains(':')) {
            return is_name(name).then(|| Self::Service(name.to_owned())).ok_or_else(|| {
                "expected the name of a service, such as srv:_swim._udp.example.com".to_owned()
            });
        }
        match text.rsplit_once(':') {
            Some((host, port)) if is_name(host) => match port.parse() {
                Ok(port) if port > 0 => Ok(Self::Host(host.to_owned(), port)),
                _ => Err(expected.to_owned()),
            },
            _ => Err(expected.to_owned()),
        }
    }
}

/// What a name that agents announce consists of.
pub(crate) const GROUP: &str = "1 to 63 letters, digits, - and _";

/// Whether agents can announce this name: what fits everywhere, and looks the same to everybody.
pub(crate) fn is_group(name: &str) -> bool {
    is_name(name) && !name.contains('.')
}

/// Whether a name can be in the DNS. Names beyond ASCII are written in their ASCII form there.
fn is_name(text: &str) -> bool {
    let part = |part: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&part.len()) && part.bytes().all(fits)
    };
    text.len() <= LONGEST && text.strip_suffix('.').unwrap_or(text).split('.').all(part)
}

/// A seed as it was given, and what it stands for, or in words why it stands for nobody.
pub(crate) type Lookup = (String, Result<Vec<SocketAddr>, String>);

/// Looks seeds up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolver {
    /// The server to ask instead of those of the system.
    pub(crate) server: Option<SocketAddr>,
    system: Turns,
    /// Where to listen for what agents announce.
    #[cfg(feature = "mdns")]
    pub(crate) segment: Option<mdns::Segment>,
}

impl Resolver {
    /// Looks all of these up at the same time.
    pub(crate) fn look_up(&self, seeds: &[String]) -> Lookups {
        let mut open = JoinSet::new();
        for seed in seeds {
            let (resolver, seed) = (self.clone(), seed.clone());
            open.spawn(async move {
                let found = resolver.resolve(&seed).await;
                (seed, found)
            });
        }
        Lookups { open }
    }

    /// What each of these stands for now, in their order; looked up at the same time, and for ten
    /// seconds at most.
    pub(crate) async fn resolve_all(&self, seeds: Vec<String>) -> Vec<Lookup> {
        let mut lookups = self.look_up(&seeds);
        let mut found = BTreeMap::new();
        let until = Instant::now() + PATIENCE;
        while let Ok(Some(lookup)) = timeout_at(until, lookups.open.join_next()).await {
            found.extend(lookup);
        }
        let of = |seed: String| {
            let found = found.get(&seed).cloned().unwrap_or_else(late);
            (seed, found)
        };
        seeds.into_iter().map(of).collect()
    }

    /// The addresses that a seed stands for now, some of them when there are many.
    ///
    /// # Errors
    /// Why there are none, in words.
    pub(crate) async fn resolve(&self, seed: &str) -> Result<Vec<SocketAddr>, String> {
        let seed: Seed = seed.parse().map_err(|why| format!("it is no address: {why}"))?;
        let by_system = matches!(seed, Seed::Host(..)) && self.server.is_none();
        // Whoever waits for its turn has time left when that comes: dead names must not starve others.
        let turn = if by_system { self.system.take().await } else { None };
        timeout(PATIENCE, self.find(seed, turn)).await.unwrap_or_else(|_| late())
    }

    async fn find(
        &self,
        seed: Seed,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<Vec<SocketAddr>, String> {
        let unresolved = |error: String| format!("its name cannot be resolved: {error}");
        let mut found: Vec<SocketAddr> = match seed {
            Seed::Address(address) => return Ok(vec![address]),
            // The system's way: it knows the host's file and whatever else the host is set up for.
            Seed::Host(host, port) if self.server.is_none() => {
                let ask = move || {
                    let _turn = turn;
                    (host.as_str(), port).to_socket_addrs().map(Vec::from_iter)
                };
                let found =
                    spawn_blocking(ask).await.map_err(io::Error::from).and_then(|found| found);
                found.map_err(|error| unresolved(error.to_string()))?
            }
            #[cfg(feature = "dns")]
            Seed::Host(host, port) => {
                dns::host(self.server, &host, port).await.map_err(unresolved)?
            }
            #[cfg(feature = "dns")]
            Seed::Service(name) => dns::service(self.server, &name).await.map_err(unresolved)?,
            #[cfg(feature = "mdns")]
            Seed::Announced(name) => match &self.segment {
                Some(segment) => segment.find(&name).await?,
                None => return Err("this agent listens on no segment".to_owned()),
            },
            #[cfg(not(feature = "mdns"))]
            Seed::Announced(_) => return Err(unresolved(lacks("mdns"))),
            #[cfg(not(feature = "dns"))]
            Seed::Host(..) | Seed::Service(_) => return Err(unresolved(lacks("dns"))),
        };
        if found.is_empty() {
            return Err("its name has no address".to_owned());
        }
        draw(&mut found, SAMPLE);
        Ok(found)
    }
}

/// Lookups that are under way; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Lookups {
    open: JoinSet<Lookup>,
}

impl Lookups {
    /// Waits for the next ones that end; empty when none is left. Cancel safe but for what it would
    /// have returned.
    pub(crate) async fn next(&mut self) -> Vec<Lookup> {
        let mut found = Vec::new();
        // One that panicked has found nothing.
        found.extend(self.open.join_next().await.into_iter().flatten());
        let until = Instant::now() + TOGETHER;
        while let Ok(Some(lookup)) = timeout_at(until, self.open.join_next()).await {
            found.extend(lookup);
        }
        found
    }

    /// Whether none is left.
    pub(crate) fn are_over(&self) -> bool {
        self.open.is_empty()
    }
}

fn late<T>() -> Result<T, String> {
    Err(format!("its name cannot be resolved: no answer within {} s", PATIENCE.as_secs()))
}

/// Who may ask the system now.
#[derive(Debug, Clone)]
struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BY_SYSTEM)))
    }
}

impl Turns {
    /// Waits for one; it is over when it is dropped. Never `None`: nobody closes the semaphore.
    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

#[cfg(not(all(feature = "dns", feature = "mdns")))]
fn lacks(feature: &str) -> String {
    format!("this program was built without the feature {feature}")
}

/// Leaves so many of them, any.
fn draw<T: Hash>(all: &mut Vec<T>, sample: usize) {
    if all.len() > sample {
        // Its keys are random.
        let hasher = RandomState::new();
        all.sort_by_cached_key(|one| hasher.hash_one(one));
        all.truncate(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_an_address_a_host_or_a_service() {
        let host = |name: &str| Ok(Seed::Host(name.to_owned(), 7946));
        let service = |name: &str| Ok(Seed::Service(name.to_owned()));
        assert_eq!("[::1]:5".parse(), Ok(Seed::Address(([0, 0, 0, 0, 0, 0, 0, 1], 5).into())));
        assert_eq!("node-1:7946".parse(), host("node-1"));
        assert_eq!("swim.example.com.:7946".parse(), host("swim.example.com."));
        assert_eq!("srv:swim.example.com".parse(), service("swim.example.com"));
        assert_eq!("_swim._udp.example.com".parse(), service("_swim._udp.example.com"));
        assert_eq!("_odd:7946".parse(), host("_odd"));
    }

    #[test]
    fn a_seed_may_be_a_name_that_agents_announce() {
        assert_eq!("mdns:lab-1".parse(), Ok(Seed::Announced("lab-1".to_owned())));
        let long = format!("mdns:{}", "n".repeat(64));
        for wrong in ["mdns:", "mdns:a b", "mdns:a.b", "mdns:a:1", "mdns:n\u{f6}", "mdns:\n", &long]
        {
            let error = wrong.parse::<Seed>().unwrap_err();
            assert!(error.contains(GROUP), "{wrong:?}: {error}");
        }
    }

    #[test]
    fn what_can_be_no_seed_is_refused() {
        let long = format!("{}:1", "n".repeat(64));
        for wrong in [
            "",
            ":",
            "node-1",
            ":7946",
            "node-1:",
            "node-1:0",
            "10.0.0.1:0",
            "node-1:70000",
            "a b:1",
            "a\n:1",
            "n\u{f6}de:1",
            "a..b:1",
            "srv:",
            "srv:a b",
            "srv:name:5 ",
            "fd00::1",
            long.as_str(),
        ] {
            assert!(wrong.parse::<Seed>().is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_resolved_says_why() {
        let error = Resolver::default().resolve("no port here").await.unwrap_err();
        assert!(error.contains("HOST:PORT"), "{error}");
        let found = Resolver::default().resolve("[::1]:5").await.unwrap();
        assert_eq!(found, ["[::1]:5".parse().unwrap()]);
    }

    #[tokio::test]
    async fn the_system_is_asked_for_a_few_names_at_a_time_and_holds_up_nobody_else() {
        let resolver = Resolver::default();
        let all = resolver.system.0.clone().acquire_many_owned(BY_SYSTEM as u32).await.unwrap();
        let mut lookups = resolver.look_up(&["localhost:1".to_owned(), "[::1]:5".to_owned()]);
        let found = lookups.next().await;
        assert!(matches!(&found[..], [(seed, Ok(_))] if seed == "[::1]:5"), "{found:?}");
        assert!(!lookups.are_over());
        drop(all);
        let found = lookups.next().await;
        assert!(matches!(&found[..], [(seed, _)] if seed == "localhost:1"), "{found:?}");
        assert!(lookups.are_over());
        assert_eq!(resolver.system.0.available_permits(), BY_SYSTEM);
    }

    #[test]
    fn of_many_addresses_other_ones_are_drawn_each_time() {
        let all: Vec<SocketAddr> = (1..=200).map(|port| ([10, 0, 0, 1], port).into()).collect();
        let drawn = || {
            let mut some = all.clone();
            draw(&mut some, SAMPLE);
            some.sort_unstable();
            some.dedup();
            some
        };
        let first = drawn();
        assert_eq!(first.len(), SAMPLE);
        assert!((0..5).any(|_| drawn() != first));
    }
}
