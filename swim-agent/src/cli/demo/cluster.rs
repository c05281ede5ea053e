//! The agents of the demo.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use swim_agent::{Agent, Event, EventStream, Handle, Members, StreamItem};
use swim_core::Options;
use tokio::sync::mpsc;

use crate::cli::failure::Failure;

/// The cluster's name, so that no real cluster on this machine is disturbed.
pub(super) const NAME: &str = "demo";

/// One place on the stage, and who plays there.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) fate: Fate,
}

/// What has become of an agent.
pub(super) enum Fate {
    Running(Handle),
    Crashed,
    Left,
}

impl Node {
    /// The agent, if it runs.
    pub(super) fn handle(&self) -> Option<&Handle> {
        match &self.fate {
            Fate::Running(handle) => Some(handle),
            Fate::Crashed | Fate::Left => None,
        }
    }
}

/// What one agent noticed.
pub(super) struct Sighting {
    pub(super) observer: String,
    pub(super) at: Instant,
    pub(super) event: Event,
}

/// All agents, those that ended included.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    sightings: mpsc::UnboundedSender<Sighting>,
}

impl Cluster {
    /// An empty cluster whose agents' events go to `sightings`.
    pub(super) fn new(sightings: mpsc::UnboundedSender<Sighting>) -> Self {
        Self { nodes: Vec::new(), sightings }
    }

    /// Starts one more agent, which joins through the first.
    pub(super) async fn add(&mut self, name: &str) -> Result<(), Failure> {
        let handle = self.spawn(name).await?;
        self.nodes.push(Node { name: name.to_owned(), fate: Fate::Running(handle) });
        Ok(())
    }

    /// Starts an agent in the place of one that ended, under its name.
    pub(super) async fn revive(&mut self, at: usize) -> Result<SocketAddr, Failure> {
        let handle = self.spawn(&self.nodes[at].name).await?;
        let address = handle.advertise_addr();
        self.nodes[at].fate = Fate::Running(handle);
        Ok(address)
    }

    async fn spawn(&self, name: &str) -> Result<Handle, Failure> {
        let seed = self.running().next().map(|handle| handle.advertise_addr().to_string());
        let handle = Agent::builder()
            .name(name)
            .bind((Ipv4Addr::LOCALHOST, 0).into())
            .join(seed)
            .cluster(NAME)
            .options(Options::local())
            .spawn()
            .await
            .map_err(|error| Failure::Failed(format!("cannot start {name}: {error}")))?;
        tokio::spawn(forward(name.to_owned(), handle.events(), self.sightings.clone()));
        Ok(handle)
    }

    /// Ends an agent as a crash does: its sockets are closed and nobody is told.
    pub(super) async fn crash(&mut self, at: usize) {
        let fate = std::mem::replace(&mut self.nodes[at].fate, Fate::Crashed);
        if let Fate::Running(handle) = fate {
            handle.shutdown().await;
        }
    }

    /// Marks an agent as gone and hands it out, for its goodbye.
    pub(super) fn dismiss(&mut self, at: usize) -> Option<Handle> {
        match std::mem::replace(&mut self.nodes[at].fate, Fate::Left) {
            Fate::Running(handle) => Some(handle),
            Fate::Crashed | Fate::Left => None,
        }
    }

    /// Lets all agents say goodbye at the same time.
    pub(super) async fn leave(&mut self) {
        let goodbyes: Vec<_> = (0..self.nodes.len())
            .filter_map(|at| self.dismiss(at))
            .map(|handle| tokio::spawn(async move { handle.leave().await }))
            .collect();
        for goodbye in goodbyes {
            // An agent that ended before its goodbye has ended all the same.
            let _ = goodbye.await;
        }
    }

    /// The agents that run.
    pub(super) fn running(&self) -> impl Iterator<Item = &Handle> {
        self.nodes.iter().filter_map(Node::handle)
    }

    /// The first running agent whose view is not as it should be, by name.
    pub(super) fn lacking(&self, is_right: impl Fn(&Members) -> bool) -> Option<&str> {
        self.running().find(|handle| !is_right(&handle.members())).map(Handle::name)
    }
}

async fn forward(
    observer: String,
    mut events: EventStream,
    sightings: mpsc::UnboundedSender<Sighting>,
) {
    while let Some(item) = events.next().await {
        let StreamItem::Event(event) = item else { continue };
        let sighting = Sighting { observer: observer.clone(), at: Instant::now(), event };
        if sightings.send(sighting).is_err() {
            return;
        }
    }
}
