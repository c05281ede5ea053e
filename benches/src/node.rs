//! What a measured implementation can do, from bytes to bytes.

/// A member and in which version of itself it is said to be alive: 0 is the one it joined with,
/// higher ones are news.
pub type News = (usize, u32);

/// A node of one implementation: datagrams in, datagrams out, codec included.
///
/// Node 0 is measured; it knows the members 1 to `n`. What belongs to an operation and what only
/// prepares the next one is for [`Bed`](crate::Bed) to say.
pub trait Node: Sized {
    /// The implementation, as figures are labelled.
    const NAME: &'static str;
    /// Versions of one member that its numbers are enough for.
    const VERSIONS: u32;
    /// A whole view as another member hands it over, decoded.
    type View;
    /// A decoded datagram.
    type Decoded;

    /// The view of members 1 to `n`.
    fn view(n: usize) -> Self::View;
    /// A node that knows nobody, configured for a cluster of `n`. If it `joins`, it has asked for a
    /// view and need not tell anybody what is in it; else it tells others.
    fn newcomer(n: usize, joins: bool) -> Self;
    /// Takes in a whole view.
    fn learn(&mut self, view: Self::View);

    /// A ping by a member, with news of others.
    fn ping(&self, from: usize, news: &[News]) -> Vec<u8>;
    /// Hears a datagram of a member, and sends what that brings about.
    fn hear(&mut self, from: usize, datagram: &[u8]);

    /// Starts the next protocol period and so ends the last one: pings somebody.
    fn start_probe(&mut self);
    /// Whom it pinged last.
    fn pinged(&self) -> usize;
    /// The answer of that member, a moment later.
    fn ack(&mut self) -> Vec<u8>;
    /// That member does not answer: asks relays.
    fn ask_relays(&mut self);
    /// The relays that were asked have no answer either: what they say, and who says it, where they
    /// owe that.
    fn nacks(&mut self) -> Vec<(usize, Vec<u8>)>;
    /// The timers of one period that come up while nothing happens, beside that of the probe.
    fn idle(&mut self);
    /// The tick that gossips, if there is something to tell.
    fn gossip(&mut self);

    /// Updates that wait to be told.
    fn waiting(&self) -> usize;
    /// How often a timer has woken it up so far.
    fn wake_ups(&self) -> u64;
    /// What it has sent.
    fn wire(&self) -> &Wire;

    /// The codec alone: all of a datagram.
    fn decode(&mut self, datagram: &[u8]) -> Self::Decoded;
    /// The codec alone: the same datagram again, into a reused buffer. Its length.
    fn encode(&mut self, decoded: &Self::Decoded) -> usize;
}

/// Stands in for a socket: counts, and copies what is sent as a kernel would.
#[derive(Debug, Default)]
pub struct Wire {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// The datagram sent last.
    pub last: Vec<u8>,
}

impl Wire {
    /// Sends a datagram.
    pub fn send(&mut self, datagram: &[u8]) {
        self.datagrams += 1;
        self.bytes += datagram.len() as u64;
        self.last.clear();
        self.last.extend_from_slice(datagram);
    }
}
