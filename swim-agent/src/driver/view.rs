//! What users see: the snapshot of members, and events.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use swim_core::{
    EventKind, GossipMessage, GossipProtocol, Member, MemberEvent, MemberId, MemberState,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::history::History;
use super::hosts::Hosts;
use crate::event::{Event, StreamItem};
use crate::event_log::Writer;
use crate::history::{FailedProbe, Incident};
use crate::info::{Missing, Standstill, StateCounts};
use crate::members::{MemberInfo, Members, Version, version};
use crate::state::{Keeper, Place};

/// The view that users have, brought in line with the protocol after each input.
pub(super) struct View {
    members: Members,
    /// Which version of this node's own record it shows.
    own: Version,
    publish: watch::Sender<Members>,
    /// Where the live ones of them are.
    hosts: Arc<Hosts>,
    events: Writer,
    /// Whose records may have changed since the last [`publish`](Self::publish).
    touched: Vec<MemberId>,
    /// What has happened since.
    news: Vec<StreamItem>,
    /// What is remembered of it.
    history: History,
    /// Who lived where before the restart and has not been seen since.
    missing: BTreeMap<String, SocketAddr>,
    /// When this node last stood still until, and how long.
    standstill: Option<(Instant, Duration)>,
}

impl View {
    pub(super) fn new(
        members: Members,
        publish: watch::Sender<Members>,
        events: Writer,
        missing: BTreeMap<String, SocketAddr>,
    ) -> Self {
        let own = members.local().version();
        Self {
            members,
            own,
            publish,
            hosts: Arc::default(),
            events,
            touched: Vec::new(),
            news: Vec::new(),
            history: History::default(),
            missing,
            standstill: None,
        }
    }

    /// On which hosts other live members are, as of the last [`publish`](Self::publish).
    pub(super) fn hosts(&self) -> &Arc<Hosts> {
        &self.hosts
    }

    /// This node stood still until now.
    pub(super) fn stood_still(&mut self, lasted: Duration) {
        self.standstill = Some((Instant::now(), lasted));
    }

    /// When it last did.
    pub(super) fn standstill(&self) -> Option<Standstill> {
        self.standstill.map(|(until, lasted)| Standstill { lasted, ago: until.elapsed() })
    }

    pub(super) fn counts(&self) -> StateCounts {
        let count = |state| self.members.count(state);
        StateCounts {
            alive: count(MemberState::Alive),
            suspect: count(MemberState::Suspect),
            dead: count(MemberState::Dead),
            left: count(MemberState::Left),
        }
    }

    /// How many members are known, whatever their state.
    pub(super) fn members(&self) -> usize {
        self.members.len()
    }

    /// Whether no other live member is known.
    pub(super) fn is_alone(&self) -> bool {
        let counts = self.counts();
        counts.alive + counts.suspect <= 1
    }

    /// Takes down of whom a message brings a higher incarnation, before it is handled: that and
    /// nothing else is no event.
    pub(super) fn note(&mut self, message: &GossipMessage, protocol: &GossipProtocol) {
        let mut note = |id: &MemberId, incarnation| {
            if protocol.member(id).is_some_and(|held| incarnation > held.incarnation) {
                self.touched.push(id.clone());
            }
        };
        match message {
            GossipMessage::Gossip { updates } | GossipMessage::Delta { updates, .. } => {
                updates.iter().for_each(|update| note(&update.id, update.incarnation));
            }
            GossipMessage::Sync { members } => {
                members.iter().for_each(|member| note(&member.id, member.incarnation));
            }
            _ => {}
        }
    }

    /// Takes down what happened.
    pub(super) fn happened(&mut self, event: MemberEvent) {
        self.touched.push(event.member.clone());
        if event.state.is_some_and(MemberState::is_live) || event.reason.is_removal() {
            self.missing.remove(event.member.as_str());
        }
        let event = Event::new(event, SystemTime::now());
        self.history.happened(&event);
        self.tell(StreamItem::Event(event));
    }

    /// Takes down by which ways a member was probed in vain.
    pub(super) fn probe_failed(&mut self, probe: FailedProbe) {
        tracing::debug!(member = %probe.name.escape_debug(), "a probe failed");
        self.history.push(Incident::ProbeFailed(probe));
    }

    /// Who lived where before the restart and has not been seen since.
    pub(super) fn missing(&mut self) -> &mut BTreeMap<String, SocketAddr> {
        &mut self.missing
    }

