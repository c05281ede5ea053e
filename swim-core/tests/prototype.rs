//! The customer's prototype with named timers: what each call returns. Sections follow the list of
//! settled behaviours in `docs/protocol.md`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{
    Accusation, AdvancedGossipConfig, GossipAction, GossipConfig, GossipMessage, GossipProtocol,
    Member, MemberId, MemberState, MemberUpdate, MetadataError, Options, Timers,
};

fn addr(node: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, node], 7946))
}

fn name(node: u8) -> MemberId {
    MemberId(format!("n{node}"))
}

fn protocol() -> GossipProtocol {
    GossipProtocol::new(name(0), addr(0), GossipConfig::default())
}

fn alive(node: u8, incarnation: u64) -> MemberUpdate {
    MemberUpdate {
        id: name(node),
        state: MemberState::Alive,
        incarnation,
        address: Some(addr(node)),
        metadata: Some(HashMap::new()),
    }
}

fn claim(node: u8, state: MemberState, incarnation: u64) -> MemberUpdate {
    MemberUpdate { id: name(node), state, incarnation, address: None, metadata: None }
}

/// A node that knows members 1 to `n`, with nothing left to tell.
fn knowing(n: u8) -> GossipProtocol {
    knowing_with(n, GossipConfig::default())
}

fn knowing_with(n: u8, config: GossipConfig) -> GossipProtocol {
    let mut protocol = GossipProtocol::new(name(0), addr(0), config);
    let updates = (1..=n).map(|node| alive(node, 0)).collect();
    hear(&mut protocol, 1, updates);
    (0..200).for_each(|_| drop(protocol.handle_timer("gossip")));
    protocol
}

fn hear(protocol: &mut GossipProtocol, from: u8, updates: Vec<MemberUpdate>) -> Vec<GossipAction> {
    protocol.handle_message(addr(from), GossipMessage::Gossip { updates })
}

fn state(protocol: &GossipProtocol, node: u8) -> Option<MemberState> {
    protocol.all_members().iter().find(|member| member.id == name(node)).map(|member| member.state)
}

fn incarnation(protocol: &GossipProtocol, node: u8) -> u64 {
    let members = protocol.all_members();
    members.iter().find(|member| member.id == name(node)).unwrap().incarnation
}

fn sends(actions: &[GossipAction]) -> Vec<(SocketAddr, &GossipMessage)> {
    let send = |action| match action {
        &GossipAction::Send { to, ref message } => Some((to, message)),
        _ => None,
    };
    actions.iter().filter_map(send).collect()
}

fn pings(actions: &[GossipAction]) -> Vec<(SocketAddr, u64)> {
    let ping = |(to, message): (SocketAddr, &GossipMessage)| match message {
        GossipMessage::Ping { seq, .. } => Some((to, *seq)),
        _ => None,
    };
    sends(actions).into_iter().filter_map(ping).collect()
}

fn timers(actions: &[GossipAction]) -> BTreeMap<String, Duration> {
    let timer = |action: &GossipAction| match action {
        GossipAction::ScheduleTimer { name, delay } => Some((name.clone(), *delay)),
        _ => None,
    };
    actions.iter().filter_map(timer).collect()
}

fn changes(actions: &[GossipAction]) -> Vec<(MemberId, MemberState, MemberState)> {
    let change = |action: &GossipAction| match action {
        GossipAction::MembershipChange { member, old_state, new_state } => {
            Some((member.clone(), *old_state, *new_state))
        }
        _ => None,
    };
    actions.iter().filter_map(change).collect()
}

/// Updates about a member that were sent, with their destination.
fn told(actions: &[GossipAction], node: u8) -> Vec<(SocketAddr, MemberUpdate)> {
    let mut told = Vec::new();
    for (to, message) in sends(actions) {
        if let GossipMessage::Gossip { updates } = message {
            let about = updates.iter().filter(|update| update.id == name(node));
            told.extend(about.map(|update| (to, update.clone())));
        }
    }
    told
}

fn node_of(address: SocketAddr) -> u8 {
    match address.ip() {
        std::net::IpAddr::V4(ip) => ip.octets()[3],
        std::net::IpAddr::V6(_) => unreachable!("all addresses here are IPv4"),
    }
}

/// Ticks until `node` is pinged; returns the `seq`.
fn ping_of(protocol: &mut GossipProtocol, node: u8) -> u64 {
    for _ in 0..100 {
        if let Some(&(_, seq)) = pings(&protocol.tick()).iter().find(|(to, _)| *to == addr(node)) {
            return seq;
        }
    }
    panic!("{node} is never pinged");
}

