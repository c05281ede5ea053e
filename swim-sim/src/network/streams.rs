//! Streams: what TCP makes of the same network.

use std::time::Duration;

use crate::rng::SimRng;

/// How streams fare where datagrams are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Never lost: a round trip for the handshake, then what is said.
    Lossless,
    /// Lost as a whole, once, with the loss of a datagram: harsher than any TCP.
    OneShot,
    /// SYNs repeated after 1, 3 and 7 s within a dial limit of 5 s; segments after 200 ms, doubling.
    Tcp,
}

/// Where no datagram passes, while streams do: what a firewall makes of UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// All pass.
    Nowhere,
    /// None does.
    Everywhere,
    /// None from or to node 0.
    AtOne,
    /// None between nodes of even and of odd index.
    BetweenHalves,
}

impl Blocked {
    pub(crate) fn is_between(self, from: u32, to: u32) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Everywhere => true,
            Self::AtOne => from == 0 || to == 0,
            Self::BetweenHalves => from % 2 != to % 2,
        }
    }
}

/// Payload of one segment.
const SEGMENT: u32 = 1_460;
/// Bytes of the IP and TCP headers, timestamps included.
const HEADER: u32 = 52;
/// Segments without payload of one exchange: the handshake, the end, the last acknowledgements.
const BARE_SEGMENTS: u32 = 8;
const DIAL_LIMIT: Duration = Duration::from_secs(5);
const FIRST_SYN_AGAIN: Duration = Duration::from_secs(1);
const FIRST_SEGMENT_AGAIN: Duration = Duration::from_millis(200);
const MOST_ROUNDS: u32 = 8;

/// The losses of the two directions between the ends of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Losses {
    pub(crate) forth: f64,
    pub(crate) back: f64,
}

impl Streams {
    /// What the handshake takes beyond its round trip; `None` when it fails.
    pub(crate) fn dial(self, losses: Losses, rng: &mut SimRng) -> Option<Duration> {
        if losses.forth >= 1.0 || losses.back >= 1.0 {
            return None;
        }
        match self {
            // One shot: the whole stream shares one fate, drawn with what is said.
            Self::Lossless | Self::OneShot => Some(Duration::ZERO),
            Self::Tcp => {
                let (mut passed, mut wait) = (Duration::ZERO, FIRST_SYN_AGAIN);
                while rng.chance(losses.forth) || rng.chance(losses.back) {
                    passed += wait;
                    wait *= 2;
                    if passed >= DIAL_LIMIT {
                        return None;
                    }
                }
                Some(passed)
            }
        }
    }

    /// What lost segments add until all `bytes` are there; `None` when that never happens.
    pub(crate) fn carry(self, bytes: u32, loss: f64, rng: &mut SimRng) -> Option<Duration> {
        match self {
            Self::Lossless => (loss < 1.0).then_some(Duration::ZERO),
            Self::OneShot => (!rng.chance(loss)).then_some(Duration::ZERO),
            Self::Tcp => {
                let mut left = bytes.div_ceil(SEGMENT).max(1);
                let (mut passed, mut wait) = (Duration::ZERO, FIRST_SEGMENT_AGAIN);
                for _ in 0..MOST_ROUNDS {
                    left = (0..left).filter(|_| rng.chance(loss)).count() as u32;
                    if left == 0 {
                        return Some(passed);
                    }
                    passed += wait;
                    wait *= 2;
                }
                None
            }
        }
    }
}

/// Bytes of the headers of a stream opened for `bytes` of payload, of both directions.
pub(crate) fn overhead(bytes: u32) -> u32 {
    HEADER * (BARE_SEGMENTS + carry_segments(bytes))
}

/// Bytes of the headers of an answer on a stream that is open.
pub(crate) fn answer_overhead(bytes: u32) -> u32 {
    HEADER * carry_segments(bytes)
}

/// Segments with payload, and an acknowledgement for every other.
fn carry_segments(bytes: u32) -> u32 {
    let segments = bytes.div_ceil(SEGMENT);
    segments + segments / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_gets_through_a_lossy_network_late_and_through_none_never() {
        let mut rng = SimRng::new(4);
        let losses = Losses { forth: 0.2, back: 0.2 };
        let dials: Vec<_> = (0..1_000).map(|_| Streams::Tcp.dial(losses, &mut rng)).collect();
        let at_once = dials.iter().filter(|dial| **dial == Some(Duration::ZERO)).count();
        let failed = dials.iter().filter(|dial| dial.is_none()).count();
        assert!((580..700).contains(&at_once), "{at_once}");
        assert!((20..80).contains(&failed), "{failed}");
        let cut = Losses { forth: 0.0, back: 1.0 };
        assert_eq!(Streams::Tcp.dial(cut, &mut rng), None);
        assert_eq!(Streams::Lossless.dial(cut, &mut rng), None);
    }
}
