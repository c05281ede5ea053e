//! For model checkers: a node's state as one hash, and its randomness as an input.
//!
//! Two nodes with one fingerprint do the same from now on when they are given the same, apart from
//! counters and the numbers of probes. What only tells how a node got there is left out, and times
//! count from now; so states that are reached in many ways are one.

use std::fmt::{self, Debug, Write};
use std::hash::{Hash, Hasher};

use super::Engine;
use super::output::Profile;
use crate::rng::SwimRng;
use crate::time::Time;

/// Hashes what is printed into it.
struct Printed<'a, H>(&'a mut H);

impl<H: Hasher> Write for Printed<'_, H> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// Hashes a value as it prints itself: for what holds neither times nor handles of timers.
fn print<H: Hasher>(value: &impl Debug, to: &mut H) {
    // A hasher takes everything.
    let _ = write!(Printed(to), "{value:?};");
}

impl<P: Profile> Engine<P> {
    /// From now on all randomness comes from `seed`: what the node draws next is the caller's choice.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = SwimRng::new(seed);
    }

    /// Hashes what decides what this node will do. What users tell each other is left out, coordinates,
    /// which decide nothing, and where members moved from: those of simulations never move. O(n).
    pub fn fingerprint<H: Hasher>(&self, now: Time, to: &mut H) {
        self.print_members(to);
        self.print_timers(now, to);
        self.print_probes(now, to);
        self.print_suspicions(now, to);
        self.print_queue(now, to);
        print(&(self.health, &self.tempo, &self.healing, &self.join, &self.departure), to);
        print(&self.removals, to);
        let limits = (self.corrections, self.checks, self.hints, self.sync_wait);
        print(&(self.twin, self.conflict, self.started, limits), to);
        self.only_streams.row.hash(to);
        print(&self.only_streams.comparisons, to);
        (self.paths.score, self.paths.deaf).hash(to);
        self.paths.bad.map(|at| now.since(at)).hash(to);
        self.silence(now).hash(to);
        (self.notices.clock, self.notices.checks, self.notices.knows_past).hash(to);
    }

    /// How long nobody was heard: more than a period is no more than that.
    fn silence(&self, now: Time) -> Option<std::time::Duration> {
        self.hearing.last.map(|last| now.since(last).min(self.config.probe_interval))
    }

    /// Whether round trips that were measured decide anything.
    fn measures(&self) -> bool {
        self.config.mechanisms.learned_timeout || self.config.mechanisms.early_suspicion
    }

    fn print_members<H: Hasher>(&self, to: &mut H) {
        for (member, record) in self.table.known() {
            (member, record.incarnation, record.probed).hash(to);
            print(&record.state(), to);
            self.table.profile(member).content().hash(to);
            if self.measures() {
                print(&self.table.measured(member), to);
            }
        }
        print(&self.table.ring, to);
    }

    fn print_timers<H: Hasher>(&self, now: Time, to: &mut H) {
        let mut timers: Vec<_> = self.deadlines.entries().collect();
        timers.sort_unstable();
        timers.iter().for_each(|((at, _), timer)| (at.since(now), timer).hash(to));
    }

    fn print_probes<H: Hasher>(&self, now: Time, to: &mut H) {
        self.probes.seq.hash(to);
        if self.measures() {
            print(&self.probes.typical, to);
        }
        for probe in &self.probes.open {
            (probe.member, probe.seq, probe.pings, probe.measurable).hash(to);
            (&probe.relays[..probe.asked], probe.answered, probe.tried).hash(to);
            (probe.reached, probe.repeats).hash(to);
            (now.since(probe.asked_at), probe.heard == self.hearing.messages()).hash(to);
            print(&probe.stage, to);
            if self.measures() {
                probe.sent[..probe.pings].iter().for_each(|&sent| now.since(sent).hash(to));
            }
        }
        for relay in &self.relays.open {
            (relay.seq, relay.target, relay.asker_seq, relay.nacked).hash(to);
            print(&relay.asker, to);
            if self.measures() {
                now.since(relay.sent).hash(to);
            }
        }
    }

    fn print_suspicions<H: Hasher>(&self, now: Time, to: &mut H) {
        for (member, held) in &self.suspicions.suspects {
            (member, now.since(held.started), held.told, held.grace, held.seen).hash(to);
            (held.looked, held.heard == self.hearing.messages()).hash(to);
            self.evidence_time(now).saturating_sub(held.hearing).hash(to);
            let bare = held.bare.as_ref().map(|(sender, before)| (sender, before.is_some()));
            print(&(held.accusers, held.hearsay, bare), to);
        }
        for (member, vouch) in &self.suspicions.vouched {
            (member, vouch.incarnation).hash(to);
        }
    }

    /// In the order in which it is told; how often and how long ago, not when it was put up.
    fn print_queue<H: Hasher>(&self, now: Time, to: &mut H) {
        let mut waiting: Vec<_> = self.queue.heap.entries().collect();
        waiting.sort_unstable_by_key(|(priority, _)| *priority);
        for (priority, entry) in waiting {
            let waited = self.queue.round.wrapping_sub(entry.since);
            (entry.member, priority.is_calm(), priority.sent(), entry.age, waited).hash(to);
        }
        // The longest that a round waits, be it that only streams pass.
        let longest = self.config.gossip_interval.max(self.config.probe_interval);
        now.since(self.queue.last_round).min(longest).hash(to);
        self.queue.hurried.map(|at| now.since(at).min(longest)).hash(to);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;
    use crate::config::{Config, Options};
    use crate::engine::MemberIdx;

    /// A node where only streams pass, so long after its last round of gossip.
    fn fingerprint(millis: u64) -> u64 {
        let mut engine = Engine::<()>::new(Config::from(Options::default()), MemberIdx(0), (), 7);
        (0..2).for_each(|_| engine.only_streams.answered(true));
        engine.queue.last_round = Time(1_000_000);
        let mut hasher = DefaultHasher::new();
        engine.fingerprint(Time(1_000_000 + millis * 1_000), &mut hasher);
        hasher.finish()
    }

    #[test]
    fn how_long_ago_a_round_was_counts_as_long_as_the_next_waits_for_it() {
        assert_ne!(fingerprint(300), fingerprint(900));
        assert_eq!(fingerprint(1_000), fingerprint(5_000));
    }
}
