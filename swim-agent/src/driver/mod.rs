//! The one task that owns the protocol.

mod command;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use swim_core::{GossipProtocol, Options};
use swim_transport::Transport;
use swim_wire::Codec;
use tokio::sync::{broadcast, mpsc, watch};

pub(crate) use command::{Command, Target};

use crate::builder::NetCounters;
use crate::event::EventStream;
use crate::handle::{About, Handle};
use crate::members::{MemberInfo, Members};

/// Commands that wait for the driver; whoever sends more waits.
const COMMANDS: usize = 64;

/// What an agent is made of.
pub(crate) struct Setup<T, C> {
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) protocol: GossipProtocol,
    pub(crate) options: Options,
    pub(crate) codec: C,
    pub(crate) transport: Arc<T>,
    pub(crate) net: Option<NetCounters>,
    pub(crate) cluster: String,
    pub(crate) seeds: Vec<String>,
    pub(crate) local_addr: SocketAddr,
}

/// Starts the tasks of an agent.
pub(crate) fn start<T: Transport, C: Codec>(setup: Setup<T, C>) -> Handle {
    let (commands, mut received) = mpsc::channel(COMMANDS);
    let (events, _) = broadcast::channel(EventStream::KEPT);
    let local = setup.protocol.local_member();
    let name = local.id.0.clone();
    let advertise_addr = local.address;
    let now = (Instant::now(), SystemTime::now());
    let (publish, members) = watch::channel(Members::alone(MemberInfo::new(local, now)));
    let about = Arc::new(About {
        name,
        cluster: setup.cluster.clone(),
        local_addr: setup.local_addr,
        advertise_addr,
        events: events.downgrade(),
        runtime: setup.runtime.clone(),
    });
    setup.runtime.clone().spawn(async move {
        let _kept = (
            setup.protocol,
            setup.options,
            setup.codec,
            setup.transport,
            setup.net,
            setup.seeds,
            publish,
            events,
        );
        while let Some(command) = received.recv().await {
            if let Command::Shutdown | Command::Leave(_) = command {
                break;
            }
        }
    });
    Handle { about, commands, members }
}
