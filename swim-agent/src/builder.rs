//! Setting an agent up.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use swim_core::{Clock, GossipProtocol, MemberId, Options, Timers};
use swim_transport::{BindError, NetStats, NetTransport, Transport};
use swim_wire::{Codec, CodecError, ProtobufCodec};

use crate::address;
use crate::admission::Rules;
use crate::counters::Meter;
use crate::driver::{self, Own, Setup};
use crate::error::SpawnError;
use crate::handle::Handle;
use crate::keys::Keyholder;
#[cfg(feature = "seal")]
use crate::keys::{Keys, Mode};
use crate::limits::RateLimits;
use crate::query::{Pattern, Patterns};
#[cfg(feature = "mdns")]
use crate::resolve::mdns::Segment;
use crate::resolve::{self, Announcement, Resolver};
use crate::state::{Keeper, Store};

/// The port that agents use unless told otherwise, for datagrams and streams.
const DEFAULT_PORT: u16 = 7946;

/// The way in: [`Agent::builder`].
#[derive(Debug)]
pub struct Agent;

impl Agent {
    /// Sets up an agent over UDP and TCP with the protobuf wire format.
    pub fn builder() -> AgentBuilder {
        AgentBuilder {
            name: None,
            bind: (Ipv4Addr::LOCALHOST, DEFAULT_PORT).into(),
            advertise: None,
            seeds: Vec::new(),
            resolver: Resolver::default(),
            discovery: Discovery::default(),
            metadata: BTreeMap::new(),
            cluster: "swim".to_owned(),
            data_dir: None,
            options: Options::default(),
            limits: RateLimits::default(),
            patterns: Patterns::exact(),
            keys: None,
            rules: Rules::default(),
            transport: Box::new(bind_net),
            codec: Box::new(|cluster| ProtobufCodec::new(cluster)),
        }
    }
}

/// A transport that is ready, and its own counters if they are of a kind that we know.
struct Bound<T> {
    transport: Arc<T>,
    net: Option<NetCounters>,
}

/// Reads the counters of the sockets.
pub(crate) type NetCounters = Box<dyn Fn() -> NetStats + Send>;
type MakeTransport<T> = Box<dyn FnOnce(SocketAddr) -> Result<Bound<T>, BindError> + Send>;
type MakeCodec<C> = Box<dyn FnOnce(&str) -> Result<C, CodecError> + Send>;

fn bind_net(addr: SocketAddr) -> Result<Bound<NetTransport>, BindError> {
    let transport = Arc::new(NetTransport::bind(addr)?);
    let counted = Arc::downgrade(&transport);
    let net = move || counted.upgrade().map(|net| net.stats()).unwrap_or_default();
    Ok(Bound { transport, net: Some(Box::new(net)) })
}

/// What to announce to the network segment, and on which interface.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "mdns"), expect(dead_code, reason = "nothing can be announced"))]
struct Discovery {
    name: Option<String>,
    interface: Option<String>,
}

/// Sets an agent up; made by [`Agent::builder`]. Everything has a default.
#[must_use = "an agent runs from spawn on"]
pub struct AgentBuilder<T = NetTransport, C = ProtobufCodec> {
    name: Option<String>,
    bind: SocketAddr,
    advertise: Option<String>,
    seeds: Vec<String>,
    resolver: Resolver,
    discovery: Discovery,
    metadata: BTreeMap<String, String>,
    cluster: String,
    data_dir: Option<PathBuf>,
    options: Options,
    limits: RateLimits,
    patterns: Patterns,
    keys: Option<Given>,
    pub(crate) rules: Rules,
    transport: MakeTransport<T>,
    codec: MakeCodec<C>,
}

