//! Sealed traffic between agents; on virtual time.
#![cfg(feature = "seal")]

mod lib_support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BytesMut;
use lib_support::{Raw, SEED, addr, alive, builder, news, options, over, state};
use swim_agent::keys::{Algorithm, Key, Keyring, Keys, KeysError, Mode, write_private};
use swim_agent::{Counters, EventError, EventKind, EventStream, Handle, Query, StreamItem};
use swim_core::{GossipMessage, MemberState, Notice, Said, Stamp, UserNotice, UserQuery};
use swim_transport::{Network, Transport as _};
use swim_wire::seal::{Carrier, Seal};
use tokio::time::{sleep, timeout};

fn key() -> Key {
    Key::generate(Algorithm::default()).expect("a random source")
}

/// Agents 1 to `count` that seal with one key and know each other.
async fn sealed(network: &Network, ring: &Keyring, count: u8) -> Vec<Handle> {
    let mut agents = Vec::new();
    for number in 1..=count {
        let builder = builder(network, number).seal(ring.clone(), Mode::Require);
        agents.push(builder.spawn().await.expect("an agent"));
    }
    for agent in &agents {
        alive(agent, count.into()).await;
    }
    agents
}

async fn counters(agent: &Handle) -> Counters {
    agent.info().await.expect("a running agent").counters
}

/// Whom of these anybody has suspected or held dead so far.
fn accused(streams: &mut [EventStream]) -> BTreeSet<String> {
    let mut accused = BTreeSet::new();
    for events in streams {
        while let Some(item) = events.try_next() {
            if let StreamItem::Event(event) = item
                && matches!(event.kind, EventKind::Suspected | EventKind::Died)
            {
                accused.insert(event.name);
            }
        }
    }
    accused
}

