//! What goes out: consecutive messages to one address share a packet; what is large or must arrive
//! whole goes by stream.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use swim_core::GossipMessage;
use swim_transport::Transport;
use swim_wire::Codec;

use super::exchange::{Outbound, Purpose};
use super::strangers::{Allowance, Verdict, without_metadata};
use super::wire::{Carrier, Wire};
use crate::counters::Meter;

/// What brought about the messages that are to be sent.
pub(super) enum Origin {
    /// This node itself, or somebody whose address is proven.
    Proven,
    /// A datagram from an address where no live member is known.
    Stranger {
        from: SocketAddr,
        allowance: Allowance,
        /// Whether a dead or departed member lived there: worth a stream.
        remembered: bool,
    },
    /// An inbound stream: what goes to `from` goes back on it.
    Stream { from: SocketAddr, answer: Answer },
}

/// The packet that goes back on an inbound stream.
#[derive(Debug, Default)]
pub(super) struct Answer {
    packet: BytesMut,
    messages: usize,
}

impl Answer {
    fn add(&mut self, codec: &impl Codec, message: &GossipMessage) {
        if self.messages == 0 {
            codec.start(&mut self.packet);
        }
        codec.append(message, &mut self.packet);
        self.messages += 1;
    }

    /// The packet, unless there is nothing to say.
    pub(super) fn finish(self) -> Option<BytesMut> {
        (self.messages > 0).then_some(self.packet)
    }
}

/// A packet to one address that may still grow.
#[derive(Debug, Default)]
struct Open {
    to: Option<SocketAddr>,
    packet: BytesMut,
    messages: usize,
    by_stream: bool,
    /// Whether it was to go by stream whatever it holds: nothing else goes along.
    apart: bool,
    /// Whether it tells notices.
    tells: bool,
    /// Whether it asks for something that comes back on the stream.
    asks: bool,
    /// Whether it is part of a probe.
    probes: bool,
    /// Where its last message begins, if that is a `Gossip`.
    gossip: Option<usize>,
}

impl Open {
    /// What its stream is for.
    fn purpose(&self) -> Purpose {
        match (self.asks, self.apart, self.probes) {
            (true, ..) => Purpose::Ask,
            (_, false, _) => Purpose::Tell,
            (_, _, true) => Purpose::Probe,
            _ => Purpose::News,
        }
    }
}

/// The way out.
pub(super) struct Post<T, C> {
    transport: Arc<T>,
    wire: Arc<Wire<C>>,
    meter: Arc<Meter>,
    streams: Outbound<T, C>,
    /// Most bytes of a datagram before it is sealed.
    budget: usize,
    /// Bytes of a packet without messages.
    envelope: usize,
    open: Open,
    /// Whether the last send failed, so that a broken transport is reported once.
    broken: bool,
    /// Requests that could not be sent since the driver last asked.
    unsent: Vec<SocketAddr>,
}

impl<T: Transport, C: Codec> Post<T, C> {
    pub(super) fn new(
        transport: Arc<T>,
        wire: Arc<Wire<C>>,
        meter: Arc<Meter>,
        streams: Outbound<T, C>,
        budget: usize,
    ) -> Self {
        let mut open = Open::default();
        wire.codec().start(&mut open.packet);
        let envelope = open.packet.len();
        let budget = budget.min(transport.max_datagram()).saturating_sub(wire.overhead());
        let (broken, unsent) = (false, Vec::new());
        Self { transport, wire, meter, streams, budget, envelope, open, broken, unsent }
    }

    /// What may be answered to a datagram of `received` bytes from an unproven address.
    pub(super) fn allowance(&self, received: usize) -> Allowance {
        // Both are longer by as much where packets are sealed.
        let sealed = self.wire.overhead();
        Allowance::new(received, self.envelope + sealed, self.budget + sealed)
    }

    /// Bytes of a datagram with this message alone.
    pub(super) fn datagram_len(&self, message: &GossipMessage) -> usize {
        self.envelope + self.wire.codec().encoded_len(message) + self.wire.overhead()
    }

