//! What users see: the snapshot of members, and events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use swim_core::{EventKind, GossipMessage, GossipProtocol, MemberEvent, MemberId, MemberState};
use tokio::sync::{broadcast, watch};

use crate::event::Event;
use crate::info::StateCounts;
use crate::members::{MemberInfo, Members};

/// The view that users have, brought in line with the protocol after each input.
pub(super) struct View {
    members: Members,
    publish: watch::Sender<Members>,
    events: broadcast::Sender<Arc<Event>>,
    /// Whose records may have changed since the last [`publish`](Self::publish).
    touched: Vec<MemberId>,
    /// What has happened since.
    news: Vec<MemberEvent>,
}

impl View {
    pub(super) fn new(
        members: Members,
        publish: watch::Sender<Members>,
        events: broadcast::Sender<Arc<Event>>,
    ) -> Self {
        Self { members, publish, events, touched: Vec::new(), news: Vec::new() }
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

    /// Takes down whom a message is about before it is handled: a new incarnation and nothing else
    /// is no event.
    pub(super) fn note(&mut self, message: &GossipMessage) {
        match message {
            GossipMessage::Gossip { updates } | GossipMessage::Delta { updates, .. } => {
                self.touched.extend(updates.iter().map(|update| update.id.clone()));
            }
            GossipMessage::Sync { members } => {
                self.touched.extend(members.iter().map(|member| member.id.clone()));
            }
            _ => {}
        }
    }

    /// Takes down what happened.
    pub(super) fn happened(&mut self, event: MemberEvent) {
        log(&event);
        self.touched.push(event.member.clone());
        self.news.push(event);
    }

    /// Brings the snapshot in line and then tells what happened. O(log n) per changed member.
    pub(super) fn publish(&mut self, protocol: &GossipProtocol, now: Instant) {
        let time = SystemTime::now();
        let changes = self.news.iter().map(|event| self.metadata_changes(protocol, event));
        let changes: Vec<_> = changes.collect();
        let mut changed = self.bring_in_line(protocol.local_member(), (now, time));
        for name in std::mem::take(&mut self.touched) {
            changed |= match protocol.member(&name) {
                Some(member) => self.bring_in_line(member, (now, time)),
                None => self.members.remove(name.as_str()),
            };
        }
        if changed {
            self.publish.send_replace(self.members.clone());
        }
        for (event, changes) in self.news.drain(..).zip(changes) {
            // An error says that nobody listens.
            let _ = self.events.send(Arc::new(Event::new(event, changes, time)));
        }
    }

    /// What differs from the metadata that users have seen so far.
    fn metadata_changes(
        &self,
        protocol: &GossipProtocol,
        event: &MemberEvent,
    ) -> BTreeMap<String, Option<String>> {
        let held = self.members.get(event.member.as_str());
        let (EventKind::Updated, Some(held), Some(now)) =
            (event.kind, held, protocol.member(&event.member))
        else {
            return BTreeMap::new();
        };
        let gone = held.metadata.keys().filter(|key| !now.metadata.contains_key(*key));
        let fresh =
            now.metadata.iter().filter(|(key, value)| held.metadata.get(*key) != Some(*value));
        let fresh = fresh.map(|(key, value)| (key.clone(), Some(value.clone())));
        gone.map(|key| (key.clone(), None)).chain(fresh).collect()
    }

    fn bring_in_line(&mut self, member: &swim_core::Member, now: (Instant, SystemTime)) -> bool {
        let held = self.members.get(member.id.as_str());
        let same = held.is_some_and(|held| {
            held.changed == member.last_update
                && held.incarnation == member.incarnation
                && held.state == member.state
        });
        if !same {
            self.members.put(MemberInfo::new(member, now));
        }
        !same
    }
}

fn log(event: &MemberEvent) {
    let MemberEvent { address, incarnation, .. } = event;
    // Names are a peer's choice: no control character of theirs reaches a terminal.
    let member = event.member.as_str().escape_debug();
    let (kind, reason) = (event.kind.as_str(), event.reason.as_str());
    let by = event.by.as_ref().map(MemberId::as_str);
    match event.kind {
        EventKind::Conflict => {
            tracing::warn!(%member, %address, incarnation, by, reason, "two nodes claim this name");
        }
        EventKind::Forgotten | EventKind::Updated => {
            tracing::debug!(%member, %address, incarnation, by, reason, "member {kind}");
        }
        _ => tracing::info!(%member, %address, incarnation, by, reason, "member {kind}"),
    }
}
