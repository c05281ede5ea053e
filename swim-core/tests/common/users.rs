//! What users of a cluster tell each other.

use std::sync::Arc;

use swim_core::{GossipAction, Options, UserEvent};

use super::Cluster;

impl Cluster {
    /// Starts a node that differs from the others in its options.
    pub fn start_with(&mut self, node: usize, options: Options) {
        let usual = std::mem::replace(&mut self.options, options);
        self.start(node);
        self.options = usual;
    }

    /// The node that starts next starts in the same second as the last one.
    pub fn same_epoch(&mut self) {
        self.epoch -= 1;
    }

    /// Has a node send an event, which it must take.
    pub fn send(&mut self, node: usize, name: &str, payload: &[u8]) {
        self.act(node, |protocol| protocol.send_event(name, payload).unwrap());
    }

    /// The names of the events that a node heard, in order.
    pub fn heard_by(&self, node: usize) -> Vec<&str> {
        let by = |heard: &&(u64, usize, Arc<UserEvent>)| heard.1 == node;
        self.heard.iter().filter(by).map(|(_, _, event)| event.name.as_str()).collect()
    }

    /// How many events a node heard.
    pub fn heard_by_count(&self, node: usize) -> usize {
        self.heard.iter().filter(|heard| heard.1 == node).count()
    }

    /// Whether every running node heard each of these events exactly once, whatever else.
    pub fn all_heard(&self, names: &[String]) -> bool {
        self.running().into_iter().all(|node| {
            let heard = self.heard_by(node);
            names.iter().all(|name| heard.iter().filter(|held| *held == name).count() == 1)
        })
    }

    /// Notes what a node's user hears.
    pub(super) fn tell_user(&mut self, node: usize, action: GossipAction) {
        let now = self.clock.micros();
        match action {
            GossipAction::UserEvent { event, .. } => self.heard.push((now, node, event)),
            GossipAction::Query { id, query, .. } => self.asked.push((now, node, id, query)),
            GossipAction::QueryAck { id, from } => self.answers.push((now, node, id, from, None)),
            GossipAction::QueryAnswer { id, from, payload } => {
                self.answers.push((now, node, id, from, Some(payload)));
            }
            GossipAction::QueryDeclined { id, from, why } => self.declined.push((id, from, why)),
            _ => {}
        }
    }
}
