//! Every knob, with its unit, default and price.

use std::time::Duration;

use crate::error::ConfigError;
use crate::mechanisms::Mechanisms;
use crate::wire_size;

/// The prototype's base configuration. The default is the LAN profile.
#[derive(Debug, Clone)]
pub struct GossipConfig {
    /// Milliseconds between two probes by one member, default 1,000. Detection time grows with
    /// it, load shrinks with it.
    pub probe_interval: u64,
    /// Milliseconds a direct ping may take at most, default 500, at most `probe_interval`. The
    /// time-out actually used is learned from round trips and is usually far shorter.
    pub probe_timeout: u64,
    /// Relays asked when a direct ping fails, default 3, at most 8. Each one divides the chance of
    /// a false suspicion by the reciprocal of the loss of a round trip.
    pub indirect_probes: usize,
    /// An unconfirmed suspicion lasts `probe_timeout * suspicion_multiplier * max(1, log10 n)`,
    /// default 5. Detection time grows with it, false deaths shrink with it.
    pub suspicion_multiplier: u32,
    /// Members gossiped to in one round, default 3; also the most messages that one `tick` sends.
    pub fanout: usize,
    /// Updates in one `Gossip`, default 10.
    pub max_piggyback: usize,
}

impl Default for GossipConfig {
    fn default() -> Self {
        Self {
            probe_interval: 1_000,
            probe_timeout: 500,
            indirect_probes: 3,
            suspicion_multiplier: 5,
            fanout: 3,
            max_piggyback: 10,
        }
    }
}

impl GossipConfig {
    /// For members in one process or on one machine: twice as fast as a LAN.
    pub fn local() -> Self {
        Self { probe_interval: 500, probe_timeout: 200, ..Self::default() }
    }

    /// For members in one data centre; the same as the default.
    pub fn lan() -> Self {
        Self::default()
    }

    /// For members on several continents.
    pub fn wan() -> Self {
        Self { probe_interval: 5_000, probe_timeout: 3_000, fanout: 4, ..Self::default() }
    }
}

/// The prototype's advanced configuration.
#[derive(Debug, Clone)]
pub struct AdvancedGossipConfig {
    /// The base configuration.
    pub base: GossipConfig,
    /// Milliseconds between two digest exchanges with a random member, default 30,000; 0 switches
    /// them off. In sync one exchange costs one datagram.
    pub anti_entropy_interval: u64,
    /// Updates waiting to be gossiped, at most, default 4,096, at most 65,534. When it is full the
    /// most-sent update goes, counted; anti-entropy repairs what that loses.
    pub broadcast_queue_size: usize,
    /// Each update is sent at most `retransmit_mult * ceil(log10(n + 1))` times, default 4.
    pub retransmit_mult: u32,
    /// Whether every `tick` calls `auto_tune`, default no.
    pub dynamic_tuning: bool,
}

impl Default for AdvancedGossipConfig {
    fn default() -> Self {
        Self {
            base: GossipConfig::default(),
            anti_entropy_interval: 30_000,
            broadcast_queue_size: 4_096,
            retransmit_mult: 4,
            dynamic_tuning: false,
        }
    }
}

impl AdvancedGossipConfig {
    /// For members in one process or on one machine.
    pub fn local() -> Self {
        Self { base: GossipConfig::local(), anti_entropy_interval: 15_000, ..Self::default() }
    }

    /// For members in one data centre; the same as the default.
    pub fn lan() -> Self {
        Self::default()
    }

    /// For members on several continents.
    pub fn wan() -> Self {
        Self { base: GossipConfig::wan(), anti_entropy_interval: 60_000, ..Self::default() }
    }
}

/// Who keeps the time-outs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timers {
    /// The protocol: the driver sleeps until `next_timeout` and calls `handle_timeout`, which also
    /// starts the protocol periods. No `ScheduleTimer` is emitted and `tick` is not called.
    #[default]
    Owned,
    /// The caller: it keeps what `ScheduleTimer` names, hands each name back through
    /// `handle_timer`, and calls `tick` every `probe_interval()`.
    Named,
}

