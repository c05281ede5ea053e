//! The crate foca as a [`Node`]: an identity of name and address, postcard, the configuration of
//! a LAN of the cluster's size. Its runtime counts, and keeps the timers that come back.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use foca::{
    Codec as _, Config, Header, Identity, Incarnation, Member, Message, NoCustomBroadcast,
    Notification, PostcardCodec, Runtime, State, Timer,
};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use swim_benches::{News, Node, Wire, address, name, node_at};

/// An identity as a user of foca would choose it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Id {
    name: String,
    addr: SocketAddr,
    bump: u64,
}

impl Id {
    fn new(node: usize) -> Self {
        Self { name: name(node), addr: address(node), bump: 0 }
    }
}

impl Identity for Id {
    type Addr = SocketAddr;

    fn renew(&self) -> Option<Self> {
        Some(Self { bump: self.bump + 1, ..self.clone() })
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.bump > adversary.bump
    }
}

/// Receives the effects.
#[derive(Debug, Default)]
struct Sink {
    wire: Wire,
    notified: u64,
    probe: Option<Timer<Id>>,
    indirect: Option<Timer<Id>>,
    gossip: Option<Timer<Id>>,
    announce: Option<Timer<Id>>,
    announce_down: Option<Timer<Id>>,
}

impl Runtime<Id> for &mut Sink {
    fn notify(&mut self, notification: Notification<'_, Id>) {
        std::hint::black_box(notification);
        self.notified += 1;
    }

    fn send_to(&mut self, to: Id, data: &[u8]) {
        std::hint::black_box(to);
        self.wire.send(data);
    }

    fn submit_after(&mut self, timer: Timer<Id>, _: Duration) {
        let kept = match timer {
            Timer::ProbeRandomMember(_) => &mut self.probe,
            Timer::SendIndirectProbe { .. } => &mut self.indirect,
            Timer::PeriodicGossip(_) => &mut self.gossip,
            Timer::PeriodicAnnounce(_) => &mut self.announce,
            Timer::PeriodicAnnounceDown(_) => &mut self.announce_down,
            Timer::ChangeSuspectToDown { .. } | Timer::RemoveDown(_) => return,
        };
        *kept = Some(timer);
    }
}

/// One node of foca.
pub(crate) struct Foca {
    foca: foca::Foca<Id, PostcardCodec, SmallRng, NoCustomBroadcast>,
    sink: Sink,
    buffer: Vec<u8>,
    tells: bool,
    second: u64,
    wake_ups: u64,
}

/// Gossip ticks in a second, and how many seconds lie between announcements.
const TICKS: u32 = 5;
const ANNOUNCE: u64 = 30;
const ANNOUNCE_DOWN: u64 = 65;

impl Foca {
    fn fire(&mut self, timer: Option<Timer<Id>>) {
        self.wake_ups += 1;
        let timer = timer.expect("armed when the first member came");
        self.foca.handle_timer(timer, &mut self.sink).expect("a timer of its own");
    }

    /// The header of the datagram sent last.
    fn last(&self) -> Header<Id> {
        PostcardCodec.decode_header(&self.sink.wire.last[..]).expect("its own datagram")
    }
}

fn alive((member, version): News) -> Member<Id> {
    Member::new(Id::new(member), version as Incarnation, State::Alive)
}

fn encode(header: &Header<Id>, members: &[Member<Id>], packet: &mut Vec<u8>) {
    packet.clear();
    PostcardCodec.encode_header(header, &mut *packet).expect("room");
    packet.extend((members.len() as u16).to_be_bytes());
    for member in members {
        PostcardCodec.encode_member(member, &mut *packet).expect("room");
    }
}

fn from(node: usize, message: Message<Id>, news: &[News]) -> Vec<u8> {
    let (src, dst) = (Id::new(node), Id::new(0));
    let header = Header { src, src_incarnation: 0, dst, message };
    let members: Vec<_> = news.iter().copied().map(alive).collect();
    let mut packet = Vec::new();
    encode(&header, &members, &mut packet);
    packet
}

