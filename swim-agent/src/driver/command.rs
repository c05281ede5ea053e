//! What users ask of the driver.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use swim_core::{
    Decline, EventError, MemberId, MemberState, MetadataError, RemovalError, UserQuery,
};
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Driver;
use super::own::Saved;
use super::post::Origin;
use crate::contact::Contact;
use crate::error::{JoinError, Joined, RoundTripError};
use crate::history::Incident;
use crate::info::Info;
use crate::query::{Asker, Query};
use crate::received::Heard;
use crate::rtt::{self, RoundTrip};
use crate::state::Place;

/// What a user asks. A dropped reply says that the agent has ended.
#[derive(Debug)]
pub(crate) enum Command {
    Info(oneshot::Sender<Info>),
    Contacts {
        names: Vec<String>,
        reply: oneshot::Sender<Vec<Contact>>,
    },
    /// What is remembered of this member.
    History {
        name: String,
        reply: oneshot::Sender<Vec<Incident>>,
    },
    /// Where this member lived before the restart, if it has not been seen since.
    Missing {
        name: String,
        reply: oneshot::Sender<Option<SocketAddr>>,
    },
    /// The latest so many accusations.
    Accusations {
        most: usize,
        reply: oneshot::Sender<Vec<Incident>>,
    },
    RoundTrip {
        from: MemberId,
        to: MemberId,
        reply: oneshot::Sender<Result<RoundTrip, RoundTripError>>,
    },
    Join {
        targets: Vec<Target>,
        /// Whether to wait for all of them.
        all: bool,
        reply: oneshot::Sender<Result<Joined, JoinError>>,
    },
    Change {
        set: BTreeMap<String, String>,
        remove: Vec<String>,
        reply: oneshot::Sender<Result<Saved, MetadataError>>,
    },
    Configure {
        metadata: BTreeMap<String, String>,
        reply: oneshot::Sender<Result<Saved, MetadataError>>,
    },
    SendEvent {
        name: String,
        payload: Vec<u8>,
        reply: oneshot::Sender<Result<(), EventError>>,
    },
    Query {
        query: Query,
        asker: Asker,
        reply: oneshot::Sender<Result<(), EventError>>,
    },
    Respond {
        heard: Arc<Heard>,
        payload: Vec<u8>,
        reply: oneshot::Sender<Result<(), EventError>>,
    },
    Decline {
        id: u64,
        query: Arc<UserQuery>,
        why: Decline,
    },
    /// Declare another member gone for good; answered with what was held of it.
    ForceLeave {
        name: String,
        prune: bool,
        reply: oneshot::Sender<Result<MemberState, RemovalError>>,
    },
    Leave(oneshot::Sender<()>),
    Shutdown,
}

/// Somebody to join through.
#[derive(Debug)]
pub(crate) struct Target {
    /// As it was given.
    pub(crate) given: String,
    /// The addresses that it stood for a moment ago, or why there are none.
    pub(crate) resolved: Result<Vec<SocketAddr>, String>,
}

impl<T: Transport, C: Codec> Driver<T, C> {
    /// Does what a user asks; `None` says that the last handle was dropped.
    pub(super) fn obey(&mut self, command: Option<Command>) {
        match command {
            // A dropped answer says that the user has stopped waiting.
            Some(Command::Info(reply)) => drop(reply.send(self.info())),
            Some(Command::Contacts { names, reply }) => drop(reply.send(self.contacts(names))),
            Some(Command::History { name, reply }) => {
                drop(reply.send(self.view.history().of(&name)));
            }
            Some(Command::Missing { name, reply }) => {
                let _ = reply.send(self.view.missing().get(&name).copied());
            }
            Some(Command::Accusations { most, reply }) => {
                drop(reply.send(self.view.history().accusations(&self.about.name, most)));
            }
            Some(Command::RoundTrip { from, to, reply }) => {
                drop(reply.send(rtt::between(&mut self.protocol, &from, &to)));
            }
            Some(Command::Join { targets, all, reply }) => self.join(targets, all, reply),
            Some(Command::Change { set, remove, reply }) => {
                let result = self.change(set, &remove);
                self.settle();
                drop(reply.send(result));
            }
            Some(Command::Configure { metadata, reply }) => {
                let result = self.configure(metadata);
                self.settle();
                drop(reply.send(result));
            }
            Some(Command::SendEvent { name, payload, reply }) => {
                let result = self.send_event(name, payload);
                self.settle();
                drop(reply.send(result));
            }
            Some(Command::Query { query, asker, reply }) => {
                let result = self.start_query(query, asker);
                self.settle();
                drop(reply.send(result));
            }
            Some(Command::Respond { heard, payload, reply }) => {
                let result = self.respond(&heard, &payload);
                self.settle();
                drop(reply.send(result));
            }
            Some(Command::Decline { id, query, why }) => {
                self.decline(id, &query, why);
                self.settle();
            }
            Some(Command::ForceLeave { name, prune, reply }) => {
                let result = self.force_leave(&MemberId(name), prune);
                self.settle();
                drop(reply.send(result));
            }
            Some(Command::Leave(reply)) => self.leave(reply),
            Some(Command::Shutdown) | None => self.over = true,
        }
    }