mod itself {
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
}

mod join {
    use super::*;

    #[test]
    fn each_seed_gets_one_request_and_ones_own_alive() {
        let actions = protocol().bootstrap(vec![addr(1), addr(2), addr(1)]);
        for seed in [1, 2] {
            let to_seed: Vec<_> =
                sends(&actions).into_iter().filter(|(to, _)| *to == addr(seed)).collect();
            let requests = to_seed.iter().filter(
                |(_, m)| matches!(m, GossipMessage::SyncRequest { from } if *from == name(0)),
            );
            assert_eq!(requests.count(), 1);
            assert_eq!(to_seed.len(), 2);
        }
        let announced = told(&actions, 0);
        assert_eq!(announced.len(), 2);
        assert_eq!(announced[0].1.address, Some(addr(0)));
        assert!(timers(&actions).contains_key("join"));
    }

    #[test]
    fn without_seeds_a_join_under_way_ends() {
        let mut protocol = protocol();
        protocol.bootstrap(vec![addr(1)]);
        assert_eq!(protocol.join_attempts(), Some(1));
        assert!(sends(&protocol.bootstrap(Vec::new())).is_empty());
        assert_eq!(protocol.join_attempts(), None);
        assert!(sends(&protocol.handle_timer("join")).is_empty());
    }

    #[test]
    fn a_request_is_answered_with_everybody_to_where_it_came_from() {
        let mut protocol = knowing(2);
        let from = addr(77);
        let request = GossipMessage::SyncRequest { from: name(9) };
        let actions = protocol.handle_message(from, request);
        let sent = sends(&actions);
        assert_eq!(sent.len(), 1);
        let (to, GossipMessage::Sync { members }) = sent[0] else { panic!("{sent:?}") };
        assert_eq!(to, from);
        let names: BTreeSet<_> = members.iter().map(|member| member.id.0.clone()).collect();
        assert_eq!(names, BTreeSet::from(["n0".into(), "n1".into(), "n2".into()]));
        assert_eq!(state(&protocol, 9), None, "asking makes nobody a member");
    }

    #[test]
    fn the_joiner_pushes_what_the_answer_lacked_and_asks_no_more() {
        let mut protocol = protocol();
        protocol.bootstrap(vec![addr(1)]);
        let answer = GossipMessage::Sync { members: vec![member(1)] };
        let actions = protocol.handle_message(addr(1), answer);
        let pushed = sends(&actions);
        let (to, GossipMessage::Sync { members }) = pushed[0] else { panic!("{pushed:?}") };
        assert_eq!(to, addr(1));
        assert_eq!(members.len(), 1);
        assert_eq!(members[0].id, name(0));
        assert!(sends(&protocol.handle_timer("join")).is_empty());
        assert_eq!(state(&protocol, 1), Some(MemberState::Alive));
    }

    #[test]
    fn nobody_answers_so_it_asks_again() {
        let mut protocol = protocol();
        protocol.bootstrap(vec![addr(1)]);
        let actions = protocol.handle_timer("join");
        let asked = sends(&actions)
            .iter()
            .any(|(to, m)| *to == addr(1) && matches!(m, GossipMessage::SyncRequest { .. }));
        assert!(asked);
    }

    #[test]
    fn an_unasked_sync_is_merged_and_not_answered() {
        let mut protocol = protocol();
        let sync = GossipMessage::Sync { members: vec![member(1), member(2)] };
        let actions = protocol.handle_message(addr(5), sync);
        assert_eq!(protocol.cluster_size(), 3);
        assert!(sends(&actions).is_empty());
    }

    #[test]
    fn periodic_timers_are_armed_by_the_first_call_of_any_kind() {
        assert!(timers(&protocol().tick()).contains_key("anti_entropy"));
        assert!(timers(&protocol().bootstrap(vec![])).contains_key("anti_entropy"));
    }

    fn member(node: u8) -> Member {
        // A clock reading is the one thing that a `Member` cannot be made without.
        let last_update = protocol().all_members()[0].last_update;
        Member {
            id: name(node),
            address: addr(node),
            state: MemberState::Alive,
            incarnation: 0,
            metadata: HashMap::new(),
            last_update,
        }
    }
}

mod tick {
    use super::*;

