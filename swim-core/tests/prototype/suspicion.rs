use super::*;

#[test]
fn expiry_makes_dead() {
    let mut protocol = knowing(2);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    let actions = protocol.handle_timer("suspicion_timeout_n1");
    assert_eq!(changes(&actions), [(name(1), MemberState::Suspect, MemberState::Dead)]);
    assert!(timers(&actions).contains_key("cleanup_n1"));
}

#[test]
fn a_deaf_node_waits_again() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    let actions = protocol.handle_timer("suspicion_timeout_n1");
    assert_eq!(state(&protocol, 1), Some(MemberState::Suspect));
    assert!(timers(&actions).contains_key("suspicion_timeout_n1"));
    protocol.handle_message(addr(3), GossipMessage::Ping { seq: 1, from: name(3) });
    protocol.handle_timer("suspicion_timeout_n1");
    assert_eq!(state(&protocol, 1), Some(MemberState::Dead));
}

#[test]
fn its_length_follows_the_formula() {
    let alone = protocol().suspicion_timeout();
    assert_eq!(alone, Duration::from_millis(2_500));
    let hundred = knowing(99).suspicion_timeout();
    assert_eq!(hundred, Duration::from_millis(5_000));
}

#[test]
fn distinct_accusers_shorten_it_and_repeats_do_not() {
    let mut protocol = knowing(9);
    let timeout = |actions: &[GossipAction]| timers(actions).get("suspicion_timeout_n1").copied();
    let first = hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    let full = timeout(&first).unwrap();
    let again = hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    assert_eq!(timeout(&again), None, "the same accuser again");
    let mut last = full;
    for accuser in 3..=5 {
        let actions = hear(&mut protocol, accuser, vec![claim(1, MemberState::Suspect, 0)]);
        let shorter = timeout(&actions).unwrap();
        assert!(shorter < last, "accuser {accuser}");
        last = shorter;
    }
    let more = hear(&mut protocol, 6, vec![claim(1, MemberState::Suspect, 0)]);
    assert_eq!(timeout(&more), None, "the minimum is reached");
    assert!(last >= full / 3);
}

#[test]
fn an_exchange_of_views_does_not_make_its_sender_an_accuser() {
    let suspect = |protocol: &GossipProtocol| {
        let held = protocol.member(&name(1)).unwrap().clone();
        GossipMessage::Sync { members: vec![Member { state: MemberState::Suspect, ..held }] }
    };
    let shortened = |actions: &[GossipAction]| timers(actions).contains_key("suspicion_timeout_n1");
    let mut protocol = knowing(9);
    let first = suspect(&protocol);
    assert!(shortened(&protocol.handle_message(addr(3), first)), "it begins");
    assert!(!shortened(&hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)])));
    for sender in 4..=9 {
        let sync = suspect(&protocol);
        assert!(!shortened(&protocol.handle_message(addr(sender), sync)));
        let updates = vec![claim(1, MemberState::Suspect, 0)];
        let delta = GossipMessage::Delta { updates, wanted: vec![] };
        assert!(!shortened(&protocol.handle_message(addr(sender), delta)));
    }
    assert!(shortened(&hear(&mut protocol, 5, vec![claim(1, MemberState::Suspect, 0)])));
}

#[test]
fn an_ack_by_the_suspect_clears_it_here_and_is_not_gossiped() {
    let mut protocol = knowing(5);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    let seq = ping_of(&mut protocol, 1);
    let ack = GossipMessage::Ack { seq, from: name(1) };
    let actions = protocol.handle_message(addr(1), ack);
    assert_eq!(changes(&actions), [(name(1), MemberState::Suspect, MemberState::Alive)]);
    for _ in 0..20 {
        assert!(told(&protocol.handle_timer("gossip"), 1).is_empty());
        assert!(told(&protocol.tick(), 1).is_empty());
    }
    hear(&mut protocol, 3, vec![claim(1, MemberState::Suspect, 0)]);
    assert_eq!(state(&protocol, 1), Some(MemberState::Alive), "a rumour does not count now");
    protocol.handle_timer("vouch_n1");
    hear(&mut protocol, 3, vec![claim(1, MemberState::Suspect, 0)]);
    assert_eq!(state(&protocol, 1), Some(MemberState::Suspect), "later it does");
}