    /// Puts one message on its way; [`flush`](Self::flush) sends what is then still waiting for
    /// more to the same address.
    pub(super) fn send(&mut self, to: SocketAddr, message: &GossipMessage, origin: &mut Origin) {
        match origin {
            Origin::Stream { from, answer } if *from == to => {
                answer.add(self.wire.codec(), message);
            }
            Origin::Stranger { from, allowance, remembered } if *from == to => {
                let brief;
                let (mut message, mut verdict) =
                    (message, allowance.grant(message, self.wire.codec().encoded_len(message)));
                if verdict == Verdict::Refused
                    && let Some(shorter) = without_metadata(message)
                {
                    brief = shorter;
                    message = &brief;
                    verdict = allowance.grant(message, self.wire.codec().encoded_len(message));
                }
                match verdict {
                    Verdict::Granted => self.pack(to, message),
                    Verdict::StreamOnly if *remembered => self.send_by_stream(to, message),
                    Verdict::StreamOnly | Verdict::Refused => self.meter.answers_withheld.one(),
                }
            }
            _ => self.pack(to, message),
        }
    }

    /// Sends one message by a stream of its own, or by that of the message just before that had to go
    /// there by stream too.
    pub(super) fn send_by_stream(&mut self, to: SocketAddr, message: &GossipMessage) {
        if self.open.to != Some(to) || !self.open.apart {
            self.flush();
            self.start(to);
            (self.open.by_stream, self.open.apart) = (true, true);
        }
        self.append(message);
    }

    fn pack(&mut self, to: SocketAddr, message: &GossipMessage) {
        use GossipMessage::{Fetch, Held, Notices, Sync, SyncRequest};
        let by_stream =
            matches!(message, Sync { .. } | SyncRequest { .. } | Fetch { .. } | Held { .. });
        let tells = matches!(message, Notices { .. });
        // Notices are believed by the address that they come from, which a stream does not show.
        let apart = by_stream && self.open.tells || tells && self.open.by_stream;
        if self.open.to != Some(to) || self.open.apart || apart {
            self.flush();
            self.start(to);
        }
        let len = self.wire.codec().encoded_len(message);
        // What else waits for the same address goes along: one's own Alive with the request.
        self.open.by_stream |= by_stream;
        if !self.open.by_stream && self.open.packet.len() + len > self.budget {
            self.turn_over(to, message, len);
        }
        self.append(message);
    }

    /// Begins another packet for a message for which this one has no room. What an `Evidence` is about
    /// goes along: apart they may come in another order, or be taken for what another `Gossip` says.
    fn turn_over(&mut self, to: SocketAddr, message: &GossipMessage, len: usize) {
        let companion = matches!(message, GossipMessage::Evidence { .. });
        let fits = |&at: &usize| self.envelope + self.open.packet.len() - at + len <= self.budget;
        let gossip = self.open.gossip.filter(|at| companion && fits(at));
        let gossip = gossip.map(|at| self.open.packet.split_off(at));
        self.open.messages -= usize::from(gossip.is_some());
        self.flush();
        self.start(to);
        if let Some(gossip) = gossip {
            self.open.packet.extend_from_slice(&gossip);
            self.open.messages += 1;
        }
        self.open.by_stream = self.open.packet.len() + len > self.budget;
    }

    fn start(&mut self, to: SocketAddr) {
        self.wire.codec().start(&mut self.open.packet);
        let open = &mut self.open;
        (open.to, open.messages) = (Some(to), 0);
        (open.by_stream, open.apart) = (false, false);
        (open.tells, open.asks, open.probes) = (false, false, false);
        open.gossip = None;
    }

    fn append(&mut self, message: &GossipMessage) {
        let is_gossip = matches!(message, GossipMessage::Gossip { .. });
        self.open.gossip = is_gossip.then_some(self.open.packet.len());
        self.wire.codec().append(message, &mut self.open.packet);
        self.open.messages += 1;
        self.open.tells |= matches!(message, GossipMessage::Notices { .. });
        self.open.asks |= matches!(message, GossipMessage::SyncRequest { .. });
        self.open.probes |= matches!(
            message,
            GossipMessage::Ping { .. } | GossipMessage::PingReq { .. } | GossipMessage::Ack { .. }
        );
    }