    #[test]
    fn one_ping_with_its_timer() {
        let mut protocol = knowing(3);
        let actions = protocol.tick();
        let pings = pings(&actions);
        assert_eq!(pings.len(), 1);
        let target = node_of(pings[0].0);
        let delay = timers(&actions)[&format!("probe_timeout_n{target}")];
        assert!(delay > Duration::ZERO && delay <= Duration::from_millis(500));
    }

    #[test]
    fn alone_it_pings_nobody() {
        let mut protocol = protocol();
        assert!(sends(&protocol.tick()).is_empty());
    }

    #[test]
    fn everyone_is_pinged_within_two_rounds_less_one() {
        let n = 20;
        let mut protocol = knowing(n);
        protocol.tick();
        let mut last: BTreeMap<u8, u32> = (1..=n).map(|node| (node, 0)).collect();
        for tick in 1..400 {
            for (to, _) in pings(&protocol.tick()) {
                last.insert(node_of(to), tick);
            }
            assert!(last.values().all(|&seen| tick - seen < 2 * u32::from(n)), "{last:?}");
        }
    }

    #[test]
    fn never_self_dead_or_left() {
        let mut protocol = knowing(4);
        hear(
            &mut protocol,
            1,
            vec![claim(2, MemberState::Dead, 0), claim(3, MemberState::Left, 0)],
        );
        let pinged: BTreeSet<_> =
            (0..20).flat_map(|_| pings(&protocol.tick())).map(|(to, _)| node_of(to)).collect();
        assert_eq!(pinged, BTreeSet::from([1, 4]));
    }

    #[test]
    fn it_always_probes_when_there_is_someone() {
        let mut protocol = knowing(1);
        let first = pings(&protocol.tick());
        for _ in 0..5 {
            let actions = protocol.tick();
            assert_eq!(pings(&actions), first, "one open probe per member: the same seq");
            assert!(timers(&actions).contains_key("probe_timeout_n1"));
        }
    }

    #[test]
    fn sends_stay_within_the_fanout_and_start_with_the_ping() {
        for fanout in 1..=4 {
            let config = GossipConfig { fanout, ..GossipConfig::default() };
            let mut protocol = knowing_with(8, config);
            for round in 0..30u8 {
                let node = 1 + round % 8;
                hear(
                    &mut protocol,
                    node,
                    vec![claim(1 + (round + 1) % 8, MemberState::Suspect, 0)],
                );
                let actions = protocol.tick();
                let sent = sends(&actions);
                assert!(sent.len() <= fanout, "{sent:?}");
                assert!(matches!(sent[0].1, GossipMessage::Ping { .. }));
                if let Some((to, message)) = sent.get(1) {
                    assert!(matches!(message, GossipMessage::Gossip { .. }), "{message:?}");
                    assert_eq!(*to, sent[0].0);
                }
            }
        }
    }

    #[test]
    fn news_rides_along() {
        let mut protocol = knowing(3);
        hear(&mut protocol, 1, vec![alive(9, 4)]);
        let actions = protocol.tick();
        let told = told(&actions, 9);
        assert_eq!(told[0].0, pings(&actions)[0].0);
        assert_eq!(told[0].1.incarnation, 4);
    }

    #[test]
    fn who_changes_its_metadata_often_delays_nobodys_probe() {
        let n = 4;
        let mut protocol = knowing(n);
        let mut last: BTreeMap<u8, u32> = (1..=n).map(|node| (node, 0)).collect();
        for tick in 1..300 {
            for (to, seq) in pings(&protocol.tick()) {
                let from = name(node_of(to));
                last.insert(node_of(to), tick);
                protocol.handle_message(to, GossipMessage::Ack { seq, from });
            }
            let map = HashMap::from([("load".to_string(), tick.to_string())]);
            let change = MemberUpdate { metadata: Some(map), ..alive(1, u64::from(tick)) };
            hear(&mut protocol, 1, vec![change]);
            assert!(last.values().all(|&seen| tick - seen < 2 * u32::from(n)), "{last:?}");
        }
    }
}

mod ping {
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
}

mod probe_timeout {
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
        let asked =
            |(_, m): &(SocketAddr, &GossipMessage)| matches!(m, GossipMessage::PingReq { .. });
        assert_eq!(sends(&actions).into_iter().filter(asked).count(), 3);
        protocol.handle_timer("probe_timeout_n2");
        assert_eq!(state(&protocol, 2), Some(MemberState::Suspect));
    }

    #[test]
    fn relays_are_alive_members_only() {
        let mut protocol = knowing(5);
        hear(
            &mut protocol,
            1,
            vec![claim(2, MemberState::Suspect, 0), claim(3, MemberState::Dead, 0)],
        );
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
}

