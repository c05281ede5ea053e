//! Sequences of all that can happen to a node: packets, time-outs, calls, any jumps of time.

mod choices;
mod invariants;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use swim_core::{
    AdvancedGossipConfig, Clock, GossipAction, GossipProtocol, Options, Timers, UserQuery,
};

use crate::source::Source;
use choices::{addr, decline, id, message, name};
use invariants::Invariants;

/// Updates that may wait to be told.
const QUEUE: usize = 8;
/// Calls in one run; what is left of the bytes says nothing.
const CALLS: usize = 200;
/// Actions of one call, at most. Far more than honest peers bring about.
const ACTIONS: usize = 2_000;

/// A clock that shows what it is told.
#[derive(Clone)]
struct Watch {
    origin: Instant,
    micros: Arc<AtomicU64>,
}

impl Clock for Watch {
    fn now(&self) -> Instant {
        self.origin + Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

impl Watch {
    fn advance(&self, micros: u64) {
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// Has a node go through what the bytes say, and looks at it after each call.
pub fn engine(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let watch = Watch { origin: Instant::now(), micros: Arc::default() };
    let owned = source.flag();
    let mut node = node(&watch, owned, source.byte());
    let mut invariants = Invariants::new(&node, QUEUE, owned);
    for _ in 0..CALLS {
        if source.is_empty() {
            return;
        }
        let actions = call(&mut node, &watch, &mut source);
        assert!(actions.len() < ACTIONS, "{} actions of one call", actions.len());
        invariants.check(&node, watch.now());
    }
}

fn node(watch: &Watch, owned: bool, seed: u8) -> GossipProtocol {
    let gossip = AdvancedGossipConfig { broadcast_queue_size: QUEUE, ..Default::default() };
    let timers = if owned { Timers::Owned } else { Timers::Named };
    let seed = Some(u64::from(seed));
    let options = Options { gossip, timers, events: true, seed, ..Options::default() };
    let builder = GossipProtocol::builder(id(0), addr(0)).options(options);
    builder.clock(watch.clone()).build().expect("valid options")
}

/// One call of any kind.
fn call(node: &mut GossipProtocol, watch: &Watch, source: &mut Source<'_>) -> Vec<GossipAction> {
    match source.below(22) {
        0..=7 => {
            let from = addr(source.below(choices::NODES));
            node.handle_message(from, message(source, watch.now()))
        }
        8 => node.tick(),
        9 => node.handle_timer(&timer(source)),
        10 => wake(node, watch),
        11 => {
            let unit = [1, 1_000, 1_000_000, 1_000_000_000][source.below(4)];
            watch.advance(u64::from(source.byte()) * unit);
            node.handle_timeout(watch.now())
        }
        12 => node.bootstrap(vec![addr(source.below(choices::NODES))]),
        13 => {
            let value = "v".repeat(usize::from(source.byte()) * 3);
            node.update_metadata(["", "a", "b"][source.below(3)].to_owned(), value)
        }
        14 => node.anti_entropy_sync(),
        15 => {
            node.auto_tune();
            Vec::new()
        }
        // Rarely: most of what can happen happens before.
        16 if source.below(8) == 7 => node.leave(),
        16 => node.remove_metadata("a"),
        17 => {
            let len = usize::from(source.byte()) * [1, 40, 400][source.below(3)];
            node.send_event("x", vec![0; len]).unwrap_or_default()
        }
        18 => node.start_query(UserQuery::new("x")).map_or_else(|_| Vec::new(), |(_, done)| done),
        19 => node.force_leave(&name(source), source.flag()).unwrap_or_default(),
        reply => {
            let relays = source.byte();
            let query = UserQuery { origin: name(source), relays, ..UserQuery::new("x") };
            let id = source.number();
            match reply {
                20 => node.decline_query(id, &query, decline(source)),
                _ => node.answer_query(id, &query, &[1]).unwrap_or_default(),
            }
        }
    }
}

/// What a driver does: sleep until something is due.
fn wake(node: &mut GossipProtocol, watch: &Watch) -> Vec<GossipAction> {
    if let Some(due) = node.next_timeout() {
        let rest = due.saturating_duration_since(watch.now()).as_micros();
        watch.advance(u64::try_from(rest).unwrap_or(0));
    }
    node.handle_timeout(watch.now())
}

fn timer(source: &mut Source<'_>) -> String {
    const SINGLE: [&str; 8] =
        ["gossip", "anti_entropy", "healing", "join", "leave", "spread", "fetch", "held_back"];
    const OF: [&str; 7] = [
        "probe_timeout_",
        "suspicion_timeout_",
        "cleanup_",
        "vouch_",
        "verify_",
        "relay_",
        "ping_again_",
    ];
    match source.below(15) {
        at if at < SINGLE.len() => SINGLE[at].to_owned(),
        at => format!("{}{}", OF[at - SINGLE.len()], name(source).0),
    }
}