#[tokio::test(start_paused = true)]
async fn who_has_the_key_is_a_member_and_nothing_is_said_openly() {
    let network = Network::new().with_mtu(1_400);
    let ring = Keyring::new(key());
    let agents = sealed(&network, &ring, 5).await;
    let mut events = agents[4].events();
    // Neither fits a datagram with what sealing adds and does without, nor a datagram at all.
    for len in [1_200, 1_260, 1_280, 1_290, 1_300, 1_310, 1_320, 1_340, 1_360, 5_000] {
        agents[0].send_event("e", vec![7; len]).await.unwrap();
        let told = timeout(Duration::from_secs(60), async {
            loop {
                if let StreamItem::User(event) = events.next().await.unwrap() {
                    break event.payload.len();
                }
            }
        });
        assert_eq!(told.await.expect("an event"), len);
    }
    sleep(Duration::from_secs(60)).await;
    for agent in &agents {
        let held = counters(agent).await;
        assert_eq!((held.transport_errors, held.unsealed_received, held.refused_plain), (0, 0, 0));
        assert_eq!((held.refused_replayed, held.refused_forged, held.seal_errors), (0, 0, 0));
        assert_eq!(agent.info().await.unwrap().sessions.datagrams, 4, "one of each other");
        alive(agent, 5).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_seals_not_is_neither_heard_nor_answered() {
    let network = Network::new();
    let agents = sealed(&network, &Keyring::new(key()), 2).await;
    let raw = Raw::new(&network, 99);
    raw.send(1, &[GossipMessage::Ping { seq: 1, from: "raw".into() }]);
    raw.send(1, &[news("raw", addr(99), MemberState::Alive)]);
    raw.send(1, &[news("n2", addr(2), MemberState::Dead)]);
    let (bytes, _) = raw.ask(1, &[GossipMessage::SyncRequest { from: "raw".into() }]).await;
    assert_eq!(bytes, 0, "nothing comes back by stream");
    let (bytes, answers) = raw.recv_for(Duration::from_secs(30)).await;
    assert_eq!(bytes, 0, "nor by datagram: {answers:?}");
    assert_eq!(counters(&agents[0]).await.refused_plain, 4);
    assert_eq!(alive(&agents[0], 2).await.len(), 2);

    let open = lib_support::spawn(&network, 3).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!((open.members().len(), agents[0].members().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_sealed_datagram_of_a_stranger_is_answered_with_three_times_its_bytes_at_most() {
    let network = Network::new();
    let ring = Keyring::new(key());
    let agents = sealed(&network, &ring, 4).await;
    let raw = Raw::new(&network, 99);
    let seal = Seal::new("swim", ring, Mode::Require).unwrap();
    let ask = |messages: &[GossipMessage]| {
        let mut packet = raw.packet(messages);
        seal.seal(Carrier::Datagram, &mut packet).unwrap();
        raw.transport.send_to(addr(1), &packet).unwrap();
        packet.len()
    };
    let ping = |from: &str| GossipMessage::Ping { seq: 1, from: from.into() };
    let many: Vec<_> = (0..20).map(|_| ping("x")).collect();
    for messages in [&[ping("x")][..], &[ping("n2"), ping("n3")], &many] {
        let sent = ask(messages);
        let mut received = 0;
        let mut packet = BytesMut::new();
        while let Ok(came) =
            timeout(Duration::from_secs(5), raw.transport.recv_from(&mut packet)).await
        {
            assert_eq!(came.unwrap(), addr(1));
            received += packet.len();
            seal.open(Carrier::Datagram, &mut packet).expect("sealed for those with the key");
        }
        assert!(received > 0 && received <= 3 * sent, "{received} for {sent}");
    }
    assert_eq!(network.traffic(addr(1), addr(99)).streams, 0);
    assert_eq!(agents[0].members().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn another_key_keeps_out_and_so_does_another_cluster_with_the_same() {
    let network = Network::new();
    let ring = Keyring::new(key());
    let agents = sealed(&network, &ring, 2).await;
    let stranger = builder(&network, 3).seal(Keyring::new(key()), Mode::Require);
    let stranger = stranger.spawn().await.unwrap();
    let error = stranger.join(vec![SEED.to_owned()]).await.unwrap_err().to_string();
    assert!(error.contains("same keys"), "{error}");
    let other = builder(&network, 4).cluster("other").seal(ring, Mode::Require);
    let other = other.spawn().await.unwrap();
    other.join(vec![SEED.to_owned()]).await.unwrap_err();
    let held = counters(&agents[0]).await;
    assert!(held.refused_key > 0 && held.refused_forged > 0, "{held:?}");
    assert_eq!((agents[0].members().len(), agents[1].members().len()), (2, 2));
    assert_eq!((stranger.members().len(), other.members().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_is_heard_once() {
    let network = Network::new();
    let ring = Keyring::new(key());
    let agents = sealed(&network, &ring, 1).await;
    // A sealed packet of a member, recorded by who is in its place afterwards.
    let listener = network.bind(addr(2)).unwrap();
    let talker = over(network.bind(addr(3)).unwrap(), 3).join(["10.0.0.2:7946"]);
    let talker = talker.seal(ring, Mode::Require).spawn().await.unwrap();
    drop(talker.join(vec!["10.0.0.2:7946".to_owned()]).await);
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut recorded = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut recorded).await.unwrap();
    for heard in [0, 1] {
        let mut stream = listener.connect(addr(1)).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &recorded).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(counters(&agents[0]).await.refused_replayed, heard);
    }
}

#[tokio::test(start_paused = true)]
async fn a_running_cluster_goes_from_plain_to_sealed_and_nobody_is_accused() {
    let network = Network::new();
    let ring = Keyring::new(key());
    let mut agents = Vec::new();
    for number in 1..=4 {
        let builder = builder(&network, number);
        let builder = match number {
            // Has not been given the keyring yet.
            4 => builder,
            _ => builder.seal(ring.clone(), Mode::Accept),
        };
        agents.push(builder.spawn().await.unwrap());
    }
    for agent in &agents {
        alive(agent, 4).await;
    }
    let mut streams: Vec<_> = agents.iter().map(Handle::events).collect();
    assert!(matches!(agents[0].keys().await, Err(KeysError::Plain)));
    assert!(matches!(agents[3].keys().await, Err(KeysError::NoKeyring)));
    sleep(Duration::from_secs(20)).await;
    assert!(accused(&mut streams).is_empty());
    assert!(counters(&agents[0]).await.unsealed_received > 0);

    agents[3].leave().await.unwrap();
    agents[3] = builder(&network, 4).seal(ring, Mode::Accept).spawn().await.unwrap();
    streams[3] = agents[3].events();
    alive(&agents[0], 4).await;
    for mode in [Mode::Send, Mode::Require] {
        for agent in &agents {
            agent.reload_keys(mode).await.unwrap();
            sleep(Duration::from_secs(10)).await;
        }
        let report = agents[0].keys().await.unwrap();
        assert_eq!(report.members.values().filter(|keys| keys.sealing == mode).count(), 4);
    }
    let before = counters(&agents[0]).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(accused(&mut streams), BTreeSet::new());
    let after = counters(&agents[0]).await;
    assert_eq!(after.unsealed_received, before.unsealed_received, "nothing is open any more");
    assert_eq!(after.refused_plain, 0);
    alive(&agents[3], 4).await;
}

/// A directory for one test, empty.
fn place(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // It is there only when the test ran before.
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    place
}

/// An agent whose keys are in a file of that directory.
async fn with_file(network: &Network, place: &Path, number: u8) -> Handle {
    let keys = Keys::read(place.join(format!("n{number}"))).expect("a keyring");
    let builder = builder(network, number).seal(keys, Mode::Require);
    builder.options(options(number.into())).spawn().await.expect("an agent")
}

#[tokio::test(start_paused = true)]
async fn a_rotation_names_who_is_down_and_who_was_down_comes_back_by_the_file() {
    let (network, place) = (Network::new(), place("rotation"));
    let (old, new) = (key(), key());
    let (first, second) = (old.id(), new.id());
    let text = Keyring::new(old).to_text();
    let mut agents = Vec::new();
    for number in 1..=3 {
        write_private(&place.join(format!("n{number}")), text.as_bytes()).unwrap();
        agents.push(with_file(&network, &place, number).await);
    }
    alive(&agents[0], 3).await;
    alive(&agents[1], 3).await;
    agents[2].shutdown().await;
    state(&agents[0], "n3", MemberState::Dead).await;

    let report = agents[0].install_key(&new).await.unwrap();
    assert_eq!((report.holding(second), report.using(second), report.total()), (2, 0, 3));
    assert_eq!(report.silent.keys().collect::<Vec<_>>(), ["n3"]);
    let error = agents[1].use_key(second, false).await.unwrap_err().to_string();
    assert!(error.contains("n3 (dead)"), "{error}");
    assert_eq!(agents[0].keys().await.unwrap().using(first), 2, "nothing has changed");
    let report = agents[1].use_key(second, true).await.unwrap();
    assert_eq!((report.using(second), report.total()), (2, 3));
    let error = agents[0].remove_key(second, true).await.unwrap_err().to_string();
    assert!(error.contains("is in use"), "{error}");
    let error = agents[0].remove_key(first, false).await.unwrap_err().to_string();
    assert!(error.contains("removing key") && error.contains("n3 (dead)"), "{error}");
    assert_eq!(agents[0].remove_key(first, true).await.unwrap().holding(first), 0);
    assert_eq!(fs::read(place.join("n1")).unwrap(), fs::read(place.join("n2")).unwrap());

    let lost = with_file(&network, &place, 3).await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(lost.members().len(), 1, "it is not heard with the old keyring");
    assert!(counters(&agents[0]).await.refused_key > 0);
    lost.shutdown().await;
    fs::copy(place.join("n1"), place.join("n3")).unwrap();
    let back = with_file(&network, &place, 3).await;
    for agent in [&back, &agents[0], &agents[1]] {
        alive(agent, 3).await;
    }
    let report = agents[0].keys().await.unwrap();
    assert_eq!((report.using(second), report.total(), report.silent.len()), (3, 3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_rotation_of_many_loses_nobody() {
    let network = Network::new();
    let (old, new) = (key(), key());
    let (first, second) = (old.id(), new.id());
    let agents = sealed(&network, &Keyring::new(old), 8).await;
    let mut streams: Vec<_> = agents.iter().map(Handle::events).collect();
    assert!(agents[0].use_key(second, true).await.is_err(), "it is not installed here");
    for _ in 0..2 {
        let report = agents[3].install_key(&new).await.unwrap();
        assert_eq!((report.holding(second), report.total()), (8, 8), "{report:?}");
    }
    assert_eq!(agents[5].use_key(second, false).await.unwrap().using(second), 8);
    assert_eq!(agents[2].remove_key(first, false).await.unwrap().holding(first), 0);
    let error = agents[2].remove_key(first, false).await.unwrap_err().to_string();
    assert!(error.contains("is not installed"), "{error}");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(accused(&mut streams), BTreeSet::new());
    for agent in &agents {
        assert_eq!(counters(agent).await.refused_key, 0, "no packet was lost");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_kept_is_not_made_and_the_file_is_named() {
    let (network, place) = (Network::new(), place("full"));
    let ring = Keyring::new(key());
    for number in 1..=2 {
        write_private(&place.join(format!("n{number}")), ring.to_text().as_bytes()).unwrap();
    }
    let agents = [with_file(&network, &place, 1).await, with_file(&network, &place, 2).await];
    alive(&agents[0], 2).await;
    // What would be written first cannot be.
    fs::create_dir(place.join(".n2.new")).unwrap();
    let new = key();
    let report = agents[0].install_key(&new).await.unwrap();
    assert_eq!((report.holding(new.id()), report.total()), (1, 2));
    let why = report.members["n2"].refused.clone().unwrap();
    assert!(why.contains("cannot be written") && why.contains("full/n2"), "{why}");
    let error = agents[0].use_key(new.id(), false).await.unwrap_err().to_string();
    assert!(error.contains("n2"), "{error}");
    assert_eq!(agents[1].keys().await.unwrap().holding(new.id()), 1);
    let held = fs::read(place.join("n2")).unwrap();
    assert_eq!(held, ring.to_text().as_bytes(), "and it is as it was");
}

#[tokio::test(start_paused = true)]
async fn what_agents_say_of_keys_is_theirs_alone() {
    let network = Network::new();
    let agents = sealed(&network, &Keyring::new(key()), 2).await;
    let error = agents[0].query(Query::new("swim.keys")).await.unwrap_err();
    assert_eq!(error, EventError::Reserved);
    let (mut events, mut queries) = (agents[1].events(), agents[1].queries());
    agents[0].install_key(&key()).await.unwrap();
    agents[0].query(Query::new("last")).await.unwrap();
    loop {
        match events.next().await.unwrap() {
            StreamItem::Query(query) => break assert_eq!(query.name, "last"),
            StreamItem::User(event) => panic!("{event:?}"),
            _ => {}
        }
    }
    let swim_agent::QueryItem::Query(query) = queries.next().await.unwrap() else { panic!() };
    assert_eq!(query.event().name, "last");
}

#[tokio::test(start_paused = true)]
async fn a_plain_packet_changes_no_key() {
    let network = Network::new();
    let (one, other) = (key(), key());
    let mut ring = Keyring::new(one.clone());
    ring.install(other.clone()).unwrap();
    let agent = builder(&network, 1).seal(ring, Mode::Send).spawn().await.unwrap();
    let raw = Raw::new(&network, 99);
    raw.introduce("raw", 1).await;
    for (number, said) in
        [(1, format!("use {}", other.id())), (2, format!("remove {}", other.id()))]
    {
        let mut query = UserQuery::new("swim.keys");
        (query.origin, query.payload) = ("raw".into(), said.into_bytes());
        let said = Said::Whole(UserNotice::Query(query.into()));
        let stamp = Stamp { ltime: number, id: number };
        let notices = vec![Notice { stamp, after: [].into(), said }];
        raw.send(1, &[GossipMessage::Notices { notices: notices.clone() }]);
        raw.ask(1, &[GossipMessage::Notices { notices }]).await;
    }
    sleep(Duration::from_secs(5)).await;
    let report = agent.keys().await.unwrap();
    assert_eq!((report.using(one.id()), report.holding(other.id())), (1, 1));
    assert_eq!(counters(&agent).await.key_queries_dropped, 4);
}

#[tokio::test(start_paused = true)]
async fn without_a_keyring_sealed_packets_are_counted_as_what_they_are() {
    let network = Network::new();
    let open = lib_support::spawn(&network, 1).await;
    let sealed = builder(&network, 2).seal(Keyring::new(key()), Mode::Require);
    let sealed = sealed.spawn().await.unwrap();
    drop(sealed.join(vec![SEED.to_owned()]).await);
    let held = counters(&open).await;
    assert!(held.refused_sealed > 0, "{held:?}");
    assert_eq!((held.refused_malformed, held.unsealed_received), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reload_takes_what_the_file_says_or_nothing() {
    let (network, place) = (Network::new(), place("reload-keys"));
    let (one, other) = (key(), key());
    let path = place.join("n1");
    write_private(&path, Keyring::new(one.clone()).to_text().as_bytes()).unwrap();
    let agent = with_file(&network, &place, 1).await;
    write_private(&path, b"rot13:secret\n").unwrap();
    let error = agent.reload_keys(Mode::Send).await.unwrap_err().to_string();
    assert!(error.contains("line 1") && !error.contains("secret"), "{error}");
    assert_eq!(agent.sealing(), Some(Mode::Require));
    write_private(&path, Keyring::new(other.clone()).to_text().as_bytes()).unwrap();
    agent.reload_keys(Mode::Send).await.unwrap();
    let report = agent.keys().await.unwrap();
    assert_eq!((report.using(other.id()), report.holding(one.id())), (1, 0));
    assert_eq!(agent.sealing(), Some(Mode::Send));
}

#[tokio::test(start_paused = true)]
async fn who_forges_a_members_address_uses_up_nothing_of_its_share() {
    let network = Network::new().with_queue(100_000);
    let agents = sealed(&network, &Keyring::new(key()), 2).await;
    agents[1].shutdown().await;
    let forger = Raw::new(&network, 2);
    for seq in 0..25_000 {
        forger.send(1, &[GossipMessage::Ping { seq, from: "n2".into() }]);
    }
    sleep(Duration::from_millis(100)).await;
    let count = counters(&agents[0]).await;
    assert_eq!((count.refused_plain, count.member_datagrams_dropped), (25_000, 0));
    assert_eq!(count.stranger_datagrams_dropped, 0);
}
