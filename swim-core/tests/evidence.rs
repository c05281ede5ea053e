//! What counts as evidence against a member, and what is kept to oneself.

mod common;

use std::collections::BTreeSet;

use common::lone::{Lone, accusation, alive};
use common::{addr, id};
use swim_core::{GossipAction, GossipMessage, Member, MemberState, MemberUpdate, Options};

/// Node 0 among six that it knows well; its first look at member 6 has just failed, which it has
/// told nobody.
fn suspecting() -> Lone {
    let mut lone = Lone::settled(6, Options::default());
    lone.nacks(1..=5);
    lone.silence(6);
    lone.run_until(|lone| lone.state(6) == Some(MemberState::Suspect));
    assert!(lone.told_of(6, MemberState::Suspect).is_empty());
    lone
}

/// What a node says of a member when it is asked for its whole view.
fn synced(lone: &mut Lone, of: usize) -> Member {
    let actions = lone.protocol.handle_message(addr(2), GossipMessage::SyncRequest { from: id(2) });
    let view = actions.into_iter().find_map(|action| match action {
        GossipAction::Send { message: GossipMessage::Sync { members }, .. }
        | GossipAction::SendByStream { message: GossipMessage::Sync { members }, .. } => {
            Some(members)
        }
        _ => None,
    });
    view.unwrap().into_iter().find(|member| member.id == id(of)).unwrap()
}

#[test]
fn a_whole_view_does_not_tell_a_suspicion_that_nobody_was_told() {
    let mut lone = suspecting();
    assert_eq!(synced(&mut lone, 6).state, MemberState::Alive);
    assert_eq!(lone.state(6), Some(MemberState::Suspect), "it is still held");
}

#[test]
fn a_suspicion_that_only_a_whole_view_told_is_not_gossiped_and_nobody_stands_up_for_it() {
    let mut lone = Lone::settled(6, Options::default());
    let mut member = lone.protocol.member(&id(6)).unwrap().clone();
    member.state = MemberState::Suspect;
    lone.hear(2, GossipMessage::Sync { members: vec![member] });
    lone.run(10.0);
    assert!(lone.told_of(6, MemberState::Suspect).is_empty());
    assert!(accusers_told(&lone).is_empty());
    assert_eq!(synced(&mut lone, 6).state, MemberState::Alive);
}

/// The accusers that node 0 names in what it tells.
fn accusers_told(lone: &Lone) -> BTreeSet<String> {
    let evidence = lone.sent.iter().filter_map(|(_, _, message)| match message {
        GossipMessage::Evidence { accusations, .. } => Some(accusations),
        _ => None,
    });
    evidence.flatten().map(|accusation| accusation.accuser.0.clone()).collect()
}

/// Whom node 0 names as accusers of member 6, which does not answer, if relays say that they have
/// no answer either so many milliseconds after they were asked; `from` whose address, if it is not
/// their own.
fn accusers_by_nacks(millis: u64, from: Option<usize>) -> BTreeSet<String> {
    let mut lone = Lone::settled(6, Options::default());
    lone.silence(6);
    let end = lone.clock.micros() + 20_000_000;
    let mut answered = 0;
    while lone.clock.micros() < end {
        let asked: Vec<_> = lone.sent[answered..].iter().filter_map(request).collect();
        answered = lone.sent.len();
        for (relay, seq) in asked {
            let nack = GossipMessage::Nack { seq, from: id(relay) };
            lone.script(millis, from.unwrap_or(relay), nack);
        }
        lone.run(0.001);
    }
    accusers_told(&lone)
}

fn request((_, to, message): &(u64, usize, GossipMessage)) -> Option<(usize, u64)> {
    match message {
        GossipMessage::PingReq { seq, .. } => Some((*to, *seq)),
        _ => None,
    }
}

#[test]
fn a_nack_accuses_if_the_relay_itself_says_so_after_it_had_time_to_try() {
    assert!(accusers_by_nacks(200, None).len() > 1, "as it should be");
    let alone = BTreeSet::from([id(0).0]);
    let hurried = accusers_by_nacks(1, None);
    assert!(hurried.is_subset(&alone), "at once: {hurried:?}");
    let forged = accusers_by_nacks(200, Some(50));
    assert!(forged.is_subset(&alone), "from elsewhere: {forged:?}");
}

#[test]
fn a_late_ack_of_a_suspicion_that_nobody_was_told_leaves_waiting_news_alone() {
    let mut lone = Lone::settled(30, Options::default());
    lone.nacks(1..=29);
    lone.silence(6);
    let (_, seq) = lone.run_to_ping_of(6);
    lone.run_until(|lone| !lone.requests_for(6).is_empty());
    lone.gossip(2, vec![MemberUpdate { incarnation: 1, ..alive(6) }]);
    lone.run_until(|lone| lone.state(6) == Some(MemberState::Suspect));
    assert_eq!(lone.protocol.queue_len(), 1, "the news waits");
    lone.hear(6, GossipMessage::Ack { seq, from: id(6) });
    assert_eq!(lone.state(6), Some(MemberState::Alive));
    assert_eq!(lone.protocol.queue_len(), 1);
    lone.forget();
    lone.run(2.0);
    assert!(!lone.told_of(6, MemberState::Alive).is_empty());
}

/// Pings in 20 seconds to a suspect that does not answer while no relay says anything, with its
/// accusation repeated all the time or told once.
fn pings_of_a_suspect(repeated: bool) -> usize {
    let mut lone = Lone::settled(6, Options::default());
    (1..=6).for_each(|member| lone.silence(member));
    lone.chatter(3, 30);
    for message in accusation(6, &[2]) {
        lone.hear(2, message);
    }
    lone.run(3.0);
    lone.forget();
    for _ in 0..2_000 {
        if repeated {
            accusation(6, &[2]).into_iter().for_each(|message| lone.hear(4, message));
        }
        lone.run(0.01);
    }
    lone.pings_of(6).len()
}

#[test]
fn evidence_that_comes_again_and_again_makes_no_ping_each() {
    let (once, repeated) = (pings_of_a_suspect(false), pings_of_a_suspect(true));
    assert!(repeated <= 2 * once + 10, "{repeated} pings, {once} if it comes once");
}

/// Gossip rounds of node 0 in ten seconds in which member 5 changes every so many milliseconds.
fn rounds(millis: u64) -> usize {
    let mut lone = Lone::settled(8, Options::default());
    for change in 1..=10_000 / millis {
        let metadata = Some([("load".to_owned(), change.to_string())].into());
        let update = MemberUpdate { incarnation: change, metadata, ..alive(5) };
        lone.script(change * millis, 5, GossipMessage::Gossip { updates: vec![update] });
    }
    lone.run(10.0);
    let gossip = |(_, _, message): &&_| matches!(message, GossipMessage::Gossip { .. });
    let times = lone.sent.iter().filter(gossip).map(|(at, ..)| *at);
    times.collect::<BTreeSet<_>>().len()
}

#[test]
fn who_changes_all_the_time_does_not_make_others_gossip_all_the_time() {
    let (often, seldom) = (rounds(20), rounds(200));
    assert!(often <= 2 * seldom, "{often} rounds, {seldom} with a tenth of the changes");
}
