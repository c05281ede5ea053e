//! Building a protocol whose every option is checked.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;

use super::GossipProtocol;
use super::clock::{Clock, SystemClock};
use crate::config::{AdvancedGossipConfig, Options};
use crate::error::ConfigError;
use crate::member::{Member, MemberId};
use crate::wire_size::metadata_len;

/// Builds a [`GossipProtocol`]; made by [`GossipProtocol::builder`].
pub struct Builder {
    id: MemberId,
    address: SocketAddr,
    metadata: HashMap<String, String>,
    options: Options,
    clock: Box<dyn Clock>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, address, metadata, options, clock: _ } = self;
        f.debug_struct("Builder")
            .field("id", id)
            .field("address", address)
            .field("metadata", metadata)
            .field("options", options)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new(id: MemberId, address: SocketAddr) -> Self {
        let (metadata, options) = (HashMap::new(), Options::default());
        Self { id, address, metadata, options, clock: Box::new(SystemClock) }
    }

    /// Everything that can be set.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The prototype's configuration, within the options set so far.
    #[must_use]
    pub fn config(mut self, config: AdvancedGossipConfig) -> Self {
        self.options.gossip = config;
        self
    }

    /// What this node says of itself from the start.
    #[must_use]
    pub fn metadata(mut self, metadata: HashMap<String, String>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Where the time comes from; the machine's monotonic clock unless set.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// A value out of range, two that clash, or metadata above its limit; nothing was built.
    pub fn build(self) -> Result<GossipProtocol, ConfigError> {
        self.options.validate()?;
        if let Some(key) = self.metadata.keys().find(|key| Member::is_reserved(key)) {
            return Err(ConfigError::ReservedKey { key: key.clone() });
        }
        let (len, limit) = (metadata_len(&self.metadata), self.options.metadata_limit);
        if len > limit {
            return Err(ConfigError::Metadata { len, limit });
        }
        let (len, max) = (self.id.0.len(), MemberId::MAX_LEN);
        if len == 0 || len > max {
            return Err(ConfigError::NameLength { len, max });
        }
        let Self { id, address, metadata, options, clock } = self;
        Ok(GossipProtocol::assemble(id, address, metadata, options, clock))
    }
}