mod suspicion {
    use super::*;

    #[test]
    fn expiry_makes_dead() {
        let mut protocol = knowing(3);
        hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
        let actions = protocol.handle_timer("suspicion_timeout_n1");
        assert_eq!(changes(&actions), [(name(1), MemberState::Suspect, MemberState::Dead)]);
        assert!(timers(&actions).contains_key("cleanup_n1"));
    }

    #[test]
    fn a_deaf_node_waits_again() {
        let mut protocol = knowing(5);
        hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
        let actions = protocol.handle_timer("suspicion_timeout_n1");
        assert_eq!(state(&protocol, 1), Some(MemberState::Suspect));
        assert!(timers(&actions).contains_key("suspicion_timeout_n1"));
        protocol.handle_message(addr(3), GossipMessage::Ping { seq: 1, from: name(3) });
        protocol.handle_timer("suspicion_timeout_n1");
        assert_eq!(state(&protocol, 1), Some(MemberState::Dead));
    }

    #[test]
    fn its_length_follows_the_formula() {
        let alone = protocol().suspicion_timeout();
        assert_eq!(alone, Duration::from_millis(2_500));
        let hundred = knowing(99).suspicion_timeout();
        assert_eq!(hundred, Duration::from_millis(5_000));
    }

    #[test]
    fn distinct_accusers_shorten_it_and_repeats_do_not() {
        let mut protocol = knowing(9);
        let timeout =
            |actions: &[GossipAction]| timers(actions).get("suspicion_timeout_n1").copied();
        let first = hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
        let full = timeout(&first).unwrap();
        let again = hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
        assert_eq!(timeout(&again), None, "the same accuser again");
        let mut last = full;
        for accuser in 3..=5 {
            let actions = hear(&mut protocol, accuser, vec![claim(1, MemberState::Suspect, 0)]);
            let shorter = timeout(&actions).unwrap();
            assert!(shorter < last, "accuser {accuser}");
            last = shorter;
        }
        let more = hear(&mut protocol, 6, vec![claim(1, MemberState::Suspect, 0)]);
        assert_eq!(timeout(&more), None, "the minimum is reached");
        assert!(last >= full / 3);
    }

    #[test]
    fn an_ack_by_the_suspect_clears_it_here_and_is_not_gossiped() {
        let mut protocol = knowing(5);
        hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
        let seq = ping_of(&mut protocol, 1);
        let ack = GossipMessage::Ack { seq, from: name(1) };
        let actions = protocol.handle_message(addr(1), ack);
        assert_eq!(changes(&actions), [(name(1), MemberState::Suspect, MemberState::Alive)]);
        for _ in 0..20 {
            assert!(told(&protocol.handle_timer("gossip"), 1).is_empty());
            assert!(told(&protocol.tick(), 1).is_empty());
        }
        hear(&mut protocol, 3, vec![claim(1, MemberState::Suspect, 0)]);
        assert_eq!(state(&protocol, 1), Some(MemberState::Alive), "a rumour does not count now");
        protocol.handle_timer("vouch_n1");
        hear(&mut protocol, 3, vec![claim(1, MemberState::Suspect, 0)]);
        assert_eq!(state(&protocol, 1), Some(MemberState::Suspect), "later it does");
    }

    #[test]
    fn dead_counts_in_spite_of_first_hand_evidence() {
        let mut protocol = knowing(5);
        hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
        let seq = ping_of(&mut protocol, 1);
        protocol.handle_message(addr(1), GossipMessage::Ack { seq, from: name(1) });
        hear(&mut protocol, 3, vec![claim(1, MemberState::Dead, 0)]);
        assert_eq!(state(&protocol, 1), Some(MemberState::Dead));
    }

    #[test]
    fn a_newer_incarnation_ends_it_for_good() {
        let mut protocol = knowing(3);
        hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
        hear(&mut protocol, 2, vec![alive(1, 1)]);
        assert_eq!(state(&protocol, 1), Some(MemberState::Alive));
        protocol.handle_timer("suspicion_timeout_n1");
        assert_eq!(state(&protocol, 1), Some(MemberState::Alive));
    }

