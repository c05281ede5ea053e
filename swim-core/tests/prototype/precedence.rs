use super::*;
use MemberState::{Alive, Dead, Left, Suspect};

#[test]
fn at_equal_incarnation_left_beats_dead_beats_suspect_beats_alive() {
    let order = [Alive, Suspect, Dead, Left];
    for (i, &first) in order.iter().enumerate() {
        for (j, &second) in order.iter().enumerate() {
            let mut protocol = knowing(3);
            hear(&mut protocol, 2, vec![claim(1, first, 0)]);
            hear(&mut protocol, 3, vec![claim(1, second, 0)]);
            assert_eq!(state(&protocol, 1), Some(order[i.max(j)]), "{first} then {second}");
        }
    }
}

#[test]
fn a_higher_incarnation_revives_and_a_lower_one_says_nothing() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 2, vec![alive(1, 5)]);
    for stale in [Suspect, Dead, Left] {
        hear(&mut protocol, 2, vec![claim(1, stale, 4)]);
        assert_eq!(state(&protocol, 1), Some(Alive));
    }
    hear(&mut protocol, 2, vec![claim(1, Dead, 5)]);
    hear(&mut protocol, 2, vec![alive(1, 5)]);
    assert_eq!(state(&protocol, 1), Some(Dead));
    let actions = hear(&mut protocol, 2, vec![alive(1, 6)]);
    assert_eq!(changes(&actions), [(name(1), Dead, Alive)]);
}

#[test]
fn an_accusation_never_raises_an_incarnation() {
    for accusation in [Suspect, Dead, Left] {
        let mut protocol = knowing(3);
        hear(&mut protocol, 2, vec![claim(1, accusation, u64::MAX)]);
        assert_eq!(state(&protocol, 1), Some(accusation));
        assert_eq!(incarnation(&protocol, 1), 0);
        hear(&mut protocol, 1, vec![alive(1, 1)]);
        assert_eq!(state(&protocol, 1), Some(Alive));
    }
}

#[test]
fn dead_on_dead_raises_so_that_no_alive_between_revives() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 2, vec![alive(1, 1)]);
    hear(&mut protocol, 2, vec![claim(1, Dead, 1)]);
    hear(&mut protocol, 2, vec![claim(1, Dead, 10)]);
    hear(&mut protocol, 2, vec![alive(1, 2)]);
    assert_eq!(state(&protocol, 1), Some(Dead));
    hear(&mut protocol, 2, vec![claim(1, Dead, u64::MAX)]);
    hear(&mut protocol, 2, vec![alive(1, 11)]);
    assert_eq!(state(&protocol, 1), Some(Alive), "the highest accusation locks nobody out");
}

#[test]
fn absurd_incarnations_of_alives_are_refused() {
    let mut protocol = knowing(3);
    hear(&mut protocol, 2, vec![alive(1, u64::MAX), alive(2, u64::MAX - (1 << 32) + 1)]);
    assert_eq!(incarnation(&protocol, 1), 0);
    assert_eq!(incarnation(&protocol, 2), 0);
    hear(&mut protocol, 2, vec![alive(2, u64::MAX - (1 << 32))]);
    assert_eq!(incarnation(&protocol, 2), u64::MAX - (1 << 32));
}

#[test]
fn ones_own_counter_never_wraps() {
    let mut protocol = knowing(3);
    for accusation in [u64::MAX, u64::MAX - (1 << 33), u64::MAX, u64::MAX - 1] {
        let before = incarnation(&protocol, 0);
        hear(&mut protocol, 1, vec![claim(0, Suspect, accusation)]);
        let after = incarnation(&protocol, 0);
        assert!(after > before && after < u64::MAX - (1 << 32), "{before} -> {after}");
    }
}

#[test]
fn of_two_alives_at_one_incarnation_the_greater_stays_in_any_order() {
    let other = |port| MemberUpdate {
        address: Some(SocketAddr::from(([10, 0, 0, 1], port))),
        ..alive(1, 3)
    };
    for ports in [[1, 9], [9, 1]] {
        let mut protocol = knowing(3);
        hear(&mut protocol, 2, ports.map(other).to_vec());
        let members = protocol.all_members();
        let held = members.iter().find(|member| member.id == name(1)).unwrap();
        assert_eq!(held.address.port(), 9);
        assert_eq!(protocol.stats().conflicts, 1);
    }
}

#[test]
fn no_record_of_a_sync_puts_a_member_beyond_its_own_refutation() {
    let last_update = protocol().all_members()[0].last_update;
    for accusation in [Suspect, Dead, Left] {
        for claimed in [7, u64::MAX - (1 << 33) + 1, u64::MAX - (1 << 32), u64::MAX] {
            let mut protocol = knowing(3);
            let record = Member {
                id: name(1),
                address: addr(1),
                state: accusation,
                incarnation: claimed,
                metadata: HashMap::new(),
                last_update,
            };
            protocol.handle_message(addr(2), GossipMessage::Sync { members: vec![record] });
            let held = incarnation(&protocol, 1);
            let mut accused = GossipProtocol::new(name(1), addr(1), GossipConfig::default());
            hear(&mut accused, 0, vec![claim(1, accusation, held)]);
            hear(&mut protocol, 1, vec![alive(1, incarnation(&accused, 1))]);
            assert_eq!(state(&protocol, 1), Some(Alive), "{accusation} at {claimed}");
        }
    }
}
