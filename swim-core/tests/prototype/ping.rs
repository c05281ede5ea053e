use super::*;

#[test]
fn is_acked_to_where_it_came_from_even_for_strangers() {
    let mut protocol = knowing(2);
    let ping = GossipMessage::Ping { seq: 42, from: name(99) };
    let actions = protocol.handle_message(addr(123), ping);
    let sent = sends(&actions);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, addr(123));
    assert!(matches!(sent[0].1, GossipMessage::Ack { seq: 42, from } if *from == name(0)));
    assert_eq!(state(&protocol, 99), None);
}

#[test]
fn only_the_probed_member_can_answer_and_only_an_open_seq() {
    for (from, seq_offset) in [(2, 0), (1, 1)] {
        let mut protocol = knowing(3);
        let seq = ping_of(&mut protocol, 1);
        let ack = GossipMessage::Ack { seq: seq + seq_offset, from: name(from) };
        protocol.handle_message(addr(from), ack);
        let actions = protocol.handle_timer("probe_timeout_n1");
        assert!(!sends(&actions).is_empty(), "the probe is still open");
    }
}

#[test]
fn a_relay_pings_under_its_own_seq_and_passes_the_ack_back() {
    let mut protocol = knowing(3);
    let request = GossipMessage::PingReq { seq: 7_000, from: name(1), target: name(2) };
    let actions = protocol.handle_message(addr(1), request);
    let (to, own_seq) = pings(&actions)[0];
    assert_eq!(to, addr(2));
    assert_ne!(own_seq, 7_000);
    let ack = GossipMessage::Ack { seq: own_seq, from: name(2) };
    let actions = protocol.handle_message(addr(2), ack);
    let sent = sends(&actions);
    assert_eq!(sent[0].0, addr(1));
    assert!(matches!(sent[0].1, GossipMessage::Ack { seq: 7_000, from } if *from == name(2)));
}

#[test]
fn a_relay_without_an_answer_says_so_in_time() {
    let mut protocol = knowing(3);
    let request = GossipMessage::PingReq { seq: 7_000, from: name(1), target: name(2) };
    let actions = protocol.handle_message(addr(1), request);
    let (timer, delay) = timers(&actions).into_iter().next().unwrap();
    assert!(timer.starts_with("relay_"), "{timer}");
    assert_eq!(delay, Duration::from_millis(200), "80 % of half the probe time-out");
    let actions = protocol.handle_timer(&timer);
    let sent = sends(&actions);
    assert!(matches!(sent[0].1, GossipMessage::Nack { seq: 7_000, .. }), "{sent:?}");
    assert_eq!(sent[0].0, addr(1));
    assert!(sends(&protocol.handle_timer(&timer)).is_empty(), "once is enough");
}

#[test]
fn a_relay_tells_a_suspect_what_it_is_held_for() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 3, vec![claim(2, MemberState::Suspect, 0)]);
    let request = GossipMessage::PingReq { seq: 1, from: name(1), target: name(2) };
    let actions = protocol.handle_message(addr(1), request);
    let told = told(&actions, 2);
    assert_eq!(told[0].0, addr(2));
    assert_eq!(told[0].1.state, MemberState::Suspect);
}

#[test]
fn news_rides_on_an_ack_only_to_where_the_member_lives() {
    let mut protocol = knowing(8);
    hear(&mut protocol, 1, vec![alive(50, 0)]);
    let ping = |seq| GossipMessage::Ping { seq, from: name(3) };
    let elsewhere = protocol.handle_message(addr(200), ping(1));
    assert_eq!(sends(&elsewhere).len(), 1, "the ack alone");
    let there = protocol.handle_message(addr(3), ping(2));
    assert_eq!(told(&there, 50).len(), 1);
}
