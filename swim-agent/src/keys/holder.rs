//! Who holds an agent's keys: changes them one after another, on the disk first.

use std::path::PathBuf;
use std::sync::Arc;

use swim_wire::seal::{Keyring, KeyringError, Mode, Seal, SealError};
use tokio::sync::Mutex;
use tokio::task;

use super::error::KeysError;
use super::talk::{MemberKeys, Request};
use super::{Keys, file};

/// The keys of a running agent.
#[derive(Debug)]
pub(crate) struct Keyholder {
    seal: Arc<Seal>,
    file: Option<PathBuf>,
    /// Held by who changes them.
    turn: Mutex<()>,
}

impl Keyholder {
    /// Begins to seal for a member of `cluster`.
    pub(crate) fn new(cluster: &str, keys: Keys, mode: Mode) -> Result<Self, SealError> {
        let Keys { ring, file } = keys;
        Ok(Self { seal: Arc::new(Seal::new(cluster, ring, mode)?), file, turn: Mutex::new(()) })
    }

    /// What seals and opens.
    pub(crate) fn seal(&self) -> &Arc<Seal> {
        &self.seal
    }

    /// Does what a member asks, and says which keys there are then.
    pub(crate) async fn answer(&self, payload: &[u8], by: &str) -> Vec<u8> {
        let done = match Request::parse(payload) {
            Some(request) => self.obey(request, by).await.map_err(|error| error.to_string()),
            None => Err("this version does not understand that".to_owned()),
        };
        if let Err(why) = &done {
            tracing::warn!(by = %by.escape_debug(), "keys were not changed: {why}");
        }
        MemberKeys::new(self.seal.mode(), &self.seal.keyring(), done.err()).to_payload()
    }

    async fn obey(&self, request: Request, by: &str) -> Result<(), KeysError> {
        let (done, id, changed) = match request {
            Request::List => return Ok(()),
            Request::Install(wrapped) => {
                let key = self.seal.unwrap(&wrapped)?;
                let id = key.id();
                ("installed", id, self.change(|ring| ring.install(key)).await?)
            }
            Request::Use(id) => ("used", id, self.change(|ring| ring.use_key(id)).await?),
            Request::Remove(id) => ("removed", id, self.change(|ring| ring.remove(id)).await?),
        };
        if changed {
            tracing::info!(by = %by.escape_debug(), "key {id} is {done}");
        }
        Ok(())
    }

    /// Changes the keys, if they are not so already: first in the file, then in force.
    async fn change(
        &self,
        change: impl FnOnce(&mut Keyring) -> Result<bool, KeyringError>,
    ) -> Result<bool, KeysError> {
        let _turn = self.turn.lock().await;
        let mut ring = self.seal.keyring();
        if !change(&mut ring)? {
            return Ok(false);
        }
        if let Some(path) = self.file.clone() {
            let text = ring.to_text();
            let write = move || {
                file::write_private(&path, text.as_bytes())
                    .map_err(|why| KeysError::Write { path, why })
            };
            task::spawn_blocking(write).await.map_err(|_| crate::error::Stopped)??;
        }
        self.seal.set_keyring(ring)?;
        Ok(true)
    }

    /// Takes the keys that its file has now, if it has one, and goes to another step of the migration.
    pub(crate) async fn reload(&self, mode: Mode) -> Result<(), KeysError> {
        let _turn = self.turn.lock().await;
        if let Some(path) = self.file.clone() {
            let read = task::spawn_blocking(move || super::ring(&path));
            self.seal.set_keyring(read.await.map_err(|_| crate::error::Stopped)??)?;
        }
        self.seal.set_mode(mode);
        Ok(())
    }
}
