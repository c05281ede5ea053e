//! What a node knows: of itself, of the members, and of how it fares.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::GossipProtocol;
use crate::engine::MemberIdx;
use crate::member::{Member, MemberId, MemberState};
use crate::stats::{ConvergenceStats, Stats};

/// What it knows.
impl GossipProtocol {
    /// This node as a member.
    pub fn local_member(&self) -> &Member {
        // Its own card is there from the start and never removed.
        self.engine.profiles()[self.me.0 as usize].member().expect("this node has a card")
    }

    /// What is held of a member.
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.shown(self.directory.find(self.engine.profiles(), id)?)
    }

    /// What is held of a member, be it only the tombstone of one that was pruned.
    pub fn held(&self, id: &MemberId) -> Option<&Member> {
        let cards = self.engine.profiles();
        cards.get(self.directory.find(cards, id)?.0 as usize)?.member()
    }

    /// How many members are held, this node and those that [`held`](Self::held) alone shows included:
    /// what memory grows by. O(1).
    pub fn held_count(&self) -> usize {
        self.directory.len()
    }

    /// The index of a member that is shown.
    pub(super) fn find(&self, id: &MemberId) -> Option<MemberIdx> {
        let found = self.directory.find(self.engine.profiles(), id);
        found.filter(|&at| self.shown(at).is_some())
    }

    /// The member that lives at an address, live ones first.
    pub fn member_at(&self, address: &SocketAddr) -> Option<&Member> {
        let shown = |at| self.shown(at).is_some();
        self.shown(self.directory.at_of(self.engine.profiles(), address, shown)?)
    }

    /// Whether anything is held of who lives or lived at an address, be it only the tombstone of one
    /// that was pruned.
    pub fn remembers(&self, address: &SocketAddr) -> bool {
        self.directory.at(self.engine.profiles(), address).is_some()
    }

    /// Members held Alive, this node included unless it left. O(n).
    pub fn alive_members(&self) -> Vec<&Member> {
        self.members().filter(|member| member.state == MemberState::Alive).collect()
    }

    /// All members, dead and departed ones included until they are forgotten. O(n).
    pub fn all_members(&self) -> Vec<&Member> {
        self.members().collect()
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        (0..self.engine.profiles().len()).filter_map(|at| self.shown(MemberIdx(at as u32)))
    }

    /// A member, unless it was pruned.
    fn shown(&self, at: MemberIdx) -> Option<&Member> {
        let member = self.engine.profiles().get(at.0 as usize)?.member()?;
        let pruned = member.state == MemberState::Left && self.engine.is_pruned(at);
        (!pruned).then_some(member)
    }

    /// How many members are held Alive. O(1).
    pub fn cluster_size(&self) -> usize {
        self.engine.alive_count()
    }

    /// How many members were pruned, so that they are not shown, and are not forgotten so far. O(removed
    /// members).
    pub fn pruned_count(&self) -> usize {
        self.engine.pruned_count()
    }

    /// Whether a member is held Alive.
    pub fn is_alive(&self, id: &MemberId) -> bool {
        self.member(id).is_some_and(|member| member.state == MemberState::Alive)
    }

    /// What a member says of itself.
    pub fn get_metadata(&self, id: &MemberId) -> Option<&HashMap<String, String>> {
        self.member(id).map(|member| &member.metadata)
    }

    /// How long news waits for the next gossip round: the configured interval; where only streams pass,
    /// at least a probe interval.
    pub fn gossip_interval(&self) -> Duration {
        self.engine.gossip_interval()
    }

    /// How long to wait before the next [`tick`](Self::tick): the configured interval, scaled by
    /// local health and tuning.
    pub fn probe_interval(&self) -> Duration {
        self.engine.probe_interval()
    }

    /// How long an unconfirmed suspicion lasts at a healthy node:
    /// `probe_timeout * suspicion_multiplier * max(1, log10 n)`.
    pub fn suspicion_timeout(&self) -> Duration {
        self.engine.suspicion_timeout()
    }

    /// Measured from this node's traffic; 0.0 where there is no data.
    pub fn convergence_stats(&self) -> ConvergenceStats {
        self.engine.stats().convergence()
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        self.engine.stats()
    }

    /// Local health (Lifeguard): 0 is healthy, 8 the worst.
    pub fn local_health(&self) -> u8 {
        self.engine.local_health()
    }

    /// Smoothed round trip to a member, if one was measured.
    pub fn round_trip(&mut self, id: &MemberId) -> Option<Duration> {
        let at = self.find(id)?;
        self.engine.round_trip(at)
    }

    /// Updates waiting to be told.
    pub fn queue_len(&self) -> usize {
        self.engine.queue_len()
    }

    /// Hash of the view of live members: equal views have equal hashes.
    pub fn view_hash(&self) -> u64 {
        self.engine.view_hash()
    }

    /// How often the seeds were asked in vain so far; `None` when no join is under way.
    pub fn join_attempts(&self) -> Option<u32> {
        self.engine.join_attempts()
    }

    /// Whether this node left and need not wait any longer for others to hear it.
    pub fn has_left(&self) -> bool {
        self.engine.has_left()
    }
}
