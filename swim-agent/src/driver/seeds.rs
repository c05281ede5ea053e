//! Looking seeds up and asking whom they stand for.

use std::net::SocketAddr;

use swim_transport::Transport;
use swim_wire::Codec;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::Driver;
use super::exchange::Input;
use super::post::Origin;
use crate::resolve::Lookup;

impl<T: Transport, C: Codec> Driver<T, C> {
    /// Asks all whom a join is under way through; nobody to ask ends it.
    pub(super) fn ask(&mut self) {
        let addresses = self.joins.whom_to_ask();
        let actions = self.protocol.bootstrap(addresses);
        self.act(actions, &mut Origin::Proven);
    }

    /// Looks seeds up in a task of its own: a resolver may take its time, and one that does holds up
    /// no other seed.
    pub(super) fn look_up(&self, seeds: Vec<String>) {
        let inputs = self.exchange.inputs().clone();
        let resolver = self.about.resolver.clone();
        let lookup = async move {
            let mut lookups = resolver.look_up(&seeds);
            let mut over = false;
            while !over {
                let found = lookups.next().await;
                over = lookups.are_over();
                // An error says that the agent has ended.
                let _ = inputs.send(Input::Resolved { found, over }).await;
            }
        };
        self.about.runtime.spawn(lookup.in_current_span());
    }

    /// Some of the seeds were looked up; `over` says that no other is.
    pub(super) fn resolved(&mut self, found: Vec<Lookup>, over: bool) {
        let allowed = self.admission.allowed();
        let of = |(seed, found): Lookup| (seed, found.and_then(|found| allowed.of(found)));
        let found: Vec<Lookup> = found.into_iter().map(of).collect();
        let now = Instant::now().into_std();
        let protocol = &self.protocol;
        let lives = |at: &SocketAddr| protocol.member_at(at).is_some_and(|m| m.state.is_live());
        if self.joins.resolved((found, over), self.view.is_alone(), lives, now) {
            self.ask();
        }
    }
}
