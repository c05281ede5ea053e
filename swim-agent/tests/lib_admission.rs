//! Who is let in, and that those who are not come in by no other door; on virtual time.

mod lib_support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lib_support::{
    Raw, SEED, addr, alive, builder, crowd, member, news, options, over, spawn, until, ways,
};
use swim_agent::{Counters, Handle};
use swim_core::{GossipMessage, Member, MemberState, MemberUpdate};
use swim_transport::{MemoryTransport, Network};

const WHILE: Duration = Duration::from_secs(60);

async fn counters(agent: &Handle) -> Counters {
    agent.info().await.unwrap().counters
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_full_takes_nobody_in_and_keeps_all_it_has() {
    let network = Network::new();
    let agent = builder(&network, 1).max_members(10).spawn().await.unwrap();
    let other = spawn(&network, 2).await;
    alive(&agent, 2).await;
    let raw = Raw::new(&network, 99);
    raw.ask(1, &[GossipMessage::Sync { members: crowd(60) }]).await;
    let held = agent.info().await.unwrap();
    assert_eq!((held.members_held, held.max_members), (10, 10));
    assert_eq!(held.counters.claims_refused_full, 52);
    // The crowd dies, and is held until it is forgotten.
    until(&agent, "the dead", |members| members.count(MemberState::Dead) == 8).await;
    for message in ways("late", addr(7), 1 << 32) {
        raw.send(1, &[message]);
    }
    tokio::time::sleep(WHILE).await;
    assert!(agent.members().get("late").is_none());
    // Whom it knows lives on: it changes, goes and comes back.
    other.update_metadata("role", "db").await.unwrap();
    until(&agent, "a change", |all| all.get("n2").unwrap().metadata.contains_key("role")).await;
    other.shutdown().await;
    lib_support::state(&agent, "n2", MemberState::Dead).await;
    let back = over(network.bind(addr(2)).unwrap(), 2);
    let _back =
        back.options(swim_core::Options { boot_epoch: 2, ..options(2) }).spawn().await.unwrap();
    lib_support::state(&agent, "n2", MemberState::Alive).await;
    assert!(agent.info().await.unwrap().members_held <= 10);
}

#[tokio::test(start_paused = true)]
async fn who_was_pruned_takes_a_place_until_it_is_forgotten() {
    let network = Network::new();
    let agent = builder(&network, 1).max_members(3).spawn().await.unwrap();
    let raw = Raw::new(&network, 99);
    for name in ["a", "b"] {
        raw.introduce(name, 1).await;
    }
    alive(&agent, 3).await;
    agent.force_leave("a", true).await.unwrap();
    assert_eq!(agent.members().len(), 2);
    raw.ask(1, &[news("c", addr(8), MemberState::Alive)]).await;
    assert!(agent.members().get("c").is_none());
    // It is known, and so comes back.
    let GossipMessage::Gossip { mut updates } = news("a", addr(99), MemberState::Alive) else {
        panic!()
    };
    updates[0].incarnation = 2 << 32;
    raw.ask(1, &[GossipMessage::Gossip { updates }]).await;
    assert!(agent.members().get("a").is_some());
}

/// Lets in who says the word.
fn guarded(network: &Network, number: u8) -> swim_agent::AgentBuilder<MemoryTransport> {
    builder(network, number).metadata([("word", "please")]).admit(|newcomer| {
        match newcomer.metadata.get("word") {
            Some(_) => Ok(()),
            None => Err(format!("{} does not say the word", newcomer.name)),
        }
    })
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_comes_in_by_no_door() {
    let network = Network::new();
    let agents =
        [guarded(&network, 1).spawn().await.unwrap(), guarded(&network, 2).spawn().await.unwrap()];
    alive(&agents[0], 2).await;
    let rude = spawn(&network, 3).await;
    let raw = Raw::new(&network, 4);
    for message in ways("ruder", addr(4), 5 << 32) {
        raw.send(1, std::slice::from_ref(&message));
        raw.ask(1, &[message]).await;
    }
    tokio::time::sleep(WHILE).await;
    for agent in &agents {
        assert_eq!(agent.members().len(), 2, "{:?}", agent.members());
    }
    assert_eq!(rude.members().len(), 1);
    assert!(counters(&agents[0]).await.claims_refused_veto > 8);
    rude.update_metadata("word", "please").await.unwrap();
    for agent in [&agents[0], &agents[1], &rude] {
        alive(agent, 3).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_is_asked_about_again_when_it_changes_or_comes_back() {
    let network = Network::new();
    type Asked = (String, Option<(SocketAddr, MemberState)>, SocketAddr);
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let asking = Arc::clone(&asked);
    let agent = builder(&network, 1).admit(move |it| {
        let held = it.held.map(|held| (held.address, held.state));
        asking.lock().unwrap().push((it.name.to_owned(), held, it.address));
        match it.metadata.get("word").map(String::as_str) {
            Some("no") => Err("no".to_owned()),
            _ => Ok(()),
        }
    });
    let agent = agent.spawn().await.unwrap();
    let other = spawn(&network, 2).await;
    alive(&agent, 2).await;
    tokio::time::sleep(WHILE).await;
    let take = || std::mem::take(&mut *asked.lock().unwrap());
    let name = || "n2".to_owned();
    assert_eq!(take(), [(name(), None, addr(2))], "once");
    other.update_metadata("word", "yes").await.unwrap();
    until(&agent, "the word", |all| all.get("n2").unwrap().metadata.contains_key("word")).await;
    assert_eq!(take()[0], (name(), Some((addr(2), MemberState::Alive)), addr(2)));
    other.update_metadata("word", "no").await.unwrap();
    tokio::time::sleep(WHILE).await;
    let held = agent.members().get("n2").unwrap().clone();
    assert_eq!((held.metadata["word"].as_str(), held.state), ("yes", MemberState::Alive));
    assert!(!take().is_empty());
    // Elsewhere, in another life.
    other.shutdown().await;
    lib_support::state(&agent, "n2", MemberState::Dead).await;
    let elsewhere = over(network.bind(addr(5)).unwrap(), 2).metadata([("word", "yes")]);
    let options = swim_core::Options { boot_epoch: 2, ..options(2) };
    let _elsewhere = elsewhere.options(options).spawn().await.unwrap();
    lib_support::state(&agent, "n2", MemberState::Alive).await;
    assert_eq!(take()[0], (name(), Some((addr(2), MemberState::Dead)), addr(5)));
}

#[tokio::test(start_paused = true)]
async fn a_packet_cannot_introduce_somebody_and_change_it_behind_the_question() {
    let network = Network::new();
    let agent = guarded(&network, 1).spawn().await.unwrap();
    let raw = Raw::new(&network, 5);
    let polite = HashMap::from([("word".to_owned(), "please".to_owned())]);
    let base = MemberUpdate {
        id: "sly".into(),
        state: MemberState::Alive,
        incarnation: 1 << 32,
        address: Some(addr(5)),
        metadata: Some(polite.clone()),
    };
    let rude = MemberUpdate {
        incarnation: 2 << 32,
        address: None,
        metadata: Some(HashMap::new()),
        ..base.clone()
    };
    let dead = Member {
        state: MemberState::Dead,
        incarnation: 3 << 32,
        metadata: HashMap::new(),
        ..member("sly", addr(6))
    };
    let packet = [
        GossipMessage::Gossip { updates: vec![base, rude] },
        GossipMessage::Sync { members: vec![dead] },
    ];
    raw.ask(1, &packet).await;
    let held = agent.members().get("sly").unwrap().clone();
    assert_eq!((held.address, held.metadata.contains_key("word")), (addr(5), true));
}

#[tokio::test(start_paused = true)]
async fn a_merge_is_refused_as_a_whole() {
    let network = Network::new();
    let refusing = |number| {
        builder(&network, number).admit_merge(|merge| {
            let strange = merge.newcomers.iter().filter(|it| it.metadata.contains_key("other"));
            match strange.count() {
                0 => Ok(()),
                some => Err(format!("{some} of {} are of another site", merge.newcomers.len())),
            }
        })
    };
    let agent = refusing(1).spawn().await.unwrap();
    let other = refusing(2).spawn().await.unwrap();
    alive(&agent, 2).await;
    let raw = Raw::new(&network, 9);
    raw.introduce("raw", 1).await;
    alive(&agent, 3).await;
    let mut island = crowd(20);
    island[7].metadata.insert("other".to_owned(), "site".to_owned());
    let mut whole = island.clone();
    whole.push(Member { incarnation: 1 << 32, ..member("n2", addr(2)) });
    raw.ask(1, &[GossipMessage::Sync { members: whole }]).await;
    assert_eq!(agent.members().len(), 3);
    assert_eq!(counters(&agent).await.claims_refused_veto, 20, "and not what it says of a member");
    island.remove(7);
    raw.ask(1, &[GossipMessage::Sync { members: island }]).await;
    assert_eq!(agent.members().len(), 22);
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_panics_lets_nobody_in_and_the_agent_goes_on() {
    let network = Network::new();
    let agent = builder(&network, 1).admit(|newcomer| match newcomer.name {
        "n3" => panic!("a mistake of the embedding program"),
        _ => Ok(()),
    });
    let agent = agent.admit_merge(|merge| {
        assert!(merge.newcomers.iter().all(|newcomer| newcomer.name != "n4"));
        Ok(())
    });
    let agent = agent.spawn().await.unwrap();
    let _others = [spawn(&network, 3).await, spawn(&network, 4).await];
    let good = spawn(&network, 2).await;
    lib_support::state(&agent, "n2", MemberState::Alive).await;
    tokio::time::sleep(WHILE).await;
    assert_eq!(agent.members().len(), 2, "{:?}", agent.members());
    assert!(counters(&agent).await.claims_refused_veto > 1);
    alive(&good, 2).await;
}

/// Who asks to join hears that it is not let in, and looks elsewhere.
#[tokio::test(start_paused = true)]
async fn who_is_refused_is_not_told_of_the_members() {
    let network = Network::new();
    let full = builder(&network, 1).max_members(2).spawn().await.unwrap();
    let roomy = spawn(&network, 2).await;
    alive(&full, 2).await;
    let late = builder(&network, 3).spawn().await.unwrap();
    let error = late.join(vec![SEED.to_owned()]).await.unwrap_err().to_string();
    assert!(error.contains("does it let this agent in?"), "{error}");
    let info = late.info().await.unwrap();
    assert_eq!((info.counts.alive, info.joined), (1, false));
    assert!(counters(&full).await.joins_refused > 0);
    late.join(vec![addr(2).to_string()]).await.unwrap();
    alive(&late, 3).await;
    alive(&roomy, 3).await;
    assert_eq!(full.members().len(), 2);
}

/// Whether somebody who says this on a stream hears of all members.
async fn is_told(raw: &Raw, said: &[GossipMessage]) -> bool {
    let (_, heard) = raw.ask(1, said).await;
    heard.iter().any(|message| matches!(message, GossipMessage::Sync { .. }))
}

/// By whatever name, with and without a word of itself.
#[tokio::test(start_paused = true)]
async fn who_asks_for_the_members_has_to_be_one() {
    let request = |name: &str| GossipMessage::SyncRequest { from: name.into() };
    let word = |name, at| news(name, at, MemberState::Alive);
    for limit in ["room", "word"] {
        let network = Network::new();
        let agent = match limit {
            "room" => builder(&network, 1).max_members(2),
            _ => builder(&network, 1).admit(|it| match it.name {
                "n2" | "n4" => Ok(()),
                _ => Err("no".to_owned()),
            }),
        };
        let agent = agent.spawn().await.unwrap();
        let other = spawn(&network, 2).await;
        alive(&agent, 2).await;
        let raw = Raw::new(&network, 3);
        for said in [
            &[request("rude")][..],
            &[word("rude", addr(3)), request("rude")],
            &[word("rude", addr(3)), request("ruder")],
            &[request("rude"), request("n2")],
        ] {
            assert!(!is_told(&raw, said).await, "{limit}: {said:?}");
        }
        assert!(counters(&agent).await.joins_refused >= 5);
        assert!(is_told(&raw, &[request("n2")]).await, "a name is all that is looked at");
        if limit == "word" {
            // Also one whose address is still to answer, because its streams come from another.
            assert!(is_told(&raw, &[word("n4", addr(4)), request("n4")]).await);
            assert!(agent.members().get("n4").is_none());
        }
        drop(other);
    }
}

/// Keeps the lines that an agent logs, fields and all.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

/// The text of one line.
struct Line(String);

impl tracing::field::Visit for Line {
    fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{value:?} "));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.level() <= &tracing::Level::INFO
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}
    fn enter(&self, _: &tracing::Id) {}
    fn exit(&self, _: &tracing::Id) {}
}

/// The embedding program may say why in the words of who is refused.
#[tokio::test(start_paused = true)]
async fn who_is_refused_does_not_steer_the_log() {
    let log = Log::default();
    let _kept = tracing::subscriber::set_default(log.clone());
    let network = Network::new();
    let rude = "rude\r\n\x1b[2J\u{202e}";
    let agent = builder(&network, 1).admit(|it| Err(format!("{} is not let in", it.name)));
    let agent = agent.spawn().await.unwrap();
    Raw::new(&network, 3).introduce(rude, 1).await;
    assert_eq!(counters(&agent).await.claims_refused_veto, 1);
    let lines = log.0.lock().unwrap();
    assert!(lines.iter().any(|line| line.contains("is not let in")), "{lines:?}");
    let steers = |char: char| char.is_control() || char == '\u{202e}';
    assert!(!lines.iter().any(|line| line.contains(steers)), "{lines:?}");
}

/// An agent that says it lives where nobody reaches it is told of, by what it and members say. What anybody can
/// forge is not.
#[tokio::test(start_paused = true)]
async fn who_does_not_answer_where_it_says_that_it_lives_is_named_once_a_minute() {
    let log = Log::default();
    let _kept = tracing::subscriber::set_default(log.clone());
    let silent = || {
        let lines = log.0.lock().unwrap();
        lines.iter().filter(|line| line.contains("nobody of that name answers")).cloned().collect()
    };
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let raw = Raw::new(&network, 3);
    raw.send(1, &[news("forged", addr(66), MemberState::Alive)]);
    tokio::time::sleep(WHILE).await;
    assert_eq!(counters(&agent).await.claims_refused_unproven, 1);
    assert_eq!(silent(), Vec::<String>::new());
    let rude = "rude\x1b[2J\u{202e}";
    for number in [67, 68] {
        raw.ask(1, &[GossipMessage::Sync { members: vec![member(rude, addr(number))] }]).await;
        // It says the same by datagram as it goes on.
        raw.send(1, &[news(rude, addr(number), MemberState::Alive)]);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let lines: Vec<String> = silent();
    let told = lines.iter().any(|line| line.contains(&addr(67).to_string()));
    assert!(told && lines.len() == 1, "{lines:?}");
    let steers = |char: char| char.is_control() || char == '\u{202e}';
    assert!(lines[0].contains("rude") && !lines[0].contains(steers), "{lines:?}");
    tokio::time::sleep(WHILE).await;
    // A member's word by datagram.
    raw.introduce("raw", 1).await;
    raw.send(1, &[news("q2", addr(69), MemberState::Alive)]);
    tokio::time::sleep(WHILE / 2).await;
    let lines: Vec<String> = silent();
    assert!(lines.len() == 2 && lines[1].contains("q2"), "{lines:?}");
}