/// Everything that can be set, beyond the prototype's configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// The prototype's configuration.
    pub gossip: AdvancedGossipConfig,
    /// Milliseconds between two gossip rounds while there is something to say, default 200.
    pub gossip_interval: u64,
    /// An unconfirmed suspicion lasts this many times a fully confirmed one, default 2, at most 100.
    /// 1 makes confirmations useless; more trusts accusers more.
    pub suspicion_ratio: u32,
    /// Confirmations that bring a suspicion to its least time, default 3, at most 3.
    pub confirmations: u32,
    /// Bytes of one datagram, envelope included, default 1,400, from 1,024 to 65,000.
    pub datagram_budget: usize,
    /// Of these, bytes of the envelope around the messages, default 70, at most 128: enough for
    /// the longest name of a cluster. A driver that knows the name knows how many are needed.
    pub envelope: usize,
    /// Bytes that a member's metadata may take on the wire ([`metadata_len`](crate::metadata_len)),
    /// default 512, at most half of `datagram_budget`.
    pub metadata_limit: usize,
    /// Bytes that an event or a query may take on the wire, default 65,536, from 0 to 1,048,576.
    /// What does not fit a datagram is announced, and fetched by stream.
    pub event_limit: usize,
    /// Where the clock of events starts, default 0: what it was, as
    /// [`event_clock`](crate::GossipProtocol::event_clock) said, before a restart. Events up to then
    /// are not heard again.
    pub event_clock: u64,
    /// Upper half of the incarnation that this node starts with, default 0. A value that grows
    /// with every start, such as the Unix time in seconds, lets a restarted node take its name
    /// back at once instead of after a round of correction.
    pub boot_epoch: u32,
    /// Milliseconds between two attempts to reach a lost member or seed, default 5,000. The price
    /// is at most one small datagram in that time, and none while nobody is lost.
    pub healing_interval: u64,
    /// Milliseconds for which a dead or departed member is remembered, default 300,000. Stale news
    /// must not outlive it.
    pub dead_retention: u64,
    /// Whether members tell each other their network coordinates, default yes, for
    /// [`round_trip_estimate`](crate::GossipProtocol::round_trip_estimate). The price is 16 bytes on
    /// one ack in eight, and 15 bytes of memory a member.
    pub coordinates: bool,
    /// Which mechanisms are on, default all.
    pub mechanisms: Mechanisms,
    /// Who keeps the time-outs.
    pub timers: Timers,
    /// Whether `GossipAction::Event` explains each change, default no.
    pub events: bool,
    /// Seed of all randomness; `None` takes one from the operating system.
    pub seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gossip: AdvancedGossipConfig::default(),
            gossip_interval: 200,
            suspicion_ratio: 2,
            confirmations: 3,
            datagram_budget: 1_400,
            envelope: wire_size::ENVELOPE,
            metadata_limit: 512,
            event_limit: 65_536,
            event_clock: 0,
            boot_epoch: 0,
            healing_interval: 5_000,
            dead_retention: 300_000,
            coordinates: true,
            mechanisms: Mechanisms::all(),
            timers: Timers::default(),
            events: false,
            seed: None,
        }
    }
}

impl Options {
    /// For members in one process or on one machine.
    pub fn local() -> Self {
        Self {
            gossip: AdvancedGossipConfig::local(),
            gossip_interval: 100,
            healing_interval: 2_000,
            dead_retention: 60_000,
            ..Self::default()
        }
    }

    /// For members in one data centre; the same as the default.
    pub fn lan() -> Self {
        Self::default()
    }

    /// For members on several continents.
    pub fn wan() -> Self {
        Self {
            gossip: AdvancedGossipConfig::wan(),
            gossip_interval: 500,
            healing_interval: 15_000,
            dead_retention: 900_000,
            ..Self::default()
        }
    }

