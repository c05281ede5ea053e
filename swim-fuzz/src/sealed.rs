//! Sealed packets: what two members send, and what is done to it on the way.

use std::collections::BTreeSet;

use bytes::BytesMut;
use swim_wire::seal::{
    Algorithm, Carrier, Key, Keyring, Mode, OVERHEAD, OpenError, Seal, Zeroizing, is_sealed,
};

use crate::source::Source;

/// Members, each with every key.
const MEMBERS: usize = 3;
/// Packets back of one session that are still told from each other.
const WINDOW: u64 = 1_024;
/// Bytes before the content: key, session and counter among them.
const HEADER: usize = 21;

/// A packet that a member sealed.
struct Packet {
    from: usize,
    carrier: Carrier,
    key: usize,
    content: Vec<u8>,
    sealed: Vec<u8>,
    /// Which members opened it.
    opened: [bool; MEMBERS],
}

struct Cluster {
    keys: Vec<Key>,
    seals: Vec<Seal>,
    /// Which of the keys each seals with.
    uses: [usize; MEMBERS],
    packets: Vec<Packet>,
    /// What each cipher was used with.
    nonces: BTreeSet<(bool, Vec<u8>)>,
    /// Sessions that were begun, keys and restarts counted.
    sessions: usize,
}

/// Seals, holds back, repeats, changes, cuts, makes up, and hands packets to members, whose keys change
/// meanwhile. What is opened was sealed just so, by somebody else, for this carrier, and comes once; what
/// is refused stays as it was.
pub fn sealed(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let mut cluster = Cluster::new();
    while !source.is_empty() {
        match source.below(12) {
            0..=3 => cluster.seal(&mut source),
            4..=6 => cluster.deliver(&mut source),
            7..=8 => cluster.forge(&mut source),
            9 => cluster.make_up(&mut source),
            10 => cluster.use_key(&mut source),
            _ => cluster.restart(&mut source),
        }
    }
}

impl Cluster {
    fn new() -> Self {
        let key = |(algorithm, first)| {
            let mut secret = [7; 32];
            secret[0] = first;
            Key::new(algorithm, Zeroizing::new(secret)).expect("bytes that differ")
        };
        let [aes, chacha] = Algorithm::ALL;
        let keys: Vec<Key> = [(aes, 1), (chacha, 1), (aes, 2)].map(key).to_vec();
        let seals = (0..MEMBERS).map(|_| seal(&keys)).collect();
        let (packets, nonces) = (Vec::new(), BTreeSet::new());
        Self { keys, seals, uses: [0; MEMBERS], packets, nonces, sessions: MEMBERS }
    }

    fn seal(&mut self, source: &mut Source<'_>) {
        let (from, carrier) = (source.below(MEMBERS), carrier(source));
        // Rarely, many are lost.
        let lost = if source.below(16) == 15 { 2 * usize::from(source.byte()) } else { 0 };
        (0..lost).for_each(|_| drop(self.packet(from, carrier, &[])));
        let len = source.below(40);
        let content = source.take(len).to_vec();
        let packet = self.packet(from, carrier, &content);
        let (key, sealed) = (self.uses[from], packet.to_vec());
        self.packets.push(Packet { from, carrier, key, content, sealed, opened: [false; MEMBERS] });
    }

    fn packet(&mut self, from: usize, carrier: Carrier, content: &[u8]) -> BytesMut {
        let mut packet = BytesMut::from(content);
        self.seals[from].seal(carrier, &mut packet).expect("a session that is not worn out");
        assert!(is_sealed(&packet) && packet.len() == content.len() + OVERHEAD);
        let used = (carrier == Carrier::Stream, packet[..HEADER].to_vec());
        assert!(self.nonces.insert(used), "a nonce twice");
        packet
    }

    /// A packet as it was sealed, to anybody, perhaps as what it was not sealed for.
    fn deliver(&mut self, source: &mut Source<'_>) {
        let Some(at) = source.pick(self.packets.len()) else { return };
        let (to, carrier) = (source.below(MEMBERS), carrier(source));
        let packet = &mut self.packets[at];
        let mut bytes = packet.sealed.clone();
        let opened = self.seals[to].open(carrier, &mut bytes);
        let rightly = packet.from != to && packet.carrier == carrier && !packet.opened[to];
        match opened {
            Ok(opened) => {
                assert!(rightly, "opened twice, by its sender, or as another carrier's");
                assert_eq!(opened.packet, packet.content);
                assert_eq!(opened.key, Some(self.keys[packet.key].id()));
                packet.opened[to] = true;
            }
            Err(error) => {
                let late = matches!(error, OpenError::TooOld { next, counter }
                    if next - u64::from(counter) > WINDOW);
                assert!(!rightly || late, "refused: {error}");
                assert_eq!(bytes, packet.sealed, "what is refused stays as it was");
            }
        }
        self.is_bounded();
    }