impl<T, C> std::fmt::Debug for AgentBuilder<T, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentBuilder")
            .field("name", &self.name)
            .field("bind", &self.bind)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl<T: Transport, C: Codec> AgentBuilder<T, C> {
    /// The agent's name, unique in its cluster, 1 to 255 bytes; the host's name unless set.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where to receive datagrams and streams, 127.0.0.1:7946 unless set. Port 0 picks a free one;
    /// 0.0.0.0 or `[::]` is every address of the host. Without effect over a transport of one's
    /// own, which is bound already.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = address;
        self
    }

    /// The address that others reach this agent at, where that is not the bound one (NAT,
    /// containers); port 0 stands for the bound port. Unless set, the bound address, and when that
    /// is every address of the host, the one that leads outward.
    pub fn advertise(mut self, address: SocketAddr) -> Self {
        self.advertise = Some(address.to_string());
        self
    }

    /// The same by a name: an IP address, an interface of this host, or a host, each with or
    /// without `:PORT`. Of its addresses, one of the family of the bound address is taken.
    pub fn advertise_name(mut self, name: impl Into<String>) -> Self {
        self.advertise = Some(name.into());
        self
    }

    /// Whom to join through, each a [`Seed`](crate::Seed). Tried with back-off until one answers;
    /// names are resolved at each attempt, and later on every minute, so that whoever is found
    /// there and in another cluster of this name is joined too.
    pub fn join<S: Into<String>>(mut self, addresses: impl IntoIterator<Item = S>) -> Self {
        self.seeds.extend(addresses.into_iter().map(Into::into));
        self
    }

    /// The DNS server to ask for the names of seeds, instead of the system's way: of SRV records to
    /// the servers of resolv.conf, of hosts as any program does. Needs the feature `dns`.
    #[cfg(feature = "dns")]
    pub fn dns_server(mut self, address: SocketAddr) -> Self {
        self.resolver.server = Some(address);
        self
    }

    /// Finds the agents of the network segment that do the same with this `name` (1 to 63 letters,
    /// digits, - and _), and is found by them, by multicast DNS: the service `_swim._udp.local.`.
    /// It is one more seed, `mdns:NAME`, and taken back with a goodbye when the agent leaves. Costs a
    /// thread, and a multicast question with every lookup. Needs the feature `mdns`.
    #[cfg(feature = "mdns")]
    pub fn discover(mut self, name: impl Into<String>) -> Self {
        self.discovery.name = Some(name.into());
        self
    }

    /// The interface whose segment [`discover`](Self::discover) and seeds by `mdns:NAME` mean; unless
    /// set, the one of the advertised or else the bound address.
    #[cfg(feature = "mdns")]
    pub fn discover_interface(mut self, interface: impl Into<String>) -> Self {
        self.discovery.interface = Some(interface.into());
        self
    }

    /// What the agent says of itself from the start, at most
    /// [`Options::metadata_limit`](swim_core::Options) bytes encoded.
    pub fn metadata<K: Into<String>, V: Into<String>>(
        mut self,
        metadata: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let entries = metadata.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.metadata = entries.collect();
        self
    }

    /// The cluster's name, 1 to 64 bytes, `swim` unless set. It keeps clusters apart that reach
    /// each other by mistake; it is no secret.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// Where to keep what survives a restart, as [`state`](crate::state) describes; nothing is kept
    /// unless set. The directory is made if it is missing. One agent at a time.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// The protocol's options. Of these, `timers`, `events` and `envelope` are the agent's own
    /// affair, and a `boot_epoch` of 0 stands for the Unix time in seconds. With a data directory it
    /// is above that of the former start in any case.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// How much strangers and members may send before the rest is dropped and counted.
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.limits = limits;
        self
    }

    /// What the patterns of queries mean, that the values of metadata must match: called for each
    /// pattern and on a thread where it may take its time. An error says in words what is wrong
    /// with the pattern. Unless set, a pattern is the value itself.
    pub fn patterns(
        mut self,
        make: impl Fn(&str) -> Result<Pattern, String> + Send + Sync + 'static,
    ) -> Self {
        self.patterns = Patterns(Arc::new(make));
        self
    }

    /// Seals what the agent sends and opens what comes, as the mode says; packets are open unless set. All
    /// members need the same keys; [`keys`](crate::keys) says how they are replaced. Takes
    /// 37 bytes of each datagram. Packets of a [`codec`](Self::codec) of one's own must not begin with a byte
    /// whose lower three bits are set. Needs the feature `seal`.
    #[cfg(feature = "seal")]
    pub fn seal(mut self, keys: impl Into<Keys>, mode: Mode) -> Self {
        self.keys = Some((keys.into(), mode));
        self
    }

    /// Another transport than UDP and TCP, bound already.
    pub fn transport<U: Transport>(self, transport: U) -> AgentBuilder<U, C> {
        let bound = Bound { transport: Arc::new(transport), net: None };
        let transport: MakeTransport<U> = Box::new(|_| Ok(bound));
        AgentBuilder {
            name: self.name,
            bind: self.bind,
            advertise: self.advertise,
            seeds: self.seeds,
            resolver: self.resolver,
            discovery: self.discovery,
            metadata: self.metadata,
            cluster: self.cluster,
            data_dir: self.data_dir,
            options: self.options,
            limits: self.limits,
            patterns: self.patterns,
            keys: self.keys,
            rules: self.rules,
            transport,
            codec: self.codec,
        }
    }

    /// Another codec than [`ProtobufCodec`] for the cluster's name. All members must use the same.
    pub fn codec<D: Codec>(self, codec: D) -> AgentBuilder<T, D> {
        let codec: MakeCodec<D> = Box::new(|_| Ok(codec));
        AgentBuilder {
            name: self.name,
            bind: self.bind,
            advertise: self.advertise,
            seeds: self.seeds,
            resolver: self.resolver,
            discovery: self.discovery,
            metadata: self.metadata,
            cluster: self.cluster,
            data_dir: self.data_dir,
            options: self.options,
            limits: self.limits,
            patterns: self.patterns,
            keys: self.keys,
            rules: self.rules,
            transport: self.transport,
            codec,
        }
    }

    /// Binds and starts the agent as a task of the current runtime, which needs time and, for the
    /// default transport, I/O. Does not wait for the join.
    ///
    /// # Errors
    /// What is wrong with the settings, or why the address cannot be bound. Nothing is left
    /// running or bound.
    pub async fn spawn(self) -> Result<Handle, SpawnError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        let name = match self.name {
            Some(name) => name,
            None => host_name().ok_or(SpawnError::HostName)?,
        };
        let codec = (self.codec)(&self.cluster)?;
        self.discovery.check()?;
        self.rules.check(&self.seeds)?;
        let (keys, overhead) = sealing(&self.cluster, self.keys)?;
        let mut options = completed(self.options, &codec, overhead);
        // Checked before anything is taken, with an address that is not known yet.
        protocol(&name, self.bind, &self.metadata, options.clone())?;
        let owner = (name.as_str(), self.cluster.as_str());
        let open = |path: PathBuf| Store::open(&path, owner, options.boot_epoch);
        let store = self.data_dir.map(open).transpose()?;
        let state = store.as_ref().map(|store| store.state().clone()).unwrap_or_default();
        options.boot_epoch = options.boot_epoch.max(state.epoch);
        options.event_clock = options.event_clock.max(state.clock);
        let (remembered, missing) = (state.whereabouts(), state.live().collect());
        let own = Own::new(self.metadata, state.overlay);
        let metadata = own.metadata();
        protocol(&name, self.bind, &metadata, options.clone())?;
        let Bound { transport, net } = (self.transport)(self.bind)?;
        let local_addr = transport.local_addr();
        let advertise_addr =
            advertised(self.advertise, local_addr, &self.resolver, &self.seeds).await?;
        self.rules.allowed.check("advertise", advertise_addr)?;
        let protocol = protocol(&name, advertise_addr, &metadata, options.clone())?;
        let (cluster, mut seeds, mut resolver) = (self.cluster, self.seeds, self.resolver);
        let places = (local_addr, advertise_addr);
        let announcement = self.discovery.start(places, &mut resolver, &mut seeds)?;
        let meter = Arc::new(Meter::default());
        // The last that can fail: until here the directory is free again at once.
        let keeper = store.map(|store| Keeper::start(store, Arc::clone(&meter))).transpose()?;
        Ok(driver::start(Setup {
            runtime,
            protocol,
            options,
            limits: self.limits,
            codec,
            transport,
            net,
            cluster,
            seeds,
            resolver,
            announcement,
            local_addr,
            own,
            patterns: self.patterns,
            meter,
            keeper,
            remembered,
            missing,
            keys,
            rules: self.rules,
        }))
    }
}

