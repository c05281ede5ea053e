//! The one task that owns the protocol.
//!
//! In come datagrams, packets from streams and commands; one sleep lasts until the protocol's next
//! time-out. Each is handled to its end without waiting for anybody: what is to be sent goes
//! through [`post`], what users are to see through [`view`].

mod admission;
mod burden;
mod claims;
mod command;
mod contacts;
mod exchange;
mod frame;
mod hear;
mod history;
mod joins;
mod lines;
mod own;
mod places;
mod post;
mod rate;
mod rejoin;
mod rest;
mod screen;
#[cfg_attr(not(feature = "seal"), path = "unsealed.rs")]
mod sealing;
mod seeds;
mod strangers;
mod users;
mod validation;
mod view;
mod wake;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use swim_core::{GossipAction, GossipMessage, GossipProtocol, Options};
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument as _;

pub(crate) use command::{Command, Target};
pub(crate) use own::{Own, Saved};
pub(crate) use users::Incoming;

use crate::admission::Rules;
use crate::builder::NetCounters;
use crate::counters::Meter;
use crate::event_log::Writer;
use crate::handle::{About, Handle};
use crate::keys::Keyholder;
use crate::limits::RateLimits;
use crate::members::{MemberInfo, Members};
use crate::query::{Patterns, Reply};
use crate::received::QueryStream;
use crate::resolve::{Announcement, Resolver};
use crate::state::Keeper;
use admission::Admission;
use burden::Strangers;
use claims::Streams;
use contacts::Contacts;
use exchange::{Exchange, Input, Outbound};
use joins::Joins;
use lines::Lines;
use places::Places;
use post::{Origin, Post};
use rate::Limits;
use users::Users;
use validation::Validation;
use view::View;
use wake::Receiver;
use wire::Wire;

/// Commands that wait for the driver; whoever sends more waits.
const COMMANDS: usize = 64;
/// Packets from streams that wait for the driver; streams with more wait.
const INPUTS: usize = 64;
/// Gossip rounds for which a goodbye is passed on after two members heard it: those may be leaving
/// themselves.
const LAST_WORDS: u32 = 2;
/// The longest sleep when nothing at all is due.
const IDLE: Duration = Duration::from_secs(3600);

/// What an agent is made of.
pub(crate) struct Setup<T, C> {
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) protocol: GossipProtocol,
    pub(crate) options: Options,
    pub(crate) limits: RateLimits,
    pub(crate) codec: C,
    pub(crate) transport: Arc<T>,
    pub(crate) net: Option<NetCounters>,
    pub(crate) cluster: String,
    pub(crate) seeds: Vec<String>,
    pub(crate) resolver: Resolver,
    /// What the network segment is told, if anything is.
    pub(crate) announcement: Option<Announcement>,
    pub(crate) local_addr: SocketAddr,
    pub(crate) own: Own,
    pub(crate) patterns: Patterns,
    pub(crate) meter: Arc<Meter>,
    /// Keeps what is to survive a restart, if anything is.
    pub(crate) keeper: Option<Keeper>,
    /// Which members lived where before the last restart.
    pub(crate) remembered: Vec<(String, SocketAddr)>,
    /// Those of them that were live then.
    pub(crate) missing: BTreeMap<String, SocketAddr>,
    /// What packets are sealed with, if they are.
    pub(crate) keys: Option<Arc<Keyholder>>,
    /// Who may come in.
    pub(crate) rules: Rules,
}

/// Owns the protocol and everything that it acts upon.
struct Driver<T, C> {
    protocol: GossipProtocol,
    wire: Arc<Wire<C>>,
    meter: Arc<Meter>,
    net: Option<NetCounters>,
    about: Arc<About>,
    started: Instant,
    post: Post<T, C>,
    view: View,
    joins: Joins,
    announcement: Option<Announcement>,
    exchange: Arc<Exchange<C>>,
    own: Own,
    keeper: Option<Keeper>,
    admission: Admission,
    strangers: Strangers,
    /// Who is claimed to live where and has not answered so far.
    validation: Validation,
    streams: Streams,
    limits: Limits,
    lines: Lines,
    contacts: Contacts,
    users: Users,
    /// Scratch: the messages of one datagram.
    messages: Vec<GossipMessage>,
    /// Users who wait for the goodbye to be done.
    leaving: Vec<oneshot::Sender<()>>,
    /// Until when the goodbye is still passed on after it was heard; once this node has left.
    end: Option<Instant>,
    over: bool,
}

