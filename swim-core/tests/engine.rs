//! The engine by itself, where members are numbers: what its own users see of it.

use swim_core::{
    Accusers, Change, Config, Dest, Engine, MemberIdx, MemberState, Message, Options, Outgoing,
    Output, Profile as _, Reason, Removal, Rumor, Source, Time, Update, wire_size,
};

/// Nobody looks at what it does.
struct Nothing;

impl Output<()> for Nothing {
    fn send(&mut self, _: &[()], _: Dest<MemberIdx>, _: Outgoing<'_>) {}
    fn changed(&mut self, _: &mut [()], _: Change, _: Option<()>) {}
}

fn rumor(member: u32, state: MemberState, accusers: &[u32]) -> Rumor {
    let mut said = Accusers::default();
    for (health, accuser) in (0..).zip(accusers) {
        said.insert(MemberIdx(*accuser), health);
    }
    Rumor {
        member: MemberIdx(member),
        state,
        incarnation: 0,
        age: None,
        with_profile: state == MemberState::Alive,
        accusers: said,
        removal: Removal::No,
    }
}

fn hear(engine: &mut Engine<()>, from: u32, rumors: &[Rumor]) {
    let mut updates: Vec<_> =
        rumors.iter().map(|rumor| Update { rumor: *rumor, profile: Some(()) }).collect();
    let source = Source { member: Some(MemberIdx(from)), address: MemberIdx(from) };
    engine.handle_message(Time(1), source, Message::Gossip(&mut updates), &mut Nothing);
}

#[test]
fn members_are_counted_and_those_accuse_that_are_others_and_known() {
    let mut engine = Engine::new(Config::from(Options::default()), MemberIdx(0), (), 7);
    assert_eq!((engine.live_count(), engine.alive_count()), (1, 1));
    let alive: Vec<_> = (1..=5).map(|member| rumor(member, MemberState::Alive, &[])).collect();
    hear(&mut engine, 1, &alive);
    hear(&mut engine, 1, &[rumor(5, MemberState::Suspect, &[2, 5, 99, 3])]);
    assert_eq!((engine.live_count(), engine.alive_count()), (6, 5));
    let accusers: Vec<_> = engine.accusers(MemberIdx(5)).iter().collect();
    assert_eq!(accusers, [(MemberIdx(2), 0), (MemberIdx(3), 3)]);
    assert!(engine.accusers(MemberIdx(4)).is_empty());
    assert!((0..=5).all(|member| !engine.is_degraded(MemberIdx(member))), "nobody said so");
    hear(&mut engine, 1, &[rumor(4, MemberState::Dead, &[])]);
    assert_eq!((engine.live_count(), engine.alive_count()), (5, 4));
}

#[test]
fn a_removal_counts_once_and_is_of_others_only_and_by_who_has_not_left() {
    let mut engine = Engine::new(Config::from(Options::default()), MemberIdx(0), (), 7);
    let alive: Vec<_> = (1..=5).map(|member| rumor(member, MemberState::Alive, &[])).collect();
    hear(&mut engine, 1, &alive);
    let remove = |engine: &mut Engine<()>, member| {
        engine.force_leave(Time(2), MemberIdx(member), false, &mut Nothing);
        engine.stats().removals
    };
    assert_eq!([4, 4, 0, 99].map(|member| remove(&mut engine, member)), [1; 4]);
    assert_eq!(engine.state(MemberIdx(0)), Some(MemberState::Alive));
    engine.leave(Time(3), &mut Nothing);
    assert_eq!(remove(&mut engine, 5), 1);
}

#[test]
fn equal_views_have_equal_hashes_and_others_have_others() {
    let hash = |members: &[u32]| {
        let mut engine = Engine::new(Config::from(Options::default()), MemberIdx(0), (), 7);
        for member in members {
            hear(&mut engine, 1, &[rumor(*member, MemberState::Alive, &[])]);
        }
        engine.view_hash()
    };
    assert_eq!(hash(&[1, 2, 3]), hash(&[3, 1, 2]));
    assert_ne!(hash(&[1, 2, 3]), hash(&[1, 2, 4]));
    assert_ne!(hash(&[1, 2, 3]), hash(&[1, 2]));
}

#[test]
fn the_age_of_what_was_known_says_nothing_of_how_fast_news_travels() {
    let mut engine = Engine::new(Config::from(Options::default()), MemberIdx(0), (), 7);
    let news = Rumor { age: Some(3), ..rumor(1, MemberState::Alive, &[]) };
    for _ in 0..3 {
        hear(&mut engine, 2, &[news]);
    }
    assert_eq!((engine.stats().ages_known, engine.stats().ages_sum), (1, 4));
}

#[test]
fn reasons_are_named_as_logs_and_interfaces_print_them() {
    let names = [
        (Reason::ProbeFailed, "probe_failed"),
        (Reason::Rumor, "rumor"),
        (Reason::AntiEntropy, "anti_entropy"),
        (Reason::SuspicionExpired, "suspicion_expired"),
        (Reason::FirstHand, "first_hand"),
        (Reason::Refutation, "refutation"),
        (Reason::Restarted, "restarted"),
        (Reason::OwnWord, "own_word"),
        (Reason::Reaped, "reaped"),
        (Reason::Conflict, "conflict"),
        (Reason::Removed, "removed"),
        (Reason::Pruned, "pruned"),
    ];
    for (reason, name) in names {
        assert_eq!(reason.as_str(), name);
    }
}

#[test]
fn a_simulated_member_takes_as_much_as_one_of_a_short_name_on_ipv4() {
    let address = wire_size::address(&std::net::SocketAddr::from(([10, 0, 0, 1], 7946)));
    let name = wire_size::text("node-000000".len());
    assert_eq!([().wire_len(false), ().wire_len(true)], [name, name + address]);
}

/// Counts what leaves; it has no streams.
#[derive(Default)]
struct Counting(u64);

impl Output<()> for Counting {
    fn send(&mut self, _: &[()], _: Dest<MemberIdx>, _: Outgoing<'_>) {
        self.0 += 1;
    }
    fn changed(&mut self, _: &mut [()], _: Change, _: Option<()>) {}
}

#[test]
fn who_has_no_streams_sends_all_by_datagram() {
    let mut engine = Engine::new(Config::from(Options::default()), MemberIdx(0), (), 7);
    let alive: Vec<_> = (1..=5).map(|member| rumor(member, MemberState::Alive, &[])).collect();
    hear(&mut engine, 1, &alive);
    let (before, mut out) = (engine.stats().messages_sent, Counting::default());
    while let Some(at) = engine.next_timeout().filter(|at| *at < Time(5_000_000)) {
        engine.handle_timeout(at, &mut out);
    }
    assert!(engine.stats().probes_failed > 0);
    assert_eq!(engine.stats().messages_sent - before, out.0);
}
