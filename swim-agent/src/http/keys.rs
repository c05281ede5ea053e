//! `GET /v1/keys`, `POST /v1/keys/install`, `/v1/keys/use` and `/v1/keys/remove`: the keys of sealed traffic,
//! by their ids. A key itself is only ever taken, never told.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use swim_agent::keys::{Key, KeyId, KeyReport, KeysError, MemberKeys, Zeroizing};

use super::Shared;
use super::body::Body;
use super::error::ApiError;

/// Answer to `GET /v1/keys`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeysBody {
    /// Those that are alive, or remembered as dead.
    pub(crate) members: usize,
    /// Every key that one of them has, this agent's first.
    pub(crate) keys: Vec<KeyBody>,
    /// How many send and take what: `accept`, `send` or `require`.
    pub(crate) sealing: BTreeMap<String, usize>,
    /// Who has not answered, and why, in words.
    pub(crate) unconfirmed: BTreeMap<String, String>,
}

/// One key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeyBody {
    pub(crate) id: String,
    pub(crate) algorithm: String,
    /// How many open with it.
    pub(crate) held: usize,
    /// How many seal with it.
    pub(crate) primary: usize,
}

/// Body of `POST /v1/keys/install`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with key")]
pub(crate) struct InstallRequest {
    /// `ALGORITHM:BASE64`.
    #[serde(serialize_with = "secret_out", deserialize_with = "secret_in")]
    pub(crate) key: Zeroizing<String>,
}

/// Body of `POST /v1/keys/use` and `POST /v1/keys/remove`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with id")]
pub(crate) struct IdRequest {
    pub(crate) id: String,
    /// Also if that cuts members off.
    #[serde(default)]
    pub(crate) force: bool,
}

/// What was done, and by how many.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ChangeBody {
    pub(crate) id: String,
    pub(crate) confirmed: usize,
    /// Those that are alive, or remembered as dead.
    pub(crate) members: usize,
    /// Who has not confirmed it, and why, in words.
    pub(crate) unconfirmed: BTreeMap<String, String>,
}

fn secret_out<S: Serializer>(text: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

fn secret_in<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

/// Answers which keys members have.
pub(super) async fn list(State(admin): Shared) -> Result<Json<KeysBody>, ApiError> {
    let report = admin.handle.keys().await?;
    let own = report.members.get(admin.handle.name()).into_iter();
    let all = own.chain(report.members.values()).flat_map(|keys| &keys.keys);
    let mut keys: Vec<KeyBody> = Vec::new();
    for (id, algorithm) in all {
        let text = id.to_string();
        if keys.iter().all(|key| key.id != text) {
            let (held, primary) = (report.holding(*id), report.using(*id));
            keys.push(KeyBody { id: text, algorithm: algorithm.to_string(), held, primary });
        }
    }
    let mut sealing = BTreeMap::new();
    for member in report.members.values() {
        *sealing.entry(member.sealing.name().to_owned()).or_default() += 1;
    }
    let members = report.total();
    Ok(Json(KeysBody { members, keys, sealing, unconfirmed: report.silent }))
}

/// Has all members open with another key.
pub(super) async fn install(
    State(admin): Shared,
    Body(InstallRequest { key }): Body<InstallRequest>,
) -> Result<Json<ChangeBody>, ApiError> {
    let key = key.parse::<Key>().map_err(|error| ApiError::bad_request(format!("key: {error}")))?;
    let report = admin.handle.install_key(&key).await?;
    Ok(changed(key.id(), &report, |keys| keys.holds(key.id())))
}

/// Has all members seal with a key.
pub(super) async fn use_key(
    State(admin): Shared,
    Body(request): Body<IdRequest>,
) -> Result<Json<ChangeBody>, ApiError> {
    let id = parse(&request)?;
    let report = admin.handle.use_key(id, request.force).await?;
    Ok(changed(id, &report, |keys| keys.uses(id)))
}

/// Has all members forget a key.
pub(super) async fn remove(
    State(admin): Shared,
    Body(request): Body<IdRequest>,
) -> Result<Json<ChangeBody>, ApiError> {
    let id = parse(&request)?;
    let report = admin.handle.remove_key(id, request.force).await?;
    Ok(changed(id, &report, |keys| !keys.holds(id)))
}

fn parse(request: &IdRequest) -> Result<KeyId, ApiError> {
    let wrong = |error| ApiError::bad_request(format!("id: {error}, not {:?}", request.id));
    request.id.parse().map_err(wrong)
}

fn changed(id: KeyId, report: &KeyReport, is_so: impl Fn(&MemberKeys) -> bool) -> Json<ChangeBody> {
    let unconfirmed = report.unconfirmed(is_so);
    let members = report.total();
    let confirmed = members - unconfirmed.len();
    Json(ChangeBody { id: id.to_string(), confirmed, members, unconfirmed })
}

impl From<KeysError> for ApiError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Stopped(stopped) => stopped.into(),
            KeysError::Ask(error) => error.into(),
            _ => Self::conflict(error.to_string()),
        }
    }
}
