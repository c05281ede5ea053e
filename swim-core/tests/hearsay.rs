//! What others say of members: in views, of who is gone, and of this node itself.

mod common;

use std::collections::HashMap;
use std::net::SocketAddr;

use common::lone::{Lone, accusation, alive, claim};
use common::{ManualClock, addr, id};
use swim_core::{
    Clock as _, EventKind, GossipMessage, Mechanisms, Member, MemberState, MemberUpdate, Options,
    Reason,
};

/// A member as a view shows it.
fn member(node: usize, state: MemberState, incarnation: u64) -> Member {
    let (address, last_update) = (addr(node), ManualClock::new().now());
    Member { id: id(node), address, state, incarnation, metadata: HashMap::new(), last_update }
}

fn views(lone: &mut Lone, from: usize, members: Vec<Member>) {
    lone.hear(from, GossipMessage::Sync { members });
}

fn living(nodes: std::ops::RangeInclusive<usize>) -> Vec<Member> {
    nodes.map(|node| member(node, MemberState::Alive, 0)).collect()
}

#[test]
fn a_view_that_knows_a_later_death_knows_that_its_member_lived_until_then() {
    let mut lone = Lone::settled(8, Options::default());
    views(&mut lone, 1, vec![member(5, MemberState::Dead, 7)]);
    assert_eq!(lone.state(5), Some(MemberState::Dead));
    lone.gossip(2, vec![MemberUpdate { incarnation: 3, ..alive(5) }]);
    assert_eq!(lone.state(5), Some(MemberState::Dead), "that is from before its death");
    lone.gossip(2, vec![MemberUpdate { incarnation: 8, ..alive(5) }]);
    assert_eq!(lone.state(5), Some(MemberState::Alive));
}

#[test]
fn a_view_with_a_later_suspicion_revives_the_dead_and_one_with_a_later_death_does_not() {
    for (state, held) in [
        (MemberState::Suspect, MemberState::Suspect),
        (MemberState::Dead, MemberState::Dead),
        (MemberState::Left, MemberState::Left),
    ] {
        let mut lone = Lone::settled(8, Options::default());
        lone.gossip(2, vec![claim(5, MemberState::Dead)]);
        lone.forget();
        views(&mut lone, 1, vec![member(5, state, 7)]);
        assert_eq!(lone.state(5), Some(held));
        let lived = !lone.happened(5, EventKind::Joined).is_empty();
        assert_eq!(lived, state == MemberState::Suspect, "{:?}", lone.events);
    }
}

#[test]
fn a_view_that_holds_this_node_dead_is_refuted_once() {
    let mut lone = Lone::settled(8, Options::default());
    views(&mut lone, 1, vec![member(0, MemberState::Dead, 7)]);
    assert_eq!(lone.protocol.local_member().incarnation, 8);
    assert_eq!(lone.protocol.stats().own_refutations, 1);
    lone.gossip(1, vec![MemberUpdate { incarnation: 8, ..claim(0, MemberState::Suspect) }]);
    assert_eq!(lone.protocol.stats().own_refutations, 2);
}

/// How many of the members of a view this node tells others about in the next second.
fn passed_on(mut lone: Lone, asked: bool) -> usize {
    if asked {
        lone.protocol.bootstrap(vec![addr(1)]);
    }
    views(&mut lone, 1, living(1..=8));
    lone.forget();
    lone.run(1.0);
    (2..=8).filter(|&node| !lone.told_of(node, MemberState::Alive).is_empty()).count()
}

#[test]
fn a_newcomer_does_not_tell_a_cluster_what_it_has_just_heard_from_it() {
    let knowing = |members| Lone::knowing(members, Options::default());
    assert_eq!(passed_on(knowing(0), true), 0);
    assert_eq!(passed_on(knowing(0), false), 7, "nobody was asked");
    assert_eq!(passed_on(knowing(1), true), 7, "two clusters have met");
}