    /// How many of those there are, and the names of the first ones.
    pub(super) fn count_missing(&self) -> Missing {
        let names = self.missing.keys().take(Missing::NAMED).cloned().collect();
        Missing { count: self.missing.len(), names }
    }

    /// What is remembered.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// Takes down what else users are to hear.
    pub(super) fn tell(&mut self, item: StreamItem) {
        self.news.push(item);
    }

    /// Brings the snapshot in line and then tells what happened. O(log n) per changed member, and
    /// next to nothing when none has changed. What is to survive a restart goes to the keeper.
    pub(super) fn publish(&mut self, protocol: &GossipProtocol, keeper: Option<&Keeper>) {
        let own = version(protocol.local_member());
        if own == self.own && self.touched.is_empty() && self.news.is_empty() {
            return;
        }
        self.own = own;
        let now = (Instant::now().into_std(), SystemTime::now());
        let mut news = std::mem::take(&mut self.news);
        for item in &mut news {
            if let StreamItem::Event(event) = item {
                event.changed = self.metadata_changes(protocol, event);
            }
        }
        let mut changed = self.bring_in_line(protocol.local_member(), now);
        for name in std::mem::take(&mut self.touched) {
            changed |= match protocol.member(&name) {
                Some(member) => {
                    self.keep(protocol, member, now.1, keeper);
                    self.bring_in_line(member, now)
                }
                None => self.remove(name.as_str()),
            };
        }
        if let Some(keeper) = keeper {
            let own = protocol.local_member().id.as_str();
            self.keep_removed(&news, own, now.1, keeper);
        }
        if changed {
            self.publish.send_replace(self.members.clone());
        }
        for item in news.drain(..) {
            self.events.push(item);
        }
        self.news = news;
    }

    /// What differs from the metadata that users have seen so far.
    fn metadata_changes(
        &self,
        protocol: &GossipProtocol,
        event: &Event,
    ) -> BTreeMap<String, Option<String>> {
        if event.kind != EventKind::Updated {
            return BTreeMap::new();
        }
        let now = protocol.member(&MemberId::from(event.name.as_str()));
        let (Some(held), Some(now)) = (self.members.get(&event.name), now) else {
            return BTreeMap::new();
        };
        let gone = held.metadata.keys().filter(|key| !now.metadata.contains_key(*key));
        let fresh =
            now.metadata.iter().filter(|(key, value)| held.metadata.get(*key) != Some(*value));
        let fresh = fresh.map(|(key, value)| (key.clone(), Some(value.clone())));
        gone.map(|key| (key.clone(), None)).chain(fresh).collect()
    }

    /// Hands over where a member lives and how it stands, if that is news.
    fn keep(
        &self,
        protocol: &GossipProtocol,
        member: &Member,
        time: SystemTime,
        keeper: Option<&Keeper>,
    ) {
        let Some(keeper) = keeper.filter(|_| member.id != protocol.local_member().id) else {
            return;
        };
        let held = self.members.get(member.id.as_str());
        let place = Place::new(member, time);
        if held.is_none_or(|held| place.is_news(held.address, held.state)) {
            keeper.member(member.id.as_str(), place);
        }
    }

    /// Hands over who was declared gone for good: it is not asked after a restart.
    fn keep_removed(&self, news: &[StreamItem], own: &str, time: SystemTime, keeper: &Keeper) {
        for item in news {
            if let StreamItem::Event(event) = item
                && event.reason.is_removal()
                && event.name != own
            {
                keeper.member(&event.name, Place::removed(event.address, time));
            }
        }
    }

    fn bring_in_line(&mut self, member: &Member, now: (std::time::Instant, SystemTime)) -> bool {
        let held = self.members.get(member.id.as_str());
        let same = held.is_some_and(|held| held.version() == version(member));
        if !same {
            let info = MemberInfo::new(member, now);
            if info.name != self.members.local().name {
                self.hosts.moved(held.and_then(host), host(&info));
            }
            self.members.put(info);
        }
        !same
    }

    /// Says whether it was there.
    fn remove(&mut self, name: &str) -> bool {
        let before = self.members.get(name).and_then(host);
        let removed = self.members.remove(name);
        if removed {
            self.hosts.moved(before, None);
        }
        removed
    }
}

/// On which host a member is, if it is live.
fn host(member: &MemberInfo) -> Option<IpAddr> {
    member.state.is_live().then(|| member.address.ip())
}
