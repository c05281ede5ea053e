//! The agent in its user's hands.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use swim_core::{MemberId, MemberState};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::contact::Contact;
use crate::driver::{Command, Saved, Target};
use crate::error::{
    ChangeError, EventError, JoinError, Joined, RemoveError, RoundTripError, Stopped,
};
use crate::event::EventStream;
use crate::event_log::EventLog;
use crate::history::Incident;
use crate::info::Info;
use crate::keys::Keyholder;
use crate::members::Members;
use crate::query::{Answers, Patterns, Query, matches};
use crate::received::{Heard, QueryStream};
use crate::resolve::Resolver;
use crate::rtt::RoundTrip;

/// How long users wait for the disk.
const SAVED: Duration = Duration::from_secs(2);

/// A running agent. Clones are handles to the same agent; cloning costs two counters.
///
/// When the last handle is dropped the agent ends at once and without goodbye, and the others find
/// out as they would after a crash; [`leave`](Self::leave) is the friendly way. Event streams and
/// watches do not keep it running.
///
/// Nothing done to a handle blocks the agent: it answers when it can and waits for nobody.
#[derive(Debug, Clone)]
#[must_use = "an agent ends when its last handle is dropped"]
pub struct Handle {
    pub(crate) about: Arc<About>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) members: watch::Receiver<Members>,
}

/// What stays the same while an agent runs.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) cluster: String,
    pub(crate) local_addr: SocketAddr,
    pub(crate) advertise_addr: SocketAddr,
    pub(crate) events: EventLog,
    pub(crate) queries: broadcast::WeakSender<Arc<Heard>>,
    /// What the patterns of queries mean.
    pub(crate) patterns: Patterns,
    pub(crate) runtime: tokio::runtime::Handle,
    /// Looks up whom to join through.
    pub(crate) resolver: Resolver,
    /// What packets are sealed with, if they are.
    pub(crate) keys: Option<Arc<Keyholder>>,
}

/// What it is and knows; none of these waits.
impl Handle {
    /// The agent's name in its cluster.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// The name of its cluster.
    pub fn cluster(&self) -> &str {
        &self.about.cluster
    }

    /// The address it is bound to, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.about.local_addr
    }

    /// The address it tells others.
    pub fn advertise_addr(&self) -> SocketAddr {
        self.about.advertise_addr
    }

    /// All members as they are now; the last view once the agent has ended. O(1).
    pub fn members(&self) -> Members {
        self.members.borrow().clone()
    }

    /// The members, and a wake-up whenever something about one of them changes.
    ///
    /// Each call starts a small task that ends with the receiver or the agent, so that a receiver
    /// that is borrowed for long holds up nobody but itself.
    pub fn watch(&self) -> watch::Receiver<Members> {
        let mut source = self.members.clone();
        let (sender, receiver) = watch::channel(source.borrow_and_update().clone());
        self.about.runtime.spawn(forward(source, sender));
        receiver
    }

    /// What happens from now on.
    pub fn events(&self) -> EventStream {
        self.events_with_backlog(0)
    }

    /// The last events, at most `most` and at most 512, and what happens from now on, without a gap
    /// or a repetition between them.
    ///
    /// ```
    /// # async fn example(handle: swim_agent::Handle) {
    /// let mut events = handle.events_with_backlog(20);
    /// while let Some(item) = events.next().await {
    ///     println!("{item:?}");
    /// }
    /// # }
    /// ```
    pub fn events_with_backlog(&self, most: usize) -> EventStream {
        let log = self.about.events.clone();
        let position = log.before_end(most);
        EventStream::new(log, position)
    }

    /// The events from a [`position`](EventStream::position) on, for a reader that was interrupted.
    /// What is kept no longer is one [`Missed`](crate::StreamItem::Missed); a position that is none yet means
    /// the next event.
    pub fn events_from(&self, position: u64) -> EventStream {
        let log = self.about.events.clone();
        let position = log.clamp(position);
        EventStream::new(log, position)
    }

    /// The queries for this agent from now on, to be answered.
    pub fn queries(&self) -> QueryStream {
        let receiver = match self.about.queries.upgrade() {
            Some(sender) => sender.subscribe(),
            None => broadcast::channel(1).1,
        };
        QueryStream { receiver }
    }
}

/// What it can be asked to do.
impl Handle {
    /// How the agent is doing.
    ///
    /// # Errors
    /// The agent has ended.
    pub async fn info(&self) -> Result<Info, Stopped> {
        self.ask(Command::Info).await
    }

    /// How the agent gets through to these members, in their order; nothing is known of names that
    /// are no member's. O(1) each, in the agent's task: ask for those that are wanted.
    ///
    /// # Errors
    /// The agent has ended.
    pub async fn contacts(&self, names: Vec<String>) -> Result<Vec<Contact>, Stopped> {
        self.ask(|reply| Command::Contacts { names, reply }).await
    }