impl Discovery {
    /// Whether the name can be announced.
    fn check(&self) -> Result<(), SpawnError> {
        match self.name.as_deref().filter(|name| !resolve::is_group(name)) {
            None => Ok(()),
            Some(name) => {
                let why = format!("expected {}", resolve::GROUP);
                Err(SpawnError::Discover { name: name.to_owned(), why })
            }
        }
    }

    /// Announces the agent, if it is to be, and makes who does the same a seed.
    #[cfg(feature = "mdns")]
    fn start(
        self,
        (bound, own): (SocketAddr, SocketAddr),
        resolver: &mut Resolver,
        seeds: &mut Vec<String>,
    ) -> Result<Option<Announcement>, SpawnError> {
        let segment = Segment { interface: self.interface, bound, own };
        let announced = self.name.map(|name| {
            seeds.push(format!("mdns:{name}"));
            segment.announce(&name).map_err(|why| SpawnError::Discover { name, why })
        });
        resolver.segment = Some(segment);
        announced.transpose()
    }

    #[cfg(not(feature = "mdns"))]
    fn start(
        self,
        _: (SocketAddr, SocketAddr),
        _: &mut Resolver,
        _: &mut Vec<String>,
    ) -> Result<Option<Announcement>, SpawnError> {
        Ok(None)
    }
}

