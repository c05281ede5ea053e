use super::*;

#[test]
fn a_node_is_a_member_of_its_own_cluster() {
    let protocol = protocol();
    assert_eq!(protocol.cluster_size(), 1);
    assert!(protocol.is_alive(&name(0)));
    assert_eq!(protocol.alive_members()[0].id, name(0));
    assert_eq!(protocol.all_members().len(), 1);
    assert_eq!(protocol.get_metadata(&name(0)), Some(&HashMap::new()));
}

#[test]
fn counts_mean_alive_only() {
    let mut protocol = knowing(4);
    hear(&mut protocol, 1, vec![claim(3, MemberState::Suspect, 0)]);
    assert_eq!(protocol.cluster_size(), 4);
    assert!(!protocol.is_alive(&name(3)));
    assert_eq!(protocol.alive_members().len(), 4);
    assert_eq!(protocol.all_members().len(), 5);
}

#[test]
fn after_leaving_it_is_left() {
    let mut protocol = knowing(2);
    let actions = protocol.leave();
    assert_eq!(changes(&actions), [(name(0), MemberState::Alive, MemberState::Left)]);
    assert_eq!(state(&protocol, 0), Some(MemberState::Left));
    assert_eq!(protocol.cluster_size(), 2);
}
