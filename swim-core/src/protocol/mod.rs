//! The face of the core: the customer's prototype, by name. It translates and decides nothing.

mod action;
mod builder;
mod card;
mod clock;
mod coordinate;
mod directory;
mod inbox;
mod known;
mod outbox;
mod removal;
mod timer_name;
mod user;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use action::{EventKind, GossipAction, MemberEvent, ProbeReport};
pub use builder::Builder;
pub use clock::{Clock, SystemClock};

use card::Card;
use directory::Directory;
use inbox::LastGossip;
use outbox::Outbox;

use crate::config::{AdvancedGossipConfig, Config, GossipConfig, Options, Timers};
use crate::engine::{Engine, Incoming, MemberIdx, Message, Source};
use crate::error::MetadataError;
use crate::member::{Member, MemberId, MemberState};
use crate::message::{Accusation, GossipMessage};
use crate::time::{Time, micros};
use crate::wire_size::metadata_len;

/// Cluster membership and failure detection by gossip, for one node.
///
/// No socket, no thread: every method returns what the caller is to do. There are two ways to
/// drive it; [`Options::timers`] chooses one.
///
/// *Named timers*, what [`new`](Self::new) gives: call [`tick`](Self::tick) every
/// [`probe_interval`](Self::probe_interval), keep what
/// [`ScheduleTimer`](GossipAction::ScheduleTimer) names and hand each name back through
/// [`handle_timer`](Self::handle_timer). A name fires when the caller says so.
///
/// *Owned timers*, what the [`builder`](Self::builder) gives by default: sleep until
/// [`next_timeout`](Self::next_timeout), call [`handle_timeout`](Self::handle_timeout).
///
/// Either way: hand each message over through [`handle_message`](Self::handle_message), start with
/// [`bootstrap`](Self::bootstrap), end with [`leave`](Self::leave). Calls may come late, early or
/// twice. Nothing that a peer sends makes any of them panic.
pub struct GossipProtocol {
    engine: Engine<Card>,
    directory: Directory,
    me: MemberIdx,
    clock: Box<dyn Clock>,
    origin: Instant,
    named_timers: bool,
    events: bool,
    metadata_limit: usize,
    event_limit: usize,
    last_gossip: LastGossip,
}

impl std::fmt::Debug for GossipProtocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = &self.local_member().id;
        f.debug_struct("GossipProtocol").field("id", id).finish_non_exhaustive()
    }
}

/// Making one.
impl GossipProtocol {
    /// A node that knows nobody else, with named timers. Nonsense in `config` is clamped, a name
    /// above 255 bytes is cut; the [`builder`](Self::builder) refuses both.
    pub fn new(self_id: MemberId, self_addr: SocketAddr, config: GossipConfig) -> Self {
        Self::with_advanced(
            self_id,
            self_addr,
            AdvancedGossipConfig { base: config, ..AdvancedGossipConfig::default() },
        )
    }

    /// Like [`new`](Self::new), with the advanced configuration.
    pub fn with_advanced(
        mut self_id: MemberId,
        self_addr: SocketAddr,
        config: AdvancedGossipConfig,
    ) -> Self {
        let end = (0..=MemberId::MAX_LEN).rev().find(|&end| self_id.0.is_char_boundary(end));
        if self_id.0.len() > MemberId::MAX_LEN {
            self_id.0.truncate(end.unwrap_or(0));
        }
        let mut options =
            Options { gossip: config, timers: Timers::Named, ..Options::default() }.clamped();
        options.mechanisms.stream_ping = false;
        // Its acks are no more than acks.
        options.coordinates = false;
        Self::assemble(self_id, self_addr, HashMap::new(), options, Box::new(SystemClock))
    }

    /// A node with every option at hand, checked, and with owned timers unless set otherwise.
    pub fn builder(self_id: MemberId, self_addr: SocketAddr) -> Builder {
        Builder::new(self_id, self_addr)
    }

    fn assemble(
        id: MemberId,
        address: SocketAddr,
        metadata: HashMap<String, String>,
        options: Options,
        clock: Box<dyn Clock>,
    ) -> Self {
        let origin = clock.now();
        let seed = options.seed.unwrap_or_else(clock::random_seed);
        let (events, metadata_limit) = (options.events, options.metadata_limit);
        let event_limit = options.event_limit;
        let config = Config::from(options);
        let named_timers = config.timers == Timers::Named;
        let mut directory = Directory::new();
        let me = directory.intern(&[], &id);
        let member = Member {
            id,
            address,
            state: MemberState::Alive,
            incarnation: u64::from(config.boot_epoch) << 32,
            metadata,
            last_update: origin,
        };
        let engine = Engine::new(config, me, Card(Some(member)), seed);
        directory.moved(engine.profiles(), me, None);
        directory.settle(engine.profiles());
        Self {
            engine,
            directory,
            me,
            clock,
            origin,
            named_timers,
            events,
            metadata_limit,
            event_limit,
            last_gossip: LastGossip::default(),
        }
    }
}

