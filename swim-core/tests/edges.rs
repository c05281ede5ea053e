//! Where a rule begins and where it ends: figures that larger scenarios would not notice to be a little off.

mod common;

use common::lone::{Lone, accusation, alive, claim};
use common::{addr, id};
use swim_core::{
    Digest, GossipMessage, Mechanisms, MemberState, MemberUpdate, Notice, Options, Said, Stamp,
    UserEvent, UserNotice,
};

fn with(mechanisms: Mechanisms) -> Options {
    Options { mechanisms, ..Options::default() }
}

fn ping(from: usize) -> GossipMessage {
    GossipMessage::Ping { seq: 1, from: id(from) }
}

#[test]
fn each_message_that_comes_counts_once() {
    let mut lone = Lone::settled(3, Options::default());
    let before = lone.protocol.stats().messages_received;
    for from in [1, 2, 2] {
        lone.hear(from, ping(from));
    }
    lone.hear(2, GossipMessage::Notices { notices: vec![event(1, 0), event(2, 0)] });
    assert_eq!(lone.protocol.stats().messages_received, before + 4);
}

/// After how many milliseconds a relay says that the member it was to ping has not answered.
fn nack_after(mechanisms: Mechanisms) -> u64 {
    let mut lone = Lone::settled(3, with(mechanisms));
    lone.silence(2);
    let begin = lone.clock.micros();
    lone.hear(1, GossipMessage::PingReq { seq: 77, from: id(1), target: id(2) });
    lone.run(2.0);
    let nacks = lone.sent.iter().filter(|(_, to, message)| {
        *to == 1 && matches!(message, GossipMessage::Nack { seq: 77, .. })
    });
    let at: Vec<_> = nacks.map(|(at, ..)| (at - begin) / 1_000).collect();
    assert_eq!(at.len(), 1);
    at[0]
}

#[test]
fn a_relay_says_after_four_fifths_of_the_askers_time_that_it_has_no_answer() {
    // Of half the time-out, 500 ms, or else of what it leaves of the period.
    assert_eq!(nack_after(Mechanisms::all()), 200);
    assert_eq!(nack_after(Mechanisms { early_suspicion: false, ..Mechanisms::all() }), 400);
}

#[test]
fn an_accusation_that_was_heard_is_no_news_again() {
    let mut lone = Lone::settled(8, Options::default());
    let learned = |lone: &Lone| lone.protocol.stats().updates_learned;
    let mut told = Vec::new();
    for accusers in [&[1][..], &[1], &[1, 2]] {
        let before = learned(&lone);
        accusation(5, accusers).into_iter().for_each(|message| lone.hear(1, message));
        told.push(learned(&lone) - before);
    }
    assert_eq!(told[..2], [1, 0]);
}

#[test]
fn a_bare_suspicion_is_news_once_from_each_who_tells_it() {
    let mut lone = Lone::settled(8, Options::default());
    let mut told = |from| {
        let before = lone.protocol.stats().updates_learned;
        lone.gossip(from, vec![claim(5, MemberState::Suspect)]);
        lone.protocol.stats().updates_learned - before
    };
    let first = told(1);
    assert_eq!([1, 2, 2, 1].map(&mut told), [0, 1, 0, 0]);
    assert_eq!(first, 1);
    assert_eq!(lone.protocol.stats().updates_ignored, 3);
}

#[test]
fn only_the_answer_to_a_join_is_answered_with_what_it_lacked() {
    let mut lone = Lone::knowing(3, Options::default());
    let pushed = |lone: &mut Lone| {
        let members = vec![lone.protocol.member(&id(1)).unwrap().clone()];
        let view = GossipMessage::Sync { members };
        let (datagrams, streams) = (lone.sent.len(), lone.streamed.len());
        lone.hear(1, view);
        let is_sync = |(_, _, message): &&(u64, usize, GossipMessage)| {
            matches!(message, GossipMessage::Sync { .. })
        };
        lone.sent[datagrams..].iter().filter(is_sync).count()
            + lone.streamed[streams..].iter().filter(is_sync).count()
    };
    assert_eq!(pushed(&mut lone), 0, "nobody was asked");
    lone.protocol.bootstrap(vec![addr(1)]);
    assert_eq!(pushed(&mut lone), 1);
    assert_eq!(pushed(&mut lone), 0, "one was asked");
}

/// How many hashes this node gives of its view where another has a different one.
fn buckets(others: usize) -> usize {
    let mut lone = Lone::settled(others, Options::default());
    lone.hear(1, GossipMessage::Digest { digest: Digest::View { hash: 1 } });
    let hashes = lone.sent.iter().find_map(|(_, _, message)| match message {
        GossipMessage::Digest { digest: Digest::Buckets { hashes } } => Some(hashes.len()),
        _ => None,
    });
    hashes.expect("views differ")
}