    /// What the agent remembers of a member, the latest first: at most 16 incidents, and 4,096 of all
    /// members together. A member that is forgotten has a history too.
    ///
    /// # Errors
    /// The agent has ended.
    pub async fn history(&self, name: impl Into<String>) -> Result<Vec<Incident>, Stopped> {
        let name = name.into();
        self.ask(|reply| Command::History { name, reply }).await
    }

    /// Where a member lived that was live before the agent restarted and has not been seen since;
    /// `None` of others, and without a data directory. O(log n).
    ///
    /// # Errors
    /// The agent has ended.
    pub async fn missing(&self, name: impl Into<String>) -> Result<Option<SocketAddr>, Stopped> {
        let name = name.into();
        self.ask(|reply| Command::Missing { name, reply }).await
    }

    /// The latest accusations of anybody, and what was said of the agent itself; the latest first, at
    /// most so many. O(4,096).
    ///
    /// # Errors
    /// The agent has ended.
    pub async fn accusations(&self, most: usize) -> Result<Vec<Incident>, Stopped> {
        self.ask(|reply| Command::Accusations { most, reply }).await
    }

    /// The round trip between two members: as this agent's own probes measured it where it is one of
    /// them, else as their network coordinates tell. Those come with acks over time, one of each
    /// member in about eight times as many probe intervals as there are members. O(1).
    ///
    /// # Errors
    /// A name is no member's, both are the same, nothing has been measured or told so far,
    /// coordinates are switched off, or the agent has ended.
    pub async fn round_trip(
        &self,
        from: impl Into<String>,
        to: impl Into<String>,
    ) -> Result<RoundTrip, RoundTripError> {
        let (from, to) = (MemberId(from.into()), MemberId(to.into()));
        self.ask(|reply| Command::RoundTrip { from, to, reply }).await?
    }

    /// Joins through `addresses`, each a [`Seed`](crate::Seed). Returns how many
    /// of them have answered as soon as one has, its view merged.
    ///
    /// Names are resolved first, all at the same time and for ten seconds at most. Joining a cluster that the agent is already in is harmless and
    /// brings views in line. A join through the addresses given to the builder goes on by itself.
    ///
    /// # Errors
    /// Names each address and why nobody answered there. It comes at once when all were refused, else
    /// after five seconds in which they were tried repeatedly; the agent then stops trying.
    pub async fn join(&self, addresses: Vec<String>) -> Result<usize, JoinError> {
        Ok(self.join_through(addresses, false).await?.answered)
    }

    /// Joins through all of `addresses`: returns when each has answered or failed, or after five
    /// seconds, and names those that did not answer.
    ///
    /// # Errors
    /// As [`join`](Self::join): when none of them answered.
    pub async fn join_all(&self, addresses: Vec<String>) -> Result<Joined, JoinError> {
        self.join_through(addresses, true).await
    }

    async fn join_through(&self, addresses: Vec<String>, all: bool) -> Result<Joined, JoinError> {
        if addresses.is_empty() {
            return Err(JoinError::NoAddress);
        }
        let found = self.about.resolver.resolve_all(addresses).await;
        let target = |(given, resolved)| Target { given, resolved };
        let targets = found.into_iter().map(target).collect();
        self.ask(|reply| Command::Join { targets, all, reply }).await?
    }

    /// Sets and removes keys of this agent's metadata as one change, and tells the cluster. With a
    /// data directory, the change is on the disk when this returns, unless the disk refuses it or
    /// takes longer than two seconds.
    ///
    /// # Errors
    /// The whole map would be above [`Options::metadata_limit`](swim_core::Options), the agent is
    /// leaving, or it has ended. Nothing has changed.
    pub async fn change_metadata(
        &self,
        set: BTreeMap<String, String>,
        remove: Vec<String>,
    ) -> Result<(), ChangeError> {
        let saved = self.ask(|reply| Command::Change { set, remove, reply }).await??;
        wait_for(saved).await;
        Ok(())
    }

    /// Takes another configuration of this agent's metadata in the place of the one it was built
    /// with. What was changed at run time stays, as [`Overlay`](crate::state::Overlay) says.
    ///
    /// # Errors
    /// As [`change_metadata`](Self::change_metadata); the former configuration then holds on.
    pub async fn configure_metadata(
        &self,
        metadata: BTreeMap<String, String>,
    ) -> Result<(), ChangeError> {
        let saved = self.ask(|reply| Command::Configure { metadata, reply }).await??;
        wait_for(saved).await;
        Ok(())
    }

    /// Sets one key of this agent's metadata, and tells the cluster.
    ///
    /// # Errors
    /// As [`change_metadata`](Self::change_metadata).
    pub async fn update_metadata(
        &self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), ChangeError> {
        self.change_metadata(BTreeMap::from([(key.into(), value.into())]), Vec::new()).await
    }