/// What happens to it.
impl GossipProtocol {
    /// Joins through `seeds`: to each exactly one `SyncRequest` and this node's own Alive. Repeated
    /// until somebody answers. Takes the place of a join that is under way; no seeds end it.
    pub fn bootstrap(&mut self, seeds: Vec<SocketAddr>) -> Vec<GossipAction> {
        self.drive(|engine, now, out| engine.join(now, &seeds, out))
    }

    /// Starts one protocol period; to be called every [`probe_interval`](Self::probe_interval)
    /// with named timers.
    pub fn tick(&mut self) -> Vec<GossipAction> {
        self.drive(|engine, now, out| engine.start_period(now, out))
    }

    /// Handles one message that came from `from`, where answers go.
    pub fn handle_message(
        &mut self,
        from: SocketAddr,
        message: GossipMessage,
    ) -> Vec<GossipAction> {
        let cards = self.engine.profiles();
        let instant = self.clock.now();
        let named = |name: &MemberId| self.directory.find(cards, name);
        match message {
            GossipMessage::Ping { seq, from: name } => {
                let member = named(&name);
                self.hear(instant, from, member, Message::Ping { seq })
            }
            GossipMessage::Ack { seq, from: name } => {
                let member = named(&name);
                self.hear(instant, from, member, Message::Ack { seq, member, coordinate: None })
            }
            GossipMessage::LocatedAck { seq, from: name, coordinate } => {
                let (member, coordinate) = (named(&name), Some(coordinate));
                self.hear(instant, from, member, Message::Ack { seq, member, coordinate })
            }
            GossipMessage::PingReq { seq, from: name, target } => {
                let (member, target) = (named(&name), named(&target));
                self.hear(instant, from, member, Message::PingReq { seq, target })
            }
            GossipMessage::Nack { seq, from: name } => {
                let relay = named(&name);
                self.hear(instant, from, relay, Message::Nack { seq, relay })
            }
            GossipMessage::SyncRequest { from: name } => {
                let member = named(&name);
                self.hear(instant, from, member, Message::SyncRequest)
            }
            GossipMessage::Gossip { updates } => {
                let mut updates = inbox::updates(&mut self.directory, cards, instant, updates);
                self.last_gossip.note(from, &updates);
                self.hear_from(instant, from, Message::Gossip(&mut updates))
            }
            GossipMessage::Sync { members } => {
                let mut updates = inbox::members(&mut self.directory, cards, members);
                self.last_gossip.forget();
                self.hear_from(instant, from, Message::Sync(&mut updates))
            }
            GossipMessage::Delta { updates, wanted } => {
                let mut updates = inbox::updates(&mut self.directory, cards, instant, updates);
                self.last_gossip.forget();
                let delta = Message::Delta { updates: &mut updates[..], wanted: &wanted };
                self.hear_from(instant, from, delta)
            }
            GossipMessage::Digest { digest } => {
                self.hear_from(instant, from, Message::Digest(inbox::digest(&digest)))
            }
            GossipMessage::Evidence { ages, accusations } => {
                self.hear_evidence(instant, from, &ages, &accusations)
            }
            other => self.hear_of_users(instant, from, other),
        }
    }

    /// Fires the timer of that name. Unknown, stale or malformed names do nothing.
    pub fn handle_timer(&mut self, timer_name: &str) -> Vec<GossipAction> {
        match timer_name::parse(timer_name, &self.directory, self.engine.profiles()) {
            Some(timer) => self.drive(|engine, now, out| engine.handle_timer(now, timer, out)),
            None => Vec::new(),
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; with owned timers.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.engine.next_timeout().map(|at| self.origin + Duration::from_micros(at.0))
    }

    /// Fires all timers that are due at `now`; with owned timers.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<GossipAction> {
        let at = Time(micros(now.saturating_duration_since(self.origin)));
        self.drive(|engine, _, out| engine.handle_timeout(at, out))
    }

    /// Compares views with a random member.
    pub fn anti_entropy_sync(&mut self) -> Vec<GossipAction> {
        self.drive(|engine, now, out| engine.start_sync(now, out))
    }

    /// Sets one key of this node's metadata and tells at most `fanout` members at once. Above the
    /// limit it changes nothing and returns nothing;
    /// [`try_change_metadata`](Self::try_change_metadata) says why.
    pub fn update_metadata(&mut self, key: String, value: String) -> Vec<GossipAction> {
        self.try_update_metadata(key, value).unwrap_or_default()
    }

