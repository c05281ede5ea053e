//! Sequences of all that can happen to a node: packets, time-outs, calls, any jumps of time.

mod answers;

use std::time::{Duration, Instant};

use swim_core::{
    AdvancedGossipConfig, Clock, GossipAction, GossipProtocol, Mechanisms, Options, Timers,
    UserQuery,
};

use crate::choices::{self, addr, decline, gossip, id, message, name};
use crate::invariants::Invariants;
use crate::source::Source;
use crate::watch::Watch;
use answers::Asked;

/// Updates that may wait to be told.
const QUEUE: usize = 8;
/// Calls in one run; what is left of the bytes says nothing.
const CALLS: usize = 200;
/// Actions of one call, at most. Far more than honest peers bring about.
const ACTIONS: usize = 2_000;

/// A day in microseconds.
const DAY: u64 = 86_400_000_000;

/// A node, its clock, and what it asked for.
struct Subject {
    node: GossipProtocol,
    watch: Watch,
    /// The latest time that it was told. Where the clock goes back, what is due stays where it was.
    latest: Instant,
    asked: Asked,
}

/// Has a node go through what the bytes say, and looks at it after each call.
pub fn engine(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let watch = Watch::new();
    let options = options(&mut source);
    let owned = options.timers == Timers::Owned;
    let builder = GossipProtocol::builder(id(0), addr(0)).options(options);
    let node = builder.clock(watch.clone()).build().expect("valid options");
    let latest = watch.now();
    let mut subject = Subject { node, watch, latest, asked: Asked::default() };
    let mut invariants = Invariants::new(&subject.node, QUEUE, owned);
    for _ in 0..CALLS {
        if source.is_empty() {
            return;
        }
        let actions = subject.call(&mut source);
        assert!(actions.len() < ACTIONS, "{} actions of one call", actions.len());
        subject.asked.note(&actions);
        subject.latest = subject.latest.max(subject.watch.now());
        invariants.check(&subject.node, subject.latest);
    }
}

/// Mostly as they ship.
fn options(source: &mut Source<'_>) -> Options {
    let kind = source.byte();
    let mut options = Options { events: true, ..Options::default() };
    options.timers = if kind & 1 != 0 { Timers::Owned } else { Timers::Named };
    options.seed = Some(u64::from(source.byte()));
    options.gossip =
        AdvancedGossipConfig { broadcast_queue_size: QUEUE, ..AdvancedGossipConfig::default() };
    options.gossip.dynamic_tuning = kind & 2 != 0;
    options.coordinates = kind & 4 == 0;
    match kind >> 4 {
        0 => options.mechanisms = Mechanisms::plain(),
        1 => options.mechanisms = Mechanisms::lifeguard(),
        2 => options.gossip.base.fanout = 1,
        3 => (options.boot_epoch, options.event_clock) = (u32::MAX, u64::MAX),
        4 => (options.boot_epoch, options.event_clock) = (1, 100),
        5 => options.datagram_budget = 1_024,
        _ => {}
    }
    options.clamped()
}

impl Subject {
    /// One call of any kind, or a few that belong together.
    fn call(&mut self, source: &mut Source<'_>) -> Vec<GossipAction> {
        let now = self.watch.now();
        match source.below(32) {
            0..=6 => {
                let from = addr(source.below(choices::NODES));
                self.node.handle_message(from, message(source, now))
            }
            7 => {
                let from = addr(source.below(choices::NODES));
                let [news, companion] = gossip(source);
                let mut actions = self.node.handle_message(from, news);
                actions.extend(self.node.handle_message(from, companion));
                actions
            }
            8..=12 => match self.asked.answer(source, now) {
                Some((from, answer)) => self.node.handle_message(from, answer),
                None => Vec::new(),
            },
            13 => self.node.tick(),
            14 => self.node.handle_timer(&timer(source)),
            15..=17 => self.watch.wake(&mut self.node),
            18..=21 => self.pass(source),
            22 => self.read(source),
            23..=26 => self.tell(source),
            _ => self.steer(source),
        }
    }

    /// Time, as it should go and as it should not.
    fn pass(&mut self, source: &mut Source<'_>) -> Vec<GossipAction> {
        let unit = [1, 1_000, 1_000_000, 1_000_000_000, DAY, 365 * DAY][source.below(6)];
        let micros = u64::from(source.byte()) * unit;
        match source.below(4) {
            0 => self.watch.set_back(micros),
            // The call comes at another time than the clock shows.
            1 => {
                let at = self.watch.now() + Duration::from_micros(micros);
                self.latest = self.latest.max(at);
                return self.node.handle_timeout(at);
            }
            _ => self.watch.advance(micros),
        }
        self.node.handle_timeout(self.watch.now())
    }

    /// What changes nothing.
    fn read(&mut self, source: &mut Source<'_>) -> Vec<GossipAction> {
        let (one, other) = (name(source), name(source));
        let known = self.node.member(&one).is_some();
        assert_eq!(self.node.get_metadata(&one).is_some(), known);
        assert!(known || self.node.round_trip(&one).is_none(), "of whom nothing is held");
        let estimate = self.node.round_trip_estimate(&one, &other);
        assert!(estimate.is_none_or(|it| it.error.is_finite() && it.error >= 0.0), "{estimate:?}");
        let stats = self.node.convergence_stats();
        assert!(stats.avg_rounds_to_converge >= 0.0 && stats.message_overhead >= 0.0);
        assert!((0.0..=1.0).contains(&stats.false_positive_rate), "{stats:?}");
        Vec::new()
    }

    /// What users tell and ask.
    fn tell(&mut self, source: &mut Source<'_>) -> Vec<GossipAction> {
        let query = UserQuery { origin: name(source), ..query(source) };
        match source.below(6) {
            0 | 1 => {
                let len = usize::from(source.byte()) * [1, 40, 400][source.below(3)];
                self.node.send_event("x", vec![0; len]).unwrap_or_default()
            }
            2 => match self.node.start_query(query) {
                Ok((number, actions)) => {
                    self.asked.query(number);
                    actions
                }
                Err(_) => Vec::new(),
            },
            3 => self.node.ack_query(source.number(), &query),
            4 => self.node.decline_query(source.number(), &query, decline(source)),
            _ => self.node.answer_query(source.number(), &query, &[1]).unwrap_or_default(),
        }
    }

    /// What operators and drivers do.
    fn steer(&mut self, source: &mut Source<'_>) -> Vec<GossipAction> {
        match source.below(7) {
            0 => self.node.bootstrap(source.list(3, |it| addr(it.below(choices::NODES)))),
            1 => {
                let value = "v".repeat(usize::from(source.byte()) * 3);
                self.node.update_metadata(["", "a", "b"][source.below(3)].to_owned(), value)
            }
            2 => self.node.anti_entropy_sync(),
            3 => {
                self.node.auto_tune();
                Vec::new()
            }
            4 => self.node.remove_metadata("a"),
            // Rarely: most of what can happen happens before.
            5 if source.below(8) == 7 => self.node.leave(),
            _ => self.node.force_leave(&name(source), source.flag()).unwrap_or_default(),
        }
    }
}

fn query(source: &mut Source<'_>) -> UserQuery {
    UserQuery {
        relays: source.byte(),
        ack: source.flag(),
        timeout: Duration::from_millis(source.number()),
        nodes: source.list(2, name),
        ..UserQuery::new("x")
    }
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