    /// Tells all members something, this agent included: each hears it once, after all events that
    /// it may have followed from, in its [`events`](Self::events). Returns when it is on its way.
    ///
    /// # Errors
    /// The name is empty or too long, the whole is above
    /// [`Options::event_limit`](swim_core::Options), too much waits to be told, or the agent leaves
    /// or has ended. Nobody was told then.
    pub async fn send_event(
        &self,
        name: impl Into<String>,
        payload: impl Into<Vec<u8>>,
    ) -> Result<(), EventError> {
        let (name, payload) = (name.into(), payload.into());
        Ok(self.ask(|reply| Command::SendEvent { name, payload, reply }).await??)
    }

    /// Asks all or some members something. Acks and answers come as they are given, and end as soon
    /// as all the live members that it is for have answered, declined, died or left, or the time-out
    /// has passed.
    ///
    /// # Errors
    /// As [`send_event`](Self::send_event), a pattern, time-out or number of relays that makes no
    /// sense, or too many open queries. Nobody was asked then.
    pub async fn query(&self, query: Query) -> Result<Answers, EventError> {
        query.check()?;
        self.ask_all(query).await
    }

    /// The same without looking at what the query is.
    pub(crate) async fn ask_all(&self, query: Query) -> Result<Answers, EventError> {
        let expected = self.expected(&query).await?;
        let (asker, answers) = Answers::new(&query, expected, self.members.clone());
        self.ask(|reply| Command::Query { query, asker, reply }).await??;
        Ok(answers)
    }

    /// The live members that a query is for.
    async fn expected(&self, query: &Query) -> Result<BTreeSet<String>, EventError> {
        let members = self.members();
        let nodes: BTreeSet<String> = query.nodes.iter().cloned().collect();
        let (patterns, metadata) = (self.about.patterns.clone(), query.metadata.clone());
        let find = move || {
            let patterns = patterns.compile(&metadata)?;
            let kept = members.iter().filter(|member| {
                member.state.is_live()
                    && (nodes.is_empty() || nodes.contains(&member.name))
                    && matches(&patterns, |key| member.metadata.get(key))
            });
            Ok(kept.map(|member| member.name.clone()).collect())
        };
        if query.metadata.is_empty() {
            return find();
        }
        // What a pattern costs is its maker's affair.
        self.about.runtime.spawn_blocking(find).await.map_err(|_| Stopped)?
    }

    /// Declares another member gone for good, in its place: nobody looks for it any more, no agent asks
    /// for it after a restart, and with `prune` nobody shows it any more. Nobody waits for anything:
    /// returns at once, with what was held of it so far. One that is alive after all hears of it and is
    /// a member again within seconds; one that restarts comes back too.
    ///
    /// # Errors
    /// It is this agent itself, no member has that name, or the agent leaves or has ended. Nothing has
    /// changed.
    pub async fn force_leave(
        &self,
        name: impl Into<String>,
        prune: bool,
    ) -> Result<MemberState, RemoveError> {
        let name = name.into();
        Ok(self.ask(|reply| Command::ForceLeave { name, prune, reply }).await??)
    }

    /// Leaves the cluster and ends the agent. Returns when two members have confirmed the goodbye
    /// or a second has passed, and the agent's address is free again.
    ///
    /// # Errors
    /// The agent ended before its goodbye was done.
    pub async fn leave(&self) -> Result<(), Stopped> {
        self.ask(Command::Leave).await?;
        self.stopped().await;
        Ok(())
    }

    /// Ends the agent at once and without goodbye; to the others it crashed. Returns when its
    /// address is free again.
    pub async fn shutdown(&self) {
        // An error says that it has ended already.
        let _ = self.commands.send(Command::Shutdown).await;
        self.stopped().await;
    }

    /// Waits until the agent has ended and its address is free again.
    pub async fn stopped(&self) {
        let mut members = self.members.clone();
        while members.changed().await.is_ok() {}
    }

    async fn ask<R>(
        &self,
        command: impl FnOnce(oneshot::Sender<R>) -> Command,
    ) -> Result<R, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

/// Waits until a change is on the disk, but not for long.
async fn wait_for(saved: Saved) {
    if let Some(saved) = saved {
        // A disk that refuses or hangs is logged where that is noticed.
        let _ = tokio::time::timeout(SAVED, saved).await;
    }
}

/// Hands snapshots on to one watcher.
async fn forward(mut source: watch::Receiver<Members>, sender: watch::Sender<Members>) {
    loop {
        tokio::select! {
            () = sender.closed() => return,
            changed = source.changed() => if changed.is_err() { return },
        }
        let members = source.borrow_and_update().clone();
        sender.send_replace(members);
    }
}
