use super::*;

#[test]
fn an_accusation_is_outbid_to_the_accuser_and_in_gossip() {
    for accusation in [MemberState::Suspect, MemberState::Dead, MemberState::Left] {
        let mut protocol = knowing(3);
        let stranger = 200;
        let actions = hear(&mut protocol, stranger, vec![claim(0, accusation, 6)]);
        let told_now = told(&actions, 0);
        assert_eq!(told_now[0].0, addr(stranger), "known or not");
        assert_eq!(told_now[0].1.state, MemberState::Alive);
        assert_eq!(told_now[0].1.incarnation, 7);
        let gossiped = told(&protocol.handle_timer("gossip"), 0);
        assert_eq!(gossiped[0].1.incarnation, 7);
        assert!(protocol.is_alive(&name(0)));
    }
}

#[test]
fn it_goes_first_in_the_queue() {
    let mut protocol = knowing(3);
    let news = (10..40).map(|node| alive(node, 0)).collect();
    hear(&mut protocol, 1, news);
    hear(&mut protocol, 1, vec![claim(0, MemberState::Suspect, 0)]);
    let actions = protocol.tick();
    let GossipMessage::Gossip { updates } = sends(&actions)[1].1 else { panic!() };
    assert_eq!(updates[0].id, name(0));
}

#[test]
fn old_accusations_are_no_matter() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 1, vec![claim(0, MemberState::Suspect, 6)]);
    hear(&mut protocol, 1, vec![claim(0, MemberState::Dead, 6)]);
    assert_eq!(incarnation(&protocol, 0), 7);
}

#[test]
fn a_strange_alive_about_oneself_is_outbid() {
    let mut protocol = knowing(3);
    let strange = MemberUpdate { id: name(0), ..alive(99, 3) };
    let actions = hear(&mut protocol, 2, vec![strange]);
    assert_eq!(told(&actions, 0)[0].1.incarnation, 4);
    assert_eq!(told(&actions, 0)[0].1.address, Some(addr(0)));
}

#[test]
fn after_leaving_it_neither_refutes_nor_pings_but_answers() {
    let mut protocol = knowing(3);
    protocol.leave();
    for accusation in [MemberState::Suspect, MemberState::Dead, MemberState::Left] {
        hear(&mut protocol, 1, vec![claim(0, accusation, 50)]);
        assert_eq!(state(&protocol, 0), Some(MemberState::Left));
    }
    assert!((0..10).all(|_| pings(&protocol.tick()).is_empty()));
    let ping = GossipMessage::Ping { seq: 5, from: name(1) };
    let actions = protocol.handle_message(addr(1), ping);
    assert!(matches!(sends(&actions)[0].1, GossipMessage::Ack { seq: 5, .. }));
}

#[test]
fn leaving_gives_up_open_probes() {
    let mut protocol = knowing(4);
    ping_of(&mut protocol, 1);
    hear(&mut protocol, 3, vec![claim(2, MemberState::Suspect, 0)]);
    protocol.leave();
    for timer in ["probe_timeout_n1", "probe_timeout_n1", "probe_timeout_n3", "verify_n2"] {
        assert!(sends(&protocol.handle_timer(timer)).is_empty(), "{timer}");
    }
    assert_eq!(state(&protocol, 1), Some(MemberState::Alive));
}

#[test]
fn ones_own_address_without_its_scope_is_nothing_strange() {
    let scoped = "[fe80::1%2]:7946".parse().unwrap();
    let mut protocol = GossipProtocol::new(name(0), scoped, GossipConfig::default());
    let plain = "[fe80::1]:7946".parse().unwrap();
    let heard = MemberUpdate { address: Some(plain), ..alive(0, 0) };
    assert!(sends(&hear(&mut protocol, 1, vec![heard])).is_empty());
    assert_eq!(incarnation(&protocol, 0), 0);
}

#[test]
fn only_a_live_twin_makes_it_give_way() {
    let mut protocol = knowing(3);
    let strange = |incarnation| MemberUpdate { id: name(0), ..alive(99, incarnation) };
    // An old life told again and again, however high: outbid each time.
    for incarnation in [3, 10, 20] {
        hear(&mut protocol, 2, vec![strange(incarnation)]);
        assert_eq!(incarnation_of_self(&protocol), incarnation + 1);
    }
    // One that answers the refutation is alive; its address is the greater, so it stays.
    hear(&mut protocol, 2, vec![strange(22)]);
    assert_eq!(incarnation_of_self(&protocol), 21);
    assert_eq!(protocol.stats().conflicts, 1);
}

fn incarnation_of_self(protocol: &GossipProtocol) -> u64 {
    incarnation(protocol, 0)
}
