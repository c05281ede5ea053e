use super::*;

#[test]
fn one_ping_with_its_timer() {
    let mut protocol = knowing(3);
    let actions = protocol.tick();
    let pings = pings(&actions);
    assert_eq!(pings.len(), 1);
    let target = node_of(pings[0].0);
    let delay = timers(&actions)[&format!("probe_timeout_n{target}")];
    assert!(delay > Duration::ZERO && delay <= Duration::from_millis(500));
}

#[test]
fn alone_it_pings_nobody() {
    let mut protocol = protocol();
    assert!(sends(&protocol.tick()).is_empty());
}

#[test]
fn everyone_is_pinged_within_two_rounds_less_one() {
    let n = 20;
    let mut protocol = knowing(n);
    protocol.tick();
    let mut last: BTreeMap<u8, u32> = (1..=n).map(|node| (node, 0)).collect();
    for tick in 1..400 {
        for (to, _) in pings(&protocol.tick()) {
            last.insert(node_of(to), tick);
        }
        assert!(last.values().all(|&seen| tick - seen < 2 * u32::from(n)), "{last:?}");
    }
}

#[test]
fn never_self_dead_or_left() {
    let mut protocol = knowing(4);
    hear(&mut protocol, 1, vec![claim(2, MemberState::Dead, 0), claim(3, MemberState::Left, 0)]);
    let pinged: BTreeSet<_> =
        (0..20).flat_map(|_| pings(&protocol.tick())).map(|(to, _)| node_of(to)).collect();
    assert_eq!(pinged, BTreeSet::from([1, 4]));
}

#[test]
fn it_always_probes_when_there_is_someone() {
    let mut protocol = knowing(1);
    let first = pings(&protocol.tick());
    for _ in 0..5 {
        let actions = protocol.tick();
        assert_eq!(pings(&actions), first, "one open probe per member: the same seq");
        assert!(timers(&actions).contains_key("probe_timeout_n1"));
    }
}

#[test]
fn sends_stay_within_the_fanout_and_start_with_the_ping() {
    for fanout in 1..=4 {
        let config = GossipConfig { fanout, ..GossipConfig::default() };
        let mut protocol = knowing_with(8, config);
        for round in 0..30u8 {
            let node = 1 + round % 8;
            hear(&mut protocol, node, vec![claim(1 + (round + 1) % 8, MemberState::Suspect, 0)]);
            let actions = protocol.tick();
            let sent = sends(&actions);
            assert!(sent.len() <= fanout, "{sent:?}");
            assert!(matches!(sent[0].1, GossipMessage::Ping { .. }));
            if let Some((to, message)) = sent.get(1) {
                assert!(matches!(message, GossipMessage::Gossip { .. }), "{message:?}");
                assert_eq!(*to, sent[0].0);
            }
        }
    }
}

#[test]
fn news_rides_along() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 1, vec![alive(9, 4)]);
    let actions = protocol.tick();
    let told = told(&actions, 9);
    assert_eq!(told[0].0, pings(&actions)[0].0);
    assert_eq!(told[0].1.incarnation, 4);
}

#[test]
fn who_changes_its_metadata_often_delays_nobodys_probe() {
    let n = 4;
    let mut protocol = knowing(n);
    let mut last: BTreeMap<u8, u32> = (1..=n).map(|node| (node, 0)).collect();
    for tick in 1..300 {
        for (to, seq) in pings(&protocol.tick()) {
            let from = name(node_of(to));
            last.insert(node_of(to), tick);
            protocol.handle_message(to, GossipMessage::Ack { seq, from });
        }
        let map = HashMap::from([("load".to_string(), tick.to_string())]);
        let change = MemberUpdate { metadata: Some(map), ..alive(1, u64::from(tick)) };
        hear(&mut protocol, 1, vec![change]);
        assert!(last.values().all(|&seen| tick - seen < 2 * u32::from(n)), "{last:?}");
    }
}