#[test]
fn seeds_where_nobody_lives_are_looked_for_and_others_are_not() {
    let mechanisms = Mechanisms { anti_entropy: false, checks: false, ..Mechanisms::all() };
    let mut lone = Lone::knowing(0, Options { mechanisms, ..Options::default() });
    lone.answers(1..=3, 1);
    lone.protocol.bootstrap(vec![addr(1), addr(50)]);
    views(&mut lone, 1, living(1..=3));
    lone.run(2.0);
    lone.forget();
    lone.run(30.0);
    let is_view = |message: &GossipMessage| matches!(message, GossipMessage::Digest { .. });
    let tried = lone.sent.iter().filter(|(_, _, message)| is_view(message)).map(|&(_, to, _)| to);
    let tried: Vec<_> = tried.collect();
    assert!(tried.len() >= 2 && tried.iter().all(|&to| to == 50), "{tried:?}");
    assert!(lone.protocol.stats().healing_attempts >= 2);
}

/// How often member 5 is told at once what another says of it, in forty runs among ten nodes.
fn told_at_once(from: usize, said: MemberState, before: impl Fn(&mut Lone)) -> usize {
    let told = |seed| {
        let mut lone = Lone::knowing(9, Options { seed: Some(seed), ..Options::default() });
        before(&mut lone);
        lone.forget();
        lone.gossip(from, vec![claim(5, said)]);
        lone.told_of(5, said).iter().filter(|(_, to)| *to == 5).count()
    };
    (0..40).map(told).sum()
}

#[test]
fn who_is_said_to_be_gone_hears_of_it() {
    let nothing = |_: &mut Lone| {};
    assert_eq!(told_at_once(1, MemberState::Dead, nothing), 40);
    let farewells = told_at_once(1, MemberState::Left, nothing);
    assert!((4..=22).contains(&farewells), "three of ten nodes tell it: {farewells} of 40");
    assert_eq!(told_at_once(5, MemberState::Left, nothing), 40, "its own word is confirmed, once");
    assert_eq!(told_at_once(1, MemberState::Suspect, nothing), 0, "that others tell it");
    let suspected = |lone: &mut Lone| {
        accusation(5, &[1, 2]).into_iter().for_each(|message| lone.hear(1, message));
    };
    assert_eq!(told_at_once(1, MemberState::Dead, suspected), 0, "it was told before");
    let left = |lone: &mut Lone| {
        lone.protocol.leave();
    };
    assert_eq!(told_at_once(1, MemberState::Left, left), 0, "who leaves confirms no farewell");
    let gone = |lone: &mut Lone| lone.gossip(2, vec![claim(5, MemberState::Dead)]);
    assert_eq!(told_at_once(1, MemberState::Left, gone), 0, "it is no news to the dead");
}

#[test]
fn an_accusation_at_an_incarnation_that_nobody_has_heard_of_is_told_to_the_accused() {
    for (incarnation, times) in [(0, 0), (3, 1)] {
        let mut lone = Lone::knowing(9, Options::default());
        lone.forget();
        lone.gossip(1, vec![MemberUpdate { incarnation, ..claim(5, MemberState::Suspect) }]);
        let told =
            lone.told_of(5, MemberState::Alive).len() + lone.told_of(5, MemberState::Suspect).len();
        assert_eq!(told, times, "at {incarnation}");
    }
}

/// What an Alive of this node itself, from another address, makes of its incarnation and of its
/// count of conflicts.
fn told_of_itself(boot_epoch: u32, incarnation: u64, at: SocketAddr) -> (u64, u64) {
    let mut lone = Lone::settled(3, Options { boot_epoch, ..Options::default() });
    lone.gossip(1, vec![MemberUpdate { incarnation, address: Some(at), ..alive(0) }]);
    (lone.protocol.local_member().incarnation, lone.protocol.stats().conflicts)
}

#[test]
fn one_of_the_same_name_and_boot_epoch_is_a_conflict_and_a_former_or_a_later_life_is_none() {
    let epoch = |epoch: u64| epoch << 32;
    let elsewhere = addr(9);
    assert_eq!(told_of_itself(5, epoch(5) + 3, elsewhere), (epoch(5) + 4, 1));
    assert_eq!(told_of_itself(5, epoch(6) + 3, elsewhere), (epoch(6) + 4, 0));
    assert_eq!(told_of_itself(5, epoch(4) + 3, elsewhere), (epoch(5), 0));
    assert_eq!(told_of_itself(5, epoch(5) + 3, addr(0)), (epoch(5) + 4, 0));
    assert_eq!(told_of_itself(0, 3, elsewhere), (4, 0), "without epochs nobody knows");
}