/// Where the driver's inputs come from.
struct Sources<T> {
    receiver: Receiver<T>,
    inputs: mpsc::Receiver<Input>,
    commands: mpsc::Receiver<Command>,
    accepting: JoinHandle<()>,
}

/// Starts the tasks of an agent.
pub(crate) fn start<T: Transport, C: Codec>(mut setup: Setup<T, C>) -> Handle {
    let (commands, received) = mpsc::channel(COMMANDS);
    let events = Writer::new();
    let (queries, _) = broadcast::channel(QueryStream::KEPT);
    let local = setup.protocol.local_member();
    let clocks = (Instant::now().into_std(), SystemTime::now());
    let alone = Members::alone(MemberInfo::new(local, clocks));
    let (publish, members) = watch::channel(alone.clone());
    let runtime = setup.runtime.clone();
    let about = Arc::new(About {
        name: local.id.0.clone(),
        cluster: setup.cluster.clone(),
        resolver: setup.resolver.clone(),
        local_addr: setup.local_addr,
        advertise_addr: local.address,
        events: events.log(),
        queries: queries.downgrade(),
        patterns: setup.patterns.clone(),
        runtime: runtime.clone(),
        keys: setup.keys.take(),
    });
    let span = tracing::info_span!("agent", name = %about.name.escape_debug());
    let allowed = setup.rules.allowed.clone();
    setup.remembered.retain(|(_, address)| allowed.has(address));
    let mut missing = std::mem::take(&mut setup.missing);
    missing.retain(|_, address| allowed.has(address));
    let view = View::new(alone, publish, events, missing);
    let users = Users::new(queries, commands.downgrade());
    let (driver, sources) = span.in_scope(|| {
        Driver::new(setup, Arc::clone(&about), (view, users), (received, members.clone()))
    });
    runtime.spawn(driver.run(sources).instrument(span));
    Handle { about, commands, members }
}

impl<T: Transport, C: Codec> Driver<T, C> {
    fn new(
        setup: Setup<T, C>,
        about: Arc<About>,
        (view, users): (View, Users),
        (commands, members): (mpsc::Receiver<Command>, watch::Receiver<Members>),
    ) -> (Self, Sources<T>) {
        let Setup { runtime, protocol, options, codec, transport, net, seeds, .. } = setup;
        let Setup { own, meter, keeper, remembered, announcement, rules, limits, .. } = setup;
        let allowed = rules.allowed.clone();
        let wire = Arc::new(Wire::new(codec, about.keys.as_ref(), allowed, Arc::clone(&meter)));
        let (inputs, received) = mpsc::channel(INPUTS);
        let exchange = Arc::new(Exchange::new(Arc::clone(&wire), Arc::clone(&meter), inputs));
        let places = Places::new(members, limits.stranger_streams);
        let accept = exchange::accept(Arc::clone(&transport), Arc::clone(&exchange), places);
        let sources = Sources {
            receiver: Receiver::new(Arc::clone(&transport)),
            inputs: received,
            commands,
            accepting: runtime.spawn(accept.in_current_span()),
        };
        let streams = Outbound::new(Arc::clone(&transport), Arc::clone(&exchange));
        let budget = options.datagram_budget;
        let post = Post::new(transport, Arc::clone(&wire), Arc::clone(&meter), streams, budget);
        let started = Instant::now();
        let joins = Joins::new(about.advertise_addr, seeds, remembered, started.into_std());
        let admission = Admission::new(rules, Arc::clone(&meter));
        let (strangers, streams) = (Strangers::new(started), Streams::new(started));
        let validation = Validation::new(post.datagram_len(&claims::question(Validation::COOKIE)));
        let (messages, leaving, over) = (Vec::new(), Vec::new(), false);
        let driver = Self {
            protocol,
            wire,
            meter,
            net,
            about,
            started,
            post,
            view,
            joins,
            announcement,
            exchange,
            own,
            keeper,
            admission,
            strangers,
            validation,
            streams,
            limits: Limits::new(limits),
            lines: Lines::default(),
            contacts: Contacts::default(),
            users,
            messages,
            leaving,
            end: None,
            over,
        };
        (driver, sources)
    }
}

