//! The pure formulas of the protocol; `docs/protocol.md` lists them with their sources.

use std::time::Duration;

/// Nodes that look at a suspect at once: three confirmations, and some that are lost.
const FIRST_LOOKERS: f64 = 6.0;
/// The learned ping time-out never goes below this: a scheduler's hiccup is no failure.
pub(crate) const PING_TIMEOUT_FLOOR: Duration = Duration::from_millis(25);
/// One ack in so many carries the coordinate of who sends it: 2 bytes an ack on average.
pub(crate) const ACKS_PER_COORDINATE: u8 = 8;
/// Highest local health score; 0 is healthy (Lifeguard, section 4.1: S = 8).
pub(crate) const LOCAL_HEALTH_MAX: u8 = 8;

/// How long an unconfirmed suspicion lasts: `probe_timeout * multiplier * max(1, log10 n)`.
pub(crate) fn suspicion_max(probe_timeout: Duration, multiplier: u32, n: usize) -> Duration {
    probe_timeout.mul_f64(f64::from(multiplier) * log10(n).max(1.0))
}

/// Confirmations that a cluster of `n` live members can give of the `wanted` (Lifeguard, section
/// 4.2: K = 3): the suspect and its first accuser give none.
pub(crate) fn confirmations_possible(n: usize, wanted: u32) -> u32 {
    u32::try_from(n.saturating_sub(2)).unwrap_or(u32::MAX).min(wanted)
}

/// Lifeguard's decay (section 4.2): from `max` without confirmation to `min` with `possible` of
/// them, `max - ln(c + 1) / ln(k + 1) * (max - min)`.
pub(crate) fn suspicion_timeout(
    max: Duration,
    min: Duration,
    confirmed: u32,
    possible: u32,
) -> Duration {
    if possible == 0 {
        return max;
    }
    let share = f64::from(confirmed.min(possible) + 1).ln() / f64::from(possible + 1).ln();
    max - (max - min).mul_f64(share.clamp(0.0, 1.0))
}

/// When a node acts on its own behalf if nobody else has so far, as a part of the longest wait:
/// from `uniform`, which is between 0 and 1. Of `n` nodes about [`FIRST_LOOKERS`] act at once, the
/// others later and later, in exponentially growing numbers.
pub(crate) fn feedback_share(uniform: f64, n: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "member counts are far below 2^52")]
    let rest = n as f64 / FIRST_LOOKERS;
    if rest <= 1.0 {
        return uniform / 4.0;
    }
    (1.0 + uniform.max(f64::MIN_POSITIVE).ln() / rest.ln()).max(0.0)
}

/// How often one update is sent by one member: `multiplier * ceil(log10(n + 1))`, which counts the
/// decimal digits of `n`.
pub(crate) fn retransmit_limit(multiplier: u32, n: usize) -> u32 {
    multiplier.saturating_mul(n.max(1).ilog10() + 1)
}

/// When a relay without an answer says so: at 80 % of what the asker waits (Lifeguard, 4.1).
pub(crate) fn nack_delay(indirect_timeout: Duration) -> Duration {
    indirect_timeout.mul_f64(0.8)
}

/// Scales a duration by the local health: a node that doubts itself is slower to doubt others.
pub(crate) fn scaled(duration: Duration, local_health: u8) -> Duration {
    duration * (u32::from(local_health) + 1)
}

#[expect(clippy::cast_precision_loss, reason = "member counts are far below 2^52")]
fn log10(n: usize) -> f64 {
    (n.max(1) as f64).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(8);

    #[test]
    fn suspicion_grows_with_the_logarithm_of_the_cluster() {
        for (n, expected) in [(1, 2500), (10, 2500), (100, 5000), (1000, 7500)] {
            let max = suspicion_max(Duration::from_millis(500), 5, n);
            assert_eq!(max.as_millis(), expected, "n = {n}");
        }
    }

    #[test]
    fn confirmations_shorten_a_suspicion_to_its_minimum_and_no_further() {
        let steps: Vec<_> = (0..=5).map(|c| suspicion_timeout(MAX, MAX / 2, c, 3)).collect();
        assert_eq!(steps[0], MAX);
        assert!(steps.windows(2).all(|pair| pair[1] <= pair[0]));
        assert_eq!(steps[3], MAX / 2);
        assert_eq!(steps[5], MAX / 2);
    }

    #[test]
    fn without_possible_confirmers_a_suspicion_lasts_its_maximum() {
        assert_eq!(confirmations_possible(2, 3), 0);
        assert_eq!(suspicion_timeout(MAX, MAX / 2, 0, 0), MAX);
    }

    /// The shares of many nodes whose random numbers lie evenly between 0 and 1.
    fn shares(n: usize) -> Vec<f64> {
        const DRAWS: u32 = 60_000;
        (0..=DRAWS).map(|i| feedback_share(f64::from(i) / f64::from(DRAWS), n)).collect()
    }

    #[test]
    fn of_any_number_of_nodes_about_six_act_at_once() {
        for n in [12, 100, 1_000, 10_000] {
            let shares = shares(n);
            let at_once = shares.iter().filter(|share| **share == 0.0).count();
            let expected = at_once as f64 / shares.len() as f64 * n as f64;
            assert!((5.5..=6.5).contains(&expected), "{expected} of {n}");
        }
    }

    #[test]
    fn the_others_act_later_and_later_in_exponentially_growing_numbers() {
        let shares = shares(10_000);
        assert!(shares.is_sorted() && shares.iter().all(|share| (0.0..=1.0).contains(share)));
        let until = |end: f64| shares.iter().filter(|share| **share <= end).count() as f64;
        for end in [0.25, 0.5, 0.75] {
            let growth = until(end + 0.25) / until(end);
            assert!((6.0..=6.8).contains(&growth), "{growth}: the fourth root of 10,000 / 6");
        }
    }

    #[test]
    fn in_a_small_cluster_all_act_soon() {
        for n in [0, 1, 3, 6] {
            assert!(shares(n).iter().all(|share| (0.0..=0.25).contains(share)), "n = {n}");
        }
    }

    #[test]
    fn retransmit_limit_counts_decimal_digits() {
        for (n, digits) in [(0, 1), (1, 1), (9, 1), (10, 2), (99, 2), (100, 3), (999, 3), (1000, 4)]
        {
            assert_eq!(retransmit_limit(4, n), 4 * digits, "n = {n}");
        }
    }
}
