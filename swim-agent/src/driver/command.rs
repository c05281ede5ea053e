//! What users ask of the driver.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swim_core::MetadataError;
use tokio::sync::oneshot;

use crate::error::JoinError;
use crate::info::Info;

/// What a user asks. A dropped reply says that the agent has ended.
#[derive(Debug)]
pub(crate) enum Command {
    Info(oneshot::Sender<Info>),
    Join {
        targets: Vec<Target>,
        reply: oneshot::Sender<Result<usize, JoinError>>,
    },
    Change {
        set: BTreeMap<String, String>,
        remove: Vec<String>,
        reply: oneshot::Sender<Result<(), MetadataError>>,
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