#[test]
fn a_node_never_claims_an_incarnation_that_others_refuse() {
    let limit = u64::MAX - (1 << 32) + 1;
    assert_eq!(told_of_itself(5, limit - 1, addr(0)), (limit - 1, 0));
    assert_eq!(told_of_itself(5, limit - 2, addr(0)), (limit - 1, 0));
    assert_eq!(told_of_itself(5, limit, addr(0)), (5 << 32, 0), "nobody believes that");
}

#[test]
fn seeds_that_do_not_answer_are_asked_again_after_twice_the_time_each_time() {
    let mut lone = Lone::knowing(0, Options::default());
    let begin = lone.clock.micros();
    let actions = lone.protocol.bootstrap(vec![addr(1)]);
    lone.act(actions);
    lone.run(100.0);
    let asks = |message: &GossipMessage| matches!(message, GossipMessage::SyncRequest { .. });
    let asked = lone.sent.iter().filter(|(_, _, message)| asks(message));
    let asked: Vec<_> = asked.map(|(at, ..)| (at - begin) as f64 / 1e6).collect();
    let waits = asked.windows(2).map(|pair| pair[1] - pair[0]);
    for (wait, least) in waits.zip([1.0, 2.0, 4.0, 8.0, 16.0, 16.0]) {
        let most = if least > 1.0 { least * 1.5 } else { least };
        assert!((least..=most + 0.01).contains(&wait), "{wait} instead of {least} to {most}");
    }
    assert!(asked.len() >= 6, "{asked:?}");
}

#[test]
fn who_lives_again_is_looked_for_no_more() {
    let mut lone = Lone::settled(8, Options::default());
    lone.gossip(1, vec![claim(5, MemberState::Dead)]);
    lone.run(30.0);
    let tried = lone.protocol.stats().healing_attempts;
    assert!(tried > 0);
    lone.gossip(5, vec![MemberUpdate { incarnation: 1, ..alive(5) }]);
    lone.run(60.0);
    assert_eq!(lone.protocol.stats().healing_attempts, tried);
}

/// How many accusations count as refuted after this Alive of a member that was accused so.
fn refuted(accused: MemberUpdate, incarnation: u64) -> u64 {
    let mut lone = Lone::settled(8, Options::default());
    lone.gossip(1, vec![accused]);
    lone.gossip(5, vec![MemberUpdate { incarnation, ..alive(5) }]);
    assert_eq!(lone.state(5), Some(MemberState::Alive));
    lone.protocol.stats().refuted
}

#[test]
fn an_accusation_is_refuted_by_the_same_life_of_a_member_and_a_removal_or_a_death_by_none() {
    assert_eq!(refuted(claim(5, MemberState::Suspect), 1), 1);
    assert_eq!(refuted(claim(5, MemberState::Dead), 1), 1);
    assert_eq!(refuted(claim(5, MemberState::Dead), 1 << 32), 0, "it was started anew");
    assert_eq!(refuted(claim(5, MemberState::Left), 1), 0, "nobody accused it");
    assert_eq!(refuted(claim(6, MemberState::Suspect), 1), 0, "nor it");
    let metadata = Some(HashMap::from([(Member::REMOVED.to_owned(), id(1).0)]));
    let removed = MemberUpdate { metadata, ..claim(5, MemberState::Left) };
    assert_eq!(refuted(removed, 1), 0, "the word of an operator");
}

/// A claim that member 5 is something else, at the incarnation that is known.
fn other(role: &str) -> MemberUpdate {
    let metadata = Some(HashMap::from([("role".into(), role.into())]));
    MemberUpdate { metadata, ..alive(5) }
}

#[test]
fn of_claims_at_one_incarnation_the_same_stays_in_whichever_order_they_come() {
    let mut stays = std::collections::BTreeSet::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut lone = Lone::settled(8, Options::default());
        for claim in order {
            lone.gossip(1, vec![other(["db", "web", "mail"][claim])]);
        }
        stays.insert(lone.protocol.get_metadata(&id(5)).unwrap()["role"].clone());
    }
    assert_eq!(stays.len(), 1, "{stays:?}");
}