    /// The same with every nonsensical value moved to the nearest that makes sense: what
    /// [`GossipProtocol::new`](crate::GossipProtocol::new), which cannot fail, does.
    #[must_use]
    pub fn clamped(mut self) -> Self {
        let base = &mut self.gossip.base;
        base.probe_interval = base.probe_interval.clamp(2, MAX_MILLIS);
        base.probe_timeout = base.probe_timeout.clamp(2, base.probe_interval);
        base.indirect_probes = base.indirect_probes.min(MAX_RELAYS);
        base.suspicion_multiplier = base.suspicion_multiplier.clamp(1, 1_000);
        base.fanout = base.fanout.clamp(1, MAX_FANOUT);
        base.max_piggyback = base.max_piggyback.clamp(1, MAX_PIGGYBACK);
        let gossip = &mut self.gossip;
        gossip.anti_entropy_interval = gossip.anti_entropy_interval.min(MAX_MILLIS);
        gossip.broadcast_queue_size = gossip.broadcast_queue_size.clamp(1, MAX_QUEUE);
        gossip.retransmit_mult = gossip.retransmit_mult.clamp(1, 1_000);
        self.gossip_interval = self.gossip_interval.clamp(1, MAX_MILLIS);
        self.suspicion_ratio = self.suspicion_ratio.clamp(1, 100);
        self.confirmations = self.confirmations.min(MAX_CONFIRMATIONS);
        self.datagram_budget = self.datagram_budget.clamp(MIN_DATAGRAM, MAX_DATAGRAM);
        self.envelope = self.envelope.min(MAX_ENVELOPE);
        self.metadata_limit = self.metadata_limit.min(self.datagram_budget / 2);
        self.event_limit = self.event_limit.min(MAX_EVENT);
        self.event_clock = self.event_clock.min(MAX_CLOCK);
        self.healing_interval = self.healing_interval.clamp(1, MAX_MILLIS);
        self.dead_retention = self.dead_retention.clamp(1, MAX_MILLIS);
        self.boot_epoch = self.boot_epoch.min(MAX_EPOCH);
        self
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first of the [`problems`](Self::problems); the error names both values of a clash.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// Everything that is wrong: values out of range, then those that clash with one another. A clash
    /// with a value that is out of range itself is only a consequence, and is not told.
    pub fn problems(&self) -> Vec<ConfigError> {
        let GossipConfig { probe_timeout, probe_interval, .. } = self.gossip.base;
        let late = probe_timeout > probe_interval;
        let fixed = self.clone().clamped().ranged_values();
        let mut problems = Vec::new();
        for ((name, value, range), (_, nearest, _)) in self.ranged_values().into_iter().zip(fixed) {
            // A time-out is bounded by its interval: that is a clash.
            if value != nearest && !(late && name == "probe_timeout") {
                problems.push(ConfigError::OutOfRange { name, value, range });
            }
        }
        let fits = |wanted: &str| {
            let is = |problem: &ConfigError| matches!(problem, ConfigError::OutOfRange { name, .. } if *name == wanted);
            !problems.iter().any(is)
        };
        let (datagram_budget, metadata_limit) = (self.datagram_budget, self.metadata_limit);
        let large = metadata_limit > datagram_budget / 2;
        let clashes = [
            (late && fits("probe_interval"))
                .then_some(ConfigError::TimeoutAboveInterval { probe_timeout, probe_interval }),
            (large && fits("datagram_budget"))
                .then_some(ConfigError::MetadataAboveBudget { metadata_limit, datagram_budget }),
        ];
        problems.extend(clashes.into_iter().flatten());
        problems
    }

    /// Every value that has a range of its own.
    fn ranged_values(&self) -> [(&'static str, u64, &'static str); 19] {
        let gossip = &self.gossip;
        let base = &gossip.base;
        [
            ("probe_interval", base.probe_interval, "2 ms to 7 days"),
            ("probe_timeout", base.probe_timeout, "2 ms to probe_interval"),
            ("indirect_probes", base.indirect_probes as u64, "0 to 8"),
            ("suspicion_multiplier", base.suspicion_multiplier.into(), "1 to 1000"),
            ("fanout", base.fanout as u64, "1 to 64"),
            ("max_piggyback", base.max_piggyback as u64, "1 to 255"),
            ("anti_entropy_interval", gossip.anti_entropy_interval, "0 ms to 7 days"),
            ("broadcast_queue_size", gossip.broadcast_queue_size as u64, "1 to 65534"),
            ("retransmit_mult", gossip.retransmit_mult.into(), "1 to 1000"),
            ("gossip_interval", self.gossip_interval, "1 ms to 7 days"),
            ("suspicion_ratio", self.suspicion_ratio.into(), "1 to 100"),
            ("confirmations", self.confirmations.into(), "0 to 3"),
            ("datagram_budget", self.datagram_budget as u64, "1024 to 65000 bytes"),
            ("envelope", self.envelope as u64, "0 to 128 bytes"),
            ("event_limit", self.event_limit as u64, "0 to 1048576 bytes"),
            ("event_clock", self.event_clock, "0 to 2^63"),
            ("healing_interval", self.healing_interval, "1 ms to 7 days"),
            ("dead_retention", self.dead_retention, "1 ms to 7 days"),
            ("boot_epoch", self.boot_epoch.into(), "0 to 4294967293"),
        ]
    }
}

/// Most relays of one indirect probe.
pub(crate) const MAX_RELAYS: usize = 8;
/// A suspicion keeps its first accuser and so many more.
const MAX_CONFIRMATIONS: u32 = crate::engine::MAX_ACCUSERS as u32 - 1;
const MAX_FANOUT: usize = 64;
const MAX_PIGGYBACK: usize = 255;
/// A record names its place in the queue in 16 bits.
const MAX_QUEUE: usize = 65_534;
const MIN_DATAGRAM: usize = 1_024;
const MAX_DATAGRAM: usize = 65_000;
/// The least datagram still has room for the longest name with the most metadata.
const MAX_ENVELOPE: usize = 128;
/// Receivers refuse longer ones.
pub(crate) const MAX_EVENT: usize = 1 << 20;
/// Notices above it are refused by all members.
pub(crate) const MAX_CLOCK: u64 = 1 << 63;
/// The incarnations of the two above it are refused by all members.
const MAX_EPOCH: u32 = u32::MAX - 2;
const MAX_MILLIS: u64 = 7 * 24 * 3_600 * 1_000;

/// What the engine runs on: valid by construction.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) probe_interval: Duration,
    pub(crate) probe_timeout: Duration,
    pub(crate) indirect_probes: usize,
    pub(crate) suspicion_multiplier: u32,
    pub(crate) fanout: usize,
    pub(crate) max_piggyback: usize,
    pub(crate) sync_interval: Option<Duration>,
    pub(crate) queue_size: usize,
    pub(crate) retransmit_mult: u32,
    pub(crate) dynamic_tuning: bool,
    pub(crate) gossip_interval: Duration,
    pub(crate) suspicion_ratio: u32,
    pub(crate) confirmations: u32,
    pub(crate) datagram_budget: usize,
    pub(crate) envelope: usize,
    pub(crate) event_limit: usize,
    pub(crate) event_clock: u64,
    pub(crate) boot_epoch: u32,
    pub(crate) healing_interval: Duration,
    pub(crate) dead_retention: Duration,
    pub(crate) coordinates: bool,
    pub(crate) mechanisms: Mechanisms,
    pub(crate) timers: Timers,
}

