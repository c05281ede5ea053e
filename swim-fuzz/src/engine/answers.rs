//! What a node has asked for, so that it can be answered: numbers that it drew cannot be guessed.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use swim_core::{GossipAction, GossipMessage, Notice, Said, Stamp, UserEvent, UserNotice};

use crate::choices::{self, addr, coordinate, decline, id, member, update};
use crate::source::Source;

/// Messages that are remembered, and queries.
const REMEMBERED: usize = 8;

/// The latest that a node sent, and the latest queries that it asked.
#[derive(Default)]
pub(super) struct Asked {
    sent: VecDeque<(SocketAddr, GossipMessage)>,
    queries: VecDeque<u64>,
}

impl Asked {
    /// What a call brought about.
    pub(super) fn note(&mut self, actions: &[GossipAction]) {
        for action in actions {
            if let GossipAction::Send { to, message } | GossipAction::SendByStream { to, message } =
                action
            {
                // Nobody answers an answer.
                if !matches!(message, GossipMessage::Ack { .. } | GossipMessage::Gossip { .. }) {
                    remember(&mut self.sent, (*to, message.clone()));
                }
            }
        }
    }

    /// A query was asked.
    pub(super) fn query(&mut self, number: u64) {
        remember(&mut self.queries, number);
    }

    /// An answer to something, from where it was asked.
    pub(super) fn answer(
        &self,
        source: &mut Source<'_>,
        now: Instant,
    ) -> Option<(SocketAddr, GossipMessage)> {
        let at = source.pick(self.sent.len() + self.queries.len())?;
        let Some((from, message)) = self.sent.get(at) else {
            let query = self.queries[at - self.sent.len()];
            return Some(to_query(query, source));
        };
        let name = (0..choices::NODES).find(|&node| addr(node) == *from).map_or(id(0), id);
        let answer = match message {
            GossipMessage::Ping { seq, .. } if source.flag() => {
                GossipMessage::LocatedAck { seq: *seq, from: name, coordinate: coordinate(source) }
            }
            GossipMessage::Ping { seq, .. } => GossipMessage::Ack { seq: *seq, from: name },
            GossipMessage::PingReq { seq, target, .. } => match source.flag() {
                true => GossipMessage::Ack { seq: *seq, from: target.clone() },
                false => GossipMessage::Nack { seq: *seq, from: name },
            },
            GossipMessage::SyncRequest { .. } => {
                GossipMessage::Sync { members: source.list(6, |source| member(source, now)) }
            }
            GossipMessage::Digest { digest } if source.flag() => {
                GossipMessage::Digest { digest: digest.clone() }
            }
            GossipMessage::Digest { .. } | GossipMessage::Delta { .. } => GossipMessage::Delta {
                updates: source.list(6, update),
                wanted: source.list(6, |source| source.word() as u32),
            },
            GossipMessage::Fetch { stamps } | GossipMessage::Held { stamps, .. } => {
                whole(stamps, source)
            }
            GossipMessage::Notices { notices } => {
                GossipMessage::Fetch { stamps: notices.iter().map(|it| it.stamp).collect() }
            }
            GossipMessage::Recent { recent } => {
                let (above, upto) = (recent.above, recent.upto);
                GossipMessage::Held {
                    from: name,
                    above,
                    upto,
                    stamps: source.list(6, choices::stamp),
                }
            }
            other => other.clone(),
        };
        Some((*from, answer))
    }
}

fn remember<T>(kept: &mut VecDeque<T>, one: T) {
    if kept.len() == REMEMBERED {
        kept.pop_front();
    }
    kept.push_back(one);
}

fn to_query(query: u64, source: &mut Source<'_>) -> (SocketAddr, GossipMessage) {
    let from = source.below(choices::NODES);
    let answer = GossipMessage::QueryAnswer {
        query,
        from: id(from),
        to: id(0),
        relay: source.flag(),
        payload: source.flag().then(|| source.take(6).to_vec()),
        declined: source.flag().then(|| decline(source)),
    };
    (addr(from), answer)
}

/// Events under stamps that were asked for.
fn whole(stamps: &[Stamp], source: &mut Source<'_>) -> GossipMessage {
    let event = |stamp: &Stamp| {
        let payload = vec![0; source.below(256) * 12];
        let event = UserEvent { origin: id(1), name: "x".to_owned(), payload };
        let said = Said::Whole(UserNotice::Event(event.into()));
        Notice { stamp: *stamp, after: source.list(3, choices::stamp).into(), said }
    };
    GossipMessage::Notices { notices: stamps.iter().take(6).map(event).collect() }
}
