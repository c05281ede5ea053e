//! Which mechanisms are on: what comparisons switch off.

/// Switches of the mechanisms beyond plain SWIM. A field set to `false` takes one away.
///
/// ```
/// use swim_core::Mechanisms;
/// let without_nacks = Mechanisms { nack: false, ..Mechanisms::all() };
/// assert_ne!(without_nacks, Mechanisms::lifeguard());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mechanisms {
    /// Learn the ping time-out per member from measured round trips.
    pub learned_timeout: bool,
    /// Ping again within a probe, before and while relays try.
    pub repeated_pings: bool,
    /// Relays say when they have no answer (Lifeguard, section 4.1).
    pub nack: bool,
    /// A node that misses answers slows its probing down (Lifeguard, section 4.1).
    pub local_health: bool,
    /// Local health stretches the ping time-out too, not only the period.
    pub scaled_timeout: bool,
    /// A failed probe costs local health only for relays that were silent, nothing for itself.
    pub absolve: bool,
    /// Suspect as soon as relays had their time, not at the end of the period.
    pub early_suspicion: bool,
    /// Distinct accusers shorten a suspicion (Lifeguard, section 4.2).
    pub confirmations: bool,
    /// A suspect is told first (Lifeguard, section 4.3), on pings and directly.
    pub buddy: bool,
    /// Ping by stream while relays try by datagram. Needs a driver that can.
    pub stream_ping: bool,
    /// Do by stream what else goes by datagram where only streams pass. Needs `stream_ping`.
    pub by_stream: bool,
    /// Gossip rounds of their own besides piggyback.
    pub gossip_rounds: bool,
    /// Tell news less often that others tell already.
    pub feedback: bool,
    /// Compare views on the next pings after news was told.
    pub checks: bool,
    /// Periodic digest exchange.
    pub anti_entropy: bool,
    /// Try lost members and seeds at a low rate.
    pub healing: bool,
    /// A node that hears nobody declares nobody dead.
    pub deaf_guard: bool,
    /// Look for oneself at suspects that others accuse: some at once where confirmations are missing,
    /// all before they condemn.
    pub verify: bool,
    /// Tell a suspicion only after a second look failed.
    pub quiet: bool,
    /// Say of oneself that one's paths are bad.
    pub degraded: bool,
    /// An answer by the suspect itself ends the suspicion in this node's view.
    pub first_hand: bool,
}

impl Mechanisms {
    /// Everything; the default.
    pub const fn all() -> Self {
        Self {
            learned_timeout: true,
            repeated_pings: true,
            nack: true,
            local_health: true,
            scaled_timeout: true,
            absolve: true,
            early_suspicion: true,
            confirmations: true,
            buddy: true,
            stream_ping: true,
            by_stream: true,
            gossip_rounds: true,
            feedback: true,
            checks: true,
            anti_entropy: true,
            healing: true,
            deaf_guard: true,
            verify: true,
            quiet: true,
            degraded: true,
            first_hand: true,
        }
    }

    /// SWIM as in the paper of 2002: ping, relays, suspicion, piggyback.
    pub const fn plain() -> Self {
        Self {
            learned_timeout: false,
            repeated_pings: false,
            nack: false,
            local_health: false,
            scaled_timeout: false,
            absolve: false,
            early_suspicion: false,
            confirmations: false,
            buddy: false,
            stream_ping: false,
            by_stream: false,
            gossip_rounds: false,
            feedback: false,
            checks: false,
            anti_entropy: false,
            healing: false,
            deaf_guard: false,
            verify: false,
            quiet: false,
            degraded: false,
            first_hand: false,
        }
    }

    /// What the Lifeguard paper of 2018 adds, on memberlist's base of gossip rounds, stream pings
    /// and anti-entropy.
    pub const fn lifeguard() -> Self {
        Self {
            nack: true,
            local_health: true,
            scaled_timeout: true,
            confirmations: true,
            buddy: true,
            stream_ping: true,
            gossip_rounds: true,
            anti_entropy: true,
            ..Self::plain()
        }
    }
}

impl Default for Mechanisms {
    fn default() -> Self {
        Self::all()
    }
}