impl From<Options> for Config {
    /// Clamps nonsense first; see [`Options::clamped`].
    fn from(options: Options) -> Self {
        let options = options.clamped();
        let base = &options.gossip.base;
        let interval = options.gossip.anti_entropy_interval;
        Self {
            probe_interval: Duration::from_millis(base.probe_interval),
            probe_timeout: Duration::from_millis(base.probe_timeout),
            indirect_probes: base.indirect_probes,
            suspicion_multiplier: base.suspicion_multiplier,
            fanout: base.fanout,
            max_piggyback: base.max_piggyback,
            sync_interval: (interval > 0).then(|| Duration::from_millis(interval)),
            queue_size: options.gossip.broadcast_queue_size,
            retransmit_mult: options.gossip.retransmit_mult,
            dynamic_tuning: options.gossip.dynamic_tuning,
            gossip_interval: Duration::from_millis(options.gossip_interval),
            suspicion_ratio: options.suspicion_ratio,
            confirmations: options.confirmations,
            datagram_budget: options.datagram_budget,
            envelope: options.envelope,
            event_limit: options.event_limit,
            event_clock: options.event_clock,
            boot_epoch: options.boot_epoch,
            healing_interval: Duration::from_millis(options.healing_interval),
            dead_retention: Duration::from_millis(options.dead_retention),
            coordinates: options.coordinates,
            mechanisms: options.mechanisms,
            timers: options.timers,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::member::MemberId;

    #[test]
    fn every_preset_is_valid() {
        for options in [Options::default(), Options::local(), Options::lan(), Options::wan()] {
            options.validate().unwrap();
        }
    }

    #[test]
    fn a_timeout_above_its_interval_is_refused_with_both_values() {
        let mut options = Options::default();
        options.gossip.base.probe_timeout = 1_500;
        let error = options.validate().unwrap_err().to_string();
        assert!(error.contains("1500") && error.contains("1000"), "{error}");
    }

    #[test]
    fn metadata_above_half_a_datagram_is_refused_with_both_values() {
        let options = Options { metadata_limit: 900, ..Options::default() };
        let error = options.validate().unwrap_err().to_string();
        assert!(error.contains("900") && error.contains("1400"), "{error}");
    }

    #[test]
    fn a_value_out_of_its_range_is_refused_by_name() {
        let mut options = Options::default();
        options.gossip.base.fanout = 0;
        let error = options.validate().unwrap_err().to_string();
        assert!(error.contains("fanout") && error.contains('0'), "{error}");
    }

    #[test]
    fn all_that_is_wrong_is_told_and_no_consequence_of_it() {
        let mut options = Options { metadata_limit: 1_000, ..Options::default() };
        options.gossip.base.probe_interval = 0;
        options.gossip.base.fanout = 65;
        let problems = options.problems().into_iter().map(|problem| problem.to_string());
        let expected = [
            "probe_interval of 0 is not within 2 ms to 7 days",
            "fanout of 65 is not within 1 to 64",
            "metadata_limit of 1000 bytes is above half of datagram_budget of 1400 bytes",
        ];
        assert_eq!(problems.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_epoch_whose_incarnations_nobody_believes_is_refused() {
        let options = Options { boot_epoch: u32::MAX, ..Options::default() };
        let error = options.validate().unwrap_err().to_string();
        assert!(error.contains("boot_epoch") && error.contains("4294967295"), "{error}");
    }

    #[test]
    fn clamping_makes_any_nonsense_valid() {
        let mut options = Options { boot_epoch: u32::MAX, ..Options::default() };
        options.gossip.base = GossipConfig {
            probe_interval: 0,
            probe_timeout: u64::MAX,
            indirect_probes: usize::MAX,
            suspicion_multiplier: 0,
            fanout: 0,
            max_piggyback: 0,
        };
        (options.metadata_limit, options.envelope) = (usize::MAX, usize::MAX);
        options.clamped().validate().unwrap();
    }

    #[test]
    fn the_least_datagram_has_room_for_the_largest_update() {
        let name = wire_size::text(MemberId::MAX_LEN);
        let address = wire_size::address(&SocketAddr::from(([0; 16], 0)));
        let metadata = wire_size::text(MIN_DATAGRAM / 2);
        let update = wire_size::record(u64::MAX) + name + address + metadata;
        assert!(MAX_ENVELOPE + wire_size::GOSSIP + update <= MIN_DATAGRAM);
    }
}
