use super::*;

#[test]
fn nonsense_does_nothing() {
    let mut protocol = knowing(3);
    for timer in [
        "",
        "nobody",
        "probe_timeout_",
        "probe_timeout_n77",
        "ping_again_",
        "ping_again_n1",
        "ping_again_n77",
        "suspicion_timeout_n1",
        "cleanup_n1",
        "relay_",
        "relay_x",
        "relay_99",
        "leave",
        "healing",
        "\u{0}",
    ] {
        assert!(protocol.handle_timer(timer).is_empty(), "{timer:?}");
    }
    assert_eq!(protocol.cluster_size(), 4);
}

#[test]
fn a_name_fires_when_the_caller_says_so() {
    let mut protocol = knowing(2);
    hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
    protocol.handle_timer("suspicion_timeout_n1");
    assert_eq!(state(&protocol, 1), Some(MemberState::Dead), "no clock has moved");
}

#[test]
fn no_delay_is_zero() {
    let mut protocol = knowing(9);
    let mut delays = Vec::new();
    for round in 0..50u8 {
        let mut actions = protocol.tick();
        let accusation = claim(1 + round % 9, MemberState::Suspect, 0);
        actions.extend(hear(&mut protocol, 1 + (round / 9) % 9, vec![accusation]));
        for timer in timers(&actions).keys() {
            delays.extend(timers(&protocol.handle_timer(timer)).into_values());
        }
        delays.extend(timers(&actions).into_values());
    }
    assert!(delays.len() > 50 && delays.iter().all(|delay| *delay > Duration::ZERO));
}
