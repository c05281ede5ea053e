//! Asking all members about their keys, and changing those everywhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use swim_core::{Decline, MemberState};
use swim_wire::seal::{Key, KeyId, KeyringError, Mode};

use super::error::KeysError;
use super::holder::Keyholder;
use super::talk::{MemberKeys, Request};
use crate::handle::Handle;
use crate::query::{Query, Reply};

/// How long members may take: as long as a disk.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Members that pass on each answer besides: a lost one would hold up the next step.
const RELAYS: u8 = 2;

/// What members said of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyReport {
    /// Those that answered, this agent among them.
    pub members: BTreeMap<String, MemberKeys>,
    /// Those that did not though they are alive, or may come back, and why, in words. Of the members that a
    /// restart has not found again, those are here that [`Info::members_missing`](crate::Info::members_missing) names.
    pub silent: BTreeMap<String, String>,
}

impl KeyReport {
    /// How many members there are, and are remembered.
    pub fn total(&self) -> usize {
        self.members.len() + self.silent.len()
    }

    /// How many said that they open with this key.
    pub fn holding(&self, id: KeyId) -> usize {
        self.members.values().filter(|keys| keys.holds(id)).count()
    }

    /// How many said that they seal with this key, as soon as they seal.
    pub fn using(&self, id: KeyId) -> usize {
        self.members.values().filter(|keys| keys.uses(id)).count()
    }

    /// Who is silent, and of whom else `is_so` does not hold; each with what is known of it.
    pub fn unconfirmed(&self, is_so: impl Fn(&MemberKeys) -> bool) -> BTreeMap<String, String> {
        let others = self.members.iter().filter(|(_, keys)| !is_so(keys));
        let others = others.map(|(name, keys)| {
            let why = keys.refused.clone().unwrap_or_else(|| "has other keys".to_owned());
            (name.clone(), why)
        });
        self.silent.clone().into_iter().chain(others).collect()
    }
}

/// Keys of sealed traffic; [`keys`](crate::keys) says how they are replaced. Each of these returns when
/// all live members have answered, or after ten seconds.
impl Handle {
    /// Which keys members have.
    ///
    /// # Errors
    /// The agent has no keys, or cannot ask.
    pub async fn keys(&self) -> Result<KeyReport, KeysError> {
        self.ask_about_keys(&Request::List).await
    }

    /// Has all members open with another key too. It travels wrapped.
    ///
    /// # Errors
    /// As [`keys`](Self::keys), and when this agent's own keyring is full.
    pub async fn install_key(&self, key: &Key) -> Result<KeyReport, KeysError> {
        let holder = self.holder()?;
        holder.seal().keyring().install(key.clone())?;
        let wrapped = holder.seal().wrap(key)?;
        self.ask_about_keys(&Request::Install(wrapped)).await
    }

    /// Has all members seal with this key.
    ///
    /// # Errors
    /// As [`keys`](Self::keys), when this agent has not that key, and unless `force`, when a member has not
    /// said that it has it: one that is dead may come back.
    pub async fn use_key(&self, id: KeyId, force: bool) -> Result<KeyReport, KeysError> {
        self.holder()?.seal().keyring().use_key(id)?;
        if !force {
            self.ready("using", id, |keys| keys.holds(id)).await?;
        }
        self.ask_about_keys(&Request::Use(id)).await
    }

    /// Has all members forget a key.
    ///
    /// # Errors
    /// As [`keys`](Self::keys), when this agent seals with it, and unless `force`, when a member has not
    /// said that it seals with another.
    pub async fn remove_key(&self, id: KeyId, force: bool) -> Result<KeyReport, KeysError> {
        self.holder()?.seal().keyring().remove(id)?;
        if !force {
            self.ready("removing", id, |keys| !keys.uses(id)).await?;
        }
        self.ask_about_keys(&Request::Remove(id)).await
    }

    /// Reads the keyring file again, if there is one, and goes to another step of the migration.
    ///
    /// # Errors
    /// The agent has no keys, the file makes no sense or others can read it. Nothing has changed.
    pub async fn reload_keys(&self, mode: Mode) -> Result<(), KeysError> {
        self.holder()?.reload(mode).await
    }

    /// What this agent sends and takes; `None` where it has no keys.
    pub fn sealing(&self) -> Option<Mode> {
        self.about.keys.as_ref().map(|keys| keys.seal().mode())
    }

    fn holder(&self) -> Result<&Arc<Keyholder>, KeysError> {
        self.about.keys.as_ref().ok_or(KeysError::NoKeyring)
    }

    /// Whether a step cuts nobody off.
    async fn ready(
        &self,
        step: &'static str,
        id: KeyId,
        is_ready: impl Fn(&MemberKeys) -> bool,
    ) -> Result<(), KeysError> {
        let report = self.ask_about_keys(&Request::List).await?;
        if report.holding(id) == 0 && step == "removing" {
            return Err(KeyringError::Unknown { id }.into());
        }
        let who = report.unconfirmed(is_ready);
        if who.is_empty() {
            return Ok(());
        }
        let who = who.into_iter().map(|(name, why)| format!("{name} ({why})")).collect();
        Err(KeysError::Unconfirmed { step, id, who })
    }

    async fn ask_about_keys(&self, request: &Request) -> Result<KeyReport, KeysError> {
        if self.holder()?.seal().mode() == Mode::Accept {
            return Err(KeysError::Plain);
        }
        let mut query = Query::new(Query::KEYS);
        (query.payload, query.timeout) = (request.to_payload(), TIMEOUT);
        (query.ack, query.relays) = (false, RELAYS);
        let mut answers = self.ask_all(query).await?;
        let (mut members, mut silent) = (BTreeMap::new(), BTreeMap::new());
        while let Some(reply) = answers.next().await {
            match reply {
                Reply::Answer { from, payload } => match MemberKeys::parse(&payload) {
                    Some(keys) => drop(members.insert(from, keys)),
                    None => drop(silent.insert(from, "its answer makes no sense".to_owned())),
                },
                Reply::Declined { from, why } => {
                    silent.insert(from, declined(why).to_owned());
                }
                _ => {}
            }
        }
        let info = self.info().await?;
        for name in info.members_missing.names {
            silent.entry(name).or_insert_with(|| "not seen since the restart".to_owned());
        }
        for member in self.members().iter().filter(|member| member.state != MemberState::Left) {
            let why = match member.state {
                MemberState::Alive => "no answer".to_owned(),
                state => state.to_string(),
            };
            silent.entry(member.name.clone()).or_insert(why);
        }
        silent.retain(|name, _| !members.contains_key(name));
        Ok(KeyReport { members, silent })
    }
}

/// Why a member says nothing of its keys.
fn declined(why: Decline) -> &'static str {
    match why {
        Decline::NoHandler => "has no keyring",
        Decline::Busy => "is too busy",
        // Also what a newer one says.
        _ => "failed",
    }
}