/// Keys and what to do with them; without the feature there are none.
#[cfg(feature = "seal")]
type Given = (Keys, Mode);
#[cfg(not(feature = "seal"))]
type Given = std::convert::Infallible;

/// Who holds the keys of a member of `cluster`, if it has some, and the bytes that each packet is longer
/// by then.
#[cfg(feature = "seal")]
fn sealing(
    cluster: &str,
    keys: Option<Given>,
) -> Result<(Option<Arc<Keyholder>>, usize), SpawnError> {
    let Some((keys, mode)) = keys else { return Ok((None, 0)) };
    Ok((Some(Arc::new(Keyholder::new(cluster, keys, mode)?)), swim_wire::seal::OVERHEAD))
}

#[cfg(not(feature = "seal"))]
fn sealing(_: &str, _: Option<Given>) -> Result<(Option<Arc<Keyholder>>, usize), SpawnError> {
    Ok((None, 0))
}

/// The address to tell others; `given` may be a name.
async fn advertised(
    given: Option<String>,
    bound: SocketAddr,
    resolver: &Resolver,
    seeds: &[String],
) -> Result<SocketAddr, SpawnError> {
    let given = match given {
        None => None,
        Some(given) => match address::named(&given, bound, resolver).await {
            Ok(address) => Some(address),
            Err(why) => return Err(SpawnError::AdvertiseName { given, why }),
        },
    };
    address::advertised(bound, given, seeds)
}

fn host_name() -> Option<String> {
    gethostname::gethostname().into_string().ok().filter(|name| !name.is_empty())
}

/// The options that a driver with its own sleep needs.
fn completed(mut options: Options, codec: &impl Codec, sealing: usize) -> Options {
    options.timers = Timers::Owned;
    options.events = true;
    let mut packet = BytesMut::new();
    codec.start(&mut packet);
    options.envelope = packet.len() + sealing;
    if options.boot_epoch == 0 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        options.boot_epoch = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
    }
    options
}

fn protocol(
    name: &str,
    address: SocketAddr,
    metadata: &BTreeMap<String, String>,
    options: Options,
) -> Result<GossipProtocol, SpawnError> {
    let metadata = metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let builder = GossipProtocol::builder(MemberId::from(name), address);
    Ok(builder.metadata(metadata).options(options).clock(RuntimeClock).build()?)
}

/// The runtime's clock, so that a runtime with paused time pauses the protocol too.
#[derive(Debug)]
struct RuntimeClock;

impl Clock for RuntimeClock {
    fn now(&self) -> std::time::Instant {
        tokio::time::Instant::now().into_std()
    }
}