#[test]
fn views_are_compared_by_about_eight_members_at_a_time() {
    assert_eq!([buckets(3), buckets(15), buckets(31), buckets(63)], [1, 2, 4, 8]);
}

#[test]
fn a_refutation_goes_first_until_it_was_told_often_enough() {
    let mut options = Options::default();
    options.gossip.base.max_piggyback = 2;
    let mut lone = Lone::settled(30, options);
    lone.gossip(1, vec![claim(0, MemberState::Suspect)]);
    // More news than fits beside it, and fresher.
    lone.gossip(1, (2..20).map(|node| MemberUpdate { incarnation: 1, ..alive(node) }).collect());
    lone.forget();
    let mut told = 0;
    for _ in 0..6 {
        lone.forget();
        lone.hear(1, ping(1));
        told += lone.told_of(0, MemberState::Alive).len();
    }
    assert_eq!(told, 6);
}

#[test]
fn who_is_forgotten_accuses_nobody_under_the_name_of_who_has_its_place() {
    let mechanisms = Mechanisms { verify: false, quiet: false, ..Mechanisms::all() };
    let mut options = Options { dead_retention: 1_000, ..with(mechanisms) };
    options.gossip.base.suspicion_multiplier = 60;
    let mut lone = Lone::settled(8, options);
    lone.answers(1..=8, 1);
    accusation(5, &[3]).into_iter().for_each(|message| lone.hear(1, message));
    lone.silence(5);
    lone.silence(3);
    lone.gossip(3, vec![claim(3, MemberState::Left)]);
    lone.run(4.0);
    assert_eq!(lone.state(3), None, "forgotten");
    lone.gossip(1, vec![alive(20)]);
    lone.forget();
    accusation(5, &[2]).into_iter().for_each(|message| lone.hear(1, message));
    lone.run(3.0);
    let accusers = lone.sent.iter().filter_map(|(_, _, message)| match message {
        GossipMessage::Evidence { accusations, .. } => Some(accusations),
        _ => None,
    });
    let accusers: Vec<_> = accusers.flatten().map(|held| held.accuser.clone()).collect();
    assert!(accusers.contains(&id(2)), "{accusers:?}");
    assert!(!accusers.contains(&id(20)), "{accusers:?}");
}

fn event(number: u64, bytes: usize) -> Notice<UserNotice> {
    let event = UserEvent { origin: id(2), name: "x".into(), payload: vec![0; bytes] };
    let said = Said::Whole(UserNotice::Event(event.into()));
    Notice { stamp: Stamp { ltime: number, id: number }, after: [].into(), said }
}

/// Milliseconds from now until each time that events are told, in the next 150 ms, after so many
/// were heard.
fn told_after(events: u64) -> Vec<u64> {
    let mut lone = Lone::settled(20, Options::default());
    let begin = lone.clock.micros();
    let notices = (1..=events).map(|number| event(number, 0)).collect();
    lone.hear(1, GossipMessage::Notices { notices });
    lone.run(0.15);
    let is_told = |message: &GossipMessage| matches!(message, GossipMessage::Notices { .. });
    let told = lone.sent.iter().filter(|(_, _, message)| is_told(message));
    let mut told: Vec<_> = told.map(|(at, ..)| (at - begin) / 1_000).collect();
    told.dedup();
    told
}

#[test]
fn events_that_nobody_was_told_are_told_within_a_tenth_of_the_interval() {
    for few in [told_after(1), told_after(16)] {
        assert!(few[0] <= 20 && few[1..].iter().all(|at| *at > 60), "then in its rounds: {few:?}");
    }
    let many = told_after(60);
    assert!(many[0] <= 20 && many.len() >= 3, "as long as more wait than fit: {many:?}");
}

