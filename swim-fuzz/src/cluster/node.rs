//! One of the nodes, through all its lives.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use swim_core::{
    AdvancedGossipConfig, Clock, GossipAction, GossipMessage, GossipProtocol, Incarnation,
    MemberId, MemberState, Options,
};

use super::laws;
use super::post::home;
use crate::invariants::Invariants;
use crate::watch::Watch;

/// Updates that may wait to be told.
const QUEUE: usize = 8;

pub(super) fn name(node: usize) -> MemberId {
    MemberId(format!("node-{node}"))
}

pub(super) struct Node {
    pub(super) at: usize,
    size: usize,
    seed: u8,
    pub(super) face: GossipProtocol,
    pub(super) watch: Watch,
    pub(super) up: bool,
    /// Whether nothing befalls it, so that not each call is worth a look at everything.
    pub(super) calm: bool,
    /// Which life it is; in its incarnations, so that each outbids those before.
    boot: u32,
    /// The highest incarnation that it ever had.
    pub(super) highest: Incarnation,
    /// The highest incarnation at which it holds, or held, each of the others gone.
    pub(super) tombs: Vec<Option<Incarnation>>,
    /// Events that it heard in this life.
    heard: BTreeSet<Vec<u8>>,
    invariants: Invariants,
}

impl Node {
    /// One that is down.
    pub(super) fn new(at: usize, size: usize, seed: u8) -> Self {
        let watch = Watch::new();
        let face = face(at, (seed, 0), &watch);
        let invariants = Invariants::new(&face, QUEUE, true);
        let (tombs, heard) = (vec![None; size], BTreeSet::new());
        let (up, calm, boot, highest) = (false, false, 0, 0);
        Self { at, size, seed, face, watch, up, calm, boot, highest, tombs, heard, invariants }
    }

    /// Begins a life that knows nothing of the one before, and looks for all others.
    pub(super) fn start(&mut self) -> Vec<GossipAction> {
        self.boot += 1;
        self.face = face(self.at, (self.seed, self.boot), &self.watch);
        self.invariants = Invariants::new(&self.face, QUEUE, true);
        self.tombs.fill(None);
        self.heard.clear();
        self.up = true;
        let seeds = (0..self.size).filter(|&other| other != self.at).map(home).collect();
        self.call(|node| node.bootstrap(seeds))
    }

    /// Ends without a word.
    pub(super) fn stop(&mut self) {
        self.up = false;
    }

    /// Whether others are to hold it live: it is up and has not said goodbye.
    pub(super) fn is_member(&self) -> bool {
        self.up && self.face.local_member().state == MemberState::Alive
    }

    pub(super) fn call(
        &mut self,
        call: impl FnOnce(&mut GossipProtocol) -> Vec<GossipAction>,
    ) -> Vec<GossipAction> {
        let actions = call(&mut self.face);
        if !self.calm {
            self.invariants.check(&self.face, self.watch.now());
        }
        self.highest = self.highest.max(self.face.local_member().incarnation);
        actions
    }

    pub(super) fn hear(&mut self, from: SocketAddr, message: GossipMessage) -> Vec<GossipAction> {
        let claims = laws::claims_of_life(&message);
        let actions = self.call(|node| node.handle_message(from, message));
        laws::refutation_wins(self, &claims);
        actions
    }

    /// What its user gets of a call: each event once.
    pub(super) fn note(&mut self, actions: &[GossipAction]) {
        for action in actions {
            if let GossipAction::UserEvent { event, .. } = action {
                assert!(self.heard.insert(event.payload.clone()), "an event is heard twice");
            }
        }
    }
}

fn face(at: usize, (seed, boot): (u8, u32), watch: &Watch) -> GossipProtocol {
    let mut options = Options { healing_interval: 1_000, boot_epoch: boot, ..Options::local() };
    options.gossip = AdvancedGossipConfig {
        anti_entropy_interval: 5_000,
        broadcast_queue_size: QUEUE,
        ..options.gossip
    };
    options.seed = Some(u64::from(seed) << 16 | u64::from(boot) << 8 | at as u64);
    let builder = GossipProtocol::builder(name(at), home(at)).options(options);
    builder.clock(watch.clone()).build().expect("valid options")
}
