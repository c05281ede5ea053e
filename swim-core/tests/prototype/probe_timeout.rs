use super::*;

#[test]
fn after_the_ack_it_does_nothing() {
    let mut protocol = knowing(5);
    let seq = ping_of(&mut protocol, 1);
    protocol.handle_message(addr(1), GossipMessage::Ack { seq, from: name(1) });
    assert!(protocol.handle_timer("probe_timeout_n1").is_empty());
}

#[test]
fn first_it_asks_relays_then_it_suspects() {
    let mut protocol = knowing(6);
    let seq = ping_of(&mut protocol, 1);
    let actions = protocol.handle_timer("probe_timeout_n1");
    let relays: BTreeSet<_> = sends(&actions)
        .iter()
        .map(|(to, message)| {
            assert!(matches!(message, GossipMessage::PingReq { seq: asked, target, .. }
                if *asked == seq && *target == name(1)));
            *to
        })
        .collect();
    assert_eq!(relays.len(), 3);
    assert!(!relays.contains(&addr(0)) && !relays.contains(&addr(1)));
    assert_eq!(state(&protocol, 1), Some(MemberState::Alive));
    assert_eq!(timers(&actions)["probe_timeout_n1"], Duration::from_millis(250));

    let actions = protocol.handle_timer("probe_timeout_n1");
    assert_eq!(changes(&actions), [(name(1), MemberState::Alive, MemberState::Suspect)]);
    let timeout = timers(&actions)["suspicion_timeout_n1"];
    assert_eq!(timeout, protocol.suspicion_timeout());
}

#[test]
fn a_relayed_ack_ends_it() {
    let mut protocol = knowing(6);
    let seq = ping_of(&mut protocol, 1);
    protocol.handle_timer("probe_timeout_n1");
    protocol.handle_message(addr(4), GossipMessage::Ack { seq, from: name(1) });
    assert!(protocol.handle_timer("probe_timeout_n1").is_empty());
    assert_eq!(state(&protocol, 1), Some(MemberState::Alive));
}

#[test]
fn without_relays_it_suspects_at_once() {
    let mut protocol = knowing(1);
    ping_of(&mut protocol, 1);
    protocol.handle_timer("probe_timeout_n1");
    assert_eq!(state(&protocol, 1), Some(MemberState::Suspect));
}

#[test]
fn of_a_member_never_probed_it_is_the_callers_report() {
    let mut protocol = knowing(4);
    let actions = protocol.handle_timer("probe_timeout_n2");
    let asked = |(_, m): &(SocketAddr, &GossipMessage)| matches!(m, GossipMessage::PingReq { .. });
    assert_eq!(sends(&actions).into_iter().filter(asked).count(), 3);
    protocol.handle_timer("probe_timeout_n2");
    assert_eq!(state(&protocol, 2), Some(MemberState::Suspect));
}

#[test]
fn relays_are_alive_members_only() {
    let mut protocol = knowing(5);
    hear(&mut protocol, 1, vec![claim(2, MemberState::Suspect, 0), claim(3, MemberState::Dead, 0)]);
    let actions = protocol.handle_timer("probe_timeout_n5");
    let relays: BTreeSet<_> = sends(&actions)
        .iter()
        .filter(|(_, message)| matches!(message, GossipMessage::PingReq { .. }))
        .map(|(to, _)| node_of(*to))
        .collect();
    assert_eq!(relays, BTreeSet::from([1, 4]));
}

#[test]
fn a_report_arms_at_most_the_second_stage() {
    let armed = |n| {
        let actions = knowing(n).handle_timer("probe_timeout_n1");
        let probe = |action: &&GossipAction| match action {
            GossipAction::ScheduleTimer { name, .. } => name == "probe_timeout_n1",
            _ => false,
        };
        actions.iter().filter(probe).count()
    };
    assert_eq!(armed(1), 0, "no relay: suspect at once");
    assert_eq!(armed(3), 1);
}
