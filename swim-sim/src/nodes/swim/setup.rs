//! Configurations of our engine: what ships, and the baselines that it is compared with.

use std::time::Duration;

use swim_core::{Mechanisms, Options};

/// How a node is configured.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The engine's options.
    pub options: Options,
    /// Exchanges of whole views as memberlist does them, in place of digests.
    pub push_pull: Option<Duration>,
    /// How long nacks are held back beyond the engine's own delay.
    pub nack_delay: Duration,
}

/// Finds the switch of a mechanism.
type Switch = fn(&mut Mechanisms) -> &mut bool;

/// The mechanisms by name.
pub(crate) const MECHANISMS: [(&str, Switch); 21] = [
    ("repeated_pings", |it| &mut it.repeated_pings),
    ("learned_timeout", |it| &mut it.learned_timeout),
    ("early_suspicion", |it| &mut it.early_suspicion),
    ("nack", |it| &mut it.nack),
    ("local_health", |it| &mut it.local_health),
    ("scaled_timeout", |it| &mut it.scaled_timeout),
    ("absolve", |it| &mut it.absolve),
    ("stream_ping", |it| &mut it.stream_ping),
    ("by_stream", |it| &mut it.by_stream),
    ("confirmations", |it| &mut it.confirmations),
    ("buddy", |it| &mut it.buddy),
    ("deaf_guard", |it| &mut it.deaf_guard),
    ("quiet", |it| &mut it.quiet),
    ("verify", |it| &mut it.verify),
    ("first_hand", |it| &mut it.first_hand),
    ("degraded", |it| &mut it.degraded),
    ("gossip_rounds", |it| &mut it.gossip_rounds),
    ("feedback", |it| &mut it.feedback),
    ("checks", |it| &mut it.checks),
    ("anti_entropy", |it| &mut it.anti_entropy),
    ("healing", |it| &mut it.healing),
];

/// Memberlist's interval of push-pull in a data centre.
const PUSH_PULL: Duration = Duration::from_secs(30);

impl Setup {
    /// What ships.
    pub fn product() -> Self {
        Self::of(Options::lan())
    }

    /// Any options. Coordinates decide nothing, so they are off: they would only take memory.
    pub fn of(options: Options) -> Self {
        let options = Options { coordinates: false, ..options };
        Self { options, push_pull: None, nack_delay: Duration::ZERO }
    }

    /// What ships, with one mechanism taken away.
    pub fn without(mechanism: &str) -> Option<Self> {
        let (_, switch) = MECHANISMS.iter().find(|(name, _)| *name == mechanism)?;
        let mut options = Options::lan();
        *switch(&mut options.mechanisms) = false;
        Some(Self::of(options))
    }

    /// SWIM as in the paper of 2002, with suspicion of `3 * ln(n + 1)` periods.
    pub fn swim2002() -> Self {
        let mut options = Options { mechanisms: Mechanisms::plain(), ..Options::lan() };
        options.suspicion_ratio = 1;
        // 3 ln n periods of 1 s are 3 ln 10 log10 n; the unit is the probe time-out, half of one.
        options.gossip.base.suspicion_multiplier = 14;
        options.gossip.base.indirect_probes = 1;
        options.gossip.base.max_piggyback = 6;
        Self::of(options)
    }

    /// A member of the family that the Lifeguard paper compares (section 5): memberlist's base of
    /// gossip rounds, stream pings and push-pull, a suspicion of at least `alpha * log10(n)` periods
    /// and at most `beta` times that, and those `mechanisms` of Lifeguard's that are to be on.
    pub fn lifeguard_family(alpha: u32, beta: u32, mechanisms: Mechanisms) -> Self {
        let mut options = Options { mechanisms, ..Options::lan() };
        // In units of the probe time-out, which is half a period.
        options.gossip.base.suspicion_multiplier = 2 * alpha * beta;
        options.suspicion_ratio = beta;
        Self { push_pull: Some(PUSH_PULL), ..Self::of(options) }
    }

    /// What the paper calls SWIM.
    pub fn lifeguard_baseline() -> Self {
        Self::lifeguard_family(5, 1, Self::memberlist_base())
    }

    /// Lifeguard as in the paper.
    pub fn lifeguard(alpha: u32, beta: u32) -> Self {
        let mechanisms = Mechanisms { anti_entropy: false, ..Mechanisms::lifeguard() };
        Self::lifeguard_family(alpha, beta, mechanisms)
    }

    /// Memberlist's constants and quirks of 2026: alpha 4, two confirmations, a ping time-out that
    /// local health does not stretch, nacks that come when the asker has given up.
    pub fn memberlist() -> Self {
        let mechanisms = Mechanisms {
            anti_entropy: false,
            scaled_timeout: false,
            absolve: true,
            ..Mechanisms::lifeguard()
        };
        let mut setup = Self::lifeguard_family(4, 6, mechanisms);
        setup.options.confirmations = 2;
        setup.nack_delay = Duration::from_millis(100);
        setup
    }

    /// What memberlist adds to plain SWIM, without Lifeguard.
    pub fn memberlist_base() -> Mechanisms {
        Mechanisms { stream_ping: true, gossip_rounds: true, ..Mechanisms::plain() }
    }
}
