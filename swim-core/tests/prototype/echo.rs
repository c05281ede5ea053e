use super::*;

/// How often a member is told of in 20 rounds.
fn told_later(protocol: &mut GossipProtocol, node: u8) -> usize {
    (0..20).map(|_| told(&protocol.handle_timer("gossip"), node).len()).sum()
}

#[test]
fn news_repeated_within_a_message_is_passed_on() {
    let mut protocol = knowing(9);
    hear(&mut protocol, 9, (0..20).map(|_| alive(30, 0)).collect());
    assert!(told_later(&mut protocol, 30) > 0);
}

#[test]
fn a_refutation_is_told_however_often_others_echo_it() {
    let mut echoed = knowing(9);
    let mut updates = vec![claim(0, MemberState::Dead, 0)];
    updates.extend((0..20).map(|_| alive(0, 1)));
    hear(&mut echoed, 9, updates);
    (0..20).for_each(|_| drop(hear(&mut echoed, 8, vec![alive(0, 1)])));
    let mut alone = knowing(9);
    hear(&mut alone, 9, vec![claim(0, MemberState::Dead, 0)]);
    let (echoed, alone) = (told_later(&mut echoed, 0), told_later(&mut alone, 0));
    assert!(echoed > 0);
    assert_eq!(echoed, alone);
}