impl Node for Foca {
    const NAME: &'static str = "foca";
    const VERSIONS: u32 = Incarnation::MAX as u32 - 1;
    type View = Vec<Member<Id>>;
    type Decoded = (Header<Id>, Vec<Member<Id>>);

    fn view(n: usize) -> Vec<Member<Id>> {
        (1..=n).map(|member| alive((member, 0))).collect()
    }

    fn newcomer(n: usize, joins: bool) -> Self {
        let size = NonZeroU32::new(n as u32).expect("a cluster has members");
        let (config, rng) = (Config::new_lan(size), SmallRng::seed_from_u64(7));
        Self {
            foca: foca::Foca::new(Id::new(0), config, rng, PostcardCodec),
            sink: Sink::default(),
            buffer: Vec::new(),
            tells: !joins,
            second: 0,
            wake_ups: 0,
        }
    }

    fn learn(&mut self, view: Vec<Member<Id>>) {
        let view = view.into_iter();
        self.foca.apply_many(view, self.tells, &mut self.sink).expect("others' identities");
    }

    fn ping(&self, member: usize, news: &[News]) -> Vec<u8> {
        from(member, Message::Ping(77), news)
    }

    fn hear(&mut self, _: usize, datagram: &[u8]) {
        self.foca.handle_data(datagram, &mut self.sink).expect("a peer's datagram");
    }

    fn start_probe(&mut self) {
        let timer = self.sink.probe.take();
        self.fire(timer);
    }

    fn pinged(&self) -> usize {
        match &self.sink.indirect {
            Some(Timer::SendIndirectProbe { probed_id, .. }) => node_at(probed_id.addr),
            _ => unreachable!("armed by each ping"),
        }
    }

    fn ack(&mut self) -> Vec<u8> {
        match self.last().message {
            Message::Ping(number) => from(self.pinged(), Message::Ack(number), &[]),
            other => unreachable!("{other:?} is no ping"),
        }
    }

    fn ask_relays(&mut self) {
        let timer = self.sink.indirect.clone();
        self.fire(timer);
    }

    /// They are silent.
    fn nacks(&mut self) -> Vec<(usize, Vec<u8>)> {
        Vec::new()
    }

    /// The probe's other timer, which finds it answered, the ticks, and now and then a request for
    /// members.
    fn idle(&mut self) {
        let timer = self.sink.indirect.clone();
        self.fire(timer);
        (0..TICKS).for_each(|_| self.gossip());
        self.second += 1;
        if self.second.is_multiple_of(ANNOUNCE) {
            let timer = self.sink.announce.take();
            self.fire(timer);
        }
        if self.second.is_multiple_of(ANNOUNCE_DOWN) {
            let timer = self.sink.announce_down.take();
            self.fire(timer);
        }
    }

    fn gossip(&mut self) {
        let timer = self.sink.gossip.take();
        self.fire(timer);
    }

    fn waiting(&self) -> usize {
        self.foca.updates_backlog()
    }

    fn wake_ups(&self) -> u64 {
        self.wake_ups
    }

    fn wire(&self) -> &Wire {
        &self.sink.wire
    }

    fn decode(&mut self, mut datagram: &[u8]) -> Self::Decoded {
        let datagram = &mut datagram;
        let header = PostcardCodec.decode_header(&mut *datagram).expect("a peer's datagram");
        let (count, rest) = datagram.split_first_chunk().expect("a count");
        *datagram = rest;
        let member = |_| PostcardCodec.decode_member(&mut *datagram).expect("a peer's datagram");
        let members = (0..u16::from_be_bytes(*count)).map(member).collect();
        (header, members)
    }

    fn encode(&mut self, (header, members): &Self::Decoded) -> usize {
        encode(header, members, &mut self.buffer);
        self.buffer.len()
    }
}