#[test]
fn an_answer_with_events_that_were_asked_for_holds_at_most_a_mebibyte() {
    let mut lone = Lone::settled(3, Options::default());
    let notices: Vec<_> = (1..=30).map(|number| event(number, 60_000)).collect();
    let stamps = notices.iter().map(|notice| notice.stamp).collect();
    lone.hear(1, GossipMessage::Notices { notices });
    lone.forget();
    lone.hear(2, GossipMessage::Fetch { stamps });
    let told = lone.sent.iter().chain(&lone.streamed).filter_map(|(_, _, message)| match message {
        GossipMessage::Notices { notices } => Some(notices.len()),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [17], "of 60 kB each");
}

#[test]
fn a_member_passes_on_some_answers_in_a_period_and_no_more() {
    let mut lone = Lone::settled(3, Options::default());
    let answer = |from| GossipMessage::QueryAnswer {
        query: 1,
        from: id(from),
        to: id(2),
        relay: true,
        payload: None,
        declined: None,
    };
    lone.forget();
    for _ in 0..400 {
        lone.hear(1, answer(1));
    }
    assert_eq!(lone.sent.len(), 256);
    assert_eq!(lone.protocol.stats().answers_refused, 144);
    lone.run_to_ping_of(3);
    lone.forget();
    lone.hear(100, answer(100));
    let GossipMessage::QueryAnswer { query, from, to, payload, declined, .. } = answer(1) else {
        panic!("an answer")
    };
    lone.hear(1, GossipMessage::QueryAnswer { query, from, to, relay: false, payload, declined });
    assert!(lone.sent.is_empty(), "neither a stranger's nor what is for others");
}

#[test]
fn hashes_that_no_node_sends_are_not_answered() {
    let mut lone = Lone::settled(30, Options::default());
    for number in [0, 3, 6, 2_048] {
        let hashes = vec![1; number];
        lone.hear(1, GossipMessage::Digest { digest: Digest::Buckets { hashes } });
        let (of, buckets, versions) = (number as u32, vec![0], vec![1]);
        lone.hear(1, GossipMessage::Digest { digest: Digest::Versions { of, buckets, versions } });
    }
    assert!(lone.sent.is_empty() && lone.streamed.is_empty(), "{:?}", lone.sent);
    lone.hear(1, GossipMessage::Digest { digest: Digest::Buckets { hashes: vec![1; 4] } });
    assert!(!lone.sent.is_empty() || !lone.streamed.is_empty());
}

/// Whether this node compares views within a second, where nothing was told that could be a reason.
fn compares_soon(joins: bool) -> bool {
    let mechanisms = Mechanisms { checks: false, ..Mechanisms::all() };
    let mut lone = Lone::settled(8, with(mechanisms));
    if joins {
        lone.protocol.bootstrap(vec![addr(1)]);
        let members = lone.protocol.all_members().into_iter().cloned().collect();
        lone.hear(1, GossipMessage::Sync { members });
    }
    lone.forget();
    lone.run(1.0);
    let is_view = |message: &GossipMessage| {
        matches!(message, GossipMessage::Digest { digest: Digest::View { .. } })
    };
    lone.sent.iter().any(|(_, _, message)| is_view(message))
}

#[test]
fn who_has_just_joined_compares_views_soon() {
    assert!(compares_soon(true));
    assert!(!compares_soon(false));
}

/// In how many of eight runs a node looks for itself at a suspect with so many accusers.
fn looks(accusers: &[usize]) -> usize {
    let looks = |seed: u64| {
        // Nor does it look before it condemns, and none is probed in turn meanwhile.
        let mechanisms = Mechanisms { quiet: false, ..Mechanisms::all() };
        let mut lone = Lone::settled(60, Options { seed: Some(seed), ..with(mechanisms) });
        lone.silence(60);
        accusation(60, accusers).into_iter().for_each(|message| lone.hear(1, message));
        lone.run(4.0);
        !lone.pings_of(60).is_empty()
    };
    (0..8).filter(|&seed| looks(seed)).count()
}

#[test]
fn who_is_confirmed_as_often_as_is_wanted_is_not_looked_at_any_more() {
    assert!(looks(&[1, 2, 3]) >= 6, "two confirmations of three");
    assert!(looks(&[1, 2, 3, 4]) <= 2);
}

/// How often news of member 5 is told by a node that then hears these messages.
fn tellings(mechanisms: Mechanisms, heard: Vec<Vec<MemberUpdate>>) -> usize {
    let mut lone = Lone::settled(30, with(mechanisms));
    lone.gossip(5, vec![moved(1)]);
    for (from, updates) in (6..).zip(heard) {
        lone.gossip(from, updates);
    }
    lone.run(5.0);
    lone.told_of(5, MemberState::Alive).len()
}

#[test]
fn news_that_all_others_tell_does_not_wait_to_be_told() {
    let mut lone = Lone::settled(30, Options::default());
    lone.gossip(5, vec![moved(1)]);
    let waiting = |lone: &mut Lone, from| {
        lone.gossip(from, vec![moved(1)]);
        lone.protocol.queue_len()
    };
    let waiting: Vec<_> = (6..22).map(|from| waiting(&mut lone, from)).collect();
    assert_eq!(waiting[14..], [1, 0], "after the fifteenth and the sixteenth");
    // Nor is it the same that it is suspect where it is dead.
    lone.gossip(1, vec![claim(6, MemberState::Dead)]);
    (7..30).for_each(|from| lone.gossip(from, vec![claim(6, MemberState::Suspect)]));
    assert_eq!(lone.protocol.queue_len(), 1);
    (7..30).for_each(|from| lone.gossip(from, vec![claim(6, MemberState::Dead)]));
    assert_eq!(lone.protocol.queue_len(), 0);
    // A refutation must get through, whatever others say.
    lone.gossip(1, vec![MemberUpdate { incarnation: 1, ..claim(5, MemberState::Dead) }]);
    lone.gossip(5, vec![moved(2)]);
    (6..30).for_each(|from| lone.gossip(from, vec![moved(2)]));
    assert_eq!(lone.protocol.queue_len(), 1);
}

/// Member 5 at an incarnation.
fn moved(incarnation: u64) -> MemberUpdate {
    MemberUpdate { incarnation, ..alive(5) }
}

#[test]
fn what_others_tell_too_is_told_less_often() {
    let all = Mechanisms::all;
    let alone = tellings(all(), vec![]);
    let one = tellings(all(), vec![vec![moved(1)]; 1]);
    let four = tellings(all(), vec![vec![moved(1)]; 4]);
    assert!(alone > four && four > 0, "{alone}, {four}");
    // Each is told eight times, and that another tells it counts half.
    let all_but_one = tellings(all(), vec![vec![moved(1)]; 15]);
    assert_eq!([all_but_one, tellings(all(), vec![vec![moved(1)]; 16])], [1, 0]);
    assert_eq!(alone, tellings(all(), vec![vec![moved(0)]; 4]), "older news is not the same");
    let other = vec![vec![MemberUpdate { incarnation: 1, ..alive(6) }]; 4];
    assert_eq!(alone, tellings(all(), other), "nor is another's");
    assert_eq!(one, tellings(all(), vec![vec![moved(1); 4]]), "once in a message");
    let deaf = Mechanisms { feedback: false, ..all() };
    assert_eq!(alone, tellings(deaf, vec![vec![moved(1)]; 4]));
}

#[test]
fn each_death_counts_once_and_a_farewell_is_none() {
    let mut lone = Lone::settled(8, Options::default());
    let before = lone.protocol.stats().deaths;
    for (member, state) in [
        (5, MemberState::Dead),
        (5, MemberState::Dead),
        (6, MemberState::Left),
        (7, MemberState::Dead),
    ] {
        lone.gossip(member, vec![claim(member, state)]);
    }
    assert_eq!(lone.protocol.stats().deaths, before + 2);
}

#[test]
fn pings_for_others_go_on_when_another_target_is_forgotten() {
    let mut lone = Lone::settled(4, Options { dead_retention: 1, ..Options::default() });
    lone.silence(2);
    lone.silence(3);
    for (seq, target) in [(70, 2), (71, 3)] {
        lone.hear(1, GossipMessage::PingReq { seq, from: id(1), target: id(target) });
    }
    let (_, seq) = *lone.pings_of(2).last().unwrap();
    lone.gossip(3, vec![claim(3, MemberState::Left)]);
    lone.run(0.05);
    assert_eq!(lone.state(3), None, "forgotten");
    lone.forget();
    lone.hear(2, GossipMessage::Ack { seq, from: id(2) });
    let passed_on = |(_, to, message): &(u64, usize, GossipMessage)| {
        *to == 1 && matches!(message, GossipMessage::Ack { seq: 70, .. })
    };
    assert_eq!(lone.sent.iter().filter(|sent| passed_on(sent)).count(), 1);
}

#[test]
fn views_are_compared_every_interval() {
    let mechanisms = Mechanisms { checks: false, ..Mechanisms::all() };
    let mut lone = Lone::settled(8, with(mechanisms));
    lone.run(300.0);
    let is_view = |message: &GossipMessage| {
        matches!(message, GossipMessage::Digest { digest: Digest::View { .. } })
    };
    let compared = lone.sent.iter().filter(|(_, _, message)| is_view(message)).count();
    assert!((8..=14).contains(&compared), "{compared} in ten intervals");
}

#[test]
fn hashes_of_a_view_are_those_that_other_versions_compute() {
    let mut lone = Lone::settled(3, Options { boot_epoch: 1, ..Options::default() });
    lone.hear(1, GossipMessage::Digest { digest: Digest::View { hash: 1 } });
    let hashes = lone.sent.iter().find_map(|(_, _, message)| match message {
        GossipMessage::Digest { digest: Digest::Buckets { hashes } } => Some(hashes.clone()),
        _ => None,
    });
    assert_eq!(hashes, Some(vec![6_866_587_564_669_544_764]));
}

#[test]
fn a_farewell_is_over_when_enough_others_have_said_so_each_counted_once() {
    let mut lone = Lone::settled(8, Options::default());
    lone.protocol.leave();
    let confirms = |lone: &mut Lone, from| {
        let incarnation = lone.protocol.local_member().incarnation;
        let left = MemberUpdate { incarnation, ..claim(0, MemberState::Left) };
        lone.gossip(from, vec![left]);
        lone.protocol.has_left()
    };
    let over: Vec<_> = [0, 1, 1, 2].map(|from| confirms(&mut lone, from)).into();
    assert_eq!(over, [false, false, false, true]);
}