    #[test]
    fn a_suspect_is_told_by_its_accuser_and_on_every_ping() {
        let mut protocol = knowing(4);
        ping_of(&mut protocol, 1);
        protocol.handle_timer("probe_timeout_n1");
        let actions = protocol.handle_timer("probe_timeout_n1");
        let to_subject = |actions: &[GossipAction]| {
            told(actions, 1)
                .into_iter()
                .any(|(to, update)| to == addr(1) && update.state == MemberState::Suspect)
        };
        assert!(to_subject(&actions));
        for _ in 0..20 {
            let actions = protocol.tick();
            if pings(&actions)[0].0 == addr(1) {
                assert!(to_subject(&actions));
            }
        }
    }

    #[test]
    fn the_origin_of_a_forwarded_suspicion_is_kept() {
        let mut accuser = knowing(9);
        hear(&mut accuser, 2, vec![claim(1, MemberState::Suspect, 0)]);
        let forwarded = accuser.handle_timer("gossip");
        let messages: Vec<_> = sends(&forwarded).into_iter().map(|(_, m)| m.clone()).collect();
        assert!(messages.iter().any(|m| matches!(m, GossipMessage::Evidence { accusations, .. }
            if accusations[0].accuser == name(2))));
        // Nine nodes forward one accusation by node 2: still one accuser.
        let mut listener = knowing(9);
        let mut shortest = Duration::MAX;
        for forwarder in 3..=9 {
            for message in &messages[..2] {
                let actions = listener.handle_message(addr(forwarder), message.clone());
                if let Some(delay) = timers(&actions).get("suspicion_timeout_n1") {
                    shortest = *delay;
                }
            }
        }
        let full = listener.suspicion_timeout();
        assert!(full - shortest < Duration::from_millis(100), "{shortest:?} of {full:?}");
    }

    #[test]
    fn a_suspicion_at_a_higher_incarnation_counts_in_spite_of_first_hand_evidence() {
        let mut protocol = knowing(5);
        hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
        let seq = ping_of(&mut protocol, 1);
        protocol.handle_message(addr(1), GossipMessage::Ack { seq, from: name(1) });
        hear(&mut protocol, 3, vec![claim(1, MemberState::Suspect, 1)]);
        assert_eq!(state(&protocol, 1), Some(MemberState::Suspect));
    }

    #[test]
    fn a_suspicion_forwarded_again_is_not_gossiped_again() {
        let mut protocol = knowing(9);
        let accusation =
            Accusation { subject: name(1), incarnation: 0, accuser: name(2), health: 0 };
        let mut sent: Vec<usize> = Vec::new();
        for forwarder in [3, 4, 3, 5, 4] {
            hear(&mut protocol, forwarder, vec![claim(1, MemberState::Suspect, 0)]);
            let accusations = vec![accusation.clone()];
            let companion = GossipMessage::Evidence { ages: vec![], accusations };
            protocol.handle_message(addr(forwarder), companion);
            sent.push((0..20).map(|_| told(&protocol.handle_timer("gossip"), 1).len()).sum());
        }
        assert_eq!(sent, [8, 0, 0, 0, 0], "retransmit_mult * ceil(log10(n + 1)), once");
    }

    #[test]
    fn a_suspect_is_not_its_own_accuser() {
        let mut protocol = knowing(9);
        hear(&mut protocol, 2, vec![claim(1, MemberState::Suspect, 0)]);
        let accusation =
            Accusation { subject: name(1), incarnation: 0, accuser: name(1), health: 0 };
        let accusations = vec![accusation];
        let companion = GossipMessage::Evidence { ages: vec![], accusations };
        let actions = protocol.handle_message(addr(5), companion);
        assert!(timers(&actions).is_empty(), "{actions:?}");
    }
}

mod named_timers {
    use super::*;

