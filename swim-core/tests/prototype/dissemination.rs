use super::*;

#[test]
fn a_gossip_holds_at_most_max_piggyback_and_the_rest_waits() {
    let config = GossipConfig { max_piggyback: 4, ..GossipConfig::default() };
    let mut protocol = GossipProtocol::new(name(0), addr(0), config);
    hear(&mut protocol, 1, (1..=30).map(|node| alive(node, 0)).collect());
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        for (_, message) in sends(&protocol.handle_timer("gossip")) {
            if let GossipMessage::Gossip { updates } = message {
                assert!(updates.len() <= 4);
                seen.extend(updates.iter().map(|update| update.id.0.clone()));
            }
        }
    }
    assert_eq!(seen.len(), 30);
}

#[test]
fn each_update_is_sent_only_so_often() {
    let mut protocol = knowing(8);
    hear(&mut protocol, 1, vec![alive(20, 0)]);
    let sent: usize = (0..50).map(|_| told(&protocol.handle_timer("gossip"), 20).len()).sum();
    assert_eq!(sent, 4 * 2, "retransmit_mult * ceil(log10(n + 1))");
}

#[test]
fn the_newest_replaces_the_older() {
    let mut protocol = knowing(8);
    hear(&mut protocol, 1, vec![alive(20, 0)]);
    hear(&mut protocol, 1, vec![alive(20, 5)]);
    for _ in 0..20 {
        for (_, update) in told(&protocol.handle_timer("gossip"), 20) {
            assert_eq!(update.incarnation, 5);
        }
    }
}

#[test]
fn a_full_queue_drops_and_counts() {
    let config = AdvancedGossipConfig { broadcast_queue_size: 5, ..Default::default() };
    let mut protocol = GossipProtocol::with_advanced(name(0), addr(0), config);
    hear(&mut protocol, 1, (1..=20).map(|node| alive(node, 0)).collect());
    assert_eq!(protocol.queue_len(), 5);
    assert_eq!(protocol.stats().broadcasts_dropped, 15);
    assert_eq!(protocol.cluster_size(), 21, "only the telling is lost");
}

#[test]
fn nothing_to_say_arms_no_gossip() {
    let mut protocol = knowing(3);
    let seq = ping_of(&mut protocol, 1);
    let ack = GossipMessage::Ack { seq, from: name(1) };
    assert!(!timers(&protocol.handle_message(addr(1), ack)).contains_key("gossip"));
}

#[test]
fn what_fits_no_datagram_holds_nothing_up() {
    let mut protocol = knowing(8);
    let map = HashMap::from([("k".to_string(), "v".repeat(2_000))]);
    let large = |node| MemberUpdate { metadata: Some(map.clone()), ..alive(node, 1) };
    hear(&mut protocol, 1, vec![alive(50, 0)]);
    hear(&mut protocol, 1, (1..=5).map(large).collect());
    assert!(!told(&protocol.handle_timer("gossip"), 50).is_empty());
    (0..20).for_each(|_| drop(protocol.handle_timer("gossip")));
    assert_eq!(protocol.queue_len(), 0);
    assert_eq!(protocol.stats().broadcasts_dropped, 5);
    assert_eq!(protocol.get_metadata(&name(5)), Some(&map));
}

#[test]
fn what_was_told_at_once_counts() {
    let updated = |p: &mut GossipProtocol| p.update_metadata("a".into(), "1".into());
    let accused = |p: &mut GossipProtocol| hear(p, 1, vec![claim(0, MemberState::Suspect, 0)]);
    for news in [updated, accused, GossipProtocol::leave] {
        let mut protocol = knowing(19);
        let at_once = told(&news(&mut protocol), 0).len();
        let rounds = (0..50).map(|_| told(&protocol.handle_timer("gossip"), 0).len());
        assert_eq!(at_once + rounds.sum::<usize>(), 8);
    }
}

#[test]
fn differences_tell_each_member_once_however_often_it_is_asked_for() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 1, vec![alive(1, 9)]);
    let updates = vec![claim(1, MemberState::Alive, 3); 500];
    let delta = GossipMessage::Delta { updates, wanted: vec![] };
    let actions = protocol.handle_message(addr(77), delta);
    let sent = sends(&actions);
    let GossipMessage::Delta { updates, .. } = sent[0].1 else { panic!("{sent:?}") };
    assert_eq!(updates.len(), 1);
}