#[test]
fn dead_counts_in_spite_of_first_hand_evidence() {
    let mut protocol = knowing(5);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    let seq = ping_of(&mut protocol, 1);
    protocol.handle_message(addr(1), GossipMessage::Ack { seq, from: name(1) });
    hear(&mut protocol, 3, vec![claim(1, MemberState::Dead, 0)]);
    assert_eq!(state(&protocol, 1), Some(MemberState::Dead));
}

#[test]
fn a_newer_incarnation_ends_it_for_good() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    hear(&mut protocol, 2, vec![alive(1, 1)]);
    assert_eq!(state(&protocol, 1), Some(MemberState::Alive));
    protocol.handle_timer("suspicion_timeout_n1");
    assert_eq!(state(&protocol, 1), Some(MemberState::Alive));
}

#[test]
fn a_suspect_is_told_by_its_accuser_and_on_every_ping() {
    let mut protocol = knowing(4);
    ping_of(&mut protocol, 1);
    protocol.handle_timer("probe_timeout_n1");
    let actions = protocol.handle_timer("probe_timeout_n1");
    let to_subject = |actions: &[GossipAction]| {
        told(actions, 1)
            .into_iter()
            .any(|(to, update)| to == addr(1) && update.state == MemberState::Suspect)
    };
    assert!(to_subject(&actions));
    for _ in 0..20 {
        let actions = protocol.tick();
        if pings(&actions)[0].0 == addr(1) {
            assert!(to_subject(&actions));
        }
    }
}

#[test]
fn the_origin_of_a_forwarded_suspicion_is_kept() {
    let mut accuser = knowing(9);
    hear(&mut accuser, 2, vec![claim(1, MemberState::Suspect, 0)]);
    let forwarded = accuser.handle_timer("gossip");
    let messages: Vec<_> = sends(&forwarded).into_iter().map(|(_, m)| m.clone()).collect();
    assert!(messages.iter().any(|m| matches!(m, GossipMessage::Evidence { accusations, .. }
        if accusations[0].accuser == name(2))));
    // Nine nodes forward one accusation by node 2: still one accuser.
    let mut listener = knowing(9);
    let mut shortest = Duration::MAX;
    for forwarder in 3..=9 {
        for message in &messages[..2] {
            let actions = listener.handle_message(addr(forwarder), message.clone());
            if let Some(delay) = timers(&actions).get("suspicion_timeout_n1") {
                shortest = *delay;
            }
        }
    }
    let full = listener.suspicion_timeout();
    assert!(full - shortest < Duration::from_millis(100), "{shortest:?} of {full:?}");
}

#[test]
fn a_suspicion_at_a_higher_incarnation_counts_in_spite_of_first_hand_evidence() {
    let mut protocol = knowing(5);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    let seq = ping_of(&mut protocol, 1);
    protocol.handle_message(addr(1), GossipMessage::Ack { seq, from: name(1) });
    hear(&mut protocol, 3, vec![claim(1, MemberState::Suspect, 1)]);
    assert_eq!(state(&protocol, 1), Some(MemberState::Suspect));
}

#[test]
fn a_suspicion_forwarded_again_is_not_gossiped_again() {
    let mut protocol = knowing(9);
    let mut sent: Vec<usize> = Vec::new();
    for forwarder in [3, 4, 3, 5, 4] {
        hear(&mut protocol, forwarder, vec![claim(1, MemberState::Suspect, 0)]);
        hear_accusers(&mut protocol, forwarder, &[(0, 2)]);
        sent.push((0..20).map(|_| told(&protocol.handle_timer("gossip"), 1).len()).sum());
    }
    assert!((1..=8).contains(&sent[0]), "at most retransmit_mult * ceil(log10(n + 1)): {sent:?}");
    assert_eq!(sent[1..], [0, 0, 0, 0], "and once");
}

