//! Anti-entropy: find out by hashes whether two views differ, and exchange what differs.
//!
//! One hash over the view, then one per bucket, then 32 bits per member of the buckets that
//! differ: in sync one datagram, else one and a half round trips. Only live members count, so that
//! the differing ends of tombstones are no difference.

use super::Engine;
use super::deadlines::Timer;
use super::membership::{Heard, Verdict};
use super::message::{Dest, DigestRef, MemberIdx, Message, Rumor, Source, Update};
use super::output::{Output, Profile, Reason};
use super::view_hash::{BUCKETS, bucket_of, buckets_for};
use crate::member::MemberState;
use crate::time::Time;

/// The first exchange after a join comes after this part of the interval.
const FIRST_SYNC: u32 = 256;

impl<P: Profile> Engine<P> {
    /// Compares views with a random live member.
    pub fn start_sync<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        self.start(now, out);
        let mut targets = std::mem::take(&mut self.targets);
        self.sample(1, &mut targets, |_, _| true);
        if let Some(&target) = targets.first() {
            self.stats.syncs_started += 1;
            self.send_view_hash(Dest::Member(target), out);
            self.tell_removals(Dest::Member(target), out);
            self.compare_notices(now, Dest::Member(target), out);
        }
        self.targets = targets;
    }

    pub(super) fn send_view_hash<O: Output<P>>(&mut self, to: Dest<P::Address>, out: &mut O) {
        let hash = self.table.view.whole();
        self.transmit(to, Message::Digest(DigestRef::View(hash)), out);
    }

    /// Compares views with a member that is pinged, for some time after news was told. Not beside
    /// news that the ping itself carried: a period sends `fanout` messages at most.
    pub(super) fn check_view<O: Output<P>>(&mut self, member: MemberIdx, out: &mut O) {
        let settled = self.checks > 0 && self.queue.len() == 0 && self.rumors.is_empty();
        if settled && self.config.mechanisms.checks && self.config.fanout > 1 {
            self.checks -= 1;
            self.send_view_hash(Dest::Member(member), out);
        }
    }

    /// Arms the next exchange, at random around its time so that nodes stay apart. The first
    /// ones after a join come soon, each next one after twice the time, up to the interval.
    pub(super) fn arm_sync<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        let Some(interval) = self.config.sync_interval else { return };
        if !self.config.mechanisms.anti_entropy {
            return;
        }
        let wait = self.sync_wait.min(interval);
        self.sync_wait = wait * 2;
        let delay = wait.mul_f64(0.75 + self.rng.unit() / 2.0);
        self.timers.sync = Some(self.arm(Timer::Sync, now, delay, out));
    }

    /// A newcomer's view has gaps: who joined at the same time, what was lost meanwhile.
    pub(super) fn sync_soon<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        let Some(interval) = self.config.sync_interval else { return };
        self.sync_wait = interval / FIRST_SYNC;
        let taken = self.timers.sync.take();
        self.disarm(taken);
        self.arm_sync(now, out);
    }

    pub(super) fn hear_digest<O: Output<P>>(
        &mut self,
        source: &Source<P::Address>,
        digest: DigestRef<'_>,
        out: &mut O,
    ) {
        let back = Dest::Address(source.address);
        match digest {
            DigestRef::View(hash) if hash != self.table.view.whole() => {
                self.stats.syncs_differing += 1;
                let of = buckets_for(self.table.n());
                let hashes: Vec<u64> = self.table.view.buckets(of).collect();
                self.transmit(back, Message::Digest(DigestRef::Buckets(&hashes)), out);
            }
            DigestRef::View(_) => {}
            DigestRef::Buckets(hashes) => self.hear_buckets(back, hashes, out),
            DigestRef::Versions { of, buckets, versions } => {
                self.hear_versions(source, of, buckets, versions, out);
            }
        }
    }

    /// The other side's bucket hashes: say what this node holds in those that differ.
    fn hear_buckets<O: Output<P>>(&mut self, back: Dest<P::Address>, hashes: &[u64], out: &mut O) {
        let of = hashes.len();
        if !is_bucket_count(of) {
            return;
        }
        let mine = self.table.view.buckets(of);
        let differing: Vec<u32> = mine
            .zip(hashes)
            .enumerate()
            .filter(|(_, (mine, theirs))| mine != *theirs)
            .map(|(bucket, _)| bucket as u32)
            .collect();
        if differing.is_empty() {
            return;
        }
        let versions: Vec<u32> =
            self.live_in(of, &differing).map(|member| self.short_version(member)).collect();
        let digest =
            DigestRef::Versions { of: of as u32, buckets: &differing, versions: &versions };
        self.transmit(back, Message::Digest(digest), out);
    }

    /// The other side's members: send what it lacks, ask for what this node lacks.
    fn hear_versions<O: Output<P>>(
        &mut self,
        source: &Source<P::Address>,
        of: u32,
        buckets: &[u32],
        versions: &[u32],
        out: &mut O,
    ) {
        if !is_bucket_count(of as usize) {
            return;
        }
        let mut theirs = versions.to_vec();
        theirs.sort_unstable();
        let mut mine = Vec::new();
        let mut lacking = Vec::new();
        for member in self.live_in(of as usize, buckets) {
            let version = self.short_version(member);
            mine.push(version);
            if theirs.binary_search(&version).is_err() {
                lacking.push(self.whole_rumor(member));
            }
        }
        mine.sort_unstable();
        theirs.retain(|version| mine.binary_search(version).is_err());
        self.send_delta(source, &lacking, &theirs, out);
    }

    fn send_delta<O: Output<P>>(
        &mut self,
        source: &Source<P::Address>,
        updates: &[Rumor],
        wanted: &[u32],
        out: &mut O,
    ) {
        if !updates.is_empty() || !wanted.is_empty() {
            self.answer_comparison(source, Message::Delta { updates, wanted }, out);
        }
    }

    /// Differences. What the other side holds alive and this node dead is settled by the member
    /// itself, which is told; what it holds dead and this node alive, by the next probe.
    pub(super) fn hear_delta<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        updates: &mut [Update<P>],
        wanted: &[u32],
        out: &mut O,
    ) {
        let heard = Heard { source: *source, reason: Reason::AntiEntropy, spread: true };
        let mut answer = Vec::new();
        for update in updates {
            let rumor = update.rumor;
            if self.is_hint(&rumor) {
                self.follow_hint(now, rumor.member, out);
                continue;
            }
            if self.apply(now, &heard, update, out) != Verdict::Stale {
                continue;
            }
            answer.push(self.whole_rumor(rumor.member));
            if !self.table.is_live(rumor.member) && self.may_correct() {
                self.tell(self.rumor(rumor.member, 0), Dest::Member(rumor.member), out);
            }
        }
        self.add_wanted(wanted, &mut answer);
        // However often one member is asked for, it is told once.
        answer.sort_unstable_by_key(|rumor| rumor.member);
        answer.dedup_by_key(|rumor| rumor.member);
        self.send_delta(source, &answer, &[], out);
    }

    /// An accusation of a member that this node holds live: worth a probe, not belief, because
    /// the other side may have been cut off.
    fn is_hint(&self, rumor: &Rumor) -> bool {
        let accusation = matches!(rumor.state, MemberState::Suspect | MemberState::Dead);
        accusation && rumor.member != self.table.me && self.table.is_live(rumor.member)
    }

    /// Probes a member at once, or, after some of that in one period, next in the round robin: half
    /// a cluster may come back at once.
    fn follow_hint<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        if self.hints > 0 {
            self.hints -= 1;
            self.probe(now, member, out);
        } else {
            self.table.probe_soon(member);
        }
    }

    fn add_wanted(&self, wanted: &[u32], answer: &mut Vec<Rumor>) {
        if wanted.is_empty() {
            return;
        }
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        for member in self.live_in(1, &[0]) {
            if wanted.binary_search(&self.short_version(member)).is_ok() {
                answer.push(self.whole_rumor(member));
            }
        }
    }

    /// What is held of a member, profile included.
    pub(super) fn whole_rumor(&self, member: MemberIdx) -> Rumor {
        let rumor = self.rumor(member, 0);
        // An exchange makes nobody an accuser, so what nobody stands up for can be told in one.
        let state = match self.is_unfounded(member) && !self.suspicions.is_untold(member) {
            true => MemberState::Suspect,
            false => rumor.state,
        };
        Rumor { with_profile: true, state, ..rumor }
    }

    /// Live members in some of `of` buckets. O(n), and only where views differ.
    fn live_in<'a>(
        &'a self,
        of: usize,
        buckets: &'a [u32],
    ) -> impl Iterator<Item = MemberIdx> + 'a {
        let mut asked = [false; BUCKETS];
        for &bucket in buckets {
            if let Some(asked) = asked.get_mut(bucket as usize) {
                *asked = true;
            }
        }
        self.table.known().filter(|(_, record)| record.is_live()).map(|(member, _)| member).filter(
            move |&member| asked[bucket_of(self.table.profile(member).identity(member), of)],
        )
    }

    fn short_version(&self, member: MemberIdx) -> u32 {
        (self.table.version(member) >> 32) as u32
    }
}

fn is_bucket_count(of: usize) -> bool {
    of.is_power_of_two() && of <= BUCKETS
}