    /// Sends what is still waiting for more.
    pub(super) fn flush(&mut self) {
        let Some(to) = self.open.to.take().filter(|_| self.open.messages > 0) else { return };
        if !self.wire.may_reach(&to) {
            return;
        }
        if !self.open.by_stream {
            self.send_datagram(to);
            return;
        }
        let purpose = self.open.purpose();
        let said = self.streams.say(to, self.open.packet.split(), purpose);
        if !said && purpose == Purpose::Ask {
            self.unsent.push(to);
        }
    }

    /// Asks an unproven address by a stream on which nothing but the answer to that is heard. False where
    /// none may be opened.
    pub(super) fn ask_unproven(&mut self, to: SocketAddr, question: &GossipMessage) -> bool {
        let mut packet = BytesMut::new();
        self.wire.codec().start(&mut packet);
        self.wire.codec().append(question, &mut packet);
        self.wire.may_reach(&to) && self.streams.say(to, packet, Purpose::Validate)
    }

    fn send_datagram(&mut self, to: SocketAddr) {
        let packet = &mut self.open.packet;
        let sealed = self.wire.seal(Carrier::Datagram, packet);
        match sealed.and_then(|()| self.transport.send_to(to, packet)) {
            Ok(()) => {
                self.meter.datagrams_sent.one();
                self.meter.datagram_bytes_sent.add(self.open.packet.len());
                self.broken = false;
            }
            Err(error) => {
                self.meter.transport_errors.one();
                if !std::mem::replace(&mut self.broken, true) {
                    tracing::warn!(%to, %error, "sending datagrams fails");
                }
            }
        }
    }

    /// Whom requests were to go to that found no free stream.
    pub(super) fn take_unsent(&mut self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.unsent)
    }

    /// Ends all streams and waits until they are gone.
    pub(super) async fn close(self) {
        self.streams.close().await;
    }
}

#[cfg(test)]
mod tests {
    use swim_core::{
        MemberId, MemberState, MemberUpdate, Notice, Said, Stamp, UserEvent, UserNotice,
    };
    use swim_transport::{MemoryTransport, Network};
    use swim_wire::ProtobufCodec;
    use tokio::sync::mpsc;
    use tokio::time::{Duration, timeout};

    use super::super::exchange::Exchange;
    use super::*;
    use crate::admission::Allowed;

    /// The way out to somebody, and that one's end of it.
    fn post() -> (Post<MemoryTransport, ProtobufCodec>, SocketAddr, MemoryTransport, ProtobufCodec)
    {
        let network = Network::new();
        let [from, to] = ["10.0.0.1:7946", "10.0.0.2:7946"].map(|at| at.parse().unwrap());
        let (transport, there) = (Arc::new(network.bind(from).unwrap()), network.bind(to).unwrap());
        let codec = ProtobufCodec::new("swim").unwrap();
        let meter = Arc::new(Meter::default());
        let (inputs, _heard) = mpsc::channel(1);
        let wire = Arc::new(Wire::new(codec.clone(), None, Allowed::default(), Arc::clone(&meter)));
        let exchange = Arc::new(Exchange::new(Arc::clone(&wire), Arc::clone(&meter), inputs));
        let streams = Outbound::new(Arc::clone(&transport), exchange);
        (Post::new(transport, wire, meter, streams, 1_400), to, there, codec)
    }

