use super::*;

#[test]
fn a_change_bumps_the_incarnation_and_goes_out_whole() {
    let mut protocol = knowing(9);
    protocol.update_metadata("a".into(), "1".into());
    let actions = protocol.update_metadata("b".into(), "2".into());
    let told = told(&actions, 0);
    assert_eq!(told.len(), 3, "at most fanout members");
    assert_eq!(told[0].1.incarnation, 2);
    let map = told[0].1.metadata.as_ref().unwrap();
    assert_eq!((map["a"].as_str(), map["b"].as_str()), ("1", "2"));
    assert_eq!(protocol.get_metadata(&name(0)), Some(map));
}

#[test]
fn too_large_changes_nothing_and_says_both_sizes() {
    let mut protocol = knowing(2);
    assert!(protocol.update_metadata("k".into(), "v".repeat(600)).is_empty());
    assert_eq!(incarnation(&protocol, 0), 0);
    let error = protocol.try_update_metadata("k".into(), "v".repeat(600)).unwrap_err();
    let MetadataError::TooLarge { len, limit } = error else { panic!("{error}") };
    assert!(len > 600 && limit == 512);
    assert!(error.to_string().contains("512"));
}

#[test]
fn none_means_unchanged() {
    let mut protocol = knowing(2);
    let map = HashMap::from([("role".to_string(), "db".to_string())]);
    hear(&mut protocol, 2, vec![MemberUpdate { metadata: Some(map.clone()), ..alive(1, 1) }]);
    hear(&mut protocol, 2, vec![MemberUpdate { metadata: None, ..alive(1, 2) }]);
    assert_eq!(protocol.get_metadata(&name(1)), Some(&map));
    assert_eq!(incarnation(&protocol, 1), 2);
}

#[test]
fn a_key_can_be_removed() {
    let mut protocol = knowing(2);
    protocol.update_metadata("a".into(), "1".into());
    assert!(!protocol.remove_metadata("a").is_empty());
    assert!(protocol.remove_metadata("a").is_empty());
    assert!(protocol.try_change_metadata([], &["a".into()]).unwrap().is_empty());
    assert_eq!(incarnation(&protocol, 0), 2, "removing what is not there is no news");
    assert_eq!(protocol.get_metadata(&name(0)), Some(&HashMap::new()));
}

#[test]
fn alone_it_announces_to_itself_which_is_harmless() {
    let mut protocol = protocol();
    let actions = protocol.update_metadata("a".into(), "1".into());
    let sent = sends(&actions);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, addr(0));
    let back = sent[0].1.clone();
    let actions = protocol.handle_message(addr(0), back);
    assert!(sends(&actions).is_empty());
    assert_eq!(incarnation(&protocol, 0), 1);
}

#[test]
fn leaving_is_over_when_two_members_have_heard_it() {
    let mut protocol = knowing(5);
    let actions = protocol.leave();
    let goodbye = told(&actions, 0);
    assert_eq!(goodbye.len(), 3);
    assert!(goodbye.iter().all(|(_, update)| update.state == MemberState::Left));
    assert!(timers(&actions).contains_key("leave"));
    for (confirmations, (to, _)) in goodbye.iter().take(2).enumerate() {
        assert!(!protocol.has_left(), "{confirmations} confirmed");
        hear(&mut protocol, node_of(*to), vec![claim(0, MemberState::Left, 0)]);
    }
    assert!(protocol.has_left());
}

#[test]
fn a_goodbye_is_confirmed_to_who_says_it() {
    let mut protocol = knowing(3);
    let actions = hear(&mut protocol, 1, vec![claim(1, MemberState::Left, 0)]);
    assert_eq!(changes(&actions), [(name(1), MemberState::Alive, MemberState::Left)]);
    assert_eq!(told(&actions, 1)[0].0, addr(1));
}
