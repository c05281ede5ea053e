use super::*;

#[test]
fn cleanup_forgets_silently() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Dead, 0)]);
    let actions = protocol.handle_timer("cleanup_n1");
    assert!(changes(&actions).is_empty() && sends(&actions).is_empty());
    assert_eq!(state(&protocol, 1), None);
    assert_eq!(protocol.all_members().len(), 3);
}

#[test]
fn cleanup_spares_the_living() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Dead, 0)]);
    hear(&mut protocol, 2, vec![alive(1, 1)]);
    protocol.handle_timer("cleanup_n1");
    assert_eq!(state(&protocol, 1), Some(MemberState::Alive));
}

#[test]
fn death_of_an_unknown_is_not_stored() {
    let mut protocol = knowing(2);
    hear(&mut protocol, 1, vec![claim(50, MemberState::Dead, 3), claim(51, MemberState::Left, 3)]);
    assert_eq!(protocol.all_members().len(), 3);
}

#[test]
fn a_name_is_free_again_after_it_was_forgotten() {
    let mut protocol = knowing(3);
    for incarnation in [0, 0, 0] {
        hear(&mut protocol, 2, vec![claim(1, MemberState::Dead, incarnation)]);
        protocol.handle_timer("cleanup_n1");
        let actions = hear(&mut protocol, 2, vec![alive(1, incarnation)]);
        assert_eq!(changes(&actions), [(name(1), MemberState::Dead, MemberState::Alive)]);
    }
}

#[test]
fn a_ping_from_a_forgotten_mate_is_acked_and_offered_a_digest() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Dead, 0)]);
    protocol.handle_timer("cleanup_n1");
    let ping = GossipMessage::Ping { seq: 1, from: name(1) };
    let actions = protocol.handle_message(addr(1), ping);
    let sent = sends(&actions);
    assert!(matches!(sent[0].1, GossipMessage::Ack { .. }));
    assert!(matches!(sent[1].1, GossipMessage::Digest { .. }));
}