    fn leave(&mut self, reply: oneshot::Sender<()>) {
        self.leaving.push(reply);
        self.joins.leave();
        self.announcement = None;
        let actions = self.protocol.leave();
        self.act(actions, &mut Origin::Proven);
        self.settle();
    }

    fn force_leave(&mut self, id: &MemberId, prune: bool) -> Result<MemberState, RemovalError> {
        if self.protocol.member(id).is_none()
            && let Some(address) = self.view.missing().remove(id.as_str())
        {
            // Nobody but this agent remembers it.
            self.joins.rejoin.forget(id.as_str());
            if let Some(keeper) = &self.keeper {
                keeper.member(id.as_str(), Place::removed(address, SystemTime::now()));
            }
            return Ok(MemberState::Dead);
        }
        let held = self.protocol.member(id).map_or(MemberState::Left, |member| member.state);
        let actions = self.protocol.force_leave(id, prune)?;
        self.act(actions, &mut Origin::Proven);
        Ok(held)
    }

    fn join(
        &mut self,
        mut targets: Vec<Target>,
        all: bool,
        reply: oneshot::Sender<Result<Joined, JoinError>>,
    ) {
        for target in &mut targets {
            let found = std::mem::replace(&mut target.resolved, Ok(Vec::new()));
            target.resolved = found.and_then(|found| self.admission.allowed().of(found));
        }
        if self.protocol.local_member().state == MemberState::Left {
            drop(reply.send(Err(JoinError::Leaving)));
        } else if self.joins.waits.begin(targets, all, reply, Instant::now().into_std()) {
            self.ask();
            self.settle();
        }
    }

    fn contacts(&mut self, names: Vec<String>) -> Vec<Contact> {
        let now = Instant::now().into_std();
        let of = |name: String| {
            let id = MemberId(name);
            let address = self.protocol.member(&id).map(|member| member.address);
            let known = address.map(|address| self.contacts.of(&address, now)).unwrap_or_default();
            Contact { round_trip: self.protocol.round_trip(&id), ..known }
        };
        names.into_iter().map(of).collect()
    }

    fn info(&self) -> Info {
        let protocol = &self.protocol;
        let local = protocol.local_member();
        Info {
            name: self.about.name.clone(),
            cluster: self.about.cluster.clone(),
            local_addr: self.about.local_addr,
            advertise_addr: self.about.advertise_addr,
            state: local.state,
            incarnation: local.incarnation,
            local_health: protocol.local_health(),
            counts: self.view.counts(),
            pruned: protocol.pruned_count(),
            members_held: protocol.held_count(),
            max_members: self.admission.max_members(),
            allow: self.admission.allowed().networks().to_vec(),
            stats: *protocol.stats(),
            convergence: protocol.convergence_stats(),
            counters: self.meter.read(),
            net: self.net.as_ref().map(|net| net()),
            updates_waiting: protocol.queue_len(),
            notices_waiting: protocol.events_waiting(),
            queries_open: self.users.open(),
            sessions: self.wire.sessions(),
            join_attempts: self.joins.attempts(protocol.join_attempts()),
            joined: self.joins.joined() || !self.view.is_alone(),
            probe_interval: protocol.probe_interval(),
            suspicion_timeout: protocol.suspicion_timeout(),
            coordinate: protocol.coordinate(),
            view_hash: protocol.view_hash(),
            standstill: self.view.standstill(),
            members_missing: self.view.count_missing(),
            uptime: self.started.elapsed(),
        }
    }
}