    /// A packet that was changed, cut or prolonged, and then is no packet of anybody's.
    fn forge(&mut self, source: &mut Source<'_>) {
        let Some(at) = source.pick(self.packets.len()) else { return };
        let packet = &self.packets[at];
        let mut bytes = packet.sealed.clone();
        let place = usize::from(source.byte()) % bytes.len();
        match source.below(4) {
            0 => bytes.truncate(place),
            1 => bytes.extend_from_slice(source.take(20)),
            2 => bytes[place] ^= source.byte(),
            _ => {
                let other = source.pick(self.packets.len()).unwrap_or(0);
                let other = &self.packets[other].sealed;
                let place = place.min(other.len());
                bytes.truncate(place);
                bytes.extend_from_slice(&other[place..]);
            }
        }
        self.refused(bytes, source);
    }

    /// Bytes that look like a packet as far as it goes.
    fn make_up(&mut self, source: &mut Source<'_>) {
        let mut bytes = Vec::new();
        if source.flag()
            && let Some(at) = source.pick(self.packets.len())
        {
            let head = source.below(HEADER + 1);
            bytes.extend_from_slice(&self.packets[at].sealed[..head]);
        }
        let len = source.below(80);
        bytes.extend_from_slice(source.take(len));
        self.refused(bytes, source);
    }

    fn refused(&mut self, bytes: Vec<u8>, source: &mut Source<'_>) {
        let (to, carrier) = (source.below(MEMBERS), carrier(source));
        if self.packets.iter().any(|packet| packet.sealed == bytes) {
            return;
        }
        let mut forged = bytes.clone();
        let before = self.seals[to].sessions_open(carrier);
        let mode = Mode::ALL[source.below(3)];
        self.seals[to].set_mode(mode);
        let opened = self.seals[to].open(carrier, &mut forged);
        match opened {
            Ok(opened) => {
                assert!(!is_sealed(&bytes) && mode != Mode::Require, "a forged packet is opened");
                assert_eq!((opened.packet, opened.key), (&bytes[..], None));
            }
            Err(_) => assert_eq!(forged, bytes, "what is refused stays as it was"),
        }
        self.seals[to].set_mode(Mode::Require);
        assert_eq!(self.seals[to].sessions_open(carrier), before, "a forger has a session");
    }

    fn use_key(&mut self, source: &mut Source<'_>) {
        let (member, key) = (source.below(MEMBERS), source.below(self.keys.len()));
        let mut ring = self.seals[member].keyring();
        self.sessions += usize::from(ring.use_key(self.keys[key].id()) == Ok(true));
        self.seals[member].set_keyring(ring).expect("a session more");
        self.uses[member] = key;
    }

    /// A member starts anew: it has forgotten what it opened, and has another name.
    fn restart(&mut self, source: &mut Source<'_>) {
        let member = source.below(MEMBERS);
        if source.flag() {
            // Its packets from before would come back to it as somebody's.
            self.packets.retain(|packet| packet.from != member);
            self.packets.iter_mut().for_each(|packet| packet.opened[member] = false);
            (self.seals[member], self.uses[member]) = (seal(&self.keys), 0);
        } else {
            self.packets.retain(|packet| packet.from != member);
            self.seals[member].begin_anew().expect("a random source");
        }
        self.sessions += 1;
    }

    fn is_bounded(&self) {
        for (seal, carrier) in
            self.seals.iter().flat_map(|seal| [(seal, Carrier::Datagram), (seal, Carrier::Stream)])
        {
            assert!(seal.sessions_open(carrier) <= self.sessions, "sessions that nobody began");
        }
    }
}

fn seal(keys: &[Key]) -> Seal {
    let mut ring = Keyring::new(keys[0].clone());
    keys[1..].iter().for_each(|key| assert_eq!(ring.install(key.clone()), Ok(true)));
    Seal::new("swim", ring, Mode::Require).expect("a valid name")
}

fn carrier(source: &mut Source<'_>) -> Carrier {
    if source.flag() { Carrier::Stream } else { Carrier::Datagram }
}