impl<T: Transport, C: Codec> Driver<T, C> {
    async fn run(mut self, mut sources: Sources<T>) {
        tracing::info!(
            address = %self.about.advertise_addr,
            bound = %self.about.local_addr,
            cluster = self.about.cluster,
            "agent started"
        );
        self.own.start(self.keeper.as_ref());
        self.fire();
        let mut datagram = BytesMut::new();
        let sleep = tokio::time::sleep_until(self.next_wake());
        tokio::pin!(sleep);
        while !self.over {
            let wake = self.next_wake();
            if sleep.deadline() != wake {
                sleep.as_mut().reset(wake);
            }
            tokio::select! {
                received = sources.receiver.next(&mut datagram) => {
                    self.received(received, &mut datagram);
                    self.hear_waiting(wake::AT_ONCE, &mut sources, &mut datagram).await;
                }
                Some(input) = sources.inputs.recv() => self.hear(input),
                command = sources.commands.recv() => self.obey(command),
                () = &mut sleep => self.wake(wake, &mut sources, &mut datagram).await,
            }
        }
        self.close(sources).await;
    }

    /// When something is due, whatever comes in until then.
    fn next_wake(&self) -> Instant {
        let own = [self.protocol.next_timeout(), self.joins.next(), self.validation.next()];
        let next = own.into_iter().flatten().min();
        let next = next.map_or_else(|| Instant::now() + IDLE, Instant::from_std);
        self.end.map_or(next, |end| end.min(next))
    }

    /// Does what is due now.
    fn fire(&mut self) {
        let now = Instant::now().into_std();
        let actions = self.protocol.handle_timeout(now);
        self.act(actions, &mut Origin::Proven);
        if self.joins.expire(now) {
            self.ask();
        }
        self.rejoin(now);
        self.joins.follow(self.protocol.join_attempts(), self.view.is_alone(), now);
        if let Some(seeds) = self.joins.lookup_due(now) {
            self.look_up(seeds);
        }
        self.settle();
    }

    fn received(&mut self, received: std::io::Result<SocketAddr>, datagram: &mut [u8]) {
        match received {
            Ok(from) => self.hear_datagram(from, datagram),
            Err(error) => {
                self.meter.transport_errors.one();
                tracing::warn!(%error, "receiving datagrams fails, trying again");
            }
        }
    }

    /// Does what the protocol wants done.
    fn act(&mut self, actions: Vec<GossipAction>, origin: &mut Origin) {
        for action in actions {
            match action {
                GossipAction::Send { to, message } => self.post.send(to, &message, origin),
                GossipAction::SendByStream { to, message } => {
                    self.post.send_by_stream(to, &message);
                }
                GossipAction::Event(event) => self.happened(event),
                GossipAction::ProbeFailed(report) => self.probe_failed(report),
                GossipAction::UserEvent { event, ltime } => self.hear_event(event, ltime),
                GossipAction::Query { id, query, ltime } => {
                    self.hear_query(Incoming { id, query, ltime });
                }
                GossipAction::QueryAck { id, from } => {
                    self.hear_reply(id, Reply::Ack { from: from.0 });
                }
                GossipAction::QueryAnswer { id, from, payload } => {
                    self.hear_reply(id, Reply::Answer { from: from.0, payload });
                }
                GossipAction::QueryDeclined { id, from, why } => {
                    self.hear_reply(id, Reply::Declined { from: from.0, why });
                }
                // The event says more; and the protocol keeps its timers.
                GossipAction::MembershipChange { .. } | GossipAction::ScheduleTimer { .. } => {}
            }
        }
    }

    /// After each input: sends what waits for company, and shows users what changed.
    fn settle(&mut self) {
        self.validate();
        self.post.flush();
        for to in self.post.take_unsent() {
            self.joins.withheld(to, "too many streams are open");
        }
        self.view.publish(&self.protocol, self.keeper.as_ref());
        self.keep_clock();
        if self.protocol.has_left() {
            let now = Instant::now();
            let rounds = if self.view.is_alone() { 0 } else { LAST_WORDS };
            let end = *self.end.get_or_insert(now + self.protocol.gossip_interval() * rounds);
            self.over |= now >= end;
        }
    }

    /// Ends all tasks, frees the address, and only then tells those who wait for the end.
    async fn close(self, sources: Sources<T>) {
        sources.accepting.abort();
        // An error says that it was aborted.
        let _ = sources.accepting.await;
        drop((sources.receiver, sources.inputs));
        self.post.close().await;
        if let Some(keeper) = self.keeper {
            keeper.close().await;
        }
        tracing::info!("agent stopped");
        for reply in self.leaving {
            if self.protocol.has_left() {
                let _ = reply.send(());
            }
        }
    }
}
