//! The order in which news is told, against a list that is sorted each time.

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;
use swim_core::{
    Accusers, AdvancedGossipConfig, Change, Config, Dest, Engine, GossipConfig, MemberIdx,
    MemberState, Message, Options, Outgoing, Output, Removal, Rumor, Source, Time, Timer, Timers,
    Update,
};

const MEMBERS: u32 = 40;
/// Updates on an ack.
const PIGGYBACK: usize = 3;

/// Whom each datagram tells of.
#[derive(Default)]
struct Told(Vec<Vec<u32>>);

impl Output<()> for Told {
    fn send(&mut self, _: &[()], _: Dest<MemberIdx>, message: Outgoing<'_>) {
        match message {
            Message::Gossip(rumors) => {
                self.0.push(rumors.iter().map(|rumor| rumor.member.0).collect());
            }
            Message::Ack { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn changed(&mut self, _: &mut [()], _: Change, _: Option<()>) {}
}

/// News by how often it was told, and when it came.
#[derive(Default)]
struct Model {
    waiting: Vec<(u32, std::cmp::Reverse<u64>, u32)>,
    heard: u64,
}

impl Model {
    fn hear(&mut self, member: u32) {
        self.heard += 1;
        self.waiting.retain(|(.., held)| *held != member);
        self.waiting.push((0, std::cmp::Reverse(self.heard), member));
    }

    /// The next `most`: fewest told first, newest first among equals; each at most `limit` times.
    fn tell(&mut self, most: usize, limit: u32) -> Vec<u32> {
        self.waiting.sort_unstable();
        let told = self.waiting.iter_mut().take(most).map(|(told, _, member)| {
            *told += 1;
            *member
        });
        let told = told.collect();
        self.waiting.retain(|(told, ..)| *told < limit);
        told
    }
}

struct Pair {
    engine: Engine<()>,
    model: Model,
    limit: u32,
    incarnation: u64,
}

impl Pair {
    fn new(retransmit_mult: u32) -> Self {
        let base = GossipConfig { max_piggyback: PIGGYBACK, ..GossipConfig::default() };
        let gossip = AdvancedGossipConfig { base, retransmit_mult, ..Default::default() };
        let options = Options { gossip, timers: Timers::Named, ..Options::default() };
        let engine = Engine::new(Config::from(options), MemberIdx(0), (), 7);
        let model = Model::default();
        // Two decimal digits of members.
        let mut pair = Self { engine, model, limit: 2 * retransmit_mult, incarnation: 0 };
        (1..MEMBERS).for_each(|member| pair.news(member));
        while pair.engine.queue_len() > 0 {
            pair.engine.handle_timer(Time::ZERO, Timer::Gossip, &mut Told::default());
        }
        pair.model = Model::default();
        pair
    }

    fn news(&mut self, member: u32) {
        self.incarnation += 1;
        let rumor = Rumor {
            member: MemberIdx(member),
            state: MemberState::Alive,
            incarnation: self.incarnation,
            age: Some(0),
            with_profile: true,
            accusers: Accusers::default(),
            removal: Removal::No,
        };
        let mut updates = [Update { rumor, profile: Some(()) }];
        self.hear(Message::Gossip(&mut updates));
        self.model.hear(member);
    }

    fn hear(&mut self, message: swim_core::Incoming<'_, ()>) -> Vec<Vec<u32>> {
        let (mut told, one) = (Told::default(), MemberIdx(1));
        let source = Source { member: Some(one), address: one };
        self.engine.handle_message(Time::ZERO, source, message, &mut told);
        told.0
    }

    fn answer_ping(&mut self) {
        let told = self.hear(Message::Ping { seq: 1 }).concat();
        assert_eq!(told, self.model.tell(PIGGYBACK, self.limit));
    }

    /// All that waits fits in a datagram, to three members.
    fn gossip(&mut self) {
        let mut told = Told::default();
        self.engine.handle_timer(Time::ZERO, Timer::Gossip, &mut told);
        let expected: Vec<_> =
            (0..3).flat_map(|_| self.model.tell(usize::MAX, self.limit)).collect();
        assert_eq!(told.0.concat(), expected);
    }
}

#[test]
fn a_member_is_known_at_the_incarnation_that_was_heard_last() {
    let mut pair = Pair::new(1);
    pair.news(3);
    assert_eq!(pair.engine.incarnation_of(MemberIdx(3)), Some(pair.incarnation));
    assert_eq!(pair.engine.incarnation_of(MemberIdx(MEMBERS)), None);
}

#[test]
fn the_fewest_told_goes_first_and_the_newest_among_equals() {
    for seed in 0..40 {
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut pair = Pair::new(rng.random_range(1..=6));
        for _ in 0..400 {
            match rng.random_range(0..10) {
                0..5 if pair.engine.queue_len() < 20 => pair.news(rng.random_range(1..MEMBERS)),
                5..9 => pair.answer_ping(),
                _ => pair.gossip(),
            }
            assert_eq!(pair.engine.queue_len(), pair.model.waiting.len(), "seed {seed}");
        }
    }
}
