//! What goes out together, by datagram and by stream; on virtual time.

mod lib_support;

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use lib_support::{Raw, addr, alive, builder, member, options, over, spawn, until};
use swim_core::{GossipMessage, Member, MemberState, MemberUpdate};
use swim_transport::{Faulty, Network, Transport};
use swim_wire::{Codec, DecodeError, Decoded, ProtobufCodec};

/// Protobuf behind a mark of its own.
struct Marked(ProtobufCodec);

const MARK: u8 = 0x7f;

impl Codec for Marked {
    fn start(&self, packet: &mut BytesMut) {
        let mut envelope = BytesMut::new();
        self.0.start(&mut envelope);
        packet.clear();
        packet.put_u8(MARK);
        packet.extend_from_slice(&envelope);
    }

    fn encoded_len(&self, message: &GossipMessage) -> usize {
        self.0.encoded_len(message)
    }

    fn append(&self, message: &GossipMessage, packet: &mut BytesMut) {
        self.0.append(message, packet);
    }

    fn decode(
        &self,
        packet: &[u8],
        messages: &mut Vec<GossipMessage>,
    ) -> Result<Decoded, DecodeError> {
        messages.clear();
        let packet = packet.strip_prefix(&[MARK]).ok_or(DecodeError::OtherMajor { found: 0 })?;
        self.0.decode(packet, messages)
    }
}

#[tokio::test(start_paused = true)]
async fn agents_speak_a_codec_of_their_own() {
    let network = Network::new();
    let marked = || Marked(ProtobufCodec::new("swim").unwrap());
    let first = builder(&network, 1).codec(marked()).spawn().await.unwrap();
    let second = builder(&network, 2).codec(marked()).spawn().await.unwrap();
    alive(&first, 2).await;
    alive(&second, 2).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let info = first.info().await.unwrap();
    assert!(info.counters.datagrams_received > 5, "{:?}", info.counters);
    assert_eq!((info.counters.refused_version, info.counts.alive), (0, 2));
    let other = spawn(&network, 3).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((other.members().len(), first.members().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_request_and_ones_own_alive_share_a_stream() {
    let network = Network::new();
    let seed = Raw::new(&network, 1);
    let _agent = spawn(&network, 2).await;
    let (mut stream, from) = seed.transport.accept().await.unwrap();
    let asked = seed.read(&mut stream).await;
    let [GossipMessage::Gossip { updates }, GossipMessage::SyncRequest { from: name }] = &asked[..]
    else {
        panic!("{asked:?}")
    };
    assert_eq!((updates[0].address, name.as_str()), (Some(from), "n2"));
    assert_eq!(network.traffic(addr(2), addr(1)).datagrams, 0);
}

#[tokio::test(start_paused = true)]
async fn news_ride_with_a_ping_in_one_datagram() {
    let network = Network::new();
    let mut options = options(1);
    options.mechanisms.gossip_rounds = false;
    let agent = builder(&network, 1).options(options).spawn().await.unwrap();
    let raw = Raw::new(&network, 99);
    raw.introduce("raw", 1).await;
    until(&agent, "raw", |members| members.len() == 2).await;
    agent.update_metadata("k", "v").await.unwrap();
    loop {
        let messages = raw.recv().await;
        if let [GossipMessage::Ping { .. }, rest @ ..] = &messages[..] {
            assert!(matches!(rest, [GossipMessage::Gossip { .. }, ..]), "{messages:?}");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn much_news_shares_datagrams_within_their_budget() {
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let raw = Raw::new(&network, 99);
    raw.introduce("raw", 1).await;
    // All of them live where this test listens, so whatever is gossiped comes here.
    let members = (0..200).map(|number| member(&format!("crowd-{number}"), addr(99))).collect();
    raw.ask(1, &[GossipMessage::Sync { members }]).await;
    until(&agent, "the crowd", |members| members.len() == 202).await;
    let mut longest = 0;
    let mut packet = BytesMut::new();
    for _ in 0..50 {
        raw.transport.recv_from(&mut packet).await.unwrap();
        longest = longest.max(packet.len());
    }
    assert!((500..=1_400).contains(&longest), "{longest}");
}

/// It is no event, and the snapshot shows it all the same; what is known already wakes nobody.
#[tokio::test(start_paused = true)]
async fn a_higher_incarnation_alone_shows_in_the_snapshot() {
    let network = Network::new();
    let agent = spawn(&network, 1).await;
    let raw = Raw::new(&network, 99);
    raw.introduce("raw", 1).await;
    until(&agent, "raw", |members| members.len() == 2).await;
    let mut events = agent.events();
    let raised = |incarnation| Member { incarnation, ..member("raw", addr(99)) };
    let shown = |incarnation| {
        until(&agent, "the incarnation", move |members| {
            members.get("raw").is_some_and(|raw| raw.incarnation == incarnation)
        })
    };
    let first = (1 << 32) + 1;
    raw.ask(1, &[GossipMessage::Sync { members: vec![raised(first)] }]).await;
    shown(first).await;
    let update = MemberUpdate {
        id: "raw".into(),
        state: MemberState::Alive,
        incarnation: first + 1,
        address: None,
        metadata: None,
    };
    let gossip = GossipMessage::Gossip { updates: vec![update] };
    raw.send(1, std::slice::from_ref(&gossip));
    shown(first + 1).await;
    let mut watch = agent.watch();
    watch.mark_unchanged();
    raw.send(1, &[gossip]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!watch.has_changed().unwrap());
    assert_eq!(events.try_next(), None);
}

#[tokio::test(start_paused = true)]
async fn a_ping_by_stream_is_answered_on_it() {
    let network = Network::new();
    let _agent = spawn(&network, 1).await;
    let raw = Raw::new(&network, 99);
    let (_, answers) = raw.ask(1, &[GossipMessage::Ping { seq: 9, from: "x".into() }]).await;
    assert!(matches!(&answers[..], [GossipMessage::Ack { seq: 9, .. }]), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn members_whose_datagrams_are_all_lost_hold_on_by_stream() {
    let network = Network::new();
    let (mut agents, mut faults) = (Vec::new(), Vec::new());
    for number in 1..=3 {
        let transport = Faulty::new(network.bind(addr(number)).unwrap(), number.into());
        faults.push(transport.faults());
        agents.push(over(transport, number).spawn().await.unwrap());
    }
    for agent in &agents {
        alive(agent, 3).await;
    }
    faults.iter().for_each(|faults| faults.set_loss(1.0));
    tokio::time::sleep(Duration::from_secs(60)).await;
    for agent in &agents {
        assert_eq!(agent.members().count(MemberState::Alive), 3);
        let info = agent.info().await.unwrap();
        assert_eq!((info.stats.deaths, info.counters.streams_failed), (0, 0));
        assert!(info.counters.streams_opened > 5, "{:?}", info.counters);
    }
}
