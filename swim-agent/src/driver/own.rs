//! What this node says of itself: what it was configured with, and what users changed since.

use std::collections::BTreeMap;

use swim_core::{Member, MetadataError};
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::sync::oneshot;

use super::Driver;
use super::post::Origin;
use crate::state::{Keeper, Overlay};

/// Where this node's metadata comes from.
#[derive(Debug)]
pub(crate) struct Own {
    configured: BTreeMap<String, String>,
    overlay: Overlay,
}

impl Own {
    /// What an agent is configured with now, and what was changed in its former lives.
    pub(crate) fn new(configured: BTreeMap<String, String>, mut overlay: Overlay) -> Self {
        overlay.configured(&configured);
        Self { configured, overlay }
    }

    /// What this node says of itself.
    pub(crate) fn metadata(&self) -> BTreeMap<String, String> {
        self.overlay.over(&self.configured)
    }

    /// Says what holds beside the configuration, for who reads that only would wonder, and keeps
    /// it: another configuration may have taken something back.
    pub(super) fn start(&self, keeper: Option<&Keeper>) {
        if let Some(keeper) = keeper {
            // Nobody waits for it.
            drop(keeper.overlay(self.overlay.clone()));
        }
        let (set, removed) = self.overlay.keys();
        if !set.is_empty() || !removed.is_empty() {
            tracing::info!(?set, ?removed, "metadata changed at run time before the restart");
        }
    }
}

/// Answers when a change is on the disk; `None` where there is no disk.
pub(crate) type Saved = Option<oneshot::Receiver<()>>;

impl<T: Transport, C: Codec> Driver<T, C> {
    /// A user changes metadata at run time.
    pub(super) fn change(
        &mut self,
        set: BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<Saved, MetadataError> {
        let mut overlay = self.own.overlay.clone();
        overlay.change(&set, remove, &self.own.configured);
        let actions = self.protocol.try_change_metadata(set, remove)?;
        self.act(actions, &mut Origin::Proven);
        Ok(self.overlay(overlay))
    }

    /// The configuration was read again.
    pub(super) fn configure(
        &mut self,
        configured: BTreeMap<String, String>,
    ) -> Result<Saved, MetadataError> {
        let mut overlay = self.own.overlay.clone();
        overlay.configured(&configured);
        let mut wanted = overlay.over(&configured);
        let held = &self.protocol.local_member().metadata;
        let gone = |key: &&String| !wanted.contains_key(*key) && !Member::is_reserved(key);
        let remove: Vec<String> = held.keys().filter(gone).cloned().collect();
        wanted.retain(|key, value| held.get(key) != Some(value));
        let actions = self.protocol.try_change_metadata(wanted, &remove)?;
        self.act(actions, &mut Origin::Proven);
        self.own.configured = configured;
        Ok(self.overlay(overlay))
    }

    /// Keeps the clock of user events.
    pub(super) fn keep_clock(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.clock(self.protocol.event_clock());
        }
    }

    /// Keeps what was changed at run time.
    fn overlay(&mut self, overlay: Overlay) -> Saved {
        let changed = overlay != self.own.overlay;
        self.own.overlay = overlay;
        let keeper = self.keeper.as_ref().filter(|_| changed)?;
        Some(keeper.overlay(self.own.overlay.clone()))
    }
}