    #[test]
    fn nonsense_does_nothing() {
        let mut protocol = knowing(3);
        for timer in [
            "",
            "nobody",
            "probe_timeout_",
            "probe_timeout_n77",
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
        let mut protocol = knowing(3);
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
}

mod refutation {
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
}

mod precedence {
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
}

mod metadata {
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
}

mod dissemination {
    use super::*;

    #[test]
    fn a_gossip_holds_at_most_max_piggyback_and_the_rest_waits() {
        let config = GossipConfig { max_piggyback: 4, ..GossipConfig::default() };
        let mut protocol = GossipProtocol::new(name(0), addr(0), config);
        hear(&mut protocol, 1, (1..=30).map(|node| alive(node, 0)).collect());
        let mut seen = BTreeSet::new();
        for _ in 0..40 {
            for (_, message) in sends(&protocol.handle_timer("gossip")) {
                if let GossipMessage::Gossip { updates } = message {
                    assert!(updates.len() <= 4);
                    seen.extend(updates.iter().map(|update| update.id.0.clone()));
                }
            }
        }
        assert_eq!(seen.len(), 30);
    }

    #[test]
    fn each_update_is_sent_only_so_often() {
        let mut protocol = knowing(8);
        hear(&mut protocol, 1, vec![alive(20, 0)]);
        let sent: usize = (0..50).map(|_| told(&protocol.handle_timer("gossip"), 20).len()).sum();
        assert_eq!(sent, 4 * 2, "retransmit_mult * ceil(log10(n + 1))");
    }

    #[test]
    fn the_newest_replaces_the_older() {
        let mut protocol = knowing(8);
        hear(&mut protocol, 1, vec![alive(20, 0)]);
        hear(&mut protocol, 1, vec![alive(20, 5)]);
        for _ in 0..20 {
            for (_, update) in told(&protocol.handle_timer("gossip"), 20) {
                assert_eq!(update.incarnation, 5);
            }
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let config = AdvancedGossipConfig { broadcast_queue_size: 5, ..Default::default() };
        let mut protocol = GossipProtocol::with_advanced(name(0), addr(0), config);
        hear(&mut protocol, 1, (1..=20).map(|node| alive(node, 0)).collect());
        assert_eq!(protocol.queue_len(), 5);
        assert_eq!(protocol.stats().broadcasts_dropped, 15);
        assert_eq!(protocol.cluster_size(), 21, "only the telling is lost");
    }

    #[test]
    fn nothing_to_say_arms_no_gossip() {
        let mut protocol = knowing(3);
        let seq = ping_of(&mut protocol, 1);
        let ack = GossipMessage::Ack { seq, from: name(1) };
        assert!(!timers(&protocol.handle_message(addr(1), ack)).contains_key("gossip"));
    }

    #[test]
    fn what_fits_no_datagram_holds_nothing_up() {
        let mut protocol = knowing(8);
        let map = HashMap::from([("k".to_string(), "v".repeat(2_000))]);
        let large = |node| MemberUpdate { metadata: Some(map.clone()), ..alive(node, 1) };
        hear(&mut protocol, 1, vec![alive(50, 0)]);
        hear(&mut protocol, 1, (1..=5).map(large).collect());
        assert!(!told(&protocol.handle_timer("gossip"), 50).is_empty());
        (0..20).for_each(|_| drop(protocol.handle_timer("gossip")));
        assert_eq!(protocol.queue_len(), 0);
        assert_eq!(protocol.stats().broadcasts_dropped, 5);
        assert_eq!(protocol.get_metadata(&name(5)), Some(&map));
    }

    #[test]
    fn what_was_told_at_once_counts() {
        let updated = |p: &mut GossipProtocol| p.update_metadata("a".into(), "1".into());
        let accused = |p: &mut GossipProtocol| hear(p, 1, vec![claim(0, MemberState::Suspect, 0)]);
        for news in [updated, accused, GossipProtocol::leave] {
            let mut protocol = knowing(19);
            let at_once = told(&news(&mut protocol), 0).len();
            let rounds = (0..50).map(|_| told(&protocol.handle_timer("gossip"), 0).len());
            assert_eq!(at_once + rounds.sum::<usize>(), 8);
        }
    }

    #[test]
    fn differences_tell_each_member_once_however_often_it_is_asked_for() {
        let mut protocol = knowing(3);
        hear(&mut protocol, 1, vec![alive(1, 9)]);
        let updates = vec![claim(1, MemberState::Alive, 3); 500];
        let delta = GossipMessage::Delta { updates, wanted: vec![] };
        let actions = protocol.handle_message(addr(77), delta);
        let sent = sends(&actions);
        let GossipMessage::Delta { updates, .. } = sent[0].1 else { panic!("{sent:?}") };
        assert_eq!(updates.len(), 1);
    }
}

mod forgetting {
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
        hear(
            &mut protocol,
            1,
            vec![claim(50, MemberState::Dead, 3), claim(51, MemberState::Left, 3)],
        );
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
}

mod reports {
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
        let mut bad = options.clone();
        bad.gossip.base = config;
        let error = GossipProtocol::builder(name(0), addr(0)).options(bad).build().unwrap_err();
        assert!(error.to_string().contains("9999"), "{error}");
        let error = GossipProtocol::builder(long, addr(0)).options(options).build().unwrap_err();
        assert!(error.to_string().contains("300") && error.to_string().contains("255"), "{error}");
    }
}