#[test]
fn a_suspect_is_not_its_own_accuser() {
    let mut protocol = knowing(9);
    let first = hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    let alone = timers(&first)["suspicion_timeout_n1"];
    hear(&mut protocol, 5, vec![claim(1, MemberState::Suspect, 0)]);
    let actions = hear_accusers(&mut protocol, 5, &[(0, 1)]);
    // Neither the subject nor node 5, which only passed it on.
    let left = timers(&actions)["suspicion_timeout_n1"];
    assert!(alone - left < Duration::from_millis(100), "{left:?} of {alone:?}");
}

/// Tells that of the gossip that `from` sent last, each update `.0` was raised by node `.1`.
fn hear_accusers(
    protocol: &mut GossipProtocol,
    from: u8,
    accusers: &[(u8, u8)],
) -> Vec<GossipAction> {
    let accusation = |&(update, accuser)| Accusation { update, accuser: name(accuser), health: 0 };
    let accusations = accusers.iter().map(accusation).collect();
    protocol.handle_message(addr(from), GossipMessage::Evidence { ages: vec![], accusations })
}

/// Who is said to accuse whom, by the place of the update in the gossip just before.
fn accusations_told(actions: &[GossipAction]) -> BTreeSet<(String, String)> {
    let messages: Vec<_> = sends(actions).into_iter().map(|(_, message)| message).collect();
    let mut told = BTreeSet::new();
    for pair in messages.windows(2) {
        if let [GossipMessage::Gossip { updates }, GossipMessage::Evidence { accusations, .. }] =
            pair
        {
            let suspect = |it: &Accusation| updates[usize::from(it.update)].id.0.clone();
            told.extend(accusations.iter().map(|it| (suspect(it), it.accuser.0.clone())));
        }
    }
    told
}

#[test]
fn accusers_are_told_by_the_place_of_the_update_that_they_belong_to() {
    let mut protocol = knowing(9);
    let suspect = |node| claim(node, MemberState::Suspect, 0);
    hear(&mut protocol, 3, vec![alive(30, 0), suspect(1), suspect(2)]);
    hear_accusers(&mut protocol, 3, &[(1, 4), (1, 5), (2, 6)]);
    let expected = [("n1", "n4"), ("n1", "n5"), ("n2", "n6")];
    let expected = expected.map(|(suspect, by)| (suspect.to_owned(), by.to_owned()));
    let actions = protocol.handle_timer("gossip");
    assert_eq!(told(&actions, 30).len(), 3, "the update that nobody is accused in");
    assert_eq!(accusations_told(&actions), expected.into());
}

#[test]
fn an_accusation_without_its_gossip_says_nothing() {
    let mut protocol = knowing(9);
    let suspicion = || vec![claim(1, MemberState::Suspect, 0)];
    hear(&mut protocol, 2, suspicion());
    let silent = |actions: Vec<GossipAction>| assert!(actions.is_empty(), "{actions:?}");
    silent(hear_accusers(&mut protocol, 3, &[(0, 4)]));
    // There is no such update; then the gossip has had its companion.
    silent(hear_accusers(&mut protocol, 2, &[(1, 4), (255, 4)]));
    silent(hear_accusers(&mut protocol, 2, &[(0, 4)]));
    // Another one's companion does not take it away.
    hear(&mut protocol, 2, suspicion());
    silent(hear_accusers(&mut protocol, 3, &[(0, 4)]));
    assert!(!hear_accusers(&mut protocol, 2, &[(0, 2), (0, 4)]).is_empty());
}

#[test]
fn an_accusation_does_not_hit_who_was_given_the_index_of_its_subject() {
    let mut protocol = knowing(9);
    // The dead stranger is not taken in, and the newcomer takes its place.
    hear(&mut protocol, 2, vec![claim(77, MemberState::Dead, 0)]);
    let last_update = protocol.local_member().last_update;
    let newcomer = Member {
        id: name(78),
        address: addr(78),
        state: MemberState::Suspect,
        incarnation: 0,
        metadata: HashMap::new(),
        last_update,
    };
    protocol.handle_message(addr(3), GossipMessage::Sync { members: vec![newcomer] });
    assert_eq!(state(&protocol, 78), Some(MemberState::Suspect));
    let actions = hear_accusers(&mut protocol, 2, &[(0, 4)]);
    assert!(actions.is_empty(), "{actions:?}");
}