#[test]
fn a_claim_that_loses_is_reported_once() {
    let mut lone = Lone::settled(8, Options::default());
    for role in ["db", "web"] {
        lone.gossip(1, vec![other(role)]);
    }
    let stays = lone.protocol.get_metadata(&id(5)).unwrap()["role"].clone();
    let loses = if stays == "db" { "web" } else { "db" };
    lone.gossip(1, vec![other(loses)]);
    let reported = lone.protocol.stats().conflicts;
    for _ in 0..5 {
        lone.gossip(1, vec![other(loses)]);
        lone.gossip(1, vec![other(&stays)]);
    }
    assert_eq!(lone.protocol.stats().conflicts, reported);
}

#[test]
fn each_correction_counts() {
    let mut lone = Lone::settled(8, Options::default());
    for member in 1..=4 {
        lone.gossip(8, vec![claim(member, MemberState::Dead)]);
    }
    assert_eq!(lone.protocol.stats().corrections, 4);
}

#[test]
fn who_says_so_of_itself_is_told_from_who_is_said_to_be_gone() {
    let mut lone = Lone::settled(8, Options::default());
    lone.gossip(5, vec![claim(5, MemberState::Left)]);
    lone.gossip(5, vec![claim(6, MemberState::Left)]);
    let reasons = [5, 6].map(|node| {
        let about = lone.events.iter().find(|(_, event)| event.member == id(node));
        about.map(|(_, event)| (event.reason, event.by.clone()))
    });
    let expected = [Reason::OwnWord, Reason::Rumor].map(|reason| Some((reason, Some(id(5)))));
    assert_eq!(reasons, expected);
}

#[test]
fn a_suspect_that_answers_this_node_has_refuted_once() {
    let mut lone = Lone::settled(8, Options::default());
    accusation(5, &[1]).into_iter().for_each(|message| lone.hear(1, message));
    lone.run(3.0);
    assert_eq!(lone.state(5), Some(MemberState::Alive));
    assert_eq!(lone.protocol.stats().refuted, 1);
}

#[test]
fn corrections_are_so_many_in_a_period_and_no_more() {
    let mut lone = Lone::settled(8, Options::default());
    lone.gossip(1, vec![claim(5, MemberState::Dead)]);
    let (before, sent) = (lone.protocol.stats().corrections, lone.sent.len());
    for seq in 0..200 {
        lone.hear(5, GossipMessage::Ping { seq, from: id(5) });
    }
    let corrections = lone.protocol.stats().corrections - before;
    assert_eq!(lone.sent.len() - sent, 200 + corrections as usize, "each ping is answered");
    assert_eq!(before + corrections, 64);
}

#[test]
fn an_accusation_is_outbid_by_one_as_long_as_honest_members_get_there() {
    let plausible = u64::MAX - (1 << 33) + 1;
    for (accused_at, refuted_at) in [(7, 8), (plausible - 1, plausible), (plausible, 1)] {
        let mut lone = Lone::settled(3, Options::default());
        let accused = claim(0, MemberState::Suspect);
        lone.gossip(1, vec![MemberUpdate { incarnation: accused_at, ..accused }]);
        assert_eq!(lone.protocol.local_member().incarnation, refuted_at);
    }
}

#[test]
fn an_incarnation_that_no_honest_member_reaches_is_refused_and_counted() {
    let limit = u64::MAX - (1 << 32) + 1;
    let mut lone = Lone::settled(3, Options::default());
    for (incarnation, refused, held) in [(limit, 1, 0), (u64::MAX, 2, 0), (limit - 1, 2, limit - 1)]
    {
        lone.gossip(1, vec![MemberUpdate { incarnation, ..alive(2) }]);
        assert_eq!(lone.protocol.stats().incarnations_refused, refused);
        assert_eq!(lone.protocol.member(&id(2)).unwrap().incarnation, held);
    }
}

#[test]
fn who_died_again_is_remembered_from_then_on() {
    let mut lone = Lone::settled(8, Options { dead_retention: 10_000, ..Options::default() });
    lone.gossip(1, vec![claim(5, MemberState::Dead)]);
    lone.run(5.0);
    lone.gossip(5, vec![MemberUpdate { incarnation: 1, ..alive(5) }]);
    lone.gossip(1, vec![MemberUpdate { incarnation: 1, ..claim(5, MemberState::Dead) }]);
    lone.run(9.0);
    assert_eq!(lone.state(5), Some(MemberState::Dead));
    lone.run(2.0);
    assert_eq!(lone.state(5), None);
}