    /// Like [`update_metadata`](Self::update_metadata), with the reason of a refusal.
    ///
    /// # Errors
    /// The whole map would be above its limit, or this node has left; nothing has changed.
    pub fn try_update_metadata(
        &mut self,
        key: String,
        value: String,
    ) -> Result<Vec<GossipAction>, MetadataError> {
        self.try_change_metadata([(key, value)], &[])
    }

    /// Removes one key of this node's metadata, if it is there.
    pub fn remove_metadata(&mut self, key: &str) -> Vec<GossipAction> {
        self.try_change_metadata([], &[key.to_owned()]).unwrap_or_default()
    }

    /// Removes and sets several keys of this node's metadata as one change; none at all is none.
    ///
    /// # Errors
    /// The whole map would be above its limit, or this node has left; nothing has changed.
    pub fn try_change_metadata(
        &mut self,
        set: impl IntoIterator<Item = (String, String)>,
        remove: &[String],
    ) -> Result<Vec<GossipAction>, MetadataError> {
        let mut member = self.local_member().clone();
        if member.state == MemberState::Left {
            return Err(MetadataError::Left);
        }
        let set: Vec<(String, String)> = set.into_iter().collect();
        let keys = set.iter().map(|(key, _)| key).chain(remove);
        if let Some(key) = keys.into_iter().find(|key| Member::is_reserved(key)) {
            return Err(MetadataError::Reserved { key: key.clone() });
        }
        let held = member.metadata.len();
        member.metadata.retain(|key, _| !remove.contains(key));
        if member.metadata.len() == held && set.is_empty() {
            return Ok(Vec::new());
        }
        member.metadata.extend(set);
        let limit = self.metadata_limit;
        // The protocol's own mark takes nothing from the user's share.
        let own =
            member.metadata.get_key_value(Member::DEGRADED).map(|(k, v)| (k.clone(), v.clone()));
        let len = metadata_len(&member.metadata) - metadata_len(&own.into_iter().collect());
        if len > limit {
            return Err(MetadataError::TooLarge { len, limit });
        }
        let card = Card(Some(member));
        Ok(self.drive(|engine, now, out| engine.update_profile(now, card, out)))
    }

    /// Leaves the cluster: tells at most `fanout` members at once. Keep driving it until
    /// [`has_left`](Self::has_left).
    pub fn leave(&mut self) -> Vec<GossipAction> {
        self.drive(|engine, now, out| engine.leave(now, out))
    }

    /// Slows probing down while accusations turn out wrong, and up again when they do not.
    pub fn auto_tune(&mut self) {
        self.engine.auto_tune();
    }

    fn hear(
        &mut self,
        instant: Instant,
        address: SocketAddr,
        member: Option<MemberIdx>,
        message: Incoming<'_, Card>,
    ) -> Vec<GossipAction> {
        let source = Source { member, address };
        self.drive_at(instant, |engine, now, out| engine.handle_message(now, source, message, out))
    }

    /// Messages that do not name their sender: whoever lives at that address.
    fn hear_from(
        &mut self,
        instant: Instant,
        from: SocketAddr,
        message: Incoming<'_, Card>,
    ) -> Vec<GossipAction> {
        let member = self.directory.at(self.engine.profiles(), &from);
        self.hear(instant, from, member, message)
    }

    fn hear_evidence(
        &mut self,
        instant: Instant,
        from: SocketAddr,
        ages: &[u8],
        accusations: &[Accusation],
    ) -> Vec<GossipAction> {
        if !self.last_gossip.take(from) {
            return Vec::new();
        }
        let cards = self.engine.profiles();
        let source = Source { member: self.directory.at(cards, &from), address: from };
        let last = std::mem::take(&mut self.last_gossip);
        let accused = last.accused(&self.directory, cards, accusations).into_iter();
        let actions = self.drive_at(instant, |engine, now, out| {
            engine.handle_evidence(now, source, last.ages(ages), accused, out);
        });
        self.last_gossip = last;
        actions
    }

    /// One call of the engine, its effects collected.
    fn drive(
        &mut self,
        call: impl FnOnce(&mut Engine<Card>, Time, &mut Outbox<'_>),
    ) -> Vec<GossipAction> {
        self.drive_at(self.clock.now(), call)
    }

    /// Likewise, at what the clock showed a moment ago: reading it costs as much as handling a
    /// ping does.
    fn drive_at(
        &mut self,
        instant: Instant,
        call: impl FnOnce(&mut Engine<Card>, Time, &mut Outbox<'_>),
    ) -> Vec<GossipAction> {
        let now = Time(micros(instant.saturating_duration_since(self.origin)));
        let mut out = Outbox {
            directory: &mut self.directory,
            actions: Vec::new(),
            me: self.me,
            now,
            instant,
            named_timers: self.named_timers,
            events: self.events,
            claimed: None,
        };
        call(&mut self.engine, now, &mut out);
        let actions = out.actions;
        self.directory.settle(self.engine.profiles());
        actions
    }
}