    #[tokio::test]
    async fn what_must_go_by_stream_shares_one_with_its_like_and_with_nothing_else() {
        let (mut post, to, there, codec) = post();
        let ping = |seq| GossipMessage::Ping { seq, from: MemberId::from("n1") };
        post.send(to, &ping(1), &mut Origin::Proven);
        post.send_by_stream(to, &ping(2));
        post.send_by_stream(to, &ping(3));
        post.send(to, &ping(4), &mut Origin::Proven);
        post.flush();
        let seqs = |packet: &[u8]| {
            let mut messages = Vec::new();
            codec.decode(packet, &mut messages).unwrap();
            let seq = |message: &GossipMessage| match message {
                GossipMessage::Ping { seq, .. } => *seq,
                other => panic!("{other:?}"),
            };
            messages.iter().map(seq).collect::<Vec<_>>()
        };
        let mut packet = BytesMut::new();
        for expected in [1, 4] {
            timeout(Duration::from_secs(30), there.recv_from(&mut packet)).await.unwrap().unwrap();
            assert_eq!(seqs(&packet), [expected]);
        }
        let (mut stream, _) = there.accept().await.unwrap();
        let large = tokio::sync::Semaphore::new(1);
        let packet = super::super::frame::read(&mut stream, &large, Duration::from_secs(30))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(seqs(&packet), [2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn neither_news_nor_requests_take_all_streams_and_no_silent_host_holds_a_ping_for_long() {
        let (mut post, to, _there, _) = post();
        let me = MemberId::from("n1");
        let ping = GossipMessage::Ping { seq: 1, from: me.clone() };
        let ask = GossipMessage::SyncRequest { from: me };
        let news = GossipMessage::Gossip { updates: Vec::new() };
        // How many of so many are opened.
        let mut open = |message: &GossipMessage, count: u64| {
            let before = post.meter.read().streams_withheld;
            for _ in 0..count {
                match message {
                    GossipMessage::SyncRequest { .. } => {
                        post.send(to, message, &mut Origin::Proven);
                    }
                    _ => post.send_by_stream(to, message),
                }
                post.flush();
            }
            count - (post.meter.read().streams_withheld - before)
        };
        assert_eq!([open(&news, 50), open(&ask, 50), open(&ping, 50)], [32, 16, 16]);
        assert_eq!([open(&news, 1), open(&ask, 1), open(&ping, 1)], [0, 0, 0]);
        // All are connected, and nobody answers.
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!([open(&news, 50), open(&ask, 50), open(&ping, 50)], [16, 16, 16]);
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!([open(&ask, 50), open(&ping, 50)], [48, 16]);
    }

    /// The messages of the next datagram.
    async fn next(there: &MemoryTransport, codec: &ProtobufCodec) -> Vec<GossipMessage> {
        let (mut packet, mut messages) = (BytesMut::new(), Vec::new());
        let received = timeout(Duration::from_secs(30), there.recv_from(&mut packet)).await;
        received.expect("a datagram").unwrap();
        codec.decode(&packet, &mut messages).unwrap();
        messages
    }

    #[tokio::test]
    async fn evidence_goes_with_what_it_is_about() {
        let (mut post, to, there, codec) = post();
        let gossip = |name: &str, bytes| {
            let update = MemberUpdate {
                id: MemberId::from(name),
                state: MemberState::Suspect,
                incarnation: 1,
                address: Some(to),
                metadata: Some([("k".to_owned(), "v".repeat(bytes))].into()),
            };
            GossipMessage::Gossip { updates: vec![update] }
        };
        let evidence = GossipMessage::Evidence { ages: vec![1; 200], accusations: Vec::new() };
        for message in
            [gossip("a", 800), gossip("b", 400), evidence.clone(), gossip("c", 1_300), evidence]
        {
            post.send(to, &message, &mut Origin::Proven);
        }
        post.flush();
        let mut told = Vec::new();
        for _ in 0..4 {
            let name = |message: &GossipMessage| match message {
                GossipMessage::Gossip { updates } => updates[0].id.0.clone(),
                _ => "evidence".to_owned(),
            };
            told.push(next(&there, &codec).await.iter().map(name).collect::<Vec<_>>());
        }
        // The last two have no room in one datagram.
        assert_eq!(told, [vec!["a"], vec!["b", "evidence"], vec!["c"], vec!["evidence"]]);
    }

    #[tokio::test]
    async fn notices_do_not_go_along_by_stream() {
        let (mut post, to, there, codec) = post();
        let stamp = Stamp { ltime: 1, id: 1 };
        let event = UserEvent { origin: MemberId::from("n1"), name: "e".into(), payload: vec![] };
        let said = Said::Whole(UserNotice::Event(Arc::new(event)));
        let notices = vec![Notice { stamp, after: [].into(), said }];
        let tell = GossipMessage::Notices { notices };
        let fetch = GossipMessage::Fetch { stamps: vec![stamp] };
        for message in [&tell, &fetch, &tell] {
            post.send(to, message, &mut Origin::Proven);
        }
        post.flush();
        for _ in 0..2 {
            let messages = next(&there, &codec).await;
            assert!(matches!(messages[..], [GossipMessage::Notices { .. }]), "{messages:?}");
        }
        there.accept().await.unwrap();
    }
}
