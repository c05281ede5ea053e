//! What one node has seen and done: counters that only grow, and what follows from them.

macro_rules! stats {
    ($($(#[doc = $help:literal])* pub $name:ident: u64,)*) => {
        /// Counters since the start of this node.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[doc = $help])* pub $name: u64,)*
        }

        impl Stats {
            /// All counters in the order of the fields: name, value, and what is said of it above.
            /// For exporters.
            pub fn entries(&self) -> impl Iterator<Item = (&'static str, u64, &'static str)> + use<> {
                [$((stringify!($name), self.$name, concat!($($help),*).trim_ascii_start()),)*].into_iter()
            }
        }
    };
}

stats! {
    /// Messages sent, each as one however many share a datagram.
    pub messages_sent: u64,
    /// Messages handled.
    pub messages_received: u64,
    /// Probes of members, the repeated ones not counted.
    pub probes: u64,
    /// Probes that neither the member nor a relay answered.
    pub probes_failed: u64,
    /// Probes that were answered by stream, and not by datagram before.
    pub answers_by_stream: u64,
    /// Round trips of direct probes that were measured.
    pub round_trips: u64,
    /// Network coordinates out of all bounds, refused.
    pub coordinates_refused: u64,
    /// Updates that changed what this node holds.
    pub updates_learned: u64,
    /// Updates that were known, stale or refused.
    pub updates_ignored: u64,
    /// Alive claims with an incarnation that no honest member reaches, refused.
    pub incarnations_refused: u64,
    /// Times that a live member became Suspect here.
    pub suspicions: u64,
    /// Times that a live member became Dead here.
    pub deaths: u64,
    /// Suspicions and deaths that their subject later refuted.
    pub refuted: u64,
    /// Members that somebody declared gone for good: removals that took effect here.
    pub removals: u64,
    /// Times that this node refuted what was said of it.
    pub own_refutations: u64,
    /// Suspicions that were armed again because this node heard nobody.
    pub deaf: u64,
    /// Updates that the full broadcast queue dropped.
    pub broadcasts_dropped: u64,
    /// Requests to relay a ping that were dropped because too many were open.
    pub relays_dropped: u64,
    /// Digest exchanges started.
    pub syncs_started: u64,
    /// Digests of others that differed from this node's view.
    pub syncs_differing: u64,
    /// Attempts to reach lost members and seeds.
    pub healing_attempts: u64,
    /// Corrections of senders who hold a wrong view of themselves.
    pub corrections: u64,
    /// Times that this node found its own paths bad and said so.
    pub degradations: u64,
    /// Two nodes under one name, or two claims at one incarnation.
    pub conflicts: u64,
    /// Notices (events and queries of users) that were submitted here.
    pub notices_sent: u64,
    /// Notices of others that reached this node's user.
    pub notices_heard: u64,
    /// Notices that had been heard before.
    pub notices_known: u64,
    /// Notices from before this node's time, or too late to be told from those heard before.
    pub notices_old: u64,
    /// Notices from who is no live member, or that make no sense, refused.
    pub notices_refused: u64,
    /// Notices that reached the user before one that they follow from, which had not come in time.
    pub notices_disordered: u64,
    /// Notices that this node knew of and did not get when it asked for them.
    pub notices_missed: u64,
    /// Notices that this node stopped telling before its share was done, for want of room; others
    /// may still tell them.
    pub notices_dropped: u64,
    /// Answers to queries that are not open or of who is not known, that were not passed on, or
    /// that had nobody to go to.
    pub answers_refused: u64,
    /// Comparisons of recent notices that showed a difference.
    pub notice_syncs_differing: u64,
    /// Fresh updates whose age was known.
    pub ages_known: u64,
    /// Sum of the ages of fresh updates, in gossip rounds.
    pub ages_sum: u64,
}

/// How well news travels and how often it is wrong, measured from this node's traffic.
#[derive(Debug, Clone)]
pub struct ConvergenceStats {
    /// Gossip rounds that fresh updates took to arrive here, mean.
    pub avg_rounds_to_converge: f64,
    /// Messages sent per update learned.
    pub message_overhead: f64,
    /// Suspicions and deaths that were later refuted, as a share of all.
    pub false_positive_rate: f64,
}

impl Stats {
    /// The ratios of the counters; 0.0 where there is no data.
    pub fn convergence(&self) -> ConvergenceStats {
        ConvergenceStats {
            avg_rounds_to_converge: ratio(self.ages_sum, self.ages_known),
            message_overhead: ratio(self.messages_sent, self.updates_learned),
            false_positive_rate: ratio(self.refuted, self.suspicions + self.deaths).min(1.0),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of counters")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_data_every_ratio_is_zero() {
        let stats = Stats::default().convergence();
        assert_eq!(stats.avg_rounds_to_converge, 0.0);
        assert_eq!(stats.message_overhead, 0.0);
        assert_eq!(stats.false_positive_rate, 0.0);
    }

    #[test]
    fn ratios_are_those_of_the_counters() {
        let stats = Stats {
            messages_sent: 30,
            updates_learned: 10,
            suspicions: 3,
            deaths: 1,
            refuted: 1,
            ages_known: 4,
            ages_sum: 10,
            ..Stats::default()
        };
        let convergence = stats.convergence();
        assert_eq!(convergence.message_overhead, 3.0);
        assert_eq!(convergence.false_positive_rate, 0.25);
        assert_eq!(convergence.avg_rounds_to_converge, 2.5);
    }
}
