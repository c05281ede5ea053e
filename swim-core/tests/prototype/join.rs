use super::*;

#[test]
fn each_seed_gets_one_request_and_ones_own_alive() {
    let actions = protocol().bootstrap(vec![addr(1), addr(2), addr(1)]);
    for seed in [1, 2] {
        let to_seed: Vec<_> =
            sends(&actions).into_iter().filter(|(to, _)| *to == addr(seed)).collect();
        let requests = to_seed
            .iter()
            .filter(|(_, m)| matches!(m, GossipMessage::SyncRequest { from } if *from == name(0)));
        assert_eq!(requests.count(), 1);
        assert_eq!(to_seed.len(), 2);
    }
    let announced = told(&actions, 0);
    assert_eq!(announced.len(), 2);
    assert_eq!(announced[0].1.address, Some(addr(0)));
    assert!(timers(&actions).contains_key("join"));
}

#[test]
fn without_seeds_a_join_under_way_ends() {
    let mut protocol = protocol();
    protocol.bootstrap(vec![addr(1)]);
    assert_eq!(protocol.join_attempts(), Some(1));
    assert!(sends(&protocol.bootstrap(Vec::new())).is_empty());
    assert_eq!(protocol.join_attempts(), None);
    assert!(sends(&protocol.handle_timer("join")).is_empty());
}

#[test]
fn who_was_turned_away_in_a_crowd_does_not_come_back_with_it() {
    let interval = Duration::from_millis(GossipConfig::default().probe_interval);
    let mut waits = BTreeSet::new();
    for node in 1..=20 {
        let mut protocol = GossipProtocol::new(name(node), addr(node), GossipConfig::default());
        let mut actions = protocol.bootstrap(vec![addr(0)]);
        for attempt in 0..8_u32 {
            let wait = timers(&actions)["join"];
            let least = interval * (1 << attempt).min(16);
            assert!((least..=least * 3 / 2).contains(&wait), "{attempt}: {wait:?}");
            if attempt == 2 {
                waits.insert(wait);
            }
            actions = protocol.handle_timer("join");
        }
    }
    assert!(waits.len() > 15, "{waits:?}");
}

#[test]
fn a_request_is_answered_with_everybody_to_where_it_came_from() {
    let mut protocol = knowing(2);
    let from = addr(77);
    let request = GossipMessage::SyncRequest { from: name(9) };
    let actions = protocol.handle_message(from, request);
    let sent = sends(&actions);
    assert_eq!(sent.len(), 1);
    let (to, GossipMessage::Sync { members }) = sent[0] else { panic!("{sent:?}") };
    assert_eq!(to, from);
    let names: BTreeSet<_> = members.iter().map(|member| member.id.0.clone()).collect();
    assert_eq!(names, BTreeSet::from(["n0".into(), "n1".into(), "n2".into()]));
    assert_eq!(state(&protocol, 9), None, "asking makes nobody a member");
}

#[test]
fn the_joiner_pushes_what_the_answer_lacked_and_asks_no_more() {
    let mut protocol = protocol();
    protocol.bootstrap(vec![addr(1)]);
    let answer = GossipMessage::Sync { members: vec![member(1)] };
    let actions = protocol.handle_message(addr(1), answer);
    let pushed = sends(&actions);
    let (to, GossipMessage::Sync { members }) = pushed[0] else { panic!("{pushed:?}") };
    assert_eq!(to, addr(1));
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].id, name(0));
    assert!(sends(&protocol.handle_timer("join")).is_empty());
    assert_eq!(state(&protocol, 1), Some(MemberState::Alive));
}

#[test]
fn nobody_answers_so_it_asks_again() {
    let mut protocol = protocol();
    protocol.bootstrap(vec![addr(1)]);
    let actions = protocol.handle_timer("join");
    let asked = sends(&actions)
        .iter()
        .any(|(to, m)| *to == addr(1) && matches!(m, GossipMessage::SyncRequest { .. }));
    assert!(asked);
}

#[test]
fn an_unasked_sync_is_merged_and_not_answered() {
    let mut protocol = protocol();
    let sync = GossipMessage::Sync { members: vec![member(1), member(2)] };
    let actions = protocol.handle_message(addr(5), sync);
    assert_eq!(protocol.cluster_size(), 3);
    assert!(sends(&actions).is_empty());
}

#[test]
fn periodic_timers_are_armed_by_the_first_call_of_any_kind() {
    assert!(timers(&protocol().tick()).contains_key("anti_entropy"));
    assert!(timers(&protocol().bootstrap(vec![])).contains_key("anti_entropy"));
}

fn member(node: u8) -> Member {
    // A clock reading is the one thing that a `Member` cannot be made without.
    let last_update = protocol().all_members()[0].last_update;
    Member {
        id: name(node),
        address: addr(node),
        state: MemberState::Alive,
        incarnation: 0,
        metadata: HashMap::new(),
        last_update,
    }
}
