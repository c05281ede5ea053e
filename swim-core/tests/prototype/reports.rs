use super::*;

#[test]
fn a_newcomer_comes_from_dead() {
    let mut protocol = protocol();
    let actions = hear(&mut protocol, 1, vec![alive(1, 0)]);
    assert_eq!(changes(&actions), [(name(1), MemberState::Dead, MemberState::Alive)]);
}

#[test]
fn statistics_are_measured() {
    let mut protocol = knowing(5);
    assert_eq!(protocol.convergence_stats().false_positive_rate, 0.0);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    hear(&mut protocol, 1, vec![alive(1, 1)]);
    let stats = protocol.convergence_stats();
    assert_eq!(stats.false_positive_rate, 1.0);
    assert!(stats.message_overhead > 0.0);
}

#[test]
fn ages_travel_in_the_companion() {
    let mut protocol = knowing(5);
    hear(&mut protocol, 1, vec![alive(9, 0), alive(10, 0)]);
    let evidence = GossipMessage::Evidence { ages: vec![3, 5], accusations: vec![] };
    protocol.handle_message(addr(1), evidence.clone());
    assert_eq!(protocol.convergence_stats().avg_rounds_to_converge, 5.0);
    protocol.handle_message(addr(1), evidence);
    assert_eq!(protocol.stats().ages_known, 2, "a repeated companion counts once");
}

#[test]
fn auto_tune_slows_down_when_accusations_are_wrong() {
    let mut protocol = knowing(9);
    assert_eq!(protocol.probe_interval(), Duration::from_secs(1));
    for node in 1..=8 {
        hear(&mut protocol, 9, vec![claim(node, MemberState::Suspect, 0)]);
        hear(&mut protocol, node, vec![alive(node, 1)]);
    }
    protocol.auto_tune();
    let slowed = protocol.probe_interval();
    assert!(slowed > Duration::from_secs(1));
    protocol.auto_tune();
    assert!(protocol.probe_interval() < slowed);
    // As many accusations again, which nobody refutes.
    for node in 1..=8 {
        hear(&mut protocol, 9, vec![claim(node, MemberState::Suspect, 1)]);
    }
    protocol.auto_tune();
    assert!(protocol.probe_interval() < slowed, "wrong was what it did before");
    (0..200).for_each(|_| protocol.auto_tune());
    assert_eq!(protocol.probe_interval(), Duration::from_secs(1), "it recovers");
}

#[test]
fn new_clamps_and_the_builder_refuses() {
    let config = GossipConfig { fanout: 0, probe_timeout: 9_999, ..GossipConfig::default() };
    let long = MemberId("x".repeat(300));
    let protocol = GossipProtocol::new(long.clone(), addr(0), config.clone());
    assert_eq!(protocol.all_members()[0].id.0.len(), 255);
    let options = Options { timers: Timers::Named, ..Options::default() };
    for (fanout, words) in [(0, ["fanout", "0"]), (3, ["9999", "1000"])] {
        let mut bad = options.clone();
        bad.gossip.base = GossipConfig { fanout, ..config.clone() };
        let error = GossipProtocol::builder(name(0), addr(0)).options(bad).build().unwrap_err();
        assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
    }
    let error = GossipProtocol::builder(long, addr(0)).options(options).build().unwrap_err();
    assert!(error.to_string().contains("300") && error.to_string().contains("255"), "{error}");
}
