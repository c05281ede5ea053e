//! How long each stage of a probe waits: learned from round trips, stretched by local health.

use std::time::Duration;

use super::Engine;
use super::message::MemberIdx;
use super::output::Profile;
use crate::config::Timers;
use crate::tuning;

/// Pings that are spread over the time of the relays.
const PINGS_BESIDE_RELAYS: u32 = 5;

impl<P: Profile> Engine<P> {
    /// The time-out of a direct ping: learned, capped, scaled by local health.
    pub(super) fn ping_timeout(&mut self, member: MemberIdx) -> Duration {
        let cap = self.config.probe_timeout;
        let learned = match self.config.mechanisms.learned_timeout {
            true => self.table.rtt(member).timeout(cap).unwrap_or_else(|| {
                // Nothing is known of its path: twice what answers take at all.
                self.probes.typical.timeout(cap / 2).map_or(cap, |typical| 2 * typical)
            }),
            false => cap,
        };
        match self.config.mechanisms.scaled_timeout {
            true => tuning::scaled(learned, self.health.score()),
            false => learned,
        }
    }

    /// How long a member has to answer itself before relays are asked: time for a second ping, which
    /// is cheaper than they are.
    pub(super) fn direct_wait(&self, ping_timeout: Duration) -> Duration {
        let cap = tuning::scaled(self.config.probe_timeout, self.health.score());
        match self.config.mechanisms.repeated_pings {
            true => (2 * ping_timeout).min(cap).max(ping_timeout),
            false => ping_timeout,
        }
    }

    /// How long relays have, the same on every node.
    pub(super) fn indirect_timeout(&self) -> Duration {
        let timeout = self.config.probe_timeout;
        match self.config.mechanisms.early_suspicion {
            true => timeout / 2,
            false => (self.config.probe_interval - timeout).max(timeout / 2),
        }
    }

    /// How long this node waits for relays of a probe.
    pub(super) fn indirect_wait(&mut self, member: MemberIdx) -> Duration {
        let health = self.health.score();
        match self.config.mechanisms.early_suspicion {
            true => {
                let relays = tuning::scaled(self.indirect_timeout(), health) + self.nack_travel();
                relays + self.wait_for_streams(member)
            }
            false => {
                let period = tuning::scaled(self.config.probe_interval, health);
                period.saturating_sub(self.ping_timeout(member)).max(self.indirect_timeout())
            }
        }
    }

    /// How long until a member is pinged again while relays try, `first` of all or once more.
    pub(super) fn wait_beside_relays(&mut self, member: MemberIdx, first: bool) -> Duration {
        let spread = self.indirect_wait(member) / PINGS_BESIDE_RELAYS;
        let timeout = self.ping_timeout(member);
        match first {
            _ if self.only_streams_reach(member) => spread,
            true => timeout,
            false => spread.max(timeout),
        }
    }

    /// How long the nacks of relays may be under way: they are sent when little of the time is left.
    /// Who keeps timers itself waits as long as the prototype says.
    fn nack_travel(&self) -> Duration {
        let cap = self.config.probe_timeout;
        match self.config.timers {
            Timers::Owned => self.probes.typical.timeout(cap).unwrap_or_default(),
            Timers::Named => Duration::ZERO,
        }
    }
}
